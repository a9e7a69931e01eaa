//! A host: a network namespace without a name, with an address.

use super::error::WanError;
use super::scenario::HostSettings;
use super::topology::address;
use lastmile_tuning::netns::Namespace;
use lastmile_tuning::{link, sysctl};
use std::io;
use std::net::Ipv4Addr;

/// What holds in the kernel of every host, unless its settings say otherwise: the defaults of Linux, so that how this
/// machine is tuned makes no difference. Others of TCP are so in every new namespace; congestion control is this
/// machine's, and cannot be set in a namespace but by routes and sockets.
const PARAMETERS: &[(&str, &str)] = &[
    // What a connection has learnt is nothing to the next one.
    ("net.ipv4.tcp_no_metrics_save", "1"),
    ("net.ipv4.tcp_rmem", "4096 131072 6291456"),
    ("net.ipv4.tcp_wmem", "4096 16384 4194304"),
    // A connection whose program was killed, and whose other end has gone with the lab, holds its namespace until it
    // gives up: 3 timeouts are some seconds at the round trips of a lab, the kernel's 8 are up to two minutes.
    ("net.ipv4.tcp_orphan_retries", "3"),
    // Hosts pass on what is not for them, by whichever link it came.
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    // On links there is only what was sent: no looking for neighbours and routers.
    ("net.ipv6.conf.default.disable_ipv6", "1"),
];

/// A host of a lab.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its only address.
    pub address: Ipv4Addr,
    /// Its network. What runs in it with [`Namespace::run`] is on the host.
    pub namespace: Namespace,
}

impl Host {
    /// Makes the one at `place` among all. It has no links yet.
    ///
    /// # Errors
    /// Without root's rights; a parameter that this kernel has not, or a value that it refuses.
    pub(super) fn make(settings: &HostSettings, place: usize) -> Result<Self, WanError> {
        let namespace = Namespace::new().map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => WanError::Missing(
                "a lab takes root's rights (CAP_SYS_ADMIN), for network namespaces; try sudo"
                    .to_owned(),
            ),
            _ => WanError::Io("a network namespace".to_owned(), error),
        })?;
        let address = address(place);
        let failed = WanError::io(format!("host {}", settings.name));
        namespace
            .run(|| {
                for (name, value) in PARAMETERS {
                    match sysctl::write(name, value) {
                        // A kernel without IPv6, say.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        other => named(name, value, other)?,
                    }
                }
                for (name, value) in &settings.sysctl {
                    named(name, value, sysctl::write(name, value))?;
                }
                link::add_address("lo", address.into(), 32)
            })
            .map_err(failed)?;
        Ok(Self { name: settings.name.clone(), address, namespace })
    }
}

fn named(name: &str, value: &str, result: io::Result<()>) -> io::Result<()> {
    result.map_err(|error| {
        io::Error::new(error.kind(), format!("kernel parameter {name} = {value:?}: {error}"))
    })
}
