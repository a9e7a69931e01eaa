//! What the store answers, what it must not answer, and what it asks the origin before it does.

use crate::client::{Client, Ended};
use crate::world::{World, synthetic, until};

/// The request is answered twice; what the second answer says of the first.
#[test]
fn only_what_may_be_stored_is_stored() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let rows = [
        ("max-age=60", "", "; hit", "max-age"),
        ("s-maxage=60&max-age=0", "", "; hit", "s-maxage is for us, and beats max-age"),
        ("expires=60", "", "; hit", "Expires"),
        ("max-age=60&expires=-60", "", "; hit", "max-age beats Expires"),
        ("max-age=60&status=404", "", "; hit", "an error that may be stored"),
        ("max-age=60&status=301&location=/x", "", "; hit", "a redirection"),
        ("max-age=60&chunked=1", "", "; hit", "in chunks"),
        ("max-age=60&close-delimited=1", "", "; hit", "delimited by the close"),
        ("max-age=60&header.set-cookie=a%3Db", "", "; hit", "a cookie is no directive"),
        ("cache-control=no-store", "", "detail=no-store", "no-store"),
        ("cache-control=private", "", "detail=private", "private"),
        ("cache-control=private&max-age=60", "", "detail=private", "private, whatever max-age"),
        ("max-age=60&vary=*", "", "detail=vary-star", "Vary: *"),
        ("max-age=0", "", "fwd=", "never fresh, nothing to validate with"),
        ("expires=0", "", "fwd=", "Expires now"),
        ("max-age=60", "Authorization: Basic eDp5\r\n", "fwd=", "for one user"),
        ("s-maxage=60", "Authorization: Basic eDp5\r\n", "; hit", "s-maxage lets others have it"),
        ("max-age=60", "Cache-Control: no-store\r\n", "fwd=", "the client does not want it stored"),
        ("max-age=60", "Cache-Control: no-cache\r\n", "fwd=request", "the client wants news"),
        ("max-age=60", "Pragma: no-cache\r\n", "fwd=request", "the same in HTTP/1.0's words"),
        ("max-age=60", "Cache-Control: max-age=0\r\n", "fwd=request", "the client wants it young"),
        ("max-age=60", "Cache-Control: min-fresh=90\r\n", "fwd=request", "and fresh for long"),
    ];
    for (number, (query, fields, expected, why)) in rows.iter().enumerate() {
        let target = format!("/bytes/1000/{number}?{query}");
        let first = client.ask("GET", &target, fields);
        assert!(first.cache_status().contains("fwd=uri-miss"), "{why}: {}", first.cache_status());
        let second = client.ask("GET", &target, fields);
        let told = second.cache_status();
        assert!(told.contains(expected), "{why}: {told}");
        assert_eq!((second.status, second.ended), (first.status, Ended::Whole), "{why}");
        assert_eq!(second.content, synthetic(&target, 1000), "{why}");
        let fetches = if expected.contains("hit") { 1 } else { 2 };
        assert_eq!(world.asked(&format!("/bytes/1000/{number}?")).len(), fetches, "{why}");
        // RFC 9110 §7.6.3: the version in which it was received.
        let version = if *why == "delimited by the close" { "1.0" } else { "1.1" };
        assert_eq!(second.field("via"), format!("{version} edge"), "{why}");
        assert!(second.field("age").parse::<u32>().is_ok(), "{why}: Age");
    }
}

/// A stale copy is confirmed by the origin, and then used; without a validator it is fetched again.
#[test]
fn stale_copies_are_validated() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let rows = [
        ("max-age=10&age=20&etag=v1", "fwd=stale; fwd-status=304", "by ETag"),
        ("max-age=10&age=20&last-modified=-1000", "fwd=stale; fwd-status=304", "by date"),
        ("cache-control=no-cache&max-age=60&etag=v1", "fwd-status=304", "fresh, yet to be asked"),
        ("max-age=0&etag=v1", "fwd=stale; fwd-status=304", "never fresh"),
    ];
    for (number, (query, expected, why)) in rows.iter().enumerate() {
        let target = format!("/bytes/5000/{number}?{query}");
        for turn in 0..3 {
            let response = client.get(&target);
            let told = response.cache_status();
            let expected = if turn == 0 { "fwd=uri-miss" } else { expected };
            assert!(told.contains(expected), "{why}: {told}");
            assert_eq!(response.status, 200, "{why}: what the client asked for, not the 304");
            assert_eq!(response.content, synthetic(&target, 5000), "{why}");
        }
        let asked = world.ended(&format!("/bytes/5000/{number}?"));
        let statuses: Vec<_> = asked.iter().map(|entry| entry.status).collect();
        assert_eq!(statuses, [200, 304, 304], "{why}");
        assert_eq!(asked[2].content_sent, 0, "{why}");
    }
}

