//! A policy file: a `[[policy]]` for some prefixes each. Its keys, what each may be, and the table that they make.

#![forbid(unsafe_code)]

use super::{Policy, PolicyTable};
use crate::bpf::PREFIXES_MAX;
use crate::bpf::program::CONGESTION_OCTETS;
use crate::quantity::{Period, Size};
use crate::route::Prefix;
use std::fmt::Write as _;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Octets of a file: 65,536 policies of seven keys each. A larger one is another file.
pub const FILE_OCTETS_MAX: u64 = 16 << 20;

/// Packets of a window: 1.4 MB, what 10 Gbit/s carry in a millisecond. The kernel takes more, but the first queue on
/// the way does not.
const PACKETS_MAX: i64 = 1_000;
const SYN_TIMEOUTS: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(60)];
/// What the kernel takes for a connection (`TCP_RTO_MIN`, and likewise `TCP_DELACK_MAX`); shorter than two ticks is two
/// ticks.
const TIMEOUTS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(200)];
/// 1 kB/s is slower than a modem; more than 32 bits would be no bound.
const PACINGS: [u64; 2] = [1_000, u32::MAX as u64];

/// One key: its name, what may be written for it, what it does, and how it is set.
struct Key {
    name: &'static str,
    example: &'static str,
    meaning: &'static str,
    set: fn(&mut Policy, &Value<'_, '_>) -> Result<(), Wrong>,
}

/// All keys but `prefix`, in the order of the help.
const KEYS: &[Key] = &[
    Key {
        name: "initcwnd",
        example: "20",
        meaning: "packets that leave before the first acknowledgement (1 to 1000)",
        set: |policy, value| value.packets().map(|packets| policy.initcwnd = Some(packets)),
    },
    Key {
        name: "initrwnd",
        example: "110",
        meaning: "packets that the other end may send before it hears from us (1 to 1000)",
        set: |policy, value| value.packets().map(|packets| policy.initrwnd = Some(packets)),
    },
    Key {
        name: "syn-timeout",
        example: "\"200ms\"",
        meaning: "a SYN or SYN-ACK is sent again after so long, then twice as long (10ms to 60s)",
        set: |policy, value| {
            value.period(SYN_TIMEOUTS, "10ms to 60s").map(|time| policy.syn_timeout = Some(time))
        },
    },
    Key {
        name: "congestion",
        example: "\"bbr\"",
        meaning: "the congestion control, one of net.ipv4.tcp_available_congestion_control",
        set: |policy, value| value.name().map(|name| policy.congestion = Some(name)),
    },
    Key {
        name: "rto-min",
        example: "\"50ms\"",
        meaning: "nothing is sent again sooner (2ms to 200ms)",
        set: |policy, value| {
            value.period(TIMEOUTS, "2ms to 200ms").map(|time| policy.rto_min = Some(time))
        },
    },
    Key {
        name: "delack-max",
        example: "\"10ms\"",
        meaning: "an acknowledgement is held back no longer (2ms to 200ms)",
        set: |policy, value| {
            value.period(TIMEOUTS, "2ms to 200ms").map(|time| policy.delack_max = Some(time))
        },
    },
    Key {
        name: "pacing",
        example: "\"2.4MB\"",
        meaning: "octets in a second at most, evenly spread (1kB to 4GB)",
        set: |policy, value| value.rate().map(|rate| policy.pacing = Some(rate)),
    },
];

/// Line (0: none) and message of what is wrong.
type Wrong = (usize, String);

/// See [`PolicyTable::parse`].
type Missing = fn(&str) -> Option<String>;

/// The keys and what they mean, for `--help`.
#[must_use]
pub fn help() -> String {
    let mut text = String::from(
        "The file of --tcp-policy: a table [[policy]] for each, with prefix = \"192.0.2.0/24\" (or \
         a list of them)\nand these keys; the longest prefix of the other end counts, and no other:\n",
    );
    for key in KEYS {
        let _ = writeln!(text, "  {} = {}\n      {}", key.name, key.example, key.meaning);
    }
    text.push_str(
        "Where BPF is not allowed, sockets are told congestion, rto-min, delack-max and pacing, and\n\
         `lastmile tune apply --tcp-policy FILE` sets routes that say initcwnd and initrwnd as well.\n",
    );
    text
}

/// The names of the keys, in the order of the help.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    std::iter::once("prefix").chain(KEYS.iter().map(|key| key.name))
}

