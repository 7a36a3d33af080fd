//! What people sign.
//!
//! A transaction is authorised by the key that speaks for its account `from`. It names the chain
//! (so that no other grid takes it) and a nonce (so that this one takes it once, L4). Its id is a
//! digest of the unsigned transaction: known before signing, and the same whatever the signature.
//!
//! Fees are burned: there is no one yet whom the ledger could pay for making blocks. The payer is
//! the account `from`, except where a node speaks for itself ([`Action::RegisterNode`], and
//! [`Action::UpdateNode`] from the node's own account): then it is the owner of its farm, and the
//! fee must be the least possible, so that a node cannot waste its owner's tokens at will.

use acre_codec::List;
use acre_crypto::{Domain, Hasher, SigningKey};
use acre_types::{
    AccountId, Amount, Bytes, ContractId, Country, Digest, FarmId, NodeId, Profile, PublicKey,
    Signature, Text, UnixMs,
};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::error::Refusal;
use crate::key::Handle;
use crate::limits::{PLACES_MAX, TEXT_BYTES_MAX, TRANSACTION_BYTES_MAX};
use crate::object::{Addresses, Capacity, FarmName, NodeState, Parameters, Places, TwinKeys};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Action {
    /// Pays another account.
    Transfer {
        /// Who receives.
        to: AccountId,
        /// How much, more than zero.
        amount: Amount,
    },
    /// Lets another key speak for the account from the next transaction on.
    RotateKey {
        /// The new key.
        key: PublicKey,
    },
    /// Takes a handle for the account, which has none yet.
    RegisterTwin {
        /// The name.
        handle: Handle,
        /// Its first keys.
        keys: TwinKeys,
    },
    /// Replaces the keys of the account's own twin and counts its epoch up.
    RotateTwin {
        /// The name.
        handle: Handle,
        /// The new keys.
        keys: TwinKeys,
    },
    /// Makes a farm.
    CreateFarm {
        /// For people.
        name: FarmName,
        /// Earns.
        payout: AccountId,
    },
    /// Changes name and payout account of an own farm.
    UpdateFarm {
        /// Which.
        farm: FarmId,
        /// The new name.
        name: FarmName,
        /// The new account that earns.
        payout: AccountId,
    },
    /// Joins a farm; `from` is the node itself. The farm's owner pays the fee.
    RegisterNode {
        /// The owner's consent.
        token: SignedJoinToken,
        /// What the node says of itself.
        offer: NodeOffer,
    },
    /// Replaces what a node says of itself; by the node (its owner pays), unless it was
    /// retired, or by the farm's owner.
    UpdateNode {
        /// Which.
        node: NodeId,
        /// The new capacity, not below what is reserved.
        capacity: Capacity,
        /// The new addresses.
        addresses: Addresses,
        /// Whether it takes new contracts.
        state: NodeState,
    },
    /// Reserves storage and locks its price.
    CreateContract(NewContract),
    /// Adds bytes, time, or both, and locks the price of that.
    ExtendContract {
        /// Which.
        contract: ContractId,
        /// Plain bytes to add.
        bytes: Bytes,
        /// Time to add to its end.
        period_ms: u64,
    },
    /// Moves places and adds spares. Old and new ones keep the rules of [`Action::CreateContract`].
    ChangePlaces {
        /// Which.
        contract: ContractId,
        /// Places to give up, each with the node that takes its position.
        replace: List<(NodeId, NodeId), PLACES_MAX>,
        /// Spares to append.
        add: Places,
    },
    /// Pays what is due and refunds the rest to the owner, who alone may do this.
    CancelContract {
        /// Which.
        contract: ContractId,
    },
    /// Pays what is due, and closes the contract if its time is over. Anyone may do this.
    SettleContract {
        /// Which.
        contract: ContractId,
    },
}

/// What a node says of itself when it joins.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NodeOffer {
    /// House or hall; not empty.
    pub site: Text<TEXT_BYTES_MAX>,
    /// Where that is.
    pub country: Country,
    /// What it offers.
    pub capacity: Capacity,
    /// Where it may be dialled.
    pub addresses: Addresses,
}

/// A storage contract as asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewContract {
    /// The erasure code.
    pub profile: Profile,
    /// n primaries, then up to [`Profile::spares`] spares; distinct nodes, sites and operators
    /// (S3), where `tiny` may use several boxes of one operator.
    pub places: Places,
    /// Plain bytes, more than zero.
    pub bytes: Bytes,
    /// From now, in milliseconds, more than zero.
    pub period_ms: u64,
    /// Key whose signatures the places will accept.
    pub writer: PublicKey,
}

