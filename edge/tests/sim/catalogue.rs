//! What the site has: a function of path, variant, version and offset, so that any octet can be checked anywhere.
//! Both the origin and the oracle read it, and neither has any of the edge's code.

use crate::world::BEGIN_MS;

/// How the origin delimits content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delimited {
    Length,
    Chunked,
    Close,
}

/// What a representation depends on, beside its URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selecting {
    Nothing,
    /// X-Variant, which Vary names.
    Variant,
    /// The best coding of Accept-Encoding, which Vary names.
    Coding,
    /// X-Variant in every second version, which only then has a Vary.
    Changing,
    /// Authorization, without a word about it.
    User,
    /// `Vary: *`
    Anything,
    /// X-Forwarded-For, which is another for each cache on the way.
    Address,
}

/// What the origin gives to ask again with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Validator {
    Strong,
    Weak,
    Modified,
    None,
}

/// What the origin says and does for one path.
#[derive(Debug)]
pub struct Resource {
    pub path: &'static str,
    pub status: u16,
    pub octets: u64,
    /// Cache-Control.
    pub policy: &'static str,
    /// CDN-Cache-Control.
    pub targeted: Option<&'static str>,
    /// Seconds for which a shared cache may use it without asking.
    pub lifetime: u64,
    /// Seconds after that for which it may do so while it asks, and if there is an error.
    pub while_revalidate: u64,
    pub if_error: u64,
    /// Never to be used when stale.
    pub strict: bool,
    /// Each use needs the origin: no-cache, or it must not be stored at all.
    pub news: bool,
    pub delimited: Delimited,
    pub validator: Validator,
    pub date: bool,
    pub selecting: Selecting,
    /// Sent in small parts with pauses.
    pub drips: bool,
    /// A field that is for one client only.
    pub cookie: Option<&'static str>,
    /// A new version appears this often, in milliseconds: whole seconds.
    pub period_ms: u64,
}

const PLAIN: Resource = Resource {
    path: "",
    status: 200,
    octets: 0,
    policy: "",
    targeted: None,
    lifetime: 0,
    while_revalidate: 0,
    if_error: 0,
    strict: false,
    news: false,
    delimited: Delimited::Length,
    validator: Validator::Strong,
    date: true,
    selecting: Selecting::Nothing,
    drips: false,
    cookie: None,
    period_ms: 7_000,
};

const fn plain(path: &'static str, octets: u64, policy: &'static str, lifetime: u64) -> Resource {
    Resource { path, octets, policy, lifetime, ..PLAIN }
}

/// A tenth of the time since Last-Modified (RFC 9111 §4.2.2), which is less than the period of a version.
const GUESSED_LIFETIME: u64 = 6;
const STALE: &str = "max-age=2, stale-while-revalidate=20, stale-if-error=60";

