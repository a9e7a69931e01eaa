//! Connections, bounds, the journal, starting and stopping, over real sockets.

mod raw;

use std::io::ErrorKind;
use std::time::Duration;

use lastmile_origin::{Config, Ending, HEAD_OCTETS_MAX, Origin, Source, StartErrorKind, start};
use raw::{PATIENCE, Raw, Scratch, get, loopback, synthetic};

fn sample(origin: &Origin, name: &str) -> u64 {
    let found = origin.samples().into_iter().find(|sample| sample.0 == name);
    found.unwrap_or_else(|| panic!("no sample {name}")).2
}

#[test]
fn the_journal_tells_what_was_asked() {
    let origin = synthetic();
    let journal = origin.journal();
    let mut first = Raw::connect(origin.address());
    first.get("/bytes/10?n=1", "Range: bytes=0-3\r\nVia: 1.1 a\r\nVia: 1.1 b\r\n");
    first.get("/bytes/10", "If-None-Match: \"x\"\r\nX-Forwarded-For: 192.0.2.1\r\n");
    Raw::connect(origin.address()).request("HEAD", "/bytes/10", "");
    let entries = journal.wait_for_ended(3, PATIENCE);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0].target, "/bytes/10?n=1");
    assert_eq!(text(&entries[0].host), "origin.test");
    assert_eq!(text(&entries[0].range), "bytes=0-3");
    assert_eq!(text(&entries[0].via), "1.1 a, 1.1 b");
    assert_eq!((entries[0].status, entries[0].content_sent), (206, 4));
    assert_eq!(text(&entries[1].if_none_match), "\"x\"");
    assert_eq!(text(&entries[1].x_forwarded_for), "192.0.2.1");
    assert_eq!(entries[0].connection, entries[1].connection, "one connection, used again");
    assert_ne!(entries[1].connection, entries[2].connection);
    assert_eq!((entries[2].method.as_str(), entries[2].content_sent), ("HEAD", 0));
    let sequence: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequence, [1, 2, 3]);
    assert!(entries.iter().all(|entry| entry.ending == Ending::Complete && entry.unix_ms > 0));

    journal.clear();
    assert!(journal.entries().is_empty());
    assert!(journal.wait_for(1, Duration::ZERO).is_empty(), "patience ends");
    first.get("/bytes/1", "");
    assert_eq!(journal.wait_for_ended(1, PATIENCE)[0].sequence, 4, "numbers go on");
    assert_eq!(sample(&origin, "lastmile_origin_requests_total"), 4);
    assert_eq!(sample(&origin, "lastmile_origin_connections_total"), 2);
    assert_eq!(sample(&origin, "lastmile_origin_content_sent_octets_total"), 4 + 10 + 1);
}

#[test]
fn the_journal_file_has_a_line_of_json_for_each_request() {
    let scratch = Scratch::new();
    let path = scratch.0.join("journal");
    std::fs::write(&path, "earlier\n").unwrap();
    let mut config = Config::new(loopback(), Source::Synthetic);
    config.journal = Some(path.clone());
    let origin = start(config).unwrap();
    get(&origin, "/bytes/7?q=%22", "");
    get(&origin, "/bytes/9?reset-at=3", "");
    let _ = origin.journal().wait_for_ended(2, PATIENCE);
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "earlier"), "appended");
    let json: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(json["target"], "/bytes/7?q=%22");
    assert_eq!((&json["status"], &json["content_sent"]), (&200.into(), &7.into()));
    assert_eq!(json["ending"], "complete");
    let json: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(json["ending"], "reset-on-purpose");
}

#[test]
fn an_abandoned_delay_is_noted() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    connection.send("GET /bytes/1?delay=600000 HTTP/1.1\r\nHost: x\r\n\r\n");
    let entries = origin.journal().wait_for(1, PATIENCE);
    assert_eq!((entries[0].ending, entries[0].status), (Ending::InProgress, 0));
    drop(connection);
    let entries = origin.journal().wait_for_ended(1, PATIENCE);
    assert_eq!(entries[0].ending, Ending::AbortedByClient);
}

