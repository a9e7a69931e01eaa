//! The house rules that neither rustc nor clippy checks, over every file of the workspace.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Of code, as rustfmt has it.
const COLUMNS_MAX: usize = 100;

/// Of lines with a comment or a string, which rustfmt does not break.
const PROSE_COLUMNS_MAX: usize = 120;

/// Above these a file or function is reported, not refused: it is the moment to look for a second
/// job.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Where `unsafe` may stand, as a path or the end of one, and what for. ARCHITECTURE.md has the same
/// list.
const UNSAFE_ALLOWED: &[(&str, &str)] = &[
    ("bench/src/ring.rs", "entries of a ring with pointers to what the ring owns"),
    ("bench/src/ring/incoming.rs", "buffers that the kernel fills"),
    ("bench/src/wan/emulator/tun.rs", "TUNSETIFF, which reads a structure of ours"),
    ("edge/src/io/ring/buffers.rs", "memory that the kernel writes"),
    ("edge/src/io/ring/driver.rs", "operations that point to memory"),
    ("edge/src/io/ring/stream.rs", "a descriptor that the ring closes, octets that it has written"),
    ("edge/src/io/epoll.rs", "a borrow of a descriptor that the runtime owns"),
    ("edge/src/ram/heap.rs", "memory mapped from the system, and blocks in it"),
    ("edge/src/ram/object.rs", "a counted reference to a value with its octets behind it"),
    ("edge/src/io/watchdog.rs", "the same, to shut a connection that is overdue"),
    ("tuning/src/bpf/system.rs", "bpf(2): attributes with pointers, descriptors that it returns"),
    ("tuning/src/socket/raw.rs", "socket options that no wrapper has"),
    ("gslb/src/udp/batch.rs", "headers of datagrams with pointers to their memory"),
    ("tuning/src/clock.rs", "adjtimex(2), for which no library has a safe interface"),
    ("tests/allocations.rs", "a counting allocator"),
];

/// Which of our packages each one may depend on; dev-dependencies may add those of [`DEV_ARROWS`].
const ARROWS: &[(&str, &[&str])] = &[
    ("lastmile-tuning", &[]),
    ("lastmile-http", &[]),
    ("lastmile-edge", &["lastmile-tuning", "lastmile-http"]),
    ("lastmile-fuzz", &["lastmile-http", "lastmile-edge", "lastmile-gslb"]),
    ("lastmile-gslb", &["lastmile-tuning"]),
    ("lastmile-origin", &["lastmile-tuning"]),
    ("lastmile-bench", &["lastmile-tuning"]),
    (
        "lastmile",
        &["lastmile-tuning", "lastmile-edge", "lastmile-gslb", "lastmile-origin", "lastmile-bench"],
    ),
];

/// Arrows that only tests may take: the oracle and the load beside what they measure.
const DEV_ARROWS: &[(&str, &[&str])] = &[("lastmile-edge", &["lastmile-origin"])];

/// `(start of a path, words that its code outside tests may not contain, why)`.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "edge/http/src",
        &[
            "std::net",
            "std::fs",
            "std::io",
            "Instant",
            "SystemTime",
            "async ",
            "monoio",
            "unsafe {",
        ],
        "the meaning of HTTP is pure: no I/O and no clock",
    ),
    (
        "edge/src/exchange.rs",
        &["monoio", "libc", "TcpStream", "TcpListener", "UdpSocket", "std::fs"],
        "the exchange runs on the simulator too: the world enters by its traits",
    ),
    (
        "origin/src",
        &["lastmile_edge", "lastmile_http"],
        "an oracle shares no code with its subject",
    ),
    ("bench/src", &["lastmile_edge", "lastmile_http"], "an oracle shares no code with its subject"),
    (
        "tuning/src/plan.rs",
        &["std::fs", "std::io", "Instant", "SystemTime", "sysctl::", "route::"],
        "a plan is pure: what was found comes in, steps go out",
    ),
    (
        "bench/src/wan/link",
        &["std::net", "std::fs", "std::io", "Instant", "SystemTime", "clock_gettime"],
        "links are computed: the time is an argument",
    ),
    (
        "bench/src/wan/analysis",
        &["wan::link", "wan::emulator", "wan::run", "lastmile_tuning", "std::fs", "Instant"],
        "the analysis of captures knows octets, and nothing of what made them",
    ),
    (
        "gslb/src/wire",
        &["UdpSocket", "TcpStream", "std::fs", "Instant", "SystemTime"],
        "DNS messages are pure",
    ),
    (
        "gslb/src/dnssec",
        &["UdpSocket", "TcpStream", "std::fs", "Instant", "SystemTime"],
        "signing takes the time as an argument",
    ),
    (
        "gslb/src/transfer.rs",
        &["UdpSocket", "TcpStream", "std::fs", "Instant", "SystemTime"],
        "a transfer is octets, whoever gets them",
    ),
    ("tuning/src/cores/a", PURE, "an audit looks at a machine's description"),
    ("tuning/src/cores/finding", PURE, "so does what is said of it"),
    ("tuning/src/cores/order", PURE, "an order follows from a machine's description"),
    ("deploy/src/doctor/judge", PURE, "a judgement looks at facts"),
];

