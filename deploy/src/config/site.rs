//! A `[[site]]` of `lastmile.toml`: its keys, what each may be, and the site that they make.

use super::{Wrong, in_order, line_of, shown};
use crate::quantity::Period;
use lastmile_edge::http::cache::key::{KeyRules, QueryRule};
use lastmile_edge::http::cache::storable::SetCookie;
use lastmile_edge::http::fields::is_token;
use lastmile_edge::http::time::DeltaSeconds;
use lastmile_edge::site::Site;
use std::collections::HashMap;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Names in one list of a key: each request is searched for each of them. Larger: slower requests. Smaller: a site
/// whose pages have many parameters would have to be told otherwise.
const NAMES_MAX: usize = 64;

/// The longest that a key means by a time: RFC 9111 §1.2.2 clamps there.
const SECONDS_MAX: u64 = 1 << 31;

/// Request fields that are in the key anyhow, that this cache answers itself, or that end at it.
const UNREACHING: [&str; 11] = [
    "host",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// One key: its name, what may be written for it, what it does, and how it is set.
struct Key {
    name: &'static str,
    example: &'static str,
    meaning: &'static str,
    set: fn(&mut Site, &Value<'_, '_>) -> Result<(), Wrong>,
}

/// All keys, in the order of the help.
const KEYS: &[Key] = &[
    Key {
        name: "hosts",
        example: "[\"www.customer.test\"]",
        meaning: "the hosts of this site; without it, the site of all other hosts",
        set: |site, value| value.each(NAMES_MAX, host).map(|hosts| site.hosts = hosts),
    },
    Key {
        name: "client-directives",
        example: "true|false",
        meaning: "whether Cache-Control and Pragma of requests count [default: true]",
        set: |site, value| value.flag().map(|count| site.ignore_client_directives = !count),
    },
    Key {
        name: "set-cookie",
        example: "\"store\"|\"withhold\"|\"refuse\"",
        meaning: "store responses with Set-Cookie as they are, without it, or not [default: store]",
        set: |site, value| {
            let ways = &[
                ("store", SetCookie::Store),
                ("withhold", SetCookie::Withhold),
                ("refuse", SetCookie::Refuse),
            ];
            value.one_of(ways).map(|way| site.set_cookie = way)
        },
    },
    Key {
        name: "stale-while-revalidate",
        example: "\"30s\"",
        meaning: "serve stale for so long while asking, unless the response says [default: 0s]",
        set: |site, value| value.seconds().map(|s| site.defaults.stale_while_revalidate = s),
    },
    Key {
        name: "stale-if-error",
        example: "\"1h\"",
        meaning: "serve stale for so long when the upstream fails, unless it says [default: 0s]",
        set: |site, value| value.seconds().map(|s| site.defaults.stale_if_error = s),
    },
    Key {
        name: "errors",
        example: "\"5s\"",
        meaning: "keep 404, 410, 414, 451 and 5xx that say nothing of it for so long [default: 0s]",
        set: |site, value| value.seconds().map(|s| site.defaults.error_lifetime = s),
    },
    Key {
        name: "upgrade",
        example: "true|false",
        meaning: "whether requests may switch to another protocol (WebSocket) [default: false]",
        set: |site, value| value.flag().map(|allowed| site.upgrade = allowed),
    },
    Key {
        name: "show-key",
        example: "true|false",
        meaning: "whether Cache-Status shows the cache key [default: false]",
        set: |site, value| value.flag().map(|shown| site.show_key = shown),
    },
    Key {
        name: "key-host",
        example: "\"www.customer.test\"",
        meaning: "the host in the key and towards the upstream, for a site of several names",
        set: |site, value| value.text(authority).map(|host| site.key.host = Some(host)),
    },
    Key {
        name: "key-query",
        example: "\"all\"|\"none\"",
        meaning: "whether the query is in the key and sent to the upstream [default: all]",
        set: |site, value| {
            let rules = &[("all", QueryRule::All), ("none", QueryRule::Drop)];
            value.one_of(rules).map(|rule| site.key.query = rule)
        },
    },
    Key {
        name: "key-query-only",
        example: "[\"id\", \"page\"]",
        meaning: "these parameters only; a name may end in * for all that begin so",
        set: |site, value| {
            let names = value.each(NAMES_MAX, parameter);
            names.map(|names| site.key.query = QueryRule::Only(names))
        },
    },
    Key {
        name: "key-query-except",
        example: "[\"utm_*\"]",
        meaning: "all parameters but these",
        set: |site, value| {
            let names = value.each(NAMES_MAX, parameter);
            names.map(|names| site.key.query = QueryRule::Except(names))
        },
    },
    Key {
        name: "key-query-sorted",
        example: "true|false",
        meaning: "whether the order of parameters does not matter [default: false]",
        set: |site, value| value.flag().map(|sorted| site.key.sort_query = sorted),
    },
    Key {
        name: "key-fields",
        example: "[\"accept-language\"]",
        meaning: "request fields that tell responses apart, as if Vary named them",
        set: |site, value| value.each(NAMES_MAX, field).map(|names| site.key.fields = names),
    },
    Key {
        name: "key-cookies",
        example: "[\"currency\"]",
        meaning: "cookies that do so",
        set: |site, value| value.each(NAMES_MAX, cookie).map(|names| site.key.cookies = names),
    },
];

/// Keys that say the same thing in different ways.
const QUERY_KEYS: [&str; 3] = ["key-query", "key-query-only", "key-query-except"];

/// The keys and what they mean, for `--help`.
#[must_use]
pub fn help() -> String {
    let mut text = String::from(
        "Sites, in the file of --config: a table [[site]] for each, with these keys:\n",
    );
    for key in KEYS {
        text.push_str(&format!("  {} = {}\n      {}\n", key.name, key.example, key.meaning));
    }
    text
}

/// The names of the keys, in the order of the help.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// The sites that `value` is, an array of tables in the file `text`.
pub(super) fn sites(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<Site>, Wrong> {
    let value = Value { text, key: "site", value };
    let tables = value.array().ok().filter(|tables| !tables.is_empty());
    let tables = tables.ok_or_else(|| value.wrong("tables that are each headed [[site]]"))?;
    let mut owners = Owners::default();
    let mut sites = Vec::with_capacity(tables.len());
    for table in tables {
        let value = Value { text, key: "site", value: table };
        let contents = table.get_ref().as_table();
        let contents = contents.ok_or_else(|| value.wrong("tables headed [[site]]"))?;
        let site = site(text, contents)?;
        owners.admit(&site, contents, &value)?;
        sites.push(site);
    }
    Ok(sites)
}

fn site(text: &str, contents: &DeTable<'_>) -> Result<Site, Wrong> {
    let mut site = Site { key: KeyRules::default(), ..Site::default() };
    let mut query_key = None;
    for (name, value) in in_order(contents) {
        let line = line_of(text, name.span().start);
        let name = name.get_ref().as_ref();
        let key = KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
            let allowed: Vec<_> = key_names().collect();
            (line, format!("site.{name}: unknown key; allowed: {}", allowed.join(", ")))
        })?;
        if QUERY_KEYS.contains(&name)
            && let Some(other) = query_key.replace(name)
        {
            let what = format!("site.{name}: {other} is there too; allowed: one of the two");
            return Err((line, what));
        }
        (key.set)(&mut site, &Value { text, key: key.name, value })?;
    }
    Ok(site)
}

