//! The GSLB: an authoritative DNS server that steers clients to edges.
//!
//! In the order in which a query meets them:
//!
//! | file | job |
//! | --- | --- |
//! | `config.rs`, `error.rs` | what may be asked of it, and what it says when that is wrong |
//! | `load/` | files become tables, or an error that names the line |
//! | `server.rs`, `worker.rs` | start: load, bind, workers on each core; stop; what each of them has |
//! | `succession.rs` | what tables that were read again take over |
//! | `udp.rs`, `tcp.rs` | packets in, packets out |
//! | `transfer.rs` | a zone for its secondaries |
//! | `snapshot.rs` | what they get for steered names |
//! | `notify.rs` | they are told that it has changed |
//! | `wire/` | a packet becomes a query, an answer becomes octets; the client subnet |
//! | `limit.rs` | how many answers a network gets of one kind |
//! | `answer.rs` | the one function from a query to its answer; `answer/`: on which terms, the answer in the making |
//! | `zone.rs` | what the zones say about a name |
//! | `dnssec/` | which of it is signed, and how it is shown that there is nothing else |
//! | `renew.rs` | signatures are made anew each day |
//! | `table.rs` | what the lab's table says about it |
//! | `map/` | the region of a client |
//! | `rtt.rs` | what has been measured, and goes before the map |
//! | `steer.rs` | the edges for that client |
//! | `fixed.rs` | the edges for everybody, in static mode |
//! | `http/` | the same choice over HTTP: redirects, names for apps, DNS over HTTPS |
//! | `locate.rs` | the edge that holds a URL |
//! | `health.rs` | which of them are up, and how full they say they are |
//! | `balance.rs` | what edges and regions take of their clients by that |
//! | `explain.rs`, `diff.rs` | a choice in words; two maps beside each other |
//! | `counters.rs`, `tally.rs` | what is counted, and why; for each region and edge |
//! | `log.rs` | a line for some of the queries |
//! | `service.rs` | who we say we are, whom we believe, and what changes under load |
//! | `mode.rs`, `pulse.rs` | which modes are on by the rate of queries; the thread that says so, and the time |
//! | `offline.rs` | the answers without the sockets |
//! | `simulate.rs` | how well all of that steers, on a synthetic internet |

mod answer;
mod balance;
mod config;
mod counters;
mod diff;
mod dnssec;
mod error;
mod explain;
mod fixed;
mod health;
mod http;
mod limit;
mod load;
mod locate;
mod log;
mod map;
mod mode;
mod notify;
mod offline;
mod pulse;
mod renew;
mod rtt;
mod server;
mod service;
pub mod simulate;
mod snapshot;
mod steer;
mod succession;
mod table;
mod tally;
mod tcp;
mod transfer;
mod udp;
mod wire;
mod worker;
mod zone;

pub use answer::Transport;
pub use config::{Config, Summary, ZoneSource};
pub use counters::Sample;
pub use diff::{Difference, Move, diff};
pub use dnssec::keygen::{NewKey, keygen};
pub use error::{ConfigError, ErrorKind, StartError};
pub use explain::{Candidate, Explanation, Question, explain_files};
pub use log::QueryLog;
pub use mode::Switch;
pub use offline::Offline;
pub use rtt::RTT_OCTETS_MAX;
pub use server::{Gslb, check, start};
