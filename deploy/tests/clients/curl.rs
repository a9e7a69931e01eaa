//! curl: connections, ranges, conditions, uploads, interim responses.

use crate::process::scratch;
use crate::program;
use crate::scripted::Scripted;
use crate::transfer::{one, transfer};
use crate::world::{World, start_edge, synthetic};
use std::path::PathBuf;

/// An edge before an origin of synthetic objects, and curl.
struct Ground {
    world: World,
    curl: PathBuf,
}

impl Ground {
    fn new() -> Option<Self> {
        let curl = program::find(&["curl"])?;
        Some(Self { world: World::new(), curl })
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.world.address)
    }
}

/// RFC 9112 §9.3: one connection for all, whatever the answers are.
#[test]
fn one_connection_for_many_urls() {
    let Some(ground) = Ground::new() else { return };
    let rows = [
        ("/bytes/1000/a?max-age=60", 200, 1000, "not stored"),
        ("/bytes/1000/a?max-age=60", 200, 1000, "stored"),
        ("/bytes/100K/b?max-age=60&chunked=1", 200, 100_000, "in chunks"),
        ("/bytes/100K/c?max-age=60&close-delimited=1", 200, 100_000, "ended by a close upstream"),
        ("/bytes/0/d?max-age=60", 200, 0, "no content"),
        ("/bytes/10/e?status=404", 404, 10, "an error of the upstream"),
        ("/bytes/10/f?abort=close", 502, 0, "an error of the edge"),
        ("/bytes/0/g?status=204&max-age=60", 204, 0, "never content"),
        ("/bytes/3M/h?max-age=60", 200, 3_000_000, "much"),
        ("/bytes/3M/h?max-age=60", 200, 3_000_000, "much, stored"),
    ];
    let urls: Vec<_> = rows.iter().map(|row| ground.url(row.0)).collect();
    let transfers = transfer(&ground.curl, &[], &urls);
    for (number, (got, (target, status, octets, why))) in transfers.iter().zip(rows).enumerate() {
        assert_eq!(got.status, status, "{why}: {}", got.head);
        assert_eq!(got.connections, usize::from(number == 0), "{why}: {}", got.head);
        if status != 502 {
            assert!(got.content == synthetic(target, octets), "{why}: {}", got.head);
        }
        let is_hit = why.ends_with("stored") && !why.starts_with("not");
        assert_eq!(got.cache_status().contains("; hit"), is_hit, "{why}: {}", got.head);
    }
}

/// From octet to octet, the last one not included.
type Parts = &'static [(usize, usize)];

/// RFC 9110 §14: curl checks that a response continues where it asked, and the octets are those of the whole.
#[test]
fn ranges() {
    let Some(ground) = Ground::new() else { return };
    let whole = |target: &str| synthetic(target, 1000);
    let rows: [(&str, u16, Parts, &str); 7] = [
        ("0-99", 206, &[(0, 100)], "the first"),
        ("900-", 206, &[(900, 1000)], "from one to the end"),
        ("-1", 206, &[(999, 1000)], "the last"),
        ("990-5000", 206, &[(990, 1000)], "past the end"),
        ("0-0,500-509", 206, &[(0, 1), (500, 510)], "two"),
        ("1-2,10-19,-3", 206, &[(1, 3), (10, 20), (997, 1000)], "three"),
        ("1000-", 416, &[], "nothing of it is there"),
    ];
    for is_stored in [false, true] {
        for (number, (range, status, parts, why)) in rows.iter().enumerate() {
            let target = format!("/bytes/1000/{is_stored}{number}?max-age=60&etag=v1");
            let url = ground.url(&target);
            if is_stored {
                assert_eq!(one(&ground.curl, &[], &url).status, 200);
            }
            let got = one(&ground.curl, &["--range", range], &url);
            let why = format!("{why}, stored {is_stored}: {}", got.head);
            assert_eq!(got.status, *status, "{why}");
            let whole = whole(&target);
            match **parts {
                [] => assert_eq!(got.field("content-range"), "bytes */1000", "{why}"),
                [(from, to)] => {
                    let expected = format!("bytes {from}-{}/1000", to - 1);
                    assert_eq!(got.field("content-range"), expected, "{why}");
                    assert_eq!(got.content, &whole[from..to], "{why}");
                }
                _ => {
                    let kind = got.field("content-type");
                    let boundary = kind.strip_prefix("multipart/byteranges; boundary=");
                    let boundary = boundary.unwrap_or_else(|| panic!("{why}")).trim_matches('"');
                    assert_parts(&got.content, boundary, &whole, parts, &why);
                }
            }
            assert_eq!(got.cache_status().contains("; hit"), is_stored, "{why}");
        }
    }
}

