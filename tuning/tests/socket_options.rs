//! Socket options of a listener, seen in the connections that it accepts.

#![allow(clippy::unwrap_used, reason = "a test program: a panic is its way to fail")]

use lastmile_tuning::cpu::{Cores, pin_current_thread};
use lastmile_tuning::socket::raw::{incoming_cpu, measured, pacing};
use lastmile_tuning::socket::{Congestion, ListenOptions, SocketOptions, listen};
use socket2::SockRef;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn listener(options: &ListenOptions) -> TcpListener {
    listen(ANY, 1, options).unwrap().remove(0)
}

fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, client)
}

#[test]
fn connections_inherit_what_their_listener_has() {
    let socket = SocketOptions {
        nodelay: true,
        congestion: Congestion::Named("reno".to_owned()),
        notsent_lowat: Some(16_384),
        pacing: Some(2_400_000),
        user_timeout: Some(Duration::from_secs(7)),
        rto_min: None,
        rto_max: None,
        keepalive: Some(Duration::from_secs(90)),
    };
    let options = ListenOptions { socket, ..ListenOptions::default() };
    let (accepted, client) = connection(&listener(&options));
    let socket = SockRef::from(&accepted);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.tcp_congestion().unwrap().starts_with(b"reno"));
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), 16_384);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(7)));
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(90));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(9));
    assert_eq!(pacing(&accepted).unwrap(), 2_400_000);
    assert_eq!(pacing(&client).unwrap(), u64::MAX, "the other end has nothing of it");

    let plain = SocketOptions { nodelay: false, ..SocketOptions::default() };
    let options = ListenOptions { socket: plain, ..ListenOptions::default() };
    let (accepted, _client) = connection(&listener(&options));
    assert!(!SockRef::from(&accepted).tcp_nodelay().unwrap());
    assert_eq!(pacing(&accepted).unwrap(), u64::MAX);
    assert!(!SockRef::from(&accepted).keepalive().unwrap());
}

/// The timeout is the round-trip time, which on loopback is next to nothing, and what it varies by, but at least the
/// bound.
#[test]
fn the_retransmission_timeout_has_the_bound_of_the_listener() {
    let rto = |rto_min| {
        let rto_max = Some(Duration::from_secs(10));
        let socket = SocketOptions { rto_min, rto_max, ..SocketOptions::default() };
        if let Err(error) = socket.probe() {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            eprintln!("skipped: before Linux 6.15: {error}");
            return None;
        }
        let options = ListenOptions { socket, ..ListenOptions::default() };
        let (mut accepted, mut client) = connection(&listener(&options));
        accepted.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        // With its answer comes the acknowledgement.
        client.write_all(b"y").unwrap();
        accepted.read_exact(&mut [0]).unwrap();
        Some(measured(&accepted).unwrap().rto)
    };
    let Some(default) = rto(None) else { return };
    assert!(default >= Duration::from_millis(200), "{default:?}");
    let short = rto(Some(Duration::from_millis(40))).unwrap();
    assert!(short >= Duration::from_millis(40), "{short:?}");
    assert!(short < default, "{short:?} against {default:?}");
}

#[test]
fn what_the_kernel_does_not_take_is_named() {
    let socket =
        SocketOptions { rto_min: Some(Duration::from_secs(9)), ..SocketOptions::default() };
    let error = socket.probe().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().starts_with("TCP_RTO_MIN_US: "), "{error}");
}

#[test]
fn a_listener_can_wait_for_octets_and_take_requests_in_a_syn() {
    let options = ListenOptions {
        fast_open: Some(64),
        defer_accept: Some(Duration::from_secs(9)),
        ..ListenOptions::default()
    };
    let listener = listener(&options);
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let error = listener.accept().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "nothing has arrived on it");
    listener.set_nonblocking(false).unwrap();
    (&client).write_all(b"x").unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    accepted.read_exact(&mut [0]).unwrap();
}

#[test]
fn connections_go_to_the_listener_of_the_core_that_received_them() {
    let cores = Cores::allowed().unwrap();
    if cores.numbers().len() < 2 {
        eprintln!("skipped: one core");
        return;
    }
    let numbers = cores.numbers().to_vec();
    let options = ListenOptions { steer: Some(cores), ..ListenOptions::default() };
    let listeners = listen(ANY, numbers.len(), &options).unwrap();
    let address = listeners[0].local_addr().unwrap();
    listeners.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
    let cores = options.steer.as_ref().unwrap().numbers();
    for (listener, core) in listeners.iter().zip(cores) {
        assert_eq!(usize::try_from(incoming_cpu(listener).unwrap()).unwrap(), *core);
    }
    std::thread::scope(|scope| {
        for core in numbers {
            let clients = scope.spawn(move || {
                pin_current_thread(core).unwrap();
                // The loopback receives on the core that sends.
                (0..32).map(|_| TcpStream::connect(address).unwrap()).collect::<Vec<_>>()
            });
            let clients = clients.join().unwrap();
            for (place, listener) in listeners.iter().enumerate() {
                let accepted = std::iter::from_fn(|| listener.accept().ok()).count();
                let expected = if cores[place] == core { clients.len() } else { 0 };
                assert_eq!(accepted, expected, "from core {core} at the listener of {place}");
            }
        }
    });
}
