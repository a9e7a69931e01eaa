//! Policies of connections, seen in the sockets that get them: in network namespaces, whose loopback has addresses
//! enough.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

use lastmile_tuning::link;
use lastmile_tuning::netns::Namespace;
use lastmile_tuning::policy::{Enforcement, Means, PolicyTable};
use lastmile_tuning::socket::raw::{Measured, measured, pacing, set_defer_accept};
use socket2::{Domain, SockRef, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Calls `work` in a namespace of its own, if namespaces and BPF are allowed here.
fn in_namespace(work: impl FnOnce() + Send) {
    let Some(namespace) = namespace() else { return };
    let work = || {
        work();
        Ok(())
    };
    namespace.run(work).unwrap();
}

fn namespace() -> Option<Namespace> {
    match Namespace::new() {
        Ok(namespace) => Some(namespace),
        Err(error) => {
            eprintln!("skipped: no network namespace: {error}");
            None
        }
    }
}

fn table(text: &str) -> PolicyTable {
    PolicyTable::parse(text, |_| None).unwrap()
}

/// A table in force for `listener`; `None`, said on stderr, where BPF is not allowed.
fn enforce(text: &str, listener: &TcpListener) -> Option<Enforcement> {
    let enforcement = Enforcement::start(table(text), [listener]).unwrap();
    match enforcement.means() {
        Means::Bpf => Some(enforcement),
        Means::Sockets(why) => {
            eprintln!("skipped: no BPF: {why}");
            None
        }
    }
}

/// The accepted end of a connection from `client` to `listener`, and the other end.
fn connection(client: &str, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client: IpAddr = client.parse().unwrap();
    let socket = Socket::new(Domain::for_address((client, 0).into()), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((client, 0)).into()).unwrap();
    let mut to = listener.local_addr().unwrap();
    if to.ip().is_unspecified() {
        to.set_ip(client);
    }
    socket.connect(&to.into()).unwrap();
    (listener.accept().unwrap().0, socket.into())
}

/// Waits until the namespace's loopback has its IPv6 address, which the kernel gives it behind our back.
fn ipv6_is_there() {
    const TRIES_MAX: u32 = 1_000_000;
    for _ in 0..TRIES_MAX {
        let there = TcpListener::bind("[::1]:0");
        if there.and_then(|it| TcpStream::connect(it.local_addr()?)).is_ok() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("::1 does not come up");
}

fn window(stream: &TcpStream) -> u32 {
    measured(stream).unwrap().congestion_window
}

fn congestion(stream: &TcpStream) -> String {
    let name = SockRef::from(stream).tcp_congestion().unwrap();
    String::from_utf8(name).unwrap().trim_end_matches('\0').to_owned()
}

fn sample(enforcement: &Enforcement, name: &str) -> u64 {
    enforcement.samples().iter().find(|(found, ..)| *found == name).unwrap().2
}

/// What nobody has a policy for.
const DEFAULT_WINDOW: u32 = 10;

#[test]
fn each_client_gets_what_its_longest_prefix_says() {
    in_namespace(|| {
        let text = r#"
            [[policy]]
            prefix = "127.0.0.0/8"
            initcwnd = 20
            [[policy]]
            prefix = "127.0.1.0/24"
            initcwnd = 40
            congestion = "reno"
            rto-min = "20ms"
            delack-max = "20ms"
            pacing = "2.4MB"
            syn-timeout = "200ms"
            initrwnd = 33
            [[policy]]
            prefix = "127.0.1.9"
            congestion = "reno"
            [[policy]]
            prefix = "::/0"
            initcwnd = 6
            [[policy]]
            prefix = "::1"
            initcwnd = 7
        "#;
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let Some(enforcement) = enforce(text, &listener) else { return };
        let (shorter, _client) = connection("127.0.0.2", &listener);
        assert_eq!(window(&shorter), 20);
        assert_ne!(congestion(&shorter), "reno");
        let (longer, client) = connection("127.0.1.2", &listener);
        assert_eq!(window(&longer), 40);
        assert_eq!(congestion(&longer), "reno");
        assert_eq!(pacing(&longer).unwrap(), 2_400_000);
        assert_eq!(pacing(&client).unwrap(), u64::MAX, "the other end is not ours");
        let (longest, _client) = connection("127.0.1.9", &listener);
        assert_eq!(window(&longest), DEFAULT_WINDOW, "nothing comes from shorter prefixes");
        assert_eq!(congestion(&longest), "reno");

        let ipv6 = TcpListener::bind("[::]:0").unwrap();
        let of_ipv6 = enforce(text, &ipv6).unwrap();
        ipv6_is_there();
        assert_eq!(window(&connection("::1", &ipv6).0), 7, "IPv6");
        assert_eq!(window(&connection("127.0.1.2", &ipv6).0), 40, "an IPv4-mapped address");
        of_ipv6.replace(table("[[policy]]\nprefix = \"::/0\"\ninitcwnd = 6\n")).unwrap();
        assert_eq!(window(&connection("::1", &ipv6).0), 6, "a shorter prefix");
        assert_eq!(window(&connection("127.0.1.2", &ipv6).0), DEFAULT_WINDOW, "that is IPv6");

        let counted = |name: &str| sample(&enforcement, name);
        assert_eq!(counted("tcp_policy_prefixes"), 5);
        assert_eq!(counted("tcp_policy_connections_total"), 3);
        assert_eq!(counted("tcp_policy_hits_total"), 3);
        assert_eq!(counted("tcp_policy_failures_total"), 0);
        for (option, expected) in [
            ("initcwnd", 2),
            ("initrwnd", 1),
            ("syn-timeout", 1),
            ("congestion", 2),
            ("rto-min", 1),
            ("delack-max", 1),
            ("pacing", 1),
        ] {
            let name = format!("tcp_policy_options_total{{option=\"{option}\"}}");
            assert!(counted(&name) >= expected, "{option}: {}", counted(&name));
        }
        assert_eq!(sample(&of_ipv6, "tcp_policy_connections_total"), 4, "each counts its own");
        assert_eq!(sample(&of_ipv6, "tcp_policy_hits_total"), 3);
    });
}

#[test]
fn connections_to_upstreams_have_policies_and_others_have_not() {
    in_namespace(|| {
        let upstream = TcpListener::bind("127.0.0.3:0").unwrap();
        let other = TcpListener::bind("127.0.0.3:0").unwrap();
        let ours = TcpListener::bind("127.0.0.1:0").unwrap();
        let text = "[[policy]]\nprefix = \"127.0.0.3\"\ninitcwnd = 25\nsyn-timeout = \"200ms\"\n";
        let Some(enforcement) = enforce(text, &ours) else { return };
        let address = upstream.local_addr().unwrap();
        let opened = |listener| window(&connection("127.0.0.1", listener).1);
        assert_eq!(opened(&upstream), DEFAULT_WINDOW, "nobody has said that this is an upstream");
        enforcement.set_upstreams(&[address]).unwrap();
        assert_eq!(opened(&upstream), 25);
        assert_eq!(opened(&other), DEFAULT_WINDOW, "another port");
        let (accepted, _client) = connection("127.0.0.1", &upstream);
        assert_eq!(window(&accepted), DEFAULT_WINDOW, "the end of whoever listens there");
        enforcement.set_upstreams(&[other.local_addr().unwrap()]).unwrap();
        assert_eq!(opened(&upstream), DEFAULT_WINDOW, "no longer one");
        assert_eq!(opened(&other), 25);
    });
}

#[test]
fn the_first_syn_waits_as_long_as_the_policy_says() {
    in_namespace(|| {
        let upstream: SocketAddr = "127.0.0.9:9".parse().unwrap();
        let ours = TcpListener::bind("127.0.0.1:0").unwrap();
        let text = "[[policy]]\nprefix = \"127.0.0.9\"\nsyn-timeout = \"320ms\"\n";
        let Some(enforcement) = enforce(text, &ours) else { return };
        enforcement.set_upstreams(&[upstream]).unwrap();
        // A listener whose queue is full does not answer a SYN.
        let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        full.bind(&upstream.into()).unwrap();
        full.listen(0).unwrap();
        let _first = TcpStream::connect(upstream).unwrap();
        let second = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
        let error = second.connect(&upstream.into()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(115), "EINPROGRESS: {error}");
        let Measured { rto, .. } = measured(&second).unwrap();
        assert_eq!(rto, Duration::from_millis(320));
    });
}

/// Until the SYN-ACK for `client` is sent again, in hundredths of a second, and how often that was (proc_pid_net(5),
/// `tcp`): of a connection that its listener has not taken for accepted.
fn syn_ack_timer(client: Ipv4Addr) -> (u64, u32) {
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let client = format!("{:08X}", u32::from_ne_bytes(client.octets()));
    let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    // Number, local, remote, state, queues, timer, how often.
    let mut pending =
        fields.filter(|fields| fields[2].starts_with(&client) && number(fields[3]) == 3);
    let pending = pending.next().unwrap_or_else(|| panic!("no SYN_RECV of {client} in {table}"));
    let (_, when) = pending[5].split_once(':').unwrap();
    (number(when), number(pending[6]) as u32)
}

#[test]
fn the_syn_ack_waits_as_long_as_the_policy_says() {
    in_namespace(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_defer_accept(&listener, Duration::from_secs(30)).unwrap();
        let text = "[[policy]]\nprefix = \"127.0.0.2\"\nsyn-timeout = \"200ms\"\n";
        let Some(_enforcement) = enforce(text, &listener) else { return };
        let client = Ipv4Addr::new(127, 0, 0, 2);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((client, 0)).into()).unwrap();
        socket.connect(&listener.local_addr().unwrap().into()).unwrap();
        // It says nothing, so its SYN-ACK keeps its timer, which doubles each time. Without the policy that is 1 s.
        let (hundredths, times) = syn_ack_timer(client);
        assert!(hundredths <= 20 << times, "{hundredths} after {times}");
    });
}

