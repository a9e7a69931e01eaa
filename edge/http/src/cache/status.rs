//! Telling clients what the cache did: the value of Cache-Status (RFC 9211).

use crate::fields::letters_digits_and;

/// What the cache did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus<'a> {
    /// The response came from the store, and nobody was asked (RFC 9211 §2.1).
    Hit {
        /// Seconds that it stays fresh; negative when it is stale.
        ttl: i64,
        /// Anything more.
        detail: Option<&'a str>,
    },
    /// Neither: the cache answered of its own accord.
    Own {
        /// Why.
        detail: Option<&'a str>,
    },
    /// The request was forwarded (RFC 9211 §2.2).
    Forward {
        /// Why.
        reason: ForwardReason,
        /// The status that came back, if it is not the one that the client sees (§2.3).
        status: Option<u16>,
        /// Seconds that the response stays fresh (§2.4).
        ttl: Option<i64>,
        /// Whether the response was stored (§2.5).
        stored: bool,
        /// Whether the request waited for another one's response (§2.6).
        collapsed: bool,
        /// Anything more (§2.8).
        detail: Option<&'a str>,
    },
}

/// Why a request was forwarded (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardReason {
    /// The cache was told not to handle the request.
    Bypass,
    /// The method requires it.
    Method,
    /// Nothing is stored for the URI.
    UriMiss,
    /// Something is stored for the URI, but for other fields of the request.
    VaryMiss,
    /// Nothing that is stored could be used.
    Miss,
    /// What is stored is fresh, but the request did not allow its use.
    Request,
    /// What is stored is stale.
    Stale,
    /// A part of the response is stored, but not all that was asked for.
    Partial,
}

impl ForwardReason {
    /// The value of the parameter `fwd`.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// Appends one member of Cache-Status, such as `edge-1; hit; ttl=59`. The name and the detail become tokens where they
/// can be, else strings. The cache key is shown if it is given (RFC 9211 §2.7).
pub fn write_cache_status(
    cache_name: &str,
    status: &CacheStatus<'_>,
    key: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    write_token_or_string(cache_name, out);
    match *status {
        CacheStatus::Hit { ttl, detail } => {
            out.extend_from_slice(b"; hit; ttl=");
            write_integer(ttl, out);
            write_key(key, out);
            write_detail(detail, out);
        }
        CacheStatus::Own { detail } => {
            write_key(key, out);
            write_detail(detail, out);
        }
        CacheStatus::Forward { reason, status, ttl, stored, collapsed, detail } => {
            out.extend_from_slice(b"; fwd=");
            out.extend_from_slice(reason.token().as_bytes());
            if let Some(status) = status {
                out.extend_from_slice(b"; fwd-status=");
                write_integer(i64::from(status), out);
            }
            if let Some(ttl) = ttl {
                out.extend_from_slice(b"; ttl=");
                write_integer(ttl, out);
            }
            if stored {
                out.extend_from_slice(b"; stored");
            }
            if collapsed {
                out.extend_from_slice(b"; collapsed");
            }
            write_key(key, out);
            write_detail(detail, out);
        }
    }
}

fn write_key(key: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(key) = key {
        out.extend_from_slice(b"; key=");
        write_string(key.iter().map(|octet| char::from(*octet)), out);
    }
}

fn write_detail(detail: Option<&str>, out: &mut Vec<u8>) {
    if let Some(detail) = detail {
        out.extend_from_slice(b"; detail=");
        write_token_or_string(detail, out);
    }
}

/// RFC 8941 §3.3.3, §3.3.4. A string has printable ASCII only; what is not, is written as a question mark.
fn write_token_or_string(value: &str, out: &mut Vec<u8>) {
    if is_structured_token(value.as_bytes()) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    write_string(value.chars(), out);
}

fn write_string(characters: impl Iterator<Item = char>, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in characters {
        match character {
            '"' | '\\' => out.extend([b'\\', character as u8]),
            ' '..='~' => out.push(character as u8),
            _ => out.push(b'?'),
        }
    }
    out.push(b'"');
}

/// `( ALPHA / "*" ) *( tchar / ":" / "/" )`
fn is_structured_token(value: &[u8]) -> bool {
    const OCTETS: [bool; 256] = letters_digits_and(b"!#$%&'*+-.^_`|~:/");
    value.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'*')
        && value.iter().all(|octet| OCTETS[usize::from(*octet)])
}

