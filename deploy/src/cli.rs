//! The commands and their flags. The keys of `lastmile.toml` are the long names of these flags.

use crate::config;
use crate::failure::Failure;
use crate::quantity::{Period, Size, address};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use lastmile_edge::site::Site;
use lastmile_edge::ssd::Admission;
use lastmile_edge::{IoChoice, Upstream};
use lastmile_origin::SYNTHETIC_HELP;
use lastmile_tuning::cpu::Cores;
use lastmile_tuning::policy;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

mod socket;

use socket::own;
pub use socket::own::Own;
pub use socket::{ListenerFlags, PolicyFlags, UpstreamFlags};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "lastmile",
    version,
    about = "A content delivery network on one machine, or each of its roles on its own.",
    after_help = "Examples:
  lastmile up                    the whole CDN on loopback, with a small site, until Ctrl-C
  lastmile up --dir /srv/www     the same with your files
  lastmile COMMAND --help        the flags of one command, with an example

Exit status: 0 good, 1 failed, 2 misused (a flag, a file, an address in use).",
    disable_help_subcommand = true,
    // The width of the longest table; a narrower terminal folds lines itself.
    term_width = 120
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `lastmile` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole CDN on loopback: origin, parent, edges, GSLB and the admin server
    #[command(after_help = "Examples:
  lastmile up
  lastmile up --dir /usr/share/doc --for 60s
  lastmile up --edges 4 --ram 64MiB
  lastmile up --port-base 0 --json      ports chosen by the kernel, told as one line of JSON")]
    Up(UpFlags),
    /// Run one edge: a cache in front of an origin or of a parent
    #[command(after_help = format!("{EDGE_EXAMPLES}\n\n{}\n{}", config::site::help(), policy::help()))]
    Edge(EdgeFlags),
    /// Run an origin: a server of real files or of synthetic objects
    #[command(after_help = format!("{ORIGIN_EXAMPLES}\n\n{SYNTHETIC_HELP}\n\n{}", policy::help()))]
    Origin(OriginFlags),
    /// Run a GSLB: an authoritative DNS server that steers clients to edges
    #[command(after_help = "Examples:
  lastmile gslb --listen 127.0.0.1:5353 --zone gslb/examples/cdn.toml
  lastmile gslb --listen 127.0.0.1:5353 --http 127.0.0.1:5380 --zone gslb/examples/cdn.toml
  lastmile gslb --listen 127.0.0.1:5353 --lab-table dns_table.txt
  lastmile gslb --zone cdn.toml --log queries.jsonl --log-sample 100
  lastmile gslb why www.customer.test --client 10.1.2.3 --zone gslb/examples/cdn.toml
  dig @127.0.0.1 -p 5353 www.customer.test +subnet=10.1.0.0/16")]
    Gslb(GslbFlags),
    /// Print the rules of HTTP, section by section: which test shows each one, or why it is not kept
    #[command(after_help = "Examples:
  lastmile rules
  lastmile rules --section 9111
  lastmile rules --section 9111-4.2      its subsections too
  lastmile rules --json")]
    Rules(RulesFlags),
    /// Look at a configuration or zone file and say what is wrong, without starting anything
    #[command(after_help = "Examples:
  lastmile check lastmile.toml
  lastmile check gslb/examples/cdn.toml
  lastmile check dns_table.txt --as lab-table")]
    Check(CheckFlags),
    /// Look at the knobs of the machine, set them by a profile, and take it all back
    #[command(after_help = crate::tune::EXAMPLES)]
    Tune(crate::tune::TuneFlags),
    /// Put load on a server, or measure the edge beside other caches and beside what this machine can do at most
    #[command(after_help = "Examples:
  lastmile bench load http://127.0.0.1:8080/ --host www.customer.test
  lastmile bench floor
  lastmile bench compare --quick
  lastmile bench compare --help      its flags and cases")]
    Bench(crate::bench::BenchFlags),
    /// Look at this machine: what each role would lack here, and what to do about it
    #[command(after_help = crate::doctor::EXAMPLES)]
    Doctor(crate::doctor::DoctorFlags),
}

