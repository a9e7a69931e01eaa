//! What is measured.

use super::Wrong;
use super::fields::{Field, Fields};
use super::place::{HostSettings, host, run};
use std::fmt;
use std::time::Duration;

/// Clients of a crowd. Each has a connection, so a descriptor; more would need more than the usual 28,000 ports of a
/// host, soon.
pub const CLIENTS_MAX: u32 = 5_000;

/// Fetches before a measurement.
const WARM_MAX: u32 = 10_000;

/// Pauses, and the time of a stream.
const TIME_MAX: Duration = Duration::from_secs(600);

/// How long a crowd is waited for unless `wait` says otherwise.
const CROWD_WAIT: Duration = Duration::from_secs(60);

/// Fields of a request.
const FIELDS_MAX: usize = 32;

/// Pairs of hosts that are shown.
const SHOWN_MAX: usize = 8;

/// What is measured, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The host that measures.
    pub from: String,
    /// What.
    pub kind: Kind,
    /// Fetches before it begins, that do not count.
    pub warm: u32,
    /// What these fetch.
    pub warm_url: Option<Url>,
    /// Between measurements; `None`: as long as what is under way may take.
    pub pause: Option<Duration>,
    /// From whom to whom content goes over a link of theirs, for the plots.
    pub show: Vec<[String; 2]>,
    /// Fields of requests.
    pub fields: Vec<(String, String)>,
}

/// Ways to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One GET.
    Fetch {
        /// Of what.
        url: Url,
        /// On which connection.
        connection: Connection,
    },
    /// Connections within a time, with a GET on each.
    Crowd {
        /// Of what.
        url: Url,
        /// How many, up to [`CLIENTS_MAX`].
        clients: u32,
        /// Within how long they come.
        within: Duration,
        /// How long after the last one has come the others are waited for.
        wait: Duration,
    },
    /// One GET, for a time.
    Stream {
        /// Of something that does not end before.
        url: Url,
        /// How long.
        time: Duration,
    },
    /// A connection, and nothing on it.
    Connect {
        /// Whereto.
        url: Url,
    },
    /// A program.
    Program {
        /// Its words.
        run: String,
    },
}

/// Which connection a GET goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// One of its own.
    New,
    /// The same for all measurements, which has been used before.
    Kept,
    /// One of its own, on which another GET has ended so long before.
    Idle(Duration),
}

/// Where something is: `http://HOST[:PORT]/TARGET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// A host of the scene.
    pub host: String,
    /// Of TCP.
    pub port: u16,
    /// What is asked for, which begins with `/`.
    pub target: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            80 => write!(f, "http://{}{}", self.host, self.target),
            port => write!(f, "http://{}:{port}{}", self.host, self.target),
        }
    }
}

impl Measure {
    /// What the fetches that warm ask for.
    #[must_use]
    pub fn warming(&self) -> Option<&Url> {
        self.warm_url.as_ref().or(self.kind.url())
    }
}

impl Kind {
    /// What is asked for; a program knows itself.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::Fetch { url, .. }
            | Self::Crowd { url, .. }
            | Self::Stream { url, .. }
            | Self::Connect { url } => Some(url),
            Self::Program { .. } => None,
        }
    }
}

/// Reads `[measure]`.
pub(super) fn measure(field: &Field<'_>, hosts: &[HostSettings]) -> Result<Measure, Wrong> {
    let fields = field.fields()?;
    let from = host(&fields.need("from", "\"client\"")?, hosts)?;
    let kind = kind(&fields, hosts)?;
    let warm_field = fields.get("warm");
    let warm = warm_field.as_ref().map_or(Ok(0), |warm| warm.count(0..=WARM_MAX))?;
    let warm_url = fields.get("warm_url").map(|field| url(&field, hosts)).transpose()?;
    let pause = fields.get("pause").map(|pause| pause.duration(TIME_MAX)).transpose()?;
    let show = fields.get("show").map(|show| shown(&show, hosts)).transpose()?.unwrap_or_default();
    let headers = fields.get("headers").map(|field| request_fields(&field)).transpose()?;
    fields.end()?;
    let fields = headers.unwrap_or_default();
    let measure = Measure { from, kind, warm, warm_url, pause, show, fields };
    if measure.warm > 0 && measure.warming().is_none() {
        let what = "measure.warm: measure.warm_url says what is fetched, and is missing";
        let line = warm_field.map_or(field.node.line, |warm| warm.node.line);
        return Err(Wrong { line, what: what.to_owned() });
    }
    Ok(measure)
}

