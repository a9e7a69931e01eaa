//! The query parameters of synthetic objects: what a test asks of the response.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::{
    AGE, CACHE_CONTROL, CONTENT_LENGTH, DATE, ETAG, EXPIRES, HeaderName, HeaderValue,
    LAST_MODIFIED, LOCATION, TRANSFER_ENCODING, VARY,
};

use crate::content::{Framing, Plan, SLICE_OCTETS_MAX};
use crate::directory::percent_decode;
use crate::precondition::parse_date;
use crate::wire::Cut;

/// Octets of a synthetic object, 1 PB: enough for any position of 32 bits or 48 bits to overflow, far from 64 bits.
const SIZE_MAX: u64 = 1_000_000_000_000_000;

/// Milliseconds of `delay=` and `pause=`. Longer than any timeout worth testing.
const DELAY_MS_MAX: u64 = 600_000;

/// Seconds of relative dates, about 30 years either way: what HTTP-dates and clocks surely hold.
const RELATIVE_SECONDS_MAX: i64 = 1_000_000_000;

/// Seconds of `@UNIX` dates: the year 9999, the last that an HTTP-date can say.
const UNIX_SECONDS_MAX: u64 = 253_402_300_799;

/// The synthetic catalogue and its query parameters, for `--help`.
pub const SYNTHETIC_HELP: &str = "\
Synthetic objects:
  /bytes/SIZE[/NAME]   SIZE octets (1000, 1K, 1M, 64KiB, ...), each a function of path and offset
  /echo                the content of the request, streamed back
Any method is answered alike; the content of a request is read and counted first (the response says
Request-Content-Length and Request-Method). Parameters of the query, values percent-encoded:
  status=N             status of the response, 200 to 599
  max-age=N s-maxage=N Cache-Control directives, joined
  cache-control=TEXT   Cache-Control directives, added: private, no-store, ...
  expires=DATE         Expires
  date=DATE            Date, instead of the true one
  last-modified=DATE   Last-Modified; conditional requests are answered
  age=N                Age
  etag=TAG             ETag: v1, \"v1\" or W/\"v1\"; conditional requests are answered
  vary=TEXT            Vary
  location=TEXT        Location (say status=302 too)
  header.NAME=VALUE    any other field, also several times; replaces one made above
  delay=MS             wait before the head, at most 600000
  rate=SIZE            octets per second of the content, in small slices
  pause-at=N pause=MS  after N octets of content, send nothing for MS milliseconds
  chunked=1            Transfer-Encoding: chunked instead of Content-Length
  chunk=SIZE           octets of a chunk (or slice), at most 128KiB
  close-delimited=1    a response of HTTP/1.0 without a length: the close of the connection ends it
  close-early=N        close the connection after N octets of content, whatever was announced
  reset-at=N           reset the connection (TCP RST) after N octets of content and 30 ms
  abort=close|reset    close or reset the connection instead of a response
DATE: seconds relative to now (60, -3600), @SECONDS since 1970, or any text, sent as it is.
Any other parameter is ignored, so ?n=1 and ?n=2 are two URLs of the same octets.";

/// What the query asks of the response.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) status: Option<StatusCode>,
    pub(crate) fields: HeaderMap,
    /// For preconditions, when `last-modified=` is a date.
    pub(crate) last_modified: Option<SystemTime>,
    pub(crate) delay: Duration,
    pub(crate) abort: Option<Cut>,
    pub(crate) plan: Plan,
}

