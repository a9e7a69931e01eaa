//! The zones and the steering that `up` gives to its GSLB: the shipped example for two edges, the
//! same for any other number.

use lastmile_gslb::ZoneSource;
use std::fmt::Write as _;

/// The customer's name.
pub(super) const CUSTOMER: &str = "www.customer.test";

/// The example, which is for two edges.
const SHIPPED: &str = include_str!("../../../gslb/examples/cdn.toml");

/// A client subnet whose nearest edge is the one with this number, counted from 1.
pub(super) fn subnet(edge: usize) -> String {
    format!("10.{edge}.0.0/16")
}

/// The zones for `edges` edges at 127.0.0.1, 127.0.0.2, ..., which listen at `port`.
pub(super) fn source(edges: u8, port: u16) -> ZoneSource {
    let (name, text) = match edges {
        2 => ("gslb/examples/cdn.toml", SHIPPED.to_owned()),
        _ => ("the zone of `lastmile up`", text(edges)),
    };
    let text = text.replace("{address}:8080", &format!("{{address}}:{port}"));
    ZoneSource::Inline { name: name.to_owned(), text }
}

fn text(edges: u8) -> String {
    let mut out = String::from(ZONES);
    for edge in 1..=edges {
        let subnet = subnet(usize::from(edge));
        let _ = write!(
            out,
            "\n[[region]]\nname = \"region-{edge}\"\nprefixes = [\"{subnet}\"]\n\
             nearest = [{}]\n\n[[edge]]\nname = \"edge-{edge}\"\nregion = \"region-{edge}\"\n\
             addresses = [\"127.0.0.{edge}\"]\n",
            others(edge, edges)
        );
    }
    out
}

/// The other regions, nearest first: on a line, as their numbers are.
fn others(edge: u8, edges: u8) -> String {
    let mut others: Vec<u8> = (1..=edges).filter(|other| *other != edge).collect();
    others.sort_by_key(|other| (other.abs_diff(edge), *other));
    let quoted: Vec<_> = others.iter().map(|other| format!("\"region-{other}\"")).collect();
    quoted.join(", ")
}

const ZONES: &str = r#"[[zone]]
name = "cdn.test."
records = """
@ 3600 SOA ns1 hostmaster 1 3600 600 86400 60
@ 3600 NS ns1
ns1 3600 A 127.0.0.1
"""

[[zone]]
name = "customer.test."
records = """
@ 3600 SOA ns1.cdn.test. hostmaster 1 3600 600 86400 60
@ 3600 NS ns1.cdn.test.
"""

[[steer]]
name = "customer.cdn.test."
ttl = 20
answers = 1
default_region = "region-1"

[[onboard]]
customer = "www.customer.test."
cname = "customer.cdn.test."

[http]
trusted_proxies = ["127.0.0.0/8"]

[[redirect]]
host = "www.customer.test."
paths = ["*.gif", "*.png"]
to = "http://{address}:8080"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gslb_takes_the_text_for_every_number_of_edges() {
        for edges in [1, 2, 3, crate::up::EDGES_MAX] {
            let config = lastmile_gslb::Config {
                zone: Some(source(edges, 8080)),
                ..lastmile_gslb::Config::default()
            };
            let summary = lastmile_gslb::check(&config).unwrap();
            assert_eq!(summary.edges, usize::from(edges), "{summary}");
        }
    }
}
