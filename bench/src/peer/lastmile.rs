//! lastmile's own roles as processes: the edge that is measured, and the origin behind every peer.

use super::{Ground, START_MAX, Server};
use crate::error::BenchError;
use crate::probe::Response;
use crate::process::{self, Program};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::sync_channel;

/// The edge's name in Cache-Status.
const NAME: &str = "bench";

/// How long a role may take to end: nothing that it drains matters here.
pub(crate) const DRAIN: &str = "100ms";

/// What stands before the address in the line that a role prints once it listens.
const LISTENS: &str = " listens on ";

/// Starts the synthetic origin on the cores of this thread.
///
/// # Errors
/// [`BenchError::Peer`] with the last that it said.
pub fn start_origin(executable: &Path) -> Result<Server, BenchError> {
    let arguments = ["origin", "--listen", "127.0.0.1:0", "--synthetic", "--drain", DRAIN];
    start_role(executable, "origin", &arguments).map(|(server, _)| server)
}

pub(super) fn start_edge(
    ground: &Ground,
    executable: &Path,
    name: &'static str,
) -> Result<Server, BenchError> {
    let upstream = format!("http://{}", ground.origin);
    let core = ground.core.to_string();
    let arguments = ["edge", "--listen", "127.0.0.1:0", "--name", NAME, "--upstream", &upstream];
    let more = ["--cores", &core, "--drain", DRAIN];
    start_role(executable, name, &[&arguments[..], &more].concat()).map(|(server, _)| server)
}

/// RFC 9211 §2.1: a hit is a member of Cache-Status with the parameter `hit`, here that of the edge.
pub(super) fn is_hit(response: &Response) -> bool {
    response.values("cache-status").flat_map(|value| value.split(',')).any(|member| {
        let mut parts = member.split(';').map(str::trim);
        parts.next() == Some(NAME) && parts.any(|parameter| parameter == "hit")
    })
}

/// Starts a role, which prints where it listens once it does; returns that line too.
///
/// # Errors
/// [`BenchError::Peer`] with the last that it said.
pub(crate) fn start_role(
    executable: &Path,
    name: &'static str,
    arguments: &[&str],
) -> Result<(Server, String), BenchError> {
    let mut command = process::command(executable);
    command.args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |what: String| BenchError::Peer { peer: name, what };
    let mut program = Program::start(&mut command).map_err(|error| failed(error.to_string()))?;
    let (stdout, stderr) = (program.child().stdout.take(), program.child().stderr.take());
    let (line_read, line) = sync_channel(1);
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.map(|pipe| BufReader::new(pipe).read_line(&mut text));
        let _ = line_read.send(text);
    });
    let text = line.recv_timeout(START_MAX).unwrap_or_default();
    let mut stderr = stderr;
    match address_in(&text) {
        Some(address) => {
            // Whatever it says from now on is read, so that it never waits for a full pipe.
            std::thread::spawn(move || {
                stderr.map(|mut pipe| std::io::copy(&mut pipe, &mut std::io::sink()))
            });
            Ok((Server { address, program, _directory: None }, text))
        }
        None => {
            drop(program);
            let mut said = String::new();
            let _ = stderr.as_mut().map(|pipe| pipe.read_to_string(&mut said));
            let last = said.lines().last().unwrap_or("said nothing and did not listen");
            Err(failed(format!("did not start: {last}")))
        }
    }
}

/// The address in `edge listens on 127.0.0.1:4711`, with more after a comma or not.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(LISTENS)?;
    rest.split(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_what_a_role_prints() {
        for (line, port, why) in [
            ("edge listens on 127.0.0.1:4711\n", Some(4711), "the usual"),
            ("origin listens on 127.0.0.1:80, admin on 127.0.0.1:81\n", Some(80), "more after it"),
            ("", None, "ended without a word"),
            ("edge listens on everything\n", None, "no address"),
        ] {
            assert_eq!(address_in(line).map(|address| address.port()), port, "{line}: {why}");
        }
    }

    #[test]
    fn an_executable_that_does_not_listen_is_told() {
        for (executable, why) in [("/no/such/lastmile", "not there"), ("/bin/true", "ends at once")]
        {
            let error = start_origin(Path::new(executable)).unwrap_err();
            assert!(matches!(error, BenchError::Peer { peer: "origin", .. }), "{why}: {error}");
        }
    }
}