const EDGE_EXAMPLES: &str = "Examples:
  lastmile edge --listen 0.0.0.0:8080 --upstream http://192.0.2.1:8081 --ram 4GiB
  lastmile edge --listen 127.0.0.1:8081 --upstream http://127.0.0.1:8000 --name parent
  lastmile edge --upstream http://127.0.0.1:8000 --ssd /var/cache/lastmile --ssd-size 100GiB
  lastmile edge --upstream http://127.0.0.1:8000 --log -      each request and what was decided
  lastmile edge --upstream http://127.0.0.1:8000 --tcp-policy policy.toml --pacing 10MB
  lastmile edge --listen 127.0.0.1:8080 --listen '[::1]:8081 congestion=bbr' --upstream http://127.0.0.1:8000
  lastmile edge --config lastmile.toml --ram 1GiB      the flag overrides the file

A file may be as short as this (deploy/examples/lastmile.toml has every key):
  [edge]
  upstream = \"http://127.0.0.1:8000\"
  [[site]]
  hosts = [\"www.customer.test\"]
  key-query-except = [\"utm_*\"]
  stale-if-error = \"1h\"";

const ORIGIN_EXAMPLES: &str = "Examples:
  lastmile origin --listen 127.0.0.1:8000 --dir /srv/www
  lastmile origin --listen 127.0.0.1:8000 --synthetic
  curl 'http://127.0.0.1:8000/bytes/1MB?max-age=60&rate=500000' -o /dev/null";

/// Flags of everything that keeps running.
#[derive(Args, Clone, Debug)]
pub struct ProcessFlags {
    /// Read the table of this role in FILE; a flag overrides its key
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// End by itself after TIME, such as 20s [default: run until Ctrl-C or TERM]
    #[arg(long = "for", value_name = "TIME")]
    pub limit: Option<Period>,
    /// How long what is under way may take to end
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub drain: Period,
    /// Serve /healthz, /metrics and /stats.json at ADDR, of an edge also /load
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub admin: Option<SocketAddr>,
}

/// Flags of `lastmile up`.
#[derive(Args, Clone, Debug)]
pub struct UpFlags {
    /// Serve the files of DIR [default: a small site that ships with lastmile]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// How many edges, at 127.0.0.1, 127.0.0.2, ...
    #[arg(long, value_name = "N", default_value = "2", value_parser = edges)]
    pub edges: u8,
    /// The RAM tier of each edge and of the parent
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub ram: Size,
    /// The cores of the edges and the parent, such as 0-3 [default: all]
    #[arg(long, value_name = "LIST")]
    pub cores: Option<Cores>,
    /// How the edges talk to the kernel: auto, uring or epoll
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub io: IoChoice,
    /// Use ports N (origin), N+1 (edges), N+2 (parent), N+3 (GSLB), N+4 (admin) and N+5 (the
    /// GSLB's HTTP); 0 lets the kernel choose them [default: 8000, 8080, 8081, 5353, 9100, 5380]
    #[arg(long, value_name = "N", value_parser = port_base)]
    pub port_base: Option<u16>,
    /// Print one line of JSON instead of the table
    #[arg(long)]
    pub json: bool,
    /// Write a line of JSON for each request that an edge or the parent answers to FILE, - for stderr
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// The sites of the file of --config.
    #[arg(skip)]
    pub sites: Vec<Site>,
    /// Flags of the process.
    #[command(flatten)]
    pub process: ProcessFlags,
}

/// Flags of `lastmile edge`.
#[derive(Args, Clone, Debug)]
pub struct EdgeFlags {
    /// Listen at ADDR; may be repeated; after it, options of its own: "ADDR congestion=bbr pacing=2MB" [default:
    /// 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = own::listener)]
    pub listen: Vec<Own<SocketAddr, ListenerFlags>>,
    /// Fetch what is not stored from URL (an origin or a parent); several, with commas, in turn; after it, options of
    /// its own: "URL congestion=cubic"
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = own::upstream)]
    pub upstream: Vec<Own<Upstream, UpstreamFlags>>,
    /// The size of the RAM tier
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub ram: Size,
    /// Keep what does not fit into RAM in PATH, a file (made if there is none) or a block device; may be repeated
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    pub ssd: Vec<PathBuf>,
    /// The size of each [default: all of a block device, or of a file that is there]
    #[arg(long, value_name = "SIZE")]
    pub ssd_size: Option<Size>,
    /// What is written there: second-use (what was asked for twice) or all
    #[arg(long, value_name = "WHAT", default_value = "second-use")]
    pub ssd_admission: Admission,
    /// Write at most SIZE per second to each [default: as fast as it can]
    #[arg(long, value_name = "SIZE")]
    pub ssd_write_rate: Option<Size>,
    /// Run a worker on each of these cores, such as 0-3 or 0,2 [default: all]
    #[arg(long, value_name = "LIST")]
    pub cores: Option<Cores>,
    /// The name in Via and Cache-Status, one that no other cache on the path has
    #[arg(long, value_name = "NAME", default_value = "edge", value_parser = token)]
    pub name: String,
    /// How to talk to the kernel: auto (io_uring where it is allowed), uring or epoll
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub io: IoChoice,
    /// Give each connection to the worker of the core that receives its packets; for receive queues that are spread
    /// over the cores of --cores
    #[arg(long)]
    pub steer_by_cpu: bool,
    /// Flags for the sockets of clients.
    #[command(flatten)]
    pub listener: ListenerFlags,
    /// Flags for the sockets of upstreams.
    #[command(flatten)]
    pub upstream_socket: UpstreamFlags,
    /// Flags for the connections of some prefixes.
    #[command(flatten)]
    pub policy: PolicyFlags,
    /// Write a line of JSON for each answered request to FILE, - for stderr
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// The sites of the file of --config.
    #[arg(skip)]
    pub sites: Vec<Site>,
    /// Flags of the process.
    #[command(flatten)]
    pub process: ProcessFlags,
}

