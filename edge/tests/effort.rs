//! What a hit costs the machine beyond the edge's own instructions: one receive, one send, and no look at a clock but
//! at the one that ticks for all.

mod at_once;

use at_once::{Connection, Done, shared};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: www.customer.test\r\n\r\n";
const HEAD: &[u8] = b"HEAD /a HTTP/1.1\r\nHost: www.customer.test\r\n\r\n";
const CONDITION: &[u8] =
    b"GET /a HTTP/1.1\r\nHost: www.customer.test\r\nIf-None-Match: \"tag\"\r\n\r\n";
const RANGE: &[u8] = b"GET /a HTTP/1.1\r\nHost: www.customer.test\r\nRange: bytes=0-9\r\n\r\n";

/// Looks at the ticking clock per hit: one load of a number that changes every 50 ms.
const CLOCK_READS: usize = 1;

fn response(octets: usize) -> &'static [u8] {
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nCache-Control: max-age=60\r\n\
         ETag: \"tag\"\r\nContent-Length: {octets}\r\n\r\n"
    );
    [head.as_bytes(), &vec![b'x'; octets]].concat().leak()
}

/// What the edge does when it has received each of `requests` once, all of them hits.
fn done_for(requests: &'static [&'static [u8]], octets: usize) -> Done {
    let mut connection = Connection::open(&shared(1, 1 << 20), 0, response(octets));
    connection.ask(&[GET], 2);
    let before = connection.done();
    connection.ask(requests, requests.len());
    let after = connection.done();
    Done {
        receives: after.receives - before.receives,
        sends: after.sends - before.sends,
        clock_reads: after.clock_reads - before.clock_reads,
        octets: after.octets - before.octets,
    }
}

#[test]
fn a_hit_is_one_receive_and_one_send() {
    for (request, octets, what) in [
        (GET, 0, "no content"),
        (GET, 1000, "1 KB"),
        (GET, 16 << 10, "16 KB: copied behind the head"),
        (GET, 100_000, "100 KB: by reference, with the head"),
        (HEAD, 100_000, "HEAD"),
        (CONDITION, 1000, "304"),
        (RANGE, 1000, "206"),
    ] {
        let requests: &[&[u8]] = vec![request; 10].leak();
        let done = done_for(requests, octets);
        assert_eq!((done.receives, done.sends), (10, 10), "{what}");
        assert_eq!(done.clock_reads, 10 * CLOCK_READS, "{what}");
    }
}

#[test]
fn pipelined_requests_share_both() {
    let pipelined: &[&[u8]] = vec![&*GET.repeat(16).leak()].leak();
    let done = done_for(pipelined, 1000);
    assert_eq!((done.receives, done.sends), (1, 1));
    assert_eq!(done.clock_reads, 16 * CLOCK_READS);
    assert!(done.octets > 16 * 1000, "{done:?}");
}

#[test]
fn a_request_in_two_parts_is_one_send() {
    let (first, second) = GET.split_at(20);
    let done = done_for(vec![first, second].leak(), 1000);
    assert_eq!((done.receives, done.sends), (2, 1));
}
