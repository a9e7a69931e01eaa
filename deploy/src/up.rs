//! `lastmile up`: the whole CDN on loopback, in threads of one process.

mod plan;
mod table;
mod zone;

pub use plan::{EDGES_MAX, PORTS};

use crate::admin::Admin;
use crate::cli::UpFlags;
use crate::failure::Failure;
use crate::node::say;
use crate::roles::{self, Board, PARENT, Running};
use crate::site::Site;
use crate::stop::Stop;
use lastmile_edge::{Config as EdgeConfig, Upstream};
use plan::Plan;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Runs everything until it is told to end or its time is over.
///
/// # Errors
/// The first role that can't start; those before it are stopped again.
pub fn run(flags: &UpFlags) -> Result<(), Failure> {
    let stop = Stop::on_signal()?;
    let board = Arc::new(Board::default());
    let outcome = start(flags, &board).map(|(site, up)| {
        say(&if flags.json { up.json() } else { up.table() });
        stop.wait(flags.process.limit.map(|limit| limit.0), None);
        (site, up)
    });
    let drain = if outcome.is_ok() { flags.process.drain.0 } else { Duration::ZERO };
    board.stop(drain);
    outcome.map(drop)
}

/// What runs where, once it runs.
struct Up {
    site: String,
    origin: SocketAddr,
    parent: SocketAddr,
    edges: Vec<SocketAddr>,
    gslb: SocketAddr,
    /// The GSLB's HTTP.
    http: SocketAddr,
    admin: Admin,
}

/// Starts upstreams before those that ask them. What has started is on `board`, also on failure.
fn start(flags: &UpFlags, board: &Arc<Board>) -> Result<(Site, Up), Failure> {
    let common = common(flags)?;
    let plan = Plan::new(flags.port_base, flags.edges, flags.process.admin);
    let site = match &flags.dir {
        Some(path) => Site::own(path),
        None => Site::shipped().map_err(|e| Failure::Failed(format!("the shipped site: {e}")))?,
    };
    let source = lastmile_origin::Source::Both(site.path().to_owned());
    let config = lastmile_origin::Config::new(plan.origin, source);
    let origin = add(board, roles::origin::launch(config)?);
    let parent = add(board, edge(&common, PARENT.to_owned(), plan.parent, origin)?);
    let edges = edges(&common, &plan, parent, board)?;
    let zone = lastmile_gslb::Config {
        listen: plan.gslb,
        http: Some(plan.http),
        zone: Some(zone::source(flags.edges, edges[0].port())),
        ..lastmile_gslb::Config::default()
    };
    let gslb = roles::gslb::launch(zone)?;
    let http = gslb.addresses().last().copied().unwrap_or(plan.http);
    let gslb = add(board, gslb);
    let admin = Admin::start(plan.admin, Arc::clone(board))?;
    let served = match &flags.dir {
        Some(path) => path.display().to_string(),
        None => "the shipped site".to_owned(),
    };
    Ok((site, Up { site: served, origin, parent, edges, gslb, http, admin }))
}

/// What the edges and the parent have in common: all but name, addresses and upstream.
fn common(flags: &UpFlags) -> Result<EdgeConfig, Failure> {
    let cores = roles::edge::cores_or_all(flags.cores.as_ref())?;
    let mut config = EdgeConfig::new(String::new(), Vec::new(), Vec::new(), cores);
    config.ram_octets = flags.ram.0;
    config.io = flags.io;
    config.sites = roles::edge::sites(&flags.sites)?;
    config.log = roles::edge::log(flags.log.as_deref())?;
    Ok(config)
}

/// All edges on one port, each at its own address: DNS has no ports to give. Where the kernel chooses
/// the port, it chooses for the first edge, and the others try to follow.
fn edges(
    common: &EdgeConfig,
    plan: &Plan,
    parent: SocketAddr,
    board: &Board,
) -> Result<Vec<SocketAddr>, Failure> {
    let mut started: Vec<SocketAddr> = Vec::with_capacity(plan.edges.len());
    for (number, wanted) in plan.edges.iter().enumerate() {
        let name = format!("edge-{}", number + 1);
        let start = |listen| edge(common, name.clone(), listen, parent);
        let running = match started.first() {
            Some(first) if wanted.port() == 0 => {
                let same = SocketAddr::new(wanted.ip(), first.port());
                start(same).or_else(|_| start(*wanted))?
            }
            _ => start(*wanted)?,
        };
        started.push(add(board, running));
    }
    Ok(started)
}

fn edge(
    common: &EdgeConfig,
    name: String,
    listen: SocketAddr,
    upstream: SocketAddr,
) -> Result<Running, Failure> {
    let upstream = format!("http://{upstream}").parse::<Upstream>().map_err(Failure::Failed)?;
    let mut config = common.clone();
    (config.name, config.listen, config.upstreams) = (name, vec![listen.into()], vec![upstream]);
    roles::edge::launch(config)
}

fn add(board: &Board, running: Running) -> SocketAddr {
    let address = running.addresses()[0];
    board.add(running);
    address
}