/// `only-if-cached` is answered from the store or not at all (RFC 9111 §5.2.1.7).
#[test]
fn only_if_cached_asks_nobody() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/1000/only?max-age=60";
    let fields = "Cache-Control: only-if-cached\r\n";
    assert_eq!(client.ask("GET", target, fields).status, 504);
    assert!(world.asked(target).is_empty());
    client.get(target);
    let response = client.ask("GET", target, fields);
    assert_eq!((response.status, response.content), (200, synthetic(target, 1000)));
}

/// Variants lie side by side, each for the requests that select it.
#[test]
fn variants_lie_side_by_side() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/1000/vary?max-age=60&vary=Accept-Language";
    let rows = [
        ("Accept-Language: de\r\n", "fwd=uri-miss", "the first"),
        ("Accept-Language: en\r\n", "fwd=vary-miss", "another variant"),
        ("Accept-Language: de\r\n", "; hit", "the first is still there"),
        ("Accept-Language: en\r\n", "; hit", "so is the other"),
        ("", "fwd=vary-miss", "no language is a variant too"),
        ("", "; hit", "and stored"),
        ("Accept-Language: de\r\nUser-Agent: x\r\n", "; hit", "other fields do not matter"),
    ];
    for (fields, expected, why) in rows {
        let response = client.ask("GET", target, fields);
        assert!(response.cache_status().contains(expected), "{why}: {}", response.cache_status());
        assert_eq!(response.content, synthetic(target, 1000), "{why}");
    }
    assert_eq!(world.asked(target).len(), 3);
}

/// The client's own conditions are answered from the store, with 304 and without a word to the origin.
#[test]
fn conditions_of_clients_are_answered_from_the_store() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/1000/condition?max-age=60&etag=v1&last-modified=@1000000000";
    let rows = [
        ("If-None-Match: \"v1\"\r\n", 304, "the same tag"),
        ("If-None-Match: W/\"v1\"\r\n", 304, "weakly the same"),
        ("If-None-Match: \"v0\", \"v1\"\r\n", 304, "in a list"),
        ("If-None-Match: *\r\n", 304, "any"),
        ("If-None-Match: \"v2\"\r\n", 200, "another tag"),
        ("If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", 304, "not modified since"),
        ("If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n", 200, "modified a second later"),
        (
            "If-None-Match: \"v2\"\r\nIf-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n",
            200,
            "the tag goes before the date",
        ),
    ];
    for method in ["GET", "HEAD"] {
        client.get(target);
        for (fields, status, why) in rows {
            let response = client.ask(method, target, fields);
            assert_eq!(response.status, status, "{method}: {why}");
            assert_eq!(response.field("etag"), "\"v1\"", "{method}: {why}");
            assert!(response.cache_status().contains("; hit"), "{method}: {why}");
            let octets = if status == 200 && method == "GET" { 1000 } else { 0 };
            assert_eq!(response.content.len(), octets, "{method}: {why}");
        }
    }
    assert_eq!(world.asked(target).len(), 1);
}

/// A condition on a miss: the whole response is fetched and stored, and the client gets its 304.
#[test]
fn a_condition_on_a_miss_does_not_keep_the_store_empty() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/1000/cold-condition?max-age=60&etag=v1";
    let response = client.ask("GET", target, "If-None-Match: \"v1\"\r\n");
    assert_eq!((response.status, response.content.len()), (304, 0));
    let response = client.get(target);
    assert_eq!((response.status, response.content), (200, synthetic(target, 1000)));
    assert!(world.asked(target).len() <= 2);
}

