//! `lastmile bench wan flood`, which scenarios start.

use crate::bench::failure;
use crate::failure::Failure;
use clap::Args;
use lastmile_bench::wan::flood::flood;
use std::net::SocketAddrV4;

/// Flags of `lastmile bench wan flood`.
#[derive(Args, Clone, Copy, Debug)]
pub struct FloodFlags {
    /// Flood ADDR, a host of a lab
    #[arg(long, value_name = "ADDR")]
    pub to: SocketAddrV4,
    /// SYNs per second
    #[arg(long, value_name = "N", default_value = "10000")]
    pub per_second: u32,
}

/// Floods until the process ends.
///
/// # Errors
/// An address that is none of a lab; no permission.
pub(super) fn run(flags: FloodFlags) -> Result<(), Failure> {
    flood(flags.to, flags.per_second).map_err(|error| failure(&error))
}
