//! An origin, an edge or a GSLB made of its flags, and stopped again.

pub mod edge;
pub mod gslb;
pub mod origin;

use crate::load::{Counted, Meter};
use lastmile_tuning::cpu;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// One counter or gauge: name (counters end in `_total`; labels may follow, as in `up{edge="e1"}`), what it counts,
/// value.
pub type Sample = (Cow<'static, str>, &'static str, u64);

/// A role that runs in threads of this process.
pub enum Role {
    /// A server of files or of synthetic objects.
    Origin(lastmile_origin::Origin),
    /// A cache.
    Edge(lastmile_edge::Edge),
    /// A steering DNS server.
    Gslb(Box<lastmile_gslb::Gslb>),
}

/// A role and the name that tells it from others of its kind.
pub struct Running {
    /// Such as `edge-1` or `parent`.
    pub name: String,
    /// What it is.
    pub role: Role,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}", self.name, self.addresses())
    }
}

impl Running {
    /// `origin`, `edge` or `gslb`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.role {
            Role::Origin(_) => "origin",
            Role::Edge(_) => "edge",
            Role::Gslb(_) => "gslb",
        }
    }

    fn gslb(&self) -> Option<&lastmile_gslb::Gslb> {
        match &self.role {
            Role::Gslb(gslb) => Some(gslb),
            Role::Origin(_) | Role::Edge(_) => None,
        }
    }

    /// Where it listens, with the ports that the kernel chose.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match &self.role {
            Role::Origin(origin) => vec![origin.address()],
            Role::Edge(edge) => edge.addresses().to_vec(),
            Role::Gslb(gslb) => [gslb.address()].into_iter().chain(gslb.http_address()).collect(),
        }
    }

    /// Its counters, summed over the cores.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        match &self.role {
            Role::Origin(origin) => owned(origin.samples()),
            Role::Edge(edge) => owned(edge.samples()),
            Role::Gslb(gslb) => gslb.samples(),
        }
    }

    /// Whether it has files that are read again.
    fn can_reload(&self) -> bool {
        match &self.role {
            Role::Origin(origin) => origin.has_tcp_policy(),
            Role::Edge(edge) => edge.has_tcp_policy(),
            Role::Gslb(_) => true,
        }
    }

    /// Lets it read its files again, if it has some, and says what they hold.
    fn reload(&self) -> Option<Result<String, String>> {
        let policy = match &self.role {
            Role::Origin(origin) => origin.reload_tcp_policy()?,
            Role::Edge(edge) => edge.reload_tcp_policy()?,
            Role::Gslb(gslb) => {
                let summary = gslb.reload().map(|summary| summary.to_string());
                return Some(summary.map_err(|error| error.to_string()));
            }
        };
        Some(policy.map(|prefixes| format!("{}: a TCP policy of {prefixes} prefixes", self.name)))
    }

    /// Ends it: no new work, and what is under way may take up to `drain`.
    pub fn stop(self, drain: Duration) {
        match self.role {
            Role::Origin(origin) => origin.stop(drain),
            Role::Edge(edge) => edge.stop(drain),
            Role::Gslb(gslb) => gslb.stop(drain),
        }
    }
}

/// The samples of a role all of whose names are known before it runs.
fn owned(samples: Vec<(&'static str, &'static str, u64)>) -> Vec<Sample> {
    samples.into_iter().map(|(name, help, value)| (name.into(), help, value)).collect()
}

/// What one role tells about itself at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    /// Such as `edge-1`.
    pub name: String,
    /// `origin`, `edge` or `gslb`.
    pub kind: &'static str,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// Its counters.
    pub samples: Vec<Sample>,
}

/// The roles of this process, in the order of their start: a role is asked only by those after it.
#[derive(Debug)]
pub struct Board {
    /// Whoever only looks at them, however long, keeps nobody else from it.
    running: RwLock<Vec<Running>>,
    meters: Mutex<BTreeMap<String, Meter>>,
    started: Instant,
    ending: watch::Sender<bool>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            running: RwLock::default(),
            meters: Mutex::default(),
            started: Instant::now(),
            ending: watch::Sender::new(false),
        }
    }
}

impl Board {
    /// Adds a role that has started.
    pub fn add(&self, running: Running) {
        self.running_mut().push(running);
    }