fn kind(fields: &Fields<'_>, hosts: &[HostSettings]) -> Result<Kind, Wrong> {
    let field = fields.need("kind", "\"fetch\"")?;
    let kinds = ["fetch", "crowd", "stream", "connect", "program"];
    let time = |name, example| -> Result<Duration, Wrong> {
        let field = fields.need(name, example)?;
        match field.duration(TIME_MAX)? {
            Duration::ZERO => Err(field.wrong("more than nothing")),
            time => Ok(time),
        }
    };
    let kind = field.one_of(kinds.into_iter(), "a kind")?;
    if kind == "program" {
        let run = run(&fields.need("run", "\"iperf3 -c {origin}\"")?, hosts)?;
        return Ok(Kind::Program { run });
    }
    let url = url(&fields.need("url", "\"http://origin:8000/bytes/30720\"")?, hosts)?;
    Ok(match kind {
        "crowd" => {
            let clients = fields.need("clients", "2000")?.count(1..=CLIENTS_MAX)?;
            let within = time("within", "\"1s\"")?;
            let wait = fields.get("wait").map(|wait| wait.duration(TIME_MAX)).transpose()?;
            Kind::Crowd { url, clients, within, wait: wait.unwrap_or(CROWD_WAIT) }
        }
        "stream" => Kind::Stream { url, time: time("for", "\"4s\"")? },
        "connect" => Kind::Connect { url },
        _ => Kind::Fetch { url, connection: connection(fields)? },
    })
}

fn connection(fields: &Fields<'_>) -> Result<Connection, Wrong> {
    let field = fields.get("connection");
    let is_kept = match &field {
        Some(field) => field.one_of(["new", "kept"].into_iter(), "one of")? == "kept",
        None => false,
    };
    match fields.get("idle") {
        Some(idle) if !is_kept => Err(idle.wrong("with connection = \"kept\" only")),
        Some(idle) => Ok(Connection::Idle(idle.duration(TIME_MAX)?)),
        None if is_kept => Ok(Connection::Kept),
        None => Ok(Connection::New),
    }
}

fn url(field: &Field<'_>, hosts: &[HostSettings]) -> Result<Url, Wrong> {
    let allowed = || {
        let names: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
        field.wrong(&format!(
            "http://HOST:PORT/TARGET without blanks, where HOST is one of {}",
            names.join(", ")
        ))
    };
    let rest = field.text()?.strip_prefix("http://").ok_or_else(allowed)?;
    let (authority, target) = rest.split_at(rest.find('/').ok_or_else(allowed)?);
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| allowed())?),
        None => (authority, 80),
    };
    let is_known = hosts.iter().any(|known| known.name == host);
    let is_visible = target.bytes().all(|octet| octet.is_ascii_graphic());
    match is_known && is_visible && port > 0 {
        true => Ok(Url { host: host.to_owned(), port, target: target.to_owned() }),
        false => Err(allowed()),
    }
}

fn shown(field: &Field<'_>, hosts: &[HostSettings]) -> Result<Vec<[String; 2]>, Wrong> {
    let pair = |field: &Field<'_>| {
        let words: Vec<_> = field.text()?.split(' ').filter(|word| !word.is_empty()).collect();
        let is_known = |name: &str| hosts.iter().any(|host| host.name == name);
        match words.as_slice() {
            [from, to] if from != to && is_known(from) && is_known(to) => {
                Ok([(*from).to_owned(), (*to).to_owned()])
            }
            _ => Err(field.wrong("the names of two hosts, such as \"origin client\"")),
        }
    };
    field.list(SHOWN_MAX)?.iter().map(pair).collect()
}

fn request_fields(field: &Field<'_>) -> Result<Vec<(String, String)>, Wrong> {
    let named = field.named()?;
    if named.len() > FIELDS_MAX {
        return Err(field.wrong(&format!("at most {FIELDS_MAX} fields")));
    }
    let one = |(name, field): (&str, Field<'_>)| {
        let is_token = name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
        let value = field.line()?;
        match is_token && !name.is_empty() && value.bytes().all(|c| (b' '..0x7f).contains(&c)) {
            true => Ok((name.to_owned(), value.to_owned())),
            false => Err(field.wrong("a field's name and a value of visible characters")),
        }
    };
    named.into_iter().map(one).collect()
}