/// Which site has a host, so that none has two.
#[derive(Default)]
struct Owners {
    lines: HashMap<String, usize>,
    default_line: Option<usize>,
}

impl Owners {
    fn admit(
        &mut self,
        site: &Site,
        contents: &DeTable<'_>,
        table: &Value<'_, '_>,
    ) -> Result<(), Wrong> {
        let Some(hosts) = contents.get("hosts") else {
            let line = table.line();
            return match self.default_line.replace(line) {
                None => Ok(()),
                Some(first) => Err((
                    line,
                    format!(
                        "site.hosts: missing; allowed: one site without it, which is in line {first}"
                    ),
                )),
            };
        };
        let line = line_of(table.text, hosts.span().start);
        for host in &site.hosts {
            if let Some(first) = self.lines.insert(host.to_ascii_lowercase(), line) {
                let what = format!(
                    "site.hosts: {host:?} is a host of the site in line {first} already; \
                     allowed: each host once"
                );
                return Err((line, what));
            }
        }
        Ok(())
    }
}

/// What the file says for a key.
struct Value<'a, 'i> {
    text: &'a str,
    key: &'static str,
    value: &'a Spanned<DeValue<'i>>,
}

impl<'a, 'i> Value<'a, 'i> {
    fn line(&self) -> usize {
        line_of(self.text, self.value.span().start)
    }

    fn wrong(&self, allowed: &str) -> Wrong {
        let shown = shown(self.value.get_ref());
        let key = if self.key == "site" { String::new() } else { format!(".{}", self.key) };
        (self.line(), format!("site{key}: {shown} is not allowed; allowed: {allowed}"))
    }

    fn flag(&self) -> Result<bool, Wrong> {
        self.value.get_ref().as_bool().ok_or_else(|| self.wrong("true, false"))
    }