#[test]
fn nothing_reaches_other_ports_and_other_namespaces() {
    let (Some(here), Some(there)) = (namespace(), namespace()) else { return };
    let listen = || TcpListener::bind("127.0.0.1:4000");
    let text = |packets: u32| format!("[[policy]]\nprefix = \"0.0.0.0/0\"\ninitcwnd = {packets}\n");
    let of_here = here.run(listen).unwrap();
    let of_there = there.run(listen).unwrap();
    let Some(_first) = here.run(|| Ok(enforce(&text(21), &of_here))).unwrap() else { return };
    let elsewhere = || connection("127.0.0.1", &of_there).0;
    assert_eq!(window(&there.run(|| Ok(elsewhere())).unwrap()), DEFAULT_WINDOW, "same port");
    let _second = there.run(|| Ok(enforce(&text(22), &of_there))).unwrap().unwrap();
    assert_eq!(window(&there.run(|| Ok(elsewhere())).unwrap()), 22);
    here.run(|| {
        assert_eq!(window(&connection("127.0.0.1", &of_here).0), 21, "each has its own");
        let other = TcpListener::bind("127.0.0.1:0")?;
        assert_eq!(window(&connection("127.0.0.1", &other).0), DEFAULT_WINDOW, "another port");
        let same_port = TcpListener::bind("127.0.0.2:4000")?;
        let accepted = connection("127.0.0.1", &same_port).0;
        assert_eq!(window(&accepted), DEFAULT_WINDOW, "another address");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_table_is_replaced_and_taken_back() {
    in_namespace(|| {
        let text = |window: &str| format!("[[policy]]\nprefix = \"127.0.0.0/24\"\n{window}\n");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let Some(enforcement) = enforce(&text("initcwnd = 12"), &listener) else { return };
        let accepted = || window(&connection("127.0.0.2", &listener).0);
        assert_eq!(accepted(), 12);
        enforcement.replace(table(&text("initcwnd = 13"))).unwrap();
        assert_eq!(accepted(), 13);
        enforcement.replace(table(&text(""))).unwrap();
        assert_eq!(accepted(), DEFAULT_WINDOW);
        let narrow = "[[policy]]\nprefix = \"127.0.0.2\"\ninitcwnd = 14\n";
        enforcement.replace(table(narrow)).unwrap();
        assert_eq!(accepted(), 14);
        assert_eq!(window(&connection("127.0.0.3", &listener).0), DEFAULT_WINDOW, "it is gone");
        drop(enforcement);
        assert_eq!(accepted(), DEFAULT_WINDOW, "with its owner the program goes");
    });
}

#[test]
fn what_the_kernel_refuses_is_counted() {
    in_namespace(|| {
        let text = "[[policy]]\nprefix = \"127.0.0.1\"\ncongestion = \"none-such\"\n";
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let Some(enforcement) = enforce(text, &listener) else { return };
        let (_accepted, _client) = connection("127.0.0.1", &listener);
        assert_eq!(sample(&enforcement, "tcp_policy_failures_total"), 1);
        assert_eq!(sample(&enforcement, "tcp_policy_hits_total"), 1);
    });
}

#[test]
fn there_is_room_for_as_many_prefixes_as_a_file_may_have() {
    in_namespace(|| {
        let prefixes: Vec<_> = (1..=lastmile_tuning::bpf::PREFIXES_MAX)
            .map(|n| format!("\"10.{}.{}.{}\"", n >> 16, n >> 8 & 255, n & 255))
            .collect();
        let text = format!("[[policy]]\nprefix = [{}]\ninitcwnd = 9\n", prefixes.join(","));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let Some(enforcement) = enforce(&text, &listener) else { return };
        link::add_address("lo", "10.0.255.255".parse().unwrap(), 32).unwrap();
        assert_eq!(window(&connection("10.0.255.255", &listener).0), 9);
        let other = "[[policy]]\nprefix = \"10.0.0.0/8\"\ninitcwnd = 8\n";
        enforcement.replace(table(other)).unwrap();
        assert_eq!(window(&connection("10.0.255.255", &listener).0), 8);
    });
}
