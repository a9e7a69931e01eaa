//! nginx as the upstream: files, compression, validation, errors.

use crate::nginx::Nginx;
use crate::process::Started;
use crate::program;
use crate::transfer::{Transfer, one, transfer};
use crate::world::{start_edge, synthetic};
use std::path::PathBuf;

/// Compression of what is text, also for requests that came through a proxy.
const HTTP: &str =
    "gzip on; gzip_types text/plain; gzip_min_length 100; gzip_vary on; gzip_proxied any;";

/// A place for each way to be kept. `stale` is too old as soon as it comes, so that nothing has to wait for that.
const SERVER: &str = "
    location /hour/ { alias files/; expires 1h; }
    location /stale/ { alias files/; expires 1h; add_header Age 4000; }
    location /guessed/ { alias files/; }
    location /never/ { alias files/; add_header Cache-Control no-store; keepalive_requests 3; }
    location /chunked/ { alias files/; expires 1h; ssi on; ssi_types *; }
    absolute_redirect off;
    location /moved { return 301 /hour/text.txt; }
    location /refused { return 403 'no\\n'; }
    location /broken { return 503 'later\\n'; }
    location /gone { return 410 'gone\\n'; expires 1h; }
    error_page 404 /404.html;
    location = /404.html { }
";

const CHANGED: u64 = 1_700_000_000;

struct Ground {
    nginx: Nginx,
    curl: PathBuf,
    address: String,
    _edge: Started,
}

impl Ground {
    fn new() -> Option<Self> {
        let curl = program::find(&["curl"])?;
        let nginx = Nginx::start(HTTP, SERVER)?;
        for (name, content) in files() {
            nginx.write(name, &content, CHANGED);
        }
        let (edge, address) = start_edge(&format!("http://{}", nginx.address), &[]);
        Some(Self { nginx, curl, address, _edge: edge })
    }

    fn get(&self, target: &str, arguments: &[&str]) -> Transfer {
        one(&self.curl, arguments, &format!("http://{}{target}", self.address))
    }
}

fn text() -> Vec<u8> {
    (0..4000).map(|number| format!("{number} and some words\n")).collect::<String>().into_bytes()
}

