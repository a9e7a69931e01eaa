//! The wide-area lab: hosts on this machine, with links of chosen delay, rate, loss and queue between them, the
//! kernel's own TCP at their ends, and the real programs in them.
//!
//! * [`scenario`]: files that say what is built, what is measured, and what is expected of it; [`scenarios`]: those
//!   that ship with lastmile. docs/lab.md tells of all keys.
//! * [`topology`]: hosts, links and ways; [`lab`]: these, up, with programs. In it: [`host`], [`program`], and
//!   `keeper`, which leaves nothing behind.
//! * [`link`]: what a link does with a packet, as a computation; [`emulator`]: links that run;
//!   [`self_test`](self_test()): what they can do on this machine.
//! * [`naive`]: a server as one might write it first, to measure beside the real one; [`flood`]: SYNs without end.
//! * [`run`](run()): a scenario, case by case. [`measure`]: what a client sees; [`capture`]: what the links saw, packet
//!   by packet ([`pcapng`]: for other programs); [`analysis`]: what captures show of connections.
//! * [`outcome`]: what came of a scenario: what was expected, what was measured, and what to make of it; [`machine`]:
//!   on what. [`markdown`], [`page`]: the same for people. [`error`]: why there is none.

pub mod analysis;
pub mod capture;
pub mod emulator;
pub mod error;
pub mod flood;
pub mod host;
mod keeper;
pub mod lab;
pub mod link;
pub mod machine;
#[cfg(test)]
mod made;
pub mod markdown;
pub mod measure;
pub mod naive;
pub mod outcome;
pub mod page;
pub mod pcapng;
pub mod program;
pub mod run;
pub mod scenario;
pub mod scenarios;
pub mod self_test;
pub mod topology;
mod words;

pub use error::WanError;
pub use lab::Lab;
pub use run::run;
pub use scenario::Scenario;
pub use self_test::self_test;
pub use topology::Topology;
