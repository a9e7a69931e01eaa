//! What this machine can do at most: a server that parses nothing and answers everything with the same octets
//! (`lastmile bench floor --serve`).

use super::lastmile::start_role;
use super::{Ground, Server};
use crate::error::BenchError;

/// Starts it; `io` is `monoio` or `uring`, `octets` those of the content.
pub(super) fn start(
    ground: &Ground,
    name: &'static str,
    io: &str,
    octets: usize,
) -> Result<Server, BenchError> {
    let (core, octets) = (ground.core.to_string(), octets.to_string());
    let arguments = ["bench", "floor", "--serve", "--listen", "127.0.0.1:0", "--io", io];
    let more = ["--octets", &octets, "--core", &core];
    start_role(&ground.lastmile, name, &[&arguments[..], &more].concat()).map(|(server, _)| server)
}
