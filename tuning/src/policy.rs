//! What a connection gets by the address of its other end: first window, timeouts, congestion control, pacing.
//!
//! * `file`: the table as a user writes it.
//! * `enforce`: the table in force, by BPF or, where that is not allowed, by socket options.
//! * `routes`: what routes can say of it, for `lastmile tune`.

mod enforce;
mod file;
mod routes;

pub use enforce::{Enforcement, Means};
pub use file::{FILE_OCTETS_MAX, help, key_names};
pub use routes::Said;

use crate::route::Prefix;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What connections to one prefix get. `None` leaves what the system has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The first window, in packets.
    pub initcwnd: Option<u32>,
    /// The first receive window, in packets.
    pub initrwnd: Option<u32>,
    /// Until a SYN or SYN-ACK that is not answered is sent again; each time after that twice as long.
    pub syn_timeout: Option<Duration>,
    /// The name of a congestion control.
    pub congestion: Option<String>,
    /// Retransmission timeout at least.
    pub rto_min: Option<Duration>,
    /// How long an acknowledgement is held back at most.
    pub delack_max: Option<Duration>,
    /// Octets in a second at most.
    pub pacing: Option<u32>,
}

/// The policies of all prefixes, at most [`crate::bpf::PREFIXES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTable(BTreeMap<Prefix, Policy>);

impl PolicyTable {
    /// The policy of the longest prefix that `address` is in. An IPv4-mapped IPv6 address is its IPv4 address. What
    /// that prefix says nothing of is left to the system, whatever shorter ones say.
    #[must_use]
    pub fn policy_of(&self, address: IpAddr) -> Option<&Policy> {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (0..=bits).rev().find_map(|bits| self.0.get(&Prefix::new(address, bits)?))
    }

    /// Each prefix with its policy.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &Policy)> {
        self.0.iter().map(|(prefix, policy)| (*prefix, policy))
    }

    /// How many prefixes have one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_counts() {
        let policy = |initcwnd| Policy { initcwnd: Some(initcwnd), ..Policy::default() };
        let entries = [
            ("0.0.0.0/0", 1),
            ("192.0.2.0/24", 2),
            ("192.0.2.128/25", 3),
            ("192.0.2.200", 4),
            ("2001:db8::/32", 5),
            ("2001:db8::1", 6),
        ];
        let entries = entries.map(|(prefix, window)| (prefix.parse().unwrap(), policy(window)));
        let table = PolicyTable(BTreeMap::from(entries));
        for (address, expected, why) in [
            ("198.51.100.1", Some(1), "everybody"),
            ("192.0.2.1", Some(2), "in one more"),
            ("192.0.2.129", Some(3), "in another more"),
            ("192.0.2.200", Some(4), "one address"),
            ("::ffff:192.0.2.200", Some(4), "the same as an IPv6 socket has it"),
            ("2001:db8:ffff::", Some(5), "IPv6"),
            ("2001:db8::1", Some(6), "one address"),
            ("2001:db9::1", None, "IPv4's everybody is nobody here"),
        ] {
            let found = table.policy_of(address.parse().unwrap());
            assert_eq!(found.and_then(|policy| policy.initcwnd), expected, "{address}: {why}");
        }
    }
}
