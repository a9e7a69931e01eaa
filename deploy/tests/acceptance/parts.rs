//! Parts of a representation: stored, put together, and completed by what is missing (RFC 9111 §3.3, §3.4).

use crate::client::{Client, Ended};
use crate::scripted::Scripted;
use crate::world::{World, start_edge};

/// A 206 with these octets of `0123456789`.
fn part(first: usize, last: usize, tag: &str) -> String {
    let octets = &"0123456789"[first..=last];
    format!(
        "HTTP/1.1 206 Partial Content\r\nETag: {tag}\r\nCache-Control: max-age=60\r\n\
         Content-Range: bytes {first}-{last}/10\r\nContent-Length: {}\r\n\r\n{octets}",
        octets.len()
    )
}

fn range(first: usize, last: usize) -> String {
    format!("Range: bytes={first}-{last}\r\n")
}

#[test]
fn parts_answer_what_lies_within_and_make_the_whole() {
    let scripted =
        Scripted::new(&[&part(0, 3, "\"a\""), &part(6, 9, "\"a\""), &part(3, 6, "\"a\"")]);
    let (_edge, address) = start_edge(&scripted.url, &[]);
    let mut client = Client::connect(&address);
    for (first, last, told, why) in [
        (0, 3, "fwd=uri-miss", "the first part"),
        (1, 2, "; hit", "within it"),
        (6, 9, "fwd=partial", "another, apart"),
        (6, 7, "; hit", "within that"),
        (0, 0, "; hit", "and the first is still there"),
        (3, 6, "fwd=partial", "what joins both"),
        (2, 8, "; hit", "across all three"),
    ] {
        let answer = client.ask("GET", "/x", &range(first, last));
        assert_eq!(answer.status, 206, "{why}");
        assert!(answer.cache_status().contains(told), "{why}: {}", answer.cache_status());
        assert_eq!(answer.content, &b"0123456789"[first..=last], "{why}");
        assert_eq!(answer.field("content-range"), format!("bytes {first}-{last}/10"), "{why}");
    }
    let whole = client.get("/x");
    assert_eq!((whole.status, &whole.content[..]), (200, &b"0123456789"[..]));
    assert!(whole.cache_status().contains("; hit"), "{}", whole.cache_status());
    assert_eq!(whole.field("content-range"), "", "nothing of the parts is left");
    let several = client.ask("GET", "/x", "Range: bytes=0-1, 8-\r\n");
    assert_eq!(several.status, 206);
    assert!(several.field("content-type").starts_with("multipart/byteranges; boundary="));
    let text = String::from_utf8(several.content).unwrap();
    assert!(text.contains("Content-Range: bytes 0-1/10\r\n\r\n01\r\n"), "{text}");
    assert!(text.contains("Content-Range: bytes 8-9/10\r\n\r\n89\r\n"), "{text}");
    assert_eq!(scripted.requests().len(), 3);
}

#[test]
fn only_the_rest_of_a_stored_beginning_is_asked_for() {
    let changed = "HTTP/1.1 200 OK\r\nETag: \"b\"\r\nCache-Control: max-age=60\r\n\
                   Content-Length: 5\r\n\r\nother";
    let other = part(4, 9, "\"b\"");
    let rows: [(&str, &[&str], &str, &str); 3] = [
        ("\"a\"", &[&part(4, 9, "\"a\"")], "0123456789", "the rest comes"),
        ("\"a\"", &[changed], "other", "it has changed: all of it comes"),
        ("\"a\"", &[&other, changed], "other", "a rest of something else is not put behind it"),
    ];
    for (tag, answers, content, why) in rows {
        let first = part(0, 3, tag);
        let scripts: Vec<&str> = [&first[..]].iter().chain(answers).copied().collect();
        let scripted = Scripted::new(&scripts);
        let (_edge, address) = start_edge(&scripted.url, &[]);
        let mut client = Client::connect(&address);
        client.ask("GET", "/x", &range(0, 3));
        let whole = client.get("/x");
        assert_eq!((whole.status, whole.ended), (200, Ended::Whole), "{why}");
        assert_eq!(whole.content, content.as_bytes(), "{why}");
        assert!(whole.cache_status().contains("fwd=partial"), "{why}: {}", whole.cache_status());
        let again = client.get("/x");
        assert_eq!(again.content, content.as_bytes(), "{why}");
        assert!(again.cache_status().contains("; hit"), "{why}: {}", again.cache_status());
        let requests = scripted.requests();
        let asked = requests[1].to_ascii_lowercase();
        assert!(asked.contains("\r\nrange: bytes=4-\r\n"), "{why}: {asked}");
        assert!(asked.contains("\r\nif-range: \"a\"\r\n"), "{why}: {asked}");
        if let Some(third) = requests.get(2) {
            assert!(!third.to_ascii_lowercase().contains("range:"), "{why}: {third}");
        }
    }
}

