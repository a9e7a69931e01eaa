//! One server, asked for a while; and, before its first round, whether it answers what it should.

use super::load::{Load, Tally};
use super::message::{self, Wrong};
use super::questions::Questions;
use crate::error::BenchError;
use crate::metric::Metric;
use crate::peer::{Peer, Server};
use crate::report::{Sample, Verdict};
use crate::watch::{Cores, Moment};
use crate::zipf::Random;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Before anything is counted: caches of the processor.
const WARM_UP: Duration = Duration::from_millis(100);

/// How long a server that accepts connections may take until it answers.
const READY_MAX: Duration = Duration::from_secs(20);

/// How long an answer is waited for before it is asked for again.
const ANSWER_MAX: Duration = Duration::from_millis(200);

/// Answers that are compared before the first round.
const SAMPLES: u16 = 200;

/// Datagrams that may come before the answer: as many as were asked for before it was.
const OTHERS_MAX: usize = 1_000;

/// Part of the queries that may be lost, as when a kernel has no memory for a moment.
const LOST_SHARE_MAX: f64 = 0.001;

/// What is the same for all rounds of a case.
pub(super) struct Stage<'a> {
    pub(super) questions: &'a Questions,
    pub(super) cores: Cores,
    pub(super) duration: Duration,
    pub(super) stop: &'a AtomicBool,
}

/// Asks one server for a while.
pub(super) fn play(stage: &Stage<'_>, server: &Server, round: u32) -> Result<Sample, BenchError> {
    let shares_core = stage.cores.server == stage.cores.load;
    let mut load = Load::new(server.address, stage.questions, random(), shares_core)?;
    load.run(WARM_UP, stage.stop)?;
    let start = Moment::now(stage.cores, server.group())?;
    let begun = Instant::now();
    let tally = load.run(stage.duration, stage.stop)?;
    let seconds = begun.elapsed().as_secs_f64();
    let used = start.until(&Moment::now(stage.cores, server.group())?);
    go_on(stage.stop)?;
    let answered = float(tally.answered);
    let cpu_us = used.cpu / answered * 1e6;
    let latency_us = |share: f64| float(tally.latency.value_at_quantile(share)) / 1e3;
    Ok(Sample {
        round,
        requests: tally.answered,
        figures: [
            (Metric::CpuUs, cpu_us),
            (Metric::UserUs, cpu_us * (1.0 - used.system_share)),
            (Metric::SystemShare, used.system_share),
            (Metric::RequestsPerSecond, answered / seconds),
            (Metric::P50Us, latency_us(0.5)),
            (Metric::P99Us, latency_us(0.99)),
            (Metric::BusyShare, used.cpu / seconds),
            (Metric::Lost, float(tally.lost)),
        ]
        .into(),
        verdict: Verdict::of(errors(&tally), Some(used)),
    })
}

/// What is wrong with a round, if it is.
fn errors(tally: &Tally) -> Option<String> {
    let Tally { answered, lost, wrong, unasked, .. } = *tally;
    if answered == 0 {
        Some("no answer".to_owned())
    } else if let Some(first) = tally.first_wrong {
        Some(format!("{wrong} wrong answers, the first: {first}"))
    } else if unasked > lost {
        // Fewer may have come too late.
        Some(format!("{unasked} answers to nothing that was asked"))
    } else {
        let share = float(lost) / float(lost + answered);
        (share > LOST_SHARE_MAX).then(|| format!("{lost} queries lost of {}", lost + answered))
    }
}

/// Compares answers with what they must be, once there are any.
///
/// # Errors
/// [`BenchError::Peer`] when one is another, or none comes.
pub(super) fn probe(
    peer: Peer,
    server: SocketAddr,
    questions: &Questions,
    stop: &AtomicBool,
) -> Result<(), BenchError> {
    let wrong = |what: String| BenchError::Peer { peer: peer.name(), what };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
        socket.connect(server)?;
        socket.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(socket)
    });
    let socket = socket.map_err(|error| BenchError::Io("a socket", error))?;
    let deadline = Instant::now() + READY_MAX;
    for (id, (mut query, expected)) in (1..).zip(questions.samples(SAMPLES, &mut random())) {
        message::stamp(&mut query, id);
        loop {
            go_on(stop)?;
            let found = ask(&socket, &query);
            match found {
                Ok(Ok(found)) if found == [expected] => break,
                // It serves nothing yet.
                Err(_) | Ok(Err(_)) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(wrong(format!("no answer: {error}"))),
                Ok(Err(error)) => return Err(wrong(error.to_string())),
                Ok(Ok(found)) => {
                    let what = format!("answered {found:?} where {expected} was expected");
                    return Err(wrong(what));
                }
            }
        }
    }
    Ok(())
}

/// The addresses that a query is answered with.
fn ask(socket: &UdpSocket, query: &[u8]) -> io::Result<Result<Vec<Ipv4Addr>, Wrong>> {
    socket.send(query)?;
    let mut place = [0; 1500];
    for _ in 0..OTHERS_MAX {
        let octets = socket.recv(&mut place)?;
        let answer = place.get(..octets).unwrap_or_default();
        // Others are late answers to what was asked again.
        if message::id(answer) == message::id(query) {
            let addresses = || message::addresses(answer).ok_or(Wrong::Short);
            return Ok(message::check(answer).and_then(|()| addresses()));
        }
    }
    Err(io::Error::other("only answers to something else"))
}

fn go_on(stop: &AtomicBool) -> Result<(), BenchError> {
    if stop.load(Ordering::Relaxed) { Err(BenchError::Stopped) } else { Ok(()) }
}

/// Other choices than in the rounds before.
fn random() -> Random {
    let since = UNIX_EPOCH.elapsed().unwrap_or_default();
    Random::new(since.as_secs() << 30 ^ u64::from(since.subsec_nanos()))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_say_nothing() {
        let none = Tally::new().unwrap();
        let good = Tally { answered: 10_000, ..none.clone() };
        let wrong = Tally { wrong: 2, first_wrong: Some(Wrong::Rcode(5)), ..good.clone() };
        for (tally, expected, why) in [
            (none, Some("no answer"), "it has gone"),
            (good.clone(), None, "as it should be"),
            (wrong, Some("2 wrong answers, the first: RCODE 5"), "REFUSED"),
            (Tally { lost: 5, ..good.clone() }, None, "a few lost"),
            (Tally { lost: 5, unasked: 5, ..good.clone() }, None, "or late"),
            (
                Tally { unasked: 1, ..good.clone() },
                Some("1 answers to nothing that was asked"),
                "a wrong identifier",
            ),
            (
                Tally { lost: 40, ..good },
                Some("40 queries lost of 10040"),
                "more than can be overlooked",
            ),
        ] {
            assert_eq!(errors(&tally).as_deref(), expected, "{why}");
        }
    }
}
