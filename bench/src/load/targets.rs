//! What is asked for: one target, a list, a Zipf mix of objects with sizes, or each target once.

use super::expected::{Expected, octets};
use super::{LINE_OCTETS_MAX, Load, settings};
use crate::error::BenchError;
use crate::zipf::{Chooser, Random};
use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

/// Targets of a list.
const LIST_MAX: usize = 1_000_000;

/// Objects of a mix: the chooser takes 8 octets for each.
const OBJECTS_MAX: u32 = 50_000_000;

/// Where in a target of [`Targets::Unique`] the counter goes.
const COUNTER: &str = "{n}";

/// Targets of requests, in origin form (RFC 9112 §3.2.1).
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Always the same.
    One(String),
    /// Each in turn.
    List(Vec<String>),
    /// Objects of a synthetic origin, the most popular first.
    Zipf {
        /// How much more popular an object is than those after it; 0: all alike. Web traffic has 0.6 to 1.1.
        exponent: f64,
        /// How many objects there are.
        objects: u32,
        /// How large they are.
        sizes: Sizes,
        /// The query of each, such as `max-age=3600`, or nothing.
        query: String,
    },
    /// Another one for each request: a counter in the place of `{n}`, or as a last segment of the path.
    Unique(String),
}

/// Sizes of objects and how many of a hundred (or of any other sum) have each.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes(Vec<(String, u32)>);

impl FromStr for Sizes {
    type Err = String;

    /// `1KB:60,16KB:30,100KB:9,1MB:1`, or one size.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "{text:?} is no mix of sizes; allowed: SIZE[:SHARE],... such as 1KB:60,16KB:30,100KB:10"
            )
        };
        let row = |row: &str| {
            let (size, share) = row.split_once(':').unwrap_or((row, "1"));
            let share = share.parse().ok().filter(|share| (1..=1_000_000).contains(share))?;
            octets(size).map(|_| (size.to_owned(), share))
        };
        text.split(',').map(row).collect::<Option<Vec<_>>>().map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.0.iter().map(|(size, share)| format!("{size}:{share}")).collect();
        f.write_str(&rows.join(","))
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(target) => f.write_str(target),
            Self::List(targets) => write!(f, "{} targets in turn", targets.len()),
            Self::Zipf { exponent, objects, sizes, .. } => {
                write!(f, "{objects} objects of {sizes}, Zipf {exponent}")
            }
            Self::Unique(target) => write!(f, "{target}, another one each time"),
        }
    }
}

impl Targets {
    /// Every target that it may ask for, in the order of the objects' numbers; [`Self::Unique`] has none to tell.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        match self {
            Self::One(target) => vec![target.clone()],
            Self::List(targets) => targets.clone(),
            Self::Zipf { objects, sizes, query, .. } => {
                let names = Names::new(sizes, query);
                let target = |object| {
                    let mut out = Vec::new();
                    names.write(object, &mut out);
                    String::from_utf8_lossy(&out).into_owned()
                };
                (0..*objects).map(target).collect()
            }
            Self::Unique(_) => Vec::new(),
        }
    }

    /// Whether requests can be made of them.
    pub(super) fn check(&self, load: &Load) -> Result<(), BenchError> {
        let all: Vec<&str> = match self {
            Self::One(target) | Self::Unique(target) => vec![target],
            Self::List(targets) => targets.iter().map(String::as_str).collect(),
            Self::Zipf { exponent, objects, query, .. } => {
                if !(0.0..=10.0).contains(exponent) || !(1..=OBJECTS_MAX).contains(objects) {
                    let allowed = format!("0 to 10 and 1 to {OBJECTS_MAX}");
                    let what = format!(
                        "a Zipf mix of exponent {exponent} and {objects} objects; allowed: {allowed}"
                    );
                    return Err(settings(what));
                }
                line("a query", query)?;
                Vec::new()
            }
        };
        if matches!(self, Self::List(targets) if targets.is_empty() || targets.len() > LIST_MAX) {
            return Err(settings(format!("{} targets; allowed: 1 to {LIST_MAX}", all.len())));
        }
        for target in all {
            line("a target", target)?;
            if !target.starts_with('/') || target.contains(' ') {
                return Err(settings(format!(
                    "{target:?} is not a target; allowed: /PATH[?QUERY]"
                )));
            }
        }
        for field in &load.fields {
            line("a field", field)?;
            if field.split_once(':').is_none_or(|(name, _)| name.is_empty() || name.contains(' ')) {
                return Err(settings(format!("{field:?} is not a field; allowed: NAME: VALUE")));
            }
        }
        load.host.as_deref().map_or(Ok(()), |host| line("a host", host))
    }
}

/// Whether `text` can be part of a line of a head.
fn line(what: &str, text: &str) -> Result<(), BenchError> {
    if text.len() > LINE_OCTETS_MAX || text.bytes().any(|octet| octet < b' ' || octet == 0x7f) {
        let shown: String = text.chars().take(60).collect();
        let allowed = format!("{LINE_OCTETS_MAX} octets without control characters");
        return Err(settings(format!(
            "{what} of {} octets, {shown:?}; allowed: {allowed}",
            text.len()
        )));
    }
    Ok(())
}

