//! `lastmile bench wan naive`, which scenarios start.

use crate::bench::failure;
use crate::failure::Failure;
use crate::quantity::address;
use clap::Args;
use lastmile_bench::wan::naive::{Naive, serve};
use std::net::SocketAddr;

/// Flags of `lastmile bench wan naive`.
#[derive(Args, Clone, Debug)]
pub struct NaiveFlags {
    /// Listen at ADDR
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub listen: SocketAddr,
    /// Ask URL
    #[arg(long, value_name = "URL")]
    pub upstream: String,
    /// Leave Nagle's algorithm on
    #[arg(long)]
    pub nagle: bool,
    /// Write the head and the content of a response one after the other
    #[arg(long)]
    pub two_writes: bool,
    /// Open a connection to the upstream for each request
    #[arg(long)]
    pub close: bool,
}

/// Serves until the process ends.
///
/// # Errors
/// An address that cannot be listened on, or an upstream that is no address.
pub(super) fn run(flags: &NaiveFlags) -> Result<(), Failure> {
    let upstream = flags.upstream.strip_prefix("http://").and_then(|text| text.parse().ok());
    let upstream = upstream.ok_or_else(|| {
        let given = &flags.upstream;
        Failure::Misused(format!("bench: --upstream {given}: allowed: http://ADDRESS:PORT"))
    })?;
    let naive =
        Naive { upstream, nagle: flags.nagle, two_writes: flags.two_writes, close: flags.close };
    serve(flags.listen, naive).map_err(|error| failure(&error))
}