impl PolicyTable {
    /// The table in the file at `path`.
    ///
    /// # Errors
    /// One line: file, line, key, value, and what is allowed.
    pub fn read(path: &Path) -> Result<Self, String> {
        let of_file = |what: String| format!("{}: {what}", path.display());
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|error| of_file(error.to_string()))?;
        file.take(FILE_OCTETS_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| of_file(error.to_string()))?;
        if text.len() as u64 > FILE_OCTETS_MAX {
            return Err(of_file(format!("larger than {FILE_OCTETS_MAX} octets")));
        }
        let missing = |name: &str| crate::socket::missing_congestion(name);
        Self::parse(&text, missing).map_err(|(line, what)| match line {
            0 => of_file(what),
            line => format!("{}:{line}: {what}", path.display()),
        })
    }

    /// The table in `text`. `missing` says of the name of a congestion control which ones there are instead, or nothing
    /// if there is one.
    ///
    /// # Errors
    /// The line, 0 if there is none, and what is wrong there.
    pub fn parse(text: &str, missing: Missing) -> Result<Self, Wrong> {
        let document = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(0, |span| line_of(text, span.start));
            (line, error.message().lines().collect::<Vec<_>>().join("; "))
        })?;
        let mut table = Self::default();
        for (name, value) in document.get_ref() {
            let at = name.span().start;
            let name = name.get_ref().as_ref();
            if name != "policy" {
                return Err((
                    line_of(text, at),
                    format!("{name}: unknown table; allowed: [[policy]]"),
                ));
            }
            let value = Value { text, missing, key: "", value };
            let tables = value.value.get_ref().as_array();
            let tables =
                tables.ok_or_else(|| value.wrong("tables that are each headed [[policy]]"))?;
            for entry in tables {
                let value = Value { text, missing, key: "", value: entry };
                let contents = entry.get_ref().as_table();
                let contents = contents.ok_or_else(|| value.wrong("tables headed [[policy]]"))?;
                table.admit(&value, contents)?;
            }
        }
        Ok(table)
    }

    fn admit(&mut self, entry: &Value<'_, '_>, contents: &DeTable<'_>) -> Result<(), Wrong> {
        let text = entry.text;
        let mut policy = Policy::default();
        let mut prefixes = None;
        for (name, value) in contents {
            let at = name.span().start;
            let name = name.get_ref().as_ref();
            if name == "prefix" {
                prefixes = Some(Value { key: "prefix", value, ..*entry }.prefixes()?);
                continue;
            }
            let key = KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
                let allowed: Vec<_> = key_names().collect();
                (
                    line_of(text, at),
                    format!("policy.{name}: unknown key; allowed: {}", allowed.join(", ")),
                )
            })?;
            (key.set)(&mut policy, &Value { key: key.name, value, ..*entry })?;
        }
        let missing = || {
            let what = "policy.prefix: missing; allowed: a prefix such as \"192.0.2.0/24\", or a \
                        list of them";
            (entry.line(), what.to_owned())
        };
        for (prefix, at) in prefixes.ok_or_else(missing)? {
            if self.0.insert(prefix, policy.clone()).is_some() {
                let what = format!("policy.prefix: {prefix} is there twice; allowed: each once");
                return Err((line_of(text, at), what));
            }
            if self.0.len() > PREFIXES_MAX as usize {
                let what = format!("policy: more than {PREFIXES_MAX} prefixes; allowed: as many");
                return Err((line_of(text, at), what));
            }
        }
        Ok(())
    }
}

/// What the file says for a key.
struct Value<'a, 'i> {
    text: &'a str,
    missing: Missing,
    key: &'static str,
    value: &'a Spanned<DeValue<'i>>,
}

impl Value<'_, '_> {
    fn line(&self) -> usize {
        line_of(self.text, self.value.span().start)
    }

    fn wrong(&self, allowed: &str) -> Wrong {
        let span = self.value.span();
        let written = self.text.get(span).unwrap_or_default().lines().next().unwrap_or_default();
        let key = if self.key.is_empty() { String::new() } else { format!(".{}", self.key) };
        (self.line(), format!("policy{key}: {written} is not allowed; allowed: {allowed}"))
    }

    fn integer(&self) -> Option<i64> {
        self.value.get_ref().as_integer().and_then(|number| number.to_string().parse().ok())
    }

    fn packets(&self) -> Result<u32, Wrong> {
        let packets = self.integer().filter(|packets| (1..=PACKETS_MAX).contains(packets));
        packets
            .and_then(|packets| u32::try_from(packets).ok())
            .ok_or_else(|| self.wrong(&format!("packets, 1 to {PACKETS_MAX}")))
    }

