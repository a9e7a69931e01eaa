//! Traffic Server (`bench/peers/trafficserver.config`), with the small files that it wants beside its records.config.

use super::installed::Installed;
use super::place::Place;
use std::fs;
use std::io;

pub(super) const TRAFFIC_SERVER: Installed = Installed {
    program: "traffic_server",
    package: "trafficserver",
    version: "-V",
    as_root: &[],
    run,
    check: |place| [vec!["-C".to_owned(), "verify_config".to_owned()], arguments(place)].concat(),
};

/// `(name, content)`. Rules of access are needed to let loopback in; the storage is in memory where our directory is.
const FILES: &[(&str, &str)] = &[
    ("etc/remap.config", "map / http://@ORIGIN@/\n"),
    ("etc/storage.config", "@DIR@/cache 6G\n"),
    (
        "etc/ip_allow.yaml",
        "ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.1\n    action: allow\n    methods: ALL\n",
    ),
    ("etc/plugin.config", "# None.\n"),
    ("runroot.yaml", RUNROOT),
];

/// Where everything is: programs where Debian put them, all else below our directory.
const RUNROOT: &str = "\
prefix: @DIR@
exec_prefix: @DIR@
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: @DIR@/etc
datadir: @DIR@
includedir: @DIR@
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
localstatedir: @DIR@/run
runtimedir: @DIR@/run
logdir: @DIR@/log
cachedir: @DIR@/cache
";

fn run(place: &Place) -> io::Result<Vec<String>> {
    let records = include_str!("../../peers/trafficserver.config");
    place.write("etc/records.config", records, &[])?;
    for (name, content) in FILES {
        place.write(name, content, &[])?;
    }
    for folder in ["run", "log", "cache"] {
        fs::create_dir_all(place.directory.join(folder))?;
    }
    Ok(arguments(place))
}

fn arguments(place: &Place) -> Vec<String> {
    vec![format!("--run-root={}/runroot.yaml", place.directory.display())]
}