/// The whole site. The last one is larger than the store.
pub const CATALOGUE: &[Resource] = &[
    plain("/small", 300, "max-age=5", 5),
    Resource {
        delimited: Delimited::Chunked,
        strict: true,
        ..plain("/page", 5_000, "public, s-maxage=30, max-age=1", 30)
    },
    Resource { strict: true, ..plain("/shared", 900, "max-age=60, s-maxage=4", 4) },
    plain("/picture", 120_000, "max-age=20", 20),
    plain("/picture-2", 120_000, "max-age=40", 40),
    plain("/picture-3", 120_000, "max-age=60", 60),
    plain("/picture-4", 120_000, "max-age=60", 60),
    Resource {
        delimited: Delimited::Close,
        validator: Validator::None,
        ..plain("/closing", 20_000, "max-age=8", 8)
    },
    Resource { selecting: Selecting::Variant, ..plain("/varying", 2_000, "max-age=15", 15) },
    Resource { selecting: Selecting::Coding, ..plain("/coded", 2_500, "max-age=6", 6) },
    Resource { selecting: Selecting::Changing, ..plain("/changing", 1_200, "max-age=5", 5) },
    Resource { selecting: Selecting::User, ..plain("/account", 1_100, "max-age=60", 60) },
    Resource {
        selecting: Selecting::Anything,
        news: true,
        ..plain("/anything", 400, "max-age=60", 60)
    },
    Resource {
        selecting: Selecting::Address,
        news: true,
        ..plain("/addressed", 400, "max-age=60", 60)
    },
    Resource {
        validator: Validator::Modified,
        period_ms: 60_000,
        ..plain("/guess", 800, "", GUESSED_LIFETIME)
    },
    Resource {
        validator: Validator::Modified,
        period_ms: 60_000,
        cookie: Some("Set-Cookie"),
        ..plain("/guess-2", 800, "", GUESSED_LIFETIME)
    },
    Resource { validator: Validator::None, news: true, ..plain("/bare", 300, "", 0) },
    Resource { status: 429, news: true, ..plain("/busy", 200, "max-age=60", 60) },
    Resource { status: 403, news: true, ..plain("/forbidden", 200, "", 0) },
    Resource { news: true, ..plain("/unstored", 700, "no-store", 0) },
    Resource { news: true, ..plain("/mine", 600, "private, max-age=60", 0) },
    Resource { period_ms: 60_000, ..plain("/old", 4_000, "max-age=1", 1) },
    Resource { news: true, period_ms: 20_000, ..plain("/asked", 900, "no-cache", 0) },
    Resource { while_revalidate: 20, if_error: 60, ..plain("/reviving", 1_500, STALE, 2) },
    Resource { if_error: 600, ..plain("/lasting", 1_400, "max-age=2, stale-if-error=600", 2) },
    Resource {
        strict: true,
        ..plain(
            "/must",
            1_300,
            "max-age=2, must-revalidate, stale-while-revalidate=20, stale-if-error=600",
            2,
        )
    },
    Resource { targeted: Some("max-age=3"), ..plain("/targeted", 800, "max-age=60", 3) },
    Resource { targeted: Some("max-age=20"), ..plain("/targeted-2", 800, "no-store", 20) },
    Resource { targeted: Some("max-age=60, \"x"), ..plain("/targeted-3", 800, "max-age=3", 3) },
    Resource { validator: Validator::Weak, ..plain("/weak", 6_000, "max-age=3", 3) },
    Resource { validator: Validator::Modified, ..plain("/dated", 6_000, "max-age=3", 3) },
    Resource { period_ms: 15_000, ..plain("/parts", 50_000, "max-age=30", 30) },
    Resource { cookie: Some("Set-Cookie"), ..plain("/cookie", 500, "max-age=20", 20) },
    Resource {
        cookie: Some("X-Secret"),
        ..plain("/named", 500, "max-age=20, private=\"X-Secret\"", 20)
    },
    plain("/find", 450, "max-age=20", 20),
    plain("/empty", 0, "max-age=10", 10),
    Resource { status: 404, ..plain("/missing", 100, "max-age=3", 3) },
    Resource { drips: true, ..plain("/dripping", 60_000, "max-age=60", 60) },
    Resource { date: false, ..plain("/undated", 1_000, "max-age=6", 6) },
    Resource { delimited: Delimited::Chunked, ..plain("/movie", 7_000_000, "max-age=60", 60) },
];

/// What somebody asks for, as the origin sees it.
#[derive(Clone, Debug)]
pub struct Requested {
    pub host: String,
    pub resource: &'static Resource,
    /// Parameters in order; empty when there is none.
    pub query: String,
    /// The path had dot segments, of which this origin makes something else.
    pub dotted: bool,
}

impl Requested {
    /// `target` in origin-form or absolute-form.
    pub fn new(host: &str, target: &str) -> Option<Self> {
        let (host, target) = match target.strip_prefix("http://") {
            Some(rest) => rest.split_at(rest.find('/')?),
            None => (host, target),
        };
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(":80").unwrap_or(&host).to_owned();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = decoded(path)?;
        let mut segments = Vec::new();
        for segment in path.split('/').skip(1) {
            match segment {
                "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment),
            }
        }
        let plain = format!("/{}", segments.join("/"));
        let resource = CATALOGUE.iter().find(|resource| resource.path == plain)?;
        let mut parameters: Vec<_> = query.split('&').filter(|one| !one.is_empty()).collect();
        parameters.sort_unstable();
        Some(Self { host, resource, query: parameters.join("&"), dotted: plain != path })
    }

