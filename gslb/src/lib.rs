//! The GSLB: an authoritative DNS server that steers clients to edges.
//!
//! In the order in which a query meets them:
//!
//! | file | job |
//! | --- | --- |
//! | `config.rs`, `error.rs` | what may be asked of it, and what it says when that is wrong |
//! | `server.rs` | start: load, bind, a worker per core; stop |

mod config;
mod error;
mod server;

pub use config::{Config, Summary, ZoneSource};
pub use error::{ConfigError, ErrorKind, StartError};
pub use server::{Gslb, check, start};
