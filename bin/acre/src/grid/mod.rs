//! A whole grid on one machine: validator, nodes and gateway as processes of their own.
//!
//! ```text
//! HOME/grid/lock          held by the supervisor while the grid runs
//! HOME/grid/control.sock  the supervisor listens here (see `control`)
//! HOME/grid/genesis       the grid's genesis
//! HOME/grid/peers.json    where its validators answer now
//! HOME/grid/seed          the operators' keys grow from it, mode 0600
//! HOME/grid/log           the supervisor's log when it was detached
//! HOME/grid/validators/0  HOME/grid/nodes/00…  HOME/grid/gateway     one directory a process
//! ```

pub(crate) mod bootstrap;
pub(crate) mod control;
pub(crate) mod plan;
mod port;
pub(crate) mod process;
pub(crate) mod supervisor;
pub(crate) mod up;