#[test]
fn persistence_as_each_version_has_it() {
    let origin = synthetic();
    let mut connection = Raw::connect(origin.address());
    connection.send("GET /bytes/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(connection.reply("GET").field("connection"), Some("keep-alive"));
    connection.send("GET /bytes/1 HTTP/1.0\r\n\r\n");
    assert_eq!(connection.reply("GET").status, 200);
    assert_eq!(connection.end(), ErrorKind::UnexpectedEof, "1.0 closes unless asked");

    let mut connection = Raw::connect(origin.address());
    let one = "GET /bytes/3 HTTP/1.1\r\nHost: x\r\n\r\n";
    connection.send(one.repeat(3));
    for _ in 0..3 {
        assert_eq!(connection.reply("GET").content.len(), 3, "pipelined");
    }
    let last = connection.get("/bytes/3", "Connection: close\r\n");
    assert_eq!(last.field("connection"), Some("close"), "announced");
    assert_eq!(connection.end(), ErrorKind::UnexpectedEof);
    let mut connection = Raw::connect(origin.address());
    connection.send("GET /bytes/9?chunked=1 HTTP/1.0\r\n\r\n");
    let reply = connection.reply("GET");
    assert_eq!(reply.field("transfer-encoding"), None, "no chunks for 1.0");
    assert_eq!(reply.content.len(), 9);
}

#[test]
fn malformed_and_oversize_heads_are_refused() {
    let origin = synthetic();
    let large = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(2 * HEAD_OCTETS_MAX));
    for (head, status, why) in [
        ("NONSENSE\r\n\r\n", 400, "no request line"),
        ("GET / HTTP/1.1\r\nA B\r\n\r\n", 400, "no field line"),
        (large.as_str(), 431, "too large"),
    ] {
        let mut connection = Raw::connect(origin.address());
        // The answer may come, and the connection end, before all of an oversize head is sent.
        let _ = std::io::Write::write_all(connection.stream(), head.as_bytes());
        let reply = connection.reply("GET");
        assert_eq!(reply.status, status, "{why}");
        assert!(reply.field("date").is_some(), "{why}: {}", reply.head);
    }
    assert_eq!(get(&origin, "/bytes/1", "").status, 200, "others are served");
    let connect = Raw::connect(origin.address()).request("CONNECT", "x:1", "");
    assert_eq!(connect.status, 405, "no tunnels");
}

#[test]
fn connections_beyond_the_bound_wait() {
    let mut config = Config::new(loopback(), Source::Synthetic);
    config.connections_max = 2;
    let origin = start(config).unwrap();
    let mut held: Vec<Raw> = (0..2).map(|_| Raw::connect(origin.address())).collect();
    for connection in &mut held {
        assert_eq!(connection.get("/bytes/1", "").status, 200);
    }
    let mut third = Raw::connect(origin.address());
    third.send("GET /bytes/3 HTTP/1.1\r\nHost: x\r\n\r\n");
    for connection in &mut held {
        assert_eq!(connection.get("/bytes/1", "").status, 200);
    }
    assert_eq!(sample(&origin, "lastmile_origin_connections_total"), 2, "the third waits");
    held.pop();
    assert_eq!(third.reply("GET").content.len(), 3, "until there is room");
}

