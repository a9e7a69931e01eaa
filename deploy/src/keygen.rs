//! `lastmile gslb keygen`: a key pair for a zone that is to be signed.

use crate::cli::KeygenFlags;
use crate::failure::Failure;
use crate::node::say;
use lastmile_gslb::keygen;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// Writes the two files, and prints what goes into the zone file and into the zone above.
///
/// # Errors
/// [`Failure::Misused`] for a zone that is no name, and for files that are there already or cannot be written.
pub fn run(flags: &KeygenFlags) -> Result<(), Failure> {
    let algorithm = if flags.algorithm == "15" { 15 } else { 13 };
    let key = keygen(&flags.zone, algorithm);
    let key = key.map_err(|error| Failure::Misused(format!("keygen: {error}")))?;
    // Nobody else may read the private one.
    for (behind, text, mode) in [("private", &key.private, 0o600), ("key", &key.public, 0o644)] {
        let path = flags.dir.join(format!("{}.{behind}", key.name));
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
            Failure::Misused(format!("keygen: cannot write {}: {error}", path.display()))
        })?;
    }
    say(&format!("key = \"{}\"\n{}", key.name, key.ds));
    Ok(())
}
