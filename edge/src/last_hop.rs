//! Requests that end here because their Max-Forwards says so (RFC 9110 §7.6.2): this cache answers as their last
//! recipient.

use crate::client::{After, Client};
use crate::decision::decide_refusal;
use crate::io::Io;
use crate::request::Request;
use crate::stored::{write_field, write_status_line};
use crate::worker::Worker;
use lastmile_http::head::Version;
use lastmile_http::persistence::{ConnectionField, connection_field};
use lastmile_http::time::{UnixTime, write_http_date};

/// Why Cache-Status has neither a hit nor a request upstream.
const REASON: &str = "last-hop";

/// What may be asked of us: CONNECT may not, and other methods go upstream as they are.
const ALLOW: &[u8] = b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE";

/// Fields that an answer to TRACE keeps from whoever reads it (RFC 9110 §9.3.8): what lets somebody in.
const SENSITIVE: [&[u8]; 4] = [b"authorization", b"proxy-authorization", b"cookie", b"cookie2"];

/// Answers an OPTIONS or TRACE that may not be forwarded.
pub(crate) async fn answer_as_last<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
) -> After {
    // What an OPTIONS brings with it is not read, and would be taken for another request.
    let unread = request.has_content();
    let persists = request.persists && !unread;
    decide_refusal(worker, &mut client.noted, 200, REASON);
    write_answer(worker.name(), request, persists, worker.io.now(), &mut client.output);
    match client.send_output(worker, persists).await {
        After::Close if unread => After::Linger,
        after => after,
    }
}

fn write_answer(
    name: &str,
    request: &Request<'_>,
    persists: bool,
    now: UnixTime,
    out: &mut Vec<u8>,
) {
    write_status_line(200, b"OK", out);
    out.extend_from_slice(b"Date: ");
    write_http_date(now, out);
    out.extend_from_slice(b"\r\n");
    write_field(b"Via", format!("1.1 {name}").as_bytes(), out);
    write_field(b"Cache-Status", format!("{name}; detail={REASON}").as_bytes(), out);
    match connection_field(request.head.version, persists) {
        ConnectionField::None => {}
        ConnectionField::KeepAlive => write_field(b"Connection", b"keep-alive", out),
        ConnectionField::Close => write_field(b"Connection", b"close", out),
    }
    let mut content = Vec::new();
    if request.head.method == b"TRACE" {
        write_field(b"Content-Type", b"message/http", out);
        write_received(request, &mut content);
    } else {
        write_field(b"Allow", ALLOW, out);
    }
    let mut digits = itoa::Buffer::new();
    write_field(b"Content-Length", digits.format(content.len()).as_bytes(), out);
    out.extend_from_slice(b"\r\n");
    out.append(&mut content);
}

/// The head as it was received, but for what is nobody's business (RFC 9110 §9.3.8).
fn write_received(request: &Request<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(request.head.method);
    out.push(b' ');
    out.extend_from_slice(request.head.target);
    out.extend_from_slice(match request.head.version {
        Version::Http10 => b" HTTP/1.0\r\n",
        Version::Http11 => b" HTTP/1.1\r\n",
    });
    for (name, value) in request.head.fields.iter() {
        if !SENSITIVE.iter().any(|sensitive| name.eq_ignore_ascii_case(sensitive)) {
            write_field(name, value, out);
        }
    }
    out.extend_from_slice(b"\r\n");
}
