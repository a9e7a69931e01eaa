//! On what a report was measured: without it, figures of two reports can't be laid side by side.

use crate::peer::Peer;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// The machine and the programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fingerprint {
    /// Model of the CPU, in the kernel's words.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Octets of memory, in the kernel's words.
    pub memory: String,
    /// Release of the kernel.
    pub kernel: String,
    /// How TCP sends, which is the same for all unless a server says otherwise.
    pub congestion_control: String,
    /// The core that servers run on, and the core of load and origin.
    pub pinned: [usize; 2],
    /// Name and version of each program that took part.
    pub versions: Vec<(&'static str, String)>,
}

impl Fingerprint {
    /// Of this machine.
    #[must_use]
    pub fn take(
        peers: &[Peer],
        lastmile: &Path,
        before: Option<&Path>,
        cores: usize,
        pinned: [usize; 2],
    ) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let versions = peers.iter().map(|peer| (peer.name(), peer.version(lastmile, before)));
        Self {
            cpu: value_of(&read("/proc/cpuinfo"), "model name"),
            cores,
            memory: value_of(&read("/proc/meminfo"), "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control").trim().to_owned(),
            pinned,
            versions: versions.collect(),
        }
    }

    /// What stands beside a report, a fact a line; `beside`: what is on the second of the cores.
    #[must_use]
    pub fn lines(&self, beside: &str) -> Vec<String> {
        let [server, load] = self.pinned;
        let mut lines = vec![
            format!("machine: {}, {} cores, {}", self.cpu, self.cores, self.memory),
            format!("kernel: {}, TCP {}", self.kernel, self.congestion_control),
            if server == load {
                format!("cores: servers, {beside} share core {server}")
            } else {
                format!("cores: servers on {server}, {beside} on {load}")
            },
        ];
        lines.extend(self.versions.iter().map(|(name, version)| format!("{name}: {version}")));
        lines
    }
}

/// The value of the first `name: value` line of a file of `/proc`.
pub(crate) fn value_of(text: &str, name: &str) -> String {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim() == name)
        .map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_proc_files() {
        let text = "processor\t: 0\nmodel name\t: A CPU\nprocessor\t: 1\nmodel name\t: B\n";
        for (name, expected, why) in [
            ("model name", "A CPU", "the first one"),
            ("processor", "0", "tabs before the colon"),
            ("bogomips", "unknown", "an architecture that does not tell"),
        ] {
            assert_eq!(value_of(text, name), expected, "{why}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        let taken = Fingerprint::take(&[Peer::Nginx], Path::new("/no/lastmile"), None, 2, [0, 1]);
        let text = taken.lines("load and origin").join("\n");
        assert!(text.contains("nginx: nginx version: nginx/"), "{text}");
        assert!(text.contains("servers on 0, load and origin on 1"), "{text}");
        assert!(!taken.kernel.is_empty(), "{text}");
        let shared = Fingerprint { pinned: [3, 3], ..taken };
        assert!(shared.lines("load and origin").join("\n").contains("share core 3"));
    }
}
