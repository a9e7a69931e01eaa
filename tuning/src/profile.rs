//! What is wanted of the knobs: a profile, which is a TOML file. Those that ship are compiled in and can be copied.

use crate::journal::Journal;
use crate::knobs::form::Wanted;
use crate::knobs::{self, Access, Knob};
use crate::policy::{PolicyTable, Said};
use crate::route::{Prefix, Route};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A profile is written by hand; a larger file is another file.
const FILE_OCTETS_MAX: u64 = 1 << 20;

/// Profiles include others this deep. One of tuned's includes one; a loop would have no end.
const INCLUDES_MAX: usize = 8;

/// Routes that a profile or a file of policies names. Each is some messages to the kernel for each knob; a routing
/// daemon has better means for more.
const ROUTES_MAX: usize = 256;

/// The profiles that ship, with their text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("edge", include_str!("../profiles/edge.toml")),
    ("edge-lossy", include_str!("../profiles/edge-lossy.toml")),
    ("parent", include_str!("../profiles/parent.toml")),
    ("origin", include_str!("../profiles/origin.toml")),
    ("gslb", include_str!("../profiles/gslb.toml")),
    ("bench-rig", include_str!("../profiles/bench-rig.toml")),
    ("tuned-throughput-performance", include_str!("../profiles/tuned-throughput-performance.toml")),
    ("tuned-network-throughput", include_str!("../profiles/tuned-network-throughput.toml")),
    ("tuned-latency-performance", include_str!("../profiles/tuned-latency-performance.toml")),
    ("tuned-network-latency", include_str!("../profiles/tuned-network-latency.toml")),
];

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its name, or its file.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// The prefixes whose routes are meant; none means the default routes.
    pub routes: Vec<Prefix>,
    /// The file of policies whose prefixes have routes besides; none without any.
    pub policies: Option<String>,
    /// The knobs that these were asked for; none means all.
    pub asked: Vec<String>,
    wanted: BTreeMap<&'static str, Wanted>,
    said: BTreeMap<Prefix, Said>,
}

impl fmt::Display for Profile {
    /// As messages call it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.policies {
            None => write!(f, "profile {}", self.name),
            Some(file) if self.name.is_empty() => write!(f, "TCP policy {file}"),
            Some(file) => write!(f, "profile {} and TCP policy {file}", self.name),
        }
    }
}

impl Profile {
    /// The profile that ships under this name, or otherwise the one in the file of this path.
    ///
    /// # Errors
    /// One line: file, line, key, value, and what is allowed.
    pub fn load(name: &str) -> Result<Self, String> {
        Self::load_below(name, Path::new(""), 0)
    }

    /// Reads `text`; errors call it `file`, and what it includes is looked for beside that.
    ///
    /// # Errors
    /// As for [`Profile::load`].
    pub fn parse(file: &str, text: &str) -> Result<Self, String> {
        Self::parse_below(file, text, 0)
    }

    /// What it wants of `knob`.
    #[must_use]
    pub fn wanted(&self, knob: &Knob) -> Option<&Wanted> {
        self.wanted.get(knob.id)
    }

    /// What it wants of `knob` at this place: of a route what the policy of the longest prefix around it says. What
    /// that leaves to the system is the profile's; nothing comes from shorter ones.
    #[must_use]
    pub fn wanted_at(&self, knob: &Knob, instance: &str) -> Option<&Wanted> {
        let said = match knob.access {
            Access::Route(_) => instance.parse().ok().and_then(|prefix| self.said_around(prefix)),
            _ => None,
        };
        said.and_then(|said| said.get(knob.id)).or_else(|| self.wanted(knob))
    }

    fn said_around(&self, prefix: Prefix) -> Option<&Said> {
        let bits = (0..=prefix.bits()).rev();
        bits.filter_map(|bits| self.said.get(&Prefix::new(prefix.address(), bits)?)).next()
    }

    /// The same, and what routes can say of the policies in `table`, which is that of `file`, of these knobs.
    ///
    /// # Errors
    /// One line: more prefixes than can have routes.
    pub fn with_policies(
        mut self,
        file: &str,
        table: &PolicyTable,
        knobs: &[&Knob],
    ) -> Result<Self, String> {
        self.said = table.routes(|id| knobs.iter().any(|knob| knob.id == id));
        self.policies = Some(file.to_owned());
        let routes = || knobs::all().filter(|knob| matches!(knob.access, Access::Route(_)));
        self.asked = match routes().all(|knob| knobs.contains(&knob)) {
            true => Vec::new(),
            false => routes().filter(|it| knobs.contains(it)).map(|it| it.id.to_owned()).collect(),
        };
        match self.said.len() {
            0..=ROUTES_MAX => Ok(self),
            count => Err(format!(
                "{file}: {count} prefixes that take a route each; allowed: up to {ROUTES_MAX} \
                 (with BPF {})",
                crate::bpf::PREFIXES_MAX
            )),
        }
    }