impl Parameters {
    /// Reads a query (without its `?`) at the time `now`.
    ///
    /// # Errors
    /// One line that names the parameter, its value and what is allowed.
    pub(crate) fn parse(query: &str, now: SystemTime) -> Result<Self, String> {
        let mut parameters = Self::default();
        let mut directives = Vec::new();
        let mut others = Vec::new();
        let mut pause = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, encoded) = pair.split_once('=').unwrap_or((pair, ""));
            let value = Value::decode(name, encoded)?;
            match name {
                "max-age" | "s-maxage" => {
                    directives.push(format!("{name}={}", value.number(u64::MAX)?));
                }
                "cache-control" => directives.push(value.text()?.to_owned()),
                "pause-at" => pause.0 = Some(value.size()?),
                "pause" => pause.1 = Some(value.milliseconds()?),
                _ if name.starts_with("header.") => others.push(value.other_field()?),
                _ => parameters.set(&value, now)?,
            }
        }
        if !directives.is_empty() {
            let joined = directives.join(", ");
            let value = HeaderValue::from_str(&joined)
                .map_err(|_| format!("cache-control={joined}: not a field value"))?;
            parameters.fields.insert(CACHE_CONTROL, value);
        }
        parameters.plan.pause = match pause {
            (at, Some(duration)) => Some((at.unwrap_or(0), duration)),
            (_, None) => None,
        };
        for (name, _) in &others {
            parameters.fields.remove(name);
        }
        for (name, value) in others {
            parameters.fields.append(name, value);
        }
        Ok(parameters)
    }

    fn set(&mut self, value: &Value<'_>, now: SystemTime) -> Result<(), String> {
        match value.name {
            "status" => self.status = Some(value.status()?),
            "delay" => self.delay = value.milliseconds()?,
            "rate" => self.plan.rate = Some(value.size_from(1)?),
            "chunk" => self.plan.slice = Some(value.size_from(1)?.min(SLICE_OCTETS_MAX)),
            "chunked" => self.frame(value, Framing::Chunked)?,
            "close-delimited" => self.frame(value, Framing::UntilClose)?,
            "close-early" => self.plan.cut = Some((value.size()?, Cut::Close)),
            "reset-at" => self.plan.cut = Some((value.size()?, Cut::Reset)),
            "abort" => self.abort = Some(value.cut()?),
            "expires" => self.insert(EXPIRES, value.date(now)?),
            "date" => self.insert(DATE, value.date(now)?),
            "last-modified" => {
                let date = value.date(now)?;
                self.last_modified = parse_date(date.as_bytes());
                self.insert(LAST_MODIFIED, date);
            }
            "age" => self.insert(AGE, value.number(u64::MAX)?.into()),
            "etag" => self.insert(ETAG, value.etag()?),
            "vary" => self.insert(VARY, value.field()?),
            "location" => self.insert(LOCATION, value.field()?),
            _ => {}
        }
        Ok(())
    }

    fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.fields.insert(name, value);
    }

    fn frame(&mut self, value: &Value<'_>, framing: Framing) -> Result<(), String> {
        if value.number(1)? == 1 {
            self.plan.framing = framing;
        }
        Ok(())
    }
}

/// One parameter, decoded.
struct Value<'a> {
    name: &'a str,
    octets: Vec<u8>,
}

impl<'a> Value<'a> {
    fn decode(name: &'a str, encoded: &str) -> Result<Self, String> {
        let octets = percent_decode(encoded)
            .ok_or_else(|| format!("{name}={encoded}: not percent-encoded; write % as %25"))?;
        Ok(Self { name, octets })
    }

    fn refuse(&self, allowed: &str) -> String {
        let shown = String::from_utf8_lossy(&self.octets);
        format!("{}={}: allowed is {allowed}", self.name, shown.escape_default())
    }

    fn text(&self) -> Result<&str, String> {
        std::str::from_utf8(&self.octets).map_err(|_| self.refuse("text in UTF-8"))
    }

    fn number(&self, max: u64) -> Result<u64, String> {
        let number = self.text()?.parse().ok().filter(|&number| number <= max);
        number.ok_or_else(|| self.refuse(&format!("a number from 0 to {max}")))
    }

    fn size(&self) -> Result<u64, String> {
        self.size_from(0)
    }

    fn size_from(&self, min: u64) -> Result<u64, String> {
        let size = parse_size(self.text()?).filter(|&size| size >= min);
        size.ok_or_else(|| self.refuse(&format!("octets from {min}, such as 1000, 1K, 64KiB, 1M")))
    }

    fn milliseconds(&self) -> Result<Duration, String> {
        self.number(DELAY_MS_MAX).map(Duration::from_millis)
    }

    fn status(&self) -> Result<StatusCode, String> {
        let number = self.text()?.parse().ok().filter(|number| (200..600).contains(number));
        let status = number.and_then(|number: u16| StatusCode::from_u16(number).ok());
        status.ok_or_else(|| self.refuse("200 to 599"))
    }

    fn cut(&self) -> Result<Cut, String> {
        match self.octets.as_slice() {
            b"close" => Ok(Cut::Close),
            b"reset" => Ok(Cut::Reset),
            _ => Err(self.refuse("close or reset")),
        }
    }

    fn field(&self) -> Result<HeaderValue, String> {
        HeaderValue::from_bytes(&self.octets)
            .map_err(|_| self.refuse("a field value, without control characters"))
    }

    fn other_field(&self) -> Result<(HeaderName, HeaderValue), String> {
        let name = self.name.trim_start_matches("header.");
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| self.refuse("a field name after header."))?;
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            return Err(self.refuse("no framing; see chunked=, close-delimited=, close-early="));
        }
        Ok((name, self.field()?))
    }

    fn etag(&self) -> Result<HeaderValue, String> {
        let text = self.text()?;
        let quoted = text.starts_with('"') || text.starts_with("W/");
        let tag = if quoted { text.to_owned() } else { format!("\"{text}\"") };
        HeaderValue::from_str(&tag).map_err(|_| self.refuse("an entity tag"))
    }

    fn date(&self, now: SystemTime) -> Result<HeaderValue, String> {
        let text = self.text()?;
        let seconds = |text: &str| text.parse::<i64>().ok();
        let date = if let Some(unix) = text.strip_prefix('@') {
            let unix = unix.parse().ok().filter(|&unix| unix <= UNIX_SECONDS_MAX);
            let unix = unix.ok_or_else(|| self.refuse("@ and seconds up to the year 9999"))?;
            UNIX_EPOCH + Duration::from_secs(unix)
        } else if let Some(relative) = seconds(text) {
            if relative.abs() > RELATIVE_SECONDS_MAX {
                return Err(self.refuse("at most 1000000000 seconds either way"));
            }
            let distance = Duration::from_secs(relative.unsigned_abs());
            if relative < 0 { now - distance } else { now + distance }
        } else {
            return self.field();
        };
        HeaderValue::from_str(&httpdate::fmt_http_date(date)).map_err(|_| self.refuse("a date"))
    }
}

