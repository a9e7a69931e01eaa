//! The scripted origin: what it serves is a function of path, variant, version and offset, so that any octet can be
//! checked anywhere. Its HTTP is its own.

use crate::net::{Net, SimStream};
use crate::world::{BEGIN_MS, World};
use bytes::Bytes;
use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use core::time::Duration;
use lastmile_edge::io::{Receive, Stream, Wait};
use std::collections::BTreeMap;
use std::rc::Rc;

const SEND_LIMIT: Duration = Duration::from_secs(60);
/// Content is sent in parts of this size.
const PART_OCTETS: u64 = 32 * 1024;
/// Pauses between the parts of a dripping content: long enough for others to join.
const DRIP_MS_MAX: u64 = 400;

/// How long a head may be on its way: by far more than ages may be understated, within the edge's patience.
const HEAD_MS_MAX: u64 = 8_000;

/// How the origin delimits content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delimited {
    Length,
    Chunked,
    Close,
}

/// What the origin says and does for one path.
#[derive(Debug)]
pub struct Resource {
    pub path: &'static str,
    pub status: u16,
    pub octets: u64,
    /// Cache-Control.
    pub policy: &'static str,
    /// Seconds for which it may be used without asking.
    pub lifetime: u64,
    pub delimited: Delimited,
    pub etag: bool,
    pub date: bool,
    pub varies: bool,
    /// Sent in small parts with pauses.
    pub drips: bool,
    /// A new version appears this often, in milliseconds.
    pub period_ms: u64,
}

const PLAIN: Resource = Resource {
    path: "",
    status: 200,
    octets: 0,
    policy: "",
    lifetime: 0,
    delimited: Delimited::Length,
    etag: true,
    date: true,
    varies: false,
    drips: false,
    period_ms: 7_000,
};

/// The whole site. The last one is larger than the store.
pub const CATALOGUE: &[Resource] = &[
    Resource { path: "/small", octets: 300, policy: "max-age=5", lifetime: 5, ..PLAIN },
    Resource {
        path: "/page",
        octets: 5_000,
        policy: "public, s-maxage=30, max-age=1",
        lifetime: 30,
        delimited: Delimited::Chunked,
        ..PLAIN
    },
    Resource { path: "/picture", octets: 120_000, policy: "max-age=20", lifetime: 20, ..PLAIN },
    Resource { path: "/picture-2", octets: 120_000, policy: "max-age=40", lifetime: 40, ..PLAIN },
    Resource { path: "/picture-3", octets: 120_000, policy: "max-age=60", lifetime: 60, ..PLAIN },
    Resource { path: "/picture-4", octets: 120_000, policy: "max-age=60", lifetime: 60, ..PLAIN },
    Resource {
        path: "/closing",
        octets: 20_000,
        policy: "max-age=8",
        lifetime: 8,
        delimited: Delimited::Close,
        etag: false,
        ..PLAIN
    },
    Resource {
        path: "/varying",
        octets: 2_000,
        policy: "max-age=15",
        lifetime: 15,
        varies: true,
        ..PLAIN
    },
    Resource { path: "/private", octets: 700, policy: "no-store", ..PLAIN },
    Resource {
        path: "/stale",
        octets: 4_000,
        policy: "max-age=1",
        lifetime: 1,
        period_ms: 60_000,
        ..PLAIN
    },
    Resource { path: "/asked", octets: 900, policy: "no-cache", period_ms: 20_000, ..PLAIN },
    Resource { path: "/empty", policy: "max-age=10", lifetime: 10, ..PLAIN },
    Resource {
        path: "/missing",
        status: 404,
        octets: 100,
        policy: "max-age=3",
        lifetime: 3,
        ..PLAIN
    },
    Resource {
        path: "/dripping",
        octets: 60_000,
        policy: "max-age=60",
        lifetime: 60,
        drips: true,
        ..PLAIN
    },
    Resource {
        path: "/undated",
        octets: 1_000,
        policy: "max-age=6",
        lifetime: 6,
        date: false,
        ..PLAIN
    },
    Resource {
        path: "/movie",
        octets: 7_000_000,
        policy: "max-age=60",
        lifetime: 60,
        delimited: Delimited::Chunked,
        ..PLAIN
    },
];

