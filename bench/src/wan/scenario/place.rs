//! Hosts, what their routes say about connections, and the programs on them.

use super::fields::Field;
use super::{NAME_ALLOWED, Wrong, is_name};
use lastmile_tuning::route::Metrics;
use std::time::Duration;

/// Hosts of a scene: each has an address 10.77.0.N and two threads.
const HOSTS_MAX: usize = 64;

/// Routes and programs of a scene, commands that set up a host.
const PLACES_MAX: usize = 64;

/// The longest of `rto_min` that a connection could have any use for.
const RTO_MAX: Duration = Duration::from_secs(120);

/// A host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// Its name.
    pub name: String,
    /// Parameters of its kernel and their values.
    pub sysctl: Vec<(String, String)>,
    /// Commands that run to their end there, one after the other, before any program starts; written as those of
    /// programs, and with one `{dir}` for all of them.
    pub setup: Vec<String>,
}

/// What a host's route to another says about connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// The host that has the route.
    pub at: String,
    /// The host that it leads to.
    pub to: String,
    /// What it says.
    pub metrics: Metrics,
}

/// A program that runs while a case is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramSettings {
    /// What errors call it, and its directory.
    pub name: String,
    /// The host that it runs on.
    pub host: String,
    /// Its words, as a shell would have them; `{HOST}` is an address of a host, `{dir}` the program's directory.
    pub run: String,
    /// What must have come about before anything else starts; `None` waits for nothing.
    pub ready: Option<Ready>,
    /// Files in its directory: names and contents, in which `{HOST}` and `{dir}` are replaced.
    pub files: Vec<(String, String)>,
}

/// When a program is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// When it accepts connections at this TCP port of its host.
    Port(u16),
    /// When it has ended with status 0.
    Ended,
}

/// All hosts.
pub(super) fn hosts(field: &Field<'_>) -> Result<Vec<HostSettings>, Wrong> {
    let named = field.named()?;
    if named.is_empty() || named.len() > HOSTS_MAX {
        return Err(field.wrong(&format!("1 to {HOSTS_MAX} hosts, such as [hosts.client]")));
    }
    let named_only = |(name, _): &(&str, Field<'_>)| HostSettings {
        name: (*name).to_owned(),
        ..HostSettings::default()
    };
    let all: Vec<_> = named.iter().map(named_only).collect();
    let host = |(name, field): &(&str, Field<'_>)| {
        check_name(name, field)?;
        if *name == "dir" {
            return Err(field.wrong("another name: {dir} is a program's directory"));
        }
        let fields = field.fields()?;
        let sysctl = fields.get("sysctl").map(|field| sysctl(&field)).transpose()?;
        let setup = fields.get("setup").map_or(Ok(Vec::new()), |setup| setup.list(PLACES_MAX))?;
        let setup = setup.iter().map(|field| run(field, &all)).collect::<Result<_, _>>()?;
        fields.end()?;
        let name = (*name).to_owned();
        Ok(HostSettings { name, sysctl: sysctl.unwrap_or_default(), setup })
    };
    named.iter().map(host).collect()
}

fn sysctl(field: &Field<'_>) -> Result<Vec<(String, String)>, Wrong> {
    let entry = |(name, field): (&str, Field<'_>)| {
        lastmile_tuning::sysctl::path(name).map_err(|_| {
            field.wrong("a name of a kernel parameter, such as \"net.ipv4.tcp_sack\", in quotes")
        })?;
        Ok((name.to_owned(), field.text()?.to_owned()))
    };
    field.named()?.into_iter().map(entry).collect()
}

/// A name that may be a part of a file's.
pub(super) fn check_name(name: &str, field: &Field<'_>) -> Result<(), Wrong> {
    match is_name(name) {
        true => Ok(()),
        false => Err(Wrong {
            line: field.node.line,
            what: format!("{}: {name:?} is no name; allowed: {NAME_ALLOWED}", field.key),
        }),
    }
}

/// The name of one of `hosts`.
pub(super) fn host(field: &Field<'_>, hosts: &[HostSettings]) -> Result<String, Wrong> {
    let names = hosts.iter().map(|host| host.name.as_str());
    field.one_of(names, "the name of a host").map(str::to_owned)
}

