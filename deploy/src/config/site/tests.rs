//! Sites as they are written, and what is said about mistakes in them.

use super::*;

fn read(text: &str) -> Result<Vec<Site>, Wrong> {
    let document = DeTable::parse(text).unwrap();
    sites(text, document.get_ref().get("site").unwrap())
}

#[test]
fn every_key_sets_its_part_of_the_site() {
    let default = || Site { hosts: vec!["a.test".to_owned()], ..Site::default() };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let set = |change: fn(&mut Site)| {
        let mut site = default();
        change(&mut site);
        site
    };
    let rows: Vec<(&str, Site, &str)> = vec![
        ("", default(), "nothing said"),
        ("client-directives = true", default(), "the RFC's way"),
        (
            "client-directives = false",
            set(|site| site.ignore_client_directives = true),
            "clients count for nothing",
        ),
        ("set-cookie = \"store\"", default(), "the default"),
        (
            "set-cookie = \"withhold\"",
            set(|site| site.set_cookie = SetCookie::Withhold),
            "without it",
        ),
        ("set-cookie = \"refuse\"", set(|site| site.set_cookie = SetCookie::Refuse), "not at all"),
        (
            "stale-while-revalidate = \"30s\"",
            set(|site| site.defaults.stale_while_revalidate = DeltaSeconds(30)),
            "with a unit",
        ),
        (
            "stale-if-error = \"1h\"",
            set(|site| site.defaults.stale_if_error = DeltaSeconds(3600)),
            "a larger one",
        ),
        ("errors = 5", set(|site| site.defaults.error_lifetime = DeltaSeconds(5)), "a number"),
        (
            "errors = 2147483648",
            set(|site| site.defaults.error_lifetime = DeltaSeconds(1 << 31)),
            "the longest (RFC 9111 §1.2.2)",
        ),
        ("upgrade = true", set(|site| site.upgrade = true), "tunnels"),
        ("show-key = true", set(|site| site.show_key = true), "RFC 9211 §2.7"),
        (
            "key-host = \"WWW.a.test:8080\"",
            set(|site| site.key.host = Some("www.a.test:8080".to_owned())),
            "in lower case, with a port",
        ),
        ("key-query = \"all\"", default(), "the default"),
        ("key-query = \"none\"", set(|site| site.key.query = QueryRule::Drop), "no query"),
        (
            "key-query-only = [\"id\", \"filter[a]\", \"p*\"]",
            Site {
                key: KeyRules {
                    query: QueryRule::Only(names(&["id", "filter[a]", "p*"])),
                    ..KeyRules::default()
                },
                ..default()
            },
            "some, and some by their beginning",
        ),
        (
            "key-query-except = [\"utm_*\"]",
            set(|site| site.key.query = QueryRule::Except(vec!["utm_*".to_owned()])),
            "all but some",
        ),
        ("key-query-sorted = true", set(|site| site.key.sort_query = true), "in any order"),
        (
            "key-fields = [\"X-Device\"]",
            set(|site| site.key.fields = vec!["x-device".to_owned()]),
            "in lower case",
        ),
        (
            "key-cookies = [\"Currency\"]",
            set(|site| site.key.cookies = vec!["Currency".to_owned()]),
            "cookies have case",
        ),
    ];
    for (line, expected, why) in &rows {
        let found = read(&format!("[[site]]\nhosts = [\"a.test\"]\n{line}\n")).unwrap();
        assert_eq!(format!("{found:?}"), format!("{:?}", [expected]), "{line}: {why}");
    }
    for key in key_names() {
        let is_set = rows.iter().any(|(line, ..)| line.starts_with(&format!("{key} =")));
        assert!(is_set || key == "hosts", "no row for {key}");
    }
}

#[test]
fn hosts() {
    for (text, good, why) in [
        ("www.customer.test", true, "a name"),
        ("WWW.Customer.test", true, "in any case"),
        ("a_b.test", true, "underscores happen"),
        ("192.0.2.1", true, "an IPv4 address"),
        ("[2001:db8::1]", true, "an IPv6 address"),
        ("2001:db8::1", false, "without brackets"),
        ("[a.test]", false, "a name in brackets"),
        ("www.customer.test:80", false, "a port: all ports are one site"),
        ("http://www.customer.test", false, "a scheme"),
        ("www.customer.test/", false, "a path"),
        ("*.customer.test", false, "patterns are not understood"),
        ("a..test", false, "an empty label"),
        ("", false, "nothing"),
    ] {
        assert_eq!(host(text).is_ok(), good, "{text}: {why}");
    }
}