/// What may not be stored can't be completed in the store: the whole is asked for, and passed on.
#[test]
fn a_rest_that_may_not_be_stored_is_not_used() {
    let secret = part(4, 9, "\"a\"").replace("max-age=60", "no-store");
    let whole = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: no-store\r\n\
                 Content-Length: 10\r\n\r\n0123456789";
    let scripted = Scripted::new(&[&part(0, 3, "\"a\""), &secret, whole]);
    let (_edge, address) = start_edge(&scripted.url, &[]);
    let mut client = Client::connect(&address);
    client.ask("GET", "/x", &range(0, 3));
    let answer = client.get("/x");
    assert_eq!((answer.status, &answer.content[..]), (200, &b"0123456789"[..]));
    assert!(answer.cache_status().contains("detail=no-store"), "{}", answer.cache_status());
    assert_eq!(scripted.requests().len(), 3);
}

#[test]
fn a_rest_that_is_cut_short_is_never_taken_for_the_whole() {
    let cut = part(4, 9, "\"a\"").replace("456789", "4567");
    let chunked = "HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\n\
                   Content-Range: bytes 4-9/10\r\nTransfer-Encoding: chunked\r\n\r\n\
                   4\r\n4567\r\n0\r\n\r\n";
    for (answer, why) in [(&cut[..], "the connection ends"), (chunked, "the chunks end")] {
        let whole = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n0123456789";
        let scripted = Scripted::new(&[&part(0, 3, "\"a\""), answer, whole]);
        let (_edge, address) = start_edge(&scripted.url, &[]);
        Client::connect(&address).ask("GET", "/x", &range(0, 3));
        let answer = Client::connect(&address).get("/x");
        assert!(matches!(answer.ended, Ended::Early | Ended::Reset), "{why}: {answer:?}");
        let again = Client::connect(&address).get("/x");
        assert!(!again.cache_status().contains("; hit"), "{why}: {}", again.cache_status());
        scripted.requests();
    }
}

#[test]
fn parts_of_different_versions_are_not_mixed() {
    for (one, other, why) in
        [("\"a\"", "\"b\"", "another tag"), ("W/\"a\"", "W/\"a\"", "weak tags")]
    {
        let scripts = [part(0, 4, one), part(5, 9, other), part(0, 4, other)];
        let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
        let scripted = Scripted::new(&scripts);
        let (_edge, address) = start_edge(&scripted.url, &[]);
        let mut client = Client::connect(&address);
        client.ask("GET", "/x", &range(0, 4));
        client.ask("GET", "/x", &range(5, 9));
        let within = client.ask("GET", "/x", &range(5, 6));
        assert!(within.cache_status().contains("; hit"), "{why}: {}", within.cache_status());
        let gone = client.ask("GET", "/x", &range(0, 4));
        assert!(gone.cache_status().contains("fwd=partial"), "{why}: {}", gone.cache_status());
        assert_eq!(scripted.requests().len(), 3, "{why}");
    }
}

/// Parts that overlap keep nothing alive beyond the octets that are counted.
#[test]
fn parts_that_overlap_stay_within_the_memory() {
    let ram = 64 << 20;
    let world = World::with(&["--ram", &ram.to_string(), "--admin", "127.0.0.1:0"]);
    let (address, admin) = world.address.split_once(", admin on ").unwrap();
    let mut client = Client::connect(address);
    let mut ask = |object: usize, number: usize| {
        let target = format!("/bytes/2M/{object}?max-age=600&etag=a");
        let first = number * STRIDE;
        let answer = client.ask("GET", &target, &range(first, first + PART - 1));
        assert_eq!((answer.status, answer.content.len()), (206, PART));
    };
    // What it needs for itself, whatever is stored.
    (0..10).for_each(|object| ask(object, 0));
    let (octets, resident) = (metric(admin, "ram_octets"), resident(world.edge.pid()));
    for object in 0..OBJECTS {
        (0..PARTS).for_each(|number| ask(object, number));
    }
    let octets = metric(admin, "ram_octets").saturating_sub(octets);
    let resident = self::resident(world.edge.pid()).saturating_sub(resident);
    println!("{octets} octets are counted, {resident} are resident");
    assert!(octets > 0 && resident < 2 * ram, "{octets} counted, {resident} resident");
}

/// Each with parts from the first octet on, which together are 20 MB, and 250 MB one by one.
const OBJECTS: usize = 10;
const PARTS: usize = 100;
const PART: usize = 256 << 10;
/// New octets in each part.
const STRIDE: usize = 17 << 10;

/// The value that the admin server tells.
fn metric(admin: &str, name: &str) -> u64 {
    let (_, text) = crate::process::fetch(admin, "/metrics");
    let text = String::from_utf8(text).unwrap();
    let is_named = |line: &&str| !line.starts_with('#') && line.contains(name);
    let line = text.lines().find(is_named).unwrap_or_else(|| panic!("{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Octets of the process in memory.
fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}
