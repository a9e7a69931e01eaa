//! A whole connection: anything from a client and anything from its upstream, through the edge, in the simulation.
//!
//! What leaves the edge is read by [`message`], which is strict and shares no code with it.

pub mod message;

use crate::disk::{Disk, DiskFaults};
use crate::net::{Faults, Net, SimIo, SimReceiver, SimStream};
use crate::world::World;
use bytes::Bytes;
use core::cell::RefCell;
use core::net::SocketAddr;
use core::time::Duration;
use futures_lite::future::or;
use lastmile_edge::Config;
use lastmile_edge::connection::serve;
use lastmile_edge::io::{IoError, Receive, Stream, Wait};
use lastmile_edge::site::{Site, Sites};
use lastmile_edge::worker::{Shared, Worker};
use lastmile_http::cache::stale::SiteDefaults;
use lastmile_http::cache::storable::SetCookie;
use lastmile_http::time::DeltaSeconds;
use message::{End, Message, No, request, response};
use std::rc::Rc;
use std::sync::Arc;

/// Ends a part of an input: what the client sends, then what the upstream answers each time it is asked.
const PART_END: u8 = 0xff;
/// Longer than all waits of the edge together.
const PATIENCE: Duration = Duration::from_secs(1000);
/// When the upstream answers what does not end: a request that waits for a 100 (Continue).
const UPSTREAM_WAIT: Duration = Duration::from_millis(300);
/// What the upstream answers when the input says no more.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=9\r\n\r\nok";

/// What an input makes of the scene.
struct Scene<'a> {
    seed: u64,
    /// Octets arrive in small parts, and with delays.
    is_split: bool,
    /// The client says that it sends no more (a half-closed connection).
    client_finishes: bool,
    /// The upstream closes after each response.
    upstream_closes: bool,
    from_client: &'a [u8],
    from_upstream: Vec<Bytes>,
}

/// What happened.
#[derive(Default)]
struct Record {
    /// What the client got.
    to_client: RefCell<Vec<u8>>,
    /// What the upstream got, on each of its connections.
    to_upstream: RefCell<Vec<Vec<u8>>>,
    /// Responses that the upstream has sent.
    answered: RefCell<usize>,
}

/// An octet for the order of events, one for the scene, then the parts.
pub fn run(octets: &[u8]) {
    let (choices, rest) = octets.split_at_checked(2).unwrap_or((&[0, 0], octets));
    let mut parts = rest.split(|octet| *octet == PART_END);
    let scene = Scene {
        seed: choices[0].into(),
        is_split: choices[1] & 1 != 0,
        client_finishes: choices[1] & 2 != 0,
        upstream_closes: choices[1] & 4 != 0,
        from_client: parts.next().unwrap_or_default(),
        from_upstream: parts.map(Bytes::copy_from_slice).collect(),
    };
    let record = play(&scene);
    let requests = understood(scene.from_client);
    check_client(&record.to_client.borrow(), &requests);
    check_upstream(&record.to_upstream.borrow(), &requests);
}

/// The host of a site with settings. All others have the default.
const TUNED: &str = "t";

const UPSTREAM: ([u8; 4], u16) = ([10, 0, 0, 1], 80);
const EDGE: ([u8; 4], u16) = ([10, 0, 0, 2], 80);
const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 3], 40_000);

/// Lets the scene happen. The edge must end the connection by itself and leave nothing behind.
fn play(scene: &Scene<'_>) -> Record {
    let world = World::new(scene.seed);
    let net = Net::new(
        world.clone(),
        Faults {
            refused: 0,
            unanswered: 0,
            reset: 0,
            delay_ms_max: if scene.is_split { 50 } else { 0 },
            split: scene.is_split,
            buffer_octets: 16 * 1024,
        },
    );
    let record = Rc::new(Record::default());
    start_upstream(&world, &net, scene, &record);
    let edge = start_edge(&world, &net);
    let (recorded, connecting) = (Rc::clone(&record), net.clone());
    let octets = Bytes::copy_from_slice(scene.from_client);
    let finishes = scene.client_finishes;
    world.spawn("client", async move {
        let to = SocketAddr::from(EDGE);
        let stream = connecting.connect(CLIENT.into(), to, PATIENCE).await;
        converse(stream.expect("the edge listens"), octets, finishes, &recorded).await;
    });
    world.run();
    assert_eq!(world.tasks(), [""; 0], "nothing waits for what will not come");
    let open = edge.samples().iter().find(|row| row.0 == "connections").map(|row| row.2);
    assert_eq!(open, Some(0), "a connection is left open");
    assert!(world.violations().is_empty(), "{:?}", world.violations());
    net.end();
    world.end();
    assert_eq!(Arc::strong_count(&edge), 1, "somebody still holds the edge");
    Rc::try_unwrap(record).unwrap_or_else(|_| panic!("all tasks have ended"))
}

