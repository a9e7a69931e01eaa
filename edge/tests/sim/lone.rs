//! One edge with a disk, its upstream and its clients, in the simulation.

use crate::disk::{Disk, DiskFaults};
use crate::net::{Faults, Net, SimIo, SimStream};
use crate::world::World;
use bytes::Bytes;
use core::cell::RefCell;
use core::net::SocketAddr;
use core::time::Duration;
use lastmile_edge::Config;
use lastmile_edge::connection::serve;
use lastmile_edge::io::{Receive, Stream, Wait};
use lastmile_edge::ssd::{Admission, SsdConfig};
use lastmile_edge::worker::{Shared, Worker};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

const UPSTREAM: ([u8; 4], u16) = ([10, 0, 0, 1], 80);
const EDGE: ([u8; 4], u16) = ([10, 0, 0, 2], 80);
const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 3], 40_000);
/// Longer than all waits of the edge together.
const PATIENCE: Duration = Duration::from_secs(1000);
/// The upstream closes a connection that is idle for so long.
const UPSTREAM_IDLE: Duration = Duration::from_secs(5);
const BUFFER_OCTETS: usize = 64 * 1024;

/// See the head of this file.
pub struct Lone {
    pub world: World,
    pub disk: Disk,
    net: Net,
}

/// Octets that a client has got, and when.
pub type Got = Rc<RefCell<Vec<(u64, Bytes)>>>;

impl Lone {
    pub fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let faults = Faults {
            refused: 0,
            unanswered: 0,
            reset: 0,
            delay_ms_max: 0,
            split: false,
            buffer_octets: BUFFER_OCTETS,
        };
        let net = Net::new(world.clone(), faults);
        let disk = Disk::new(&world, DiskFaults::default());
        Self { world, disk, net }
    }

    /// Starts the edge, which writes all that it stores to `ssd`.
    pub fn start(&self, ssd: &Path, ssd_octets: u64, ram_octets: u64) -> Arc<Shared> {
        let upstream = format!("http://{}", SocketAddr::from(UPSTREAM)).parse().expect("a URL");
        let cores = "0".parse().expect("a core");
        let mut config = Config::new("edge".into(), vec![EDGE.into()], vec![upstream], cores);
        config.ram_octets = ram_octets;
        config.ssd = vec![SsdConfig { path: ssd.to_owned(), octets: Some(ssd_octets) }];
        config.ssd_admission = Admission::All;
        let edge = Shared::unstarted(config).expect("no thread is needed for an address");
        let (world, net, disk) = (self.world.clone(), self.net.clone(), self.disk.clone());
        let io = SimIo { world, net, address: EDGE.into(), skew_ms: 0, disk };
        let worker = Worker::new(io, Arc::clone(&edge), 0);
        worker.serve_ssd();
        let accepting = self.world.clone();
        self.net.listen(EDGE.into(), move |stream, peer| {
            accepting.spawn("connection of the edge", serve(Rc::clone(&worker), stream, peer));
        });
        edge
    }

    /// Lets the upstream answer with `content` of the target, which may be stored.
    pub fn answer_with(&self, content: impl Fn(&str) -> Vec<u8> + Clone + 'static) {
        let accepting = self.world.clone();
        self.net.listen(UPSTREAM.into(), move |stream, _| {
            let content = content.clone();
            accepting.spawn("connection of the upstream", async move {
                answer(stream, content).await;
            });
        });
    }

    /// Lets a client ask for `targets` on one connection, at once, and read until that is closed.
    pub fn ask(&self, targets: &[&str]) -> Got {
        self.ask_until(targets, usize::MAX)
    }

    /// Lets a client delete `targets`, so that nothing of them stays stored.
    pub fn delete(&self, targets: &[&str]) -> Got {
        self.send("DELETE", targets, usize::MAX)
    }

    /// The same, but it goes away when it has got so many octets.
    pub fn ask_until(&self, targets: &[&str], octets_max: usize) -> Got {
        self.send("GET", targets, octets_max)
    }

    fn send(&self, method: &str, targets: &[&str], octets_max: usize) -> Got {
        let mut requests = String::new();
        for (number, target) in targets.iter().enumerate() {
            let last = if number + 1 == targets.len() { "Connection: close\r\n" } else { "" };
            requests += &format!("{method} {target} HTTP/1.1\r\nHost: site.test\r\n{last}\r\n");
        }
        let got = Got::default();
        let (net, world, noting) = (self.net.clone(), self.world.clone(), Rc::clone(&got));
        self.world.spawn("client", async move {
            let stream = net.connect(CLIENT.into(), EDGE.into(), PATIENCE).await;
            let mut stream = stream.expect("the edge listens");
            let (receiver, sender) = stream.split();
            let _ = sender.send_octets(requests.into(), PATIENCE).await;
            let mut seen = 0;
            while let Ok(octets) = receiver.receive(Wait::Idle(PATIENCE)).await {
                seen += octets.len();
                if octets.is_empty() || seen >= octets_max {
                    break;
                }
                let octets = Bytes::copy_from_slice(&octets);
                noting.borrow_mut().push((world.now_ms(), octets));
            }
        });
        got
    }

    /// Writes all that is stored to the disk, and ends.
    pub fn end(self, edge: Arc<Shared>) {
        edge.stop_ssd();
        self.world.run();
        assert_eq!(self.world.tasks(), [""; 0], "nothing waits for what will not come");
        assert!(self.world.violations().is_empty(), "{:?}", self.world.violations());
        self.net.end();
        self.world.end();
        let edge = Arc::into_inner(edge);
        assert!(edge.is_some(), "somebody still holds the edge");
    }
}

async fn answer(mut stream: SimStream, content: impl Fn(&str) -> Vec<u8>) {
    let (receiver, sender) = stream.split();
    let mut received = Vec::new();
    while let Ok(octets) = receiver.receive(Wait::Idle(UPSTREAM_IDLE)).await {
        if octets.is_empty() {
            return;
        }
        received.extend_from_slice(&octets);
        while let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = received.drain(..end + 4).collect();
            let target = head.split(|octet| *octet == b' ').nth(1).unwrap_or_default();
            let content = content(&String::from_utf8_lossy(target));
            let mut answer = format!(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=9000\r\nETag: \"v\"\r\n\
                 Content-Length: {}\r\n\r\n",
                content.len()
            )
            .into_bytes();
            answer.extend(content);
            if sender.send_octets(answer.into(), PATIENCE).await.is_err() {
                return;
            }
        }
    }
}
