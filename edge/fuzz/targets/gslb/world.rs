//! The tables that packets are answered from: zones with steering, and the same behind a lab table.

use lastmile_gslb::{Config, Offline, ZoneSource};
use std::fs;
use std::path::PathBuf;

/// The zone file.
pub const ZONES: &str = include_str!("world.toml");

/// Names that there is something to say about, each with a type to ask for.
pub const NAMES: &[(&str, u16)] = &[
    ("cdn.test", 6),
    ("cdn.test", 1),
    ("ns1.cdn.test", 28),
    ("txt.cdn.test", 16),
    ("mail.cdn.test", 15),
    ("caa.cdn.test", 257),
    ("svc.cdn.test", 65),
    ("srv.cdn.test", 33),
    ("q.wild.cdn.test", 1),
    ("q.y.wild.cdn.test", 1),
    ("*.wild.cdn.test", 16),
    ("b.ent.cdn.test", 1),
    ("gone.cdn.test", 1),
    ("sub.cdn.test", 43),
    ("host.sub.cdn.test", 1),
    ("host.wide.cdn.test", 1),
    ("outside.cdn.test", 1),
    ("out.cdn.test", 1),
    ("q.far-alias.cdn.test", 5),
    ("chain1.cdn.test", 1),
    ("loop1.cdn.test", 1),
    ("dangling.cdn.test", 1),
    ("into-cut.cdn.test", 1),
    ("big.cdn.test", 16),
    ("deep.cdn.test", 43),
    ("q.deep.cdn.test", 28),
    ("customer.test", 2),
    ("www.customer.test", 1),
    ("www.customer.test", 28),
    ("gone.customer.test", 1),
    ("customer.cdn.test", 1),
    ("customer.cdn.test", 28),
    ("a.many.cdn.test", 1),
    ("a.many.cdn.test", 28),
    ("www.lab.test", 1),
    ("a.b.lab.test", 1),
    ("a.film.lab.test", 1),
    ("lab.test", 1),
    ("far.test", 1),
    (".", 2),
];

const LAB_TABLE: &str = "\
www.lab.test. A 10.0.0.1
*.film.lab.test. A 10.0.0.2 10.0.0.3 10.0.0.4
*.lab.test. CNAME www.lab.test.
www.lab.test. A 10.0.0.9
";
const LAB_LOCATIONS: &str = "10.0.0.2 0 0\n10.0.0.3 9 9\n10.1.2.3 1 1\n192.0.2.7 8 9\n";

/// The zones alone.
pub fn zones() -> Config {
    let zone = ZoneSource::Inline { name: "world.toml".to_owned(), text: ZONES.to_owned() };
    Config { zone: Some(zone), listen: ([127, 0, 0, 1], 0).into(), ..Config::default() }
}

/// The zones behind the lab's table, with the folder of its files; no edge has an IPv6 address.
pub fn lab() -> (Config, tempfile::TempDir) {
    let text = ZONES.replace(", \"2001:db8::2\"", "");
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        lab_table: Some(write(&folder, "table", LAB_TABLE)),
        lab_locations: Some(write(&folder, "locations", LAB_LOCATIONS)),
        zone: Some(ZoneSource::Inline { name: "world.toml".to_owned(), text }),
        ..zones()
    };
    (config, folder)
}

/// Writes a file into a folder.
pub fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("room");
    path
}

/// The tables of [`zones`] or [`lab`].
pub fn offline(is_lab: bool) -> Offline {
    let loaded = if is_lab { Offline::new(&lab().0) } else { Offline::new(&zones()) };
    loaded.expect("the files are good")
}
