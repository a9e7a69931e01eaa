//! The wide-area lab: hosts on this machine, with links of chosen delay, rate, loss and queue between them, the kernel's
//! own TCP at their ends, and the real programs in them.
//!
//! * [`capture`]: what the links saw, packet by packet.
//! * [`analysis`]: what captures show of connections.
//! * [`naive`]: a server as one might write it first, to measure beside the real one.
//! * [`outcome`]: what came of a scenario: what was expected, what was measured, and what to make of it.
//! * [`markdown`], [`page`]: the same for people.

pub mod analysis;
pub mod capture;
#[cfg(test)]
mod made;
pub mod markdown;
pub mod naive;
pub mod outcome;
pub mod page;
mod words;