/// Writes requests, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    source: Source,
    /// What follows the target in a head, but its end.
    rest: Vec<u8>,
    check: bool,
    random: Random,
    octets_max: usize,
}

#[derive(Clone, Debug)]
enum Source {
    List { targets: Vec<String>, next: usize },
    Zipf { chooser: Chooser, names: Names },
    Unique { before: String, after: String, next: u64 },
}

/// What the objects of a mix are called.
#[derive(Clone, Debug)]
struct Names {
    sizes: Vec<String>,
    by_size: Chooser,
    query: String,
}

impl Names {
    fn new(sizes: &Sizes, query: &str) -> Self {
        let shares: Vec<f64> = sizes.0.iter().map(|(_, share)| f64::from(*share)).collect();
        Self {
            sizes: sizes.0.iter().map(|(size, _)| size.clone()).collect(),
            by_size: Chooser::new(&shares),
            query: if query.is_empty() { String::new() } else { format!("?{query}") },
        }
    }

    fn write(&self, object: u32, out: &mut Vec<u8>) {
        // An object has one size, whoever asks and whenever: its number is the seed of that choice.
        let size = self.by_size.choose(&mut Random::new(u64::from(object)));
        write!(out, "/bytes/{}/{object}{}", self.sizes[size as usize], self.query)
            .expect("a Vec takes everything");
    }
}

/// Ends a head.
const END: &[u8] = b"\r\n\r\n";

/// Ends the head of the last request of a connection.
const CLOSE_END: &[u8] = b"\r\nConnection: close\r\n\r\n";

/// Digits of a counter, and octets of an object's name and size, at most.
const VARIABLE_OCTETS_MAX: usize = 64;

impl Requests {
    /// The requests of thread number `part`.
    pub(super) fn new(load: &Load, part: usize) -> Self {
        let host = load.host.clone().unwrap_or_else(|| load.address.to_string());
        let mut rest = format!(" HTTP/1.1\r\nHost: {host}");
        for field in &load.fields {
            rest.push_str("\r\n");
            rest.push_str(field);
        }
        let mut random = Random::new(load.seed.wrapping_add(part as u64));
        let (source, target_octets_max) = match &load.targets {
            Targets::One(target) => (Source::list(vec![target.clone()]), target.len()),
            Targets::List(targets) => {
                let longest = targets.iter().map(String::len).max().unwrap_or(0);
                (Source::list(targets.clone()), longest)
            }
            Targets::Zipf { exponent, objects, sizes, query } => {
                let source = Source::Zipf {
                    chooser: Chooser::zipf(*exponent, *objects),
                    names: Names::new(sizes, query),
                };
                (source, query.len() + LINE_OCTETS_MAX.min(VARIABLE_OCTETS_MAX))
            }
            Targets::Unique(target) => (Source::unique(target, random.next()), target.len()),
        };
        let octets_max = 4 + target_octets_max + VARIABLE_OCTETS_MAX + rest.len() + CLOSE_END.len();
        Self { source, rest: rest.into_bytes(), check: load.check, random, octets_max }
    }

    /// Whether all requests are the same octets.
    pub(super) fn is_one(&self) -> bool {
        matches!(&self.source, Source::List { targets, .. } if targets.len() == 1)
    }

    /// Octets of a request at most.
    pub(super) fn octets_max(&self) -> usize {
        self.octets_max
    }

    /// Appends the next request; `last`: with the word that the connection ends with it. What must come back, when
    /// contents are checked.
    pub(super) fn write(&mut self, last: bool, out: &mut Vec<u8>) -> Option<Expected> {
        out.extend_from_slice(b"GET ");
        let from = out.len();
        self.source.write(&mut self.random, out);
        let expected = self.check.then(|| Expected::at(&out[from..]));
        out.extend_from_slice(&self.rest);
        out.extend_from_slice(if last { CLOSE_END } else { END });
        expected
    }
}

impl Source {
    fn list(targets: Vec<String>) -> Self {
        Self::List { targets, next: 0 }
    }

    /// `run` tells the targets of one run, or thread, from those of another.
    fn unique(target: &str, run: u64) -> Self {
        let (before, after) = match target.split_once(COUNTER) {
            Some((before, after)) => (before.to_owned(), after.to_owned()),
            None => {
                let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
                (format!("{}/", path.trim_end_matches('/')), query.to_owned())
            }
        };
        Self::Unique { before: format!("{before}{run:x}-"), after, next: 0 }
    }

