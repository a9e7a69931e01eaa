//! Of scenario files: what they mean, and what is said when they mean nothing.

use super::*;
use crate::wan::link::{Queue, Rate};
use crate::wan::outcome::ExpectationKind;
use std::time::Duration;

/// Lines 1 to 8; what a test is about follows at line 9.
const START: &str = "name = \"x\"\ntitle = \"X\"\n[hosts.a]\n[hosts.b]\n[measure]\nkind = \"fetch\"\n\
                     from = \"a\"\nurl = \"http://b:8000/x\"\n";

fn parse(more: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse("x.toml", &format!("{START}{more}"))
}

fn scene_of(more: &str) -> Scene {
    parse(more).unwrap_or_else(|error| panic!("{error}")).cases[0].scene.clone()
}

#[test]
fn mistakes_name_line_key_and_what_is_allowed() {
    for (more, line, message, why) in [
        ("colour = 1", 9, "measure.colour: unknown key; allowed: from, kind", "a key"),
        ("[hosts.a]", 9, "duplicate key", "not TOML"),
        ("[host.c]", 9, "host: unknown key; allowed: seed, repeat, hosts", "a table"),
        ("[hosts.\"c d\"]", 9, "hosts.c d: \"c d\" is no name", "a name"),
        ("[hosts.dir]", 9, "hosts.dir: a table is not allowed; allowed: another name", "{dir}"),
        ("[hosts.c]\nsysctl = { \"../x\" = \"1\" }", 10, "hosts.c.sysctl.../x: \"1\"", "a path"),
        ("[links.l]\nends = [\"a\"]", 10, "links.l.ends: a list is not allowed", "one end"),
        (
            "[links.l]\nends = [\"a\", \"c\"]",
            10,
            "links.l.ends[1]: \"c\" is not allowed; allowed: \
          the name of a host: a, b",
            "no host",
        ),
        ("[links.l]\nends = [\"a\", \"a\"]", 10, "links.l.ends[1]: \"a\"", "both ends"),
        (
            "[links.l]\nends = [\"a\", \"b\"]\nrtt = 80",
            11,
            "links.l.rtt: 80 is not allowed; allowed: text",
            "no unit",
        ),
        (
            "[links.l]\nends = [\"a\", \"b\"]\nrtt = \"80 years\"",
            11,
            "links.l.rtt: \"80 years\" is no duration",
            "a unit",
        ),
        (
            "[links.l]\nends = [\"a\", \"b\"]\nrtt = \"1ms\"\ndelay = \"1ms\"",
            12,
            "links.l.delay: \"1ms\" is not",
            "twice",
        ),
        (
            "[links.l]\nends = [\"a\", \"b\"]\nloss = \"101%\"",
            11,
            "links.l.loss: \"101%\"",
            "more than all",
        ),
        (
            "[links.l]\nends = [\"a\", \"b\"]\ndrop = [\"DATUM 1\"]",
            11,
            "links.l.drop[0]: ",
            "no kind of packet",
        ),
        (
            "[links.l]\nends = [\"a\", \"b\"]\nburst = { enter = \"1%\" }",
            11,
            "links.l.burst.leave is missing",
            "a part",
        ),
        (
            "[links.l]\nends = [\"a\", \"b\"]\nforth = { ends = 1 }",
            11,
            "links.l.forth.ends: unknown key",
            "of a way",
        ),
        (
            "[links.l]\nends = [\"a\", \"b\"]\nchange = [{ at = \"2s\" }, { at = \"1s\" }]",
            11,
            "links.l.change[1].at: \
          \"1s\" is not allowed; allowed: a time after",
            "back in time",
        ),
        ("[routes.r]\nat = \"a\"\nto = \"a\"", 11, "routes.r.to: \"a\"", "to itself"),
        (
            "[routes.r]\nat = \"a\"\nto = \"b\"\ninitcwnd = 0",
            12,
            "routes.r.initcwnd: 0 is not \
          allowed; allowed: a whole number from 1",
            "a range",
        ),
        (
            "[programs.p]\nhost = \"a\"\nrun = \"x {c}\"",
            11,
            "programs.p.run: \"x {c}\" is not \
          allowed; allowed: in braces: {dir}, {a}, {b}",
            "no host",
        ),
        ("[programs.p]\nhost = \"a\"\nrun = \"x 'y\"", 11, "programs.p.run: ", "an open quote"),
        (
            "[programs.p]\nhost = \"a\"\nrun = \"x\"\nready = \"soon\"",
            12,
            "programs.p.ready: \
          \"soon\" is not allowed; allowed: a TCP port",
            "no port",
        ),
        (
            "[programs.p]\nhost = \"a\"\nrun = \"x\"\nfiles = { \"../y\" = \"\" }",
            12,
            "programs.p\
          .files.../y",
            "elsewhere",
        ),
        (
            "idle = \"1s\"",
            9,
            "measure.idle: \"1s\" is not allowed; allowed: with connection",
            "new",
        ),
        ("warm = -1", 9, "measure.warm: -1 is not allowed", "negative"),
        ("show = [\"a\"]", 9, "measure.show[0]: \"a\"", "no pair"),
        ("headers = { \"a b\" = \"c\" }", 9, "measure.headers.a b: ", "no field"),
        (
            "[[expect]]\nvalue = \"p99\"\nnear = 1",
            10,
            "expect[0].value: \"p99\" is not allowed; \
          allowed: connect, first_byte, last_byte",
            "of another kind",
        ),
        (
            "[[expect]]\nvalue = \"requests:l\"\nnear = 1",
            10,
            "expect[0].value: \"requests:l\"",
            "no link",
        ),
        ("[[expect]]\nvalue = \"connect\"", 9, "expect: a comparison is missing", "with what"),
        (
            "[[expect]]\nvalue = \"connect\"\nnear = 1\nat_most = 2",
            12,
            "expect[0].at_most: 2 is \
          not allowed; allowed: one comparison",
            "two",
        ),
        (
            "[[expect]]\nvalue = \"connect\"\nat_most = 1\nwithin = \"2%\"",
            12,
            "expect[0].within: ",
            "of no use",
        ),
        (
            "[[cases]]\nname = \"1\"\nexpect = [{ value = \"connect\", at_most_of = { case = \"2\", \
          part = 1 } }]",
            11,
            "expect.case: \"2\" is not allowed; allowed: an earlier case",
            "no case",
        ),
        (
            "[[cases]]\nname = \"1\"\n[[cases]]\nname = \"1\"",
            12,
            "cases[1].name: \"1\"",
            "the same",
        ),
        ("[[cases]]\nabout = \"1\"", 9, "cases[0].name is missing", "no name"),
        ("[[cases]]\nname = \"1\"\ntitle = \"2\"", 11, "cases[0].title: not a matter", "of all"),
        (
            "[[cases]]\nname = \"1\"\nlinks.l.absent = true",
            11,
            "l.absent: there is no l",
            "removed",
        ),
        ("[[cases]]\nname = \"1\"\nseed = \"x\"", 11, "seed: \"x\" is not allowed", "in a case"),
    ] {
        let error = parse(more).unwrap_err();
        assert_eq!(error.line, line, "{why}: {error}");
        assert!(error.what.starts_with(message), "{why}: {error}");
        assert!(!error.what.contains('\n'), "{why}: one line");
    }
    let error = Scenario::parse("x.toml", "title = \"X\"\n").unwrap_err();
    assert_eq!(error.to_string(), "x.toml:1: name is missing; such as name = \"f1\"");
}