/// Ranges, from the store and on a miss.
#[test]
fn ranges() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let rows = [
        ("bytes=0-99", "", 206, "bytes 0-99/10000", 0..100, "the first part"),
        ("bytes=9990-", "", 206, "bytes 9990-9999/10000", 9990..10000, "to the end"),
        ("bytes=-10", "", 206, "bytes 9990-9999/10000", 9990..10000, "the last octets"),
        ("bytes=9000-99999", "", 206, "bytes 9000-9999/10000", 9000..10000, "beyond the end"),
        ("bytes=10000-", "", 416, "bytes */10000", 0..0, "behind the end"),
        ("bytes=5-1", "", 200, "", 0..10000, "no range: ignored"),
        ("lines=1-2", "", 200, "", 0..10000, "another unit: ignored"),
        ("bytes=0-9", "If-Range: \"v1\"\r\n", 206, "bytes 0-9/10000", 0..10, "of this version"),
        ("bytes=0-9", "If-Range: \"v0\"\r\n", 200, "", 0..10000, "of another version"),
    ];
    for (state, warm) in [("on a miss", false), ("from the store", true)] {
        for (number, (range, fields, status, content_range, part, why)) in rows.iter().enumerate() {
            let target = format!("/bytes/10K/{state}{number}?max-age=60&etag=v1").replace(' ', "-");
            if warm {
                client.get(&target);
            }
            let fields = format!("Range: {range}\r\n{fields}");
            let response = client.ask("GET", &target, &fields);
            assert_eq!(response.status, *status, "{state}: {why}");
            assert_eq!(response.field("content-range"), *content_range, "{state}: {why}");
            let expected = synthetic(&target, 10_000);
            if *status != 416 {
                assert!(response.content == expected[part.clone()], "{state}: {why}");
            }
            let told = response.cache_status();
            assert_eq!(told.contains("; hit"), warm, "{state}: {why}: {told}");
            // A part is never stored as if it were the whole.
            assert!(client.get(&target).content == expected, "{state}: {why}: after it");
        }
    }
}

/// HEAD says what GET would say, and a HEAD stores nothing.
#[test]
fn head_says_what_get_would_say() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/1000/head?max-age=60&etag=v1";
    for (state, expected) in [("a miss", "fwd=uri-miss"), ("a hit", "; hit")] {
        let response = client.ask("HEAD", target, "");
        assert_eq!((response.status, response.content.len()), (200, 0), "{state}");
        assert_eq!(response.field("content-length"), "1000", "{state}");
        assert_eq!(response.field("etag"), "\"v1\"", "{state}");
        assert!(response.cache_status().contains(expected), "{}", response.cache_status());
        assert_eq!(client.get(target).content.len(), 1000, "{state}: the connection goes on");
    }
}

/// A change through the edge invalidates what is stored for the URL (RFC 9111 §4.4); a change that failed does not.
#[test]
fn changes_invalidate() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let rows = [
        ("PUT", "", "fwd=uri-miss", "replaced"),
        ("DELETE", "", "fwd=uri-miss", "deleted"),
        ("POST", "", "fwd=uri-miss", "changed"),
        ("PATCH", "", "fwd=uri-miss", "changed, by a method that the cache need not know"),
        ("PUT", "&status=404", "; hit", "the change failed"),
        ("OPTIONS", "", "; hit", "a safe method"),
    ];
    for (method, query, expected, why) in rows {
        let target = format!("/bytes/1000/change-{method}?max-age=60{query}");
        client.get(&target);
        assert!(client.get(&target).cache_status().contains("; hit"), "{why}");
        let response = client.ask(method, &target, "Content-Length: 0\r\n");
        assert!(response.cache_status().contains("fwd=method"), "{}", response.cache_status());
        let told = client.get(&target).cache_status();
        assert!(told.contains(expected), "{method}: {why}: {told}");
    }
}

