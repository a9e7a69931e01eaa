//! Lines as they are written.

use super::*;
use serde_json::Value;

const ENTRY: Entry<'static> = Entry {
    time: UnixTime::from_milliseconds(784_111_777_042),
    edge: "edge-1",
    client: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    method: b"GET",
    host: b"www.customer.test",
    target: b"/a?b",
    status: 200,
    octets: 1024,
    cache: b"edge-1; hit; ttl=59",
    reason: "hit",
};

fn line(entry: &Entry<'_>) -> String {
    let mut out = Vec::new();
    entry.write_to(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_is_an_object_in_the_order_of_the_members() {
    assert_eq!(
        line(&ENTRY),
        "{\"time\":\"1994-11-06T08:49:37.042Z\",\"edge\":\"edge-1\",\"client\":\"127.0.0.1\",\
         \"method\":\"GET\",\"host\":\"www.customer.test\",\"target\":\"/a?b\",\"status\":200,\
         \"octets\":1024,\"cache\":\"edge-1; hit; ttl=59\",\"reason\":\"hit\"}\n"
    );
}

#[test]
fn whatever_a_client_sends_stays_one_line_of_json() {
    let long = "/".repeat(STRING_OCTETS_MAX + 1);
    let cut = format!("{}…", "/".repeat(STRING_OCTETS_MAX));
    let rows: [(&[u8], &str, &str); 6] = [
        (b"/\"\\", "/\"\\", "RFC 8259 §7: quote and backslash"),
        (b"/\n{\"time\":0}", "/\n{\"time\":0}", "a line end can't begin another line"),
        (b"/\0\x1f\x7f", "/\0\x1f\x7f", "control characters"),
        ("/é".as_bytes(), "/é", "UTF-8 stays"),
        (b"/\xff\xc3", "/\u{fffd}\u{fffd}", "what is no UTF-8 is replaced"),
        (long.as_bytes(), &cut, "a longer one is cut and says so"),
    ];
    for (target, expected, why) in rows {
        let line = line(&Entry { target, ..ENTRY });
        assert_eq!(line.find('\n'), Some(line.len() - 1), "{why}: {line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["target"], expected, "{why}");
    }
    let last = line(&Entry { time: UnixTime::from_milliseconds(u64::MAX), ..ENTRY });
    assert!(last.contains("\"9999-12-31T23:59:59"), "a clock beyond the calendar: {last}");
}
