//! `[dns]`, `[limit]` and `[backup]`: how queries are answered, whatever they ask for.

use super::file::{File, Source};
use crate::ConfigError;
use crate::limit::{EXEMPT_MAX, Limit, RATE_MAX, SLIP_MAX};
use crate::mode::Backup;
use crate::service::{AMPLIFICATION_MAX_DEFAULT, Service};
use crate::wire::cookie::{SECRET_OCTETS, Secrets};
use serde::Deserialize;
use std::fs;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

/// RFC 5001 lets it be long; a host name is enough, and it must fit beside an answer.
const NSID_OCTETS_MAX: usize = 64;
/// Below 2 there would be no room for the options of an answer without records.
const AMPLIFICATION: RangeInclusive<i64> = 2..=100;
/// Whoever is really there learns by every second answer to come again; BIND and NSD begin with the same.
const SLIP_DEFAULT: i64 = 2;
const TTL_FACTOR: RangeInclusive<i64> = 1..=1000;
/// 20 s become 200 s: a tenth of the queries, and an edge that dies is still gone within minutes.
const TTL_FACTOR_DEFAULT: i64 = 10;
const QPS: RangeInclusive<i64> = 1..=1_000_000_000;
const BACK_AFTER_S: RangeInclusive<i64> = 1..=86_400;
/// Attacks come in waves.
const BACK_AFTER_S_DEFAULT: i64 = 60;
/// RFC 7828 §3.1: in units of 100 ms, in 16 bits.
const KEEPALIVE_UNIT_MS: u128 = 100;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DnsEntry {
    nsid: Option<Spanned<String>>,
    cookies: Option<Spanned<bool>>,
    cookie_secret: Option<Spanned<String>>,
    cookie_secret_old: Option<Spanned<String>>,
    amplification_max: Option<Spanned<i64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitEntry {
    rate: Option<Spanned<i64>>,
    slip: Option<Spanned<i64>>,
    exempt: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupEntry {
    ttl_factor: Option<Spanned<i64>>,
    above_qps: Option<Spanned<i64>>,
    static_above_qps: Option<Spanned<i64>>,
    back_after_s: Option<Spanned<i64>>,
}

pub(super) fn read(
    source: &Source<'_>,
    file: &File,
    tcp_idle_timeout: Duration,
) -> Result<Service, ConfigError> {
    let dns = &file.dns;
    let (secrets, is_secret_random) = read_secrets(source, dns)?;
    let amplification_max = source.number(
        "dns.amplification_max",
        dns.amplification_max.as_ref(),
        AMPLIFICATION_MAX_DEFAULT as i64,
        AMPLIFICATION,
    )?;
    let keepalive = tcp_idle_timeout.as_millis() / KEEPALIVE_UNIT_MS;
    Ok(Service {
        nsid: dns.nsid.as_ref().map(|nsid| read_nsid(source, nsid)).transpose()?,
        secrets,
        is_secret_random,
        amplification_max: amplification_max as usize,
        keepalive: u16::try_from(keepalive).unwrap_or(u16::MAX),
        limit: read_limit(source, &file.limit)?,
        backup: read_backup(source, &file.backup)?,
    })
}

/// `%h` stands for the machine's name, so that servers with the same file can be told apart.
fn read_nsid(source: &Source<'_>, nsid: &Spanned<String>) -> Result<Box<[u8]>, ConfigError> {
    let mut text = nsid.get_ref().clone();
    if text.contains("%h") {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").map_err(|error| {
            source.wrong("dns.nsid", nsid, format!("needs /proc/sys/kernel/hostname: {error}"))
        })?;
        text = text.replace("%h", host.trim());
    }
    if !(1..=NSID_OCTETS_MAX).contains(&text.len()) {
        let message = format!("has {} octets; allowed: 1 to {NSID_OCTETS_MAX}", text.len());
        return Err(source.wrong("dns.nsid", nsid, message));
    }
    Ok(text.into_bytes().into())
}

