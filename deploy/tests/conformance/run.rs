//! Running the cases: all at a time against one edge, each with what the upstream got to see.

use crate::case::{Answer, Case, Check, Step};
use crate::client::{self, Response};
use crate::moment;
use crate::upstream::{Received, Script, Scripts, Upstream};
use crate::verdict::{Seen, verdict};
use lastmile_edge::config::{Config, Host, Timeouts};
use lastmile_edge::site::{Site, Sites};
use lastmile_edge::{Edge, Upstream as UpstreamAddress};
use lastmile_tuning::cpu::Cores;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long something behind an answer may take; far more than it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Octets of the stack of each case's thread.
const STACK: usize = 256 * 1024;

/// How long the edge waits for an answer: longer than a loaded machine needs for one, and bearable in a test.
const SILENCE_MAX: Duration = Duration::from_secs(6);

/// An edge, its upstream, and a script for each case.
struct World {
    edge: Edge,
    upstream: Upstream,
    scripts: Scripts,
    base: i64,
}

impl World {
    fn new(cases: &[Case], sites: Vec<Site>) -> Self {
        let base = moment::now();
        let script = |case: &Case| {
            let steps = case.steps.iter().enumerate();
            let answers = steps
                .map(|(index, step)| {
                    let all = [Some(&step.answer), step.further.as_ref()].into_iter().flatten();
                    all.map(|answer| ready(case, index, answer, base)).collect()
                })
                .collect();
            (case.name.clone(), Arc::new(Script::new(answers)))
        };
        let scripts: Scripts = cases.iter().map(script).collect();
        assert_eq!(scripts.len(), cases.len(), "two cases have one name");
        let upstream = Upstream::start(scripts.clone());
        let address = upstream.address;
        let address = UpstreamAddress::new(Host::Address(address.ip()), address.port());
        let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let cores = Cores::allowed().unwrap();
        let config = Config::new("edge".to_owned(), listen, vec![address], cores);
        let config = Config {
            sites: Sites::new(sites).unwrap(),
            timeouts: Timeouts { upstream_head: SILENCE_MAX, ..Timeouts::default() },
            ..config
        };
        Self { edge: lastmile_edge::start(config).unwrap(), upstream, scripts, base }
    }
}

/// An answer of a step, without blanks.
fn ready(case: &Case, index: usize, answer: &Answer, base: i64) -> Answer {
    let mut answer = answer.clone();
    let fill = |text: &String| filled(case, text, base);
    answer.fields = answer.fields.iter().map(fill).collect();
    for (_, fields) in &mut answer.interim {
        *fields = fields.iter().map(fill).collect();
    }
    let content = answer.content.map(|content| fill(&content));
    // The same in any step for a 304, whose answer is another's.
    answer.content = Some(content.unwrap_or_else(|| format!("{}#{}", case.name, index + 1)));
    answer
}

fn filled(case: &Case, text: &str, base: i64) -> String {
    moment::filled(&text.replace("{path}", &format!("/{}", case.name)), base)
}

/// Runs all cases whose name contains the environment variable CASE, if it is set, and reports those that failed.
pub(crate) fn run(cases: Vec<Case>, sites: Vec<Site>) {
    let wanted = std::env::var("CASE").unwrap_or_default();
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.name.contains(&wanted)).collect();
    let failed = failures(&cases, sites);
    assert!(failed.is_empty(), "\n\n{}{} of {} failed", failed.concat(), failed.len(), cases.len());
}

/// A report for each case that has failed.
pub(crate) fn failures(cases: &[Case], sites: Vec<Site>) -> Vec<String> {
    let world = World::new(cases, sites);
    let failed = Mutex::new(Vec::new());
    let end = |case: &Case| case.refused_from.unwrap_or(case.steps.len());
    all(&world, cases, |case| 0..end(case), &failed);
    if cases.iter().any(|case| case.refused_from.is_some()) {
        world.upstream.stop();
        all(&world, cases, |case| end(case)..case.steps.len(), &failed);
    }
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    failed
}

