//! Secondaries are told that a zone has changed (RFC 1996), on a thread of its own.

use crate::answer::Tables;
use crate::wire::{CLASS_IN, HEADER_OCTETS, name, rtype};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

/// How often a secondary is told (RFC 1996 §3.6), each time after twice as long: for half a minute. Whoever is not
/// there that long asks by itself when its REFRESH is over.
const TRIES_MAX: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How often the thread looks for answers and news while it waits for a secondary.
const TURN: Duration = Duration::from_millis(50);
/// RFC 1996 §3.3, §3.7: opcode NOTIFY, about a zone that we are authoritative for.
const NOTIFY_FLAGS: u16 = 4 << 11 | 1 << 10;
const RESPONSE_FLAGS: u16 = 1 << 15 | 4 << 11;
/// QR and OPCODE.
const KIND_MASK: u16 = 0xf800;

/// Tells secondaries until it is dropped.
pub(crate) struct Notifier {
    /// `None` when it shall end.
    published: Option<Sender<Arc<Tables>>>,
    thread: Option<JoinHandle<()>>,
}

/// A secondary that has to be told.
struct Pending {
    /// In wire form.
    apex: Box<[u8]>,
    to: SocketAddr,
    id: u16,
    tries: u32,
    next: Instant,
}

struct Sockets {
    v4: io::Result<UdpSocket>,
    v6: io::Result<UdpSocket>,
}

impl Notifier {
    /// Starts the thread; it tells from `listen`'s address, by which secondaries know their primary.
    ///
    /// # Errors
    /// The thread could not be made.
    pub(crate) fn start(listen: IpAddr) -> io::Result<Self> {
        let (published, receiver) = channel();
        let thread = thread::Builder::new().name("gslb-notify".to_owned());
        let thread = thread.spawn(move || run(&receiver, &Sockets::new(listen)))?;
        Ok(Self { published: Some(published), thread: Some(thread) })
    }

