//! What people sign.
//!
//! A transaction is authorised by the key that speaks for its account `from`. It names the chain
//! (so that no other grid takes it) and a nonce (so that this one takes it once, L4). Its id is a
//! digest of the unsigned transaction: known before signing, and the same whatever the signature.
//!
//! Fees are burned: there is no one yet whom the ledger could pay for making blocks. The payer is
//! the account `from`, except where a node speaks for itself ([`Action::RegisterNode`],
//! [`Action::ReportWorkload`], and [`Action::UpdateNode`] from the node's own account) or closes a contract about itself that is
//! over ([`Action::SettleContract`]): then it is the owner of its farm, and the
//! fee must be the least possible, so that a node cannot waste its owner's tokens at will.

mod action;
mod contract;
mod statement;

use acre_crypto::{Domain, Hasher, SigningKey};
use acre_types::{AccountId, Amount, Digest, FarmId, NodeId, PublicKey, Signature, UnixMs};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::error::Refusal;
use crate::limits::TRANSACTION_BYTES_MAX;
use crate::object::Parameters;

pub use action::{Action, NewBallot, NewCandidate, NewProposal, NewRecovery, NodeOffer};
pub use contract::{NewContract, NewKind, NewService, NewStorage, NewWorkload, Report};
pub use statement::{AdmissionOrder, Possession, RecoveryConsent, RecoveryVeto};

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

    /// The same with the least fee that the parameters ask for: none for a duty.
    #[must_use]
    pub fn with_least_fee(mut self, parameters: &Parameters) -> Self {
        self.fee = if self.action.is_duty() {
            Amount::ZERO
        } else {
            parameters.fee_of(&self.action, self.signed_bytes())
        };
        self
    }
}

fn id_of(transaction: &[u8]) -> Digest {
    Hasher::new("acre 2026-11 transaction id").update(transaction).finish()
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
