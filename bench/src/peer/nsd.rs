//! NSD (`bench/peers/nsd.conf`).

use super::installed::Installed;

/// It serves the zone as it is.
pub(super) const NSD: Installed = Installed {
    program: "nsd",
    package: "nsd",
    version: "-v",
    as_root: &[],
    run: |place| {
        let file = place.write("nsd.conf", include_str!("../../peers/nsd.conf"), &[])?;
        Ok(vec!["-d".to_owned(), "-c".to_owned(), file.display().to_string()])
    },
    // Another program looks at configurations; this one says at its start what it has against them.
    check: |_| vec!["-v".to_owned()],
};