/// What cookies are made with, and whether that is of this process alone.
fn read_secrets(
    source: &Source<'_>,
    dns: &DnsEntry,
) -> Result<(Option<Secrets>, bool), ConfigError> {
    let secret = |key: &str, value: &Option<Spanned<String>>| {
        value.as_ref().map(|value| read_secret(source, key, value)).transpose()
    };
    let current = secret("dns.cookie_secret", &dns.cookie_secret)?;
    let old = secret("dns.cookie_secret_old", &dns.cookie_secret_old)?;
    if let (None, Some(value)) = (current, &dns.cookie_secret_old) {
        return Err(secret_wrong(source, "dns.cookie_secret_old", value, "needs cookie_secret"));
    }
    if let (Some(off), Some(_)) = (dns.cookies.as_ref().filter(|on| !*on.get_ref()), current) {
        return Err(source.wrong("dns.cookies", off, "goes without cookie_secret"));
    }
    if dns.cookies.as_ref().is_some_and(|on| !*on.get_ref()) {
        return Ok((None, false));
    }
    match current {
        Some(current) => Ok((Some(Secrets::new(current, old)), false)),
        None => {
            let mut secret = [0; SECRET_OCTETS];
            getrandom::fill(&mut secret).map_err(|error| ConfigError {
                file: None,
                line: None,
                message: format!("gslb: the system has no random numbers: {error}"),
            })?;
            Ok((Some(Secrets::new(secret, None)), true))
        }
    }
}

fn read_secret(
    source: &Source<'_>,
    key: &str,
    value: &Spanned<String>,
) -> Result<[u8; SECRET_OCTETS], ConfigError> {
    let (text, digits) = (value.get_ref(), 2 * SECRET_OCTETS);
    if text.len() != digits || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        let message =
            format!("is not {digits} hexadecimal digits, such as `openssl rand -hex 16` prints");
        return Err(secret_wrong(source, key, value, &message));
    }
    let mut secret = [0; SECRET_OCTETS];
    for (at, octet) in secret.iter_mut().enumerate() {
        *octet = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap_or_default();
    }
    Ok(secret)
}

/// Errors go to logs, where secrets do not belong.
fn secret_wrong(
    source: &Source<'_>,
    key: &str,
    value: &Spanned<String>,
    message: &str,
) -> ConfigError {
    let line = source.line(value.span().start);
    ConfigError::new(source.name, Some(line), format!("{key}: (not shown) {message}"))
}

fn read_limit(source: &Source<'_>, entry: &LimitEntry) -> Result<Option<Limit>, ConfigError> {
    let rate = source.number("limit.rate", entry.rate.as_ref(), 0, 0..=RATE_MAX)?;
    let slip = source.number("limit.slip", entry.slip.as_ref(), SLIP_DEFAULT, 0..=SLIP_MAX)?;
    let mut exempt = Vec::new();
    if let Some(texts) = &entry.exempt {
        if texts.get_ref().len() > EXEMPT_MAX {
            let message = format!("has too many prefixes; allowed: {EXEMPT_MAX}");
            return Err(source.wrong("limit.exempt", texts, message));
        }
        for text in texts.get_ref() {
            let prefix = text.get_ref().parse();
            exempt.push(prefix.map_err(|message| source.wrong("limit.exempt", text, message))?);
        }
    }
    // Both are within their types by the bounds above.
    Ok((rate > 0).then_some(Limit { rate: rate as u16, slip: slip as u8, exempt }))
}

fn read_backup(source: &Source<'_>, entry: &BackupEntry) -> Result<Backup, ConfigError> {
    let number = |key: &str, value: &Option<Spanned<i64>>, default, allowed| {
        source.number(&format!("backup.{key}"), value.as_ref(), default, allowed)
    };
    let qps = |key: &str, value: &Option<Spanned<i64>>| -> Result<Option<u64>, ConfigError> {
        let qps = number(key, value, 1, QPS)?;
        Ok(value.as_ref().map(|_| qps.into()))
    };
    Ok(Backup {
        ttl_factor: number("ttl_factor", &entry.ttl_factor, TTL_FACTOR_DEFAULT, TTL_FACTOR)?,
        above_qps: qps("above_qps", &entry.above_qps)?,
        static_above_qps: qps("static_above_qps", &entry.static_above_qps)?,
        back_after_s: number(
            "back_after_s",
            &entry.back_after_s,
            BACK_AFTER_S_DEFAULT,
            BACK_AFTER_S,
        )?,
    })
}

#[cfg(test)]
mod tests {
    use crate::load::load;
    use crate::{Config, ZoneSource};