impl Resource {
    pub fn find(path: &str) -> Option<(usize, &'static Self)> {
        CATALOGUE.iter().enumerate().find(|(_, resource)| resource.path == path)
    }

    /// The version that the origin has at a time.
    pub fn version_at(&self, at_ms: u64) -> u64 {
        (at_ms - BEGIN_MS) / self.period_ms + 1
    }

    /// The strong entity tag of a version.
    pub fn tag(&self, variant: &str, version: u64) -> String {
        format!("\"{}-{variant}-{version}\"", &self.path[1..])
    }
}

/// The octets from `first` on of the content with this tag.
pub fn content(tag: &str, first: u64, count: u64) -> Vec<u8> {
    let fold = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    let key = tag.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    let word = |index: u64| {
        let mixed = (key ^ index).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29)).to_le_bytes()
    };
    let skip = (first % 8) as usize;
    let words = (first / 8)..(first + count).div_ceil(8);
    words.flat_map(word).skip(skip).take(count as usize).collect()
}

/// How unkind the origin is. Chances are in thousandths.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Of each response: its content ends early.
    pub truncates: u64,
    /// Of each response: the connection is reset in the middle of the content.
    pub resets: u64,
    /// Of each response: the head is not HTTP.
    pub garbles: u64,
    /// Of each request: the connection ends without a response.
    pub hangs_up: u64,
    /// Of each request: no answer for longer than anybody waits.
    pub sleeps: u64,
    /// Of each response: the connection is closed behind it, unannounced.
    pub closes: u64,
    /// Before each response.
    pub delay_ms_max: u64,
    /// A kept connection is closed after this.
    pub idle_ms: u64,
}

/// The origin, and its journal.
pub struct Origin {
    world: World,
    manners: Cell<Manners>,
    /// Complete requests by path, without those that were answered 304.
    fetches: RefCell<BTreeMap<String, u64>>,
}

struct Request {
    method: String,
    path: String,
    fields: Vec<(String, String)>,
    content: Vec<u8>,
}

impl Request {
    fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }
}

/// A connection with what has been received ahead.
struct Wire {
    stream: SimStream,
    ahead: Vec<u8>,
}

impl Wire {
    async fn more(&mut self, wait: Duration) -> Option<()> {
        let octets = self.stream.split().0.receive(Wait::Idle(wait)).await.ok()?;
        self.ahead.extend_from_slice(&octets);
        (!octets.is_empty()).then_some(())
    }

    async fn line(&mut self, wait: Duration) -> Option<String> {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                let rest = self.ahead.split_off(end + 2);
                let line = core::mem::replace(&mut self.ahead, rest);
                return String::from_utf8(line[..end].to_vec()).ok();
            }
            self.more(wait).await?;
        }
    }

    async fn exactly(&mut self, count: usize, wait: Duration) -> Option<Vec<u8>> {
        while self.ahead.len() < count {
            self.more(wait).await?;
        }
        let rest = self.ahead.split_off(count);
        Some(core::mem::replace(&mut self.ahead, rest))
    }

    async fn request(&mut self, idle: Duration) -> Option<Request> {
        let first = self.line(idle).await?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        assert_eq!(words.next(), Some("HTTP/1.1"), "a cache speaks its own version");
        let mut fields = Vec::new();
        loop {
            let line = self.line(SEND_LIMIT).await?;
            let Some((name, value)) = line.split_once(": ") else { break };
            fields.push((name.to_owned(), value.to_owned()));
        }
        let mut request = Request { method, path, fields, content: Vec::new() };
        if let Some(length) = request.field("content-length") {
            request.content = self.exactly(length.parse().ok()?, SEND_LIMIT).await?;
        } else if request.field("transfer-encoding").is_some() {
            loop {
                let size = self.line(SEND_LIMIT).await?;
                let size = usize::from_str_radix(&size, 16).ok()?;
                request.content.extend(self.exactly(size, SEND_LIMIT).await?);
                self.exactly(2, SEND_LIMIT).await?;
                if size == 0 {
                    break;
                }
            }
        }
        Some(request)
    }

    async fn send(&mut self, octets: Vec<u8>) -> Option<()> {
        self.stream.split().1.send_octets(Bytes::from(octets), SEND_LIMIT).await.ok()
    }
}

