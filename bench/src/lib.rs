//! Measurements: lastmile beside its peers on one machine.
//!
//! `lastmile bench compare` is [`run`]. In the order in which a comparison meets them:
//!
//! * [`case`]: what is asked of each peer; [`goal`]: what lastmile must reach; [`metric`]: the figures of both.
//! * [`peer`]: who takes part, and how each is started; [`origin`]: what is behind them; [`process`]: programs that end
//!   with us, whatever becomes of us.
//! * [`compare`]: the rounds, and which of them count. `scene`: what happens in one. In it: [`probe`], a request to see
//!   that the cache is warm and right; [`load`], requests as many or as often as is asked (`lastmile bench load`;
//!   `ring`: io_uring as it needs it); [`wrk`], the same by others; [`watch`] and [`cpu`], what the server used, and
//!   whether others disturbed it; [`memory`], what it holds.
//! * [`statistics`], [`fingerprint`], [`report`]: what it all comes to, as text, JSON and a page
//!   ([`page`], [`plot`]: what pages share).
//! * [`dns`]: `lastmile bench dns`, the same for name servers.
//! * [`floor`]: `lastmile bench floor`, a server that parses nothing.
//! * [`trace`]: `lastmile bench trace`, policies of a tier on synthetic traces (`zipf`: who is asked for next).
//! * [`wan`]: `lastmile bench wan`, a small internet on this machine.
//! * [`error`]: why there is no report.
//!
//! Its HTTP and its figures share no code with the edge, which is among the measured.

pub mod case;
pub mod compare;
pub mod cpu;
pub mod dns;
pub mod error;
pub mod fingerprint;
pub mod floor;
pub mod goal;
pub mod load;
pub mod memory;
pub mod metric;
pub mod origin;
pub mod page;
pub mod peer;
pub mod plot;
pub mod probe;
pub mod process;
pub mod report;
mod ring;
mod scene;
pub mod statistics;
pub mod trace;
pub mod wan;
pub mod watch;
pub mod wrk;
mod zipf;

pub use case::{CASES, Case};
pub use compare::{Config, ROUNDS_MAX, SECONDS_MAX, run};
pub use dns::{DNS_CASES, DnsCase, DnsConfig, PREFIXES_MAX};
pub use error::BenchError;
pub use peer::{NAME_SERVERS, PEERS, Peer};
pub use report::Report;
pub use scene::Loader;