/// What is concluded about a machine is concluded from its description.
const PURE: &[&str] = &["std::fs", "std::net", "File::", "sysctl::", "Instant", "SystemTime"];

/// The files of the edge that may ask the kernel for the time, and for what. Everything else takes it from the clock
/// that ticks for all workers: a hit reads no other.
const CLOCKS: &[(&str, &str)] = &[
    ("edge/src/io/ring/driver.rs", "how long the end of a worker waits for its ring"),
    ("edge/src/ssd/device.rs", "how long a start waits for a device that another process has"),
    ("edge/src/io/clock.rs", "the clock that ticks, on a thread of its own"),
    (
        "edge/src/upstream/resolve.rs",
        "how long an answer of the DNS is valid, on a thread of its own",
    ),
];

/// Names of modules that say nothing of what is in them.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "manager", "misc"];

/// Written in two halves so that this file does not contain them.
const MARKERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("<<<<", "<<<"),
    concat!(">>>>", ">>>"),
];

struct SourceFile {
    /// Path from the root of the workspace, with `/`.
    name: String,
    text: String,
}

impl SourceFile {
    /// Lines with their numbers, without comments, up to the tests at the end of the file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take(self.tests_from())
            .map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
    }

    /// How many lines come before the tests.
    fn tests_from(&self) -> usize {
        if self.name.contains("/tests/") || self.name.ends_with("/tests.rs") {
            return 0;
        }
        self.text
            .lines()
            .position(|line| line.trim() == "#[cfg(test)]")
            .unwrap_or_else(|| self.text.lines().count())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn collect(folder: &Path, extension: &str, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            collect(&path, extension, out);
        } else if path.extension().is_some_and(|found| found == extension) {
            out.push(path);
        }
    }
}

