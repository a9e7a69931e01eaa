//! What there is on this machine: read, or found out by trying. Nothing is changed, and no permission is needed; what
//! cannot be found out is said in its place.

use super::ports::{self, Port};
use lastmile_tuning::bpf::SockOps;
use lastmile_tuning::clock::{self, Discipline};
use lastmile_tuning::cpu::Cores;
use lastmile_tuning::netns::Namespace;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Everything that [`super::judge`] looks at.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The kernel's release, such as `6.18.0-rc1`.
    pub(super) kernel: String,
    /// The rings that were tried, and what the kernel said: the edge's first.
    pub(super) rings: Vec<(&'static str, Result<(), Refusal>)>,
    /// `kernel.io_uring_disabled`; `None` where there is no such sysctl.
    pub(super) io_uring_disabled: Option<u32>,
    /// The effective capabilities, as bits.
    pub(super) capabilities: u64,
    /// Loading a program for connections and attaching it to the cgroup of this process.
    pub(super) bpf: Result<(), Refusal>,
    /// Opening the device that makes TUN devices.
    pub(super) tun: Result<(), Refusal>,
    /// Making a network namespace.
    pub(super) namespace: Result<(), Refusal>,
    /// The congestion control of new sockets, and those that are loaded.
    pub(super) congestion: (String, Vec<String>),
    /// Where cgroup v2 is mounted.
    pub(super) cgroup: Option<PathBuf>,
    /// How many cores' worth of time the cgroup of this process may use.
    pub(super) quota_cores: Option<f64>,
    /// How many cores it may run on.
    pub(super) cores: usize,
    /// Descriptors: the soft limit and the hard one; `None` is unlimited.
    pub(super) files: (Option<u64>, Option<u64>),
    /// Octets of locked memory, the same way.
    pub(super) locked: (Option<u64>, Option<u64>),
    /// The default ports.
    pub(super) ports: Vec<Port>,
    /// `net.ipv4.ip_unprivileged_port_start`.
    pub(super) unprivileged_port_start: u32,
    /// The clock, or why the kernel does not say.
    pub(super) clock: Option<Discipline>,
    /// What the kernel reads the time from.
    pub(super) clock_source: String,
    /// Octets of memory: all of it, and what is available, also by the cgroup.
    pub(super) memory: (u64, u64),
    /// The mode of transparent huge pages, and how many others are reserved.
    pub(super) huge_pages: (String, u64),
}

/// Numbers of capabilities(7).
pub(super) const CAP_NET_BIND_SERVICE: u32 = 10;
pub(super) const CAP_NET_ADMIN: u32 = 12;
pub(super) const CAP_SYS_NICE: u32 = 23;

/// What the kernel said instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// In words.
    pub(super) why: String,
    /// Whether somebody forbids it, rather than that it is not there.
    pub(super) is_denied: bool,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
        Self { why: error.to_string(), is_denied }
    }
}

impl Facts {
    /// Looks at everything.
    pub(super) fn read() -> Self {
        let meminfo = text("/proc/meminfo");
        let limits = text("/proc/self/limits");
        let own = own_cgroup(&text("/proc/self/mounts"), &text("/proc/self/cgroup"));
        let sysctl = |name: &str| lastmile_tuning::sysctl::read(name).ok();
        let available = kib(&meminfo, "MemAvailable").unwrap_or(0);
        let left = own.as_ref().and_then(|(mount, own)| memory_left(mount, own));
        Self {
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            rings: rings(),
            io_uring_disabled: sysctl("kernel.io_uring_disabled").and_then(|it| it.parse().ok()),
            capabilities: capabilities(&text("/proc/self/status")),
            // It does nothing to anybody while it has no ends and prefixes, and is gone when it is dropped.
            bpf: SockOps::attach().map(drop).map_err(Into::into),
            tun: OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/net/tun")
                .map(drop)
                .map_err(Into::into),
            namespace: Namespace::new().map(drop).map_err(Into::into),
            congestion: (
                sysctl("net.ipv4.tcp_congestion_control").unwrap_or_default(),
                sysctl("net.ipv4.tcp_available_congestion_control")
                    .map(|it| it.split_whitespace().map(str::to_owned).collect())
                    .unwrap_or_default(),
            ),
            quota_cores: own.as_ref().and_then(|(mount, own)| quota(mount, own)),
            cgroup: own.map(|(mount, _)| mount),
            cores: Cores::allowed().map_or(1, |cores| cores.numbers().len()),
            files: limit(&limits, "Max open files"),
            locked: limit(&limits, "Max locked memory"),
            ports: ports::tried(),
            unprivileged_port_start: sysctl("net.ipv4.ip_unprivileged_port_start")
                .and_then(|it| it.parse().ok())
                .unwrap_or(1024),
            clock: clock::discipline().ok(),
            clock_source: text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
                .trim()
                .to_owned(),
            memory: (
                kib(&meminfo, "MemTotal").unwrap_or(0),
                left.map_or(available, |left| left.min(available)),
            ),
            huge_pages: (
                chosen(&text("/sys/kernel/mm/transparent_hugepage/enabled")),
                number(&meminfo, "HugePages_Total").unwrap_or(0),
            ),
        }
    }
}

/// The contents of a file, nothing when it cannot be read.
fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Entries of a ring that is only tried.
const ENTRIES: u32 = 8;

