//! The edge cache: the path of a request, top to bottom.
//!
//! | step | file | what happens |
//! | --- | --- | --- |
//! | 1 | `listener` | a connection is accepted, on one of the pinned workers |
//! | 2 | `connection`, `spare` | requests are taken off it, pipelined ones together; buffers are lent meanwhile |
//! | 3 | `request`, [`site`] | a head is understood or refused; what its site says |
//! | 4 | `exchange` | the function that owns every branch |
//! | | `decision`, [`log`] | why: for Cache-Status, the counters, the log |
//! | 5 | `key`, `lookup` | what the store has, and whether it may be used |
//! | 6 | [`ram`] | the RAM tier |
//! | | [`ssd`], `restore` | the SSD tier behind it |
//! | 7 | `collapse`, `fill` | simultaneous misses become one fetch that all read from |
//! | 8 | `candidates`, `upstream` | what to ask: addresses, kept connections, the request upstream |
//! | | `background` | the same without a client, for what is served stale meanwhile |
//! | 9 | `store`, `intake`, `stored`, `parts` | what comes back is taken in, kept, put together |
//! | | `content`, [`piece`], `extent`, [`arena`] | where it lies: on the heap, or where sockets take it by reference |
//! | 10 | `answer`, `respond`, `stream`, `relay`, `pass` | octets for the client |
//! | | `last_hop`, `tunnel` | requests that end here, and those that leave HTTP |
//!
//! The world comes in through [`io`], so that the same code runs on the kernel and in the simulation.

mod answer;
pub mod arena;
mod background;
mod candidates;
mod client;
mod collapse;
pub mod config;
pub mod connection;
mod content;
pub mod counters;
mod decision;
pub mod error;
mod exchange;
mod extent;
mod fill;
mod inbound;
mod intake;
pub mod io;
mod key;
mod last_hop;
mod listener;
pub mod log;
mod lookup;
mod parts;
mod pass;
pub mod piece;
pub mod ram;
mod relay;
mod request;
mod respond;
mod restore;
pub mod site;
mod spare;
pub mod ssd;
mod start;
mod store;
mod stored;
mod stream;
mod tunnel;
mod upstream;
pub mod worker;

pub use config::{Config, Listen, Upstream};
pub use io::choice::IoChoice;
pub use lastmile_http as http;
pub use start::{Edge, StartError, StartErrorKind, start};
