//! How `[http]` and `[[redirect]]` are read, and what is said of bad ones.

use super::super::load;
use crate::answer::Tables;
use crate::http::rules::{By, Otherwise};
use crate::{Config, ZoneSource};

const BASE: &str = "\
[[zone]]
name = \"cdn.test.\"
records = '''
@ SOA ns host 1 2 3 4 60
@ NS ns
*.who A 192.0.2.53
taken A 192.0.2.1
edge-1.own A 192.0.2.77
alias CNAME elsewhere.test.
'''
[[region]]
name = \"north\"
[[edge]]
name = \"edge-1\"
region = \"north\"
addresses = [\"192.0.2.1\", \"2001:db8::1\"]
[[edge]]
name = \"edge-2\"
region = \"north\"
addresses = [\"192.0.2.2\"]
[[steer]]
name = \"c.cdn.test.\"
ttl = 33
[[steer]]
name = \"*.wild.cdn.test.\"
[[onboard]]
customer = \"www.far.test.\"
cname = \"c.cdn.test.\"
";

fn read(text: &str) -> Result<Tables, String> {
    let text = format!("{BASE}{text}");
    let zone = ZoneSource::Inline { name: "cdn.toml".to_owned(), text };
    let config = Config { zone: Some(zone), ..Config::default() };
    load(&config).map(|(tables, _)| tables).map_err(|error| error.to_string())
}

fn redirect(host: &str, rest: &str) -> String {
    format!("[[redirect]]\nhost = \"{host}\"\n{rest}\n")
}

#[test]
fn hosts_and_their_defaults() {
    let text = [
        redirect("C.CDN.test.", ""),
        redirect("www.far.test", "by = \"url\"\notherwise = \"421\""),
        redirect("*.wild.cdn.test", "otherwise = \"https://www.else.test/x/\""),
        redirect("dl.other.test", "steer = \"c.cdn.test\""),
    ];
    let rules = read(&text.concat()).unwrap().front;
    for (host, expected, why) in [
        ("c.cdn.test", Some((0, By::Client, Otherwise::Dns)), "a steered name"),
        ("www.far.test", Some((0, By::Url, Otherwise::Status(421))), "a customer's, elsewhere"),
        ("dl.other.test", Some((0, By::Client, Otherwise::Status(404))), "the edges of a name"),
        ("other.test", None, "nothing of it"),
        ("wild.cdn.test", None, "RFC 4592 §2.1.1: a wildcard does not cover its parent"),
    ] {
        let found = rules.redirect(host);
        assert_eq!(found.map(|it| it.steered), expected.as_ref().map(|it| it.0), "{why}");
        let Some((it, (_, by, otherwise))) = found.zip(expected) else { continue };
        assert_eq!((it.by, &it.otherwise), (by, &otherwise), "{why}");
        assert!(it.covers("/any/path"), "{why}");
        assert_eq!(it.to.location("h", "/"), "http://h/", "{why}");
    }
    let deep = rules.redirect("a.b.wild.cdn.test").unwrap();
    assert_eq!(deep.steered, 1, "whatever the depth");
    let Otherwise::Name(to) = &deep.otherwise else { panic!("{deep:?}") };
    assert_eq!(to.location(&to.host, "/y?z"), "https://www.else.test/x/y?z");
}

#[test]
fn names_that_lead_to_one_edge_get_its_addresses() {
    let to = |name: &str| format!("to = \"http://{{edge}}.{name}\"");
    let text = redirect("c.cdn.test", &to("c.cdn.test"));
    let own = redirect("www.far.test", &to("own.cdn.test"));
    let tables = read(&format!("{text}{own}")).unwrap();
    for (name, expected) in [
        ("edge-1.c.cdn.test", "33: 192.0.2.1 2001:db8::1"),
        ("edge-2.c.cdn.test", "33: 192.0.2.2"),
        ("edge-1.own.cdn.test", "3600: 192.0.2.77"),
        ("edge-2.own.cdn.test", "33: 192.0.2.2"),
    ] {
        assert_eq!(crate::http::ask(&tables, name), expected, "{name}");
    }
}

#[test]
fn mistakes_name_line_key_value_and_what_is_allowed() {
    let many: Vec<_> = (0..65).map(|index| format!("\"/{index}\"")).collect();
    let cases: &[(String, &str, &str)] = &[
        (redirect("a.cdn.test", "nmae = 1"), "unknown field `nmae`", "an unknown key"),
        (
            redirect("gone.cdn.test", ""),
            "cdn.toml:30: redirect.host: \"gone.cdn.test\" leads to no edges",
            "no such name",
        ),
        (redirect("taken.cdn.test", ""), "has records of its zone", "no edges"),
        (redirect("x.test", ""), "in no zone of this server); give `steer`", "elsewhere"),
        (
            redirect("x.test", "steer = \"taken.cdn.test\""),
            "cdn.toml:31: redirect.steer: \"taken.cdn.test\" leads to no edges",
            "a name without edges",
        ),
        (
            format!("{}{}", redirect("c.cdn.test", ""), redirect("C.cdn.test.", "")),
            "cdn.toml:33: redirect.host: \"C.cdn.test.\" is already redirected",
            "twice",
        ),
        (
            redirect("192.0.2.1", "steer = \"c.cdn.test\""),
            "redirect.host: \"192.0.2.1\" is an address, not a name",
            "an address",
        ),
        (redirect("c.cdn.test", "by = \"weight\""), "allowed: client, url", "by"),
        (redirect("c.cdn.test", "paths = [\"videos\"]"), "is not a path such as", "no slash"),
        (redirect("c.cdn.test", "paths = [\"/a?b\"]"), "is not a path such as", "a query"),
        (redirect("c.cdn.test", "paths = [\"/a b\"]"), "is not a path such as", "a space"),
        (
            redirect("c.cdn.test", &format!("paths = [{}]", many.join(","))),
            "\"/64\" is one too many; allowed: 64",
            "too many",
        ),
        (redirect("c.cdn.test", "to = \"http://fixed.test\""), "is not a URL such as", "no edge"),
        (redirect("c.cdn.test", "to = \"ftp://{edge}.x\""), "is not a URL such as", "no HTTP"),
        (redirect("c.cdn.test", "to = \"{edge}.x\""), "is not a URL such as", "no scheme"),
        (redirect("c.cdn.test", "to = \"http://{edge}.x/?a\""), "is not a URL such as", "query"),
        (redirect("c.cdn.test", "to = \"http://u@{edge}.x\""), "is not a URL such as", "a user"),
        (redirect("c.cdn.test", "to = \"http://{egde}.x\""), "is not a URL such as", "misspelt"),
        (redirect("c.cdn.test", "to = \"http://{address}.x\""), "is not a URL such as", "mixed"),
        (
            redirect("*.cdn.test", "steer = \"c.cdn.test\"\nto = \"http://{edge}.x.cdn.test\""),
            "leads to edge-1.x.cdn.test, which is redirected itself",
            "a loop",
        ),
        (
            redirect("c.cdn.test", "to = \"http://{edge}.wild.cdn.test\"")
                .replace("edge}", "edge}.a"),
            "",
            "below a wildcard is another name",
        ),
        (
            redirect("c.cdn.test", "otherwise = \"http://C.cdn.test:81\""),
            "redirect.otherwise: \"http://C.cdn.test:81\" leads to a host that is redirected",
            "a loop of another kind",
        ),
        (
            redirect("www.wild.cdn.test", "to = \"http://{edge}.www.wild.cdn.test\""),
            "redirect.host: \"www.wild.cdn.test\" is a wildcard's",
            "RFC 4592 §2.2.2: it would be an empty non-terminal",
        ),
        (redirect("c.cdn.test", "otherwise = \"410\""), "allowed: dns, 404, 421, http", "status"),
        (
            redirect("x.test", "steer = \"c.cdn.test\"\notherwise = \"dns\""),
            "needs a host that DNS steers",
            "DNS says nothing of it",
        ),
        ("[http]\ntrusted_proxies = [\"10.0.0.1/8\"]".into(), "has bits set beyond", "a prefix"),
        ("[http]\nproxy_protocol = true".into(), "cdn.toml:30: http.proxy_protocol: true", "whom?"),
        ("[http]\nclient_field = \"Via\"".into(), "allowed: X-Forwarded-For, Forwarded", "field"),
        ("[http]\ncertificate = \"a\"".into(), "http.certificate: \"a\" needs `key`", "no key"),
        ("[http]\nkey = \"a\"".into(), "http.key: \"a\" needs `certificate`", "no certificate"),
        (
            "[http]\ncertificate = \"/none.pem\"\nkey = \"/none.pem\"".into(),
            "http.certificate: \"/none.pem\" is not read as PEM",
            "no file",
        ),
        ("[http]\nwhoami = \"cdn.test\"".into(), "needs records `*` below it", "no addresses"),
        ("[http]\nwhoami = \"x.test\"".into(), "is in none of the zones", "elsewhere"),
    ];
    for (text, expected, why) in cases {
        match read(text) {
            Err(message) => {
                assert!(!expected.is_empty() && message.contains(expected), "{why}: {message}");
            }
            Ok(_) => assert_eq!(*expected, "", "{why}: taken"),
        }
    }
    assert!(read("[http]\nwhoami = \"WHO.cdn.test\"").unwrap().front.whoami.is_some());
}
