//! PowerDNS with zone files (`bench/peers/pdns.conf`).

use super::installed::Installed;

/// It serves the zone as it is.
pub(super) const PDNS: Installed = Installed {
    program: "pdns_server",
    package: "pdns-server pdns-backend-bind",
    version: "--version",
    as_root: &[],
    run: |place| {
        place.write("pdns.conf", include_str!("../../peers/pdns.conf"), &[])?;
        place.write("named.conf", include_str!("../../peers/pdns-named.conf"), &[])?;
        Ok(vec![format!("--config-dir={}", place.directory.display())])
    },
    check: |place| {
        let directory = format!("--config-dir={}", place.directory.display());
        vec![directory, "--config=check".to_owned()]
    },
};
