//! Verified reads of what is asked for most, and of lists.

use acre_ledger::{
    Account, BillAt, BillLine, Contract, ContractOf, Farm, FarmOf, Grid, Handle, Lookup, Node,
    NodeAt, Parameters, TheGrid, TheParameters, ThePrice, TheTotals, TokenPrice, Totals, Twin,
    TwinOf,
};
use acre_types::{AccountId, ContractId, FarmId, NodeId};

use super::LedgerClient;
use crate::error::{ClientError, Lie};

/// All of them fail as [`LedgerClient::snapshot`] does.
impl LedgerClient {
    async fn must<L: Lookup>(&self, place: &L) -> Result<L::Object, ClientError> {
        self.read(place).await?.ok_or_else(|| self.lied(Lie::Unfit))
    }

    /// What stands at places that the ledger itself says are taken.
    async fn must_all<L: Lookup>(&self, places: &[L]) -> Result<Vec<L::Object>, ClientError> {
        let values = self.read_all(places).await?;
        values.into_iter().collect::<Option<_>>().ok_or_else(|| self.lied(Lie::Unfit))
    }

    /// Sums and counters over everything.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn totals(&self) -> Result<Totals, ClientError> {
        self.must(&TheTotals).await
    }

    /// Prices and fees.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn parameters(&self) -> Result<Parameters, ClientError> {
        self.must(&TheParameters).await
    }

    /// Name and kind of the grid.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn grid(&self) -> Result<Grid, ClientError> {
        self.must(&TheGrid).await
    }

    /// An account; one that was never touched is empty.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn account(&self, id: AccountId) -> Result<Account, ClientError> {
        Ok(self.read(&id).await?.unwrap_or_default())
    }

    /// The twin of this handle.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn twin(&self, handle: &Handle) -> Result<Option<Twin>, ClientError> {
        self.read(handle).await
    }

    /// The handle of an account's twin.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn twin_of(&self, account: AccountId) -> Result<Option<Handle>, ClientError> {
        self.read(&TwinOf(account)).await
    }

    /// A farm.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn farm(&self, id: FarmId) -> Result<Option<Farm>, ClientError> {
        self.read(&id).await
    }

    /// A node.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn node(&self, id: NodeId) -> Result<Option<Node>, ClientError> {
        self.read(&id).await
    }

    /// A contract.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn contract(&self, id: ContractId) -> Result<Option<Contract>, ClientError> {
        self.read(&id).await
    }

    /// The bill of a contract, line by line.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn bill(&self, contract: &Contract) -> Result<Vec<BillLine>, ClientError> {
        let lines: Vec<_> = (0..contract.bills).map(|line| BillAt(contract.id, line)).collect();
        self.must_all(&lines).await
    }

    /// What a token is worth now.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn token_price(&self) -> Result<TokenPrice, ClientError> {
        let prices = self.parameters().await?.prices;
        let state = self.read(&ThePrice).await?;
        Ok(acre_ledger::price::token_price(&prices, state.as_ref()))
    }

    /// All nodes, in the order in which they joined.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn nodes(&self) -> Result<Vec<(NodeId, Node)>, ClientError> {
        let count = self.totals().await?.nodes;
        let ids = self.must_all(&(0..count).map(NodeAt).collect::<Vec<_>>()).await?;
        let nodes = self.must_all(&ids).await?;
        Ok(ids.into_iter().zip(nodes).collect())
    }

    /// All farms, in the order in which they were made.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn farms(&self) -> Result<Vec<(FarmId, Farm)>, ClientError> {
        let ids: Vec<_> = (1..=self.totals().await?.farms).map(FarmId).collect();
        let farms = self.must_all(&ids).await?;
        Ok(ids.into_iter().zip(farms).collect())
    }

    /// All farms that an account made, in order.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn farms_of(&self, account: AccountId) -> Result<Vec<(FarmId, Farm)>, ClientError> {
        let count = self.account(account).await?.farms;
        let places: Vec<_> = (0..count).map(|index| FarmOf(account, index)).collect();
        let ids = self.must_all(&places).await?;
        let farms = self.must_all(&ids).await?;
        Ok(ids.into_iter().zip(farms).collect())
    }

    /// All contracts that an account made, in order, closed ones too.
    ///
    /// # Errors
    /// As [`LedgerClient::snapshot`].
    pub async fn contracts_of(&self, account: AccountId) -> Result<Vec<Contract>, ClientError> {
        let count = self.account(account).await?.contracts;
        let places: Vec<_> = (0..count).map(|index| ContractOf(account, index)).collect();
        let ids = self.must_all(&places).await?;
        self.must_all(&ids).await
    }
}
