//! `lastmile bench wan shell`: a scenario's hosts, links and programs, and a shell among them.

use super::{failure, named};
use crate::failure::Failure;
use clap::Args;
use lastmile_bench::wan::{Lab, Topology, WanError, run::shown};
use signal_hook::consts::{SIGINT, SIGQUIT};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// If the environment names none.
const SHELL: &str = "sh";

/// Flags of `lastmile bench wan shell`.
#[derive(Args, Clone, Debug)]
pub struct ShellFlags {
    /// A scenario that ships with lastmile (see `list`), or a file
    #[arg(value_name = "NAME|FILE")]
    pub scenario: String,
    /// The host in which the shell runs [default: the one that measures]
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// The case that is built [default: the first]
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
}

/// Builds it, starts `$SHELL`, and takes all down when that ends.
///
/// # Errors
/// As for [`super::run`]; the shell's own status if it is not 0.
pub(super) fn run(flags: &ShellFlags) -> Result<(), Failure> {
    let scenario = named(&flags.scenario)?;
    let case = match &flags.case {
        None => scenario.cases.first(),
        Some(name) => scenario.cases.iter().find(|case| case.name == *name),
    };
    let case = case.ok_or_else(|| {
        let names: Vec<_> = scenario.cases.iter().map(|case| case.name.as_str()).collect();
        Failure::Misused(format!("bench wan: --case: allowed: {}", names.join(", ")))
    })?;
    let scene = &case.scene;
    let host = flags.host.as_ref().unwrap_or(&scene.measure.from);
    if !scene.hosts.iter().any(|known| known.name == *host) {
        let names: Vec<_> = scene.hosts.iter().map(|host| host.name.as_str()).collect();
        let what = format!("bench wan: --host: {host:?}; allowed: {}", names.join(", "));
        return Err(Failure::Misused(what));
    }
    // Ctrl-C in the terminal is for what runs in the shell. Handlers are not inherited, unlike ignoring.
    for signal in [SIGINT, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .map_err(|error| Failure::Failed(format!("bench wan: signals: {error}")))?;
    }
    let lastmile = std::env::current_exe()
        .map_err(|error| Failure::Failed(format!("bench wan: our own executable: {error}")))?;
    let ended = Lab::start(Topology::of(scene), &lastmile).and_then(|mut lab| {
        lab.set_up()?;
        scene.programs.iter().try_for_each(|program| lab.run(program))?;
        introduce(&lab, host);
        let mut command = Command::new(std::env::var_os("SHELL").unwrap_or_else(|| SHELL.into()));
        command.stdin(Stdio::inherit()).env("LASTMILE_HOST", host);
        let mut shell = lab.spawn(host, command)?;
        shell.wait().map_err(|error| WanError::Io("the shell".to_owned(), error))
    });
    let status = ended.map_err(|error| failure(&error))?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("bench wan: the shell: {status}"))),
    }
}

/// To stderr, so that what is piped through the shell stays its own.
fn introduce(lab: &Lab, host: &str) {
    for host in lab.hosts() {
        eprintln!("host {:<12} {}", host.name, host.address);
    }
    for link in &lab.topology().links {
        eprintln!(
            "link {:<12} {} - {}: {}",
            link.name,
            link.ends[0],
            link.ends[1],
            shown(link).text
        );
    }
    eprintln!(
        "This is {host}; the names of hosts are known to programs here. It all goes with this shell."
    );
}
