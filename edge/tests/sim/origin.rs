//! The scripted origin: what it answers, how badly it behaves, and what it remembers. Its HTTP is its own.

use crate::catalogue::{
    Delimited, Requested, Resource, Validator, coding, content, http_date, ranges,
};
use crate::net::{Net, Reachable};
use crate::wire::{Request, Wire};
use crate::world::World;
use core::cell::{Cell, RefCell};
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Content is sent in parts of this size.
const PART_OCTETS: usize = 32 * 1024;
/// Pauses between the parts of a dripping content: long enough for others to join.
const DRIP_MS_MAX: u64 = 400;
/// How long a head may be on its way: by far more than ages may be understated, within the edge's patience.
const HEAD_MS_MAX: u64 = 8_000;
/// A request that is not answered is held for longer than anybody waits.
const SLEEP_MS: u64 = 100_000;
/// Of an error: more than is worth reading for the sake of the connection.
const ERROR_OCTETS: [usize; 3] = [0, 40, 90_000];

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

/// How the origin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    /// It answers with this status.
    Erring(u16),
    /// Nobody listens.
    Refusing,
    /// Nobody answers.
    Silent,
}

/// The origin, and its journal.
pub struct Origin {
    world: World,
    net: Net,
    address: SocketAddr,
    manners: Cell<Manners>,
    health: Cell<Health>,
    /// When it was not well: since when, and until when if that is over.
    spells: RefCell<Vec<(u64, Option<u64>)>>,
    /// Requests by path: those that were answered with content, and all.
    asked: RefCell<BTreeMap<&'static str, (u64, u64)>>,
    cookies: Cell<u64>,
}

/// A response: its head and content, and how that is delimited.
struct Response {
    head: String,
    content: Vec<u8>,
    delimited: Delimited,
    drips: bool,
}

impl Origin {
    pub fn start(world: &World, net: &Net, address: SocketAddr, manners: Manners) -> Rc<Self> {
        let origin = Rc::new(Self {
            world: world.clone(),
            net: net.clone(),
            address,
            manners: Cell::new(manners),
            health: Cell::new(Health::Well),
            spells: RefCell::default(),
            asked: RefCell::default(),
            cookies: Cell::new(0),
        });
        let serving = Rc::clone(&origin);
        net.listen(address, move |stream, _| {
            let origin = Rc::clone(&serving);
            let world = origin.world.clone();
            let wire = Wire { world: world.clone(), stream, ahead: Vec::new() };
            world.spawn("origin connection", async move {
                origin.serve(wire).await;
            });
        });
        origin
    }

    pub fn set_manners(&self, manners: Manners) {
        self.manners.set(manners);
    }

    pub fn set_health(&self, health: Health) {
        self.health.set(health);
        let now = self.world.now_ms();
        if let Some((_, end)) = self.spells.borrow_mut().last_mut() {
            end.get_or_insert(now);
        }
        if health != Health::Well {
            self.spells.borrow_mut().push((now, None));
        }
        self.net.set_reachable(
            self.address,
            match health {
                Health::Well | Health::Erring(_) => Reachable::Yes,
                Health::Refusing => Reachable::Refused,
                Health::Silent => Reachable::Unanswered,
            },
        );
    }

    /// Whether it was not well at any time from `from_ms` to `to_ms`.
    pub fn was_unwell(&self, from_ms: u64, to_ms: u64) -> bool {
        let spells = self.spells.borrow();
        spells.iter().any(|(from, to)| *from <= to_ms && to.is_none_or(|to| to >= from_ms))
    }

    /// Requests for `path` that were answered with content, and all requests for it.
    pub fn asked(&self, path: &str) -> (u64, u64) {
        self.asked.borrow().get(path).copied().unwrap_or_default()
    }

    async fn serve(&self, mut wire: Wire) -> Option<()> {
        loop {
            let manners = self.manners.get();
            let idle = Duration::from_millis(manners.idle_ms);
            let request = wire.request(idle).await?;
            self.world.trace(5, request.target.len() as u64);
            if self.world.chance(manners.hangs_up) || self.health.get() == Health::Refusing {
                return None;
            }
            if self.world.chance(manners.sleeps) || self.health.get() == Health::Silent {
                self.world.sleep_ms(SLEEP_MS).await;
            }
            self.world.sleep_ms(self.world.random(manners.delay_ms_max + 1)).await;
            if self.world.chance(manners.garbles) {
                let garbage = ["HTP/1.1 200\r\n\r\n", "HTTP/1.1 200 OK\r\nA B: 1\r\n\r\n", "\0\0"];
                return wire.send((*self.world.pick(&garbage)).into()).await;
            }
            if self.world.chance(100) {
                wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n".into()).await?;
            }
            let response = match self.health.get() {
                Health::Erring(status) => self.error(status),
                Health::Well | Health::Refusing | Health::Silent => self.answer(&request),
            };
            self.transmit(&mut wire, &request, response, manners).await?;
            if self.world.chance(manners.closes) {
                return None;
            }
        }
    }

