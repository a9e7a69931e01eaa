//! What runs where and what to try, for people and for programs. Pure.

use super::Up;
use super::zone::{CUSTOMER, subnet};
use serde_json::json;
use std::fmt::Write as _;

/// Edges of the table's `dig` examples: one can't show that askers are told apart, two can.
const DIGS: usize = 2;

impl Up {
    /// A table, and commands to paste into another terminal.
    pub(super) fn table(&self) -> String {
        let mut out = format!("lastmile is up and serves {}.\n\n", self.site);
        for (name, address, what) in self.rows() {
            let _ = writeln!(out, "  {name:<8} {address:<24} {what}");
        }
        out.push_str("\nTry in another terminal:\n");
        for (why, commands) in self.to_try() {
            let _ = writeln!(out, "\n  # {why}");
            for command in commands {
                let _ = writeln!(out, "  {command}");
            }
        }
        let _ =
            write!(out, "\n  # or open http://{}/ in a browser\n\nCtrl-C ends it.", self.edges[0]);
        out
    }

    /// The same as one line of JSON.
    pub(super) fn json(&self) -> String {
        let addresses: Vec<_> = self.edges.iter().map(ToString::to_string).collect();
        json!({
            "origin": self.origin.to_string(),
            "parent": self.parent.to_string(),
            "edges": addresses,
            "gslb": self.gslb.to_string(),
            "http": self.http.to_string(),
            "admin": self.admin.address().to_string(),
            "customer": CUSTOMER,
            "serves": self.site,
            "subnets": (1..=self.edges.len()).map(subnet).collect::<Vec<_>>(),
            "try": self.to_try().into_iter().flat_map(|(_, commands)| commands).collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn rows(&self) -> Vec<(String, String, String)> {
        let row = |name: &str, address: String, what: String| (name.to_owned(), address, what);
        let mut rows = vec![
            row("origin", format!("http://{}", self.origin), "the customer's server".into()),
            row("parent", format!("http://{}", self.parent), "a cache that asks the origin".into()),
        ];
        for (number, address) in (1..).zip(&self.edges) {
            let what = format!("a cache near {}, asks the parent", subnet(number));
            rows.push(row(&format!("edge-{number}"), format!("http://{address}"), what));
        }
        rows.push(row(
            "gslb",
            format!("{} udp, tcp", self.gslb),
            format!("sends clients of {CUSTOMER} to an edge"),
        ));
        rows.push(row(
            "http",
            format!("http://{}", self.http),
            "the GSLB over HTTP: redirects, /resolve, /dns-query".into(),
        ));
        rows.push(row(
            "admin",
            format!("http://{}", self.admin.address()),
            "/healthz /metrics /stats.json".into(),
        ));
        rows
    }

    fn to_try(&self) -> Vec<(&'static str, Vec<String>)> {
        let (gslb, edge, http) = (self.gslb, self.edges[0], self.http);
        let dig = |number| {
            let subnet = subnet(number);
            format!("dig @{} -p {} {CUSTOMER} +short +subnet={subnet}", gslb.ip(), gslb.port())
        };
        let curl = format!("curl -s -o /dev/null -D - -H 'Host: {CUSTOMER}' http://{edge}/");
        vec![
            (
                "which edge? it depends on where you ask from",
                (1..=self.edges.len().min(DIGS)).map(dig).collect(),
            ),
            ("a miss, then a hit; Cache-Status says why", vec![curl.clone(), curl]),
            (
                "the same over HTTP: where a film is, and why; and for another client",
                vec![
                    format!("curl -s -H 'Host: {CUSTOMER}' http://{http}/film.gif"),
                    format!("curl 'http://{http}/resolve?name={CUSTOMER}&ip=10.2.0.1'"),
                ],
            ),
            (
                "load on a hit",
                vec![format!("wrk -t1 -c64 -d10s -H 'Host: {CUSTOMER}' http://{edge}/")],
            ),
        ]
    }
}
