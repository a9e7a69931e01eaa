//! What a GSLB is told at its start.

use crate::QueryLog;
use lastmile_tuning::cpu::Cores;
use lastmile_tuning::socket::ListenOptions;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Everything a GSLB is told at its start; `Default` fills in what is seldom changed.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen, UDP and TCP on the same port. Port 0 lets the kernel choose one that is
    /// free for both.
    pub listen: SocketAddr,
    /// The cores to run on, a worker on each; `None` is every core that the scheduler allows.
    pub cores: Option<Cores>,
    /// Zones and steering (`gslb/README.md` describes the file).
    pub zone: Option<ZoneSource>,
    /// A CSV file of `prefix,region` lines; a prefix in the zone file overrides the same one here.
    pub map: Option<PathBuf>,
    /// The lab's table, rows of `NAME TYPE VALUE...`; it is asked before the zones.
    pub lab_table: Option<PathBuf>,
    /// Locations for the lab's table, rows of `ADDR X Y`.
    pub lab_locations: Option<PathBuf>,
    /// Where to serve HTTP: redirects, names for apps, DNS over HTTPS; `None` for nowhere.
    pub http: Option<SocketAddr>,
    /// Options of the TCP listeners, HTTP's too, and of the connections that they accept.
    pub listener: ListenOptions,
    /// Open connections of HTTP; one more closes the one that has been open longest.
    pub http_connections_max: usize,
    /// The largest answer over UDP in octets, whatever the asker offers; 512 to 4096.
    pub udp_payload_max: u16,
    /// Open TCP connections over all cores; one more closes the one that has been idle longest.
    pub tcp_connections_max: usize,
    /// A TCP connection that brings no whole query for so long is closed (RFC 7766 §6.2.3); the same for one of HTTP.
    pub tcp_idle_timeout: Duration,
    /// Where queries are logged.
    pub log: Option<QueryLog>,
    /// Begin in backup mode, with longer TTLs, until told otherwise.
    pub backup: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 5353)),
            cores: None,
            zone: None,
            map: None,
            lab_table: None,
            lab_locations: None,
            http: None,
            listener: ListenOptions::default(),
            http_connections_max: 1024,
            // DNS flag day 2020: the largest payload that no path of 1280 octets fragments.
            udp_payload_max: 1232,
            tcp_connections_max: 1024,
            tcp_idle_timeout: Duration::from_secs(10),
            log: None,
            backup: false,
        }
    }
}

/// Where the zones and the steering come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneSource {
    /// A file; zone files named in it are relative to its directory.
    File(PathBuf),
    /// Text that is already in memory; `name` stands for the file in errors.
    Inline {
        /// How errors call the text, such as `cdn.toml`.
        name: String,
        /// The text, as in a file.
        text: String,
    },
}

/// What was loaded, for `lastmile check` and the start of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Zones.
    pub zones: usize,
    /// Records in the zones, onboarding CNAMEs included.
    pub records: usize,
    /// Regions.
    pub regions: usize,
    /// Edges.
    pub edges: usize,
    /// Steered names.
    pub steered_names: usize,
    /// Prefixes of the map: inline, of the CSV and of databases together.
    pub prefixes: usize,
    /// Prefixes of resolvers whose clients are elsewhere.
    pub resolver_prefixes: usize,
    /// Octets that the compiled map takes.
    pub map_octets: usize,
    /// Rows of the lab's table.
    pub lab_rows: usize,
    /// CNAMEs that belong into zones served elsewhere: customer's name, our name.
    pub cnames_elsewhere: Vec<(String, String)>,
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { zones, records, regions, edges, steered_names, prefixes, lab_rows, .. } = self;
        write!(
            out,
            "{zones} zones with {records} records, {regions} regions with {edges} edges, \
             {steered_names} steered names, {prefixes} prefixes, {lab_rows} lab rows"
        )?;
        match self.resolver_prefixes {
            0 => Ok(()),
            prefixes => write!(out, ", {prefixes} prefixes of resolvers"),
        }
    }
}