#[test]
fn mistakes_name_line_key_value_and_what_is_allowed() {
    for (text, line, message, why) in [
        ("[site]\n", 1, "site: a value of type table is not allowed; allowed: tables", "one table"),
        ("site = 3\n", 1, "site: 3 is not allowed; allowed: tables", "no table"),
        ("site = [3]\n", 1, "site: 3 is not allowed; allowed: tables", "no tables"),
        (
            "[[site]]\nhost = \"a\"\n",
            2,
            "site.host: unknown key; allowed: hosts, client-directives, set-cookie,",
            "a key",
        ),
        (
            "[[site]]\nset-cookie = \"keep\"\n",
            2,
            "site.set-cookie: \"keep\" is not allowed; allowed: \"store\", \"withhold\", \"refuse\"",
            "one of three",
        ),
        ("[[site]]\nupgrade = \"yes\"\n", 2, "site.upgrade: \"yes\" is not allowed", "a switch"),
        (
            "[[site]]\nerrors = \"500ms\"\n",
            2,
            "site.errors: \"500ms\" is not allowed; allowed: whole seconds",
            "parts of a second",
        ),
        ("[[site]]\nerrors = -5\n", 2, "site.errors: -5 is not allowed", "negative"),
        ("[[site]]\nerrors = 2147483649\n", 2, "site.errors: 2147483649 is not", "too long"),
        ("[[site]]\nerrors = \"soon\"\n", 2, "site.errors: \"soon\" is not allowed", "no time"),
        (
            "[[site]]\nhosts = \"a.test\"\n",
            2,
            "site.hosts: \"a.test\" is not allowed; allowed: a list",
            "no list",
        ),
        ("[[site]]\nhosts = []\n", 2, "site.hosts: a value of type array is not", "an empty list"),
        (
            "[[site]]\nhosts = [\n\"a\",\n\"b:1\"]\n",
            4,
            "site.hosts: \"b:1\" is not allowed",
            "in a list",
        ),
        (
            "[[site]]\nhosts = [\"a\", 1]\n",
            2,
            "site.hosts: 1 is not allowed; allowed: a string",
            "no string",
        ),
        (
            "[[site]]\nhosts = [\"a\", \"A\"]\n",
            2,
            "site.hosts: \"A\" is not allowed; allowed: each name once",
            "twice",
        ),
        (
            "[[site]]\nhosts = [\"a\"]\n[[site]]\nhosts = [\"b\", \"a\"]\n",
            4,
            "site.hosts: \"a\" is a host of the site in line 2 already",
            "two sites of one host",
        ),
        (
            "[[site]]\nupgrade = true\n[[site]]\nhosts = [\"a\"]\n[[site]]\n",
            5,
            "site.hosts: missing; allowed: one site without it, which is in line 1",
            "two defaults",
        ),
        ("[[site]]\nkey-host = \"a/b\"\n", 2, "site.key-host: \"a/b\" is not allowed", "a path"),
        ("[[site]]\nkey-host = \"a:99999\"\n", 2, "site.key-host: \"a:99999\" is not", "a port"),
        ("[[site]]\nkey-query = \"some\"\n", 2, "site.key-query: \"some\" is not", "all or none"),
        (
            "[[site]]\nkey-query = \"all\"\nkey-query-only = [\"a\"]\n",
            3,
            "site.key-query-only: key-query is there too; allowed: one of the two",
            "a contradiction",
        ),
        ("[[site]]\nkey-query-only = [\"a=b\"]\n", 2, "site.key-query-only: \"a=b\" is", "a value"),
        ("[[site]]\nkey-query-except = [\"a*b\"]\n", 2, "site.key-query-except: \"a*b\"", "a star"),
        ("[[site]]\nkey-fields = [\"a b\"]\n", 2, "site.key-fields: \"a b\" is not", "no token"),
        (
            "[[site]]\nkey-fields = [\"Cookie\"]\n",
            2,
            "site.key-fields: \"Cookie\" is not allowed; allowed: the names of cookies in key-cookies",
            "has its own key",
        ),
        ("[[site]]\nkey-fields = [\"te\"]\n", 2, "site.key-fields: \"te\" is not", "of one hop"),
        ("[[site]]\nkey-cookies = [\"a;b\"]\n", 2, "site.key-cookies: \"a;b\" is not", "no token"),
    ] {
        let (found, what) = read(text).unwrap_err();
        assert!(what.starts_with(message), "{why}: {what}");
        assert_eq!(found, line, "{why}: {what}");
        assert!(what.contains("; allowed: ") && !what.contains('\n'), "{why}: {what}");
    }
    let many: Vec<_> = (0..=NAMES_MAX).map(|number| format!("\"f{number}\"")).collect();
    let text = format!("[[site]]\nkey-fields = [{}]\n", many.join(", "));
    let (_, what) = read(&text).unwrap_err();
    assert!(what.ends_with("allowed: a list of 1 to 64 strings"), "{what}");
}
