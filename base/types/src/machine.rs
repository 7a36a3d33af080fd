//! The shape of every protocol core.

use crate::Tick;

/// A protocol as a state machine without clock, sockets, files or randomness.
///
/// A shell owns it and drives it: feed inputs, feed the time when `deadline` is reached, and drain
/// `output` until `None` after each. The simulator drives the very same code in virtual time.
/// Randomness is a seed given to the constructor.
pub trait Machine {
    /// A message, a disk completion, a call of a client.
    type In;
    /// Something to send, write, sync or reply.
    type Out;

    /// Takes one input.
    fn input(&mut self, now: Tick, input: Self::In);
    /// Tells that a deadline was reached.
    fn wake(&mut self, now: Tick);
    /// When to call [`Machine::wake`] next.
    fn deadline(&self) -> Option<Tick>;
    /// The next thing to do; drain until `None`.
    fn output(&mut self) -> Option<Self::Out>;
}
