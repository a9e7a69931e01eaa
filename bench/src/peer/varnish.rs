//! Varnish (`bench/peers/varnish.vcl`).

use super::installed::Installed;
use super::place::Place;
use std::io;

pub(super) const VARNISH: Installed = Installed {
    program: "varnishd",
    package: "varnish",
    version: "-V",
    as_root: &[],
    run,
    check: |place| ["-C", "-f", &vcl(place)].map(str::to_owned).to_vec(),
};

/// What would be written into the log in shared memory about each request: its access log, which is off for all peers.
const UNLOGGED: &[&str] = &[
    "Begin",
    "End",
    "Link",
    "SessOpen",
    "SessClose",
    "ReqStart",
    "ReqMethod",
    "ReqURL",
    "ReqProtocol",
    "ReqHeader",
    "ReqUnset",
    "ReqAcct",
    "RespProtocol",
    "RespStatus",
    "RespReason",
    "RespHeader",
    "RespUnset",
    "BereqMethod",
    "BereqURL",
    "BereqProtocol",
    "BereqHeader",
    "BereqUnset",
    "BereqAcct",
    "BerespProtocol",
    "BerespStatus",
    "BerespReason",
    "BerespHeader",
    "BerespUnset",
    "Timestamp",
    "VCL_call",
    "VCL_return",
    "VCL_use",
    "Hit",
    "HitMiss",
    "HitPass",
    "TTL",
    "Storage",
    "Length",
    "Fetch_Body",
    "BackendOpen",
    "BackendClose",
];

/// Parameters of varnishd, `name=value`.
fn parameters() -> [String; 7] {
    [
        // One pool on one core: a second one would only divide the connections.
        "thread_pools=1".to_owned(),
        // A thread works on a request, not on a connection: ready for all that come at once, so that none is started
        // in a round.
        "thread_pool_min=300".to_owned(),
        "thread_pool_max=2000".to_owned(),
        // Requests wait for a thread rather than being refused.
        "thread_queue_limit=20000".to_owned(),
        // A connection lives as long as the load wants it.
        "timeout_idle=300".to_owned(),
        // The bound on what is sent before a client is given up is for real networks.
        "idle_send_timeout=60".to_owned(),
        format!("vsl_mask=-{}", UNLOGGED.join(",-")),
    ]
}

fn run(place: &Place) -> io::Result<Vec<String>> {
    place.write("bench.vcl", include_str!("../../peers/varnish.vcl"), &[])?;
    let (work, listen) = (place.directory.join("work"), place.listen.to_string());
    let work = work.display().to_string();
    // In the foreground; no other users, who may not enter our directory; contents in the heap.
    let fixed =
        ["-F", "-j", "none", "-n", &work, "-a", &listen, "-s", "malloc,6G", "-f", &vcl(place)];
    let mut arguments: Vec<_> = fixed.map(str::to_owned).to_vec();
    for parameter in parameters() {
        arguments.extend(["-p".to_owned(), parameter]);
    }
    Ok(arguments)
}

fn vcl(place: &Place) -> String {
    place.directory.join("bench.vcl").display().to_string()
}