/// Flags of `lastmile origin`.
#[derive(Args, Clone, Debug)]
pub struct OriginFlags {
    /// Listen at ADDR
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = address)]
    pub listen: SocketAddr,
    /// Serve the files below DIR
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Serve synthetic objects: /bytes/SIZE[/NAME] and /echo (the table is below)
    #[arg(long)]
    pub synthetic: bool,
    /// Let files be stored for SECONDS (Cache-Control: max-age); none: say nothing about it
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = max_age)]
    pub max_age: MaxAge,
    /// Append each request to FILE as a line of JSON
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Flags for the sockets of clients.
    #[command(flatten)]
    pub listener: ListenerFlags,
    /// Flags for the connections of some prefixes.
    #[command(flatten)]
    pub policy: PolicyFlags,
    /// Flags of the process.
    #[command(flatten)]
    pub process: ProcessFlags,
}

/// Flags of `lastmile gslb`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GslbFlags {
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<GslbCommand>,
    /// Listen at ADDR, UDP and TCP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5353", value_parser = address)]
    pub listen: SocketAddr,
    /// Serve HTTP at ADDR: redirects, /resolve and DNS over HTTPS (/dns-query)
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub http: Option<SocketAddr>,
    /// Zones and steering
    #[arg(long, value_name = "FILE")]
    pub zone: Option<PathBuf>,
    /// Prefixes and their regions, as CSV, besides those of the zone file
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// A table of the university lab: rows of NAME TYPE VALUE...
    #[arg(long, value_name = "FILE")]
    pub lab_table: Option<PathBuf>,
    /// Locations for the lab's table: rows of ADDR X Y
    #[arg(long, value_name = "FILE")]
    pub lab_locations: Option<PathBuf>,
    /// Begin in backup mode: TTLs as much longer as `ttl_factor` of the zone file says
    #[arg(long)]
    pub backup: bool,
    /// Run a worker on each of these cores [default: all]
    #[arg(long, value_name = "LIST")]
    pub cores: Option<Cores>,
    /// Write a line of JSON for some of the queries to FILE, - for stderr
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// For one of N queries, at random; 1: for all
    #[arg(long, value_name = "N", default_value = "1000", value_parser = one_in)]
    pub log_sample: u32,
    /// Flags for the sockets of clients.
    #[command(flatten)]
    pub listener: ListenerFlags,
    /// Flags of the process.
    #[command(flatten)]
    pub process: ProcessFlags,
}

