//! The wide-area lab: hosts on this machine, with links of chosen delay, rate, loss and queue between them, the
//! kernel's own TCP at their ends, and the real programs in them.
//!
//! * [`link`]: what a link does with a packet, as a computation; [`emulator`]: links that run;
//!   [`self_test`](self_test()): what they can do on this machine.
//! * [`capture`]: what the links saw, packet by packet; [`pcapng`]: the same for other programs; [`analysis`]: what
//!   captures show of connections.
//! * [`naive`]: a server as one might write it first, to measure beside the real one.
//! * [`outcome`]: what came of a scenario: what was expected, what was measured, and what to make of it.
//! * [`markdown`], [`page`]: the same for people.

pub mod analysis;
pub mod capture;
pub mod emulator;
pub mod link;
#[cfg(test)]
mod made;
pub mod markdown;
pub mod naive;
pub mod outcome;
pub mod page;
pub mod pcapng;
pub mod self_test;
mod words;

pub use self_test::self_test;
