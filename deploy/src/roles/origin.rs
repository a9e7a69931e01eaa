//! An origin from its flags.

use super::{Role, Running};
use crate::cli::OriginFlags;
use crate::failure::Failure;
use lastmile_origin::{Config, Source, StartErrorKind};

/// Starts an origin; it listens when this returns.
///
/// # Errors
/// Nothing to serve, an address in use, a missing directory: [`Failure::Misused`].
pub fn start(flags: &OriginFlags) -> Result<Running, Failure> {
    let source = match (&flags.dir, flags.synthetic) {
        (Some(dir), false) => Source::Directory(dir.clone()),
        (None, true) => Source::Synthetic,
        (Some(dir), true) => Source::Both(dir.clone()),
        (None, false) => {
            let what = "origin: nothing to serve: give --dir DIR, --synthetic or both";
            return Err(Failure::Misused(what.to_owned()));
        }
    };
    let mut config = Config {
        max_age: flags.max_age.0,
        journal: flags.journal.clone(),
        tcp_policy: flags.policy.tcp_policy.clone(),
        ..Config::new(flags.listen, source)
    };
    flags.listener.put(&mut config.listener);
    launch(config)
}

/// Starts an origin called `origin`.
///
/// # Errors
/// As for [`start`].
pub fn launch(config: Config) -> Result<Running, Failure> {
    let origin = lastmile_origin::start(config).map_err(|error| match error.kind() {
        StartErrorKind::Misuse => Failure::Misused(error.to_string()),
        StartErrorKind::Failure => Failure::Failed(error.to_string()),
    })?;
    Ok(Running { name: "origin".to_owned(), role: Role::Origin(origin) })
}
