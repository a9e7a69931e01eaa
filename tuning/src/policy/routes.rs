//! What routes can say of a table, where BPF is not allowed: the wanted values of the knobs `route.*` by prefix, which
//! `lastmile tune` sets and takes back.

#![forbid(unsafe_code)]

use super::{Policy, PolicyTable};
use crate::knobs::form::Wanted;
use crate::route::Prefix;
use std::collections::BTreeMap;

/// What the route of a prefix is to say, by the ids of knobs.
pub type Said = BTreeMap<&'static str, Wanted>;

/// The knob of having a route of its own.
const OWN: &str = "route.own";

/// A key that no route has a metric for, whether a policy has it, and who says it instead.
type Unsaid = (&'static str, fn(&Policy) -> bool, &'static str);

const ON_SOCKETS: &str =
    "edge and origin say it on each socket, without BPF too (lastmile edge --tcp-policy FILE)";

const UNSAID: &[Unsaid] = &[
    (
        "syn-timeout",
        |policy| policy.syn_timeout.is_some(),
        "only BPF says it (CAP_BPF, CAP_NET_ADMIN); net.ipv4.tcp_syn_linear_timeouts keeps that of \
         a SYN from doubling",
    ),
    ("delack-max", |policy| policy.delack_max.is_some(), ON_SOCKETS),
    ("pacing", |policy| policy.pacing.is_some(), ON_SOCKETS),
];

impl PolicyTable {
    /// What the routes of its prefixes are to say, of the knobs that are `asked` for. A prefix that says nothing of
    /// them has a route of its own all the same where a shorter one says something, so as not to get that.
    pub fn routes(&self, asked: impl Fn(&str) -> bool) -> BTreeMap<Prefix, Said> {
        let said = |policy: &Policy| -> Said { said(policy).filter(|(id, _)| asked(id)).collect() };
        let says = |prefix| self.0.get(&prefix).is_some_and(|policy| !said(policy).is_empty());
        let is_below = |prefix: Prefix| {
            (0..prefix.bits()).filter_map(|bits| Prefix::new(prefix.address(), bits)).any(says)
        };
        let of = |(prefix, policy): (Prefix, &Policy)| {
            let mut said = said(policy);
            if said.is_empty() && !is_below(prefix) {
                return None;
            }
            said.insert(OWN, Wanted { value: "yes".to_owned(), is_minimum: false });
            Some((prefix, said))
        };
        self.iter().filter_map(of).collect()
    }

    /// Each key of the table that no route can say, with who says it instead.
    #[must_use]
    pub fn unsaid_by_routes(&self) -> Vec<(&'static str, &'static str)> {
        let has = |(_, has, _): &&Unsaid| self.iter().any(|(_, policy)| has(policy));
        UNSAID.iter().filter(has).map(|(key, _, instead)| (*key, *instead)).collect()
    }
}

fn said(policy: &Policy) -> impl Iterator<Item = (&'static str, Wanted)> {
    // Not sooner than the policy says.
    let rto_min = policy.rto_min.map(|time| time.as_micros().div_ceil(1_000).to_string());
    let values = [
        ("route.initcwnd", policy.initcwnd.map(|packets| packets.to_string())),
        ("route.initrwnd", policy.initrwnd.map(|packets| packets.to_string())),
        ("route.rto_min", rto_min),
        ("route.congestion", policy.congestion.clone()),
    ];
    let wanted = |(id, value): (_, Option<String>)| {
        value.map(|value| (id, Wanted { value, is_minimum: false }))
    };
    values.into_iter().filter_map(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knobs;

    fn shown(text: &str, asked: impl Fn(&str) -> bool) -> Vec<String> {
        let table = PolicyTable::parse(text, |_| None).unwrap();
        let of = |(prefix, said): (Prefix, Said)| {
            let said = said.into_iter().map(|(id, wanted)| {
                assert!(knobs::find(id).unwrap().form.wanted(&wanted.value).is_ok(), "{id}");
                format!("{}={wanted}", id.trim_start_matches("route."))
            });
            format!("{prefix}: {}", said.collect::<Vec<_>>().join(" "))
        };
        table.routes(asked).into_iter().map(of).collect()
    }

    #[test]
    fn each_prefix_says_what_routes_can_say() {
        let text = "[[policy]]\nprefix = \"10.0.0.0/8\"\ninitcwnd = 20\ninitrwnd = 40\n\
            congestion = \"reno\"\nrto-min = \"2.5ms\"\nsyn-timeout = \"200ms\"\n\
            [[policy]]\nprefix = [\"10.1.0.0/16\", \"2001:db8::/32\"]\npacing = \"1MB\"\n\
            [[policy]]\nprefix = \"10.1.2.0/24\"\nrto-min = \"20ms\"\n";
        assert_eq!(
            shown(text, |_| true),
            [
                "10.0.0.0/8: congestion=reno initcwnd=20 initrwnd=40 own=yes rto_min=3",
                "10.1.0.0/16: own=yes",
                "10.1.2.0/24: own=yes rto_min=20",
            ],
            "nothing is said of IPv6, and nothing of the longer ones by the shorter"
        );
        assert_eq!(
            shown(text, |id| id == "route.rto_min"),
            [
                "10.0.0.0/8: own=yes rto_min=3",
                "10.1.0.0/16: own=yes",
                "10.1.2.0/24: own=yes rto_min=20"
            ],
        );
        assert!(shown(text, |id| id == "vm.swappiness").is_empty());
        let table = PolicyTable::parse(text, |_| None).unwrap();
        let unsaid: Vec<_> = table.unsaid_by_routes().into_iter().map(|(key, _)| key).collect();
        assert_eq!(unsaid, ["syn-timeout", "pacing"], "each once, and only those of the table");
    }
}
