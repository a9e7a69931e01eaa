//! A table of policies in force: by BPF for all that it says, or, where BPF is not allowed, by socket options for what
//! these can say.

#![forbid(unsafe_code)]

use super::{Policy, PolicyTable};
use crate::bpf::program::{CONGESTION_OCTETS, COUNTERS, Counter, End, EndKey, Settings};
use crate::bpf::{SockOps, mapped};
use crate::socket::raw;
use arc_swap::ArcSwap;
use crossbeam::utils::CachePadded;
use rustix::time::{ClockId, clock_getres};
use socket2::SockRef;
use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZero;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

const OPTIONS: &str = "Options that policies gave to connections.";

/// The counters as the roles tell them.
const SAMPLES: [(Counter, &str, &str); COUNTERS] = [
    (
        Counter::Connections,
        "tcp_policy_connections_total",
        "Connections, of clients and to upstreams, for which a policy was looked up.",
    ),
    (Counter::Hits, "tcp_policy_hits_total", "Connections that have a policy."),
    (Counter::Initcwnd, "tcp_policy_options_total{option=\"initcwnd\"}", OPTIONS),
    (Counter::Initrwnd, "tcp_policy_options_total{option=\"initrwnd\"}", OPTIONS),
    (Counter::SynTimeout, "tcp_policy_options_total{option=\"syn-timeout\"}", OPTIONS),
    (Counter::Congestion, "tcp_policy_options_total{option=\"congestion\"}", OPTIONS),
    (Counter::RtoMin, "tcp_policy_options_total{option=\"rto-min\"}", OPTIONS),
    (Counter::DelackMax, "tcp_policy_options_total{option=\"delack-max\"}", OPTIONS),
    (Counter::Pacing, "tcp_policy_options_total{option=\"pacing\"}", OPTIONS),
    (Counter::Failures, "tcp_policy_failures_total", "Options that the kernel refused."),
];

/// How policies are given to connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// By the kernel, from the first packet on.
    Bpf,
    /// By whoever opens or accepts them ([`Enforcement::apply`]), for this reason.
    Sockets(String),
}

/// A table of policies in force for the listeners and the upstreams of this process, until it is dropped.
#[derive(Debug)]
pub struct Enforcement {
    /// Read for each connection without a lock and without writing a shared line.
    table: ArcSwap<PolicyTable>,
    /// Where it has been read.
    file: Option<PathBuf>,
    /// Whose turn it is to change what is in force.
    turn: Mutex<()>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Bpf(Box<InKernel>),
    Sockets(BySockets),
}

#[derive(Debug)]
struct InKernel {
    sock_ops: SockOps,
    /// Of upstreams.
    netns: u64,
    upstreams: Mutex<HashSet<SocketAddr>>,
    tick: Duration,
}

#[derive(Debug)]
struct BySockets {
    why: String,
    /// For each core's worth of threads, at the places of [`Counter`].
    counts: Box<[CachePadded<[AtomicU64; COUNTERS]>]>,
}

/// How many threads have a number.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of a thread that counts: workers, of which each core has one, have different ones.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