fn start_edge(world: &World, net: &Net) -> Arc<Shared> {
    let upstream = format!("http://{}", SocketAddr::from(UPSTREAM)).parse().expect("an address");
    let cores = "0".parse().expect("a core");
    let mut config = Config::new("edge".into(), vec![EDGE.into()], vec![upstream], cores);
    config.ram_octets = 1 << 20;
    config.sites = Sites::new(vec![tuned()]).expect("one host");
    let edge = Shared::unstarted(config).expect("no thread is needed for an address");
    let disk = Disk::new(world, DiskFaults::default());
    let (world_of_io, net_of_io) = (world.clone(), net.clone());
    let io = SimIo { world: world_of_io, net: net_of_io, address: EDGE.into(), skew_ms: 0, disk };
    let worker = Worker::new(io, Arc::clone(&edge), 0);
    let accepting = world.clone();
    net.listen(EDGE.into(), move |stream, peer| {
        accepting.spawn("connection of the edge", serve(Rc::clone(&worker), stream, peer));
    });
    edge
}

/// A site whose operator has changed what there is to change but the key: that would hide what was asked.
fn tuned() -> Site {
    let defaults = SiteDefaults {
        stale_while_revalidate: DeltaSeconds(60),
        stale_if_error: DeltaSeconds(60),
        error_lifetime: DeltaSeconds(5),
    };
    Site {
        hosts: vec![TUNED.into()],
        ignore_client_directives: true,
        set_cookie: SetCookie::Withhold,
        defaults,
        upgrade: true,
        show_key: true,
        ..Site::default()
    }
}

/// Sends all, takes what comes until the end.
async fn converse(mut stream: SimStream, octets: Bytes, finishes: bool, record: &Record) {
    let (receiver, sender) = stream.split();
    let send = async {
        let _ = sender.send_octets(octets, PATIENCE).await;
        false
    };
    let receive = async {
        receive_all(receiver, record).await;
        true
    };
    // Whom the edge does not hear any more has nothing to send.
    let has_ended = or(send, receive).await;
    if finishes {
        stream.finish_sending();
    }
    if !has_ended {
        receive_all(stream.split().0, record).await;
    }
}

async fn receive_all(receiver: &mut SimReceiver, record: &Record) {
    loop {
        match receiver.receive(Wait::Idle(PATIENCE)).await {
            Ok(octets) if !octets.is_empty() => {
                record.to_client.borrow_mut().extend_from_slice(&octets);
            }
            Err(IoError::TimedOut) => panic!("the edge keeps a silent connection"),
            _ => return,
        }
    }
}

fn start_upstream(world: &World, net: &Net, scene: &Scene<'_>, record: &Rc<Record>) {
    let accepting = world.clone();
    let (script, closes) = (scene.from_upstream.clone(), scene.upstream_closes);
    let record = Rc::clone(record);
    net.listen(UPSTREAM.into(), move |stream, _| {
        let (script, record) = (script.clone(), Rc::clone(&record));
        record.to_upstream.borrow_mut().push(vec![]);
        accepting.spawn("connection of the upstream", async move {
            let index = record.to_upstream.borrow().len() - 1;
            answer(stream, index, &script, closes, &record).await;
        });
    });
}

/// Answers each request as the input says, whatever it is, and also one that stops in the middle.
async fn answer(
    mut stream: SimStream,
    index: usize,
    script: &[Bytes],
    closes: bool,
    record: &Record,
) {
    let mut start = 0;
    let (receiver, sender) = stream.split();
    loop {
        let has_begun = record.to_upstream.borrow()[index].len() > start;
        let wait = if has_begun { UPSTREAM_WAIT } else { PATIENCE };
        let received = receiver.receive(Wait::Idle(wait)).await;
        let is_over = match &received {
            Ok(octets) => {
                record.to_upstream.borrow_mut()[index].extend_from_slice(octets);
                octets.is_empty()
            }
            Err(error) => *error != IoError::TimedOut,
        };
        if is_over || received.is_err() && !has_begun {
            return;
        }
        loop {
            let read = request(&record.to_upstream.borrow()[index][start..]);
            let length = match read.map(|message| message.end) {
                Ok(End::At(length)) => Some(length),
                // It has waited long enough.
                Ok(_) if received.is_err() => None,
                _ => break,
            };
            let turn = record.answered.replace_with(|answered| *answered + 1);
            let answer = script.get(turn).cloned().unwrap_or(Bytes::from_static(ANSWER));
            let sent = sender.send_octets(answer, PATIENCE).await;
            let Some(length) = length.filter(|_| sent.is_ok() && !closes) else { return };
            start += length;
        }
    }
}

/// The requests of a client as a strict reader finds them, up to where it finds no more.
fn understood(mut octets: &[u8]) -> Vec<Message> {
    let mut requests = vec![];
    while let Ok(message) = request(octets) {
        let end = message.end;
        requests.push(message);
        let End::At(length) = end else { break };
        octets = &octets[length..];
    }
    requests
}