    /// What each role tells about itself now.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let report = |running: &Running| Report {
            name: running.name.clone(),
            kind: running.kind(),
            addresses: running.addresses(),
            samples: running.samples(),
        };
        self.running().iter().map(report).collect()
    }

    /// Since when this process runs.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the roles have been told to end.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Becomes true when the roles are told to end.
    #[must_use]
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// Whether anything here reads its files again when it is told to.
    #[must_use]
    pub fn can_reload(&self) -> bool {
        self.running().iter().any(Running::can_reload)
    }

    /// Lets each role that has files that may change read them again, and returns what they hold.
    ///
    /// # Errors
    /// What is wrong with them; they are not taken then. Also when there is no such role.
    pub fn reload(&self) -> Result<String, String> {
        let running = self.running();
        let lines: Result<Vec<_>, _> = running.iter().filter_map(Running::reload).collect();
        match lines?.as_slice() {
            [] => Err("nothing here has files that are read again".to_owned()),
            lines => Ok(lines.join("\n")),
        }
    }

    /// Sets which modes of the GSLB are on, those that are given, and says how it is then.
    ///
    /// # Errors
    /// There is no GSLB.
    pub fn set_modes(
        &self,
        backup: Option<lastmile_gslb::Switch>,
        fixed: Option<lastmile_gslb::Switch>,
    ) -> Result<String, String> {
        let running = self.running();
        let gslb = running.iter().find_map(Running::gslb).ok_or("no GSLB runs here")?;
        Ok(gslb.set_modes(backup, fixed))
    }

    /// Which answer a client of the GSLB gets now, and why.
    ///
    /// # Errors
    /// Why there is nothing to say. Also when there is no GSLB.
    pub fn explain(
        &self,
        question: &lastmile_gslb::Question,
    ) -> Result<lastmile_gslb::Explanation, String> {
        let running = self.running();
        let gslb = running.iter().find_map(Running::gslb).ok_or("no GSLB runs here")?;
        gslb.explain(question)
    }

    /// Lines `prefix,region` for the GSLB's map: resolvers whose clients are elsewhere than it says.
    ///
    /// # Errors
    /// There is no GSLB with HTTP.
    pub fn corrections(&self) -> Result<String, String> {
        let running = self.running();
        let gslb = running.iter().find_map(Running::gslb).ok_or("no GSLB runs here")?;
        gslb.corrections()
            .ok_or_else(|| "the GSLB serves no HTTP, so it sees no clients".to_owned())
    }

    /// Lets each GSLB take measured round-trip times in, and returns how many there were.
    ///
    /// # Errors
    /// What is wrong with them; none is taken then. Also when there is no GSLB.
    pub fn measure(&self, csv: &str) -> Result<usize, String> {
        let running = self.running();
        let gslbs = running.iter().filter_map(Running::gslb);
        let counts: Result<Vec<_>, _> = gslbs.map(|gslb| gslb.measure(csv)).collect();
        counts?.first().copied().ok_or_else(|| "no GSLB runs here".to_owned())
    }

    /// How busy the edge of this name is, or without one the first edge.
    ///
    /// # Errors
    /// There is none.
    pub fn load(&self, name: Option<&str>) -> Result<serde_json::Value, String> {
        let running = self.running();
        let mut edges = running.iter().filter(|running| matches!(running.role, Role::Edge(_)));
        let edge = edges.find(|edge| name.is_none_or(|name| edge.name == name));
        let edge = edge.ok_or("no such edge runs here")?;
        let samples = edge.samples();
        let sample = |name: &str| samples.iter().find(|it| it.0 == name).map_or(0, |it| it.2);
        let now = Counted {
            at: self.uptime(),
            octets: sample("sent_octets_total"),
            cpu: cpu::used_by_process().map_err(|error| error.to_string())?,
        };
        let cores = cpu::Cores::allowed().map_or(1, |cores| cores.numbers().len());
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = meters.entry(edge.name.clone()).or_default();
        Ok(meter.read(now, cores, sample("connections")))
    }

    /// Ends every role within `drain` altogether, the one started last first, so that none loses its
    /// upstream while it drains. Neighbours of one kind, such as the edges, end side by side.
    pub fn stop(&self, drain: Duration) {
        self.ending.send_replace(true);
        let deadline = Instant::now() + drain;
        let mut running = std::mem::take(&mut *self.running_mut());
        while let Some(last) = running.pop() {
            let rank = Self::rank(&last);
            let mut together = vec![last];
            while running.last().is_some_and(|next| Self::rank(next) == rank) {
                together.extend(running.pop());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            std::thread::scope(|scope| {
                for running in together {
                    scope.spawn(move || running.stop(left));
                }
            });
        }
    }

    /// Roles of one rank do not ask each other.
    fn rank(running: &Running) -> (&'static str, bool) {
        (running.kind(), running.name == PARENT)
    }

    fn running(&self) -> RwLockReadGuard<'_, Vec<Running>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn running_mut(&self) -> RwLockWriteGuard<'_, Vec<Running>> {
        self.running.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the edge that other edges ask.
pub const PARENT: &str = "parent";
