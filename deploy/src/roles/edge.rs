//! An edge from its flags.

use super::{Role, Running};
use crate::cli::{EdgeFlags, ListenerFlags, Own, UpstreamFlags};
use crate::failure::Failure;
use lastmile_edge::log::Log;
use lastmile_edge::site::{Site, Sites};
use lastmile_edge::ssd::SsdConfig;
use lastmile_edge::{Config, Listen, StartErrorKind, Upstream};
use lastmile_tuning::cpu::Cores;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// Where an edge listens when it is not told.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Starts an edge; it listens when this returns.
///
/// # Errors
/// No upstream, an address in use, a core that is not there: [`Failure::Misused`].
pub fn start(flags: &EdgeFlags) -> Result<Running, Failure> {
    if flags.upstream.is_empty() {
        let what = "edge: nowhere to fetch from: give --upstream http://HOST:PORT";
        return Err(Failure::Misused(what.to_owned()));
    }
    let cores = cores_or_all(flags.cores.as_ref())?;
    let mut config = Config::new(flags.name.clone(), Vec::new(), upstreams(flags), cores);
    config.listen = listeners(flags, &config.cores);
    config.ram_octets = flags.ram.0;
    let octets = flags.ssd_size.map(|size| size.0);
    config.ssd = flags.ssd.iter().map(|path| SsdConfig { path: path.clone(), octets }).collect();
    config.ssd_admission = flags.ssd_admission;
    config.ssd_write_rate = flags.ssd_write_rate.map(|size| size.0);
    config.io = flags.io;
    config.tcp_policy = flags.policy.tcp_policy.clone();
    config.sites = sites(&flags.sites)?;
    config.log = log(flags.log.as_deref())?;
    launch(config)
}

/// Each address with the options of all of them, before which its own go.
fn listeners(flags: &EdgeFlags, cores: &Cores) -> Vec<Listen> {
    let listener = |address, own: Option<&ListenerFlags>| {
        let mut listen = Listen::from(address);
        listen.options.steer = flags.steer_by_cpu.then(|| cores.clone());
        let given = [Some(&flags.listener), own];
        given.into_iter().flatten().for_each(|given| given.put(&mut listen.options));
        listen
    };
    match flags.listen.as_slice() {
        [] => vec![listener(LISTEN_DEFAULT, None)],
        given => given.iter().map(|it| listener(it.at, Some(&it.own))).collect(),
    }
}

/// As for [`listeners`].
fn upstreams(flags: &EdgeFlags) -> Vec<Upstream> {
    let upstream = |given: &Own<Upstream, UpstreamFlags>| {
        let mut upstream = given.at.clone();
        for given in [&flags.upstream_socket, &given.own] {
            given.put(&mut upstream.socket);
        }
        upstream
    };
    flags.upstream.iter().map(upstream).collect()
}

/// The sites of the file of `--config`.
///
/// # Errors
/// [`Failure::Misused`] when two have the same hosts.
pub fn sites(sites: &[Site]) -> Result<Sites, Failure> {
    Sites::new(sites.to_vec()).map_err(|what| Failure::Misused(format!("sites: {what}")))
}

/// The log of `--log`.
///
/// # Errors
/// [`Failure::Misused`] when the file can't be written to.
pub fn log(path: Option<&Path>) -> Result<Option<Log>, Failure> {
    let start = |path: &Path| {
        Log::start(path).map_err(|e| Failure::Misused(format!("--log: {}: {e}", path.display())))
    };
    path.map(start).transpose()
}

/// Starts an edge, called as its configuration says.
///
/// # Errors
/// As for [`start`].
pub fn launch(config: Config) -> Result<Running, Failure> {
    let name = config.name.clone();
    let edge = lastmile_edge::start(config).map_err(|error| {
        // It calls itself an edge; here it has a name.
        let text = error.to_string();
        let line = format!("{name}: {}", text.strip_prefix("edge: ").unwrap_or(&text));
        match error.kind() {
            StartErrorKind::Misuse => Failure::Misused(line),
            StartErrorKind::Failure => Failure::Failed(line),
        }
    })?;
    Ok(Running { name, role: Role::Edge(edge) })
}

/// The cores that were given, each of which must be allowed to this process, or all that are, those first that the
/// network device is near to.
///
/// # Errors
/// [`Failure::Misused`] with the cores that are allowed.
pub fn cores_or_all(given: Option<&Cores>) -> Result<Cores, Failure> {
    let failed = |e: std::io::Error| Failure::Failed(format!("cores: {e}"));
    let Some(given) = given else { return Cores::best_first().map_err(failed) };
    let allowed = Cores::allowed().map_err(failed)?;
    match given.numbers().iter().find(|core| !allowed.numbers().contains(core)) {
        None => Ok(given.clone()),
        Some(core) => Err(Failure::Misused(format!(
            "--cores: core {core} is not there or not allowed; allowed: {}",
            allowed.numbers().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        ))),
    }
}