/// An integer of structured fields has 15 digits at most (RFC 8941 §3.3.1).
fn write_integer(number: i64, out: &mut Vec<u8>) {
    const MAX: u64 = 999_999_999_999_999;
    let mut digits = [0; 15];
    let mut start = digits.len();
    let mut rest = number.unsigned_abs().min(MAX);
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(name: &str, status: CacheStatus<'_>) -> String {
        let mut out = Vec::new();
        write_cache_status(name, &status, None, &mut out);
        String::from_utf8(out).unwrap()
    }

    const FORWARD: CacheStatus<'static> = CacheStatus::Forward {
        reason: ForwardReason::UriMiss,
        status: None,
        ttl: None,
        stored: false,
        collapsed: false,
        detail: None,
    };

    #[test]
    fn table() {
        // RFC 9211 §2
        let full = CacheStatus::Forward {
            reason: ForwardReason::Stale,
            status: Some(304),
            ttl: Some(60),
            stored: true,
            collapsed: true,
            detail: Some("no-store"),
        };
        let hit = |ttl, detail| CacheStatus::Hit { ttl, detail };
        let rows: [(&str, CacheStatus<'_>, &str, &str); 10] = [
            ("edge-1", hit(59, None), "edge-1; hit; ttl=59", "a hit"),
            ("edge-1", hit(0, None), "edge-1; hit; ttl=0", "zero"),
            ("edge-1", hit(-412, None), "edge-1; hit; ttl=-412", "§4: a stale hit"),
            ("e", hit(i64::MIN, None), "e; hit; ttl=-999999999999999", "RFC 8941: 15 digits"),
            ("edge-1", FORWARD, "edge-1; fwd=uri-miss", "a miss"),
            (
                "edge-1",
                full,
                "edge-1; fwd=stale; fwd-status=304; ttl=60; stored; collapsed; detail=no-store",
                "everything",
            ),
            ("Edge of a \"CDN\"", FORWARD, r#""Edge of a \"CDN\""; fwd=uri-miss"#, "a string"),
            ("1st", FORWARD, "\"1st\"; fwd=uri-miss", "a token does not begin with a digit"),
            ("", FORWARD, "\"\"; fwd=uri-miss", "an empty name"),
            ("e", hit(1, Some("é\r\n\\")), r#"e; hit; ttl=1; detail="???\\""#, "no line ends"),
        ];
        for (name, status, expected, why) in rows {
            assert_eq!(written(name, status), expected, "{why}");
        }
    }

    #[test]
    fn the_key_is_a_string() {
        // RFC 9211 §2.7
        let mut out = Vec::new();
        let key = Some(&b"a.test/b?\"c\xff"[..]);
        write_cache_status("e", &CacheStatus::Hit { ttl: 1, detail: None }, key, &mut out);
        assert_eq!(out, br#"e; hit; ttl=1; key="a.test/b?\"c?""#);
    }

    #[test]
    fn forward_reasons() {
        // RFC 9211 §2.2
        use ForwardReason::{Bypass, Method, Miss, Partial, Request, Stale, UriMiss, VaryMiss};
        let all = [Bypass, Method, UriMiss, VaryMiss, Miss, Request, Stale, Partial];
        let expected =
            ["bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"];
        assert_eq!(all.map(ForwardReason::token), expected);
    }

    proptest! {
        #[test]
        fn it_is_always_one_field_value(name: String, detail: String) {
            let value = written(&name, CacheStatus::Hit { ttl: 1, detail: Some(&detail) });
            prop_assert!(value.bytes().all(|octet| matches!(octet, b' '..=b'~')));
            prop_assert_eq!(crate::fields::list_members(value.as_bytes()).count(), 1);
        }

        #[test]
        fn integers_are_written_in_full(number in -999_999_999_999_999i64..=999_999_999_999_999) {
            let mut out = Vec::new();
            write_integer(number, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
