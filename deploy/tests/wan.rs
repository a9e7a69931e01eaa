//! The wide-area lab as it is used: the lecture's figures from their scenarios, a topology of a few lines, and that a
//! lab which is killed at any moment leaves nothing. One lab at a time: they share the cores.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

use lastmile_bench::wan::link::Conditions;
use lastmile_bench::wan::outcome::{CaseOutcome, Expectation, ExpectationKind, Row, Verdict};
use lastmile_bench::wan::run::Settings;
use lastmile_bench::wan::scenario::{Case, FigureName, ProgramSettings, Ready};
use lastmile_bench::wan::{Lab, Topology, WanError, run, scenarios};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The executable under test.
const LASTMILE: &str = env!("CARGO_BIN_EXE_lastmile");

/// Those that are quick, and whose arithmetic is exact.
const FIGURES: &[&str] = &["f1", "f2", "f3", "f4", "f8"];

/// How far off a figure may be where the machine is somebody else's too.
const TOLERANCE: f64 = 0.03;

/// How much longer than that everything may take on a machine whose time is often somebody else's. One more flight is more
/// than this, and flights, drops and failures are counted, so that what is wrong is seen there too.
const SLACK: f64 = 0.12;

/// How often a scenario is run until each of its cases has come out once.
const ATTEMPTS: u32 = 5;

/// Moments at which a lab is killed.
const KILLS: u32 = 12;

/// How long what is left of a killed lab may be there. The kernel takes namespaces apart in the background.
const GONE_WITHIN: Duration = Duration::from_secs(30);

static SERIAL: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    SERIAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there can be a lab here; says so if not.
fn can_be() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    let has_tun = Path::new("/dev/net/tun").exists();
    match Lab::start(Topology::default().host("a"), Path::new(LASTMILE)) {
        Ok(_) if has_tun => true,
        Err(error) if is_root && has_tun => panic!("root, and no lab: {error}"),
        Ok(_) | Err(_) => {
            eprintln!("skipped: a lab takes root's rights and /dev/net/tun");
            false
        }
    }
}

#[test]
fn figures_of_the_lecture_come_out() {
    let _alone = alone();
    if !can_be() {
        return;
    }
    let mut settings = Settings::new(PathBuf::from(LASTMILE));
    settings.is_quick = true;
    settings.tolerance_min = TOLERANCE;
    let all = scenarios::all().unwrap();
    for name in FIGURES {
        let scenario = all.iter().find(|scenario| scenario.name == *name).unwrap();
        let mut missing: BTreeSet<_> = scenario.cases.iter().map(|case| &case.name).collect();
        let mut missing_with_slack = missing.clone();
        let mut told = Vec::new();
        for _ in 0..ATTEMPTS {
            let outcome = run(scenario, &settings, &mut |line| eprintln!("{line}")).unwrap();
            told.extend(outcome.failure.clone());
            for case in scenario.cases.iter().filter(|_| outcome.failure.is_none()) {
                let seen = outcome.cases.iter().find(|seen| seen.name == case.name).unwrap();
                if holds(case, seen, SLACK).is_ok() {
                    missing_with_slack.remove(&case.name);
                }
                match holds(case, seen, 0.0) {
                    Ok(()) => drop(missing.remove(&case.name)),
                    Err(why) => told.push(format!("{}: {why}", case.name)),
                }
            }
            if missing.is_empty() {
                break;
            }
        }
        assert_eq!(missing_with_slack, BTreeSet::new(), "{name}: not as expected: {told:#?}");
        if !missing.is_empty() {
            eprintln!("{name}: too busy a machine for {TOLERANCE}: {missing:?}");
        }
    }
}

/// Whether a case has all figures that are expected of it, as they are expected, in one run; otherwise which is not.
fn holds(case: &Case, seen: &CaseOutcome, slack: f64) -> Result<(), String> {
    let mut expected: Vec<_> = case
        .scene
        .expect
        .iter()
        .map(|it| (it.figure.to_string(), format!("{:?}", it.kind), it.source.clone()))
        .collect();
    for row in &seen.rows {
        let Some(it) = &row.expected else {
            // Such as failures that nobody expects.
            if row.verdict == Verdict::Off {
                return Err(format!("{row:?}"));
            }
            continue;
        };
        let key = (row.name.clone(), format!("{:?}", it.kind), it.source.clone());
        let Some(at) = expected.iter().position(|expected| *expected == key) else {
            return Err(format!("not asked for: {row:?}"));
        };
        expected.swap_remove(at);
        if !is_met(row, it, slack) {
            return Err(format!("{row:?}"));
        }
    }
    if expected.is_empty() { Ok(()) } else { Err(format!("without a row: {expected:?}")) }
}

