//! nginx as the client: as a proxy and as a cache.

use crate::client::{Client, Ended};
use crate::nginx::Nginx;
use crate::world::{World, synthetic, until};

/// Three ways to the edge: with connections that last, with one of HTTP/1.0 for each request, and a cache.
fn front(edge: &str) -> Option<Nginx> {
    let http = format!(
        "upstream edge {{ server {edge}; keepalive 4; }}
        proxy_set_header Host www.customer.test;
        proxy_cache_path cache levels=1 keys_zone=front:1m use_temp_path=off;"
    );
    let server = "
        location /lasting/ {
            proxy_pass http://edge/; proxy_http_version 1.1; proxy_set_header Connection '';
            proxy_set_header Host www.customer.test;
        }
        location /single/ { proxy_pass http://edge/; }
        location /cached/ {
            proxy_pass http://edge/; proxy_http_version 1.1; proxy_set_header Connection '';
            proxy_set_header Host www.customer.test;
            proxy_cache front; proxy_cache_revalidate on;
            add_header X-Front $upstream_cache_status always;
        }
        location /unbuffered/ {
            proxy_pass http://edge/; proxy_http_version 1.1; proxy_request_buffering off;
            proxy_buffering off;
        }
        client_max_body_size 8m;
    ";
    Nginx::start(&http, server)
}

/// Contents are equal through nginx, whichever way it asks; the second time is the edge's hit.
#[test]
fn proxied() {
    let world = World::new();
    let Some(nginx) = front(&world.address) else { return };
    let mut client = Client::connect(&nginx.address);
    for way in ["lasting", "single", "unbuffered"] {
        for (target, octets, status) in [
            ("/bytes/1000/a?max-age=60", 1000, 200),
            ("/bytes/1M/b?max-age=60&chunked=1", 1_000_000, 200),
            ("/bytes/300K/c?max-age=60&close-delimited=1", 300_000, 200),
            ("/bytes/0/d?max-age=60", 0, 200),
            ("/bytes/5M/e?max-age=60", 5_000_000, 200),
            ("/bytes/100/f?max-age=60&status=404", 100, 404),
            ("/bytes/0/g?max-age=60&status=204", 0, 204),
        ] {
            let target = target.replace("?", &format!("-{way}?"));
            for expected in ["fwd=uri-miss", "; hit"] {
                let got = client.get(&format!("/{way}{target}"));
                let told = got.cache_status();
                assert_eq!((got.status, got.ended), (status, Ended::Whole), "{way}{target}");
                assert!(got.content == synthetic(&target, octets), "{way}{target}");
                assert!(told.contains(expected), "{way}{target}: {told}");
            }
            assert_eq!(world.asked(&target).len(), 1, "{way}{target}");
        }
        let parts =
            client.ask("GET", &format!("/{way}/bytes/1000/h?max-age=60"), "Range: bytes=5-9\r\n");
        let expected = &synthetic("/bytes/1000/h", 1000)[5..10];
        assert_eq!((parts.status, &parts.content[..]), (206, expected), "{way}");
        let head = client.ask("HEAD", &format!("/{way}/bytes/1000/a-{way}?max-age=60"), "");
        assert_eq!((head.status, head.field("content-length").as_str()), (200, "1000"), "{way}");
    }
    assert!(!nginx.errors().contains("[error]"), "{}", nginx.errors());
}

/// What clients send passes both.
#[test]
fn uploads_pass_both() {
    let world = World::new();
    let Some(nginx) = front(&world.address) else { return };
    let mut client = Client::connect(&nginx.address);
    let content = synthetic("/upload", 2_000_000);
    for way in ["lasting", "single", "unbuffered"] {
        for is_chunked in [false, true] {
            let framing =
                if is_chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 2000000" };
            let mut octets =
                format!("POST /{way}/echo HTTP/1.1\r\nHost: front.test\r\n{framing}\r\n\r\n")
                    .into_bytes();
            if is_chunked {
                for part in content.chunks(70_000) {
                    octets.extend(format!("{:x}\r\n", part.len()).bytes());
                    octets.extend(part);
                    octets.extend(b"\r\n");
                }
                octets.extend(b"0\r\n\r\n");
            } else {
                octets.extend(&content);
            }
            // The echo comes while it is still being sent.
            let mut sender = client.sender();
            let sending =
                std::thread::spawn(move || std::io::Write::write_all(&mut sender, &octets));
            let got = client.receive("POST");
            sending.join().unwrap().unwrap();
            assert_eq!((got.status, got.ended), (200, Ended::Whole), "{way}, {is_chunked}");
            assert!(got.content == content, "{way}, {is_chunked}");
        }
    }
    assert!(!nginx.errors().contains("[error]"), "{}", nginx.errors());
}

/// A cache in front of the cache keeps what the edge says may be kept, as old as it is.
#[test]
fn cached_again() {
    let world = World::new();
    let Some(nginx) = front(&world.address) else { return };
    let mut client = Client::connect(&nginx.address);
    for (target, octets, turns, fetches, why) in [
        ("/bytes/1000/a?max-age=600", 1000, ["MISS", "HIT"], 1, "kept by both"),
        ("/bytes/3M/b?max-age=600", 3_000_000, ["MISS", "HIT"], 1, "much"),
        ("/bytes/300K/c?max-age=600&chunked=1", 300_000, ["MISS", "HIT"], 1, "in chunks"),
        ("/bytes/10/d?max-age=600&status=404", 10, ["MISS", "HIT"], 1, "an error"),
        ("/bytes/1000/e?cache-control=no-store", 1000, ["MISS", "MISS"], 2, "kept by none"),
        ("/bytes/1000/f?cache-control=private", 1000, ["MISS", "MISS"], 2, "for one client"),
        (
            "/bytes/1000/g?cache-control=s-maxage%3D600&vary=accept",
            1000,
            ["MISS", "HIT"],
            1,
            "Vary",
        ),
    ] {
        for front in turns {
            let got = client.get(&format!("/cached{target}"));
            assert_eq!(got.field("x-front"), front, "{why}: {}", got.cache_status());
            assert_eq!(got.ended, Ended::Whole, "{why}");
            assert!(got.content == synthetic(target, octets), "{why}");
        }
        assert_eq!(world.asked(target).len(), fetches, "{why}");
    }
    // Someone else asks the edge itself: one fetch was enough for all.
    let mut direct = Client::connect(&world.address);
    let got = direct.get("/bytes/1000/a?max-age=600");
    assert!(got.cache_status().contains("; hit"), "{}", got.cache_status());
    assert!(!nginx.errors().contains("[error]"), "{}", nginx.errors());
}

/// A copy that is too old for nginx alone: it asks with the conditions that it has, and the edge answers for the
/// origin.
#[test]
fn revalidated() {
    let world = World::new();
    let Some(nginx) = front(&world.address) else { return };
    let mut client = Client::connect(&nginx.address);
    for (validator, why) in [("etag=v1", "by tag"), ("last-modified=@1000000000", "by date")] {
        let target = format!("/bytes/1000/old?max-age=600&header.x-accel-expires=1&{validator}");
        let mut turn = || {
            let got = client.get(&format!("/cached{target}"));
            assert_eq!((got.status, got.content), (200, synthetic(&target, 1000)), "{why}");
            let fields = got.fields;
            fields.into_iter().find(|(name, _)| name == "X-Front").unwrap().1
        };
        assert_eq!(turn(), "MISS", "{why}");
        let then = until("it is too old", || Some(turn()).filter(|told| told != "HIT"));
        assert_eq!(then, "REVALIDATED", "{why}");
        assert_eq!(world.asked(&target).len(), 1, "{why}");
    }
    assert!(!nginx.errors().contains("[error]"), "{}", nginx.errors());
}