/// A response's head as it is being written, and its content.
struct Response {
    head: String,
    tag: String,
    first: u64,
    count: u64,
    delimited: Delimited,
}

impl Origin {
    pub fn start(world: &World, net: &Net, address: SocketAddr, manners: Manners) -> Rc<Self> {
        let manners = Cell::new(manners);
        let origin = Rc::new(Self { world: world.clone(), manners, fetches: RefCell::default() });
        let (serving, spawner) = (Rc::clone(&origin), world.clone());
        net.listen(address, move |stream, _| {
            let origin = Rc::clone(&serving);
            let wire = Wire { stream, ahead: Vec::new() };
            spawner.spawn("origin connection", async move {
                origin.serve(wire).await;
            });
        });
        origin
    }

    pub fn set_manners(&self, manners: Manners) {
        self.manners.set(manners);
    }

    /// Requests for `path` that were answered with content.
    pub fn fetches(&self, path: &str) -> u64 {
        self.fetches.borrow().get(path).copied().unwrap_or_default()
    }

    async fn serve(&self, mut wire: Wire) -> Option<()> {
        loop {
            let manners = self.manners.get();
            let idle = Duration::from_millis(manners.idle_ms);
            let request = wire.request(idle).await?;
            self.world.trace(5, request.path.len() as u64);
            if self.world.chance(manners.hangs_up) {
                return None;
            }
            if self.world.chance(manners.sleeps) {
                self.world.sleep_ms(100_000).await;
            }
            self.world.sleep_ms(self.world.random(manners.delay_ms_max + 1)).await;
            if self.world.chance(manners.garbles) {
                let garbage = ["HTP/1.1 200\r\n\r\n", "HTTP/1.1 200 OK\r\nA B: 1\r\n\r\n", "\0\0"];
                return wire.send((*self.world.pick(&garbage)).into()).await;
            }
            if self.world.chance(100) {
                wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n".into()).await?;
            }
            self.answer(&mut wire, &request, manners).await?;
            if self.world.chance(manners.closes) {
                return None;
            }
        }
    }

