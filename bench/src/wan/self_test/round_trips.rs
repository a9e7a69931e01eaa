//! Round trips of 80 ms, as a program sees them that waits for an answer.

use super::{DELAY, ERROR_MS_MAX, Pair, lateness_rows, row};
use crate::wan::emulator::Measurement;
use crate::wan::outcome::{ExpectationKind, Row};
use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

/// Pairs of sockets that ask at the same time.
const PAIRS: usize = 2;

/// Octets of each datagram.
const OCTETS: usize = 64;

/// A datagram that has not come after so long is lost.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct RoundTrips {
    /// How much longer than it should each took, in ms, in the order of size.
    errors_ms: Vec<f64>,
    measurement: Measurement,
}

impl RoundTrips {
    pub(super) fn rows(&self) -> Vec<Row> {
        let at = |part: f64| {
            let last = self.errors_ms.len() - 1;
            self.errors_ms[(last as f64 * part).round() as usize]
        };
        let goal = Some((ExpectationKind::AtMost, ERROR_MS_MAX));
        let mut rows = vec![
            row("error of a round trip of 80 ms, median", "ms", at(0.5), goal),
            row("error of a round trip of 80 ms, 99 %", "ms", at(0.99), None),
        ];
        let lateness_ns = &self.measurement.lateness_ns;
        rows.extend(lateness_rows("round trips", lateness_ns, Some(super::LATENESS_US_MAX)));
        rows
    }
}

/// Sends so many datagrams there and back, one after the other in each pair of sockets.
pub(super) fn round_trips(pair: &Pair, trips: usize) -> io::Result<RoundTrips> {
    pair.links.begin_measurement()?;
    let mut threads = Vec::new();
    for at in 0..PAIRS {
        let socket = |host: usize| {
            let socket = pair.hosts[host].run(|| UdpSocket::bind((Pair::ADDRESSES[host], 0)))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            io::Result::Ok(socket)
        };
        let (near, far) = (socket(0)?, socket(1)?);
        near.connect(far.local_addr()?)?;
        far.connect(near.local_addr()?)?;
        let echo = thread::spawn(move || {
            let mut octets = [0; OCTETS];
            (0..trips).try_for_each(|_| {
                let length = far.recv(&mut octets)?;
                far.send(&octets[..length]).map(|_| ())
            })
        });
        let ask = thread::spawn(move || {
            // Not at the same time as the others.
            thread::sleep(DELAY * at as u32 / PAIRS as u32);
            (0..trips).map(|_| trip(&near)).collect::<io::Result<Vec<_>>>()
        });
        threads.push((echo, ask));
    }
    let mut errors_ms = Vec::new();
    for (echo, ask) in threads {
        let panicked = |_| io::Error::other("a thread of the self-test panicked");
        errors_ms.extend(ask.join().map_err(panicked)??);
        echo.join().map_err(panicked)??;
    }
    errors_ms.sort_by(f64::total_cmp);
    Ok(RoundTrips { errors_ms, measurement: pair.links.end_measurement()? })
}

/// How much longer than twice the delay a round trip took, in ms.
fn trip(near: &UdpSocket) -> io::Result<f64> {
    let start = Instant::now();
    near.send(&[0; OCTETS])?;
    near.recv(&mut [0; OCTETS])?;
    Ok((start.elapsed().as_secs_f64() - 2.0 * DELAY.as_secs_f64()) * 1e3)
}