/// RFC 9110 §14.6: each part has its own Content-Range.
fn assert_parts(content: &[u8], boundary: &str, whole: &[u8], parts: &[(usize, usize)], why: &str) {
    let mut rest = content;
    for &(from, to) in parts {
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&rest[..end]).unwrap().to_ascii_lowercase();
        assert!(head.contains(&format!("--{}", boundary.to_ascii_lowercase())), "{why}: {head}");
        let range = format!("content-range: bytes {from}-{}/{}", to - 1, whole.len());
        assert!(head.contains(&range), "{why}: {head}");
        let part = &rest[end + 4..];
        assert_eq!(&part[..to - from], &whole[from..to], "{why}");
        rest = &part[to - from..];
    }
    assert_eq!(rest, format!("\r\n--{boundary}--\r\n").as_bytes(), "{why}");
}

/// A download that was interrupted goes on: curl looks at what it has and asks for the rest.
#[test]
fn a_download_is_resumed() {
    let Some(ground) = Ground::new() else { return };
    let folder = scratch();
    let file = folder.path().join("film");
    let target = "/bytes/2M/film?max-age=60&etag=v1";
    let content = synthetic(target, 2_000_000);
    for have in [0, 1, 999_999, 1_999_999] {
        std::fs::write(&file, &content[..have]).unwrap();
        let output = std::process::Command::new(&ground.curl)
            .args(["-q", "-sS", "--max-time", "60", "--noproxy", "*", "--continue-at", "-"])
            .arg("--output")
            .arg(&file)
            .arg(ground.url(target))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{have}: {said}");
        assert!(std::fs::read(&file).unwrap() == content, "{have}");
    }
}

/// RFC 9110 §13: conditions are answered from the store, as the origin would.
#[test]
fn conditions() {
    let Some(ground) = Ground::new() else { return };
    let folder = scratch();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (same, other) = (file("same", "\"v1\"\n"), file("other", "\"v2\"\n"));
    // 1,000,000,000 seconds after 1970.
    let (at, before) = ("Sun, 09 Sep 2001 01:46:40 GMT", "Sat, 08 Sep 2001 01:46:40 GMT");
    let url = ground.url("/bytes/1000/condition?max-age=60&etag=v1&last-modified=@1000000000");
    let (unless_at, unless_before) = (format!("-{at}"), format!("-{before}"));
    let rows: [(&[&str], u16, &str); 7] = [
        (&["--time-cond", at], 304, "not modified since"),
        (&["--time-cond", before], 200, "modified since"),
        (&["--time-cond", &unless_at], 200, "unmodified since"),
        (&["--time-cond", &unless_before], 200, "RFC 9111 §4.3.2: not for caches; curl sees it"),
        (&["--etag-compare", &same], 304, "the same"),
        (&["--etag-compare", &other], 200, "another"),
        (&["--etag-compare", &other, "--time-cond", at], 200, "RFC 9110 §13.2.2: the tag counts"),
    ];
    assert_eq!(one(&ground.curl, &[], &url).status, 200);
    for (arguments, status, why) in rows {
        let got = one(&ground.curl, arguments, &url);
        assert_eq!(got.status, status, "{why}: {}", got.head);
        assert!(got.cache_status().contains("; hit"), "{why}: {}", got.head);
        assert_eq!(got.field("etag"), "\"v1\"", "{why}");
    }
    let saved = folder.path().join("saved").to_str().unwrap().to_owned();
    assert_eq!(one(&ground.curl, &["--etag-save", &saved], &url).status, 200);
    assert_eq!(one(&ground.curl, &["--etag-compare", &saved], &url).status, 304);
    assert_eq!(ground.world.asked("/bytes/1000/condition").len(), 1, "the store knows it all");
}