/// Some steps of each case, all cases at a time.
fn all(
    world: &World,
    cases: &[Case],
    steps: impl Fn(&Case) -> std::ops::Range<usize>,
    failed: &Mutex<Vec<String>>,
) {
    std::thread::scope(|scope| {
        for case in cases {
            let steps = steps(case);
            let thread = std::thread::Builder::new().name(case.name.clone()).stack_size(STACK);
            let run = move || {
                if let Some(report) = run_case(world, case, steps) {
                    failed.lock().unwrap().push(report);
                }
            };
            thread.spawn_scoped(scope, run).unwrap();
        }
    });
}

/// A report if something is not as it should be.
fn run_case(world: &World, case: &Case, steps: std::ops::Range<usize>) -> Option<String> {
    let script = &world.scripts[&case.name];
    let mut report = format!("{}: {} ({})\n", case.name, case.why, case.citation);
    let mut is_good = true;
    for index in steps {
        let step = &case.steps[index];
        std::thread::sleep(step.pause);
        script.begin(index);
        let deadline = Instant::now() + PATIENCE;
        let (response, received, wrong) = loop {
            let (response, received, wrong) = take_step(world, case, index);
            if wrong.is_empty() || !step.repeats || Instant::now() > deadline {
                break (response, received, wrong);
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        describe(&mut report, world, case, index, &response, &received);
        for wrong in &wrong {
            is_good = false;
            let _ = writeln!(report, "    WRONG: {wrong}");
        }
    }
    report.push('\n');
    (!is_good).then_some(report)
}

type Taken = (Result<Response, String>, Vec<Received>, Vec<String>);

/// One request and its response, what the upstream has received, and what is wrong with it.
fn take_step(world: &World, case: &Case, index: usize) -> Taken {
    let step = &case.steps[index];
    let script = &world.scripts[&case.name];
    let edge = world.edge.addresses()[0];
    let response = client::ask(edge, step.method, request(world, case, step).as_bytes());
    let behind = step.checks.iter().any(|check| matches!(check, Check::AskedBehind));
    // What is repeated may find an earlier question still under way, and ask none itself.
    let patience = if step.repeats { Duration::from_millis(200) } else { PATIENCE };
    let deadline = Instant::now() + patience;
    while behind && script.received(index).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let received = script.received(index);
    let wrong = match &response {
        Ok(response) => {
            let answer_of = |of: usize| {
                let of = if of == 0 { index } else { of - 1 };
                ready(case, of, &case.steps[of].answer, world.base)
            };
            let fill = |text: &String| filled(case, text, world.base);
            let seen = Seen { response, received: &received };
            verdict(step, &seen, &answer_of, &fill)
        }
        Err(error) => vec![error.clone()],
    };
    (response, received, wrong)
}

fn request(world: &World, case: &Case, step: &Step) -> String {
    let mut out = format!("{} {} HTTP/1.1\r\n", step.method, step.target);
    if !step.host.is_empty() {
        let _ = write!(out, "Host: {}\r\n", step.host);
    }
    for line in &step.fields {
        let _ = write!(out, "{line}\r\n");
    }
    let content = step.content.unwrap_or_default();
    if step.content.is_some() {
        let _ = write!(out, "Content-Length: {}\r\n", content.len());
    }
    filled(case, &format!("{out}\r\n{content}"), world.base)
}

fn describe(
    report: &mut String,
    world: &World,
    case: &Case,
    index: usize,
    response: &Result<Response, String>,
    received: &[Received],
) {
    let step = &case.steps[index];
    let indented = |text: &str| text.trim_end().replace("\r\n", "\n").replace('\n', "\n      ");
    let _ = writeln!(report, "  step {} after {:?}", index + 1, step.pause);
    let _ = writeln!(report, "    > {}", indented(&request(world, case, step)));
    for received in received {
        let _ = writeln!(report, "    upstream received: {}", indented(&received.head));
    }
    let would = ready(case, index, &step.answer, world.base);
    let said = if received.is_empty() { "would answer" } else { "answered" };
    let fields = would.fields.join("\n");
    let would = format!("{} {:?}\n{fields}", would.status, would.content.unwrap_or_default());
    let _ = writeln!(report, "    upstream {said}: {}", indented(&would));
    if let Ok(response) = response {
        let lines = response.fields.iter().map(|(name, value)| format!("{name}: {value}\n"));
        let head = format!("{}\n{}", response.status, lines.collect::<String>());
        let _ = writeln!(report, "    < {}", indented(&head));
        let _ = writeln!(report, "      {:?}", response.text());
    }
}
