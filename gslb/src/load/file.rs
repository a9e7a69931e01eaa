//! The zone file as TOML: its tables and keys, and how its mistakes are told.

use super::redirect::{HttpEntry, RedirectEntry};
use super::server::{BackupEntry, DnsEntry, LimitEntry};
use crate::ConfigError;
use crate::wire::name;
use serde::Deserialize;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) zone: Vec<ZoneEntry>,
    #[serde(default)]
    pub(super) region: Vec<RegionEntry>,
    #[serde(default)]
    pub(super) edge: Vec<EdgeEntry>,
    #[serde(default)]
    pub(super) steer: Vec<SteerEntry>,
    #[serde(default)]
    pub(super) onboard: Vec<OnboardEntry>,
    #[serde(default)]
    pub(super) import: Vec<ImportEntry>,
    #[serde(default)]
    pub(super) resolver: Vec<ResolverEntry>,
    #[serde(default)]
    pub(super) health: HealthEntry,
    #[serde(default)]
    pub(super) dns: DnsEntry,
    #[serde(default)]
    pub(super) limit: LimitEntry,
    #[serde(default)]
    pub(super) backup: BackupEntry,
    #[serde(default)]
    pub(super) redirect: Vec<RedirectEntry>,
    #[serde(default)]
    pub(super) http: HttpEntry,
    #[serde(default)]
    pub(super) load: LoadEntry,
    pub(super) rtt: Option<RttEntry>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadEntry {
    pub(super) spill_from: Option<Spanned<f64>>,
    pub(super) full: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RttEntry {
    pub(super) file: Option<Spanned<PathBuf>>,
    pub(super) expires_s: Option<Spanned<i64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthEntry {
    pub(super) interval_ms: Option<Spanned<i64>>,
    pub(super) timeout_ms: Option<Spanned<i64>>,
    pub(super) rise: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZoneEntry {
    pub(super) name: Spanned<String>,
    pub(super) records: Option<Spanned<String>>,
    pub(super) file: Option<Spanned<PathBuf>>,
    pub(super) key: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) transfer_to: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) notify: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionEntry {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) nearest: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) prefixes: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EdgeEntry {
    pub(super) name: Spanned<String>,
    pub(super) region: Spanned<String>,
    pub(super) addresses: Spanned<Vec<Spanned<String>>>,
    pub(super) capacity: Option<Spanned<i64>>,
    pub(super) health: Option<Spanned<String>>,
    pub(super) traffic_max: Option<Spanned<f64>>,
    pub(super) sessions_max: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SteerEntry {
    pub(super) name: Spanned<String>,
    pub(super) ttl: Option<Spanned<i64>>,
    pub(super) answers: Option<Spanned<i64>>,
    pub(super) default_region: Option<Spanned<String>>,
    pub(super) all_down: Option<Spanned<String>>,
    pub(super) fallback: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnboardEntry {
    pub(super) customer: Spanned<String>,
    pub(super) cname: Spanned<String>,
    pub(super) ttl: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportEntry {
    pub(super) file: Spanned<PathBuf>,
    #[serde(default)]
    pub(super) rules: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleEntry {
    #[serde(default)]
    pub(super) continent: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) country: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) subdivision: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) city: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) asn: Vec<Spanned<i64>>,
    pub(super) within_km: Option<Spanned<f64>>,
    pub(super) of: Option<Spanned<[f64; 2]>>,
    pub(super) region: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResolverEntry {
    #[serde(default)]
    pub(super) prefixes: Vec<Spanned<String>>,
    pub(super) file: Option<Spanned<PathBuf>>,
    pub(super) region: Option<Spanned<String>>,
}

/// The text of the zone file, and how to speak of it.
pub(super) struct Source<'a> {
    /// For errors.
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    /// Files that it names are relative to it.
    pub(super) directory: &'a Path,
}

impl Source<'_> {
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|&octet| octet == b'\n').count()
    }

    /// An error at a value: its place, its key, itself, and what is wrong.
    pub(super) fn wrong<T: std::fmt::Debug>(
        &self,
        key: &str,
        value: &Spanned<T>,
        message: impl std::fmt::Display,
    ) -> ConfigError {
        let message = format!("{key}: {:?} {message}", value.get_ref());
        ConfigError::new(self.name, Some(self.line(value.span().start)), message)
    }

    pub(super) fn toml_error(&self, error: &toml::de::Error) -> ConfigError {
        let line = error.span().map(|Range { start, .. }| self.line(start));
        let written = line.and_then(|line| self.text.lines().nth(line - 1)).unwrap_or("").trim();
        let message = error.message().replace('\n', ": ");
        ConfigError::new(self.name, line, format!("`{written}`: {message}"))
    }

    pub(super) fn name(
        &self,
        key: &str,
        value: &Spanned<String>,
    ) -> Result<Box<[u8]>, ConfigError> {
        name::from_text(value.get_ref()).map_err(|message| self.wrong(key, value, message))
    }

    pub(super) fn number(
        &self,
        key: &str,
        value: Option<&Spanned<i64>>,
        default: i64,
        allowed: RangeInclusive<i64>,
    ) -> Result<u32, ConfigError> {
        match value {
            None => Ok(default as u32),
            Some(value) if allowed.contains(value.get_ref()) => Ok(*value.get_ref() as u32),
            Some(value) => {
                let (from, to) = (allowed.start(), allowed.end());
                Err(self.wrong(key, value, format!("is not allowed; allowed: {from} to {to}")))
            }
        }
    }

    /// A number that may have a fraction.
    pub(super) fn real(
        &self,
        key: &str,
        value: Option<&Spanned<f64>>,
        allowed: RangeInclusive<f64>,
    ) -> Result<Option<f64>, ConfigError> {
        match value {
            Some(value) if !allowed.contains(value.get_ref()) => {
                let (from, to) = (allowed.start(), allowed.end());
                Err(self.wrong(key, value, format!("is not allowed; allowed: {from} to {to}")))
            }
            given => Ok(given.map(|value| *value.get_ref())),
        }
    }
}