/// RFC 9112 §9.3: a client of HTTP/1.0 gets no chunks, and keeps its connection only if it asked to.
#[test]
fn http_1_0() {
    let Some(ground) = Ground::new() else { return };
    let targets = ["/bytes/50K/a?max-age=60", "/bytes/50K/b?max-age=60&chunked=1"];
    let urls: Vec<_> = [0, 1, 0, 1].iter().map(|&at: &usize| ground.url(targets[at])).collect();
    for (arguments, why) in [
        (&["--http1.0"][..], "it closes after each"),
        (&["--http1.0", "--header", "Connection: keep-alive"], "it asks for more"),
    ] {
        let transfers = transfer(&ground.curl, arguments, &urls);
        for (at, got) in transfers.iter().enumerate() {
            assert_eq!(got.status, 200, "{why}: {}", got.head);
            assert_eq!(got.field("transfer-encoding"), "", "{why}: {}", got.head);
            assert!(got.content == synthetic(targets[at % 2], 50_000), "{why}: {}", got.head);
            let lasts = arguments.len() > 1 && !got.field("content-length").is_empty();
            let told = if lasts { "keep-alive" } else { "close" };
            assert_eq!(got.field("connection").to_ascii_lowercase(), told, "{why}: {}", got.head);
            let before = at.checked_sub(1).map(|before| &transfers[before]);
            let again = before.is_some_and(|got| !got.head.to_lowercase().contains(": close"));
            assert_eq!(got.connections, usize::from(!again), "{why}: {}", got.head);
        }
    }
}

/// RFC 9110 §10.1.1: who waits for 100 gets it from an upstream that wants the content.
#[test]
fn uploads() {
    let Some(ground) = Ground::new() else { return };
    let folder = scratch();
    let file = folder.path().join("upload");
    let content = synthetic("/upload", 3_000_000);
    std::fs::write(&file, &content).unwrap();
    let file = file.to_str().unwrap();
    let in_chunks = ["--header", "Transfer-Encoding: chunked"];
    // Longer than the whole may take: after a second curl would stop to wait for 100, and nothing would be shown.
    let waits = ["--header", "Expect: 100-continue", "--expect100-timeout", "50"];
    let at_once = ["--header", "Expect:"];
    let rows: [(&[&str], &[&str], bool, &str); 5] = [
        (&[], &waits, true, "with its length"),
        (&[], &at_once, false, "with its length, at once"),
        (&in_chunks, &waits, true, "in chunks"),
        (&in_chunks, &at_once, false, "in chunks, at once"),
        (&["--http1.0"], &at_once, false, "HTTP/1.0 has no 100"),
    ];
    for (number, (framing, expect, continues, why)) in rows.into_iter().enumerate() {
        let arguments = [&["--upload-file", file], framing, expect].concat();
        // It reads all of the content before it answers, which the echo does not.
        let target = format!("/bytes/1000/upload{number}");
        let got = one(&ground.curl, &arguments, &ground.url(&target));
        assert_eq!(got.status, 200, "{why}: {}", got.head);
        assert_eq!(got.content, synthetic(&target, 1000), "{why}");
        let asked = ground.world.ended(&target);
        assert_eq!((asked.len(), asked[0].content_received), (1, 3_000_000), "{why}");
        let was_told = got.interim.iter().any(|head| head.starts_with("HTTP/1.1 100 "));
        assert_eq!(was_told, continues, "{why}: {:?}", got.interim);
        if !continues {
            let echo = one(&ground.curl, &arguments, &ground.url("/echo"));
            assert_eq!((echo.status, echo.content == content), (200, true), "{why}: {}", echo.head);
        }
    }
    let at_file = format!("@{file}");
    let urls = [ground.url("/echo"), ground.url("/echo"), ground.url("/bytes/10")];
    let posts = transfer(&ground.curl, &["--data-binary", &at_file, "--header", "Expect:"], &urls);
    for (number, got) in posts.iter().enumerate() {
        assert_eq!((got.status, got.connections), (200, usize::from(number == 0)), "{}", got.head);
        assert!(number == 2 || got.content == content, "{number}");
    }
}