/// The client gets well-formed responses, one for each request at most, and one more that refuses the rest.
fn check_client(received: &[u8], requests: &[Message]) {
    let (mut rest, mut answered) = (received, 0);
    while !rest.is_empty() {
        let asked = requests.get(answered);
        let method = asked.map_or(&b"GET"[..], |asked| &asked.words[0]);
        let message = match response(rest, method) {
            Ok(message) => message,
            Err(No::Partial) => return,
            Err(No::Malformed(why)) => panic!("{why} in {}", rest.escape_ascii()),
        };
        let status = &message.words[1][..];
        let [codings, lengths, ages, dates] =
            ["transfer-encoding", "content-length", "age", "date"]
                .map(|name| message.values(name).count());
        assert!(codings + lengths <= 1 && ages <= 1 && dates <= 1, "{message:?}");
        let http10 = asked.is_some_and(|asked| asked.words[2] == b"HTTP/1.0");
        if status.starts_with(b"1") {
            assert!(asked.is_some() && !http10, "{message:?}");
            assert_eq!(codings + lengths, 0, "RFC 9110 §8.6, RFC 9112 §6.1");
            if status == b"101" {
                // What follows is of another protocol.
                return assert!(asked.is_some_and(may_switch), "RFC 9110 §7.8: {message:?}");
            }
        } else {
            answered += 1;
            assert!(!http10 || codings == 0, "RFC 9112 §6.1: {message:?}");
            // What is not understood is refused, and then nothing more is.
            let is_refusal = status.starts_with(b"4") || status.starts_with(b"5");
            assert!(asked.is_some() || is_refusal, "{message:?}");
            assert!(asked.is_some() || message.has_option("close"), "RFC 9112 §9.6: {message:?}");
            assert!(answered <= requests.len() + 1, "more responses than requests");
        }
        let End::At(length) = message.end else { return };
        rest = &rest[length..];
        if message.has_option("close") {
            assert_eq!(rest, b"", "RFC 9112 §9.6: nothing after close");
        }
    }
}

/// The upstream gets well-formed requests, each of them one that the client made.
fn check_upstream(connections: &[Vec<u8>], requests: &[Message]) {
    let mut asked: Vec<Message> = vec![];
    for octets in connections {
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let message = match request(rest) {
                Ok(message) => message,
                Err(No::Partial) => break,
                Err(No::Malformed(why)) => panic!("{why} in {}", rest.escape_ascii()),
            };
            check_request(&message);
            let is_of = |request: &&Message| is_the_same(&message, request);
            assert!(requests.iter().any(|request| is_of(&request)), "nobody asked for {message:?}");
            assert_ne!(message.end, End::Lost, "RFC 9112 §7.1");
            let (end, switches) = (message.end, message.values("upgrade").count() > 0);
            assert!(!switches || may_switch(&message), "RFC 9110 §7.8: {message:?}");
            asked.push(message);
            let End::At(length) = end else { break };
            if switches {
                break;
            }
            rest = &rest[length..];
        }
    }
    // RFC 9110 §9.2.2: what may have side effects is not sent twice.
    let unsafe_ones = |all: &[Message]| {
        let is_safe =
            |m: &Message| matches!(&m.words[0][..], b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE");
        let is_again = |m: &Message| matches!(&m.words[0][..], b"PUT" | b"DELETE");
        all.iter().filter(|message| !is_safe(message) && !is_again(message)).count()
    };
    assert!(unsafe_ones(&asked) <= unsafe_ones(requests), "sent twice: {asked:?}");
    // A request is sent again when a kept connection turns out to be closed, without conditions after a 304 that was
    // about nothing, and in the background.
    assert!(asked.len() <= 4 * requests.len(), "{} for {}", asked.len(), requests.len());
}

/// Whether the client has asked for another protocol where that is allowed.
fn may_switch(request: &Message) -> bool {
    let is_tuned =
        |host: &[u8]| host.split(|octet| *octet == b':').next() == Some(TUNED.as_bytes());
    let has_fields = request.has_option("upgrade") && request.values("upgrade").count() > 0;
    let target = request.words[1].strip_prefix(b"http://");
    let named = target.and_then(|rest| rest.split(|octet| *octet == b'/').next());
    let mut hosts = request.values("host").chain(named).map(<[u8]>::to_ascii_lowercase);
    has_fields && hosts.any(|host| is_tuned(&host))
}

fn check_request(message: &Message) {
    assert_eq!(message.words[2], b"HTTP/1.1");
    assert_eq!(message.values("host").count(), 1, "RFC 9112 §3.2: {message:?}");
    assert!(message.values("via").count() >= 1, "RFC 9110 §7.6.3: {message:?}");
    for name in ["te", "keep-alive", "proxy-connection", "proxy-authorization", "trailer"] {
        assert_eq!(message.values(name).count(), 0, "RFC 9110 §7.6.1: {message:?}");
    }
}

/// Whether the upstream is asked what the client asked: the same content, and none that is whole only here.
fn is_the_same(sent: &Message, received: &Message) -> bool {
    let [method, target, _] = &received.words;
    let is_path = [&target[..], b"/", b"*"].iter().any(|form| form.ends_with(&sent.words[1]));
    let is_method = *method == sent.words[0] || (method == b"HEAD" && sent.words[0] == b"GET");
    let is_content = match sent.is_whole() {
        true => received.is_whole() && sent.content == received.content,
        false => received.content.starts_with(&sent.content),
    };
    is_path && is_method && is_content
}
