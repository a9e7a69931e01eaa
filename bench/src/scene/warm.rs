//! Before a round: the cache holds what the case is about, and answers with the origin's octets.

use super::{Stage, fetch_all};
use crate::case::{Outcome, Requests, Targets};
use crate::error::BenchError;
use crate::load;
use crate::peer::{Kind, Peer, Server};
use crate::probe;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How often an object is asked for until the cache is warm: fetched, stored, answered.
const REQUESTS_MAX: usize = 100;

/// Between two of these requests: some store a little later than they answer, or when their store is ready.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// How often a set is asked for until all of it is stored.
const PASSES_MAX: usize = 5;

/// Which of many objects are looked at: one of so many.
const LOOK_AT_EVERY: usize = 97;

/// Which peers hold which objects. That they still do is seen after each round, by the origin's count.
#[derive(Debug, Default)]
pub(crate) struct Warm {
    held: BTreeSet<(Peer, String)>,
    /// Numbers for targets that nobody has asked for before.
    unique: u32,
}

impl Warm {
    /// Sees to it that `server` does with `requests` what they are for.
    ///
    /// # Errors
    /// [`BenchError::Peer`] when it does something else, or answers with other octets than the origin.
    pub(super) fn up(
        &mut self,
        stage: &Stage<'_>,
        requests: &Requests,
        peer: Peer,
        server: &Server,
    ) -> Result<(), BenchError> {
        let key = (peer, format!("{:?}", requests.targets));
        match (requests.outcome, requests.targets) {
            (Outcome::Miss, Targets::Unique(target)) => {
                self.unique += 1;
                let name = format!("look-{}-{}", std::process::id(), self.unique);
                return miss(stage, &target.replace("{n}", &name), peer, server);
            }
            (Outcome::Miss, Targets::One(target)) => return miss(stage, target, peer, server),
            _ if self.held.contains(&key) => return Ok(()),
            (Outcome::Hit, Targets::One(target)) if peer.kind() == Kind::Floor => {
                answers(peer, server, target)?;
            }
            (Outcome::Hit, Targets::One(target)) => one(stage, target, peer, server)?,
            (_, Targets::Some { .. }) => set(stage, requests, peer, server)?,
            (Outcome::Hit, Targets::Unique(_)) => {
                return Err(wrong(
                    peer,
                    "nobody has asked for it, so it can't be a hit".to_owned(),
                ));
            }
        }
        self.held.insert(key);
        Ok(())
    }

    /// What `peer` holds is not to be relied on any more.
    pub(crate) fn forget(&mut self, peer: Peer) {
        self.held.retain(|(of, _)| *of != peer);
    }
}

fn wrong(peer: Peer, what: String) -> BenchError {
    BenchError::Peer { peer: peer.name(), what }
}

/// The content that `server` answers with.
fn content(peer: Peer, server: &Server, target: &str) -> Result<Vec<u8>, BenchError> {
    let response = probe::get(server.address, target)
        .map_err(|error| wrong(peer, format!("{error} for {target}")))?;
    match response.status {
        200 => Ok(response.content),
        status => Err(wrong(peer, format!("status {status} for {target}"))),
    }
}

fn answers(peer: Peer, server: &Server, target: &str) -> Result<(), BenchError> {
    content(peer, server, target).map(|_| ())
}

/// Asks for one object until it comes without the origin being asked.
fn one(stage: &Stage<'_>, target: &str, peer: Peer, server: &Server) -> Result<(), BenchError> {
    let expected = stage.origin.content(target)?;
    if let Some(files) = server.files()
        && let Kind::Files { .. } = peer.kind()
    {
        write(files, target, &expected)?;
    }
    for _ in 0..REQUESTS_MAX {
        stage.go_on()?;
        let before = stage.origin.requests()?;
        if content(peer, server, target)? != expected {
            return Err(wrong(peer, format!("other octets than the origin's for {target}")));
        }
        if stage.origin.requests()? == before {
            return Ok(());
        }
        std::thread::sleep(ASK_EVERY);
    }
    Err(wrong(peer, format!("no hit for {target} in {REQUESTS_MAX} requests")))
}

/// Asks for what must be fetched.
fn miss(stage: &Stage<'_>, target: &str, peer: Peer, server: &Server) -> Result<(), BenchError> {
    let expected = stage.origin.content(target)?;
    let before = stage.origin.requests()?;
    if content(peer, server, target)? != expected {
        return Err(wrong(peer, format!("other octets than the origin's for {target}")));
    }
    match stage.origin.requests()? - before {
        1 => Ok(()),
        0 => Err(wrong(peer, format!("a hit for {target}"))),
        n => Err(wrong(peer, format!("{n} requests at the origin for {target}"))),
    }
}

/// Asks for each of a set of objects, then looks at some of them.
fn set(
    stage: &Stage<'_>,
    requests: &Requests,
    peer: Peer,
    server: &Server,
) -> Result<(), BenchError> {
    let all = load::Targets::from(requests.targets).all();
    if let Kind::Files { .. } = peer.kind() {
        let files = server.files().ok_or_else(|| wrong(peer, "no directory".to_owned()))?;
        for target in &all {
            stage.go_on()?;
            write(files, target, &stage.origin.content(target)?)?;
        }
    } else {
        for _ in 1..PASSES_MAX {
            if all_kept(stage, &all, peer, server)? {
                return Ok(());
            }
            fetch_all(stage, peer, server, all.clone())?;
        }
    }
    match all_kept(stage, &all, peer, server)? {
        true => Ok(()),
        false => Err(wrong(peer, format!("not all of {} objects are kept", all.len()))),
    }
}

/// Whether those of `all` that are looked at come from the cache, with the origin's octets.
fn all_kept(
    stage: &Stage<'_>,
    all: &[String],
    peer: Peer,
    server: &Server,
) -> Result<bool, BenchError> {
    let mut fetched = 0;
    for target in all.iter().step_by(LOOK_AT_EVERY) {
        stage.go_on()?;
        let expected = stage.origin.content(target)?;
        let before = stage.origin.requests()?;
        if content(peer, server, target)? != expected {
            return Err(wrong(peer, format!("other octets than the origin's for {target}")));
        }
        fetched += stage.origin.requests()? - before;
    }
    Ok(fetched == 0)
}

/// Writes the file that a server of files has for `target`.
fn write(files: &Path, target: &str, content: &[u8]) -> Result<(), BenchError> {
    let io = |error| BenchError::Io("a file of a peer", error);
    let path = target.split('?').next().unwrap_or(target);
    let path = files.join(path.trim_start_matches('/'));
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == content.len() as u64) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(io)?;
    fs::write(&path, content).map_err(io)
}