    /// The variant that these request fields select in a version.
    pub fn variant<'a>(&self, version: u64, field: impl Fn(&str) -> Option<&'a str>) -> String {
        let selected = match self.resource.selecting {
            Selecting::Nothing | Selecting::Anything | Selecting::Address => "-",
            Selecting::Changing if version.is_multiple_of(2) => "-",
            Selecting::Variant | Selecting::Changing => field("x-variant").unwrap_or("-"),
            Selecting::Coding => coding(field("accept-encoding")),
            Selecting::User => field("authorization").unwrap_or("-"),
        };
        let group = field("x-group").unwrap_or_default();
        let poison = field("x-forwarded-host").map_or("", |_| "!");
        let dots = if self.dotted { "~" } else { "" };
        format!("{}.{}.{selected}.{group}{poison}{dots}", &self.host[..1], self.query)
    }

    /// A strong or weak entity tag's text, which the content is made from.
    pub fn tag<'a>(&self, version: u64, field: impl Fn(&str) -> Option<&'a str>) -> String {
        let weak = if self.resource.validator == Validator::Weak { "W/" } else { "" };
        let name = &self.resource.path[1..];
        format!("{weak}\"{name}-{}-{version}\"", self.variant(version, field))
    }
}

impl Resource {
    /// The version that the origin has at a time.
    pub fn version_at(&self, at_ms: u64) -> u64 {
        (at_ms - BEGIN_MS) / self.period_ms + 1
    }

    /// When a version appeared.
    pub fn modified(&self, version: u64) -> String {
        http_date((BEGIN_MS + (version - 1) * self.period_ms) / 1000)
    }

    pub fn vary(&self, version: u64) -> Option<&'static str> {
        match self.selecting {
            Selecting::Variant => Some("X-Variant"),
            Selecting::Changing => (version % 2 == 1).then_some("X-Variant"),
            Selecting::Coding => Some("Accept-Encoding"),
            Selecting::Anything => Some("*"),
            Selecting::Address => Some("X-Forwarded-For"),
            Selecting::Nothing | Selecting::User => None,
        }
    }
}

fn decoded(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        text.push(char::from(u8::from_str_radix(part.get(..2)?, 16).ok()?));
        text.push_str(&part[2..]);
    }
    Some(text)
}

/// The coding that the origin prefers of those that are accepted.
pub fn coding(accepted: Option<&str>) -> &'static str {
    let accepted = accepted.unwrap_or_default().to_ascii_lowercase();
    let has = |name: &str| {
        let mut members = accepted.split(',').map(|member| member.split(';').map(str::trim));
        members.any(|mut words| words.next() == Some(name) && words.next() != Some("q=0"))
    };
    ["br", "gzip"].into_iter().find(|name| has(name)).unwrap_or("-")
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

/// First offset and offset behind the last of each range that can be satisfied.
pub fn ranges(range: &str, complete: u64) -> Vec<(u64, u64)> {
    let specs = range.strip_prefix("bytes=").unwrap_or_default().split(',');
    let range = |spec: &str| {
        let (first, last) = spec.trim().split_once('-')?;
        let (first, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) => (first, (last + 1).min(complete)),
            (Ok(first), Err(_)) => (first, complete),
            (Err(_), Ok(count)) => (complete.saturating_sub(count), complete),
            (Err(_), Err(_)) => return None,
        };
        (first < end).then_some((first, end))
    };
    specs.filter_map(range).collect()
}

/// A date of 2026, which every run stays in.
pub fn http_date(unix_seconds: u64) -> String {
    let seconds = unix_seconds - BEGIN_MS / 1000;
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    assert!(day < 31, "runs are shorter than a month");
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(day % 7) as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {:02} Jan 2026 {hour:02}:{minute:02}:{second:02} GMT", day + 1)
}