    /// `None` when the connection ends with the response.
    async fn answer(&self, wire: &mut Wire, request: &Request, manners: Manners) -> Option<()> {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return self.acknowledge(wire, request).await;
        }
        let Some((_, resource)) = Resource::find(&request.path) else {
            return wire.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into()).await;
        };
        let made_ms = self.world.now_ms();
        let variant = request.field("x-variant").filter(|_| resource.varies).unwrap_or("-");
        let tag = resource.tag(variant, resource.version_at(made_ms));
        let conditions = request.field("if-none-match").filter(|_| resource.etag);
        let known = conditions.is_some_and(|tags| tags.split(", ").any(|other| other == tag));
        if known && resource.status == 200 {
            let head = self.head(304, resource, &tag, made_ms) + "\r\n";
            return wire.send(head.into_bytes()).await;
        }
        let counted = self.fetches(resource.path) + 1;
        self.fetches.borrow_mut().insert(resource.path.to_owned(), counted);
        let response = self.compose(request, resource, tag, made_ms);
        self.transmit(wire, request, resource, response, manners).await
    }

    /// Answers a request with content: by how much came, and its sum.
    async fn acknowledge(&self, wire: &mut Wire, request: &Request) -> Option<()> {
        let sum =
            request.content.iter().fold(0u64, |sum, octet| sum * 31 % 65_521 + u64::from(*octet));
        let text = format!("{} {sum}", request.content.len());
        let length = text.len();
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}").into()).await
    }

    fn head(&self, status: u16, resource: &Resource, tag: &str, made_ms: u64) -> String {
        // A cache must ignore what it does not know in Cache-Control (RFC 9111 §5.2.3), and a 304 renews it.
        let mut head = format!("HTTP/1.1 {status} Whatever\r\nX-Tag: {tag}\r\n");
        head += &format!("Cache-Control: {}, made={made_ms}\r\n", resource.policy);
        if resource.date {
            head += &format!("Date: {}\r\n", http_date(made_ms / 1000));
        }
        if resource.etag {
            head += &format!("ETag: {tag}\r\n");
        }
        if resource.varies {
            head += "Vary: X-Variant\r\n";
        }
        head
    }

    fn compose(
        &self,
        request: &Request,
        resource: &Resource,
        tag: String,
        made_ms: u64,
    ) -> Response {
        let part = request.field("range").and_then(|range| part(range, resource.octets));
        let part = part.filter(|_| {
            let unchanged = request.field("if-range").is_none_or(|other| other == tag);
            resource.status == 200 && resource.etag && unchanged && request.method == "GET"
        });
        let status = if part.is_some() { 206 } else { resource.status };
        let mut head = self.head(status, resource, &tag, made_ms);
        let (first, count) = part.unwrap_or((0, resource.octets));
        if part.is_some() {
            let last = first + count - 1;
            head += &format!("Content-Range: bytes {first}-{last}/{}\r\n", resource.octets);
        }
        head += &match resource.delimited {
            Delimited::Length => format!("Content-Length: {count}\r\n\r\n"),
            Delimited::Chunked => "Transfer-Encoding: chunked\r\n\r\n".to_owned(),
            Delimited::Close => "Connection: close\r\n\r\n".to_owned(),
        };
        Response { head, tag, first, count, delimited: resource.delimited }
    }

    async fn transmit(
        &self,
        wire: &mut Wire,
        request: &Request,
        resource: &Resource,
        response: Response,
        manners: Manners,
    ) -> Option<()> {
        let Response { head, tag, first, count, delimited } = response;
        if self.world.chance(100) {
            // The longer a head is on its way, the older the response is, whatever its Date says.
            self.world.sleep_ms(self.world.random(HEAD_MS_MAX)).await;
        }
        let mut batch = head.into_bytes();
        if request.method == "HEAD" {
            wire.send(batch).await?;
            return (delimited != Delimited::Close).then_some(());
        }
        let resets = count > 0 && self.world.chance(manners.resets);
        // An early end of a content that the end delimits can't be seen by anybody.
        let truncates = count > 0 && delimited != Delimited::Close;
        let truncates = truncates && self.world.chance(manners.truncates);
        let stop = if resets || truncates { self.world.random(count) } else { count };
        let mut sent = 0;
        while sent < stop {
            let drip = 1 + self.world.random(8_000);
            let size = if resource.drips { drip } else { PART_OCTETS }.min(stop - sent);
            let octets = content(&tag, first + sent, size);
            let chunked = delimited == Delimited::Chunked;
            if chunked {
                batch.extend(format!("{size:x}\r\n").into_bytes());
            }
            batch.extend(octets);
            if chunked {
                batch.extend(b"\r\n");
            }
            sent += size;
            wire.send(core::mem::take(&mut batch)).await?;
            if resource.drips {
                self.world.sleep_ms(self.world.random(DRIP_MS_MAX)).await;
            }
        }
        if resets {
            wire.stream.abort_on_drop();
        }
        if resets || truncates {
            wire.send(batch).await?;
            return None;
        }
        if delimited == Delimited::Chunked {
            batch.extend(b"0\r\n\r\n");
        }
        wire.send(batch).await?;
        (delimited != Delimited::Close).then_some(())
    }
}

/// First octet and count of a single satisfiable range.
pub fn part(range: &str, complete: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => (first, (last + 1).min(complete)),
        (Ok(first), Err(_)) => (first, complete),
        (Err(_), Ok(count)) => (complete.saturating_sub(count), complete),
        (Err(_), Err(_)) => return None,
    };
    (first < end).then(|| (first, end - first))
}

/// A date of 2026, which every run stays in.
fn http_date(unix_seconds: u64) -> String {
    let seconds = unix_seconds - BEGIN_MS / 1000;
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    assert!(day < 31, "runs are shorter than a month");
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(day % 7) as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {:02} Jan 2026 {hour:02}:{minute:02}:{second:02} GMT", day + 1)
}