/// What is stored is found again under the same authority, however the request spells it, and under no other.
#[test]
fn hosts_are_told_apart() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let path = "/bytes/100/host?max-age=60";
    let rows = [
        (path.to_owned(), "Host: a.test\r\n", "fwd=uri-miss", "the first"),
        (path.to_owned(), "Host: b.test\r\n", "fwd=uri-miss", "another host"),
        (path.to_owned(), "Host: A.Test\r\n", "; hit", "hosts have no case"),
        (path.to_owned(), "Host: a.test:80\r\n", "; hit", "the default port"),
        (path.to_owned(), "Host: a.test:81\r\n", "fwd=uri-miss", "another port"),
        (format!("http://a.test{path}"), "Host: a.test\r\n", "; hit", "absolute"),
        (format!("http://a.test{path}"), "Host: c.test\r\n", "; hit", "which replaces Host"),
        (format!("{path}&x=1"), "Host: a.test\r\n", "fwd=uri-miss", "another query"),
        (path.replace("host", "Host"), "Host: a.test\r\n", "fwd=uri-miss", "paths have case"),
    ];
    for (target, host, expected, why) in rows {
        client.send(format!("GET {target} HTTP/1.1\r\n{host}\r\n").as_bytes());
        let response = client.receive("GET");
        assert!(response.cache_status().contains(expected), "{why}: {}", response.cache_status());
    }
}

/// A copy ages while it lies here, whatever its age was when it came (RFC 9111 §4.2.3), and is no longer used when it
/// is stale.
#[test]
fn copies_age() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/100/age?max-age=62&age=60";
    assert!(client.get(target).field("age").parse::<u32>().unwrap() >= 60);
    let stale = until("it is stale", || {
        let response = client.get(target);
        let age: u32 = response.field("age").parse().unwrap();
        let told = response.cache_status();
        assert!((60..=62).contains(&age), "{age}: {told}");
        (!told.contains("; hit")).then_some(told)
    });
    assert!(stale.contains("fwd=stale"), "{stale}");
    assert_eq!(world.asked(target).len(), 2);
}

/// What was stale and is confirmed answers the client's own range and conditions.
#[test]
fn validated_copies_answer_ranges_and_conditions() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    let target = "/bytes/1000/both?max-age=10&age=20&etag=v1";
    client.get(target);
    let rows = [
        ("Range: bytes=0-9\r\n", 206, 10, "a part"),
        ("If-None-Match: \"v1\"\r\n", 304, 0, "the client has it"),
        ("If-None-Match: \"v0\"\r\n", 200, 1000, "the client has another"),
    ];
    for (fields, status, octets, why) in rows {
        let response = client.ask("GET", target, fields);
        assert_eq!((response.status, response.content.len()), (status, octets), "{why}");
        let told = response.cache_status();
        assert!(told.contains("fwd=stale; fwd-status=304"), "{why}: {told}");
    }
    let statuses: Vec<_> = world.ended(target).iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [200, 304, 304, 304]);
}

/// A request that has been here before is not sent round again.
#[test]
fn loops_are_cut() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    for (via, status, why) in [
        ("1.1 edge", 508, "this cache"),
        ("1.1 other, 1.1 edge", 508, "in a list"),
        ("1.1 other", 200, "another one"),
        ("1.1 edge-2", 200, "one whose name begins alike"),
    ] {
        let response = client.ask("GET", "/bytes/10/loop", &format!("Via: {via}\r\n"));
        assert_eq!(response.status, status, "{why}");
    }
}

/// Responses without content say so as RFC 9110 §8.6 wants it, on a miss and on a hit, and the connection goes on.
#[test]
fn responses_without_content() {
    let world = World::new();
    let mut client = Client::connect(&world.address);
    for (query, length, why) in [
        ("status=204", "", "a 204 has no length"),
        ("status=200", "0", "an empty content has one"),
        ("status=200&chunked=1", "0", "in chunks there was none, and now it is known"),
    ] {
        let target = format!("/bytes/0?max-age=60&{query}");
        for expected in ["fwd=uri-miss", "; hit"] {
            let response = client.get(&target);
            let told = response.cache_status();
            assert!(told.contains(expected), "{why}: {told}");
            if response.field("transfer-encoding").is_empty() {
                assert_eq!(response.field("content-length"), length, "{why}: {expected}");
            }
            assert_eq!((response.content.len(), response.ended), (0, Ended::Whole), "{why}");
        }
    }
}