    fn period(&self, [from, to]: [Duration; 2], range: &str) -> Result<Duration, Wrong> {
        let text = self.value.get_ref().as_str();
        text.and_then(|text| text.parse::<Period>().ok())
            .map(|period| period.0)
            .filter(|period| (from..=to).contains(period))
            .ok_or_else(|| self.wrong(&format!("a time with its unit, {range}, such as \"50ms\"")))
    }

    fn rate(&self) -> Result<u32, Wrong> {
        let text = match self.integer() {
            Some(octets) => Some(octets.to_string()),
            None => self.value.get_ref().as_str().map(str::to_owned),
        };
        text.and_then(|text| text.parse::<Size>().ok())
            .filter(|size| (PACINGS[0]..=PACINGS[1]).contains(&size.0))
            .and_then(|size| u32::try_from(size.0).ok())
            .ok_or_else(|| self.wrong("octets in a second, 1000 to 4294967295, such as \"2.4MB\""))
    }

    fn name(&self) -> Result<String, Wrong> {
        let is_octet = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
        let name = self.value.get_ref().as_str().filter(|name| {
            (1..CONGESTION_OCTETS).contains(&name.len()) && name.bytes().all(is_octet)
        });
        let name = name.ok_or_else(|| {
            self.wrong("the name of a congestion control, such as \"bbr\" or \"cubic\"")
        })?;
        match (self.missing)(name) {
            None => Ok(name.to_owned()),
            Some(there) => Err(self.wrong(&there)),
        }
    }

    /// Prefixes and where they stand, as one string or several.
    fn prefixes(&self) -> Result<Vec<(Prefix, usize)>, Wrong> {
        match self.value.get_ref() {
            DeValue::Array(values) if !values.is_empty() => {
                values.iter().map(|value| Value { value, ..*self }.prefix()).collect()
            }
            _ => Ok(vec![self.prefix()?]),
        }
    }

    fn prefix(&self) -> Result<(Prefix, usize), Wrong> {
        let allowed = "a prefix such as \"192.0.2.0/24\" or \"2001:db8::/32\", or an address";
        let text = self.value.get_ref().as_str().ok_or_else(|| self.wrong(allowed))?;
        let prefix: Prefix = text.parse().map_err(|_| self.wrong(allowed))?;
        let written = text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
        if written != Some(prefix.address()) {
            let meant = format!("no bits behind the prefix, as in \"{prefix}\"");
            return Err(self.wrong(&meant));
        }
        if prefix.address().to_canonical() != prefix.address() {
            return Err(self.wrong("IPv4 as such: an IPv4-mapped address is looked up as IPv4"));
        }
        Ok((prefix, self.value.span().start))
    }
}

