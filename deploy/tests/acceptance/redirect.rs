//! The GSLB over HTTP: a client is sent to the edge near it and gets the file there, and names are resolved the same.

use crate::process::{Started, fetch, scratch};
use crate::world::{World, curl, run};
use serde_json::Value;

/// Follows redirects from the front with names as `--resolve` says: last URL, and content.
fn follow(url: &str, names: &[String], more: &[&str]) -> (String, Vec<u8>) {
    let file = scratch();
    let path = file.path().join("content");
    let mut arguments =
        vec!["-L", "-w", "%{http_code} %{url_effective}", "-o", path.to_str().unwrap()];
    for name in names {
        arguments.extend(["--resolve", name]);
    }
    arguments.extend_from_slice(more);
    arguments.push(url);
    let (status, written) = curl(&arguments);
    assert_eq!(status, 0, "{url}");
    let written = String::from_utf8(written).unwrap();
    let last = written.strip_prefix("200 ").unwrap_or_else(|| panic!("{url}: {written}"));
    (last.to_owned(), std::fs::read(path).unwrap())
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

#[test]
fn a_redirect_leads_to_the_edge_that_dns_names() {
    let (_started, line) = Started::new(&["up", "--port-base", "0", "--json"]);
    let up: Value = serde_json::from_str(&line).unwrap();
    let text = |key: &str| up[key].as_str().unwrap();
    let (http, customer) = (text("http"), text("customer"));
    let (_, film) = fetch(text("origin"), "/film.gif");
    let names = [format!("{customer}:{}:127.0.0.1", port(http))];
    let url = format!("http://{customer}:{}/film.gif?a=%20b", port(http));
    let edges = up["edges"].as_array().unwrap();
    for (client, edge) in [("10.1.2.3", 0), ("10.2.9.9", 1)] {
        let forwarded = format!("X-Forwarded-For: {client}");
        let (last, content) = follow(&url, &names, &["-H", &forwarded]);
        let edge = edges[edge].as_str().unwrap();
        assert_eq!(last, format!("http://{edge}/film.gif?a=%20b"), "{client}");
        assert!(content == film, "{client}: {} of {} octets", content.len(), film.len());
        let (server, gslb_port) = text("gslb").split_once(':').unwrap();
        let (at, subnet) = (format!("@{server}"), format!("+subnet={client}/32"));
        let dig =
            run("dig", "bind9-dnsutils", &[&at, "-p", gslb_port, customer, "+short", &subnet]);
        let dig = String::from_utf8(dig.stdout).unwrap();
        let address = edge.split_once(':').unwrap().0;
        assert_eq!(dig.lines().last(), Some(address), "DNS says the same for {client}");
        let target = format!("/resolve?name={customer}&ip={client}");
        let resolved: Value = serde_json::from_slice(&fetch(http, &target).1).unwrap();
        assert_eq!(
            resolved["answers"][0]["addresses"],
            serde_json::json!([address]),
            "HTTPDNS too"
        );
    }
    let corrections = fetch(text("admin"), "/corrections");
    assert_eq!(corrections, (200, b"prefix,region\n".to_vec()));
    let metrics = String::from_utf8(fetch(text("admin"), "/metrics").1).unwrap();
    let redirects = "lastmile_gslb_http_redirects_total{role=\"gslb\",reason=\"client\"} 2\n";
    assert!(metrics.contains(redirects), "{metrics}");
}

#[test]
fn an_edge_is_named_by_a_host_of_the_customer() {
    let folder = scratch();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let site = "[[site]]\nhosts = [\"www.shop.test\", \"edge-1.www.shop.test\"]\nkey-host = \"www.shop.test\"\n";
    let world = World::with(&["--config", &write("edge.toml", site)]);
    let edge_port = port(&world.address);
    let zone = format!(
        r#"
[[zone]]
name = "shop.test"
records = '''
@ SOA ns admin 1 3600 600 86400 30
@ NS ns
ns A 127.0.0.1
'''
[[region]]
name = "all"
[[edge]]
name = "edge-1"
region = "all"
addresses = ["127.0.0.1"]
[[steer]]
name = "www.shop.test"
[[redirect]]
host = "www.shop.test"
paths = ["/bytes/*"]
to = "http://{{edge}}.www.shop.test:{edge_port}"
"#
    );
    let zone = write("zone.toml", &zone);
    let flags = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--zone", &zone];
    let (_gslb, line) = Started::new(&[&["gslb"], &flags[..]].concat());
    let addresses = line.trim().strip_prefix("gslb listens on ").unwrap();
    let (dns, http) = addresses.split_once(", ").unwrap();
    // A resolver asks the GSLB for the edge's name; curl is told what it says.
    let fixed = ["@127.0.0.1", "-p", port(dns), "+short", "edge-1.www.shop.test"];
    let said = String::from_utf8(run("dig", "bind9-dnsutils", &fixed).stdout).unwrap();
    let names = [
        format!("www.shop.test:{}:127.0.0.1", port(http)),
        format!("edge-1.www.shop.test:{edge_port}:{}", said.trim()),
    ];
    let url = format!("http://www.shop.test:{}/bytes/1000?max-age=60", port(http));
    for _ in 0..2 {
        let (last, content) = follow(&url, &names, &[]);
        assert_eq!(last, format!("http://edge-1.www.shop.test:{edge_port}/bytes/1000?max-age=60"));
        assert_eq!(content.len(), 1000);
    }
    let asked = world.asked("/bytes/1000");
    assert_eq!(asked.len(), 1, "one fetch: the second is a hit");
    assert_eq!(asked[0].host.as_deref(), Some("www.shop.test"), "the customer's own name");
}
