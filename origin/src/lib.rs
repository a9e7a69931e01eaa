//! The origin: a small server of real files or of synthetic objects, with a journal.
//!
//! It shares no code with the edge, because the tests use it as the edge's oracle. In the order in which a request
//! meets the files:
//!
//! 1. [`config`](Config) what to serve, where; `server` binds, runs the threads and ends them.
//! 2. `wire` the octets of one connection, and the ways to end it on purpose; `connection` one connection.
//! 3. `exchange` THE function: a request becomes a response; it owns every branch.
//! 4. `directory` a file below the directory, and no way out; `synthetic` objects made of path and offset.
//! 5. `precondition`, `range` RFC 9110 sections 13 and 14, pure.
//!    `representation` applies both to a file or a synthetic object and gives an `answer`.
//! 6. `content` streams the response's content in slices, at a rate, up to a cut.
//! 7. `journal`, `counters` what was asked and how it ended.

mod answer;
mod config;
mod connection;
mod content;
mod counters;
mod directory;
mod error;
mod exchange;
mod journal;
mod precondition;
mod range;
mod representation;
mod server;
mod synthetic;
mod wire;

pub use config::{CONNECTIONS_MAX, Config, HEAD_OCTETS_MAX, Source};
pub use error::{StartError, StartErrorKind};
pub use journal::{ENTRIES_MAX, Ending, Entry, FIELD_OCTETS_MAX, Journal};
pub use server::{Origin, start};
pub use synthetic::{SYNTHETIC_HELP, fill_synthetic, synthetic_octet};
