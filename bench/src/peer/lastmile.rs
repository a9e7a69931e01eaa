//! lastmile's own roles as processes: the edge that is measured; the origin and floors are started here too.

use super::installed::START_MAX;
use super::{Ground, Server};
use crate::error::BenchError;
use crate::process::{self, Program};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::sync_channel;

/// The edge's name in Via and Cache-Status.
const NAME: &str = "bench";

/// Room for all that the cases ask to be cached: working sets, a million objects, a film of 100 MB (of which the edge
/// keeps none larger than a quarter of its RAM).
const RAM: &str = "6GiB";

/// How long a role may take to end: nothing that it drains matters here.
pub(crate) const DRAIN: &str = "100ms";

/// What stands before the address in the line that a role prints once it listens.
const LISTENS: &str = " listens on ";

pub(super) fn start_edge(
    ground: &Ground,
    executable: &Path,
    name: &'static str,
) -> Result<Server, BenchError> {
    let upstream = format!("http://{}", ground.origin);
    let core = ground.core.to_string();
    let arguments = ["edge", "--listen", "127.0.0.1:0", "--name", NAME, "--upstream", &upstream];
    let more = ["--cores", &core, "--ram", RAM, "--drain", DRAIN];
    start_role(executable, name, &[&arguments[..], &more].concat()).map(|(server, _)| server)
}

/// `subnets`: with the map.
pub(super) fn start_gslb(
    ground: &Ground,
    name: &'static str,
    subnets: bool,
) -> Result<Server, BenchError> {
    let zone = ground.zone.clone().unwrap_or_default();
    let path = |file: &str| zone.join(file).display().to_string();
    let core = ground.core.to_string();
    let (file, map) = if subnets {
        (path("lastmile-subnets.toml"), vec!["--map".to_owned(), path("map.csv")])
    } else {
        (path("lastmile.toml"), Vec::new())
    };
    let mut arguments = vec!["gslb", "--listen", "127.0.0.1:0", "--cores", &core, "--zone", &file];
    arguments.extend(map.iter().map(String::as_str));
    start_role(&ground.lastmile, name, &arguments).map(|(server, _)| server)
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
    match address_after(&text, LISTENS) {
        Some(address) => {
            // Whatever it says from now on is read, so that it never waits for a full pipe.
            std::thread::spawn(move || {
                stderr.map(|mut pipe| std::io::copy(&mut pipe, &mut std::io::sink()))
            });
            Ok((Server { address, program, files: None, directory: None }, text))
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

/// The address behind `words` in a line such as `edge listens on 127.0.0.1:4711`, with more after a comma or not.
pub(crate) fn address_after(line: &str, words: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(words)?;
    rest.split(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "origin listens on 127.0.0.1:80, admin on 127.0.0.1:81\n";

    #[test]
    fn addresses_in_what_a_role_prints() {
        for (line, port, why) in [
            ("edge listens on 127.0.0.1:4711\n", Some(4711), "the usual"),
            (ORIGIN, Some(80), "more after it"),
            ("", None, "ended without a word"),
            ("edge listens on everything\n", None, "no address"),
        ] {
            let found = address_after(line, LISTENS).map(|address| address.port());
            assert_eq!(found, port, "{line}: {why}");
        }
        assert_eq!(address_after(ORIGIN, ", admin on "), "127.0.0.1:81".parse().ok());
    }

    #[test]
    fn an_executable_that_does_not_listen_is_told() {
        for (executable, why) in [("/no/such/lastmile", "not there"), ("/bin/true", "ends at once")]
        {
            let error = start_role(Path::new(executable), "edge", &[]).unwrap_err();
            assert!(matches!(error, BenchError::Peer { peer: "edge", .. }), "{why}: {error}");
        }
    }
}