/// What `lastmile gslb` does besides running.
#[derive(Clone, Debug, Subcommand)]
pub enum GslbCommand {
    /// Say which answer a client gets, and why
    #[command(after_help = "Examples:
  lastmile gslb why www.customer.test --client 10.1.2.3 --zone gslb/examples/cdn.toml
  lastmile gslb why www.customer.test --client 2001:db8::/48 --type AAAA --zone cdn.toml
  lastmile gslb why www.customer.test --resolver 192.0.2.53 --zone cdn.toml
  lastmile gslb why www.customer.test --client 10.1.2.3 --admin 127.0.0.1:9100")]
    Why(WhyFlags),
    /// Say which share of the clients a new map or zone file would move to another region
    #[command(after_help = "Examples:
  lastmile gslb diff old.toml new.toml                   zone files with their prefixes
  lastmile gslb diff old.csv new.csv --zone cdn.toml     maps, for the regions of one zone file
  lastmile gslb diff old.csv new.csv --zone cdn.toml --clients seen.txt
  lastmile gslb diff old.csv new.csv --zone cdn.toml --clients queries.jsonl     the log of `gslb --log`")]
    Diff(DiffFlags),
    /// Make a key pair for a zone that is to be signed (DNSSEC), and print its DS record
    #[command(after_help = "Examples:
  lastmile gslb keygen cdn.test --dir /etc/lastmile      then in [[zone]]: key = \"Kcdn.test.+013+12345\"")]
    Keygen(KeygenFlags),
}

/// Flags of `lastmile gslb keygen`.
#[derive(Args, Clone, Debug)]
pub struct KeygenFlags {
    /// The zone
    #[arg(value_name = "ZONE")]
    pub zone: String,
    /// Write the two files into DIR
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// 13 (ECDSA P-256) or 15 (Ed25519)
    #[arg(long, value_name = "NUMBER", default_value = "13", value_parser = ["13", "15"])]
    pub algorithm: String,
}