#[test]
fn what_is_not_said_is_as_usual() {
    let scene = scene_of("");
    assert_eq!((scene.seed, scene.repeat), (1, 7));
    assert!(scene.links.is_empty() && scene.programs.is_empty() && scene.expect.is_empty());
    let url = Url { host: "b".to_owned(), port: 8000, target: "/x".to_owned() };
    assert_eq!(scene.measure.kind, Kind::Fetch { url, connection: Connection::New });
    assert_eq!(scene.measure.pause, None);
}

#[test]
fn links_are_alike_both_ways_unless_one_is_told_otherwise() {
    let scene = scene_of(
        "[links.l]\nends = [\"a\", \"b\"]\nrtt = \"80ms\"\nqueue = \"12 packets\"\n\
         change = [{ at = \"1s\", loss = \"2%\" }, { at = \"2s\", rate = \"1Mbit/s\" }]\n\
         [links.l.back]\nrate = \"20Mbit/s\"\ndelay = \"10ms\"",
    );
    let link = &scene.links[0];
    assert_eq!(link.forth.delay, Duration::from_millis(40), "half of it each way");
    assert_eq!(link.back.delay, Duration::from_millis(10));
    assert_eq!((link.forth.rate, link.back.rate), (None, Rate::new(20_000_000)));
    assert_eq!((link.forth.queue, link.back.queue), (Queue::Packets(12), Queue::Packets(12)));
    let [first, second] = link.back.changes.as_slice() else { panic!("two changes") };
    assert_eq!(first.conditions.rate, Rate::new(20_000_000), "only what changes");
    assert_eq!(second.conditions.rate, Rate::new(1_000_000));
    assert!((second.conditions.loss.part() - 0.02).abs() < 1e-9, "on top of the first");
    assert_eq!(second.at, Duration::from_secs(2));
}