    fn write(&mut self, random: &mut Random, out: &mut Vec<u8>) {
        let written = match self {
            Self::List { targets, next } => {
                out.extend_from_slice(targets[*next].as_bytes());
                *next = (*next + 1) % targets.len();
                Ok(())
            }
            Self::Zipf { chooser, names } => {
                names.write(chooser.choose(random), out);
                Ok(())
            }
            Self::Unique { before, after, next } => {
                *next += 1;
                write!(out, "{before}{next}{after}")
            }
        };
        written.expect("a Vec takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(targets: Targets) -> Load {
        Load::new("127.0.0.1:80".parse().unwrap(), targets)
    }

    fn written(requests: &mut Requests, last: bool) -> String {
        let mut out = Vec::new();
        requests.write(last, &mut out);
        assert!(out.len() <= requests.octets_max());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn heads() {
        let mut load = load(Targets::One("/a?b".to_owned()));
        assert_eq!(
            written(&mut Requests::new(&load, 0), false),
            "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"
        );
        load.host = Some("www.customer.test".to_owned());
        load.fields = vec!["Accept-Encoding: br".to_owned()];
        assert_eq!(
            written(&mut Requests::new(&load, 0), true),
            "GET /a?b HTTP/1.1\r\nHost: www.customer.test\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn all_of_a_mix_are_told() {
        let sizes = "1KB:3,1MB:1".parse().unwrap();
        let query = "max-age=9".to_owned();
        let mix = Targets::Zipf { exponent: 0.5, objects: 50, sizes, query };
        let all = mix.all();
        assert_eq!(all.len(), 50);
        assert!(all[7].ends_with("/7?max-age=9"), "{}", all[7]);
        let mut requests = Requests::new(&load(mix), 0);
        for _ in 0..200 {
            let head = written(&mut requests, false);
            let target = head.split(' ').nth(1).unwrap();
            assert!(all.iter().any(|known| known == target), "{target}");
        }
    }

    #[test]
    fn a_list_is_asked_for_in_turn() {
        let load = load(Targets::List(vec!["/a".to_owned(), "/b".to_owned()]));
        let mut requests = Requests::new(&load, 0);
        let first: Vec<_> = (0..3).map(|_| written(&mut requests, false)).collect();
        assert!(first[0].starts_with("GET /a ") && first[1].starts_with("GET /b "));
        assert_eq!(first[0], first[2]);
    }

    #[test]
    fn unique_targets_never_repeat_in_any_part() {
        let place = load(Targets::Unique("/bytes/1KB/x{n}y?max-age=9".to_owned()));
        let end = load(Targets::Unique("/bytes/1KB/?max-age=9".to_owned()));
        let mut seen = std::collections::HashSet::new();
        for load in [&place, &end] {
            for part in 0..2 {
                let mut requests = Requests::new(load, part);
                for _ in 0..100 {
                    let head = written(&mut requests, false);
                    assert!(head.starts_with("GET /bytes/1KB/"), "{head}");
                    assert!(head.contains("?max-age=9 HTTP/1.1"), "{head}");
                    assert!(seen.insert(head));
                }
            }
        }
    }

    #[test]
    fn an_object_of_a_mix_has_one_size() {
        let targets = |objects| Targets::Zipf {
            exponent: 0.9,
            objects,
            sizes: "1KB:3,16KB:1".parse().unwrap(),
            query: "max-age=60".to_owned(),
        };
        let mut sizes = std::collections::HashMap::new();
        let mut large = 0;
        let load = load(targets(1000));
        let mut requests = Requests::new(&load, 0);
        for _ in 0..20_000 {
            let head = written(&mut requests, false);
            let path = head.split(['?', ' ']).nth(1).unwrap().to_owned();
            let mut segments = path.split('/').skip(2);
            let (size, object) = (segments.next().unwrap(), segments.next().unwrap());
            let known = sizes.entry(object.to_owned()).or_insert_with(|| size.to_owned());
            assert_eq!(known, size, "{path}");
        }
        for size in sizes.values() {
            large += usize::from(size == "16KB");
        }
        assert!(sizes.len() > 900, "most objects of 1000 were asked for: {}", sizes.len());
        assert!((sizes.len() / 5..sizes.len() / 3).contains(&large), "a quarter is large: {large}");
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused() {
        for text in ["", "1KB:", "1KB:0", "big", "1KB,,2KB", "1KB:x"] {
            let error = text.parse::<Sizes>().unwrap_err();
            assert!(error.starts_with(&format!("{text:?} is no mix of sizes")), "{error}");
        }
    }

    #[test]
    fn targets_that_make_no_request_are_refused() {
        let zipf = |exponent, objects| Targets::Zipf {
            exponent,
            objects,
            sizes: "1KB".parse().unwrap(),
            query: String::new(),
        };
        for (targets, expected, why) in [
            (Targets::One("a".to_owned()), "\"a\" is not a target", "no path"),
            (Targets::One("/a b".to_owned()), "is not a target", "a blank"),
            (Targets::One("/a\r\nb".to_owned()), "without control characters", "two lines"),
            (Targets::List(Vec::new()), "0 targets; allowed: 1", "none"),
            (Targets::Unique("/".repeat(5000)), "4096 octets", "too long"),
            (zipf(-1.0, 5), "a Zipf mix of exponent -1", "upside down"),
            (zipf(1.0, 0), "0 objects", "nothing to choose"),
        ] {
            let error = load(targets).check().unwrap_err();
            assert!(error.is_misuse() && error.to_string().contains(expected), "{why}: {error}");
        }
    }
}