/// Counted only for what is wrong: a file may have 65,536 lines.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&octet| octet == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PolicyTable, Wrong> {
        PolicyTable::parse(text, |name| (name != "bbr").then(|| "reno, bbr".to_owned()))
    }

    #[test]
    fn a_table_is_what_its_file_says() {
        let text = r#"
[[policy]]
prefix = "192.0.2.0/24"
initcwnd = 20
initrwnd = 110
syn-timeout = "200ms"
congestion = "bbr"
rto-min = "50ms"
delack-max = "10ms"
pacing = "2.4MB"

[[policy]]
prefix = ["0.0.0.0/0", "::/0", "198.51.100.7"]
pacing = 1000
"#;
        let table = parse(text).unwrap();
        assert_eq!(table.len(), 4);
        let all = Policy {
            initcwnd: Some(20),
            initrwnd: Some(110),
            syn_timeout: Some(Duration::from_millis(200)),
            congestion: Some("bbr".into()),
            rto_min: Some(Duration::from_millis(50)),
            delack_max: Some(Duration::from_millis(10)),
            pacing: Some(2_400_000),
        };
        let of = |address: &str| table.policy_of(address.parse().unwrap());
        assert_eq!(of("192.0.2.9"), Some(&all));
        let slow = Policy { pacing: Some(1_000), ..Policy::default() };
        assert_eq!(of("198.51.100.7"), Some(&slow));
        assert_eq!(of("2001:db8::1"), Some(&slow));
        assert!(parse("").unwrap().is_empty(), "nothing is a policy, too");
    }

    #[test]
    fn mistakes_name_line_key_value_and_what_is_allowed() {
        let begin = "[[policy]]\nprefix = \"10.0.0.0/8\"\n";
        let entry = |line: &str| format!("{begin}{line}\n");
        for (text, line, message, why) in [
            (entry("initcwnd = 0"), 3, "initcwnd: 0 is not allowed; allowed: packets, 1 to", "few"),
            (entry("initcwnd = 1001"), 3, "initcwnd: 1001 is not", "many"),
            (entry("initrwnd = \"9\""), 3, "initrwnd: \"9\" is not", "no number"),
            (entry("syn-timeout = 200"), 3, "syn-timeout: 200 is not", "without a unit"),
            (entry("syn-timeout = \"9ms\""), 3, "syn-timeout: \"9ms\"", "short"),
            (
                entry("rto-min = \"201ms\""),
                3,
                "rto-min: \"201ms\" is not allowed; allowed: a time with its unit, 2ms to 200ms",
                "long",
            ),
            (entry("delack-max = \"1s\""), 3, "delack-max: \"1s\"", "long"),
            (entry("pacing = \"5GB\""), 3, "pacing: \"5GB\"", "more than 32 bits"),
            (entry("pacing = 999"), 3, "pacing: 999 is not", "slower than a modem"),
            (entry("congestion = \"an impossible name\""), 3, "congestion: \"an imp", "blanks"),
            (entry("congestion = \"sixteen-letters-\""), 3, "congestion: ", "long"),
            (
                entry("congestion = \"none-such\""),
                3,
                "congestion: \"none-such\" is not allowed; allowed: reno, bbr",
                "not here",
            ),
            (entry("window = 3"), 3, "window: unknown key; allowed: prefix, initcwnd, ", "key"),
            ("[[policy]]\ninitcwnd = 9\n".into(), 1, "prefix: missing; allowed: a prefix", "none"),
            (
                "[[policy]]\nprefix = \"10.0.0.1/8\"\n".into(),
                2,
                "prefix: \"10.0.0.1/8\" is not allowed; allowed: no bits behind the prefix, as in \"10.0.0.0/8\"",
                "bits",
            ),
            ("[[policy]]\nprefix = \"10.0.0.0/33\"\n".into(), 2, "prefix: \"10.0.0.0/33\"", "bits"),
            (
                "[[policy]]\nprefix = \"::ffff:10.0.0.0/104\"\n".into(),
                2,
                "prefix: \"::ffff:10.0.0.0/104\" is not allowed; allowed: IPv4 as such",
                "mapped",
            ),
            ("[[policy]]\nprefix = []\n".into(), 2, "prefix: [] is not", "an empty list"),
            (
                "[[policy]]\nprefix = [\"10.0.0.0/8\",\n \"x\"]\n".into(),
                3,
                "prefix: \"x\"",
                "in it",
            ),
            (entry(begin), 4, "prefix: 10.0.0.0/8 is there twice", "twice"),
        ] {
            let (found, what) = parse(&text).unwrap_err();
            assert!(what.starts_with(&format!("policy.{message}")), "{why}: {what}");
            assert_eq!(found, line, "{why}: {what}");
            assert!(!what.contains('\n'), "{why}: one line");
        }
        for (text, line, message) in [
            ("[policy]\nprefix = \"::/0\"\n", 1, "policy: "),
            ("[[edge]]\n", 1, "edge: unknown table; allowed: [[policy]]"),
            ("policy = [1]\n", 1, "policy: 1 is not allowed; allowed: tables headed [[policy]]"),
            ("[[policy]\n", 1, ""),
        ] {
            let (found, what) = parse(text).unwrap_err();
            assert_eq!((found, what.starts_with(message)), (line, true), "{what}");
        }
    }

    #[test]
    fn a_file_is_named_in_what_is_wrong_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.toml");
        let wrong = || PolicyTable::read(&path).unwrap_err();
        assert!(wrong().starts_with(&format!("{}: No such file", path.display())), "{}", wrong());
        std::fs::write(&path, "[[policy]]\nprefix = \"::/0\"\npacing = 1\n").unwrap();
        assert!(wrong().starts_with(&format!("{}:3: policy.pacing: 1 is", path.display())));
    }

    #[test]
    fn there_are_bounds() {
        let prefixes: Vec<_> = (0..=PREFIXES_MAX)
            .map(|n| format!("\"10.{}.{}.{}\"", n >> 16, n >> 8 & 255, n & 255))
            .collect();
        let text = |prefixes: &[String]| format!("[[policy]]\nprefix = [{}]\n", prefixes.join(","));
        assert!(parse(&text(&prefixes[1..])).is_ok());
        let (_, what) = parse(&text(&prefixes)).unwrap_err();
        assert!(what.starts_with("policy: more than 65536 prefixes"), "{what}");
    }

    #[test]
    fn the_help_names_every_key() {
        let help = help();
        for key in key_names() {
            assert!(help.contains(&format!("{key} = ")), "{key}");
        }
    }
}
