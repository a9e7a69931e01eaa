//! A client's copy of a response that is still arriving.

use crate::client::{After, Client};
use crate::decision::{Why, decide};
use crate::fill::{ReadError, Reader};
use crate::io::Io;
use crate::piece::Piece;
use crate::request::Request;
use crate::respond::{
    Coding, Variable, failed_precondition, insert_fields, respond_condition, write_content_range,
};
use crate::stored::StoredResponse;
use crate::worker::Worker;
use lastmile_http::cache::status::CacheStatus;
use lastmile_http::framing::Framing;

/// A response that is still arriving.
pub(crate) struct Arriving {
    pub(crate) response: StoredResponse,
    pub(crate) length: Option<u64>,
    pub(crate) cause: Cause,
}

/// Why it is arriving.
#[derive(Clone, Copy)]
pub(crate) enum Cause {
    /// The upstream was asked for this request, and answered with this status.
    Asked(u16, Why),
    /// The upstream was asked for another request.
    Collapsed(Why),
    /// It is stored, and being read.
    Stored,
}

impl Cause {
    /// What is said of it, and counted.
    fn status(self, response: &StoredResponse, ttl: i64) -> (CacheStatus<'static>, &'static str) {
        let (status, why, collapsed) = match self {
            Self::Asked(status, why) => (status, why, false),
            Self::Collapsed(why) => (response.status(), why, true),
            Self::Stored => return (CacheStatus::Hit { ttl, detail: None }, "hit"),
        };
        let forward = CacheStatus::Forward {
            reason: why.forward,
            status: Some(status),
            ttl: Some(ttl),
            stored: true,
            collapsed,
            detail: why.detail(),
        };
        (forward, if collapsed { "collapsed" } else { why.reason })
    }
}

/// Sends head and content as they arrive; the head leaves together with what content is there.
pub(crate) async fn stream_fill<I: Io>(
    worker: &Worker<I>,
    client: &mut Client<I::Stream>,
    request: &Request<'_>,
    arriving: Arriving,
    mut reader: Reader,
) -> After {
    let Arriving { response, length, cause } = arriving;
    let (name, now) = (worker.name(), worker.io.now());
    let (cache_status, reason) = cause.status(&response, response.policy().ttl(now));
    let is_first = matches!(cause, Cause::Asked(..));
    let condition = failed_precondition(request, &response, now);
    let status = condition.unwrap_or(response.status());
    decide(worker, &mut client.noted, request, status, &cache_status, reason);
    if let Some(status) = condition {
        let start = client.output.len();
        let out = &mut client.output;
        respond_condition(name, request, &response, status, &cache_status, now, out);
        if is_first {
            insert_fields(response.withheld(), start, out);
        }
        return client.send_output(worker, request.persists).await;
    }
    // A response that is complete by now has a length.
    let length = length.or_else(|| reader.complete_length());
    let framing = length.map_or(Framing::Chunked, Framing::Length);
    let coding = Coding::new(request.head.version, framing);
    let persists = request.persists && coding != Coding::UntilClose;
    // RFC 9110 §8.6: no Content-Length in a 204.
    let announced = length.filter(|_| response.status() != 204);
    let age = response.policy().current_age(now);
    let variable =
        Variable { age, cache_status: &cache_status, length: announced, coding, persists };
    client.output.extend_from_slice(response.head());
    if is_first {
        client.output.extend_from_slice(response.withheld());
    }
    if let Some(part) = response.part() {
        write_content_range((part.first, part.last), part.complete_length, &mut client.output);
    }
    variable.write(name, request, &mut client.output);

    let mut batch = Vec::new();
    if let Some(pieces) = reader.next_at_once() {
        coding.encode(pieces, &mut batch);
    }
    if request.is_head() {
        batch.clear();
        return client.send(worker, batch, persists).await;
    }
    loop {
        if client.send(worker, core::mem::take(&mut batch), true).await != After::Keep {
            // Without a reset an HTTP/1.0 client could take what it got for all.
            return After::Abort;
        }
        match reader.next(&worker.io).await {
            Ok(Some(pieces)) => coding.encode(pieces, &mut batch),
            Ok(None) => break,
            Err(error) => {
                match error {
                    ReadError::Failed(_) => worker.counters().aborted.increment(),
                    ReadError::Lapped => worker.counters().readers_lapped.increment(),
                }
                return After::Abort;
            }
        }
    }
    let last: Vec<Piece> = coding.end().into_iter().collect();
    client.send(worker, last, persists).await
}