    fn one_of<T: Clone>(&self, ways: &[(&str, T)]) -> Result<T, Wrong> {
        let text = self.value.get_ref().as_str();
        let found = ways.iter().find(|(name, _)| text == Some(name));
        found.map(|(_, way)| way.clone()).ok_or_else(|| {
            let names: Vec<_> = ways.iter().map(|(name, _)| format!("{name:?}")).collect();
            self.wrong(&names.join(", "))
        })
    }

    /// Whole seconds, as a number or with a unit.
    fn seconds(&self) -> Result<DeltaSeconds, Wrong> {
        let period = match self.value.get_ref() {
            DeValue::String(text) => text.parse::<Period>().ok(),
            DeValue::Integer(number) => number.to_string().parse().ok(),
            DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        };
        let whole = period.filter(|period| period.0.subsec_millis() == 0);
        let seconds = whole.map(|period| period.0.as_secs()).filter(|s| *s <= SECONDS_MAX);
        seconds.and_then(|seconds| u32::try_from(seconds).ok()).map(DeltaSeconds).ok_or_else(|| {
            self.wrong("whole seconds, at most 2147483648, such as 30 or \"30s\" or \"1h\"")
        })
    }

    fn text(&self, parse: impl Fn(&str) -> Result<String, &'static str>) -> Result<String, Wrong> {
        match self.value.get_ref().as_str() {
            Some(text) => parse(text).map_err(|allowed| self.wrong(allowed)),
            None => Err(self.wrong("a string")),
        }
    }

    /// A list that is not empty and says nothing twice.
    fn each(
        &self,
        count_max: usize,
        parse: impl Fn(&str) -> Result<String, &'static str>,
    ) -> Result<Vec<String>, Wrong> {
        let values = self.array()?;
        if values.is_empty() || values.len() > count_max {
            return Err(self.wrong(&format!("a list of 1 to {count_max} strings")));
        }
        let mut names: Vec<String> = Vec::with_capacity(values.len());
        for value in values {
            let value = Self { value, ..*self };
            let name = value.text(&parse)?;
            if names.contains(&name) {
                return Err(value.wrong("each name once"));
            }
            names.push(name);
        }
        Ok(names)
    }

    fn array(&self) -> Result<&'a DeArray<'i>, Wrong> {
        self.value.get_ref().as_array().ok_or_else(|| self.wrong("a list of strings"))
    }
}

/// A host as requests name it, without port: a DNS name, an IPv4 address, or an IPv6 address in brackets.
fn host(text: &str) -> Result<String, &'static str> {
    let allowed =
        "a host without scheme, port and path, such as \"www.customer.test\" or \"[::1]\"";
    let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(text),
    };
    if is_host { Ok(text.to_ascii_lowercase()) } else { Err(allowed) }
}

/// A host, with a port or without.
fn authority(text: &str) -> Result<String, &'static str> {
    let allowed = "a host, with a port or without, such as \"www.customer.test\"";
    let (bare, port) = match text.rsplit_once(':') {
        Some((bare, port)) if !port.ends_with(']') => (bare, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|octet| octet.is_ascii_digit()) && port.parse::<u16>().is_ok()
    };
    match host(bare) {
        Ok(_) if port.is_none_or(is_port) => Ok(text.to_ascii_lowercase()),
        _ => Err(allowed),
    }
}

/// RFC 1035 §2.3.4, with the underscores that happen.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_octet = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
        (1..=63).contains(&label.len()) && label.bytes().all(is_octet)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A parameter's name, decoded; a star at its end stands for anything.
fn parameter(text: &str) -> Result<String, &'static str> {
    let bare = text.strip_suffix('*').unwrap_or(text);
    let is_plain = |octet: u8| octet > b' ' && octet != 0x7f && !b"&=#*%".contains(&octet);
    if !text.is_empty() && bare.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("a parameter's name, such as \"id\", or the beginning of one and a star, such as \"utm_*\"")
}

/// A request field that reaches the origin, and so can change what it answers.
fn field(text: &str) -> Result<String, &'static str> {
    let name = text.to_ascii_lowercase();
    if name == "cookie" {
        return Err("the names of cookies in key-cookies instead");
    }
    if UNREACHING.contains(&name.as_str()) || !is_token(name.as_bytes()) {
        return Err(
            "the name of a request field that reaches the origin, such as \"accept-language\"",
        );
    }
    Ok(name)
}

/// RFC 6265 §4.1.1: the name of a cookie is a token, and has case.
fn cookie(text: &str) -> Result<String, &'static str> {
    if is_token(text.as_bytes()) { Ok(text.to_owned()) } else { Err("the name of a cookie") }
}

#[cfg(test)]
mod tests;