    fn answer(&self, request: &Request) -> Response {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return self.acknowledge(request);
        }
        let host = request.field("host").unwrap_or_default();
        let Some(requested) = Requested::new(host, &request.target) else {
            return self.brief("HTTP/1.1 404 Not Found\r\n".into(), Vec::new());
        };
        let resource = requested.resource;
        let made_ms = self.world.now_ms();
        let version = resource.version_at(made_ms);
        let tag = requested.tag(version, |name| request.field(name));
        let mut asked = self.asked.borrow_mut();
        let (with_content, all) = asked.entry(resource.path).or_default();
        *all += 1;
        if resource.status == 200 && is_known(request, resource, &tag, version) {
            let head = self.head(304, request, resource, &tag, made_ms);
            return self.brief(head, Vec::new());
        }
        *with_content += 1;
        self.compose(request, resource, &tag, made_ms)
    }

    /// Answers what is not to be stored: by how much content came, and its sum. X-Answer is a field of the answer.
    fn acknowledge(&self, request: &Request) -> Response {
        let sum =
            request.content.iter().fold(0u64, |sum, octet| sum * 31 % 65_521 + u64::from(*octet));
        let text = format!("{} {sum}", request.content.len());
        let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
        if let Some(field) = request.field("x-answer") {
            head += &format!("{field}\r\n");
        }
        self.brief(head, text.into_bytes())
    }

    fn error(&self, status: u16) -> Response {
        let made_ms = self.world.now_ms();
        let head = format!(
            "HTTP/1.1 {status} Error\r\nX-Tag: error\r\nCache-Control: made={made_ms}\r\nDate: {}\r\n",
            http_date(made_ms / 1000)
        );
        let drips = self.world.chance(500);
        Response { drips, ..self.brief(head, vec![b'e'; *self.world.pick(&ERROR_OCTETS)]) }
    }

    fn brief(&self, head: String, content: Vec<u8>) -> Response {
        let head = match head.starts_with("HTTP/1.1 304") {
            true => head,
            false => format!("{head}Content-Length: {}\r\n", content.len()),
        };
        Response { head, content, delimited: Delimited::Length, drips: false }
    }

    fn head(
        &self,
        status: u16,
        request: &Request,
        resource: &Resource,
        tag: &str,
        made_ms: u64,
    ) -> String {
        let version = resource.version_at(made_ms);
        // A cache must ignore what it does not know in Cache-Control (RFC 9111 §5.2.3), and a 304 renews it.
        let mut head = format!("HTTP/1.1 {status} Whatever\r\nX-Tag: {tag}\r\n");
        let separator = if resource.policy.is_empty() { "" } else { ", " };
        head += &format!("Cache-Control: {}{separator}made={made_ms}\r\n", resource.policy);
        if let Some(targeted) = resource.targeted {
            head += &format!("CDN-Cache-Control: {targeted}\r\n");
        }
        if resource.date {
            head += &format!("Date: {}\r\n", http_date(made_ms / 1000));
        }
        match resource.validator {
            Validator::Strong | Validator::Weak => head += &format!("ETag: {tag}\r\n"),
            Validator::Modified => {
                head += &format!("Last-Modified: {}\r\n", resource.modified(version));
            }
            Validator::None => {}
        }
        if let Some(vary) = resource.vary(version) {
            head += &format!("Vary: {vary}\r\n");
        }
        if resource.vary(version) == Some("Accept-Encoding") {
            match coding(request.field("accept-encoding")) {
                "-" => {}
                coding => head += &format!("Content-Encoding: {coding}\r\n"),
            }
        }
        if let Some(cookie) = resource.cookie {
            self.cookies.set(self.cookies.get() + 1);
            head += &format!("{cookie}: id={}\r\n", self.cookies.get());
        }
        let closes = status != 304 && resource.delimited == Delimited::Close;
        match (closes, self.world.chance(200)) {
            (true, true) => head += "Connection: close, X-Hop\r\nX-Hop: 1\r\n",
            (true, false) => head += "Connection: close\r\n",
            (false, true) => head += "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n",
            (false, false) => {}
        }
        head
    }

    fn compose(&self, request: &Request, resource: &Resource, tag: &str, made_ms: u64) -> Response {
        let octets = resource.octets;
        let wanted = self.wanted(request, resource, tag, made_ms);
        let status = match wanted.as_deref() {
            Some([]) => {
                let head = format!("HTTP/1.1 416 No\r\nContent-Range: bytes */{octets}\r\n");
                return self.brief(head, Vec::new());
            }
            Some(_) => 206,
            None => resource.status,
        };
        let mut head = self.head(status, request, resource, tag, made_ms);
        let content = match wanted.as_deref() {
            None | Some([]) => content(tag, 0, octets),
            Some(&[(first, end)]) => {
                head += &format!("Content-Range: bytes {first}-{}/{octets}\r\n", end - 1);
                content(tag, first, end - first)
            }
            Some(ranges) => {
                head += "Content-Type: multipart/byteranges; boundary=PART\r\n";
                multipart(tag, ranges, octets)
            }
        };
        head += &match resource.delimited {
            Delimited::Length => format!("Content-Length: {}\r\n", content.len()),
            Delimited::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            Delimited::Close => String::new(),
        };
        Response { head, content, delimited: resource.delimited, drips: resource.drips }
    }

    /// The ranges to send, none of them if no such octets are there; `None` for everything.
    fn wanted(
        &self,
        request: &Request,
        resource: &Resource,
        tag: &str,
        made_ms: u64,
    ) -> Option<Vec<(u64, u64)>> {
        let modified = resource.modified(resource.version_at(made_ms));
        let unchanged = match (request.field("if-range"), resource.validator) {
            (None, _) => true,
            (Some(condition), Validator::Strong) => condition == tag,
            (Some(condition), Validator::Modified) => condition == modified,
            (Some(_), Validator::Weak | Validator::None) => false,
        };
        let has_parts = resource.status == 200 && resource.validator != Validator::None;
        if !unchanged || !has_parts || request.method != "GET" {
            return None;
        }
        let asked = request.field("range")?;
        let ranges = ranges(asked, resource.octets);
        // A server may ignore several ranges (RFC 9110 §14.2), and what it can't satisfy where it is not in the mood.
        let ignores = ranges.len() != 1 && self.world.chance(400);
        (!ignores && resource.octets > 0).then_some(ranges)
    }

    async fn transmit(
        &self,
        wire: &mut Wire,
        request: &Request,
        response: Response,
        manners: Manners,
    ) -> Option<()> {
        let Response { head, content, delimited, drips } = response;
        if self.world.chance(100) {
            // The longer a head is on its way, the older the response is, whatever its Date says.
            self.world.sleep_ms(self.world.random(HEAD_MS_MAX)).await;
        }
        let mut batch = format!("{head}\r\n").into_bytes();
        if request.method == "HEAD" || head.starts_with("HTTP/1.1 304") {
            wire.send(batch).await?;
            return (delimited != Delimited::Close).then_some(());
        }
        let count = content.len() as u64;
        let resets = count > 0 && self.world.chance(manners.resets);
        // An early end of a content that the end delimits can't be seen by anybody.
        let truncates = count > 0 && delimited != Delimited::Close;
        let truncates = truncates && self.world.chance(manners.truncates);
        let stop = if resets || truncates { self.world.random(count) } else { count };
        if drips {
            // With nothing behind it, a head looks like all that there is.
            wire.send(core::mem::take(&mut batch)).await?;
            self.world.sleep_ms(self.world.random(DRIP_MS_MAX)).await;
        }
        let mut rest = &content[..stop as usize];
        while !rest.is_empty() {
            let drip = 1 + self.world.random(8_000) as usize;
            let (part, behind) =
                rest.split_at(if drips { drip } else { PART_OCTETS }.min(rest.len()));
            let chunked = delimited == Delimited::Chunked;
            if chunked {
                batch.extend(format!("{:x}\r\n", part.len()).into_bytes());
            }
            batch.extend_from_slice(part);
            if chunked {
                batch.extend(b"\r\n");
            }
            rest = behind;
            wire.send(core::mem::take(&mut batch)).await?;
            if drips {
                self.world.sleep_ms(self.world.random(DRIP_MS_MAX)).await;
            }
        }
        if resets {
            lastmile_edge::io::Stream::abort_on_drop(&mut wire.stream);
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

/// Whether the request's own conditions say that its sender has this version.
fn is_known(request: &Request, resource: &Resource, tag: &str, version: u64) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    match (request.field("if-none-match"), resource.validator) {
        (Some(tags), Validator::Strong | Validator::Weak) => {
            tags.split(", ").any(|other| opaque(other) == opaque(tag))
        }
        (None, Validator::Modified) => {
            request.field("if-modified-since") == Some(&resource.modified(version))
        }
        _ => false,
    }
}

/// RFC 9110 §14.6
fn multipart(tag: &str, ranges: &[(u64, u64)], complete: u64) -> Vec<u8> {
    let mut all = Vec::new();
    for (first, end) in ranges {
        let range = format!("bytes {first}-{}/{complete}", end - 1);
        all.extend(format!("--PART\r\nContent-Range: {range}\r\n\r\n").into_bytes());
        all.extend(content(tag, *first, end - first));
        all.extend(b"\r\n");
    }
    all.extend(b"--PART--\r\n");
    all
}