/// Flags of `lastmile gslb diff`.
#[derive(Args, Clone, Debug)]
pub struct DiffFlags {
    /// What is served now: a zone file, or with --zone a map (CSV)
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// What would be
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// OLD and NEW are maps for the regions of this zone file
    #[arg(long, value_name = "FILE")]
    pub zone: Option<PathBuf>,
    /// Count the clients in FILE too: an address or a prefix at the start of each line, or the log of `gslb --log`
    #[arg(long, value_name = "FILE")]
    pub clients: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `lastmile gslb why`.
#[derive(Args, Clone, Debug)]
pub struct WhyFlags {
    /// The name that is asked for
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Who asks: an address, or a client subnet
    #[arg(long, value_name = "ADDR[/BITS]", required_unless_present = "resolver")]
    pub client: Option<String>,
    /// Who asks: a resolver that says nothing of its client
    #[arg(long, value_name = "ADDR", conflicts_with = "client")]
    pub resolver: Option<IpAddr>,
    /// The type that is asked for: A or AAAA
    #[arg(long = "type", value_name = "TYPE", default_value = "A", value_parser = ["A", "AAAA"])]
    pub rtype: String,
    /// Zones and steering; all edges are taken to be up
    #[arg(long, value_name = "FILE", required_unless_present = "admin", conflicts_with = "admin")]
    pub zone: Option<PathBuf>,
    /// Prefixes and their regions, as CSV, besides those of the zone file
    #[arg(long, value_name = "FILE", conflicts_with = "admin")]
    pub map: Option<PathBuf>,
    /// Ask the running GSLB whose admin server is at ADDR
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub admin: Option<SocketAddr>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `lastmile rules`.
#[derive(Args, Clone, Debug)]
pub struct RulesFlags {
    /// Only those of one RFC, such as 9111, or of one of its sections, such as 9111-4.2
    #[arg(long, value_name = "RFC")]
    pub section: Option<crate::rules::Section>,
    /// Print one line of JSON instead of the table
    #[arg(long)]
    pub json: bool,
}

/// Flags of `lastmile check`.
#[derive(Args, Clone, Debug)]
pub struct CheckFlags {
    /// The file to look at
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What FILE is: config, zone, map, lab-table, lab-locations or tcp-policy [default: seen from its content]
    #[arg(long = "as", value_name = "KIND")]
    pub kind: Option<crate::check::Kind>,
}

/// The `max-age` of an origin's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxAge(pub Option<u32>);

fn max_age(text: &str) -> Result<MaxAge, String> {
    match text {
        "none" => Ok(MaxAge(None)),
        _ => text.parse().map(|seconds| MaxAge(Some(seconds))).map_err(|_| {
            format!("{text:?} is not a number of seconds; allowed: 0 to 4294967295, or none")
        }),
    }
}

fn edges(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|count| (1..=crate::up::EDGES_MAX).contains(count)).ok_or_else(|| {
        format!("{text:?} is not a number of edges; allowed: 1 to {}", crate::up::EDGES_MAX)
    })
}

fn one_in(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| format!("{text:?} is not a number of queries; allowed: 1 to {}", u32::MAX))
}

fn port_base(text: &str) -> Result<u16, String> {
    let last = u16::MAX - crate::up::PORTS;
    text.parse().ok().filter(|base| *base <= last).ok_or_else(|| {
        format!("{text:?} is not a first port; allowed: 0 (the kernel chooses) or 1 to {last}")
    })
}

/// A name as Via and Cache-Status can carry it unquoted (RFC 9110 §5.6.2, `token`).
fn token(text: &str) -> Result<String, String> {
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is not a name; allowed: up to 64 letters, digits, '-', '_' and '.'"))
}

/// Reads `arguments` (the first is the program's name), and the file that `--config` names.
///
/// # Errors
/// [`Failure::Shown`] for help and version; [`Failure::Misused`] in one line otherwise.
pub fn parse(arguments: Vec<OsString>) -> Result<Command, Failure> {
    let command = Cli::command();
    let matches = command.clone().try_get_matches_from(&arguments).map_err(|e| explain(&e))?;
    let (arguments, sites) = config::merge(&command, &matches, arguments)?;
    let matches = command.try_get_matches_from(arguments).map_err(|e| explain(&e))?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|e| explain(&e))?;
    match &mut cli.command {
        Command::Up(flags) => flags.sites = sites,
        Command::Edge(flags) => flags.sites = sites,
        Command::Origin(_)
        | Command::Gslb(_)
        | Command::Rules(_)
        | Command::Check(_)
        | Command::Bench(_)
        | Command::Doctor(_)
        | Command::Tune(_) => {}
    }
    Ok(cli.command)
}

/// The help that was asked for, or what is wrong with the command line in one line.
fn explain(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Failure::Shown(text),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let commands = Cli::command();
            let names: Vec<_> = commands.get_subcommands().map(clap::Command::get_name).collect();
            let names = names.join(", ");
            return Failure::Misused(format!(
                "a command is missing; allowed: {names} (see --help)"
            ));
        }
        _ => {}
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let line = lines.join(" ");
    Failure::Misused(format!("{} (see --help)", line.strip_prefix("error: ").unwrap_or(&line)))
}