/// RFC 9110 §9.3.2: the head of what GET would get.
#[test]
fn head() {
    let Some(ground) = Ground::new() else { return };
    let url = ground.url("/bytes/5000/head?max-age=60&etag=v1");
    let urls = [url.clone(), url.clone(), url.clone()];
    for got in transfer(&ground.curl, &["--head"], &urls) {
        assert_eq!((got.status, got.content.len()), (200, 0), "{}", got.head);
        assert_eq!(got.field("content-length"), "5000", "{}", got.head);
    }
    let get = one(&ground.curl, &[], &url);
    assert_eq!(get.content.len(), 5000);
    let got = one(&ground.curl, &["--head"], &url);
    assert!(got.cache_status().contains("; hit"), "{}", got.head);
    for name in ["content-length", "etag", "cache-control", "date", "via"] {
        assert_eq!(got.field(name), get.field(name), "{name}");
    }
}

/// RFC 8297: hints go on to the client at once, and are no part of what is stored.
#[test]
fn early_hints() {
    let Some(curl) = program::find(&["curl"]) else { return };
    let upstream =
        Scripted::new(&["HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n\
         HTTP/1.1 103 Early Hints\r\nLink: </b.js>; rel=preload\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nok"]);
    let (_edge, address) = start_edge(&upstream.url, &[]);
    let url = format!("http://{address}/");
    let got = transfer(&curl, &[], &[url.clone(), url]);
    assert_eq!(got[0].interim.len(), 2, "{:?}", got[0]);
    for (head, name) in got[0].interim.iter().zip(["/a.css", "/b.js"]) {
        assert!(head.starts_with("HTTP/1.1 103 ") && head.contains(name), "{head}");
    }
    assert!(got[1].interim.is_empty() && got[1].cache_status().contains("; hit"), "{:?}", got[1]);
    for got in got {
        assert_eq!((got.status, &got.content[..]), (200, &b"ok"[..]), "{}", got.head);
    }
    assert_eq!(upstream.requests().len(), 1);
}

/// RFC 9112 §3.2: a target in any form is the same resource; what only a proxy to anywhere could do is refused.
#[test]
fn forms_of_the_target() {
    let Some(ground) = Ground::new() else { return };
    let (edge, target) = (&ground.world.address, "/bytes/1000/form?max-age=60");
    let proxy = format!("http://{edge}");
    let direct = ["--header", "Host: www.customer.test"];
    let dots = [&direct[..], &["--path-as-is"]].concat();
    let rows: [(&[&str], String, &str, &str); 5] = [
        (&direct, ground.url(target), "fwd=uri-miss", "§3.2.1: origin-form"),
        (
            &["--noproxy", "", "--proxy", &proxy],
            format!("http://www.customer.test{target}"),
            "; hit",
            "§3.2.2: absolute-form",
        ),
        (
            &["--noproxy", "", "--proxy", &proxy],
            format!("http://WWW.customer.TEST:80{target}"),
            "; hit",
            "as people write it",
        ),
        (&dots, ground.url(&format!("/other/..{target}")), "; hit", "RFC 9110 §4.2.3: dots"),
        (
            &["--header", "Host: www.customer.test", "--tr-encoding"],
            ground.url(target),
            "; hit",
            "§7.4: TE",
        ),
    ];
    for (arguments, url, expected, why) in rows {
        let got = one(&ground.curl, arguments, &url);
        assert_eq!(got.status, 200, "{why}: {}", got.head);
        assert_eq!(got.content, synthetic(target, 1000), "{why}");
        assert!(got.cache_status().contains(expected), "{why}: {}", got.head);
    }
    let star = ["--request", "OPTIONS", "--request-target", "*"];
    one(&ground.curl, &star, &ground.url("/"));
    assert_eq!(
        ground.world.ended("*")[0].method,
        "OPTIONS",
        "§3.2.4: asterisk-form stays what it is"
    );
    let tunnel = ["--request", "CONNECT", "--request-target", "a.test:443"];
    let got = one(&ground.curl, &tunnel, &ground.url("/"));
    assert!((400..600).contains(&got.status), "§3.2.3: no tunnels: {}", got.head);
}
