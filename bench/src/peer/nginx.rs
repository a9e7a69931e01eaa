//! nginx with `proxy_cache`, configured by the template in `bench/peers/nginx.conf`.

use super::{Ground, Server, directory, free_address, wait_until_it_accepts};
use crate::error::BenchError;
use crate::process::{self, Program};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub(super) const PROGRAM: &str = "nginx";
pub(super) const PACKAGE: &str = "nginx-light";

const TEMPLATE: &str = include_str!("../../peers/nginx.conf");

/// Another process may take the port between our look and nginx's bind; three times is no accident.
const ATTEMPTS_MAX: usize = 3;

/// The configuration with everything below `directory`; `nopush` is `on` or `off`.
#[must_use]
pub fn configuration(
    directory: &Path,
    listen: SocketAddr,
    origin: SocketAddr,
    core: usize,
    nopush: &str,
) -> String {
    // A root that is told no user gives its worker to nobody, who may not enter our directory.
    let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
    let mask = format!("1{}", "0".repeat(core));
    let directory = directory.display().to_string();
    let words = [
        ("@DIR@", directory.as_str()),
        ("@LISTEN@", &listen.to_string()),
        ("@ORIGIN@", &origin.to_string()),
        ("@CPU_MASK@", &mask),
        ("@NOPUSH@", nopush),
    ];
    // The comments of the template name its words too; only lines that are not comments are filled in.
    let fill = |line: &str| match line {
        "@USER@" => user.to_owned(),
        comment if comment.trim_start().starts_with('#') => comment.to_owned(),
        line => words.iter().fold(line.to_owned(), |line, (word, value)| line.replace(word, value)),
    };
    TEMPLATE.lines().map(fill).map(|line| line + "\n").collect()
}

/// The executable.
pub(super) fn path() -> PathBuf {
    process::find(PROGRAM).unwrap_or_else(|| PathBuf::from(PROGRAM))
}

pub(super) fn start(ground: &Ground, nopush: &str) -> Result<Server, BenchError> {
    let mut said = String::new();
    for _ in 0..ATTEMPTS_MAX {
        match attempt(ground, nopush)? {
            Ok(server) => return Ok(server),
            Err(what) => said = what,
        }
    }
    Err(BenchError::Peer { peer: PROGRAM, what: format!("did not start: {said}") })
}

/// One attempt; the inner error is the last line that nginx said.
fn attempt(ground: &Ground, nopush: &str) -> Result<Result<Server, String>, BenchError> {
    let io = |error| BenchError::Io("nginx's directory", error);
    let directory = directory()?;
    let address = free_address()?;
    let file = directory.path().join("nginx.conf");
    let text = configuration(directory.path(), address, ground.origin, ground.core, nopush);
    fs::write(&file, text).map_err(io)?;
    let log = directory.path().join("stderr.log");
    let mut command = process::command(path());
    command.arg("-p").arg(directory.path()).arg("-c").arg(&file).args(["-e", "stderr"]);
    command.stderr(File::create(&log).map_err(io)?);
    let mut program = Program::start(&mut command)
        .map_err(|error| BenchError::Peer { peer: PROGRAM, what: error.to_string() })?;
    if wait_until_it_accepts(&mut program, address) {
        return Ok(Ok(Server { address, program, _directory: Some(directory) }));
    }
    let errors = fs::read_to_string(directory.path().join("error.log")).unwrap_or_default();
    let said = fs::read_to_string(&log).unwrap_or_default() + &errors;
    Ok(Err(said.lines().last().unwrap_or("said nothing").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled_in(directory: &Path) -> String {
        let origin = "127.0.0.1:8000".parse().unwrap();
        configuration(directory, free_address().unwrap(), origin, 0, "on")
    }

    #[test]
    fn every_word_of_the_template_is_filled_in() {
        let listen = "127.0.0.1:4711".parse().unwrap();
        let origin = "127.0.0.1:4712".parse().unwrap();
        let text = configuration(Path::new("/tmp/x"), listen, origin, 2, "off");
        let code: Vec<_> = text.lines().filter(|line| !line.trim().starts_with('#')).collect();
        assert!(code.iter().all(|line| !line.contains('@')), "{code:#?}");
        for expected in [
            "worker_cpu_affinity 100;",
            "listen 127.0.0.1:4711 backlog=4096;",
            "server 127.0.0.1:4712;",
            "pid /tmp/x/nginx.pid;",
            "tcp_nopush off;",
        ] {
            assert!(code.iter().any(|line| line.trim() == expected), "{expected}: {code:#?}");
        }
    }

    #[test]
    fn nginx_accepts_its_configuration() {
        let directory = directory().unwrap();
        let file = directory.path().join("nginx.conf");
        fs::write(&file, filled_in(directory.path())).unwrap();
        let mut command = process::command(path());
        command
            .arg("-t")
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
