//! Scripted clients: how they send what they ask and take what they get. Their HTTP is their own.

use crate::ask::{Answer, Ask};
use crate::net::{Net, SimSender};
use crate::reader::Reader;
use crate::world::World;
use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;
use futures_lite::future::{or, zip};
use lastmile_edge::io::Stream;

/// Longer than every wait of an edge and its parent together: connecting, sending, a head, and each once more.
pub const PATIENCE: Duration = Duration::from_secs(200);
/// How long a client waits for 100 (Continue) before it sends its content all the same (RFC 9110 §10.1.1).
const EXPECTED_MS_MAX: u64 = 2_000;

/// How a client takes what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Eager,
    Slow,
    /// Goes away when this many octets have arrived.
    Leaves(u64),
}

/// Why no more answers came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All were answered, or the connection ended in order.
    Done,
    /// The connection was refused or failed.
    Lost,
    /// Nothing came for a very long time.
    Silence,
    /// What came is not HTTP.
    Malformed(String),
}

/// One client.
#[derive(Clone)]
pub struct Client {
    pub world: World,
    pub net: Net,
    pub address: SocketAddr,
    pub server: SocketAddr,
}

impl Client {
    /// Sends `asks` on one connection and reads the answers. HTTP/1.1 is pipelined: all are sent without waiting.
    pub async fn converse(&self, asks: &[Ask], reading: Reading) -> (Vec<Answer>, Stop) {
        let mut answers = Vec::new();
        let stream = self.net.connect(self.address, self.server, PATIENCE).await;
        let Ok(mut stream) = stream else { return (answers, Stop::Lost) };
        let pipelined = asks.iter().all(|ask| !ask.http10);
        let (receiver, sender) = stream.split();
        let world = &self.world;
        let mut reader = Reader { world, receiver, ahead: Vec::new(), reading, taken: 0 };
        let mut stop = Stop::Done;
        for group in asks.chunks(if pipelined { asks.len() } else { 1 }) {
            let before = answers.len();
            stop = self.exchange(&mut reader, sender, group, &mut answers).await;
            if stop != Stop::Done || answers.len() < before + group.len() {
                break;
            }
            let last = answers.last().zip(group.last());
            if last.is_some_and(|(answer, ask)| answer.ends_connection(ask)) {
                break;
            }
        }
        for answer in &answers {
            self.world.trace(6, u64::from(answer.status) << 32 | answer.content.len() as u64);
        }
        (answers, stop)
    }

    async fn exchange(
        &self,
        reader: &mut Reader<'_>,
        sender: &mut SimSender,
        asks: &[Ask],
        answers: &mut Vec<Answer>,
    ) -> Stop {
        let asked_ms = self.world.now_ms();
        let receive = async {
            for ask in asks {
                let mut answer = Answer::default();
                let outcome = reader.answer(ask, &mut answer).await;
                answer.asked_ms = asked_ms;
                let ends = answer.ends_connection(ask);
                if answer.status != 0 {
                    answers.push(answer);
                }
                match outcome {
                    Err(stop) => return stop,
                    Ok(()) if ends => return reader.end().await,
                    Ok(()) => {}
                }
            }
            Stop::Done
        };
        let sending_for_ever = async {
            self.send(asks, sender).await;
            core::future::pending().await
        };
        or(receive, sending_for_ever).await
    }

    /// Sends the requests in arbitrary groups.
    async fn send(&self, asks: &[Ask], sender: &mut SimSender) {
        let mut octets = Vec::new();
        for ask in asks {
            let (head, content) = ask.octets();
            octets.extend(head);
            if ask.field("Expect").is_some() {
                let head = core::mem::take(&mut octets);
                if sender.send_octets(Bytes::from(head), PATIENCE).await.is_err() {
                    return;
                }
                self.world.sleep_ms(self.world.random(EXPECTED_MS_MAX)).await;
            }
            octets.extend(content);
            if self.world.chance(500) {
                let group = core::mem::take(&mut octets);
                if sender.send_octets(Bytes::from(group), PATIENCE).await.is_err() {
                    return;
                }
                self.world.sleep_ms(self.world.random(30)).await;
            }
        }
        let _ = sender.send_octets(Bytes::from(octets), PATIENCE).await;
    }

    /// The same request by several clients at the same time.
    pub async fn two_at_once(&self, first: &Ask, second: &Ask, slow: Reading) -> [Vec<Answer>; 2] {
        let one = core::slice::from_ref(first);
        let other = core::slice::from_ref(second);
        let eager = self.converse(one, Reading::Eager);
        let (first, second) = zip(eager, self.converse(other, slow)).await;
        [first.0, second.0]
    }
}