/// Whether a figure is as expected. The last byte may be so in one of its measurements: what a busy machine does to
/// clients and servers takes time and saves none. Times may be longer by the part `slack`.
fn is_met(row: &Row, expected: &Expectation, slack: f64) -> bool {
    let longer = if row.unit == "ms" { slack } else { 0.0 };
    let is_met_by = |value: f64| match expected.kind {
        ExpectationKind::Near => {
            let off = value / expected.value - 1.0;
            (-expected.tolerance..=expected.tolerance.max(longer)).contains(&off)
        }
        ExpectationKind::AtMost => value <= expected.value * (1.0 + longer),
        ExpectationKind::AtLeast => value >= expected.value,
    };
    let is_last_byte = row.name == FigureName::LastByte.to_string();
    let is_once = is_last_byte && is_met_by(row.measured.min);
    row.measured.count > 0 && (is_met_by(row.measured.median) || is_once)
}

#[test]
fn a_topology_takes_a_few_lines() {
    let _alone = alone();
    if !can_be() {
        return;
    }
    let delay = Duration::from_millis(15);
    let topology = Topology::default()
        .host("client")
        .host("server")
        .link(["client", "server"], Conditions::of_delay(delay));
    let mut lab = Lab::start(topology, Path::new(LASTMILE)).unwrap();
    lab.run(&ProgramSettings {
        name: "origin".to_owned(),
        host: "server".to_owned(),
        run: "lastmile origin --listen {server}:8000 --synthetic".to_owned(),
        ready: Some(Ready::Port(8000)),
        files: Vec::new(),
    })
    .unwrap();
    let server = (lab.host("server").unwrap().address, 8000);
    let client = &lab.host("client").unwrap().namespace;
    let (response, took) = client
        .run(|| {
            let began = Instant::now();
            let mut stream = TcpStream::connect(server)?;
            stream.write_all(b"GET /bytes/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
            let mut response = Vec::new();
            stream.read_to_end(&mut response)?;
            Ok((response, began.elapsed()))
        })
        .unwrap();
    assert!(response.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&response));
    assert!(took >= delay * 4, "two round trips at least: {took:?}");
    assert!(lab.host("nobody").is_err());
}

