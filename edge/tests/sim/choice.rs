//! What a client asks next: anything that it may, and some that it may not.

use crate::ask::Ask;
use crate::catalogue::{CATALOGUE, Resource, Selecting};
use crate::settings::{Settings, TUNED};
use crate::world::World;
use std::collections::BTreeMap;

/// Validators that a client has got, by path.
pub type Known = BTreeMap<&'static str, (Option<String>, Option<String>)>;

/// The resources of a run: all, or a few that are asked for again and again.
pub fn focus(world: &World) -> Vec<&'static Resource> {
    let all = &CATALOGUE[..CATALOGUE.len() - 1];
    if world.chance(400) {
        return all.iter().collect();
    }
    (0..1 + world.random(3)).map(|_| world.pick(all)).collect()
}

/// What clients of a run ask for.
pub struct Choice<'a> {
    pub world: &'a World,
    pub settings: &'a Settings,
    pub focus: &'a [&'static Resource],
    /// Requests that must not be sent twice may be sent.
    pub unsafe_too: bool,
}

impl Choice<'_> {
    /// What a client asks on one connection.
    pub fn asks(&self, known: &Known) -> Vec<Ask> {
        let count = 1 + self.world.random(6);
        let mut asks: Vec<Ask> = (0..count).map(|_| self.ask(known)).collect();
        // After `Connection: close` a client sends no more (RFC 9112 §9.6).
        let ends = |ask: &Ask| !ask.persists || ask.field("Expect").is_some();
        if let Some(last) = asks.iter().position(ends) {
            asks.truncate(last + 1);
        } else if self.world.chance(100) {
            asks.push(self.nonsense());
        }
        asks
    }

    pub fn ask(&self, known: &Known) -> Ask {
        let world = self.world;
        let resource = *world.pick(self.focus);
        let mut ask = Ask::get(resource.path);
        ask.http10 = world.chance(150);
        ask.persists = world.chance(if ask.http10 { 500 } else { 900 });
        ask.host = match world.random(10) {
            0 => "other.test",
            1..=3 => TUNED,
            4 => "SITE.test:80",
            _ => ask.host,
        };
        self.spell(&mut ask);
        self.select(resource, &mut ask);
        self.turn(resource, &mut ask, known);
        ask
    }

    /// Other spellings of the same URI, and queries.
    fn spell(&self, ask: &mut Ask) {
        let world = self.world;
        let path = ask.target.clone();
        if path == "/find" {
            let query = ["?q=1", "?q=2", "?q=1&r=2", "?utm=7&q=1", "?q=1&utm=8", "?utm=9", ""];
            ask.target += *world.pick(&query);
        }
        let (host, spelled) = (ask.host, ask.target.clone());
        ask.target = match world.random(24) {
            0 => format!("/%{:02X}{}", path.as_bytes()[1], &spelled[2..]),
            1 => format!("/%{:02x}{}", path.as_bytes()[1], &spelled[2..]),
            2 if path != "/find" => format!("{spelled}?"),
            3 => format!("/x/..{spelled}"),
            4 => format!("/.{spelled}"),
            5 => format!("http://{host}{spelled}"),
            _ => spelled,
        };
    }

    /// Fields that select a representation, or seem to.
    fn select(&self, resource: &Resource, ask: &mut Ask) {
        let world = self.world;
        let mut add = |name, values: &[&str]| {
            let value = (*world.pick(values)).to_owned();
            ask.fields.push((name, value));
        };
        match resource.selecting {
            Selecting::Variant | Selecting::Changing => add("X-Variant", &["a", "b"]),
            Selecting::Coding if world.chance(900) => add("Accept-Encoding", &CODINGS),
            Selecting::User if world.chance(500) => add("Authorization", &["ann", "bob"]),
            _ => {}
        }
        if world.chance(50) {
            add("X-Forwarded-Host", &["evil.test"]);
        }
        if world.chance(100) {
            add("Cookie", &["id=1"]);
        }
        if world.chance(50) {
            ask.fields.push(("X-Hop", "1".into()));
            ask.fields.push(("Connection", "X-Hop".into()));
            // One Connection is enough for a client that is not on its way out.
            (ask.persists, ask.http10) = (true, false);
        } else if ask.host == TUNED && self.settings.groups {
            add("X-Group", &["1", "2"]);
        }
    }

    /// What makes a request special, if anything does.
    fn turn(&self, resource: &Resource, ask: &mut Ask, known: &Known) {
        let world = self.world;
        let mut add = |name, value: String| ask.fields.push((name, value));
        let (tag, modified) = known.get(resource.path).cloned().unwrap_or_default();
        match world.random(24) {
            0 => ask.method = "HEAD",
            1 | 2 if self.unsafe_too => self.change(ask),
            3..=7 => add("Cache-Control", self.directives()),
            8 if world.chance(300) => add("Pragma", "no-cache".into()),
            9..=13 => {
                add("Range", self.range(resource));
                if let Some(condition) = tag.or(modified).filter(|_| world.chance(300)) {
                    add("If-Range", condition);
                }
            }
            14..=17 => match (tag, modified) {
                (Some(tag), _) => add("If-None-Match", tag),
                (None, Some(modified)) => add("If-Modified-Since", modified),
                (None, None) => {}
            },
            18 if world.chance(300) => {
                ask.method = "OPTIONS";
                let left = *world.pick(&["0", "1", "2", "x"]);
                ask.fields.push(("Max-Forwards", left.into()));
            }
            18 if world.chance(100) => add("Via", "1.1 edge".into()),
            18 if world.chance(100) && !ask.http10 => add("Expect", "the-unexpected".into()),
            _ => {}
        }
    }

    /// Something that may change what the URI means, and perhaps others.
    fn change(&self, ask: &mut Ask) {
        let world = self.world;
        ask.method = *world.pick(&["POST", "POST", "PUT", "PATCH", "DELETE", "CHANGE"]);
        if ask.method != "DELETE" {
            let octets = world.random(30_000);
            ask.content = Some((0..octets).map(|octet| (octet * 7) as u8).collect());
            ask.chunked = !ask.http10 && world.chance(500);
            if !ask.http10 && world.chance(300) {
                ask.fields.push(("Expect", "100-continue".into()));
            }
        }
        let other = world.pick(self.focus).path;
        match world.random(5) {
            0 => ask.fields.push(("X-Answer", format!("Location: {other}"))),
            1 => ask.fields.push(("X-Answer", format!("Content-Location: {other}"))),
            2 => ask.fields.push(("X-Answer", format!("Location: http://foreign.test{other}"))),
            _ => {}
        }
    }

    fn directives(&self) -> String {
        let world = self.world;
        match world.random(11) {
            0 => "no-cache".into(),
            1 => "only-if-cached".into(),
            2 => format!("max-age={}", world.random(12)),
            3 => format!("min-fresh={}", world.random(12)),
            4 => "max-stale".into(),
            5 => format!("max-stale={}", world.random(20)),
            6 => format!("stale-if-error={}", world.random(40)),
            7 => format!("max-age={}, max-stale={}", world.random(12), world.random(20)),
            8 => "max-stale, only-if-cached".into(),
            9 => "no-store".into(),
            _ => format!("max-age={}, stale-if-error={}", world.random(12), world.random(40)),
        }
    }

    fn range(&self, resource: &Resource) -> String {
        let world = self.world;
        let count = if world.chance(600) { 1 } else { 2 + world.random(3) };
        let spec = |_| {
            let first = world.random(resource.octets + 10);
            match world.random(5) {
                0 => format!("{first}-{first}"),
                1 => format!("{first}-"),
                2 => format!("-{}", 1 + world.random(5_000)),
                _ => format!("{first}-{}", first + world.random(resource.octets / 3 + 10)),
            }
        };
        format!("bytes={}", (0..count).map(spec).collect::<Vec<_>>().join(", "))
    }

    /// A request that is refused.
    pub fn nonsense(&self) -> Ask {
        let mut text = *self.world.pick(&NONSENSE);
        while !self.unsafe_too && text.starts_with("POST") {
            text = *self.world.pick(&NONSENSE);
        }
        let text = text.replace("LONG", &"x".repeat(LONG_OCTETS));
        let raw = text.replace("MANY", &"a: b\r\n".repeat(MANY_FIELDS)).into_bytes();
        Ask { raw: Some(raw), method: "GET", ..Ask::default() }
    }
}

const CODINGS: [&str; 7] =
    ["gzip, br", "br, gzip", "br;q=1.0,gzip", "GZIP", "gzip;q=0.5", "br;q=0, gzip", "identity"];

/// More than any element of a head may have.
const LONG_OCTETS: usize = 40_000;
const MANY_FIELDS: usize = 200;

/// Requests that are refused, the last for never ending.
const NONSENSE: [&str; 36] = [
    "GET\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/9.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\r\nB\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nB : c\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nB: \x01\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nB: c\rd\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n d\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nMANY\r\n\r\n",
    "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /LONG HTTP/1.1\r\nHost: a\r\n\r\n",
    "LONG / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nB: LONG\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n1",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n1",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;\x01\r\na\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;LONG\r\na\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\na\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nb: LONG\r\n\r\n",
    "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1",
    "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /small HTTP/1.1\r\nHost: site.te",
];