/// Rings with the flags that matter, the edge's first, each tried.
fn rings() -> Vec<(&'static str, Result<(), Refusal>)> {
    let build = |set: fn(&mut io_uring::Builder) -> &mut io_uring::Builder| {
        let mut builder = io_uring::IoUring::builder();
        set(&mut builder);
        builder.build(ENTRIES).map(drop).map_err(Into::into)
    };
    vec![
        (
            "single_issuer+defer_taskrun",
            build(|it| it.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag()),
        ),
        (
            "single_issuer+coop_taskrun",
            build(|it| it.setup_single_issuer().setup_coop_taskrun().setup_taskrun_flag()),
        ),
        ("plain", build(|it| it)),
    ]
}

/// `CapEff` of `/proc/self/status`.
fn capabilities(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

/// Where cgroup v2 is mounted, and the cgroup of this process below it. systemd's hybrid layout has it beside v1.
fn own_cgroup(mounts: &str, cgroups: &str) -> Option<(PathBuf, PathBuf)> {
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place.replace("\\040", " ")))
    })?;
    let own = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let place = mount.join(own.trim_start_matches('/'));
    Some((mount, place))
}

/// The files of this name in a cgroup and in those above it, which bound it as well.
fn upwards<'a>(mount: &'a Path, own: &'a Path, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let within = own.ancestors().take_while(move |place| place.starts_with(mount));
    within.filter_map(move |place| fs::read_to_string(place.join(name)).ok())
}

/// The smallest quota of CPU time, in cores.
fn quota(mount: &Path, own: &Path) -> Option<f64> {
    let quotas = upwards(mount, own, "cpu.max").filter_map(|it| cores_of(&it));
    quotas.min_by(f64::total_cmp)
}

/// What `cpu.max` allows: `150000 100000` is a core and a half, `max 100000` as many as there are.
fn cores_of(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then(|| quota / period)
}

/// What the cgroups leave of their memory, in octets.
fn memory_left(mount: &Path, own: &Path) -> Option<u64> {
    let of = |name| upwards(mount, own, name).map(|it| it.trim().parse::<u64>().ok());
    let pairs = of("memory.max").zip(of("memory.current"));
    pairs.filter_map(|(max, used)| Some(max?.saturating_sub(used?))).min()
}

/// The soft and the hard limit of a line of `/proc/self/limits`; `None` is unlimited.
fn limit(limits: &str, name: &str) -> (Option<u64>, Option<u64>) {
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let mut words = line.split_whitespace().map(|word| word.parse().ok());
    (words.next().flatten(), words.next().flatten())
}

/// A number of `/proc/meminfo`.
fn number(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The same, of those that are in KiB, in octets.
fn kib(meminfo: &str, name: &str) -> Option<u64> {
    Some(number(meminfo, name)? * 1024)
}

/// The choice in brackets: `always [madvise] never`.
fn chosen(text: &str) -> String {
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or("absent", |(choice, _)| choice).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_kernel() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max locked memory         8388608              unlimited            bytes\n\
            Max open files            1024                 524288               files\n";
        assert_eq!(limit(limits, "Max open files"), (Some(1024), Some(524_288)));
        assert_eq!(limit(limits, "Max locked memory"), (Some(8_388_608), None));
        let meminfo =
            "MemTotal:       24684084 kB\nMemAvailable:   100 kB\nHugePages_Total:       3\n";
        assert_eq!(kib(meminfo, "MemAvailable"), Some(102_400));
        assert_eq!(number(meminfo, "HugePages_Total"), Some(3));
        assert_eq!(number(meminfo, "HugePages"), None);
        assert_eq!(chosen("always [madvise] never\n"), "madvise");
        assert_eq!(chosen(""), "absent");
        assert_eq!(capabilities("Name:\tx\nCapEff:\t0000000000003000\n"), 0x3000);
        assert_eq!(capabilities(""), 0);
    }

    #[test]
    fn cgroups() {
        let mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
            cgroup2 /sys/fs/cgroup/uni\\040fied cgroup2 rw 0 0\n";
        let own = "4:memory:/x\n0::/system.slice/lastmile.service\n";
        let (mount, place) = own_cgroup(mounts, own).unwrap();
        assert_eq!(mount, Path::new("/sys/fs/cgroup/uni fied"));
        assert_eq!(place, mount.join("system.slice/lastmile.service"));
        assert_eq!(own_cgroup("", own), None);
        for (text, expected) in
            [("150000 100000\n", Some(1.5)), ("max 100000\n", None), ("", None), ("1 0", None)]
        {
            assert_eq!(cores_of(text), expected, "{text}");
        }
    }

    #[test]
    fn bounds_of_the_cgroups_above_count() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("a/b");
        fs::create_dir_all(&own).unwrap();
        for (path, text) in [
            ("cpu.max", "10 100"), // Above the mount of the test below: not looked at.
            ("a/cpu.max", "50000 100000"),
            ("a/b/cpu.max", "max 100000"),
            ("a/memory.max", "1000"),
            ("a/memory.current", "400"),
            ("a/b/memory.max", "max"),
            ("a/b/memory.current", "300"),
        ] {
            fs::write(root.path().join(path), text).unwrap();
        }
        let mount = root.path().join("a");
        assert_eq!(quota(&mount, &own), Some(0.5));
        assert_eq!(memory_left(&mount, &own), Some(600));
    }
}
