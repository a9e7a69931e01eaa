//! Files over real sockets: content, conditions, ranges, and no way out of the directory.

mod raw;

use std::fs::{File, FileTimes};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use lastmile_origin::{Config, Ending, Source, start};
use raw::{PATIENCE, Raw, Scratch, get, loopback};

fn site() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("index.html", "<h1>home</h1>");
    scratch.write("a.txt", "0123456789");
    scratch.write("empty", "");
    scratch.write("dir/index.html", "<h1>dir</h1>");
    scratch.write("none/x.unknown", "x");
    scratch.write("with space/é.png", "picture");
    scratch
}

#[test]
fn names_lead_to_files() {
    let site = site();
    let origin = site.serve();
    let rows: &[(&str, u16, &str, &str, &str)] = &[
        ("/", 200, "text/html", "<h1>home</h1>", "index.html of the directory"),
        ("/a.txt", 200, "text/plain", "0123456789", "a file"),
        ("/a.txt?n=1", 200, "text/plain", "0123456789", "the query does not matter"),
        ("//a.txt", 200, "text/plain", "0123456789", "empty segments mean nothing"),
        ("/empty", 200, "application/octet-stream", "", "no octets, no known type"),
        ("/dir/", 200, "text/html", "<h1>dir</h1>", "index.html of a directory"),
        ("/with%20space/%C3%A9.png", 200, "image/png", "picture", "percent-encoded"),
        ("/none/x.unknown", 200, "application/octet-stream", "x", "an unknown extension"),
        ("/none/", 404, "text/plain; charset=utf-8", "", "no index.html, and no listing"),
        ("/a.txt/", 404, "text/plain; charset=utf-8", "", "a file is no directory"),
        ("/missing", 404, "text/plain; charset=utf-8", "", "nothing there"),
    ];
    let mut connection = Raw::connect(origin.address());
    for (target, status, media_type, content, why) in rows {
        let reply = connection.get(target, "");
        assert_eq!(reply.status, *status, "{target}: {why}");
        assert_eq!(reply.field("content-type"), Some(*media_type), "{target}: {why}");
        assert!(reply.field("date").is_some(), "{target}: every response has a Date");
        assert_eq!(reply.field("server"), None, "{target}");
        if *status == 200 {
            assert_eq!(reply.text(), *content, "{target}: {why}");
            assert_eq!(reply.field("cache-control"), Some("max-age=60"), "{target}: the default");
        }
    }
}

#[test]
fn directories_redirect_to_their_slash() {
    let site = site();
    let origin = site.serve();
    for (target, location) in [("/dir", "/dir/"), ("/dir?a=b", "/dir/?a=b"), ("//dir", "/dir/")] {
        let reply = get(&origin, target, "");
        assert_eq!((reply.status, reply.field("location")), (301, Some(location)), "{target}");
    }
}