#[test]
fn cases_are_laid_over_the_rest() {
    let scenario = parse(
        "[links.l]\nends = [\"a\", \"b\"]\n\
         [routes.r]\nat = \"b\"\nto = \"a\"\ncongestion = \"cubic\"\n\
         [programs.p]\nhost = \"b\"\nrun = \"lastmile\"\nready = 8000\n\
         [[expect]]\nvalue = \"last_byte\"\nnear = 1\n\
         [[expect]]\nvalue = \"failures\"\nat_most = 0\n\
         [[cases]]\nname = \"one\"\nabout = \" why \"\nroutes.r.initcwnd = 2\n\
         expect = [{ value = \"last_byte\", at_most = 2 }, { value = \"last_byte\", at_least = 1 }]\n\
         [[cases]]\nname = \"two\"\nprograms.p.absent = true\nmeasure.connection = \"kept\"\n\
         hosts.b.setup = [\"true {a}\"]\n\
         expect = [{ value = \"last_byte\", near_of = { case = \"one\", part = 0.5 } }]",
    );
    let scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
    let [one, two] = scenario.cases.as_slice() else { panic!("two cases") };
    assert_eq!((one.name.as_str(), one.about.as_str()), ("one", "why"));
    assert_eq!(one.scene.routes[0].metrics.initcwnd, Some(2));
    assert_eq!(one.scene.routes[0].metrics.congestion.as_deref(), Some("cubic"), "merged");
    assert_eq!(two.scene.routes[0].metrics.initcwnd, None, "of the other case");
    assert_eq!(one.scene.programs[0].ready, Some(Ready::Port(8000)));
    assert!(two.scene.programs.is_empty());
    assert_eq!(two.scene.hosts[1].setup, ["true {a}"]);
    let figures = |case: &Case| -> Vec<_> {
        case.scene.expect.iter().map(|expect| (expect.figure.clone(), expect.kind)).collect()
    };
    assert_eq!(
        figures(one),
        [
            (FigureName::Failures, ExpectationKind::AtMost),
            (FigureName::LastByte, ExpectationKind::AtMost),
            (FigureName::LastByte, ExpectationKind::AtLeast),
        ],
        "those of the same figure are replaced"
    );
    let half = Against::Case { case: "one".to_owned(), part: 0.5 };
    assert_eq!(two.scene.expect[1].against, half);
    assert_eq!(two.scene.expect[1].source, "0.5 of \"one\"");
}

#[test]
fn a_file_without_cases_is_one() {
    let scenario = parse("").unwrap();
    assert_eq!(scenario.cases.len(), 1);
    assert_eq!(scenario.cases[0].name, "x");
}

#[test]
fn ways_to_measure() {
    for (text, kind, why) in [
        ("kind = \"connect\"\nurl = \"http://b/\"", "http://b/", "port 80"),
        (
            "kind = \"crowd\"\nurl = \"http://b:1/\"\nclients = 9\nwithin = \"1s\"",
            "http://b:1/",
            "crowd",
        ),
        ("kind = \"stream\"\nurl = \"http://b/y?z\"\nfor = \"4s\"", "http://b/y?z", "stream"),
        ("kind = \"program\"\nrun = \"true\"", "", "program"),
    ] {
        let text = format!(
            "name = \"x\"\ntitle = \"X\"\n[hosts]\na = {{}}\nb = {{}}\n[measure]\nfrom = \"a\"\n{text}"
        );
        let scenario = Scenario::parse("x", &text).unwrap_or_else(|error| panic!("{why}: {error}"));
        let found = scenario.cases[0].scene.measure.kind.url().map(ToString::to_string);
        assert_eq!(found.unwrap_or_default(), kind, "{why}");
    }
}