fn sources() -> Vec<SourceFile> {
    let mut paths = Vec::new();
    collect(root(), "rs", &mut paths);
    assert!(paths.len() > 10, "the workspace is where it is thought to be");
    paths
        .into_iter()
        .map(|path| SourceFile {
            name: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect()
}

fn refuse(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn unsafe_stands_only_where_the_list_says() {
    let mut found = Vec::new();
    for file in sources() {
        if UNSAFE_ALLOWED.iter().any(|(allowed, _)| file.name.ends_with(allowed)) {
            continue;
        }
        for (at, line) in file.text.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            let keyword = ["unsafe {", "unsafe impl", "unsafe fn", "unsafe extern", "unsafe trait"];
            let lifted = line.contains("unsafe_code") && !line.contains("forbid");
            let inert = line.contains('"');
            if !inert && (lifted || keyword.iter().any(|word| line.contains(word))) {
                found.push(format!("{}:{}: {}", file.name, at + 1, line.trim()));
            }
        }
    }
    refuse("`unsafe` outside the list of deploy/tests/tidy.rs", &found);
}

#[test]
fn dependencies_point_one_way() {
    let mut manifests = Vec::new();
    collect(root(), "toml", &mut manifests);
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for path in manifests.iter().filter(|path| path.ends_with("Cargo.toml")) {
        let manifest: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
        let Some(package) = manifest.get("package").and_then(|p| p.get("name")?.as_str()) else {
            continue;
        };
        seen.insert(package.to_owned());
        let arrows = |table: &[(&str, &[&'static str])]| -> Vec<&'static str> {
            table
                .iter()
                .filter(|(name, _)| *name == package)
                .flat_map(|(_, to)| *to)
                .copied()
                .collect()
        };
        let allowed = arrows(ARROWS);
        let allowed_in_tests = [arrows(ARROWS), arrows(DEV_ARROWS)].concat();
        for (section, allowed) in [
            ("dependencies", &allowed),
            ("build-dependencies", &allowed),
            ("dev-dependencies", &allowed_in_tests),
        ] {
            let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for name in table.keys().filter(|name| name.starts_with("lastmile")) {
                if name != package && !allowed.contains(&name.as_str()) {
                    found.push(format!("{package} {section}: {name}"));
                }
            }
        }
    }
    refuse("an arrow between packages that ARCHITECTURE.md does not have", &found);
    let known: BTreeSet<_> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(seen, known, "each package of the workspace has its row in ARROWS");
}

#[test]
fn what_each_part_may_not_mention() {
    let mut found = Vec::new();
    for file in sources() {
        for (start, words, why) in FORBIDDEN.iter().filter(|row| file.name.starts_with(row.0)) {
            for (number, line) in file.code() {
                if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                    found.push(format!("{}:{number}: `{word}` in {start}: {why}", file.name));
                }
            }
        }
    }
    refuse("a part that mentions what it may not know", &found);
}

#[test]
fn the_edge_reads_the_kernels_clock_only_where_the_list_says() {
    const READS: &[&str] = &["Instant::now", "SystemTime::now", "clock_gettime", ".elapsed()"];
    let (mut found, mut reading) = (Vec::new(), BTreeSet::new());
    for file in sources().iter().filter(|file| file.name.starts_with("edge/src")) {
        for (number, line) in file.code() {
            if !READS.iter().any(|read| line.contains(read)) {
                continue;
            }
            match CLOCKS.iter().find(|(allowed, _)| file.name == *allowed) {
                Some((allowed, _)) => drop(reading.insert(*allowed)),
                None => found.push(format!("{}:{number}: {}", file.name, line.trim())),
            }
        }
    }
    refuse("a clock is read outside the list of deploy/tests/tidy.rs", &found);
    assert_eq!(reading.len(), CLOCKS.len(), "the list has only files that do: {reading:?}");
}

#[test]
fn every_file_says_what_it_is_for_and_fits_the_page() {
    let mut found = Vec::new();
    for file in sources() {
        if !file.text.starts_with("//!") {
            found.push(format!("{}:1: no `//!` line on top", file.name));
        }
        let named = Path::new(&file.name).components().any(|part| {
            let part = part.as_os_str().to_str().unwrap();
            EMPTY_NAMES.contains(&part.strip_suffix(".rs").unwrap_or(part))
        });
        if named {
            found.push(format!("{}: a name that says nothing", file.name));
        }
        for (at, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            let prose = line.contains("//") || line.contains('"');
            let columns_max = if prose { PROSE_COLUMNS_MAX } else { COLUMNS_MAX };
            // Rows of a test's table are as long as their octets.
            if columns > columns_max && at < file.tests_from() {
                found.push(format!("{}:{}: {columns} columns", file.name, at + 1));
            }
            if let Some(marker) = MARKERS.iter().find(|marker| line.contains(**marker)) {
                found.push(format!("{}:{}: {marker}", file.name, at + 1));
            }
        }
    }
    refuse("files that do not read like the others", &found);
}

/// Long files and functions are said, not refused. Written past the test harness's capture, since a
/// passing test shows nothing else.
#[test]
fn long_files_and_functions_are_reported() {
    let mut report = String::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            report.push_str(&format!("long file: {} ({lines} lines)\n", file.name));
        }
        for (name, at, lines) in functions(&file.text) {
            if lines > FUNCTION_LINES_MAX {
                report.push_str(&format!(
                    "long function: {}:{at} {name} ({lines} lines)\n",
                    file.name
                ));
            }
        }
    }
    std::io::stderr().write_all(report.as_bytes()).unwrap();
}

/// Name, first line and length of each function, by the indentation that rustfmt gives.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some((before, after)) = line.split_once("fn ") else { continue };
        let words = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"];
        if !before.split_whitespace().all(|word| words.contains(&word)) {
            continue;
        }
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = format!("{}}}", " ".repeat(indent));
        let length = lines[at..].iter().position(|line| *line == end);
        if let Some(length) = length.filter(|_| !name.is_empty()) {
            found.push((name, at + 1, length + 1));
        }
    }
    found
}

#[test]
fn functions_are_measured() {
    let text = "pub fn one() {\n    a();\n}\n\n\
                impl B {\n    async fn two(\n        x: u8,\n    ) {\n    }\n}\n";
    assert_eq!(functions(text), [("one".to_owned(), 1, 3), ("two".to_owned(), 6, 4)]);
}