    /// The same, and the policies that were applied as `journal` says.
    #[must_use]
    pub fn with_applied_policies(mut self, journal: &Journal) -> Self {
        let wanted = |(id, value): (&String, &String)| {
            let wanted = Wanted { value: value.clone(), is_minimum: false };
            Some((knobs::find(id)?.id, wanted))
        };
        let of = |(prefix, said): (&String, &BTreeMap<String, String>)| {
            Some((prefix.parse().ok()?, said.iter().filter_map(wanted).collect()))
        };
        self.said = journal.said.iter().filter_map(of).collect();
        self.policies.clone_from(&journal.policies);
        self.asked.clone_from(&journal.asked);
        self
    }

    /// The prefixes that have routes by a policy.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        self.said.keys().copied()
    }

    /// Of `routes` those that no policy reaches, though a prefix that has one is around them: they are longer, and no
    /// prefix of their own has one. Addresses of a single link are nobody's clients.
    #[must_use]
    pub fn passed_by(&self, routes: &[Route]) -> Vec<Prefix> {
        let is_meant = |prefix: &Prefix| match prefix.address() {
            IpAddr::V6(address) if address.is_unicast_link_local() => true,
            _ => self.said.contains_key(prefix) || self.routes.contains(prefix),
        };
        let mut passed_by: Vec<_> = routes.iter().map(Route::destination).collect();
        passed_by.retain(|prefix| !is_meant(prefix) && self.said_around(*prefix).is_some());
        passed_by.sort_unstable();
        passed_by.dedup();
        passed_by
    }

    /// What the routes of those say: values by knob, by prefix.
    #[must_use]
    pub fn said(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let of = |(prefix, said): (&Prefix, &Said)| {
            let said = said.iter().map(|(id, wanted)| ((*id).to_owned(), wanted.to_string()));
            (prefix.to_string(), said.collect())
        };
        self.said.iter().map(of).collect()
    }

    /// The same, but only of these knobs. Policies stay as they are.
    #[must_use]
    pub fn only(mut self, knobs: &[&Knob]) -> Self {
        self.wanted.retain(|id, _| knobs.iter().any(|knob| knob.id == *id));
        self
    }

    /// The knobs that it wants something of.
    pub fn knobs(&self) -> impl Iterator<Item = &'static Knob> {
        self.wanted.keys().filter_map(|id| knobs::find(id))
    }

    /// How many knobs it wants something of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether it wants nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    fn load_below(name: &str, folder: &Path, depth: usize) -> Result<Self, String> {
        if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Self::parse_below(name, text, depth);
        }
        let path = folder.join(name);
        let refused = |why: String| {
            let names: Vec<_> = SHIPPED.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            format!("profile {:?}: {why}; allowed: {names}, or a file", path.display())
        };
        let metadata = std::fs::metadata(&path).map_err(|error| refused(error.to_string()))?;
        if metadata.len() > FILE_OCTETS_MAX {
            return Err(refused(format!("larger than {FILE_OCTETS_MAX} octets")));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| refused(error.to_string()))?;
        Self::parse_below(&path.to_string_lossy(), &text, depth)
    }

    fn parse_below(file: &str, text: &str, depth: usize) -> Result<Self, String> {
        let at = |offset: usize| {
            let before = &text.as_bytes()[..offset.min(text.len())];
            format!("{file}:{}", before.iter().filter(|octet| **octet == b'\n').count() + 1)
        };
        let document = DeTable::parse(text).map_err(|error| {
            let place = at(error.span().map_or(0, |span| span.start));
            let message: Vec<&str> = error.message().lines().collect();
            format!("{place}: {}", message.join("; "))
        })?;
        let mut entries = Vec::new();
        flatten("", document.get_ref(), &mut entries);
        // The first mistake of the file is the one that is told.
        entries.sort_by_key(|(_, value)| value.span().start);
        let mut profile = Self { name: file.to_owned(), ..Self::default() };
        let mut included = None;
        for (key, value) in entries {
            let mistake = |what: String| format!("{}: {key}: {what}", at(value.span().start));
            match key.as_str() {
                "about" => profile.about = string(value.get_ref()).map_err(mistake)?,
                "include" => {
                    let name = string(value.get_ref()).map_err(mistake)?;
                    let folder = Path::new(file).parent().map(PathBuf::from).unwrap_or_default();
                    if depth == INCLUDES_MAX {
                        let deep = format!("{name:?}: profiles include each other {depth} deep");
                        return Err(mistake(format!("{deep}; allowed: {INCLUDES_MAX}")));
                    }
                    included = Some(Self::load_below(&name, &folder, depth + 1).map_err(mistake)?);
                }
                "routes" => profile.routes = routes(value.get_ref()).map_err(mistake)?,
                _ => {
                    let knob = writable(&key).map_err(mistake)?;
                    let text = scalar(value.get_ref()).map_err(mistake)?;
                    let wanted = knob.form.wanted(&text).map_err(mistake)?;
                    if let Some(other) = profile.knobs().find(|other| knob.excludes(other)) {
                        let both = format!("{text:?} beside {}: each undoes the other", other.id);
                        return Err(mistake(format!("{both}; allowed: one of the two")));
                    }
                    profile.wanted.insert(knob.id, wanted);
                }
            }
        }
        Ok(match included {
            Some(base) => profile.over(base),
            None => profile,
        })
    }

    /// This profile, and what only `base` has, as far as nothing here excludes it.
    fn over(mut self, mut base: Self) -> Self {
        let own: Vec<&Knob> = self.knobs().collect();
        base.wanted.retain(|id, _| {
            knobs::find(id).is_some_and(|of_base| !own.iter().any(|knob| knob.excludes(of_base)))
        });
        for (id, wanted) in base.wanted {
            self.wanted.entry(id).or_insert(wanted);
        }
        if self.routes.is_empty() {
            self.routes = base.routes;
        }
        self
    }
}

