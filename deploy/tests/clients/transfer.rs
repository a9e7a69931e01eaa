//! curl, and what it got.

use crate::process::scratch;
use std::path::Path;
use std::process::Command;

/// The response to one URL.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) status: u16,
    /// The head with its status line.
    pub(crate) head: String,
    /// The heads of the interim responses before it.
    pub(crate) interim: Vec<String>,
    pub(crate) content: Vec<u8>,
    /// How many connections curl made for it: 0 when one was used again.
    pub(crate) connections: usize,
}

impl Transfer {
    /// The values of a field, joined by commas; empty when it is not there.
    pub(crate) fn field(&self, name: &str) -> String {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let lines = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.trim()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn cache_status(&self) -> String {
        self.field("cache-status")
    }
}

/// One run of the program `curl` over all `urls`, in this order, which must succeed.
pub(crate) fn transfer(curl: &Path, arguments: &[&str], urls: &[String]) -> Vec<Transfer> {
    let folder = scratch();
    let mut command = Command::new(curl);
    // -q: whoever runs the tests may have a .curlrc.
    command.args(["-q", "-sS", "--include", "--max-time", "60", "--noproxy", "*"]);
    command.args(["--write-out", "%{num_connects}\\n"]).args(arguments);
    for (number, url) in urls.iter().enumerate() {
        command.arg("--output").arg(folder.path().join(number.to_string())).arg(url);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} {urls:?}: {} {said}", output.status);
    let connections = String::from_utf8(output.stdout).unwrap();
    let connections: Vec<usize> = connections.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(connections.len(), urls.len(), "{arguments:?}");
    let read = |number: usize| std::fs::read(folder.path().join(number.to_string())).unwrap();
    let parse = |(number, connections)| parse(&read(number), connections);
    connections.into_iter().enumerate().map(parse).collect()
}

/// The same for one URL.
pub(crate) fn one(curl: &Path, arguments: &[&str], url: &str) -> Transfer {
    transfer(curl, arguments, &[url.to_owned()]).pop().unwrap()
}

fn parse(mut octets: &[u8], connections: usize) -> Transfer {
    let mut interim = Vec::new();
    loop {
        let end = octets.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(octets[..end].to_vec()).unwrap();
        octets = &octets[end + 4..];
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status >= 200 {
            return Transfer { status, head, interim, content: octets.to_vec(), connections };
        }
        interim.push(head);
    }
}