fn files() -> [(&'static str, Vec<u8>); 6] {
    [
        ("text.txt", text()),
        ("small.txt", b"too small to compress\n".to_vec()),
        ("image.bin", synthetic("image", 300_000)),
        ("film.bin", synthetic("film", 5_000_000)),
        ("empty.bin", Vec::new()),
        ("404.html", b"<p>not here</p>\n".to_vec()),
    ]
}

/// The contents are those of the files, also the second time, which is a hit where nginx allows one.
#[test]
fn files_are_those_of_the_upstream() {
    let Some(ground) = Ground::new() else { return };
    let mut asked = 0;
    for (place, is_stored) in
        [("hour", true), ("guessed", true), ("chunked", true), ("never", false), ("stale", false)]
    {
        for (name, content) in files() {
            let target = format!("/{place}/{name}");
            for turn in 0..2 {
                let got = ground.get(&target, &[]);
                let why = format!("{target}, turn {turn}: {}", got.head);
                assert_eq!(got.status, 200, "{why}");
                assert!(got.content == content, "{why}");
                let is_hit = is_stored && turn == 1;
                assert_eq!(got.cache_status().contains("; hit"), is_hit, "{why}");
            }
            asked += if is_stored { 1 } else { 2 };
        }
    }
    assert_eq!(ground.nginx.answered(asked).len(), asked, "{}", ground.nginx.errors());
}

/// RFC 9111 §4.1: who takes gzip gets it and who does not does not, whatever came first.
#[test]
fn compressed_and_plain_side_by_side() {
    let Some(ground) = Ground::new() else { return };
    // Said in words: what curl says by itself differs from build to build.
    let gzip = ["--compressed", "--header", "Accept-Encoding: gzip, deflate"];
    let gzip_1_0 = [&gzip[..], &["--http1.0"]].concat();
    let identity = ["--header", "Accept-Encoding: identity"];
    let refused = ["--header", "Accept-Encoding: gzip;q=0, *"];
    let written = ["--compressed", "--header", "Accept-Encoding:  GZIP , deflate"];
    let rows: [(&[&str], bool, &str, &str); 9] = [
        (&gzip, true, "fwd=uri-miss", "the first"),
        (&[], false, "fwd=vary-miss; fwd-status=200", "another variant"),
        (&gzip, true, "; hit", "stored"),
        (&[], false, "; hit", "stored beside it"),
        (
            &identity,
            false,
            "fwd=vary-miss; fwd-status=304",
            "RFC 9111 §4.1: nginx picks a stored one",
        ),
        (&identity, false, "; hit", "and is not asked again"),
        (&refused, false, "", "anything but gzip"),
        (&gzip_1_0, true, "; hit", "HTTP/1.0"),
        (&written, true, "; hit", "as people write it"),
    ];
    for (arguments, is_gzip, expected, why) in rows {
        let got = ground.get("/hour/text.txt", arguments);
        let why = format!("{why}: {}", got.head);
        assert_eq!(got.status, 200, "{why}");
        assert!(got.content == text(), "{why}: what curl makes of it");
        assert_eq!(got.field("content-encoding") == "gzip", is_gzip, "{why}");
        assert!(got.field("vary").eq_ignore_ascii_case("accept-encoding"), "{why}");
        assert_eq!(got.field("etag").starts_with("W/"), is_gzip, "{why}: each with its own tag");
        assert!(got.cache_status().contains(expected), "{why}");
    }
    // nginx would confirm the plain variant to a client that takes gzip.
    for (arguments, is_gzip) in [(&[][..], false), (&gzip, true)] {
        let got = ground.get("/hour/text.txt?plain-first", arguments);
        assert_eq!(got.field("content-encoding") == "gzip", is_gzip, "{}", got.head);
    }
    let small = ground.get("/hour/small.txt", &["--compressed"]);
    assert_eq!(small.field("content-encoding"), "", "{}", small.head);
    let raw = ground.get("/hour/text.txt?raw", &["--header", "Accept-Encoding: gzip"]);
    assert_eq!(raw.content[..2], [0x1f, 0x8b], "gzip's magic octets: {}", raw.head);
    let ranged = ground.get("/hour/text.txt", &["--range", "10-19"]);
    assert_eq!((ranged.status, &ranged.content[..]), (206, &text()[10..20]), "{}", ranged.head);
}

/// RFC 9111 §4.3: what may be too old is confirmed without its content, and a file that has changed is seen.
#[test]
fn stale_files_are_validated() {
    let Some(ground) = Ground::new() else { return };
    let (target, changed) = ("/stale/image.bin", b"changed".repeat(100));
    let original = synthetic("image", 300_000);
    let rows = [
        ("fwd=uri-miss", 200, false, "the first"),
        ("fwd=stale; fwd-status=304", 304, false, "unchanged"),
        ("fwd=stale; fwd-status=304", 304, false, "and again"),
        ("fwd=stale; fwd-status=200", 200, true, "changed"),
        ("fwd=stale; fwd-status=304", 304, true, "as it is now"),
    ];
    for (expected, _, is_changed, why) in rows {
        if is_changed {
            ground.nginx.write("image.bin", &changed, CHANGED + 60);
        }
        let got = ground.get(target, &[]);
        assert!(got.cache_status().contains(expected), "{why}: {}", got.head);
        let content = if is_changed { &changed } else { &original };
        assert_eq!((got.status, got.content == *content), (200, true), "{why}: {}", got.head);
        assert!(got.field("age").parse::<u32>().unwrap() >= 4000, "{why}: {}", got.head);
    }
    let asked = rows.map(|(_, status, ..)| format!("GET {target} {status}"));
    assert_eq!(ground.nginx.answered(asked.len()), asked);
}

/// RFC 9111 §4.3.4: for what it compresses, nginx answers 304 with the strong tag of the file, which is not the weak
/// one that it gave to what is stored; so that answer may not be used, and the file is asked for again.
#[test]
fn a_304_for_something_else_is_not_used() {
    let Some(ground) = Ground::new() else { return };
    let (target, changed) = ("/stale/text.txt", b"changed\n".repeat(100));
    for (is_changed, answers) in [(false, &[200][..]), (false, &[304, 200]), (true, &[200])] {
        if is_changed {
            ground.nginx.write("text.txt", &changed, CHANGED + 60);
        }
        let before = ground.nginx.answered(0).len();
        let got = ground.get(target, &["--compressed"]);
        let content = if is_changed { changed.clone() } else { text() };
        assert_eq!((got.status, got.content == content), (200, true), "{}", got.head);
        assert_eq!(got.field("content-encoding"), "gzip", "{}", got.head);
        let asked = ground.nginx.answered(before + answers.len());
        let expected = answers.iter().map(|status| format!("GET {target} {status}"));
        assert_eq!(asked[before..], expected.collect::<Vec<_>>(), "{}", got.head);
    }
}

/// A fresh copy stands for the file until a client wants news.
#[test]
fn a_fresh_copy_outlives_a_change() {
    let Some(ground) = Ground::new() else { return };
    let (target, old) = ("/hour/image.bin", synthetic("image", 300_000));
    assert!(ground.get(target, &[]).content == old);
    ground.nginx.write("image.bin", b"new", CHANGED + 1);
    let got = ground.get(target, &[]);
    assert!(got.content == old && got.cache_status().contains("; hit"), "{}", got.head);
    let got = ground.get(target, &["--header", "Cache-Control: no-cache"]);
    assert_eq!((&got.content[..], got.status), (&b"new"[..], 200), "{}", got.head);
    let got = ground.get(target, &[]);
    assert!(got.content == b"new" && got.cache_status().contains("; hit"), "{}", got.head);
    assert_eq!(ground.nginx.answered(2).len(), 2);
}

/// RFC 9111 §3.3: a part that nginx has sent serves who wants it again, and never stands for the whole.
#[test]
fn parts_are_stored() {
    let Some(ground) = Ground::new() else { return };
    let (target, film) = ("/hour/film.bin", synthetic("film", 5_000_000));
    let rows = [
        ("1000000-1999999", 1_000_000..2_000_000, false, "the first"),
        ("1000000-1999999", 1_000_000..2_000_000, true, "the same"),
        ("1500000-1500009", 1_500_000..1_500_010, true, "a part of it"),
        ("-500", 4_999_500..5_000_000, false, "another one"),
    ];
    for (range, octets, is_hit, why) in rows {
        let got = ground.get(target, &["--range", range]);
        assert_eq!(got.status, 206, "{why}: {}", got.head);
        assert!(got.content == film[octets], "{why}: {}", got.head);
        assert_eq!(got.cache_status().contains("; hit"), is_hit, "{why}: {}", got.head);
    }
    for is_hit in [false, true] {
        let got = ground.get(target, &[]);
        assert_eq!((got.status, got.content == film), (200, true), "{}", got.head);
        assert_eq!(got.cache_status().contains("; hit"), is_hit, "{}", got.head);
    }
    let beyond = ground.get(target, &["--range", "5000000-"]);
    assert_eq!(beyond.status, 416, "{}", beyond.head);
    assert_eq!(beyond.field("content-range"), "bytes */5000000", "{}", beyond.head);
}

/// RFC 9112 §9.6: nginx ends each connection after a few requests, and no client of the edge notices.
#[test]
fn connections_that_end() {
    let Some(ground) = Ground::new() else { return };
    let url = format!("http://{}/never/small.txt", ground.address);
    let expected = files().into_iter().find(|file| file.0 == "small.txt").unwrap().1;
    let all = transfer(&ground.curl, &[], &vec![url; 50]);
    for (number, got) in all.iter().enumerate() {
        assert_eq!((got.status, &got.content), (200, &expected), "{number}: {}", got.head);
        assert_eq!(got.connections, usize::from(number == 0), "{number}: {}", got.head);
    }
    assert_eq!(ground.nginx.answered(all.len()).len(), all.len());
}

/// Errors and redirections are nginx's own, with their contents.
#[test]
fn errors_come_through() {
    let Some(ground) = Ground::new() else { return };
    for (target, status, content, is_stored) in [
        ("/hour/none", 404, "<p>not here</p>\n", false),
        ("/refused", 403, "no\n", false),
        ("/broken", 503, "later\n", false),
        ("/moved", 301, "<html>", false),
        ("/gone", 410, "gone\n", false),
    ] {
        for turn in 0..2 {
            let got = ground.get(target, &[]);
            assert_eq!(got.status, status, "{target}: {}", got.head);
            let said = String::from_utf8_lossy(&got.content);
            assert!(said.starts_with(content), "{target}: {}: {said}", got.head);
            let is_hit = is_stored && turn == 1;
            assert_eq!(got.cache_status().contains("; hit"), is_hit, "{target}: {}", got.head);
        }
    }
    let moved = ground.get("/moved", &[]);
    assert_eq!(moved.field("location"), "/hour/text.txt");
    assert_eq!(ground.get("/hour/text.txt", &["--request", "DELETE"]).status, 405);
}
