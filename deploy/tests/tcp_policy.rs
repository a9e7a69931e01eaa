//! `--tcp-policy` of the real executable: in force, read again, refused, without privileges, and gone after `kill -9`.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

mod process;

use lastmile_tuning::bpf::{cgroup, count_on_cgroup};
use lastmile_tuning::link;
use lastmile_tuning::netns::Namespace;
use nix::sys::signal::Signal;
use process::{Started, fetch, lastmile, scratch};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const POLICY: &str = "[[policy]]\nprefix = \"127.0.0.0/8\"\ninitcwnd = 20\nsyn-timeout = \"200ms\"\n\
                      congestion = \"reno\"\n";

/// The arguments of an origin with the policy in `file`.
fn arguments(file: &Path) -> Vec<String> {
    let fixed = ["origin", "--synthetic", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
    arguments.extend(["--tcp-policy".to_owned(), file.to_str().unwrap().to_owned()]);
    arguments
}

fn policy_file(folder: &Path) -> PathBuf {
    let file = folder.join("policy.toml");
    fs::write(&file, POLICY).unwrap();
    file
}

/// Where a role listens and where its admin server does, from the line that it prints.
fn addresses(line: &str) -> (String, String) {
    let mut words = line.split([' ', ',']).filter(|word| word.starts_with("127.0.0.1:"));
    (words.next().unwrap().trim().to_owned(), words.next().unwrap().trim().to_owned())
}

fn metric(admin: &str, name: &str) -> u64 {
    let (status, metrics) = fetch(admin, "/metrics");
    assert_eq!(status, 200);
    let metrics = String::from_utf8(metrics).unwrap();
    let found = metrics.lines().find(|line| line.starts_with(name) && line.contains(' '));
    let found = found.unwrap_or_else(|| panic!("{name} in {metrics}"));
    found.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Whether a BPF program can be attached here.
fn has_bpf() -> bool {
    let attached = lastmile_tuning::bpf::SockOps::attach();
    attached.inspect_err(|error| eprintln!("skipped: no BPF: {error}")).is_ok()
}

fn post(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "POST {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn connections_get_what_the_file_says_and_a_new_file_is_taken() {
    if !has_bpf() {
        return;
    }
    let folder = scratch();
    let file = policy_file(folder.path());
    let arguments = arguments(&file);
    let (origin, line) = Started::new(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let (address, admin) = addresses(&line);
    assert_eq!(metric(&admin, "lastmile_origin_tcp_policy_bpf"), 1);
    assert_eq!(fetch(&address, "/bytes/100").0, 200);
    for (name, at_least) in [
        ("tcp_policy_connections_total", 1),
        ("tcp_policy_hits_total", 1),
        ("tcp_policy_options_total{role=\"origin\",option=\"initcwnd\"}", 1),
        ("tcp_policy_options_total{role=\"origin\",option=\"syn-timeout\"}", 1),
        ("tcp_policy_options_total{role=\"origin\",option=\"congestion\"}", 1),
    ] {
        let value = metric(&admin, &format!("lastmile_origin_{name}"));
        assert!(value >= at_least, "{name}: {value}");
    }
    assert_eq!(metric(&admin, "lastmile_origin_tcp_policy_failures_total"), 0);

    let prefixes = || metric(&admin, "lastmile_origin_tcp_policy_prefixes");
    fs::write(&file, POLICY.replace("20", "0")).unwrap();
    let refused = post(&admin, "/reload");
    assert!(refused.contains(" 409 ") && refused.contains(":3: policy.initcwnd: 0 "), "{refused}");
    assert_eq!(prefixes(), 1, "as it was");
    let two = POLICY.replace("\"127.0.0.0/8\"", "[\"192.0.2.0/24\", \"198.51.100.0/24\"]");
    fs::write(&file, two).unwrap();
    origin.signal(Signal::SIGHUP);
    while prefixes() != 2 {
        std::thread::yield_now();
    }
    assert_eq!(fetch(&address, "/bytes/100").0, 200);
    assert_eq!(metric(&admin, "lastmile_origin_tcp_policy_hits_total"), 1, "now in no prefix");
    origin.signal(Signal::SIGTERM);
    assert!(origin.end().0.success());
}

#[test]
fn a_mistake_in_the_file_ends_with_its_line_and_status_2() {
    let folder = scratch();
    let file = policy_file(folder.path());
    fs::write(&file, POLICY.replace("200ms", "2ms")).unwrap();
    let expected = format!(
        "{}:4: policy.syn-timeout: \"2ms\" is not allowed; allowed: a time with its unit, 10ms to \
         60s, such as \"50ms\"\n",
        file.display()
    );
    let name = file.to_str().unwrap();
    let edge = ["edge", "--upstream", "http://[::1]:1", "--listen", "127.0.0.1:0", "--tcp-policy"];
    let origin = arguments(&file);
    let origin: Vec<&str> = origin.iter().map(String::as_str).collect();
    for arguments in [origin, [&edge[..], &[name]].concat(), vec!["check", name]] {
        let output = lastmile(&arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.ends_with(&expected), "{arguments:?}: {stderr}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// A process that is killed if the test ends before it does.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Killed {
    /// Starts it and waits for its first line.
    fn start(command: &mut Command) -> (Self, String) {
        let mut child = Self(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (child, line)
    }
}

/// `lastmile` with root's files, but without root's capabilities.
fn without_privileges() -> Option<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    let mut probe = Command::new("setpriv");
    probe.args(["--bounding-set=-all", "--inh-caps=-all", "true"]);
    if !probe.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: setpriv(1) is not there, or may not");
        return None;
    }
    command.arg(env!("CARGO_BIN_EXE_lastmile"));
    Some(command)
}

#[test]
fn without_privileges_options_of_sockets_do_what_they_can() {
    let folder = scratch();
    let file = policy_file(folder.path());
    let said = folder.path().join("stderr");
    let Some(mut command) = without_privileges() else { return };
    command.args(arguments(&file)).stderr(File::create(&said).unwrap());
    let (_origin, line) = Killed::start(&mut command);
    let (address, admin) = addresses(&line);
    assert_eq!(metric(&admin, "lastmile_origin_tcp_policy_bpf"), 0);
    assert_eq!(fetch(&address, "/bytes/100").0, 200);
    assert_eq!(metric(&admin, "lastmile_origin_tcp_policy_hits_total"), 1);
    let congestion =
        "lastmile_origin_tcp_policy_options_total{role=\"origin\",option=\"congestion\"}";
    assert_eq!(metric(&admin, congestion), 1);
    let said = fs::read_to_string(&said).unwrap();
    let expected = format!(
        "origin: the TCP policy of {} is in force without initcwnd, syn-timeout, by socket \
         options; BPF is not to be had: ",
        file.display()
    );
    assert!(said.starts_with(&expected) && said.lines().count() == 1, "{said}");
    let by_routes = "; routes can say initcwnd: lastmile tune apply --tcp-policy FILE\n";
    assert!(said.ends_with(by_routes), "{said}");
}

/// Two namespaces with a link between them, in which each client is in a network with a server of its own: that of the
/// servers, and that of the clients.
fn server_and_clients() -> Option<(Namespace, Namespace)> {
    let made = Namespace::new().and_then(|server| Ok((server, Namespace::new()?)));
    let (server, clients) =
        made.inspect_err(|error| eprintln!("skipped: no network namespace: {error}")).ok()?;
    let file = clients.run(|| File::open("/proc/thread-self/ns/net")).unwrap();
    let theirs = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let link = format!("link add to-clients type veth peer name to-server netns {theirs}");
    let up = |device: &str, addresses: &[&str]| {
        for address in addresses {
            link::add_address(device, address.parse().unwrap(), 24)?;
        }
        link::up(device)
    };
    let made = || Command::new("ip").args(link.split(' ')).status();
    assert!(server.run(made).unwrap().success(), "ip {link}");
    server.run(|| up("to-clients", &SERVERS)).unwrap();
    clients.run(|| up("to-server", &CLIENTS)).unwrap();
    Some((server, clients))
}

const SERVERS: [&str; 2] = ["10.77.0.1", "10.78.0.1"];
const CLIENTS: [&str; 2] = ["10.77.0.2", "10.78.0.2"];

/// A connection that stays open, over which something was asked and answered.
fn asked(server: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).unwrap();
    write!(stream, "GET /bytes/9 HTTP/1.1\r\nHost: {server}\r\n\r\n").unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

/// What the kernel tells of the server's end of its connection to `client` (ss(8)).
fn told_of(client: &str) -> String {
    let arguments = ["-tinH", "state", "established", "dst", client];
    String::from_utf8(Command::new("ss").args(arguments).output().unwrap().stdout).unwrap()
}

#[test]
fn without_bpf_routes_say_the_first_window_until_they_are_taken_back() {
    let Some(mut command) = without_privileges() else { return };
    if !Command::new("ss").arg("-V").output().is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: ss(8) is not there");
    }
    let Some((server, clients)) = server_and_clients() else { return };
    let folder = scratch();
    let file = folder.path().join("policy.toml");
    let says_nothing_of_it =
        format!("[[policy]]\nprefix = \"{}\"\ncongestion = \"reno\"\n", CLIENTS[1]);
    fs::write(&file, POLICY.replace("127.0.0.0/8", CLIENTS[0]) + &says_nothing_of_it).unwrap();
    let (file, journal) = (file.to_str().unwrap(), folder.path().join("tune.json"));
    command.args(["origin", "--synthetic", "--listen", "0.0.0.0:0", "--tcp-policy", file]);
    command.stderr(Stdio::null());
    let (_origin, line) = server.run(|| Ok(Killed::start(&mut command))).unwrap();
    let port = line.split([' ', ',']).find_map(|word| word.trim().strip_prefix("0.0.0.0:"));
    let connected = |network: usize, expected: &[&str], why: &str| {
        let address = format!("{}:{}", SERVERS[network], port.unwrap());
        let _open = clients.run(|| Ok(asked(&address))).unwrap();
        let told = server.run(|| Ok(told_of(CLIENTS[network]))).unwrap();
        let words: Vec<_> = told.split_whitespace().collect();
        assert!(expected.iter().all(|word| words.contains(word)), "{address}: {why}: {told}");
    };
    let routes = || {
        let output = server.run(|| Command::new("ip").args(["-d", "route"]).output()).unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let tune = |arguments: &[&str]| {
        let mut command = lastmile(&[&["tune"], arguments].concat());
        command.arg("--journal").arg(&journal);
        let output = server.run(|| command.output()).unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    };
    let before = routes();
    connected(0, &["reno", "cwnd:10"], "as sockets can say");
    let said = tune(&["apply", "--tcp-policy", file]);
    for line in
        ["set route.own[10.77.0.2/32]: no -> yes\n", "not syn-timeout: no route can say it;"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    connected(0, &["reno", "cwnd:20"], "as the route says");
    connected(1, &["reno", "cwnd:10"], "another prefix, which says nothing of it");
    tune(&["verify"]);
    tune(&["revert"]);
    connected(0, &["reno", "cwnd:10"], "as before");
    assert_eq!(routes(), before);
}

#[test]
fn clients_and_upstreams_of_an_edge_have_policies_by_bpf_and_without() {
    let folder = scratch();
    let file = policy_file(folder.path());
    let (_origin, line) = Started::new(&["origin", "--synthetic", "--listen", "127.0.0.1:0"]);
    let origin = line.split(' ').find(|word| word.starts_with("127.0.0.1:")).unwrap().trim();
    let upstream = format!("http://{origin}");
    let mut edge: Vec<&str> = vec!["edge", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    edge.extend(["--upstream", &upstream, "--tcp-policy", file.to_str().unwrap()]);
    let bpf = u64::from(has_bpf());
    for io in ["auto", "epoll"] {
        for (is_free, bpf) in [(true, bpf), (false, 0)] {
            let plain = Command::new(env!("CARGO_BIN_EXE_lastmile"));
            let command = if is_free { Some(plain) } else { without_privileges() };
            let Some(mut command) = command else { continue };
            command.args(&edge).args(["--io", io]).stderr(Stdio::null());
            let (_edge, line) = Killed::start(&mut command);
            let (address, admin) = addresses(&line);
            assert_eq!(metric(&admin, "lastmile_edge_tcp_policy_bpf"), bpf, "{io}");
            assert_eq!(fetch(&address, "/bytes/100?no-store").0, 200, "{io}");
            let hits = metric(&admin, "lastmile_edge_tcp_policy_hits_total");
            assert!(hits >= 2, "{io}: a client and an upstream at least, not {hits}");
            assert_eq!(metric(&admin, "lastmile_edge_tcp_policy_failures_total"), 0, "{io}");
        }
    }
}

/// A cgroup below this process's, for a process of a test; removed with it.
struct Cgroup {
    path: PathBuf,
    _parent: OwnedFd,
}

impl Cgroup {
    fn new() -> std::io::Result<Self> {
        let parent = cgroup::open_own()?;
        let own = std::process::id();
        let name = format!("lastmile-test-{own}");
        // By this process's descriptor, which others can follow too: the mount may be one that nobody sees.
        let path = PathBuf::from(format!("/proc/{own}/fd/{}/{name}", parent.as_raw_fd()));
        fs::create_dir(&path)?;
        Ok(Self { path, _parent: parent })
    }

    fn programs(&self) -> u32 {
        count_on_cgroup(File::open(&self.path).unwrap()).unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The kernel lets go of a process's cgroup a little behind the process.
        while fs::remove_dir(&self.path)
            .is_err_and(|e| e.kind() == std::io::ErrorKind::ResourceBusy)
        {
            std::thread::yield_now();
        }
    }
}

#[test]
fn nothing_is_left_of_a_killed_process() {
    let group = match Cgroup::new() {
        Ok(group) if has_bpf() => group,
        Ok(_) => return,
        Err(error) => return eprintln!("skipped: no cgroup of its own: {error}"),
    };
    let folder = scratch();
    let file = policy_file(folder.path());
    let into = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", into]).arg(&group.path).arg(env!("CARGO_BIN_EXE_lastmile"));
    let (mut origin, line) = Killed::start(command.args(arguments(&file)));
    let (address, _) = addresses(&line);
    assert_eq!(fetch(&address, "/bytes/100").0, 200);
    assert_eq!(group.programs(), 1);
    let below = || {
        let entries = fs::read_dir(&group.path).unwrap().map(Result::unwrap);
        entries.filter(|entry| entry.file_type().unwrap().is_dir()).count()
    };
    assert_eq!(below(), 0, "it makes no cgroup");
    origin.0.kill().unwrap();
    origin.0.wait().unwrap();
    while group.programs() != 0 {
        std::thread::yield_now();
    }
}
