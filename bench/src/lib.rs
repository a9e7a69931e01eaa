//! Measurements: lastmile beside its peers on one machine.
//!
//! `lastmile bench compare` is [`run`]. In the order in which a comparison meets them:
//!
//! * [`case`]: what is asked of each peer; [`peer`]: who takes part, and how each is started;
//!   [`process`]: programs that end with us, whatever becomes of us.
//! * [`compare`]: the rounds, and which of them count. In each: [`probe`], a request to see that the cache
//!   is warm and right; [`cpu`], what the server used; [`wrk`], the load.
//! * [`statistics`], [`fingerprint`], [`report`]: what it all comes to, as text, JSON and a page
//!   (`page`: what pages share).
//! * [`floor`]: `lastmile bench floor`, a server that parses nothing.
//! * [`load`]: `lastmile bench load`, requests as many or as often as is asked. `ring`: io_uring as it needs it.
//! * [`error`]: why there is no report.
//!
//! Its HTTP and its figures share no code with the edge, which is among the measured.

pub mod case;
pub mod compare;
pub mod cpu;
pub mod error;
pub mod fingerprint;
pub mod floor;
pub mod load;
mod page;
pub mod peer;
pub mod probe;
pub mod process;
pub mod report;
mod ring;
pub mod statistics;
pub mod wrk;

pub use case::{CASES, Case};
pub use compare::{Config, ROUNDS_MAX, SECONDS_MAX, run};
pub use error::BenchError;
pub use peer::{PEERS, Peer};
pub use report::Report;