impl Enforcement {
    /// Puts `table` in force for `listeners`, and later for what [`Enforcement::set_upstreams`] says. Upstreams are
    /// those of the calling thread's network namespace.
    ///
    /// # Errors
    /// What a map that is full says. That BPF is not allowed is none: see [`Enforcement::means`].
    pub fn start<'a>(
        table: PolicyTable,
        listeners: impl IntoIterator<Item = &'a TcpListener>,
    ) -> io::Result<Self> {
        let way = match InKernel::attach() {
            Ok(kernel) => {
                for listener in listeners {
                    kernel.add_listener(listener)?;
                }
                Way::Bpf(Box::new(kernel))
            }
            Err(error) => Way::Sockets(BySockets::new(error.to_string())),
        };
        let this = Self { table: ArcSwap::default(), file: None, turn: Mutex::default(), way };
        this.replace(table)?;
        Ok(this)
    }

    /// Puts the table of the file at `path` in force: see [`Enforcement::start`].
    ///
    /// # Errors
    /// `InvalidInput` for what is wrong with the file, in one line with its name; as for [`Enforcement::start`].
    pub fn of_file<'a>(
        path: &Path,
        listeners: impl IntoIterator<Item = &'a TcpListener>,
    ) -> io::Result<Self> {
        let table = PolicyTable::read(path)
            .map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))?;
        Ok(Self { file: Some(path.to_owned()), ..Self::start(table, listeners)? })
    }

    /// Reads the file again, puts its table in the place of the one that is in force, and returns how many prefixes it
    /// has. Connections that are open keep what they have.
    ///
    /// # Errors
    /// What is wrong with the file, or that there is none; nothing changes then. As for [`Enforcement::replace`].
    pub fn reload(&self) -> Result<usize, String> {
        let path = self.file.as_deref().ok_or("the policy comes from no file")?;
        let table = PolicyTable::read(path)?;
        let prefixes = table.len();
        self.replace(table).map(|()| prefixes).map_err(|error| error.to_string())
    }

    /// Puts `table` in the place of the one that is in force. Connections that are open keep what they have.
    ///
    /// # Errors
    /// What the kernel says of a map that does not take more; some prefixes may have their new policies then.
    pub fn replace(&self, table: PolicyTable) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, before) = (Arc::new(table), self.table.load_full());
        if let Way::Bpf(kernel) = &self.way {
            // First what goes, so that there is room for what comes.
            for (prefix, _) in before.iter().filter(|(prefix, _)| !table.0.contains_key(prefix)) {
                kernel.sock_ops.unset(prefix)?;
            }
        }
        // From here on the kernel has no prefix that this has not, whatever happens.
        self.table.store(Arc::clone(&table));
        if let Way::Bpf(kernel) = &self.way {
            for (prefix, policy) in table.iter() {
                kernel.sock_ops.set(prefix, &settings(policy, kernel.tick))?;
            }
        }
        Ok(())
    }

    /// From now on these are the upstreams, to which connections have policies too.
    ///
    /// # Errors
    /// More than [`crate::bpf::ENDS_MAX`].
    pub fn set_upstreams(&self, upstreams: &[SocketAddr]) -> io::Result<()> {
        let Way::Bpf(kernel) = &self.way else { return Ok(()) };
        let mut known = kernel.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: HashSet<_> = upstreams.iter().copied().collect();
        let key = |address: &SocketAddr| end(kernel.netns, *address, End::Upstream);
        let gone: Vec<_> = known.difference(&wanted).copied().collect();
        for address in gone {
            kernel.sock_ops.remove_end(key(&address))?;
            known.remove(&address);
        }
        for address in wanted {
            kernel.sock_ops.add_end(key(&address))?;
            known.insert(address);
        }
        Ok(())
    }

    /// Gives a connection to `peer` what its policy says, if that is not done by the kernel: for each one that has been
    /// accepted, and for each one that is about to be opened. What the kernel refuses is counted.
    pub fn apply(&self, socket: &impl AsFd, peer: IpAddr) {
        if let Way::Sockets(sockets) = &self.way {
            sockets.apply(socket, self.table.load().policy_of(peer));
        }
    }

    /// How it is in force.
    #[must_use]
    pub fn means(&self) -> Means {
        match &self.way {
            Way::Bpf(_) => Means::Bpf,
            Way::Sockets(sockets) => Means::Sockets(sockets.why.clone()),
        }
    }

    /// Which keys of the table are not in force here, and why, in one line; `None` where BPF does all.
    #[must_use]
    pub fn shortcomings(&self) -> Option<String> {
        let Way::Sockets(sockets) = &self.way else { return None };
        let table = self.table.load();
        let says = |key: fn(&Policy) -> bool| table.iter().any(|(_, policy)| key(policy));
        let keys = [
            ("initcwnd", says(|policy| policy.initcwnd.is_some())),
            ("initrwnd", says(|policy| policy.initrwnd.is_some())),
            ("syn-timeout", says(|policy| policy.syn_timeout.is_some())),
        ];
        let missing: Vec<_> = keys.iter().filter(|key| key.1).map(|key| key.0).collect();
        let without = match missing.as_slice() {
            [] => String::new(),
            missing => format!(" without {}", missing.join(", ")),
        };
        let by_routes: Vec<_> = missing.into_iter().filter(|key| *key != "syn-timeout").collect();
        let by_routes = match by_routes.as_slice() {
            [] => String::new(),
            keys => format!(
                "; routes can say {}: lastmile tune apply --tcp-policy FILE",
                keys.join(", ")
            ),
        };
        let file =
            self.file.as_ref().map_or(String::new(), |path| format!(" of {}", path.display()));
        let why = &sockets.why;
        Some(format!(
            "the TCP policy{file} is in force{without}, by socket options; BPF is not to be had: \
             {why}{by_routes}"
        ))
    }

    /// Name, description and value of each counter and gauge, as the roles tell theirs.
    #[must_use]
    pub fn samples(&self) -> Vec<(&'static str, &'static str, u64)> {
        let (is_bpf, counts) = match &self.way {
            Way::Bpf(kernel) => (1, kernel.sock_ops.counts().unwrap_or_default()),
            Way::Sockets(sockets) => (0, sockets.sums()),
        };
        let means = "Whether policies are given by BPF (1) or by socket options (0).";
        let mut samples = vec![
            ("tcp_policy_prefixes", "Prefixes that have a policy.", self.table.load().len() as u64),
            ("tcp_policy_bpf", means, is_bpf),
        ];
        samples.extend(
            SAMPLES.iter().map(|(counter, name, help)| (*name, *help, counts[*counter as usize])),
        );
        samples
    }
}

