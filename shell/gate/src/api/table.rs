//! All routes.

use super::query::{Parameter, What, Where};
use super::{Route, answers, farming, stream};
use crate::dto;
use crate::limits::{BLOCKS_PAGE_MAX, PAGE_MAX};

const HEX: What = What::Pattern("^[0-9a-f]{64}$");

const fn query(name: &'static str, what: What, about: &'static str) -> Parameter {
    Parameter { name, place: Where::Query, what, about }
}

const fn part(name: &'static str, what: What, about: &'static str) -> Parameter {
    Parameter { name, place: Where::Path, what, about }
}

const LIMIT: Parameter = query("limit", What::Number(1, PAGE_MAX as u64), "Rows wanted.");
const AFTER: Parameter =
    query("after", What::Number(0, u64::MAX), "The next_after of the page before.");
const BLOCKS_LIMIT: Parameter =
    query("limit", What::Number(1, BLOCKS_PAGE_MAX as u64), "Blocks wanted.");
const BEFORE: Parameter =
    query("after", What::Number(0, u64::MAX), "The next_after of the page before: newest first.");
const NODE_STATE: Parameter = query(
    "state",
    What::OneOf(&["active", "draining", "retired"]),
    "Whether the node takes new contracts.",
);
const CONTRACT_STATE: Parameter =
    query("state", What::OneOf(&["open", "closed"]), "Whether it still holds anything.");
const RESUME: &[Parameter] = &[
    Parameter {
        name: "last-event-id",
        place: Where::Header,
        what: What::Pattern("^[0-9]+-[0-9]+$"),
        about: "The last event that was received; browsers send it by themselves.",
    },
    query("after", What::Pattern("^[0-9]+-[0-9]+$"), "The same, for others."),
];

