//! Tables and properties of [`super`].

use super::*;
use crate::head::parse_fields;
use proptest::prelude::*;

fn select(vary: &str, request: &str) -> Result<String, NotStorable> {
    select_by(&KeyRules::default(), vary, request)
}

fn select_by(rules: &KeyRules, vary: &str, request: &str) -> Result<String, NotStorable> {
    let (mut vary_spans, mut spans) = (Vec::new(), Vec::new());
    let vary = parse_fields(vary.as_bytes(), &mut vary_spans).unwrap();
    let request = parse_fields(request.as_bytes(), &mut spans).unwrap();
    let mut out = Vec::new();
    selection(rules, vary, request, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn is_selected(selection: &str, request: &str) -> bool {
    let mut spans = Vec::new();
    selects(selection.as_bytes(), parse_fields(request.as_bytes(), &mut spans).unwrap())
}

#[test]
fn selections() {
    // RFC 9111 §4.1
    let request = "Foo: 1\r\nBar:  a , b\r\nFoo: 2\r\nEmpty:\r\nAccept-Encoding: GZIP, br\r\n";
    let rows: [(&str, Result<&str, NotStorable>, &str); 13] = [
        ("", Ok(""), "no Vary"),
        ("Vary:\r\n", Ok(""), "an empty Vary"),
        ("Vary: bar\r\n", Ok("bar:a,b\n"), "white space in a list does not matter"),
        ("Vary: BAR\r\n", Ok("bar:a,b\n"), "names are case-insensitive"),
        ("Vary: foo\r\n", Ok("foo:1,2\n"), "several lines are one list"),
        ("Vary: foo, bar\r\n", Ok("bar:a,b\nfoo:1,2\n"), "in order of names"),
        ("Vary: foo\r\nVary: bar, foo\r\n", Ok("bar:a,b\nfoo:1,2\n"), "once each"),
        ("Vary: nope\r\n", Ok("nope\n"), "absent"),
        ("Vary: empty\r\n", Ok("empty:\n"), "empty is not absent"),
        ("Vary: accept-encoding\r\n", Ok("accept-encoding:br,gzip\n"), "by meaning"),
        ("Vary: a:b, \"c, d\"\r\n", Ok(""), "no names of fields"),
        ("Vary: *\r\n", Err(NotStorable::VaryStar), "matches nothing"),
        ("Vary: foo, *\r\n", Err(NotStorable::VaryStar), "in a list too"),
    ];
    for (vary, expected, why) in rows {
        assert_eq!(select(vary, request), expected.map(str::to_owned), "{why}");
    }
}

#[test]
fn requests() {
    // RFC 9111 §4.1
    let rows: [(&str, &str, bool, &str); 16] = [
        ("", "Foo: 1\r\n", true, "no Vary: any request"),
        ("foo:1\n", "Foo: 1\r\n", true, "the same"),
        ("foo:1\n", "Foo: 2\r\n", false, "another value"),
        ("foo:1\n", "", false, "absent now"),
        ("foo:a\n", "Foo: A\r\n", false, "values are case-sensitive in general"),
        ("foo\n", "", true, "absent then and now"),
        ("foo\n", "Foo: 1\r\n", false, "absent then"),
        ("foo\n", "Foo:\r\n", false, "empty is not absent"),
        ("foo:\n", "Foo:\r\n", true, "empty then and now"),
        ("foo:\n", "", false, "empty then"),
        ("foo:1,2\n", "Foo: 1\r\nFoo: 2\r\n", true, "lines are combined"),
        ("foo:1,2\n", "Foo: 2, 1\r\n", false, "order matters in general"),
        ("foo:1\n", "Foo: 1, 2\r\n", false, "a prefix is not the same"),
        ("foo:1,2\n", "Foo: 1\r\n", false, "nor the other way"),
        ("bar:2\nfoo:1\n", "Foo: 1\r\nBar: 2\r\n", true, "both"),
        ("bar:2\nfoo:1\n", "Foo: 1\r\nBar: 3\r\n", false, "one of two"),
    ];
    for (selection, request, expected, why) in rows {
        assert_eq!(is_selected(selection, request), expected, "{why}");
    }
}

#[test]
fn unknown_fields_keep_what_may_matter() {
    // RFC 9111 §4.1: only what is known to mean the same is the same.
    let rows: [(&str, &str, bool, &str); 13] = [
        ("Foo: 1, 2\r\n", "Foo: 1,2\r\n", true, "white space around a comma"),
        ("Foo: 1,2\r\n", "Foo:  1 ,\t2 \r\n", true, "and at the ends"),
        ("Foo: 1, 2\r\n", "foo: 1\r\nFOO: 2\r\n", true, "lines are combined (RFC 9110 §5.3)"),
        ("Foo: 1\r\nBar: x\r\nFoo: 2\r\n", "Foo: 1,2\r\n", true, "with others between them"),
        ("Foo: 1\r\n", "Foo: ,1\r\n", false, "the origin may take it for no list"),
        ("Foo: 1\r\n", "Foo: 1,\r\n", false, "so may it here"),
        ("Foo: 1\r\n", "Foo:\r\nFoo: 1\r\n", false, "combined it has an empty member"),
        ("Foo: 1\r\n", "Foo: 1\r\nFoo: 1\r\n", false, "twice is not once"),
        ("Foo: \"a, b\"\r\n", "Foo: \"a,b\"\r\n", false, "white space in quotes is content"),
        ("Foo: \"\\\", b\"\r\n", "Foo: \"\\\",b\"\r\n", false, "a quoted quote ends nothing"),
        ("Foo: a b\r\n", "Foo: a  b\r\n", false, "white space within a member"),
        ("Foo: a\r\n", "Foo: A\r\n", false, "case"),
        ("Foo: 1\r\n", "Foo_: 1\r\n", false, "another name"),
    ];
    for (one, other, expected, why) in rows {
        assert_fit("foo", one, other, expected, why);
    }
}

#[test]
fn accepted_codings_count_by_their_meaning() {
    // RFC 9110 §12.5.3, §12.4.2, §8.4.1
    let rows: [(&str, &str, bool, &str); 34] = [
        ("gzip, br", "gzip, br", true, "the same"),
        ("gzip, br", "br,gzip", true, "order means nothing"),
        ("gzip, br", "GZIP, Br", true, "codings are case-insensitive (§8.4.1)"),
        ("gzip", "gzip;q=1", true, "the default weight"),
        ("gzip", "gzip ; Q=1.000", true, "written at length"),
        ("gzip;q=0.5", "gzip;q=0.500", true, "trailing zeros"),
        ("gzip;q=0.5, br", "br;q=1.0,gzip;q=.5", false, "no weight: compared as it is"),
        ("gzip;q=0.5", "gzip;q=0.05", false, "another weight"),
        ("gzip;q=0.5, br", "br;q=0.5, gzip", false, "other preferences"),
        ("x-gzip", "gzip", true, "the same to recipients (§8.4.1.3)"),
        ("X-Compress", "compress", true, "the same to recipients (§8.4.1.1)"),
        ("x-br", "br", false, "no alias"),
        ("gzip, gzip", "gzip", true, "said twice"),
        ("gzip, x-gzip", "gzip", true, "said twice by two names"),
        ("gzip, gzip;q=0", "gzip;q=0, gzip", false, "contradiction: nobody knows"),
        ("gzip, ,br,", "gzip, br", true, "a list may have empty members (§5.6.1.2)"),
        ("gzip, identity;q=0.5", "gzip", true, "identity is acceptable without being listed"),
        ("gzip;q=0.5, identity", "gzip;q=0.5", false, "identity is preferred"),
        ("gzip, identity", "gzip", false, "identity is as good"),
        ("identity", "", true, "an empty field asks for no coding, and so does this one"),
        ("identity;q=0", "", false, "identity is refused"),
        ("gzip, identity;q=0", "gzip", false, "identity is refused"),
        ("gzip, br;q=0", "gzip", true, "what is not listed is not accepted either"),
        ("gzip, br;q=0, *", "gzip, *", false, "the star accepts it"),
        ("gzip, *;q=0", "gzip", false, "the star refuses identity"),
        ("gzip, identity;q=0.5, *;q=0", "gzip, *;q=0", false, "identity is accepted all the same"),
        ("*", "gzip", false, "any is not one"),
        ("gzip;level=9", "gzip", false, "there are no parameters"),
        ("gzip;q=2", "gzip", false, "no weight"),
        ("gzip;q=0.1234", "gzip;q=0.123", false, "four digits are no weight"),
        ("gzip;q=", "gzip", false, "no weight"),
        ("gzip;q=1;q=1", "gzip", false, "two weights"),
        ("gzip deflate", "gzip, deflate", false, "a comma is missing"),
        ("gzip;q=1.001", "gzip", false, "more than all"),
    ];
    for (one, other, expected, why) in rows {
        let line = |value: &str| format!("Accept-Encoding: {value}\r\n");
        assert_fit("accept-encoding", &line(one), &line(other), expected, why);
    }
    assert_fit(
        "accept-encoding",
        "",
        "Accept-Encoding:\r\n",
        false,
        "any coding, and none (§12.5.3)",
    );
    let lines = "Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n";
    assert_fit("accept-encoding", lines, "Accept-Encoding: br, gzip\r\n", true, "combined (§5.3)");
}

#[test]
fn other_preferences_count_by_their_meaning() {
    // RFC 9110 §12.5.1, §12.5.2, §12.5.4
    let rows: [(&str, &str, &str, bool, &str); 22] = [
        ("Accept-Language", "en, de", "de, en", true, "order can't be relied upon (§12.5.4)"),
        ("Accept-Language", "en-US,en;q=0.5", "EN;q=0.50 , en-us", true, "weights say it (§8.5.1)"),
        ("Accept-Language", "en, de;q=0.5", "de, en;q=0.5", false, "weights differ"),
        ("Accept-Language", "en", "en-US", false, "another range"),
        ("Accept-Language", "en, de;q=0", "en", false, "refused is not unlisted"),
        ("Accept-Language", "en;x=1", "en", false, "there are no parameters"),
        ("Accept-Charset", "UTF-8, iso-8859-1;q=0.5", "iso-8859-1;q=0.5,utf-8", true, "§8.3.2"),
        ("Accept-Charset", "utf-8", "utf-16", false, "another one"),
        ("Accept", "text/html, */*;q=0.8", "TEXT/HTML;q=1,*/*;q=0.80", true, "types: §8.3.1"),
        ("Accept", "*/*;q=0.8, text/html", "text/html, */*;q=0.8", true, "weights say the order"),
        (
            "Accept",
            "text/html, text/plain",
            "text/plain, text/html",
            false,
            "servers give the first",
        ),
        ("Accept", "a/b;q=0.5, a/c;q=0.5", "a/c;q=0.5, a/b;q=0.5", false, "at any weight"),
        ("Accept", "text/html;level=1;q=0.5", "text/html; LEVEL=1; q=0.5", true, "§5.6.6"),
        ("Accept", "a/b;v=x", "a/b;v=X", false, "values of parameters may have case"),
        ("Accept", "a/b;v=x", "a/b", false, "a parameter"),
        ("Accept", "a/b;q=0.5;v=x", "a/b;v=x;q=0.5", true, "a weight is one anywhere (§12.5.1)"),
        ("Accept", "a/b;;v=x;", "a/b;v=x", true, "empty parameters (§5.6.6)"),
        ("Accept", "a/b;v=\"x\"", "a/b;v=x", false, "quotes: compared as it is"),
        ("Accept", "a/b;v=\"x, y\"", "a/b;v=\"x,y\"", false, "quotes: compared as it is"),
        ("Accept", "text/html", "", false, "empty"),
        ("Accept", "*/*", "*", false, "no media range"),
        ("Accept", "a/b;q=1;q=0", "a/b;q=1", false, "two weights"),
    ];
    for (name, one, other, expected, why) in rows {
        let line = |value: &str| format!("{name}: {value}\r\n");
        assert_fit(&name.to_ascii_lowercase(), &line(one), &line(other), expected, why);
    }
}

#[test]
fn long_lists_are_compared_as_they_are() {
    let list = |order: &mut dyn Iterator<Item = usize>| {
        let members: Vec<_> = order.map(|index| format!("c{index}")).collect();
        format!("Accept-Encoding: {}\r\n", members.join(", "))
    };
    for (count, expected) in [(16, true), (17, false), (1000, false)] {
        let (up, down) = (list(&mut (0..count)), list(&mut (0..count).rev()));
        assert_fit("accept-encoding", &up, &down, expected, "order counts beyond 16");
        assert_fit("accept-encoding", &up, &up, true, "the same");
    }
    // What is compared as it is can't be mistaken for what is not.
    let many = "gzip,".repeat(17);
    let line = format!("Accept-Encoding: {many}\r\n");
    assert_fit("accept-encoding", &line, "Accept-Encoding: gzip\r\n", false, "17 members, and 1");
}

#[test]
fn sites_add_fields_and_cookies() {
    // RFC 9111 §2: a cache key may have more than method and URI.
    let rules = KeyRules {
        fields: vec!["x-device".to_owned(), "foo".to_owned(), "no token".to_owned()],
        cookies: ["lang", "a", "lang", "", "b;c", "d=e", "f\n"].map(str::to_owned).to_vec(),
        ..KeyRules::default()
    };
    let request = "X-Device: tv\r\nFoo: 1\r\nCookie: a=1; lang=de; z=2\r\n";
    let rows: [(&str, &str, &str); 4] = [
        ("", "foo:1\nx-device:tv\n=a;=1\n=lang;=de\n", "without Vary"),
        ("Vary: foo, bar\r\n", "bar\nfoo:1\nx-device:tv\n=a;=1\n=lang;=de\n", "beside Vary"),
        (
            "Vary: Cookie\r\n",
            "cookie:a=1; lang=de; z=2\nfoo:1\nx-device:tv\n",
            "the whole field has each cookie",
        ),
        ("Vary: x-device\r\n", "foo:1\nx-device:tv\n=a;=1\n=lang;=de\n", "once each"),
    ];
    for (vary, expected, why) in rows {
        assert_eq!(select_by(&rules, vary, request).as_deref(), Ok(expected), "{why}");
        assert!(is_selected(expected, request), "{why}");
        assert!(!is_selected(expected, &request.replace("lang=de", "lang=en")), "{why}");
        assert!(!is_selected(expected, &request.replace("tv", "phone")), "{why}");
    }
}

#[test]
fn cookies_count_one_by_one() {
    // RFC 6265 §4.2.1, §5.4
    let rows: [(&str, &str, bool, &str); 33] = [
        ("a=1", "a=1", true, "the same"),
        ("a=1", "a=2", false, "another value"),
        ("a=1", "a=1; b=2", true, "other cookies do not count"),
        ("b=2; a=1", "a=1;b=3", true, "nor does the place"),
        ("a=1", "", false, "missing"),
        ("", "b=1", true, "missing twice, without the field too"),
        ("a=", "", false, "empty is not missing"),
        ("a=", "a=", true, "empty twice"),
        ("a=", "b=; c=", false, "others are empty"),
        ("a", "a=", false, "a name for some and a value for others"),
        ("a", "", false, "the same"),
        ("a=1", "A=1", false, "names have case"),
        ("a=1", "aa=1", false, "another name"),
        ("a=1; a=2", "a=2; a=1", false, "servers take the first or the last one"),
        ("a=1; a=2", "a=1", false, "the same"),
        ("a=1; b=2; a=3", "a=1; a=3", true, "all that are there"),
        ("a=\"1\"", "a=1", false, "quotes belong to the value (§4.1.1)"),
        ("a=\"1\"", "a=\"1\"; b=2", true, "quotes are nothing special"),
        ("a=\"1;2\"", "a=\"1;3\"", false, "some servers read on to the end of the quotes"),
        ("b=\"; a=1; c=\"", "a=1", false, "there may be no cookie a"),
        ("b=\"; a=1; c=\"", "", false, "there may be one"),
        ("b=\"\\\"; a=1; c=\"", "a=1", false, "no even number of quotes hides it"),
        ("b=1, a=1", "b=1", false, "some servers separate by commas"),
        ("b=1 a=1", "b=1", false, "some by white space"),
        ("b=\"a=1\"", "b=1", false, "some by anything"),
        ("b=1-a=1", "b=2", true, "but not by this"),
        ("%61=1", "a=1", false, "some decode names"),
        ("%61=1", "", false, "and some do not"),
        ("a =1", "a=1", false, "not all pass over white space"),
        ("a=1", "a= 1", false, "the same"),
        ("a=1 ", " a=1", true, "white space around is none of it"),
        (";;a=1;", "a=1", true, "nothing between semicolons"),
        ("=a", "", true, "a cookie without name"),
    ];
    let rules = KeyRules { cookies: vec!["a".to_owned()], ..KeyRules::default() };
    let line = |value: &str| match value {
        "" => String::new(),
        value => format!("Cookie: {value}\r\n"),
    };
    for (one, other, expected, why) in rows {
        for (one, other) in [(one, other), (other, one)] {
            let (then, now) = (line(one), line(other));
            let selection = select_by(&rules, "", &then).unwrap();
            assert!(is_selected(&selection, &then), "{one:?}: {why}");
            assert_eq!(is_selected(&selection, &now), expected, "{one:?} {other:?}: {why}");
        }
    }
    // RFC 9113 §8.2.3: several lines are one.
    let selection = select_by(&rules, "", "Cookie: b=1\r\nCookie: a=1; a=2\r\n").unwrap();
    assert!(is_selected(&selection, "Cookie: a=1\r\nCookie: c\r\nCookie: a=2\r\n"));
}

#[test]
fn a_field_is_no_cookie() {
    let cookies = KeyRules { cookies: vec!["a".to_owned()], ..KeyRules::default() };
    let fields = KeyRules { fields: vec!["a".to_owned()], ..KeyRules::default() };
    let (field, cookie) = ("a: 1\r\n", "Cookie: a=1\r\n");
    assert!(!is_selected(&select_by(&cookies, "", cookie).unwrap(), field));
    assert!(!is_selected(&select_by(&fields, "", field).unwrap(), cookie));
    // A selection with a cookie named in Vary takes all of it, octet for octet.
    for (one, other, expected, why) in [
        ("a=1; b=2", "a=1; b=2", true, "the same"),
        ("a=1; b=2", "b=2; a=1", false, "order"),
        ("a=1; b=2", "a=1;b=2", false, "white space"),
        ("a=1, b=2", "a=1,b=2", false, "a comma separates nothing"),
        ("a=1", "a=1; b=2", false, "another one"),
    ] {
        let line = |value: &str| format!("Cookie: {value}\r\n");
        assert_fit("cookie", &line(one), &line(other), expected, why);
    }
    let lines = "Cookie: a=1\r\nCookie: b=2\r\n";
    assert_fit("cookie", lines, "Cookie: a=1; b=2\r\n", true, "lines are combined");
}

#[test]
fn too_many_names_are_any() {
    let vary = |count: usize| {
        let names: Vec<_> = (0..count).map(|index| format!("f{index}")).collect();
        format!("Vary: {}\r\n", names.join(","))
    };
    assert!(select(&vary(64), "").is_ok());
    assert_eq!(select(&vary(65), ""), Err(NotStorable::VaryStar));
}

/// Asserts whether a response to a request with the lines `one` is selected by one with `other`, and the reverse, and
/// that what is written for both is the same exactly then.
fn assert_fit(vary: &str, one: &str, other: &str, expected: bool, why: &str) {
    let vary = format!("Vary: {vary}\r\n");
    let (left, right) = (select(&vary, one).unwrap(), select(&vary, other).unwrap());
    assert!(is_selected(&left, one) && is_selected(&right, other), "itself: {one:?} {other:?}");
    assert_eq!(is_selected(&left, other), expected, "{one:?} {other:?}: {why}");
    assert_eq!(is_selected(&right, one), expected, "{other:?} {one:?}: {why}");
    assert_eq!(left == right, expected, "written: {one:?} {other:?}: {why}");
}

fn lines() -> impl Strategy<Value = String> {
    let line = "(a|A|b|accept-encoding): ?[xX, ]{0,3}\r\n";
    proptest::collection::vec(line, 0..4).prop_map(|lines| lines.concat())
}

const COOKIES: &str = "((a|bc|d| |%61)(=|)[a1\" ,;\\\\]{0,3}(;|; |)){0,4}";

/// The cookies `a` and `bc`, as a server reads them.
fn read_cookies(line: &str, is_quoting: bool) -> Vec<(String, String)> {
    let field = line.trim_start_matches("Cookie:").trim_matches(['\r', '\n', ' ']);
    let (mut pairs, mut is_quoted) = (vec![String::new()], false);
    let mut octets = field.chars();
    while let Some(octet) = octets.next() {
        match octet {
            ';' if !is_quoted => pairs.push(String::new()),
            '\\' if is_quoted => {
                pairs.last_mut().unwrap().push('\\');
                pairs.last_mut().unwrap().extend(octets.next());
            }
            octet => {
                is_quoted ^= octet == '"' && is_quoting;
                pairs.last_mut().unwrap().push(octet);
            }
        }
    }
    let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    pairs.filter(|(name, _)| name == "a" || name == "bc").collect()
}

const CODINGS: [&str; 5] = ["gzip", "br", "x-gzip", "identity", "*"];

fn codings() -> impl Strategy<Value = Vec<(usize, u16)>> {
    let member = (0..CODINGS.len(), prop_oneof![Just(1000_u16), Just(0), Just(500), Just(250)]);
    proptest::collection::vec(member, 0..5)
}

fn coding_line(list: &[(usize, u16)]) -> String {
    let members = list.iter().map(|&(coding, weight)| match weight {
        1000 => CODINGS[coding].to_owned(),
        weight => format!("{};q=0.{weight:03}", CODINGS[coding]),
    });
    format!("Accept-Encoding: {}\r\n", members.collect::<Vec<_>>().join(", "))
}

/// Whether a client that lists this accepts the first coding, and whether it likes it more than the second one; `None`
/// when the list contradicts itself.
fn preferred(list: &[(usize, u16)], first: usize, second: usize) -> Option<(bool, bool)> {
    let weight = |coding: usize| {
        // RFC 9110 §8.4.1.3: x-gzip is gzip.
        let meant = |coding: usize| if CODINGS[coding] == "x-gzip" { 0 } else { coding };
        let same = |other: usize| meant(other) == meant(coding);
        let of = |wanted: &dyn Fn(usize) -> bool| -> Option<Option<u16>> {
            let mut weights: Vec<_> =
                list.iter().filter(|member| wanted(member.0)).map(|member| member.1).collect();
            weights.dedup();
            (weights.len() < 2).then(|| weights.first().copied())
        };
        // Identity is acceptable, last of all, when nothing is said of it.
        let otherwise = if coding == 3 { 1 } else { 0 };
        Some(of(&same)?.or(of(&|other| other == 4)?).unwrap_or(otherwise))
    };
    let (first, second) = (weight(first)?, weight(second)?);
    Some((first > 0, first > second))
}

proptest! {
    #[test]
    fn a_request_selects_what_it_would_write(
        vary in "(a|A|b|c|accept-encoding)(, ?(a|b|c|Accept-Encoding)){0,3}",
        stored in lines(),
        request in lines(),
    ) {
        let vary = format!("Vary: {vary}\r\n");
        let (then, now) = (select(&vary, &stored).unwrap(), select(&vary, &request).unwrap());
        prop_assert_eq!(is_selected(&then, &request), then == now);
        prop_assert!(is_selected(&then, &stored));
    }

    #[test]
    fn codings_are_a_set_of_weights(left in codings(), right in codings()) {
        // RFC 9110 §12.5.3, by a model that asks for the weight of each coding.
        let (one, other) = (coding_line(&left), coding_line(&right));
        let then = select("Vary: accept-encoding\r\n", &one).unwrap();
        prop_assert!(is_selected(&then, &one));
        if is_selected(&then, &other) && one != other {
            // Same preferences, whichever codings a server has.
            for pair in 0..CODINGS.len() * CODINGS.len() {
                let (first, second) = (pair / CODINGS.len(), pair % CODINGS.len());
                prop_assert_eq!(
                    preferred(&left, first, second),
                    preferred(&right, first, second),
                    "{} {} {} {}", one, other, CODINGS[first], CODINGS[second]
                );
            }
        }
    }

    #[test]
    fn the_order_of_codings_does_not_matter(
        (list, shuffled) in codings().prop_flat_map(|list| {
            (Just(list.clone()), Just(list).prop_shuffle())
        }),
    ) {
        // RFC 9110 §12.5.3, where no coding has two weights.
        if (0..CODINGS.len()).all(|coding| preferred(&list, coding, coding).is_some()) {
            let then = select("Vary: accept-encoding\r\n", &coding_line(&list)).unwrap();
            prop_assert!(is_selected(&then, &coding_line(&shuffled)), "{then} {shuffled:?}");
        }
    }

    #[test]
    fn any_preferences_select_themselves(
        name in "(Accept|Accept-Encoding|Accept-Language)",
        one in "[a-cA-C/*;=q0-2. \t,\"]{0,16}",
        other in "[a-cA-C/*;=q0-2. \t,\"]{0,16}",
    ) {
        let (vary, line) = (format!("Vary: {name}\r\n"), |value| format!("{name}: {value}\r\n"));
        let (one, other): (String, String) = (line(&one), line(&other));
        let (left, right) = (select(&vary, &one).unwrap(), select(&vary, &other).unwrap());
        prop_assert!(is_selected(&left, &one));
        prop_assert_eq!(is_selected(&left, &other), left == right);
        // The written form stands for itself.
        let again = select(&vary, &left.replacen(':', ": ", 1).replace('\n', "\r\n")).unwrap();
        prop_assert_eq!(again, left);
    }

    #[test]
    fn any_cookies_select_themselves(one in COOKIES, other in COOKIES) {
        let cookies = vec!["a".to_owned(), "bc".to_owned()];
        let rules = KeyRules { cookies, ..KeyRules::default() };
        let (one, other) = (format!("Cookie: {one}\r\n"), format!("Cookie: {other}\r\n"));
        let left = select_by(&rules, "", &one).unwrap();
        let right = select_by(&rules, "", &other).unwrap();
        prop_assert!(is_selected(&left, &one));
        prop_assert_eq!(is_selected(&left, &other), left == right);
        if left == right {
            // A server that knows semicolons only, and one that knows quotes too, see the same cookies.
            for is_quoting in [false, true] {
                let read = |line: &str| read_cookies(line, is_quoting);
                prop_assert_eq!(read(&one), read(&other));
            }
        }
    }

    #[test]
    fn any_vary_can_be_written_and_read(vary in "[!-~ ]{0,20}", request in lines()) {
        if let Ok(selection) = select(&format!("Vary: {vary}\r\n"), &request) {
            let _ = is_selected(&selection, &request);
        }
    }

    #[test]
    fn any_octets_can_be_read(selection: Vec<u8>, request in lines()) {
        let mut spans = Vec::new();
        let request = parse_fields(request.as_bytes(), &mut spans).unwrap();
        let _ = selects(&selection, request);
    }
}