impl InKernel {
    fn attach() -> io::Result<Self> {
        let sock_ops = SockOps::attach()?;
        let any = raw::stream()?;
        let netns = raw::netns_cookie(&any)?;
        Ok(Self { sock_ops, netns, upstreams: Mutex::default(), tick: tick()? })
    }

    fn add_listener(&self, listener: &TcpListener) -> io::Result<()> {
        let address = listener.local_addr()?;
        let netns = raw::netns_cookie(listener)?;
        self.sock_ops.add_end(end(netns, address, End::Listener))?;
        let is_any = address.is_ipv6() && address.ip().is_unspecified();
        if is_any && !SockRef::from(listener).only_v6()? {
            // It accepts IPv4 too.
            let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            self.sock_ops.add_end(end(netns, any, End::Listener))?;
        }
        Ok(())
    }
}

/// How long a tick of the kernel is: what its coarse clocks advance by (`KTIME_LOW_RES`, clock_getres(2)). Its rate,
/// `CONFIG_HZ`, is told nowhere else that is always there.
fn tick() -> io::Result<Duration> {
    let tick = clock_getres(ClockId::MonotonicCoarse);
    let nanoseconds = u32::try_from(tick.tv_nsec).ok().filter(|ns| tick.tv_sec == 0 && *ns > 0);
    nanoseconds
        .map(|ns| Duration::new(0, ns))
        .ok_or_else(|| io::Error::other("the kernel does not tell its tick (clock_getres(2))"))
}

fn end(netns: u64, address: SocketAddr, end: End) -> EndKey {
    EndKey { netns, address: mapped(address.ip()), port: address.port(), end }
}

/// What the program is told. Times are rounded up to ticks of the kernel, of which its bounds must have two at least
/// (`TCP_TIMEOUT_MIN`).
fn settings(policy: &Policy, tick: Duration) -> Settings {
    let ticks = |time: Duration| time.as_nanos().div_ceil(tick.as_nanos());
    let word = |number: u128| u32::try_from(number).unwrap_or(u32::MAX);
    let bound = |time: Option<Duration>| {
        time.map_or(0, |time| word(ticks(time).max(2) * tick.as_nanos() / 1_000))
    };
    let mut congestion = [0; CONGESTION_OCTETS];
    let name = policy.congestion.as_deref().unwrap_or_default().as_bytes();
    let octets = name.len().min(CONGESTION_OCTETS - 1);
    congestion[..octets].copy_from_slice(&name[..octets]);
    Settings {
        initcwnd: policy.initcwnd.unwrap_or(0),
        initrwnd: policy.initrwnd.unwrap_or(0),
        syn_timeout_ticks: policy.syn_timeout.map_or(0, |time| word(ticks(time).max(1))),
        rto_min_us: bound(policy.rto_min),
        delack_max_us: bound(policy.delack_max),
        pacing: policy.pacing.unwrap_or(0),
        congestion,
    }
}