/// Values with their keys, tables within tables as keys with dots.
fn flatten<'a, 'i>(
    prefix: &str,
    table: &'a DeTable<'i>,
    out: &mut Vec<(String, &'a Spanned<DeValue<'i>>)>,
) {
    for (key, value) in table {
        let key = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        match value.get_ref() {
            DeValue::Table(inner) => flatten(&key, inner, out),
            _ => out.push((key, value)),
        }
    }
}

fn writable(id: &str) -> Result<&'static Knob, String> {
    let knob = knobs::find(id).ok_or_else(|| {
        let near: Vec<_> = near(id).collect();
        let allowed = "about, include, routes, or a knob of `lastmile tune explain`";
        match near.as_slice() {
            [] => format!("unknown knob; allowed: {allowed}"),
            near => format!("unknown knob; allowed: {}, and others: {allowed}", near.join(", ")),
        }
    })?;
    match knob.access {
        Access::Socket(_) => {
            Err("not set for a machine; allowed: lastmile sets it on each socket".to_owned())
        }
        Access::Policy => {
            Err("not set for a machine; allowed: lastmile edge --tcp-policy FILE".to_owned())
        }
        Access::ByHand => Err("not set by lastmile; allowed: by hand".to_owned()),
        Access::Sysctl | Access::Files(_) | Access::Device(_) | Access::Offload(_) => Ok(knob),
        Access::Interrupt | Access::Route(_) | Access::Limit(..) => Ok(knob),
    }
}

/// Some knobs that share a word with `id`.
fn near(id: &str) -> impl Iterator<Item = &'static str> {
    const NEAR_MAX: usize = 5;
    let words: Vec<String> = id
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .split('_')
        .filter(|word| word.len() > 3)
        .map(str::to_owned)
        .collect();
    let shares = move |knob: &&Knob| words.iter().any(|word| knob.id.contains(word.as_str()));
    knobs::all().filter(|knob| knob.is_writable()).filter(shares).map(|knob| knob.id).take(NEAR_MAX)
}

fn string(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        other => Err(format!("a value of type {} instead of a string", other.type_str())),
    }
}

fn routes(value: &DeValue<'_>) -> Result<Vec<Prefix>, String> {
    let Some(values) = value.as_array() else {
        let found = value.type_str();
        return Err(format!("a value of type {found}; allowed: a list of prefixes"));
    };
    if values.len() > ROUTES_MAX {
        return Err(format!("{} prefixes; allowed: up to {ROUTES_MAX}", values.len()));
    }
    values.iter().map(|value| string(value.get_ref())?.parse()).collect()
}