/// Every route there is, in the order of the document.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::json(
            "/api/v1/openapi.json",
            "openapi",
            "This document, made from the code that answers",
            &[],
            |_, _| async { Ok(super::document()) },
        ),
        Route::json(
            "/api/v1/grid",
            "grid",
            "The grid, its sums, and how old the gateway's copy is",
            &[],
            answers::grid,
        ),
        Route::json(
            "/api/v1/statistics",
            "statistics",
            "Cores, bytes, countries, farmers, and how few own how much",
            &[],
            answers::statistics,
        ),
        Route::json(
            "/api/v1/nodes",
            "nodes",
            "Nodes in the order in which they joined",
            const {
                &[
                    LIMIT,
                    AFTER,
                    query("farm", What::Number(1, u32::MAX as u64), "Number of its farm."),
                    query("country", What::Pattern("^[A-Z]{2}$"), "Two letters."),
                    NODE_STATE,
                ]
            },
            answers::nodes,
        ),
        Route::json(
            "/api/v1/nodes/{id}",
            "node",
            "A node",
            const { &[part("id", HEX, "Its key.")] },
            answers::node,
        ),
        Route::json(
            "/api/v1/nodes/{id}/witnesses",
            "witnesses",
            "Who witnesses a node in the epoch that runs, and whom it witnesses",
            const { &[part("id", HEX, "Its key.")] },
            answers::witnesses,
        ),
        Route::json(
            "/api/v1/nodes/{id}/reports",
            "reports",
            "What witnesses reported of a node and is not folded into its record yet",
            const { &[part("id", HEX, "Its key.")] },
            answers::reports,
        ),
        Route::json(
            "/api/v1/nodes/{id}/power",
            "power",
            "Whether a node sleeps, and until when",
            const { &[part("id", HEX, "Its key.")] },
            farming::power,
        ),
        Route::json(
            "/api/v1/farms",
            "farms",
            "Farms in the order in which they were made, with the sums over their nodes",
            const { &[LIMIT, AFTER, query("owner", HEX, "Account that owns it.")] },
            answers::farms,
        ),
        Route::json(
            "/api/v1/farms/{id}",
            "farm",
            "A farm",
            const { &[part("id", What::Number(1, u32::MAX as u64), "Its number.")] },
            answers::farm,
        ),
        Route::json(
            "/api/v1/farms/{id}/certificate",
            "certificate",
            "What certifiers attested of a farm, and what that grants in the epoch that runs",
            const { &[part("id", What::Number(1, u32::MAX as u64), "Its number.")] },
            farming::certificate,
        ),
        Route::json(
            "/api/v1/receipts",
            "receipts",
            "Receipts of minting of a node or of a farm, newest period first, each computed again",
            const {
                &[
                    LIMIT,
                    AFTER,
                    query("node", HEX, "Key of the node."),
                    query("farm", What::Number(1, u32::MAX as u64), "Number of the farm."),
                ]
            },
            farming::receipts,
        ),
        Route::json(
            "/api/v1/price",
            "price",
            "What a token is worth: fixed, or by the median of feeds",
            &[],
            farming::price,
        ),
        Route::json(
            "/api/v1/contracts",
            "contracts",
            "Contracts in the order in which they were made",
            const {
                &[
                    LIMIT,
                    AFTER,
                    query("owner", HEX, "Account that pays."),
                    query("node", HEX, "Node it has to do with; finds open contracts only."),
                    CONTRACT_STATE,
                ]
            },
            answers::contracts,
        ),
        Route::json(
            "/api/v1/contracts/{id}",
            "contract",
            "A contract",
            const { &[part("id", What::Number(1, u64::MAX), "Its number.")] },
            answers::contract,
        ),
        Route::json(
            "/api/v1/contracts/{id}/bill",
            "bill",
            "The bill of a contract line by line, each computed again",
            const { &[part("id", What::Number(1, u64::MAX), "The contract's number."), LIMIT, AFTER] },
            answers::bill,
        ),
        Route::json(
            "/api/v1/accounts/{id}",
            "account",
            "An account; one that was never touched is empty",
            const { &[part("id", HEX, "The first key that owned it.")] },
            answers::account,
        ),
        Route::json(
            "/api/v1/twins",
            "twins",
            "The phonebook, in the order in which handles were taken first",
            const { &[LIMIT, AFTER] },
            answers::twins,
        ),
        Route::json(
            "/api/v1/twins/{handle}",
            "twin",
            "An entry of the phonebook",
            const { &[part("handle", What::Pattern("^[a-z0-9-]{3,32}$"), "Its name.")] },
            answers::twin,
        ),
        Route::json(
            "/api/v1/blocks",
            "blocks",
            "Final blocks, newest first, as far back as validators keep them",
            const { &[BLOCKS_LIMIT, BEFORE] },
            answers::blocks,
        ),
        Route::json(
            "/api/v1/blocks/{height}",
            "block",
            "A final block with its transactions",
            const { &[part("height", What::Number(1, u64::MAX), "Its height."), LIMIT, AFTER] },
            answers::block,
        ),
        Route::json(
            "/api/v1/transactions/{id}",
            "transaction",
            "A transaction that was committed lately",
            const { &[part("id", HEX, "Its id.")] },
            answers::transaction,
        ),
        Route::json(
            "/api/v1/validators",
            "validators",
            "Who makes blocks in the term that runs",
            &[],
            answers::validators,
        ),
        Route::json(
            "/api/v1/candidates",
            "candidates",
            "Who makes blocks or would like to, in no lasting order",
            const { &[LIMIT, AFTER] },
            answers::candidates,
        ),
        Route::json(
            "/api/v1/proposals",
            "proposals",
            "What is or was voted on, in order",
            const { &[LIMIT, AFTER] },
            answers::proposals,
        ),
        Route::json(
            "/api/v1/proposals/{id}",
            "proposal",
            "A proposal",
            const { &[part("id", What::Number(0, u64::MAX), "Its number, from 0.")] },
            answers::proposal,
        ),
        Route::json(
            "/api/v1/terms/current",
            "term",
            "The term that runs, and who sits in the next one",
            &[],
            answers::term,
        ),
        Route::json(
            "/api/v1/epochs/current",
            "epoch",
            "The capacity epoch that runs",
            &[],
            answers::epoch,
        ),
        Route::events::<dto::Event>(
            "/api/v1/events",
            "events",
            "What happens, as server-sent events: each names the objects to read again. After an \
             event: gap (data: a Gap) read all that you show again",
            RESUME,
            stream::events,
        ),
    ]
}