#[test]
fn silent_connections_are_closed_and_delayed_ones_are_not() {
    let mut config = Config::new(loopback(), Source::Synthetic);
    config.idle_timeout = Duration::from_secs(1);
    let origin = start(config).unwrap();
    let address = origin.address();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let end = Raw::connect(address).end();
            assert_eq!(end, ErrorKind::UnexpectedEof, "never said anything");
        });
        scope.spawn(|| {
            let mut used = Raw::connect(address);
            assert_eq!(used.get("/bytes/1", "").status, 200);
            assert_eq!(used.end(), ErrorKind::UnexpectedEof, "idle after an exchange");
        });
        scope.spawn(|| {
            let mut slow = Raw::connect(address);
            slow.send("GET / HTTP/1.1\r\nHost:");
            assert_ne!(slow.end(), ErrorKind::WouldBlock, "a head that never ends");
        });
        scope.spawn(|| {
            let delayed = get(&origin, "/bytes/5?delay=1500&pause=1500", "");
            assert_eq!((delayed.status, delayed.content.len()), (200, 5), "silence on purpose");
        });
        scope.spawn(|| {
            // The kernel's buffers fill, then nothing moves.
            let mut stuck = Raw::connect(address);
            stuck.send("GET /bytes/10G HTTP/1.1\r\nHost: x\r\n\r\n");
            let entries = origin.journal().wait_for_ended(3, PATIENCE);
            let stuck = entries.iter().find(|entry| entry.target == "/bytes/10G").unwrap();
            assert_eq!(stuck.ending, Ending::AbortedByClient, "a reader that takes nothing");
        });
    });
    assert_eq!(sample(&origin, "lastmile_origin_ended_by_client_total"), 1);
}

#[test]
fn start_errors_say_what_to_do() {
    let origin = synthetic();
    let taken = Config::new(origin.address(), Source::Synthetic);
    let missing = Config::new(loopback(), Source::Directory("/nonexistent/x".into()));
    let file = Config::new(loopback(), Source::Directory("/etc/hostname".into()));
    let foreign = Config::new("192.0.2.1:0".parse().unwrap(), Source::Synthetic);
    let mut none = Config::new(loopback(), Source::Synthetic);
    none.connections_max = 0;
    let mut journal = Config::new(loopback(), Source::Synthetic);
    journal.journal = Some("/nonexistent/journal".into());
    let rows = [
        (taken, "in use"),
        (missing, "/nonexistent/x"),
        (file, "/etc/hostname"),
        (foreign, "192.0.2.1:0"),
        (none, "connections_max is 0; allowed: 1 to 1024"),
        (journal, "/nonexistent/journal"),
    ];
    for (config, part) in rows {
        let error = start(config).unwrap_err();
        assert_eq!(error.kind(), StartErrorKind::Misuse, "{error}");
        let line = error.to_string();
        assert!(line.contains(part) && !line.contains('\n'), "{line}");
    }
}

#[test]
fn stop_drains_what_is_in_progress_and_frees_the_address() {
    let origin = synthetic();
    let address = origin.address();
    let mut idle = Raw::connect(address);
    assert_eq!(idle.get("/bytes/1", "").status, 200);
    let mut busy = Raw::connect(address);
    busy.send("GET /bytes/30?delay=300 HTTP/1.1\r\nHost: x\r\n\r\n");
    let _ = origin.journal().wait_for(2, PATIENCE);
    origin.stop(PATIENCE);
    assert_eq!(idle.end(), ErrorKind::UnexpectedEof, "idle connections are closed");
    let reply = busy.reply("GET");
    assert_eq!((reply.content.len(), reply.broken), (30, None), "finished");
    assert_eq!(reply.field("connection"), Some("close"), "and announced");
    let again = start(Config::new(address, Source::Synthetic)).unwrap();
    assert_eq!(again.address(), address, "at once");
}

#[test]
fn stop_cuts_what_outlasts_the_drain_time() {
    let origin = synthetic();
    let mut busy = Raw::connect(origin.address());
    busy.send("GET /bytes/1M?rate=10 HTTP/1.1\r\nHost: x\r\n\r\n");
    let journal = origin.journal();
    let _ = journal.wait_for(1, PATIENCE);
    origin.stop(Duration::from_millis(50));
    assert!(busy.reply("GET").broken.is_some());
    assert_eq!(journal.entries()[0].ending, Ending::AbortedByClient);
}