    fn read(text: &str) -> Result<super::Service, String> {
        let zone = Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text: text.to_owned() });
        let loaded = load(&Config { zone, ..Config::default() });
        loaded.map(|(tables, _)| tables.service).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_file_without_them_means() {
        let service = read("").unwrap();
        assert!(service.nsid.is_none() && service.limit.is_none());
        assert!(service.secrets.is_some() && service.is_secret_random);
        assert_eq!((service.amplification_max, service.keepalive), (16, 100));
        assert_eq!((service.backup.ttl_factor, service.backup.above_qps), (10, None));
    }

    #[test]
    fn what_a_file_says() {
        let service = read(
            "[dns]\nnsid = \"one-%h\"\ncookie_secret = \"E5e973e5a6b2a43f48e7dc849e37bfcf\"\n\
             cookie_secret_old = \"dd3bdf9344b678b185a6f5cb60fca715\"\namplification_max = 5\n\
             [limit]\nrate = 20\nslip = 0\nexempt = [\"10.0.0.0/8\", \"2001:db8::/32\"]\n\
             [backup]\nttl_factor = 6\nabove_qps = 50_000\nstatic_above_qps = 9\nback_after_s = 7",
        )
        .unwrap();
        let nsid = String::from_utf8(service.nsid.unwrap().into()).unwrap();
        assert!(nsid.starts_with("one-") && nsid.len() > 4 && !nsid.contains('%'), "{nsid}");
        assert!(service.secrets.is_some() && !service.is_secret_random);
        let limit = service.limit.unwrap();
        assert_eq!((limit.rate, limit.slip, limit.exempt.len()), (20, 0, 2));
        let expected = (6, Some(50_000), Some(9), 7);
        let it = service.backup;
        let found = (it.ttl_factor, it.above_qps, it.static_above_qps, it.back_after_s);
        assert_eq!((found, service.amplification_max), (expected, 5));
        assert!(read("[dns]\ncookies = false").unwrap().secrets.is_none());
    }

    #[test]
    fn mistakes_are_told() {
        let long = format!("[dns]\nnsid = \"{}\"", "a".repeat(65));
        let many = format!("[limit]\nexempt = [{}]", "\"10.0.0.0/8\",".repeat(65));
        for (text, expected) in [
            ("[dns]\nnsid = \"\"", "cdn.toml:2: dns.nsid: \"\" has 0 octets; allowed: 1 to 64"),
            (&long, "has 65 octets; allowed: 1 to 64"),
            ("[dns]\nname = 1", "cdn.toml:2: `name = 1`: unknown field `name`"),
            (
                "[dns]\n\ncookie_secret = \"s3cret\"",
                "cdn.toml:3: dns.cookie_secret: (not shown) is not 32 hexadecimal digits",
            ),
            (
                "[dns]\ncookie_secret = \"+5e973e5a6b2a43f48e7dc849e37bfcf\"",
                "is not 32 hexadecimal digits",
            ),
            (
                "[dns]\ncookie_secret_old = \"e5e973e5a6b2a43f48e7dc849e37bfcf\"",
                "cdn.toml:2: dns.cookie_secret_old: (not shown) needs cookie_secret",
            ),
            (
                "[dns]\ncookies = false\ncookie_secret = \"e5e973e5a6b2a43f48e7dc849e37bfcf\"",
                "cdn.toml:2: dns.cookies: false goes without cookie_secret",
            ),
            (
                "[dns]\namplification_max = 1",
                "cdn.toml:2: dns.amplification_max: 1 is not allowed; allowed: 2 to 100",
            ),
            ("[limit]\nrate = 60001", "limit.rate: 60001 is not allowed; allowed: 0 to 60000"),
            ("[limit]\nslip = -1", "limit.slip: -1 is not allowed; allowed: 0 to 100"),
            (
                "[limit]\nexempt = [\n\"10.0.0.1/8\"]",
                "cdn.toml:3: limit.exempt: \"10.0.0.1/8\" has bits set beyond its length",
            ),
            (&many, "has too many prefixes; allowed: 64"),
            ("[backup]\nttl_factor = 0", "backup.ttl_factor: 0 is not allowed; allowed: 1 to 1000"),
            ("[backup]\nabove_qps = 0", "backup.above_qps: 0 is not allowed; allowed: 1 to"),
            ("[backup]\nback_after_s = 0", "backup.back_after_s: 0 is not allowed; allowed: 1 to"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
