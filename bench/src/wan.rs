//! The wide-area lab: hosts on this machine, with links of chosen delay, rate, loss and queue between them, the kernel's
//! own TCP at their ends, and the real programs in them.
//!
//!X//! * [`pcapng`]: the same for other programs. [`self_test`](self_test()): what the emulator can do on this machine.
//! * [`outcome`]: what came of a scenario: what was expected, what was measured, and what to make of it.

pub mod capture;
pub mod emulator;
pub mod link;
pub mod outcome;
pub mod pcapng;
pub mod self_test;

pub use self_test::self_test;