impl BySockets {
    fn new(why: String) -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Self { why, counts: (0..cores).map(|_| CachePadded::default()).collect() }
    }

    fn apply(&self, socket: &impl AsFd, policy: Option<&Policy>) {
        self.count(Counter::Connections);
        let Some(policy) = policy else { return };
        self.count(Counter::Hits);
        let counted = |counter, outcome: Option<io::Result<()>>| match outcome {
            None => {}
            Some(Ok(())) => self.count(counter),
            Some(Err(_)) => self.count(Counter::Failures),
        };
        let congestion = policy.congestion.as_deref();
        let congestion =
            congestion.map(|name| SockRef::from(socket).set_tcp_congestion(name.as_bytes()));
        counted(Counter::Congestion, congestion);
        counted(Counter::RtoMin, policy.rto_min.map(|time| raw::set_rto_min(socket, time)));
        counted(
            Counter::DelackMax,
            policy.delack_max.map(|time| raw::set_delack_max(socket, time)),
        );
        counted(Counter::Pacing, policy.pacing.map(|rate| raw::set_pacing(socket, rate.into())));
    }

    fn count(&self, counter: Counter) {
        let counts = &self.counts[THREAD.with(|number| *number) % self.counts.len()];
        counts[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn sums(&self) -> [u64; COUNTERS] {
        let sum = |at: usize| self.counts.iter().map(|it| it[at].load(Ordering::Relaxed)).sum();
        std::array::from_fn(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_ticks() {
        let ms = Duration::from_millis;
        let policy = |time: Duration| Policy {
            syn_timeout: Some(time),
            rto_min: Some(time),
            delack_max: Some(time),
            ..Policy::default()
        };
        for (time, tick, ticks, us, why) in [
            (ms(200), ms(4), 50, 200_000, "HZ is 250"),
            (ms(200), ms(10), 20, 200_000, "HZ is 100"),
            (ms(50), ms(4), 13, 52_000, "rounded up"),
            (ms(50), Duration::from_nanos(3_333_333), 16, 53_333, "HZ is 300"),
            (ms(2), ms(4), 1, 8_000, "two ticks at least"),
        ] {
            let settings = settings(&policy(time), tick);
            assert_eq!(settings.syn_timeout_ticks, ticks, "{why}");
            assert_eq!([settings.rto_min_us, settings.delack_max_us], [us, us], "{why}");
        }
        assert_eq!(settings(&Policy::default(), ms(4)), Settings::default(), "nothing said");
    }

    /// As it is where BPF is not allowed.
    fn by_sockets(text: &str) -> Enforcement {
        let table = PolicyTable::parse(text, |_| None).unwrap();
        let way = Way::Sockets(BySockets::new("not allowed".to_owned()));
        let this =
            Enforcement { table: ArcSwap::default(), file: None, turn: Mutex::default(), way };
        this.replace(table).unwrap();
        this
    }

    #[test]
    fn without_bpf_sockets_get_what_options_can_say() {
        let text = "[[policy]]\nprefix = \"192.0.2.0/24\"\ninitcwnd = 20\nsyn-timeout = \"200ms\"\n\
            congestion = \"reno\"\npacing = \"1MB\"\n\
            [[policy]]\nprefix = \"192.0.2.1\"\ncongestion = \"none-such\"\n";
        let enforcement = by_sockets(text);
        let socket = raw::stream().unwrap();
        let apply = |peer: &str| enforcement.apply(&socket, peer.parse().unwrap());
        apply("198.51.100.1");
        assert_eq!(raw::pacing(&socket).unwrap(), u64::MAX, "in no prefix");
        apply("192.0.2.1");
        assert_eq!(raw::pacing(&socket).unwrap(), u64::MAX, "the longer prefix says nothing of it");
        apply("::ffff:192.0.2.9");
        assert_eq!(raw::pacing(&socket).unwrap(), 1_000_000);
        assert!(socket.tcp_congestion().unwrap().starts_with(b"reno"));
        // Another worker, which has counters of its own.
        std::thread::scope(|scope| {
            scope.spawn(|| apply("198.51.100.2"));
        });
        let samples = enforcement.samples();
        let counted = |name: &str| samples.iter().find(|sample| sample.0 == name).unwrap().2;
        assert_eq!(counted("tcp_policy_bpf"), 0);
        assert_eq!(counted("tcp_policy_connections_total"), 4);
        assert_eq!(counted("tcp_policy_hits_total"), 2);
        assert_eq!(counted("tcp_policy_failures_total"), 1);
        assert_eq!(counted("tcp_policy_options_total{option=\"pacing\"}"), 1);
        assert_eq!(
            enforcement.shortcomings().as_deref(),
            Some(
                "the TCP policy is in force without initcwnd, syn-timeout, by socket options; BPF \
                 is not to be had: not allowed; routes can say initcwnd: lastmile tune apply \
                 --tcp-policy FILE"
            )
        );
        let all = by_sockets("[[policy]]\nprefix = \"::/0\"\npacing = \"1MB\"\n").shortcomings();
        assert_eq!(
            all.as_deref(),
            Some(
                "the TCP policy is in force, by socket options; BPF is not to be had: not allowed"
            ),
            "nothing of the table is missing"
        );
    }

    #[test]
    fn the_kernel_tells_its_tick() {
        let tick = tick().unwrap();
        assert!(
            (Duration::from_micros(500)..=Duration::from_millis(10)).contains(&tick),
            "{tick:?}"
        );
    }

    #[test]
    fn each_counter_has_its_sample() {
        for (place, (counter, ..)) in SAMPLES.iter().enumerate() {
            let same = SAMPLES.iter().filter(|(other, ..)| other == counter).count();
            assert_eq!(same, 1, "{place}: {counter:?}");
        }
    }
}