    /// Says that these tables are what is answered from now on: secondaries of zones whose serial they have not been
    /// told are.
    pub(crate) fn published(&self, tables: Arc<Tables>) {
        if let Some(published) = &self.published {
            // The thread ends after this sender only.
            let _ = published.send(tables);
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.published = None;
        if let Some(thread) = self.thread.take() {
            // A panic has already been said on stderr.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Notifier").finish_non_exhaustive()
    }
}

impl Sockets {
    fn new(listen: IpAddr) -> Self {
        let bind = |any: IpAddr| {
            let own = if listen.is_ipv4() == any.is_ipv4() { listen } else { any };
            let socket = UdpSocket::bind((own, 0))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        Self { v4: bind(Ipv4Addr::UNSPECIFIED.into()), v6: bind(Ipv6Addr::UNSPECIFIED.into()) }
    }

    fn send(&self, pending: &Pending) -> Result<(), String> {
        let socket = if pending.to.is_ipv4() { &self.v4 } else { &self.v6 };
        let socket = socket.as_ref().map_err(ToString::to_string)?;
        let sent = socket.send_to(&message(pending), pending.to);
        sent.map(|_| ()).map_err(|error| error.to_string())
    }

    /// A message that has come, if one has.
    fn receive(&self, octets: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let sockets = [&self.v4, &self.v6].into_iter().flatten();
        // An error is that of a message sent before; it is sent again.
        sockets.filter_map(|socket| socket.recv_from(octets).ok()).next()
    }
}

fn run(published: &Receiver<Arc<Tables>>, sockets: &Sockets) {
    let random = RandomState::new();
    let mut told: HashMap<Box<[u8]>, u32> = HashMap::new();
    let mut pending: Vec<Pending> = Vec::new();
    loop {
        let tables = if pending.is_empty() {
            published.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            published.recv_timeout(TURN)
        };
        match tables {
            Ok(tables) => add(&tables, &random, &mut told, &mut pending),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let mut octets = [0; 512];
        while let Some((length, from)) = sockets.receive(&mut octets) {
            pending.retain(|one| !is_answer(one, &octets[..length], from));
        }
        let now = Instant::now();
        pending.retain_mut(|one| one.next > now || tell(one, sockets, now));
    }
}

/// Adds the secondaries of zones whose serial is another one than they were told.
fn add(
    tables: &Tables,
    random: &RandomState,
    told: &mut HashMap<Box<[u8]>, u32>,
    pending: &mut Vec<Pending>,
) {
    for zone in tables.zones.all() {
        let notify = &zone.secondaries.notify;
        if notify.is_empty() || told.insert(zone.apex.clone(), zone.serial()) == Some(zone.serial())
        {
            continue;
        }
        pending.retain(|one| one.apex != zone.apex);
        pending.extend(notify.iter().map(|&to| Pending {
            apex: zone.apex.clone(),
            to,
            id: random.hash_one((&zone.apex, zone.serial(), to)) as u16,
            tries: 0,
            next: Instant::now(),
        }));
    }
}

/// Tells a secondary once more; `false` when it is given up.
fn tell(one: &mut Pending, sockets: &Sockets, now: Instant) -> bool {
    let sent = if one.tries < TRIES_MAX { sockets.send(one) } else { Ok(()) };
    if one.tries == TRIES_MAX {
        let (zone, to) = (name::to_text(&one.apex), one.to);
        eprintln!("gslb: {to} does not answer to NOTIFY of {zone}");
        return false;
    }
    if let Err(error) = sent {
        let (zone, to) = (name::to_text(&one.apex), one.to);
        eprintln!("gslb: cannot send NOTIFY of {zone} to {to}: {error}");
    }
    one.next = now + FIRST_WAIT * (1 << one.tries);
    one.tries += 1;
    true
}

/// RFC 1996 §3.7: the zone as a question for its SOA.
fn message(one: &Pending) -> Vec<u8> {
    let words = [one.id, NOTIFY_FLAGS, 1, 0, 0, 0];
    let mut message: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    message.extend_from_slice(&one.apex);
    message.extend([rtype::SOA, CLASS_IN].iter().flat_map(|word| word.to_be_bytes()));
    message
}

/// Whether this is the secondary's answer, whatever it says (RFC 1996 §4.8: there is nothing more to tell it).
fn is_answer(one: &Pending, message: &[u8], from: SocketAddr) -> bool {
    let word = |at| crate::wire::read_u16(message, at);
    message.len() >= HEADER_OCTETS
        && from == one.to
        && word(0) == Some(one.id)
        && word(2).is_some_and(|flags| flags & KIND_MASK == RESPONSE_FLAGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notify_is_answered_by_whom_it_was_sent_to() {
        let to = SocketAddr::from(([192, 0, 2, 53], 53));
        let other = SocketAddr::from(([192, 0, 2, 54], 53));
        let apex = Box::from(&b"\x04test\x00"[..]);
        let one = Pending { apex, to, id: 0x1234, tries: 0, next: Instant::now() };
        let sent = message(&one);
        assert_eq!(
            sent, b"\x12\x34\x24\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04test\x00\x00\x06\x00\x01",
            "RFC 1996 §3.7: opcode 4, AA, one question"
        );
        let answer = |id: u8, flags: u8| [&[id, 0x34, flags, 0], &sent[4..]].concat();
        for (answer, from, expected, why) in [
            (answer(0x12, 0xa4), to, true, "an answer"),
            (answer(0x12, 0xa0), to, true, "without AA"),
            (answer(0x12, 0x24), to, false, "a NOTIFY"),
            (answer(0x12, 0x84), to, false, "an answer to a QUERY"),
            (answer(0x13, 0xa4), to, false, "another ID"),
            (answer(0x12, 0xa4), other, false, "another server"),
            (answer(0x12, 0xa4)[..11].to_vec(), to, false, "no header"),
        ] {
            assert_eq!(is_answer(&one, &answer, from), expected, "{why}");
        }
    }
}
