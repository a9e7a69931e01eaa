//! One request of a client, and what came back.

/// One request.
#[derive(Clone, Default)]
pub struct Ask {
    pub method: &'static str,
    /// As it is spelled.
    pub host: &'static str,
    /// In origin-form or absolute-form.
    pub target: String,
    pub http10: bool,
    /// Whether it wants the connection to go on.
    pub persists: bool,
    pub fields: Vec<(&'static str, String)>,
    pub content: Option<Vec<u8>>,
    pub chunked: bool,
    /// Sent instead of all that.
    pub raw: Option<Vec<u8>>,
}

impl core::fmt::Debug for Ask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { method, host, target, http10, persists, fields, content, chunked, raw } = self;
        write!(f, "{method} {target} of {host} http10={http10} persists={persists} {fields:?}")?;
        let octets = content.as_ref().map(Vec::len);
        let raw = raw.as_ref().map(|raw| String::from_utf8_lossy(&raw[..raw.len().min(80)]));
        write!(f, " content={octets:?} chunked={chunked} nonsense={raw:?}")
    }
}

impl Ask {
    pub fn new(method: &'static str, target: &str) -> Self {
        let (target, host) = (target.to_owned(), "site.test");
        Self { method, host, target, persists: true, ..Self::default() }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The argument of a directive in Cache-Control; empty when it has none.
    pub fn directive(&self, name: &str) -> Option<&str> {
        let mut members = self.field("Cache-Control")?.split(", ");
        members.find_map(|member| match member.split_once('=') {
            Some((found, argument)) => (found == name).then_some(argument),
            None => (member == name).then_some(""),
        })
    }

    pub fn is_unsafe(&self) -> bool {
        !matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }

    /// The head's octets, and the content's.
    pub fn octets(&self) -> (Vec<u8>, Vec<u8>) {
        if let Some(raw) = &self.raw {
            return (raw.clone(), Vec::new());
        }
        let version = if self.http10 { "1.0" } else { "1.1" };
        let (method, target, host) = (self.method, &self.target, self.host);
        let mut head = format!("{method} {target} HTTP/{version}\r\nHost: {host}\r\n");
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
        }
        head += match (self.http10, self.persists) {
            (false, false) => "Connection: close\r\n",
            (true, true) => "Connection: keep-alive\r\n",
            _ => "",
        };
        let mut octets = Vec::new();
        match &self.content {
            Some(content) if self.chunked => {
                head += "Transfer-Encoding: chunked\r\n";
                for part in content.chunks(1000) {
                    octets.extend(format!("{:x}\r\n", part.len()).into_bytes());
                    octets.extend_from_slice(part);
                    octets.extend(b"\r\n");
                }
                octets.extend(b"0\r\n\r\n");
            }
            Some(content) => {
                head += &format!("Content-Length: {}\r\n", content.len());
                octets.clone_from(content);
            }
            None => {}
        }
        head += "\r\n";
        (head.into_bytes(), octets)
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// Statuses of the interim responses before it.
    pub interim: Vec<u16>,
    pub fields: Vec<(String, String)>,
    pub content: Vec<u8>,
    /// The whole response has come, as far as its framing says.
    pub complete: bool,
    /// True times: before the request was sent, and when the head had come.
    pub asked_ms: u64,
    pub head_ms: u64,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// When the origin has made or confirmed it.
    pub fn made_ms(&self) -> Option<u64> {
        self.field("cache-control")?.rsplit_once("made=")?.1.parse().ok()
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }

    pub fn count(&self, name: &str) -> usize {
        self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count()
    }

    /// What the caches on the path say, the edge last.
    pub fn cache_status(&self) -> Vec<&str> {
        let is = |field: &&(String, String)| field.0.eq_ignore_ascii_case("cache-status");
        self.fields.iter().filter(is).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether a cache on the path says so.
    pub fn any_cache_says(&self, words: &str) -> bool {
        self.cache_status().iter().any(|status| status.contains(words))
    }

    pub fn is_hit(&self) -> bool {
        self.cache_status().last().is_some_and(|status| status.starts_with("edge; hit"))
    }

    pub fn ends_connection(&self, ask: &Ask) -> bool {
        match self.field("connection") {
            Some("close") => true,
            Some("keep-alive") => false,
            _ => ask.http10,
        }
    }

    pub fn brief(&self) -> String {
        let Self { status, interim, fields, content, complete, asked_ms, head_ms } = self;
        let octets = content.len();
        format!(
            "{interim:?} {status}, {octets} octets, complete: {complete}, {asked_ms}..{head_ms}, {fields:?}"
        )
    }
}
