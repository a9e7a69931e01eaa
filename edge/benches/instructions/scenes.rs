//! What is measured: parts of the hit path, and whole connections that serve hits without a kernel.

use crate::at_once::{Connection, shared};
use core::hint::black_box;
use lastmile_edge::ram::{RamTier, Stored};
use lastmile_http::cache::key::{KeyRules, write_key};
use lastmile_http::head::{HeadLimits, Parsed, parse_request};
use std::process::ExitCode;

/// The name of [`measured`] as callgrind knows functions.
pub(crate) const MEASURED: &str = "*instructions::scenes::measured*";

/// Something that is done many times.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// How many operations are counted.
    pub(crate) operations: usize,
    run: fn(),
}

/// Callgrind counts while this runs, and at no other time.
#[inline(never)]
fn measured(operation: &mut dyn FnMut(usize)) {
    operation(black_box(COUNT));
}

/// Operations of a scene: enough that what an operation costs once and not each time is not seen.
const COUNT: usize = 2000;
const PIPELINED: usize = 16;

pub(crate) const SCENES: &[Scene] = &[
    scene("parse-wrk", "the head of a request of wrk", || parse(WRK)),
    scene("parse-browser", "the head of a request of a browser", || parse(BROWSER)),
    scene("key", "the cache key of a request, and its hash", key),
    scene("lookup-1", "a look into a RAM tier of 1 object", || lookup(1)),
    scene("lookup-1000", "of 1,000", || lookup(1000)),
    scene("lookup-100000", "of 100,000", || lookup(100_000)),
    scene("hit-1kb", "wrk's request for 1 KB, from receive to send", || hit(WRK, &[], 1000)),
    scene("hit-1kb-browser", "a browser's", || hit(BROWSER, &[], 1000)),
    Scene {
        operations: COUNT * PIPELINED,
        ..scene("hit-1kb-pipelined", "one of 16 pipelined requests for 1 KB", || {
            hit(WRK.repeat(PIPELINED).leak(), &[], 1000);
        })
    },
    scene("hit-1kb-variant", "a browser's, of a response that varies", || {
        hit(BROWSER, b"Vary: Accept-Encoding\r\n", 1000);
    }),
    scene("hit-head", "HEAD", || hit(&with("HEAD", ""), &[], 1000)),
    scene("hit-304", "a condition that holds", || {
        hit(&with("GET", "If-None-Match: \"tag\"\r\n"), &[], 1000);
    }),
    scene("hit-range", "100 octets of 1 KB", || {
        hit(&with("GET", "Range: bytes=100-199\r\n"), &[], 1000);
    }),
    scene("hit-16kb", "wrk's request for 16 KB", || hit(WRK, &[], 16 << 10)),
    scene("hit-100kb", "for 100 KB", || hit(WRK, &[], 100_000)),
];

const fn scene(name: &'static str, what: &'static str, run: fn()) -> Scene {
    Scene { name, what, operations: COUNT, run }
}

/// Runs a scene, in the process that callgrind watches.
pub(crate) fn run(name: &str) -> ExitCode {
    let Some(scene) = SCENES.iter().find(|scene| scene.name == name) else {
        eprintln!("instructions: no scene {name:?}");
        return ExitCode::from(2);
    };
    (scene.run)();
    ExitCode::SUCCESS
}

const WRK: &[u8] = b"GET /bytes/1KB/a HTTP/1.1\r\nHost: www.customer.test\r\n\r\n";
const BROWSER: &[u8] = b"GET /bytes/1KB/a HTTP/1.1\r\n\
    Host: www.customer.test\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: http://www.customer.test/\r\n\
    Connection: keep-alive\r\n\
    Cookie: consent=yes; theme=dark; _visitor=Zm9vYmFyYmF6cXV4\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Priority: u=0, i\r\n\
    \r\n";

/// As wrk's, with another method and more fields.
fn with(method: &str, fields: &str) -> Vec<u8> {
    format!("{method} /bytes/1KB/a HTTP/1.1\r\nHost: www.customer.test\r\n{fields}\r\n")
        .into_bytes()
}

fn parse(octets: &[u8]) {
    let limits = HeadLimits::default();
    let mut spans = Vec::with_capacity(64);
    measured(&mut |count| {
        for _ in 0..count {
            let parsed = parse_request(black_box(octets), &mut spans, &limits);
            assert!(matches!(black_box(parsed), Ok(Parsed::Complete { .. })));
        }
    });
}

/// The value of an object of 1 KB.
struct Content;

impl Stored for Content {}

fn key() {
    let tier = RamTier::<Content>::new(1 << 20);
    let rules = KeyRules::default();
    let mut key = Vec::with_capacity(256);
    measured(&mut |count| {
        for _ in 0..count {
            key.clear();
            let (host, path) = black_box((b"www.customer.test", b"/bytes/1KB/a"));
            write_key(&rules, host, path, &mut key);
            black_box(tier.hash(&key));
        }
    });
}

fn lookup(objects: u32) {
    let tier = RamTier::new(256 << 20);
    let key = |number: u32| number.wrapping_mul(2_654_435_761).to_le_bytes();
    for number in 0..objects {
        let (hash, content) = (tier.hash(&key(number)), [0; 1000]);
        let inserted = tier.insert(hash, &key(number), Content, &[&content], |_| true);
        assert!(inserted.is_ok(), "there is room for all");
    }
    let look_up = |number: u32| {
        let key = key(number);
        tier.lookup(tier.hash(&key), &key, |content| Some(content.octets().len()))
    };
    assert!(look_up(0).is_some(), "the first look of a thread registers it");
    measured(&mut |count| {
        let mut number = 0;
        for _ in 0..count {
            assert!(black_box(look_up(black_box(number))).is_some());
            number = (number + 7919) % objects;
        }
    });
}

/// Hits of one connection: each is one receive of `request`, answered from a stored response with `fields` and `octets`
/// of content.
fn hit(request: &[u8], fields: &[u8], octets: usize) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: origin\r\n\
         Content-Type: text/plain\r\nLast-Modified: Mon, 01 Dec 2025 00:00:00 GMT\r\nETag: \"tag\"\r\n\
         Cache-Control: max-age=60\r\nContent-Length: {octets}\r\n"
    );
    let content = vec![b'x'; octets];
    let response: &[u8] = [head.as_bytes(), fields, b"\r\n", &content].concat().leak();
    let request: &[u8] = request.to_vec().leak();
    let requests: &[&[u8]] = vec![request].leak();
    // What varies is stored for the request that is measured; for others the miss is one for the whole.
    let first = if fields.is_empty() { WRK } else { request };
    let mut connection = Connection::open(&shared(1, 1 << 20), 0, response);
    connection.ask(vec![first].leak(), 1);
    connection.ask(requests, 10);
    measured(&mut |count| connection.ask(requests, count));
}
