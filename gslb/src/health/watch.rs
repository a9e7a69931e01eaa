//! One edge asked again and again (RFC 9110, RFC 9112), on a connection that is watched in between.

use super::judge::{Judge, Outcome};
use super::load::Load;
use super::{Check, EdgeState};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{self, HeaderValue};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// What an answer may have; more is no answer to a check.
const CONTENT_OCTETS_MAX: usize = 64 * 1024;
/// What an answer's head may have (hyper's least).
const HEAD_OCTETS_MAX: usize = 8192;
/// An open connection, and the task that ends with it.
struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Checks one edge for ever.
pub(super) async fn watch(name: Box<str>, check: Check, state: Arc<EdgeState>) {
    let start = Instant::now();
    let mut judge = Judge::new(state.is_up(), check.rise);
    let (mut connection, mut is_early) = (None, false);
    loop {
        let (outcome, load) = ask(&check, &mut connection).await;
        let is_up = judge.judge(&outcome, start.elapsed());
        // Who is late once is not less busy than before.
        let load = match outcome {
            Outcome::Silent if is_up => state.load(),
            _ => load,
        };
        state.note(&outcome, load);
        if is_up != state.is_up() {
            let (now, target) = (if is_up { "up" } else { "down" }, &check.target);
            eprintln!("gslb: {name} is {now}: http://{}{target} {outcome}", check.address);
            state.set_up(is_up);
        }
        let is_silent = outcome == Outcome::Silent;
        // Who was silent is asked again at once: it must be out within a second.
        if !(is_silent && is_up) {
            is_early = wait(check.interval, &mut connection, is_early).await;
        }
    }
}

/// Waits for the next check: that comes at once when the edge closes the connection, but only once in an interval,
/// since some close it after each answer. Whether it comes early; `was_early` is what the one before did.
async fn wait(interval: Duration, connection: &mut Option<Connection>, was_early: bool) -> bool {
    let began = Instant::now();
    let Some(open) = connection else {
        sleep(interval).await;
        return false;
    };
    if timeout(interval, &mut open.task).await.is_err() {
        return false;
    }
    *connection = None;
    if was_early {
        sleep(interval.saturating_sub(began.elapsed())).await;
    }
    !was_early
}

/// What a check came to, and what was said of the load.
async fn ask(check: &Check, connection: &mut Option<Connection>) -> (Outcome, Option<Load>) {
    let kept = connection.take().filter(|open| !open.sender.is_closed());
    let was_kept = kept.is_some();
    let mut answer = ask_on(check, kept, connection).await;
    if was_kept && matches!(answer, Err(Outcome::Refused(_))) && connection.is_none() {
        // It may have been closed as one that was idle.
        answer = ask_on(check, None, connection).await;
    }
    match answer {
        Ok((is_json, content)) => (Outcome::Passed, Load::read(is_json, &content, &check.limits)),
        Err(outcome) => (outcome, None),
    }
}

/// Asks on an open connection, or on a new one, which is kept in `connection` if it can be used again. A good answer
/// is its content, and whether that is said to be JSON.
async fn ask_on(
    check: &Check,
    open: Option<Connection>,
    connection: &mut Option<Connection>,
) -> Result<(bool, Bytes), Outcome> {
    let mut open = match open {
        Some(open) => open,
        None => match timeout(check.timeout, connect(check)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(why)) => return Err(Outcome::Refused(why)),
            Err(_) => return Err(Outcome::Silent),
        },
    };
    let request = Request::get(&check.target)
        .header(header::HOST, check.address.to_string())
        .header(header::USER_AGENT, "lastmile-gslb");
    let Ok(request) = request.body(Empty::new()) else {
        return Err(Outcome::Refused("can't be asked that".to_owned()));
    };
    let answered = async {
        let response = open.sender.send_request(request).await?;
        let status = response.status();
        let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(is_json);
        let content = Limited::new(response.into_body(), CONTENT_OCTETS_MAX).collect().await;
        Ok::<_, hyper::Error>((status, is_json, content))
    };
    let (status, is_json, content) = match timeout(check.timeout, answered).await {
        Err(_) => return Err(Outcome::Silent),
        Ok(Err(error)) => return Err(Outcome::Refused(format!("does not answer: {error}"))),
        Ok(Ok(answer)) => answer,
    };
    let Ok(content) = content else {
        return Err(Outcome::Refused("breaks off its answer".to_owned()));
    };
    *connection = Some(open);
    match status.is_success() || status.is_redirection() {
        true => Ok((is_json, content.to_bytes())),
        false => Err(Outcome::Refused(format!("answers {status}"))),
    }
}

/// RFC 9110 §8.3.1: the media type without its parameters, in any case.
fn is_json(value: &HeaderValue) -> bool {
    let value = value.to_str().unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

async fn connect(check: &Check) -> Result<Connection, String> {
    let stream = TcpStream::connect(check.address).await;
    let stream = stream.map_err(|error| format!("can't be connected to: {error}"))?;
    let (sender, connection) = Builder::new()
        .max_buf_size(HEAD_OCTETS_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| format!("does not speak HTTP: {error}"))?;
    let task = tokio::spawn(async move {
        // How it ended is seen by who asks.
        let _ = connection.await;
    });
    Ok(Connection { sender, task })
}