/// A number, a word, or several numbers, as the kernel reads them.
fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Array(values) => {
            let words: Result<Vec<_>, _> =
                values.iter().map(|value| scalar(value.get_ref())).collect();
            Ok(words?.join(" "))
        }
        DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            let found = value.type_str();
            Err(format!("a value of type {found}; allowed: a string, a whole number, or a list"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_can_be_read() {
        for (name, text) in SHIPPED {
            let profile = Profile::load(name).unwrap();
            assert_eq!(profile.name, *name);
            assert!(profile.about.len() > 20 && !profile.is_empty(), "{name} says what it is for");
            let path = format!("{}/profiles/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            assert_eq!(Profile::load(&path).unwrap().wanted, profile.wanted, "as a file");
            for line in text.lines() {
                assert!(line.chars().count() <= 120, "{name}: {line}");
            }
        }
    }

    #[test]
    fn mistakes_name_file_line_key_value_and_what_is_allowed() {
        for (text, message, why) in [
            (
                "about = \"x\"\nnet.ipv4.tcp_sack = 7\n",
                "p.toml:2: net.ipv4.tcp_sack: \"7\" is not allowed; allowed: 0 to 1",
                "out of range",
            ),
            (
                "[net.ipv4]\ntcp_sck = 1\n",
                "p.toml:2: net.ipv4.tcp_sck: unknown knob; allowed: about, include",
                "no such knob",
            ),
            (
                "net.ipv4.tcp_syn_retry = 1\n",
                "p.toml:1: net.ipv4.tcp_syn_retry: unknown knob; allowed: ",
                "one that is nearly right",
            ),
            (
                "socket.nodelay = 1\n",
                "p.toml:1: socket.nodelay: not set for a machine",
                "of sockets",
            ),
            ("vm.swappiness = 1.5\n", "p.toml:1: vm.swappiness: a value of type float", "a float"),
            (
                "net.ipv4.tcp_rmem = [1, 2]\n",
                "p.toml:1: net.ipv4.tcp_rmem: \"1 2\" is not allowed; allowed: 3 numbers from 0",
                "one is missing",
            ),
            (
                "routes = [\"here\"]\n",
                "p.toml:1: routes: \"here\" is no prefix; allowed: ",
                "a route",
            ),
            ("routes = 1\n", "p.toml:1: routes: a value of type integer; allowed: ", "no list"),
            (
                "vm.dirty_bytes = 1048576\nvm.swappiness = 1\nvm.dirty_ratio = 10\n",
                "p.toml:3: vm.dirty_ratio: \"10\" beside vm.dirty_bytes: each undoes the other; allowed: one",
                "one makes the other 0",
            ),
            (
                "[vm]\ndirty_background_ratio = 3\ndirty_background_bytes = 1048576\n",
                "p.toml:3: vm.dirty_background_bytes: \"1048576\" beside vm.dirty_background_ratio: ",
                "the other pair, the other way round",
            ),
            ("include = \"none-such\"\n", "p.toml:1: include: profile \"none-such\": ", "no file"),
            ("include = 1\n", "p.toml:1: include: a value of type integer", "no name"),
            ("a = \n", "p.toml:1: ", "not TOML"),
        ] {
            let error = Profile::parse("p.toml", text).unwrap_err();
            assert!(error.starts_with(message), "{why}: {error}");
            assert!(!error.contains('\n'), "{why}: one line: {error}");
        }
    }

    #[test]
    fn what_is_included_is_overridden() {
        let text = "include = \"tuned-latency-performance\"\nvm.swappiness = 20\n";
        let profile = Profile::parse("p.toml", text).unwrap();
        let wanted = |id: &str| profile.wanted(knobs::find(id).unwrap()).map(ToString::to_string);
        assert_eq!(wanted("vm.swappiness").as_deref(), Some("20"));
        assert_eq!(wanted("vm.dirty_ratio").as_deref(), Some("10"), "of tuned's");
        let text = "include = \"edge\"\nvm.dirty_bytes = 1048576\n";
        let profile = Profile::parse("p.toml", text).unwrap();
        let wanted = |id: &str| profile.wanted(knobs::find(id).unwrap()).map(ToString::to_string);
        assert_eq!(wanted("vm.dirty_bytes").as_deref(), Some("1048576"));
        assert_eq!(wanted("vm.dirty_ratio"), None, "what excludes it goes before what is included");
        assert!(wanted("vm.dirty_background_ratio").is_some(), "of edge's");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loop.toml");
        std::fs::write(&path, "include = \"loop.toml\"\n").unwrap();
        let error = Profile::load(path.to_str().unwrap()).unwrap_err();
        assert!(error.contains("profiles include each other 8 deep; allowed: 8"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}