/// An owner's consent that a node joins a farm.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct JoinToken {
    /// The grid.
    pub chain: Digest,
    /// The farm.
    pub farm: FarmId,
    /// The one node that may use it; `None` for a bearer token, to be kept secret: every node
    /// that has it may join until it expires.
    pub node: Option<NodeId>,
    /// Useless from here on.
    pub expires: UnixMs,
}

impl Domain for JoinToken {
    const DOMAIN: &'static str = "acre/join-token/1";
}

/// A join token and the signature by the key of the farm's owner.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedJoinToken {
    /// What was signed.
    pub token: JoinToken,
    /// By whom does not matter: it is checked against the owner's present key.
    pub signature: Signature,
}

impl SignedJoinToken {
    /// Signs a token.
    #[must_use]
    pub fn new(token: JoinToken, owner: &SigningKey) -> Self {
        let signature = owner.sign(&token);
        Self { token, signature }
    }
}

/// An instruction to the ledger.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// Digest of the genesis.
    pub chain: Digest,
    /// Whose it is.
    pub from: AccountId,
    /// [`crate::Account::nonce`] of `from`.
    pub nonce: u64,
    /// Paid whole, at least [`Parameters::fee`].
    pub fee: Amount,
    /// What is to be done.
    pub action: Action,
}

impl Domain for Transaction {
    const DOMAIN: &'static str = "acre/transaction/1";
}

/// Bytes that signing adds to a transaction: key and signature.
const SIGNED_EXTRA_BYTES: usize = PublicKey::LEN + Signature::LEN;

impl Transaction {
    /// Its id: BLAKE3 in a context of its own, of the canonical bytes, without any signature.
    #[must_use]
    pub fn id(&self) -> Digest {
        id_of(&acre_codec::encode(self))
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedTransaction {
        let signature = key.sign(&self);
        SignedTransaction { transaction: self, key: key.public(), signature }
    }

    /// Bytes that it will have once signed.
    #[must_use]
    pub fn signed_bytes(&self) -> usize {
        acre_codec::encode(self).len().saturating_add(SIGNED_EXTRA_BYTES)
    }

    /// The same with the least fee that the parameters ask for.
    #[must_use]
    pub fn with_least_fee(mut self, parameters: &Parameters) -> Self {
        self.fee = parameters.fee(self.signed_bytes());
        self
    }
}

fn id_of(transaction: &[u8]) -> Digest {
    Hasher::new("acre 2026-11 transaction id").update(transaction).finish()
}

impl Parameters {
    /// Least fee of a signed transaction of so many bytes.
    #[must_use]
    pub fn fee(&self, bytes: usize) -> Amount {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Amount(self.fee_transaction.0.saturating_add(self.fee_byte.0.saturating_mul(bytes)))
    }
}

/// A transaction and a signature that was not checked yet.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedTransaction {
    /// What was signed.
    pub transaction: Transaction,
    /// Who signed; must speak for `from`.
    pub key: PublicKey,
    /// By `key`, in the domain `acre/transaction/1`.
    pub signature: Signature,
}

impl SignedTransaction {
    /// From a stranger's bytes.
    ///
    /// # Errors
    /// More than [`TRANSACTION_BYTES_MAX`] bytes, or not canonical ones.
    pub fn decode(bytes: &[u8]) -> Result<Self, acre_codec::CodecError> {
        acre_codec::decode_bounded(bytes, TRANSACTION_BYTES_MAX)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        acre_codec::encode(self)
    }
}

/// A transaction whose size and signature were checked, which needs no state: so it is done once
/// per transaction, in any thread, and not again when a block comes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    signed: SignedTransaction,
    id: Digest,
    bytes: usize,
}

impl Verified {
    /// Checks size and signature. Whether the key speaks for the account is the state's matter.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] or [`Refusal::BadSignature`].
    pub fn new(signed: SignedTransaction) -> Result<Self, Refusal> {
        let body = acre_codec::encode(&signed.transaction);
        let bytes = body.len().saturating_add(SIGNED_EXTRA_BYTES);
        if bytes > TRANSACTION_BYTES_MAX {
            return Err(Refusal::TooLarge { bytes, bytes_max: TRANSACTION_BYTES_MAX });
        }
        acre_crypto::verify_bytes(&signed.key, Transaction::DOMAIN, &body, &signed.signature)
            .map_err(|_| Refusal::BadSignature)?;
        Ok(Self { id: id_of(&body), bytes, signed })
    }

    /// The transaction with its signature.
    #[must_use]
    pub const fn signed(&self) -> &SignedTransaction {
        &self.signed
    }

    /// The transaction.
    #[must_use]
    pub const fn transaction(&self) -> &Transaction {
        &self.signed.transaction
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> Digest {
        self.id
    }

    /// Bytes of the signed transaction.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}