#[test]
fn programs_that_fail_say_so() {
    let _alone = alone();
    if !can_be() {
        return;
    }
    let mut lab = Lab::start(Topology::default().host("a"), Path::new(LASTMILE)).unwrap();
    let program = |run: &str, ready| ProgramSettings {
        name: "p".to_owned(),
        host: "a".to_owned(),
        run: run.to_owned(),
        ready,
        files: vec![("words".to_owned(), "{a} and {b}".to_owned())],
    };
    let port = Some(Ready::Port(8000));
    for (run, ready, said, why) in [
        ("lastmile origin --listen {a}:http --synthetic", port, "is not an address", "a bad flag"),
        ("sh -c 'echo from the depths >&2; exit 3'", port, "from the depths", "its last words"),
        ("sh -c 'exit 3'", Some(Ready::Ended), "exit status: 3", "its status"),
        ("no-such-program", None, "no-such-program is not installed", "none there"),
        ("cat {dir}/none", Some(Ready::Ended), "/none", "its directory"),
    ] {
        let error = lab.run(&program(run, ready)).unwrap_err().to_string();
        assert!(error.contains("program p: "), "{why}: {error}");
        assert!(error.contains(said), "{why}: {error}");
    }
    // Addresses in files, and a directory of its own that nobody else sees.
    let run = "sh -c 'grep -q \"10.77.0.1 and {b}\" words && getent hosts a | grep -q 10.77.0.1'";
    lab.run(&program(&run.replace("{b}", "[{]b}"), Some(Ready::Ended))).unwrap();
    assert!(!Path::new("/dev/shm/p").exists(), "seen by the lab only");
    // What others leave behind ends with the lab, also in a session of its own.
    let marker = format!("{}.5", 1_000_000 + std::process::id());
    let run = format!("sh -c 'setsid sleep {marker} & setsid sleep {marker} & true'");
    lab.run(&program(&run, Some(Ready::Ended))).unwrap();
    let deadline = Instant::now() + GONE_WITHIN;
    // A shell that has forked is not yet what it becomes.
    let are_there = || {
        let found = processes_with(&marker);
        found.len() == 2 && found.iter().all(|(_, words)| words.starts_with("sleep "))
    };
    while !are_there() {
        assert!(Instant::now() < deadline, "{:?}", processes_with(&marker));
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(lab);
    assert_eq!(processes_with(&marker), Vec::new());
}

#[test]
fn without_rights_it_says_what_is_missing() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can give rights up");
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-all", "--inh-caps", "-all", LASTMILE]);
    let output = command.args(["bench", "wan", "run", "f1"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("takes root's rights"), "{error}");
}

/// What a lab could leave behind, as far as it is surely a lab's: others use this machine too.
struct Watch {
    /// In the environment of the lab, and so of its processes.
    marker: String,
    /// Where the lab may put files that have a name.
    folder: tempfile::TempDir,
    before: Vec<String>,
}

impl Watch {
    fn new(name: &str) -> Self {
        let marker = format!("wan-{name}-{}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        Self { marker, folder, before: traces() }
    }

    /// A lab in a process of its own.
    fn start(&self) -> Child {
        let mut command = Command::new(LASTMILE);
        command.args(["bench", "wan", "run", "f1", "f2", "--quick"]);
        command.env("LASTMILE_TEST", &self.marker).env("TMPDIR", self.folder.path());
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Waits until a program runs in the lab of `child`; its number.
    fn program(&self, child: &mut Child) -> String {
        let deadline = Instant::now() + GONE_WITHIN;
        loop {
            let mut all = processes_with(&self.marker).into_iter();
            if let Some((id, _)) = all.find(|(_, words)| words.contains("lastmile origin")) {
                return id;
            }
            assert!(Instant::now() < deadline, "no program runs");
            assert_eq!(child.try_wait().unwrap(), None, "it has ended by itself");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The namespaces that the processes of the lab are in, but those that we are in.
    fn namespaces(&self) -> BTreeSet<PathBuf> {
        let of_it = processes_with(&self.marker);
        let mut found: BTreeSet<_> = of_it.iter().flat_map(|(id, _)| namespaces_of(id)).collect();
        for own in namespaces_of("self") {
            found.remove(&own);
        }
        found
    }

    /// Waits until nothing is there that is of the lab.
    fn assert_gone(&self, namespaces: &BTreeSet<PathBuf>, when: &str) {
        let deadline = Instant::now() + GONE_WITHIN;
        loop {
            let mut left: Vec<_> = processes_with(&self.marker)
                .into_iter()
                .map(|(id, it)| format!("{id}: {it}"))
                .collect();
            let in_use: BTreeSet<_> = processes().iter().flat_map(|id| namespaces_of(id)).collect();
            left.extend(namespaces.intersection(&in_use).map(|it| it.display().to_string()));
            left.extend(entries(self.folder.path()).iter().map(|it| it.display().to_string()));
            left.extend(traces().into_iter().filter(|it| !self.before.contains(it)));
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{when}, {left:#?} is left");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Devices, mounts, cgroups, named namespaces and files that are called as a lab would call them.
fn traces() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let cgroups = mounts.lines().filter(|line| line.contains(" cgroup2 "));
    let cgroups = cgroups.filter_map(|line| line.split(' ').nth(1)).map(Path::new);
    let mut paths: Vec<_> = cgroups.flat_map(folders_below).collect();
    for folder in ["/sys/class/net", "/run/netns", "/tmp", "/dev/shm", "/run"] {
        paths.extend(entries(folder));
    }
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("wan") || name.starts_with("lastmile-wan")
    });
    let paths = paths.iter().map(|path| path.display().to_string());
    paths
        .chain(mounts.lines().filter(|it| it.contains("lastmile-wan")).map(str::to_owned))
        .collect()
}

/// All that run a program. A zombie runs none: it is a number and a status that wait for process 1 of the machine, who
/// takes his time on some.
fn processes() -> Vec<String> {
    let names = entries("/proc").into_iter();
    let names = names.map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned());
    let names = names.filter(|name| name.bytes().all(|octet| octet.is_ascii_digit()));
    let has_words =
        |id: &String| fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|words| !words.is_empty());
    names.filter(has_words).collect()
}

/// Processes with `text` in their arguments or their environment, and their arguments; not this one.
fn processes_with(text: &str) -> Vec<(String, String)> {
    let own = std::process::id().to_string();
    let has = |octets: &[u8]| octets.windows(text.len()).any(|some| some == text.as_bytes());
    let mut found = Vec::new();
    for id in processes().into_iter().filter(|id| *id != own) {
        let read = |name| fs::read(format!("/proc/{id}/{name}")).unwrap_or_default();
        let words = read("cmdline");
        if has(&words) || has(&read("environ")) {
            found.push((id, String::from_utf8_lossy(&words).replace('\0', " ")));
        }
    }
    found
}

/// Those that its threads are in.
fn namespaces_of(process: &str) -> BTreeSet<PathBuf> {
    let threads = entries(format!("/proc/{process}/task"));
    let kinds = ["net", "mnt", "pid", "pid_for_children"];
    let links = threads.iter().flat_map(|thread| kinds.map(|kind| thread.join("ns").join(kind)));
    links.filter_map(|link| fs::read_link(link).ok()).collect()
}

fn entries(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

fn folders_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in entries(folder).into_iter().filter(|path| path.is_dir() && !path.is_symlink()) {
        all.extend(folders_below(&path));
        all.push(path);
    }
    all
}

#[test]
fn a_lab_that_is_killed_leaves_nothing() {
    let _alone = alone();
    if !can_be() {
        return;
    }
    let watch = Watch::new("kill");
    for kill in 0..KILLS {
        let mut child = watch.start();
        // Each third time a program runs before the moment comes: there are connections then.
        let has_programs = kill % 3 == 2;
        if has_programs {
            watch.program(&mut child);
        }
        // Moments of the start, where most comes into being, and of the measurements.
        let moment = Duration::from_millis(4) * kill * kill * 2;
        std::thread::sleep(moment);
        let namespaces = watch.namespaces();
        let probe = has_programs.then(|| Probe::new(&watch, &mut child, kill));
        child.kill().unwrap();
        child.wait().unwrap();
        let when = format!("killed after {moment:?}");
        watch.assert_gone(&namespaces, &when);
        if let Some(probe) = probe {
            probe.assert_gone(&when);
        }
    }
}

/// A device of ours, the other end of which is on a host of a lab: it goes with the host's namespace, which sockets can
/// hold when no process is in it any more. Without ip(8) it says so and sees nothing.
struct Probe(Option<String>);

impl Probe {
    fn new(watch: &Watch, child: &mut Child, number: u32) -> Self {
        let own = format!("lmk{}n{number}", std::process::id());
        let other = format!("{own}p");
        if let Err(error) = Command::new("ip").arg("-V").output() {
            eprintln!("skipped: whether namespaces are gone: ip: {error}");
            return Self(None);
        }
        assert!(ip(&["link", "add", &own, "type", "veth", "peer", "name", &other]), "{own}");
        let probe = Self(Some(own));
        let deadline = Instant::now() + GONE_WITHIN;
        // Labs come and go, and their programs with them.
        while !ip(&["link", "set", &other, "netns", &watch.program(child)]) {
            assert!(Instant::now() < deadline, "no namespace takes {other}");
        }
        probe
    }

    fn assert_gone(&self, when: &str) {
        let Some(own) = &self.0 else { return };
        let device = Path::new("/sys/class/net").join(own);
        let deadline = Instant::now() + GONE_WITHIN;
        while device.exists() {
            assert!(Instant::now() < deadline, "{when}, the namespace of a host is left");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(own) =
            self.0.take().filter(|own| Path::new("/sys/class/net").join(own).exists())
        {
            ip(&["link", "del", &own]);
        }
    }
}

/// Whether ip(8) does so.
fn ip(words: &[&str]) -> bool {
    let output = Command::new("ip").args(words).output().unwrap();
    if !output.status.success() {
        eprintln!("ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    output.status.success()
}

#[test]
fn a_lab_that_is_told_to_end_leaves_nothing() {
    let _alone = alone();
    if !can_be() {
        return;
    }
    let watch = Watch::new("end");
    let mut child = watch.start();
    // Then it is measuring, or about to.
    watch.program(&mut child);
    let namespaces = watch.namespaces();
    assert!(namespaces.len() >= 3, "the origin's host, files, processes: {namespaces:?}");
    let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    // As a terminal does: to all of the group.
    nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1), "it says that it was stopped");
    watch.assert_gone(&namespaces, "after Ctrl-C");
}

#[test]
fn a_lab_without_hosts_of_that_name_is_refused() {
    let _alone = alone();
    if !can_be() {
        return;
    }
    let topology = Topology::default().host("a").link(["a", "b"], Conditions::default());
    let error = Lab::start(topology, Path::new(LASTMILE)).unwrap_err();
    assert!(matches!(&error, WanError::Missing(what) if what.contains("no host \"b\"")), "{error}");
}
