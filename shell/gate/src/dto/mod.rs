//! What the API says, as JSON: snake_case, units in the keys. The only place where types of the
//! ledger become types of the API; the API's document is made from these.
//!
//! Tokens are decimal text, exact; ids are 64 hexadecimal digits; times are milliseconds since
//! 1970; shares are parts per million.

mod bill;
mod chain;
mod epoch;
mod farming;
mod objects;
mod seats;
mod statistics;
mod vote;

use std::borrow::Cow;

use acre_ledger as ledger;
use acre_types::{Amount, Digest};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::replica::Size;

pub(crate) use bill::Bill;
pub(crate) use chain::{Block, BlockSummary, Event, Gap, Transaction};
pub(crate) use epoch::{Epoch, Reports, Witnesses};
pub(crate) use farming::{Certificate, Power, Price, Receipt};
pub(crate) use objects::{Account, Contract, Farm, Grid, Node, Totals, Twin};
pub(crate) use objects::{ContractStateName, NodeStateName};
pub(crate) use seats::{Candidate, Term, Validator};
pub(crate) use statistics::Statistics;
pub(crate) use vote::Proposal;

/// How old an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Seen {
    /// Newest block all of whose news is in the answer.
    pub(crate) height: u64,
    /// The time of that block.
    pub(crate) block_time_ms: u64,
    /// Time since validators last proved something to this gateway.
    pub(crate) age_ms: u64,
    /// Whether that is recent and nothing is being caught up with.
    pub(crate) fresh: bool,
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(crate) struct Page<T> {
    #[serde(flatten)]
    pub(crate) seen: Seen,
    /// The rows.
    pub(crate) items: Vec<T>,
    /// Give this as `after` for the next page; null on the last one. A page of a filtered list
    /// may have fewer rows than asked for, and still a next one.
    pub(crate) next_after: Option<u64>,
}

/// One thing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "OneOf{T}")]
pub(crate) struct One<T> {
    #[serde(flatten)]
    pub(crate) seen: Seen,
    /// The thing itself.
    pub(crate) item: T,
}

/// Capacity of one node or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Capacity {
    /// Raw storage.
    #[schemars(with = "u64")]
    pub(crate) storage_bytes: u128,
    /// Memory.
    #[schemars(with = "u64")]
    pub(crate) memory_bytes: u128,
    /// Logical processors.
    pub(crate) cores: u64,
}

impl From<&Size> for Capacity {
    fn from(size: &Size) -> Self {
        let Size { storage_bytes, memory_bytes, cores } = *size;
        Self { storage_bytes, memory_bytes, cores }
    }
}

impl From<ledger::Capacity> for Capacity {
    fn from(capacity: ledger::Capacity) -> Self {
        Self {
            storage_bytes: capacity.storage.0.into(),
            memory_bytes: capacity.memory.0.into(),
            cores: capacity.cores.into(),
        }
    }
}

/// An id of 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Id(Digest);

impl Id {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(Digest(bytes))
    }
}

impl JsonSchema for Id {
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-9a-f]{64}$",
            "description": "32 bytes as hexadecimal digits",
        })
    }
}

/// Tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tft(pub(crate) Amount);

impl Serialize for Tft {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_string();
        to.serialize_str(text.strip_suffix(" TFT").unwrap_or(&text))
    }
}

impl JsonSchema for Tft {
    fn schema_name() -> Cow<'static, str> {
        "Tft".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,7})?$",
            "description": "tokens, exact: at most seven digits behind the point",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_exact_text() {
        let text = |units| serde_json::to_string(&Tft(Amount(units))).unwrap();
        assert_eq!(text(0), "\"0\"");
        assert_eq!(text(1), "\"0.0000001\"");
        assert_eq!(text(u64::MAX), "\"1844674407370.9551615\"");
    }
}
