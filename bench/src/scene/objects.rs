//! Memory before and after a cache has stored many small objects.

use super::{Played, Stage, fetch_all, float};
use crate::error::BenchError;
use crate::memory;
use crate::metric::Metric;
use crate::peer::{Peer, Server};
use crate::probe;

/// How many of the objects are asked for again, to see that they are still there.
const LOOKS: u32 = 200;

/// How many of those may be gone: a cache evicts by its own lights, but must have room for all.
const GONE_MAX: u64 = 2;

pub(super) fn play(
    stage: &Stage<'_>,
    objects: u32,
    peer: Peer,
    server: &Server,
) -> Result<Played, BenchError> {
    let octets = || {
        memory::of_group(server.group(), server.directory())
            .map_err(|error| BenchError::Io("memory of a peer", error))
    };
    let target = |object: u32| format!("/bytes/1000/{object}?max-age=3600");
    // What is made once, is made: connections of the fill, and those to the origin.
    fetch_all(stage, peer, server, vec![target(objects); 1_000])?;
    let before = octets()?;
    fetch_all(stage, peer, server, (0..objects).map(target).collect())?;
    let after = octets()?;
    let fetched = stage.origin.requests()?;
    for object in (0..LOOKS).map(|look| look * (objects / LOOKS)) {
        probe::get(server.address, &target(object))
            .map_err(|error| BenchError::Peer { peer: peer.name(), what: error.to_string() })?;
    }
    let gone = stage.origin.requests()? - fetched;
    Ok(Played {
        requests: objects.into(),
        figures: [
            (Metric::ObjectOctets, (float(after) - float(before)) / f64::from(objects)),
            (Metric::BeforeMb, float(before) / 1e6),
            (Metric::AfterMb, float(after) / 1e6),
        ]
        .into(),
        errors: (gone > GONE_MAX).then(|| format!("{gone} of {LOOKS} objects were gone")),
        used: None,
    })
}
