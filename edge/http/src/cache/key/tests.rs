//! Tables and properties of [`super`].

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn key(authority: &str, path_and_query: &str) -> String {
    key_by(&KeyRules::default(), authority, path_and_query)
}

fn key_by(rules: &KeyRules, authority: &str, path_and_query: &str) -> String {
    let mut out = Vec::new();
    write_key(rules, authority.as_bytes(), path_and_query.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

fn target_by(rules: &KeyRules, path_and_query: &str) -> String {
    let mut out = Vec::new();
    write_target(rules, path_and_query.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

fn only(names: &[&str]) -> KeyRules {
    let query = QueryRule::Only(names.iter().map(|&name| name.to_owned()).collect());
    KeyRules { query, ..KeyRules::default() }
}

fn except(names: &[&str]) -> KeyRules {
    let query = QueryRule::Except(names.iter().map(|&name| name.to_owned()).collect());
    KeyRules { query, ..KeyRules::default() }
}

#[test]
fn hosts() {
    // RFC 9110 §4.2.3, RFC 3986 §6.2.2.1, §6.2.3
    let rows: [(&str, &str, &str, &str); 13] = [
        ("a.test", "/b?c", "a.test/b?c", "plain"),
        ("A.Test", "/B?C", "a.test/B?C", "the host is case-insensitive, the rest is not"),
        ("a.test:80", "/", "a.test/", "the default port"),
        ("a.test:", "/", "a.test/", "an empty port"),
        ("a.test:8080", "/", "a.test:8080/", "another port"),
        ("a.test:180", "/", "a.test:180/", "ends like the default port"),
        ("[::1]:80", "/", "[::1]/", "a literal address with the default port"),
        ("[fe80::80]", "/", "[fe80::80]/", "no port, though it looks like one"),
        ("a.test.", "/", "a.test./", "the final dot is another name"),
        ("a.test", "", "a.test/", "an empty path"),
        ("a.test", "?x", "a.test/?x", "an empty path with a query"),
        ("a.test", "*", "a.test*", "OPTIONS *"),
        ("", "/b", "/b", "HTTP/1.0 without Host"),
    ];
    for (authority, path_and_query, expected, why) in rows {
        assert_eq!(key(authority, path_and_query), expected, "{why}");
    }
    let mut out = b"x".to_vec();
    write_key(&KeyRules::default(), b"a", b"/%7e", &mut out);
    assert_eq!(out, b"xa/~", "appends");
}

#[test]
fn equivalent_uris_have_one_key() {
    let rows: [(&str, &str, &str); 47] = [
        ("/%7Euser", "/~user", "an unreserved octet (RFC 3986 §6.2.2.2)"),
        ("/%41%62%30%2D%2e%5f", "/Ab0-._", "all kinds of unreserved ones (§2.3)"),
        ("/%c3%a9", "/%C3%A9", "digits in upper case (§6.2.2.1)"),
        ("/%3a%3A", "/%3A%3A", "a reserved octet stays encoded"),
        ("/a%2Fb", "/a%2Fb", "an encoded slash is none"),
        ("/a%2fb", "/a%2Fb", "in any case"),
        ("/a%2f..%2fb", "/a%2F..%2Fb", "so that it makes no segment"),
        ("/a%3fb", "/a%3Fb", "nor an encoded mark a query"),
        ("/a%26b", "/a%26b", "nor an encoded ampersand a parameter"),
        ("/%2541", "/%2541", "decoded once only"),
        ("/%", "/%", "encodes nothing"),
        ("/%4", "/%4", "encodes nothing"),
        ("/%4g%41", "/%4g%41", "then nothing in the segment is decoded"),
        ("/%%341", "/%%341", "or it would encode something"),
        ("/%/%41", "/%/A", "the next segment is another one"),
        ("/%41?%", "/A?%", "and so is the query"),
        ("/%41/%zz/../b", "/A/b", "a segment that encodes nothing is one all the same"),
        ("/a/./b", "/a/b", "a dot segment (§6.2.2.3, §5.2.4)"),
        ("/a/../b", "/b", "two dots"),
        ("/a/b/c/./../../g", "/a/g", "the example of §5.2.4"),
        ("/a/b/..", "/a/", "at the end"),
        ("/a/b/.", "/a/b/", "at the end"),
        ("/..", "/", "above the root"),
        ("/../../a", "/a", "above the root"),
        ("/.", "/", "the root"),
        ("/a/%2e%2E/b", "/b", "encoded dots (§6.2.2.2 comes first)"),
        ("/a/.%2e", "/", "half encoded"),
        ("/a//../b", "/a/b", "an empty segment is one"),
        ("//a//", "//a//", "and stays"),
        ("//..", "/", "goes with two dots"),
        ("/a/...", "/a/...", "three dots are a name"),
        ("/a/.b/..c/d./e..", "/a/.b/..c/d./e..", "names with dots"),
        ("/a/..;x/b", "/a/..;x/b", "no dot segment here, whatever the origin says"),
        ("/a\\..\\b", "/a\\..\\b", "a backslash is no slash"),
        ("/a%5C..%5cb", "/a%5C..%5Cb", "encoded neither"),
        ("/a%00", "/a%00", "NUL stays encoded"),
        ("/a+b%20c", "/a+b%20c", "a plus is no space"),
        ("/a?", "/a", "an empty query is none"),
        ("/?", "/", "an empty query is none"),
        ("?", "/", "an empty path and query"),
        ("/a??", "/a??", "a query that is a mark"),
        ("/a?%7e=%c3", "/a?~=%C3", "in the query too"),
        ("/a?b=/../c/./d", "/a?b=/../c/./d", "no segments in the query"),
        ("/./a?b=/../c", "/a?b=/../c", "nor behind some in the path"),
        ("/a?b&&c&", "/a?b&&c&", "empty parameters stay"),
        ("/a?b=1&a=2", "/a?b=1&a=2", "order counts, unless asked for"),
        ("/a?b#c", "/a?b#c", "a fragment never comes here"),
    ];
    for (path_and_query, expected, why) in rows {
        assert_eq!(key("a", path_and_query), format!("a{expected}"), "{path_and_query}: {why}");
        assert_eq!(key("a", expected), format!("a{expected}"), "again: {path_and_query}: {why}");
    }
}

#[test]
fn sites_choose_their_host() {
    let host = Some("Www.A.test:80".to_owned());
    let rules = KeyRules { host, ..KeyRules::default() };
    for authority in ["b.test", "c.test:8080", "www.a.test", ""] {
        assert_eq!(key_by(&rules, authority, "/"), "www.a.test/", "{authority}: one host");
    }
}

#[test]
fn sites_choose_their_parameters() {
    let (all, drop) = (KeyRules::default(), QueryRule::Drop);
    let drop = KeyRules { query: drop, ..KeyRules::default() };
    let rows: [(&KeyRules, &str, &str, &str, &str); 29] = [
        (&all, "/a?b=%7e", "/a?b=~", "/a?b=%7e", "the upstream is asked octet for octet"),
        (&all, "/%7e/../a?", "/a", "/%7e/../a?", "a mark and dots too"),
        (&all, "*", "*", "*", "OPTIONS *"),
        (&drop, "/a?b=1&c", "/a", "/a", "no query"),
        (&drop, "/a?", "/a", "/a", "no mark either"),
        (&drop, "/a", "/a", "/a", "there was none"),
        (&drop, "/a%3fb", "/a%3Fb", "/a%3fb", "an encoded mark begins no query"),
        (&only(&["b"]), "/a?b=1&c=2", "/a?b=1", "/a?b=1", "one of two"),
        (&only(&["b"]), "/a?c=2&b=%7e", "/a?b=~", "/a?b=%7e", "the other way"),
        (&only(&["b"]), "/a?c=2", "/a", "/a", "none left"),
        (&only(&["b"]), "/a?b", "/a?b", "/a?b", "without a value"),
        (&only(&["b"]), "/a?b=1&b=2", "/a?b=1&b=2", "/a?b=1&b=2", "twice"),
        (&only(&["b"]), "/a?B=1&bb=1&=b", "/a", "/a", "other names"),
        (&only(&["b"]), "/a?%62=1", "/a?b=1", "/a?%62=1", "an encoded name"),
        (&only(&["b[]"]), "/a?b%5B%5d=1", "/a?b%5B%5D=1", "/a?b%5B%5d=1", "of reserved octets"),
        (&only(&["b"]), "/a?c=1;b=2", "/a", "/a", "a semicolon separates nothing"),
        (&only(&["b"]), "/a?c=1%26b=2", "/a", "/a", "nor does an encoded ampersand"),
        (&only(&["b"]), "/a?b=1?c=2", "/a?b=1?c=2", "/a?b=1?c=2", "nor does a second mark"),
        (&only(&[]), "/a?b", "/a", "/a", "no names"),
        (&except(&["utm_*"]), "/a?utm_x=1&b=2&utm_=3", "/a?b=2", "/a?b=2", "a prefix"),
        (&except(&["utm_*"]), "/a?utm%5Fx=1&b", "/a?b", "/a?b", "an encoded prefix"),
        (&except(&["utm_*"]), "/a?utm=1", "/a?utm=1", "/a?utm=1", "shorter than the prefix"),
        (&except(&["b"]), "/a?b=1", "/a", "/a", "none left"),
        (&except(&["b"]), "/a?b=1&", "/a", "/a", "nothing left but an empty one"),
        (&except(&["b"]), "/a?c&&b&d", "/a?c&&d", "/a?c&&d", "empty ones stay"),
        (&except(&["b"]), "/a?", "/a", "/a?", "nothing was left out"),
        (&except(&["b"]), "/%41?c=%41", "/A?c=A", "/%41?c=%41", "octet for octet"),
        (&except(&["*"]), "/a?b&c", "/a", "/a", "all names"),
        (&except(&[""]), "/a?&b&=c", "/a?b", "/a?b", "those without a name"),
    ];
    for (rules, path_and_query, expected, target, why) in rows {
        let key = key_by(rules, "", path_and_query);
        assert_eq!(key, expected, "{path_and_query}: {why}");
        assert_eq!(target_by(rules, path_and_query), target, "{path_and_query}: {why}");
        assert_eq!(key_by(rules, "", target), key, "what is asked for has the key it is stored by");
    }
}

#[test]
fn sites_sort_their_parameters() {
    let sorting = KeyRules { sort_query: true, ..KeyRules::default() };
    let both = KeyRules { sort_query: true, ..except(&["x"]) };
    let many = |order: &mut dyn Iterator<Item = usize>| {
        let parameters: Vec<_> = order.map(|number| format!("p{number:04}=1")).collect();
        format!("/?{}", parameters.join("&"))
    };
    let (up, down) = (many(&mut (0..500)), many(&mut (0..500).rev()));
    let few = (many(&mut (0..32)), many(&mut (0..32).rev()));
    let one_more = (many(&mut (0..33)), many(&mut (0..33).rev()));
    let rows: [(&KeyRules, &str, &str, &str); 12] = [
        (&sorting, "/?b=1&a=2", "/?a=2&b=1", "by name"),
        (&sorting, "/?a=2&a=1&A", "/?A&a=2&a=1", "those of one name keep their order"),
        (&sorting, "/?%62=1&a=2&b=0", "/?a=2&b=1&b=0", "by what the name means"),
        (&sorting, "/?ab=1&a=2&a", "/?a=2&a&ab=1", "the shorter name first"),
        (&sorting, "/?b&&a&", "/?&&a&b", "empty ones first"),
        (&sorting, "/?", "/", "an empty query is none"),
        (&sorting, "/b", "/b", "no query"),
        (&sorting, "/?%", "/?%", "encodes nothing"),
        (&both, "/?c&x=1&b", "/?b&c", "those that count"),
        (&sorting, &down, &up, "many"),
        (&sorting, &few.1, &few.0, "the most without allocating"),
        (&sorting, &one_more.1, &one_more.0, "one more"),
    ];
    for (rules, path_and_query, expected, why) in rows {
        assert_eq!(key_by(rules, "", path_and_query), expected, "{why}");
    }
    assert_eq!(target_by(&sorting, "/?b=1&a=2"), "/?b=1&a=2", "the upstream is asked as it came");
    assert_eq!(target_by(&both, "/?c&x=1&b"), "/?c&b", "but without what does not count");
}

#[test]
fn dot_segments_are_found() {
    // RFC 3986 §3.3
    for (path_and_query, expected, why) in [
        ("/a/../b", true, "two dots"),
        ("/a/./b", true, "one dot"),
        ("/..", true, "at the end"),
        ("/.", true, "at the end"),
        ("/%2e%2e/a", true, "encoded"),
        ("/a/%2E", true, "in any case"),
        ("/.%2e/a", true, "half encoded"),
        ("/%2e./a", true, "half encoded"),
        ("/../a?b", true, "before a query"),
        ("/a?b=/../c", false, "in the query"),
        ("/...", false, "three dots"),
        ("/.a/a./..a", false, "names with dots"),
        ("/..;/a", false, "a name here"),
        ("/a/..%2fb", false, "an encoded slash is none"),
        ("/%252e/", false, "encoded twice"),
        ("//", false, "empty segments"),
        ("/", false, "none"),
        ("*", false, "no path"),
        ("", false, "nothing"),
    ] {
        assert_eq!(has_dot_segments(path_and_query.as_bytes()), expected, "{why}");
    }
}

/// What a URI is the same as, by another way than the key: RFC 3986 §6.2.2 on strings, the algorithm of §5.2.4 by its
/// letter. Nothing is shared with what is tested.
fn model(path_and_query: &str, rules: &KeyRules) -> (Vec<String>, Option<Vec<String>>) {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let path: Vec<String> = path.split('/').map(meaning).collect();
    let (mut input, mut output) = (path.join("/"), String::new());
    while !input.is_empty() {
        if input.starts_with("/./") {
            input.replace_range(..2, "");
        } else if input == "/." {
            input = "/".to_owned();
        } else if input.starts_with("/../") || input == "/.." {
            input = if input == "/.." { "/".to_owned() } else { input[3..].to_owned() };
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |index| index + 1);
            output.extend(input.drain(..end));
        }
    }
    let segments = output.split('/').map(str::to_owned).collect();
    let query = query.filter(|query| !query.is_empty()).map(|query| {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for parameter in query.split('&') {
            let name = parameter.split('=').next().unwrap_or_default();
            let plain = name.replace("%61", "a").replace("%62", "b");
            let dropped = match &rules.query {
                QueryRule::All => false,
                QueryRule::Drop => true,
                QueryRule::Only(names) => !names.contains(&plain),
                QueryRule::Except(names) => names.contains(&plain),
            };
            if !dropped {
                parameters.push((meaning(name), meaning(parameter)));
            }
        }
        if rules.sort_query {
            parameters.sort_by(|one, other| one.0.cmp(&other.0));
        }
        parameters.into_iter().map(|(_, parameter)| parameter).collect::<Vec<_>>()
    });
    (segments, query.filter(|query| !query.is_empty() && !query.join("&").is_empty()))
}

fn meaning(component: &str) -> String {
    let octets: Vec<char> = component.chars().collect();
    let (mut out, mut index) = (String::new(), 0);
    while index < octets.len() {
        if octets[index] != '%' {
            out.push(octets[index]);
            index += 1;
            continue;
        }
        let digits: String = octets[index + 1..].iter().take(2).collect();
        let is_encoding =
            digits.len() == 2 && digits.chars().all(|digit| digit.is_ascii_hexdigit());
        if !is_encoding {
            return component.to_owned();
        }
        let octet = u8::from_str_radix(&digits, 16).unwrap();
        if octet.is_ascii_alphanumeric() || "-._~".contains(char::from(octet)) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{}", digits.to_uppercase()));
        }
        index += 3;
    }
    out
}

fn rules() -> impl Strategy<Value = KeyRules> {
    let names = || vec("(a|b|ab)", 0..3);
    let query = prop_oneof![
        Just(QueryRule::All),
        Just(QueryRule::Drop),
        names().prop_map(QueryRule::Only),
        names().prop_map(QueryRule::Except),
    ];
    (query, any::<bool>()).prop_map(|(query, sort_query)| KeyRules {
        query,
        sort_query,
        ..KeyRules::default()
    })
}

fn path_and_query() -> impl Strategy<Value = String> {
    let segment = "/(a|b|\\.|%61|%2e|%2E|%2f|%2F|%41|%|4|1|%4){0,3}";
    let parameter = "(a|b|%61|%62|=|%3d|%3D|%|6|1|;|/\\.\\./){0,3}";
    let query = proptest::option::of(vec(parameter, 0..4).prop_map(|all| all.join("&")));
    (vec(segment, 1..5).prop_map(|all| all.concat()), query).prop_map(|(path, query)| match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn keys_are_equal_when_uris_are(
        rules in rules(),
        one in path_and_query(),
        other in path_and_query(),
    ) {
        let is_same = model(&one, &rules) == model(&other, &rules);
        let keys = (key_by(&rules, "a", &one), key_by(&rules, "a", &other));
        prop_assert_eq!(keys.0 == keys.1, is_same, "{} {} {:?}", one, other, rules);
    }

    #[test]
    fn a_key_is_its_own(rules in rules(), path_and_query in path_and_query()) {
        let key = key_by(&rules, "", &path_and_query);
        prop_assert_eq!(key_by(&rules, "", &key), key.clone());
        prop_assert!(!has_dot_segments(key.as_bytes()), "{}", key);
        prop_assert!(model(&path_and_query, &rules) == model(&key, &rules));
        // What is asked for is not told apart by what the key leaves out.
        let target = target_by(&rules, &path_and_query);
        prop_assert_eq!(key_by(&rules, "", &target), key.clone());
        prop_assert!(target.len() <= path_and_query.len());
        let plain = model(&path_and_query, &KeyRules::default()).0.join("/");
        let path = path_and_query.split('?').next().unwrap();
        if !has_dot_segments(path_and_query.as_bytes()) {
            prop_assert_eq!(plain.matches('/').count(), path.matches('/').count());
        }
    }

    #[test]
    fn what_differs_in_dropped_parameters_is_asked_alike(
        kept in vec("b=[01]", 0..3),
        one in vec("a=[01]", 0..3),
        other in vec("a=[01]", 0..3),
    ) {
        let (only, except) = (only(&["b"]), except(&["a"]));
        let target = |dropped: &[String]| format!("/?{}", [dropped, &kept[..]].concat().join("&"));
        let (one_target, other_target) = (target(&one), target(&other));
        if (kept.len() + one.len()) * (kept.len() + other.len()) > 0 {
            for rules in [&only, &except] {
                prop_assert_eq!(target_by(rules, &one_target), target_by(rules, &other_target));
                prop_assert_eq!(
                    key_by(rules, "", &one_target),
                    key_by(rules, "", &other_target)
                );
            }
        }
    }

    #[test]
    fn hosts_are_equal_when_they_are(
        left in ("[a-bA-B.:0-9]{0,6}", "(/[a-b/?]{0,3}[a-b])"),
        right in ("[a-bA-B.:0-9]{0,6}", "(/[a-b/?]{0,3}[a-b])"),
    ) {
        let same = |(host, path): &(String, String)| {
            let host = host.strip_suffix(":80").or_else(|| host.strip_suffix(':')).unwrap_or(host);
            (host.to_ascii_lowercase(), path.clone())
        };
        let keys = (key(&left.0, &left.1), key(&right.0, &right.1));
        prop_assert_eq!(keys.0 == keys.1, same(&left) == same(&right));
    }

    #[test]
    fn arbitrary_octets_never_panic(rules in rules(), authority: Vec<u8>, target: Vec<u8>) {
        let mut out = Vec::new();
        write_key(&rules, &authority, &target, &mut out);
        write_target(&rules, &target, &mut out);
        let _ = has_dot_segments(&target);
    }
}
