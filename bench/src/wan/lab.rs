//! A lab that is up: hosts with addresses, links and routes, and the programs on them. It goes away with its value, and
//! with the process, however that ends: namespaces and devices have no names, processes die with ours, and files are in
//! memory that only they see.

use super::emulator::{Emulator, End, LinkEnds, MTU_OCTETS};
use super::error::WanError;
use super::host::Host;
use super::keeper::Keeper;
use super::program::{Process, Program, Surroundings};
use super::scenario::{ProgramSettings, Ready};
use super::topology::{HOSTS_MAX, Topology};
use lastmile_tuning::route::{Metrics, Prefix, Route};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A topology that is up.
#[derive(Debug)]
pub struct Lab {
    // In the order in which they are to go: programs, links, hosts, and what remains of their processes.
    programs: Vec<Program>,
    emulator: Emulator,
    hosts: Vec<Host>,
    keeper: Keeper,
    topology: Topology,
    lastmile: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Lab {
    /// Makes hosts and links. `lastmile` is the executable that is meant by this name in what programs run.
    ///
    /// # Errors
    /// [`WanError::Missing`] without root's rights or `/dev/net/tun`; names of hosts that there are not.
    pub fn start(topology: Topology, lastmile: &Path) -> Result<Self, WanError> {
        let count = topology.hosts.len();
        if count > HOSTS_MAX {
            return Err(WanError::Missing(format!("{count} hosts; allowed: {HOSTS_MAX}")));
        }
        // For crowds and their servers, who inherit it; what there is must do where it cannot be raised.
        let _ = lastmile_tuning::files::raise_limit();
        let hosts = topology.hosts.iter().enumerate();
        let hosts = hosts.map(|(place, settings)| Host::make(settings, place));
        let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
        let emulator = links(&topology, &hosts)?;
        for place in 0..hosts.len() {
            routes_to(place, &topology, &hosts)?;
        }
        for route in &topology.routes {
            if topology.round_trip(&route.at, &route.to).is_none() {
                let what =
                    format!("no links lead from {} to {}, to have a route", route.at, route.to);
                return Err(WanError::Missing(what));
            }
        }
        let mut names = String::from("127.0.0.1 localhost\n");
        for host in &hosts {
            names.push_str(&format!("{} {}\n", host.address, host.name));
        }
        let keeper = Keeper::start(names)?;
        let lastmile = lastmile.to_owned();
        let stop = Arc::default();
        Ok(Self { programs: Vec::new(), emulator, hosts, keeper, topology, lastmile, stop })
    }

    /// Long waits in it end with [`WanError::Stopped`] once `stop` is set.
    pub fn stop_with(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    pub(super) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Its hosts, in the order of the topology.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn host(&self, name: &str) -> Result<&Host, WanError> {
        let host = self.hosts.iter().find(|host| host.name == name);
        host.ok_or_else(|| WanError::Missing(format!("there is no host {name:?}")))
    }

    /// What it was made of.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Its links, by their places in the topology.
    #[must_use]
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// Runs the commands that set up hosts, one after the other.
    ///
    /// # Errors
    /// The first one that does not end with status 0 in time.
    pub fn set_up(&mut self) -> Result<(), WanError> {
        for host in self.topology.hosts.clone() {
            for run in host.setup {
                self.run(&ProgramSettings {
                    name: format!("setup-{}", host.name),
                    host: host.name.clone(),
                    run,
                    ready: Some(Ready::Ended),
                    files: Vec::new(),
                })?;
            }
        }
        Ok(())
    }

    /// Starts a program and waits until it is ready; it runs as long as the lab.
    ///
    /// # Errors
    /// A program that is not installed, ends early or is not ready in time; [`WanError::Stopped`].
    pub fn run(&mut self, program: &ProgramSettings) -> Result<(), WanError> {
        let program = self.surroundings().start(program)?;
        self.programs.push(program);
        Ok(())
    }

    /// Sees that programs that should run do.
    ///
    /// # Errors
    /// The first one that has ended, and its last words.
    pub fn check(&mut self) -> Result<(), WanError> {
        self.programs.iter_mut().try_for_each(Program::check)
    }

    /// The words `run`, as programs of scenarios are written, as a command for [`Lab::spawn`]: without input, with our
    /// stdout and stderr.
    ///
    /// # Errors
    /// A program that is not installed.
    pub fn command(&self, run: &str) -> Result<Command, WanError> {
        self.surroundings().command(run, run, Path::new("/"))
    }

    /// Starts `command` on the host `name`.
    ///
    /// # Errors
    /// A host that there is not, a program that cannot be started.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Process<'_>, WanError> {
        let what = format!("{:?}", command.get_program());
        let namespace = &self.host(name)?.namespace;
        let child = self.keeper.spawn(namespace, command).map_err(WanError::io(what))?;
        Ok(Process::new(child))
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let Self { keeper, hosts, lastmile, stop, .. } = self;
        Surroundings { keeper, hosts, lastmile, stop }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // All at once; what follows only waits for them.
        self.keeper.kill();
    }
}

/// Devices of links are called after their place: `wan0`, `wan1`...
fn device(link: usize) -> String {
    format!("wan{link}")
}

fn links(topology: &Topology, hosts: &[Host]) -> Result<Emulator, WanError> {
    let mut links = Vec::new();
    for (at, link) in topology.links.iter().enumerate() {
        let end = |name: &String| {
            let place = topology.place(name).ok_or_else(|| {
                WanError::Missing(format!("link {}: there is no host {name:?}", link.name))
            })?;
            Ok(End { namespace: hosts[place].namespace.clone(), device: device(at) })
        };
        links.push(LinkEnds {
            ends: [end(&link.ends[0])?, end(&link.ends[1])?],
            mtu_octets: MTU_OCTETS,
            forth: link.forth.clone(),
            back: link.back.clone(),
        });
    }
    Emulator::start(links, topology.seed).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
            WanError::Missing(format!("links take /dev/net/tun and root's rights: {error}"))
        }
        _ => WanError::Io("links".to_owned(), error),
    })
}

/// Makes the routes of all others to the host at `place`.
fn routes_to(place: usize, topology: &Topology, hosts: &[Host]) -> Result<(), WanError> {
    let target = &hosts[place];
    for (host, way) in hosts.iter().zip(topology.ways_to(place)) {
        let Some(link) = way else { continue };
        let said = topology
            .routes
            .iter()
            .rfind(|route| route.at == host.name && route.to == target.name)
            .map_or_else(Metrics::default, |route| route.metrics.clone());
        let route = || {
            let address = target.address.into();
            let prefix = Prefix::new(address, 32).ok_or(std::io::ErrorKind::InvalidInput)?;
            Route::new(prefix, &device(link), None)?.with(&said).replace()
        };
        let failed = WanError::io(format!("route of {} to {}", host.name, target.name));
        host.namespace.run(route).map_err(failed)?;
    }
    Ok(())
}