/// All routes.
pub(super) fn routes(
    field: Option<&Field<'_>>,
    hosts: &[HostSettings],
) -> Result<Vec<RouteSettings>, Wrong> {
    let route = |(_, field): (&str, Field<'_>)| {
        let fields = field.fields()?;
        let at = host(&fields.need("at", "\"origin\"")?, hosts)?;
        let to_field = fields.need("to", "\"client\"")?;
        let to = host(&to_field, hosts)?;
        if at == to {
            return Err(to_field.wrong("another host than at"));
        }
        let count = |name, max| fields.get(name).map(|field| field.count(1..=max)).transpose();
        let metrics = Metrics {
            initcwnd: count("initcwnd", 65_535)?,
            initrwnd: count("initrwnd", 65_535)?,
            rto_min: fields.get("rto_min").map(|field| field.duration(RTO_MAX)).transpose()?,
            congestion: fields
                .get("congestion")
                .map(|field| field.line().map(str::to_owned))
                .transpose()?,
            quick_ack: fields.get("quick_ack").map(|field| field.flag()).transpose()?,
            mtu: count("mtu", 65_535)?,
            advmss: count("advmss", 65_535)?,
            others: Vec::new(),
        };
        fields.end()?;
        Ok(RouteSettings { at, to, metrics })
    };
    let Some(field) = field else { return Ok(Vec::new()) };
    bounded(field)?.into_iter().map(route).collect()
}

/// All programs.
pub(super) fn programs(
    field: Option<&Field<'_>>,
    hosts: &[HostSettings],
) -> Result<Vec<ProgramSettings>, Wrong> {
    let program = |(name, field): (&str, Field<'_>)| {
        check_name(name, &field)?;
        let fields = field.fields()?;
        let host = host(&fields.need("host", "\"origin\"")?, hosts)?;
        let run = run(&fields.need("run", "\"lastmile origin --synthetic\"")?, hosts)?;
        let ready = fields.get("ready").map(|field| ready(&field)).transpose()?;
        let files = fields.get("files").map(|field| files(&field)).transpose()?;
        fields.end()?;
        let files = files.unwrap_or_default();
        Ok(ProgramSettings { name: name.to_owned(), host, run, ready, files })
    };
    let Some(field) = field else { return Ok(Vec::new()) };
    bounded(field)?.into_iter().map(program).collect()
}

fn bounded<'a>(field: &Field<'a>) -> Result<Vec<(&'a str, Field<'a>)>, Wrong> {
    let named = field.named()?;
    match named.len() > PLACES_MAX {
        true => Err(field.wrong(&format!("at most {PLACES_MAX} of them"))),
        false => Ok(named),
    }
}

/// The words of a command.
pub(super) fn run(field: &Field<'_>, hosts: &[HostSettings]) -> Result<String, Wrong> {
    let text = field.text()?;
    if shlex::split(text).is_none_or(|words| words.is_empty()) {
        return Err(field.wrong("a program and its arguments, with quotes that are closed"));
    }
    for name in text.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        if is_name(name) && name != "dir" && !hosts.iter().any(|host| host.name == name) {
            let names: Vec<_> = hosts.iter().map(|host| format!("{{{}}}", host.name)).collect();
            return Err(field.wrong(&format!("in braces: {{dir}}, {}", names.join(", "))));
        }
    }
    Ok(text.to_owned())
}

/// A port, as text or as a number, or `ended`.
fn ready(field: &Field<'_>) -> Result<Ready, Wrong> {
    let allowed = "a TCP port, such as \"8000\", or \"ended\"";
    let port = match field.count(1..=65_535) {
        Ok(port) => u16::try_from(port).ok(),
        Err(_) => match field.text().map_err(|_| field.wrong(allowed))? {
            "ended" => return Ok(Ready::Ended),
            text => text.parse().ok(),
        },
    };
    port.filter(|port| *port > 0).map(Ready::Port).ok_or_else(|| field.wrong(allowed))
}

fn files(field: &Field<'_>) -> Result<Vec<(String, String)>, Wrong> {
    let file = |(name, field): (&str, Field<'_>)| {
        let is_file_name = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
        if !is_file_name {
            return Err(field.wrong("the name of a file without a directory"));
        }
        Ok((name.to_owned(), field.text()?.to_owned()))
    };
    bounded(field)?.into_iter().map(file).collect()
}