/// `1000`, `1K`, `1KB` (decimal), `64KiB` (binary) and so on to T; at most [`SIZE_MAX`].
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (prefix, base) = match unit.strip_suffix("iB") {
        Some(prefix) => (prefix, 1024u64),
        None => (unit.strip_suffix('B').unwrap_or(unit), 1000),
    };
    let power = match prefix {
        "" if base == 1000 => 0,
        "K" | "k" => 1,
        "M" | "m" => 2,
        "G" | "g" => 3,
        "T" | "t" => 4,
        _ => return None,
    };
    let size = number.parse::<u64>().ok()?.checked_mul(base.pow(power))?;
    (size <= SIZE_MAX).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Parameters, String> {
        Parameters::parse(query, UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn sizes() {
        let rows = [
            ("0", Some(0)),
            ("1000", Some(1000)),
            ("1000B", Some(1000)),
            ("1k", Some(1000)),
            ("1KB", Some(1000)),
            ("64KiB", Some(65536)),
            ("2GiB", Some(2 << 30)),
            ("1000T", Some(SIZE_MAX)),
            ("1001T", None),
            ("", None),
            ("K", None),
            ("1iB", None),
            ("-1", None),
            ("1 K", None),
            ("99999999999999999999", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_size(text), expected, "{text}");
        }
    }

    #[test]
    fn queries_make_fields() {
        let rows = [
            ("max-age=5&s-maxage=9", CACHE_CONTROL, "max-age=5, s-maxage=9", "joined"),
            ("cache-control=private%2C%20no-store", CACHE_CONTROL, "private, no-store", "decoded"),
            ("max-age=1&header.cache-control=x", CACHE_CONTROL, "x", "header. replaces"),
            ("expires=0", EXPIRES, "Sun, 06 Nov 1994 08:49:37 GMT", "relative to now"),
            ("date=-1", DATE, "Sun, 06 Nov 1994 08:49:36 GMT", "in the past"),
            ("last-modified=@0", LAST_MODIFIED, "Thu, 01 Jan 1970 00:00:00 GMT", "since 1970"),
            ("expires=never", EXPIRES, "never", "any text"),
            ("header.expires=0", EXPIRES, "0", "a bare 0 is not a date"),
            ("etag=v1", ETAG, "\"v1\"", "quotes are added"),
            ("etag=W/%22v1%22", ETAG, "W/\"v1\"", "weak"),
            ("vary=Accept-Encoding", VARY, "Accept-Encoding", "plain"),
            ("age=7", AGE, "7", "plain"),
        ];
        for (query, name, expected, why) in rows {
            let parameters = parse(query).unwrap();
            assert_eq!(parameters.fields[&name], *expected, "{query}: {why}");
            assert_eq!(parameters.fields.len(), 1, "{query}: {why}");
        }
        let twice = parse("header.set-cookie=a&header.set-cookie=b").unwrap();
        assert_eq!(twice.fields.get_all("set-cookie").iter().count(), 2, "several lines of a name");
        assert!(parse("n=1&&whatever").unwrap().fields.is_empty(), "others are ignored");
    }

    #[test]
    fn refusals_name_the_parameter_and_what_is_allowed() {
        let rows = [
            ("status=100", "status=100: allowed is 200 to 599"),
            ("max-age=-1", "max-age=-1: allowed is a number from 0 to 18446744073709551615"),
            ("delay=600001", "delay=600001: allowed is a number from 0 to 600000"),
            ("rate=0", "rate=0: allowed is octets from 1, such as 1000, 1K, 64KiB, 1M"),
            ("chunked=yes", "chunked=yes: allowed is a number from 0 to 1"),
            ("abort=now", "abort=now: allowed is close or reset"),
            ("vary=%zz", "vary=%zz: not percent-encoded; write % as %25"),
            (
                "vary=a%0d%0ab",
                "vary=a\\r\\nb: allowed is a field value, without control characters",
            ),
            (
                "expires=@999999999999",
                "expires=@999999999999: allowed is @ and seconds up to the year 9999",
            ),
        ];
        for (query, expected) in rows {
            assert_eq!(parse(query).unwrap_err(), expected);
        }
        for query in ["header.content-length=5", "header.transfer-encoding=x", "header.=x"] {
            assert!(parse(query).is_err(), "{query}");
        }
    }
}
