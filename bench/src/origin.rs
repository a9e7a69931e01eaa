//! The synthetic origin behind every peer, and how much was asked of it: what a cache says of a hit is not believed,
//! the origin's count is.

use crate::error::BenchError;
use crate::peer::Server;
use crate::peer::lastmile::{DRAIN, address_after, start_role};
use crate::probe;
use std::net::SocketAddr;
use std::path::Path;

/// The counter of requests in the origin's metrics.
const REQUESTS: &str = "lastmile_origin_requests_total";

/// An origin that runs until it is dropped.
#[derive(Debug)]
pub struct Origin {
    server: Server,
    admin: SocketAddr,
}

impl Origin {
    /// Starts it on the cores of this thread.
    ///
    /// # Errors
    /// [`BenchError::Peer`] with the last that it said.
    pub fn start(executable: &Path) -> Result<Self, BenchError> {
        let listen = ["origin", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let arguments = [&listen[..], &["--synthetic", "--drain", DRAIN]].concat();
        let (server, line) = start_role(executable, "origin", &arguments)?;
        match address_after(&line, "admin on ") {
            Some(admin) => Ok(Self { server, admin }),
            None => Err(wrong(format!("no admin address in {:?}", line.trim()))),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The process group of all of its processes.
    #[must_use]
    pub fn group(&self) -> i32 {
        self.server.group()
    }

    /// Requests that it has had so far.
    ///
    /// # Errors
    /// [`BenchError::Peer`] when it does not tell.
    pub fn requests(&self) -> Result<u64, BenchError> {
        let response =
            probe::get(self.admin, "/metrics").map_err(|error| wrong(error.to_string()))?;
        let text = String::from_utf8_lossy(&response.content).into_owned();
        counter(&text, REQUESTS).ok_or_else(|| wrong(format!("no {REQUESTS} in its metrics")))
    }

    /// The content of `target`, from the origin itself. This counts as a request.
    ///
    /// # Errors
    /// [`BenchError::Peer`] when it is no success.
    pub fn content(&self, target: &str) -> Result<Vec<u8>, BenchError> {
        let response =
            probe::get(self.address(), target).map_err(|error| wrong(error.to_string()))?;
        match response.status {
            200 => Ok(response.content),
            status => Err(wrong(format!("status {status} for {target}"))),
        }
    }
}

fn wrong(what: String) -> BenchError {
    BenchError::Peer { peer: "origin", what }
}

/// The value of a counter in the text format of Prometheus, whatever its labels.
fn counter(text: &str, name: &str) -> Option<u64> {
    let of_it =
        |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    text.lines().find(of_it)?.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_in_metrics() {
        let text = "# TYPE a counter\naa 3\na{role=\"origin\"} 17\nb 4\nc x\n";
        for (name, expected, why) in [
            ("a", Some(17), "with labels, not another name that begins so"),
            ("b", Some(4), "without labels"),
            ("c", None, "no number"),
            ("d", None, "not there"),
        ] {
            assert_eq!(counter(text, name), expected, "{why}");
        }
    }

    #[test]
    fn an_executable_that_does_not_listen_is_told() {
        for (executable, why) in [("/no/such/lastmile", "not there"), ("/bin/true", "ends at once")]
        {
            let error = Origin::start(Path::new(executable)).unwrap_err();
            assert!(matches!(error, BenchError::Peer { peer: "origin", .. }), "{why}: {error}");
        }
    }
}
