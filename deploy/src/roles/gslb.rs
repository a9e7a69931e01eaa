//! A GSLB from its flags.

use super::{Role, Running};
use crate::cli::GslbFlags;
use crate::failure::Failure;
use lastmile_gslb::{Config, ErrorKind, QueryLog, ZoneSource};
use lastmile_tuning::socket::ListenOptions;

/// Starts a GSLB; it answers when this returns.
///
/// # Errors
/// Nothing to answer with, a mistake in a file, an address in use: [`Failure::Misused`].
pub fn start(flags: &GslbFlags) -> Result<Running, Failure> {
    if flags.zone.is_none() && flags.lab_table.is_none() {
        let what = "gslb: nothing to answer with: give --zone FILE or --lab-table FILE";
        return Err(Failure::Misused(what.to_owned()));
    }
    let log = flags.log.as_deref().map(|path| {
        QueryLog::start(path, flags.log_sample)
            .map_err(|error| Failure::Misused(format!("--log: {}: {error}", path.display())))
    });
    let mut listener = ListenOptions::default();
    flags.listener.put(&mut listener);
    launch(Config {
        listener,
        listen: flags.listen,
        cores: flags.cores.clone(),
        zone: flags.zone.clone().map(ZoneSource::File),
        map: flags.map.clone(),
        http: flags.http,
        lab_table: flags.lab_table.clone(),
        lab_locations: flags.lab_locations.clone(),
        log: log.transpose()?,
        backup: flags.backup,
        ..Config::default()
    })
}

/// Starts a GSLB called `gslb`.
///
/// # Errors
/// As for [`start`].
pub fn launch(config: Config) -> Result<Running, Failure> {
    let gslb = lastmile_gslb::start(config).map_err(|error| match error.kind() {
        ErrorKind::Misuse => Failure::Misused(error.to_string()),
        ErrorKind::Failure => Failure::Failed(error.to_string()),
    })?;
    Ok(Running { name: "gslb".to_owned(), role: Role::Gslb(Box::new(gslb)) })
}