#[test]
fn head_has_the_fields_of_get_and_other_methods_have_405() {
    let site = site();
    let origin = site.serve();
    let mut connection = Raw::connect(origin.address());
    let whole = connection.get("/a.txt", "");
    let head = connection.request("HEAD", "/a.txt", "");
    for name in ["content-length", "content-type", "etag", "last-modified", "accept-ranges"] {
        assert!(head.field(name).is_some(), "{name}");
        assert_eq!(head.field(name), whole.field(name), "{name}");
    }
    assert_eq!(connection.request("HEAD", "/empty", "").field("content-length"), Some("0"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let reply = Raw::connect(origin.address()).request(method, "/a.txt", "");
        assert_eq!((reply.status, reply.field("allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[test]
fn no_way_out_of_the_directory() {
    let outside = Scratch::new();
    outside.write("secret", "secret");
    outside.write("site/inside.txt", "inside");
    let root = outside.0.join("site");
    symlink("../secret", root.join("relative-out")).unwrap();
    symlink(outside.0.join("secret"), root.join("absolute-out")).unwrap();
    symlink(&outside.0, root.join("directory-out")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("inside.txt", root.join("relative-in")).unwrap();
    symlink(root.join("inside.txt"), root.join("absolute-in")).unwrap();
    let origin = start(Config::new(loopback(), Source::Directory(root))).unwrap();
    let rows = [
        ("/../secret", 404, "dots"),
        ("/x/../../secret", 404, "dots below"),
        ("/%2e%2e/secret", 404, "encoded dots"),
        ("/%2e./secret", 404, "half encoded dots"),
        ("/..%2fsecret", 404, "an encoded slash"),
        ("/inside.txt%00.html", 404, "NUL"),
        ("/relative-out", 404, "a link that leads out"),
        ("/absolute-out", 404, "an absolute link that leads out"),
        ("/directory-out/secret", 404, "a link to a directory outside"),
        ("/loop", 404, "a loop of links"),
        ("/relative-in", 200, "a link that stays inside"),
        ("/absolute-in", 200, "an absolute link that stays inside"),
    ];
    for (target, status, why) in rows {
        let reply = get(&origin, target, "");
        assert_eq!(reply.status, status, "{target}: {why}");
        assert!(!reply.text().contains("secret"), "{target}: {why}");
    }
}

#[test]
fn conditional_requests() {
    let site = site();
    let file = File::options().write(true).open(site.0.join("a.txt")).unwrap();
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500);
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    let origin = site.serve();
    let first = get(&origin, "/a.txt", "");
    let etag = first.field("etag").unwrap().to_owned();
    assert!(etag.starts_with('"'), "strong: {etag}");
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(first.field("last-modified"), Some(date));
    let rows = [
        (format!("If-None-Match: {etag}\r\n"), 304, "the same tag"),
        ("If-None-Match: \"x\"\r\n".to_owned(), 200, "another tag"),
        (format!("If-Modified-Since: {date}\r\n"), 304, "not modified since"),
        ("If-Match: \"x\"\r\n".to_owned(), 412, "another tag"),
        (
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n".to_owned(),
            412,
            "modified since",
        ),
        (format!("If-None-Match: {etag}\r\nRange: bytes=0-1\r\n"), 304, "conditions before ranges"),
        (format!("If-Range: {etag}\r\nRange: bytes=0-1\r\n"), 206, "the part of the same"),
        (format!("If-Range: {date}\r\nRange: bytes=0-1\r\n"), 206, "the same by date"),
        ("If-Range: \"x\"\r\nRange: bytes=0-1\r\n".to_owned(), 200, "changed: the whole"),
    ];
    let mut connection = Raw::connect(origin.address());
    for (fields, status, why) in rows {
        let reply = connection.get("/a.txt", &fields);
        assert_eq!(reply.status, status, "{fields}: {why}");
        if status == 304 {
            assert_eq!(reply.field("etag"), Some(etag.as_str()), "{why}");
            assert_eq!(reply.field("cache-control"), Some("max-age=60"), "{why}");
            assert_eq!(reply.field("content-length"), None, "{why}");
        }
    }
    site.write("a.txt", "changed");
    assert_ne!(get(&origin, "/a.txt", "").field("etag"), Some(etag.as_str()), "it has changed");
}

#[test]
fn ranges() {
    let site = site();
    let origin = site.serve();
    let mut connection = Raw::connect(origin.address());
    let one = connection.get("/a.txt", "Range: bytes=2-4\r\n");
    assert_eq!((one.status, one.text().as_str()), (206, "234"));
    assert_eq!(one.field("content-range"), Some("bytes 2-4/10"));
    let beyond = connection.get("/a.txt", "Range: bytes=10-\r\n");
    assert_eq!((beyond.status, beyond.field("content-range")), (416, Some("bytes */10")));
    let head = connection.request("HEAD", "/a.txt", "Range: bytes=2-4\r\n");
    assert_eq!((head.status, head.field("content-length")), (200, Some("10")), "GET only");

    let several = connection.get("/a.txt", "Range: bytes=0-1,-3\r\n");
    assert_eq!((several.status, several.broken), (206, None));
    assert_eq!(several.field("content-range"), None, "in the parts only");
    let media_type = several.field("content-type").unwrap();
    let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, octets: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain\r\n\
             Content-Range: bytes {range}/10\r\n\r\n{octets}\r\n"
        )
    };
    let expected = format!("{}{}--{boundary}--\r\n", part("0-1", "01"), part("7-9", "789"));
    assert_eq!(several.text(), expected);
}

#[test]
fn large_files_stream_whole() {
    let site = site();
    let mut octets = vec![0; 3_000_001];
    lastmile_origin::fill_synthetic("x", 0, &mut octets);
    site.write("film", &octets);
    let origin = site.serve();
    let reply = get(&origin, "/film", "");
    assert!(reply.broken.is_none() && reply.content == octets, "every octet");
    let part = get(&origin, "/film", "Range: bytes=131071-2000000\r\n");
    assert!(part.content == octets[131_071..=2_000_000], "across slices");
    let entries = origin.journal().wait_for_ended(2, PATIENCE);
    assert_eq!(entries[0].content_sent, 3_000_001);
    assert_eq!(entries[0].ending, Ending::Complete);
    assert_eq!(entries[1].range.as_deref(), Some("bytes=131071-2000000"));
}

#[test]
fn a_file_that_shrinks_breaks_the_response_off() {
    let site = site();
    let size = 1_000_000_000;
    let file = File::create(site.0.join("shrinking")).unwrap();
    file.set_len(size).unwrap();
    let origin = site.serve();
    let mut connection = Raw::connect(origin.address());
    connection.send("GET /shrinking HTTP/1.1\r\nHost: x\r\n\r\n");
    // The kernel's buffers hold a few MB; the rest waits for the reader, and by then it is gone.
    connection.stream().peek(&mut [0]).unwrap();
    file.set_len(10).unwrap();
    let reply = connection.reply("GET");
    assert_eq!(reply.field("content-length"), Some("1000000000"));
    assert!(reply.broken.is_some() && (reply.content.len() as u64) < size, "never looks complete");
    assert_eq!(origin.journal().wait_for_ended(1, PATIENCE)[0].ending, Ending::Failed);
}

#[test]
fn max_age_can_be_another_or_none() {
    let site = site();
    for (max_age, expected) in [(Some(5), Some("max-age=5")), (None, None)] {
        let mut config = Config::new(loopback(), Source::Directory(site.0.clone()));
        config.max_age = max_age;
        let origin = start(config).unwrap();
        assert_eq!(get(&origin, "/a.txt", "").field("cache-control"), expected);
    }
}

#[test]
fn both_sources_side_by_side() {
    let site = site();
    site.write("bytes/10", "a file that is hidden");
    let origin = start(Config::new(loopback(), Source::Both(site.0.clone()))).unwrap();
    assert_eq!(get(&origin, "/a.txt", "").text(), "0123456789");
    assert_eq!(get(&origin, "/bytes/10", "").content.len(), 10);
    let files_only = site.serve();
    assert_eq!(get(&files_only, "/bytes/10", "").text(), "a file that is hidden");
    assert_eq!(get(&files_only, "/echo", "").status, 404);
}
