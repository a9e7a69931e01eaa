//! A choice in words: who is asked for, where the client is, which edges there are, and which of them it gets.

use crate::answer::Tables;
use crate::load::load;
use crate::map::Prefix;
use crate::mode::Mode;
use crate::steer::measured::Held;
use crate::steer::{AllDown, Choice, Family, Steered, Why};
use crate::wire::name::{self, LowerName};
use crate::wire::rtype;
use crate::wire::subnet::{Client, ClientSource};
use crate::zone::{Found, Zones};
use crate::{Config, ConfigError};
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// CNAMEs that are followed, as for an answer.
const CNAMES_MAX: usize = 8;

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// A name, such as `www.customer.test`.
    pub name: String,
    /// An address, or a client subnet such as `192.0.2.0/24`.
    pub client: String,
    /// The client is a resolver that says nothing of whom it asks for; its address is taken as it is.
    pub is_resolver: bool,
    /// AAAA instead of A.
    pub v6: bool,
}

/// A choice, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The steered name, where CNAMEs have led.
    pub name: String,
    /// `A` or `AAAA`.
    pub rtype: &'static str,
    /// The client as it is known.
    pub client: String,
    /// The region that it is in.
    pub region: String,
    /// What says so.
    pub region_by: String,
    /// All edges, in the order in which this client gets them.
    pub candidates: Vec<Candidate>,
    /// The answer.
    pub addresses: Vec<IpAddr>,
    /// Seconds.
    pub ttl: u32,
    /// Every client that shares so many bits of its address gets the same answer.
    pub scope: u8,
    /// Why these addresses.
    pub why: String,
    /// `backup` and `static`, if they are on.
    pub modes: Vec<&'static str>,
}

/// An edge as one client sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Its name.
    pub edge: String,
    /// Its region.
    pub region: String,
    /// As configured.
    pub capacity: u32,
    /// Whether it is up; without a check it always is.
    pub is_up: bool,
    /// What its last check came to; empty without one.
    pub check: String,
    /// How full it says it is: 1 is full.
    pub utilisation: Option<f64>,
    /// What it gets of its share of clients, within 0 and 1.
    pub part: f64,
    /// What its region takes of clients that are nearest to it,
    pub region_part: f64,
    /// and of others, for which nearer regions have no room.
    pub region_part_of_guests: f64,
    /// Round-trip time from here in ms, where that has been measured: to the edge, or to its region.
    pub rtt_ms: Option<f64>,
    /// Addresses of the type asked for.
    pub addresses: usize,
    /// Whether one of them is in the answer.
    pub is_chosen: bool,
}

/// What the files of `config` give, all edges taken to be up.
///
/// # Errors
/// What is wrong with the files, or why there is nothing to say of the name.
pub fn explain_files(config: &Config, question: &Question) -> Result<Explanation, ConfigError> {
    let (tables, _) = load(config)?;
    explain(&tables, Mode::default(), question).map_err(|message| ConfigError {
        file: None,
        line: None,
        message,
    })
}

/// Explains one choice.
///
/// # Errors
/// Why there is nothing to say: the name or the client is none, or the name is not steered.
pub(crate) fn explain(
    tables: &Tables,
    mode: Mode,
    question: &Question,
) -> Result<Explanation, String> {
    let client = client(question)?;
    let (index, owner) = steered_index(&tables.zones, &question.name)?;
    let steered = &tables.policy.steered[index];
    let (family, rtype) = if question.v6 { (Family::V6, "AAAA") } else { (Family::V4, "A") };
    let policy = &tables.policy;
    let measured = policy.measured.load();
    let measured = measured.as_ref().and_then(Held::table);
    let place = policy.place(measured, steered, &client, family);
    let region = policy.first_region(&place);
    let region_name = policy.regions[usize::from(region)].name.to_string();
    let all = network(client.address, policy.locate(&client).0.scope);
    let region_by = match place.why {
        Why::Measured => "what has been measured".to_owned(),
        Why::Listed => format!("the list of resolvers, for all of {all}"),
        Why::Default => format!("default_region of {owner}, as no prefix has the client"),
        Why::Mapped
        | Why::Spilled
        | Why::Shed
        | Why::Full
        | Why::Down
        | Why::Nothing
        | Why::NoEdge
        | Why::Static => {
            format!("the map, for all of {all}")
        }
    };
    let fixed = mode.is_static.then(|| &tables.fixed[usize::from(steered.default_region)]);
    let fixed = fixed.and_then(|fixed| fixed.choose(policy, family, steered.answers, 0));
    let choice = fixed.unwrap_or_else(|| policy.choose(steered, &client, family));
    let times = measured.map_or_else(Vec::new, |table| table.of(client.address));
    let candidates = policy.ranked(&place).into_iter().map(|(at, index)| {
        let (edge, region) = (&policy.edges[index], &policy.regions[usize::from(at)]);
        let mut addresses = edge.all_addresses(family);
        let time = |name: &str| times.iter().find(|it| *it.target == *name).map(|it| it.rtt_ms);
        Candidate {
            edge: edge.name.to_string(),
            region: region.name.to_string(),
            capacity: edge.capacity,
            is_up: edge.state.is_up(),
            check: edge.state.last(),
            utilisation: edge.state.load().map(|load| load.utilisation),
            part: edge.state.part.value(),
            region_part: region.state.own.value(),
            region_part_of_guests: region.state.guests.value(),
            rtt_ms: time(&edge.name).or_else(|| time(&region.name)),
            addresses: edge.addresses(family),
            is_chosen: addresses.any(|address| choice.addresses().contains(&address)),
        }
    });
    let candidates: Vec<_> = candidates.collect();
    Ok(Explanation {
        name: owner,
        rtype,
        client: format!("{}/{}", client.address, client.prefix_length),
        why: why(&choice, steered, &region_name),
        region: region_name,
        region_by,
        candidates,
        addresses: choice.addresses().to_vec(),
        ttl: mode.ttl(steered.ttl, &tables.service.backup),
        scope: choice.scope,
        modes: [(mode.is_backup, "backup"), (mode.is_static, "static")]
            .into_iter()
            .filter_map(|(is_on, name)| is_on.then_some(name))
            .collect(),
    })
}

fn client(question: &Question) -> Result<Client, String> {
    let text = &question.client;
    if question.is_resolver {
        let address = text.parse().map_err(|_| format!("resolver: {text:?} is not an address"))?;
        return Ok(Client::new(None, address));
    }
    let prefix: Prefix = text.parse().map_err(|message| format!("client: {text:?} {message}"))?;
    let (address, prefix_length) = prefix.parts();
    Ok(Client { address, prefix_length, source: ClientSource::Subnet })
}

/// The steered name that a name leads to: its place in [`crate::steer::Policy::steered`], and the name.
///
/// # Errors
/// Why there is none.
pub(crate) fn steered_index(zones: &Zones, text: &str) -> Result<(usize, String), String> {
    let mut wire =
        name::to_lower(&name::from_text(text).map_err(|message| format!("name: {message}"))?);
    for _ in 0..=CNAMES_MAX {
        let (lower, _) = LowerName::read(&wire).map_err(|_| format!("{text:?} is no name"))?;
        let shown = name::to_text(&wire);
        let Some((zone, skipped)) = zones.find(&lower, rtype::A) else {
            return Err(format!("{shown} is in no zone of this server"));
        };
        let Found::Node(node) = zone.lookup(&lower, skipped, rtype::A) else {
            return Err(format!("{shown} is not there, or another server answers for it"));
        };
        if let Some(index) = node.steered {
            return Ok((index, shown));
        }
        let target = node.rrset(rtype::CNAME).and_then(|cname| cname.target());
        let Some(target) = target else {
            return Err(format!("{shown} has records of its zone, the same for every client"));
        };
        wire = name::to_lower(target);
    }
    Err(format!("{text:?} leads through more than {CNAMES_MAX} CNAMEs"))
}

/// The network of an address.
fn network(address: IpAddr, bits: u8) -> String {
    let mask = |width| crate::wire::subnet::mask(bits, width);
    let first: IpAddr = match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & (mask(32) >> 96) as u32).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & mask(128)).into()),
    };
    format!("{first}/{bits}")
}

fn why(choice: &Choice, steered: &Steered, region: &str) -> String {
    match choice.why {
        Why::Mapped => format!("{region} is the client's region, and has an edge that is up"),
        Why::Listed => format!("{region} has this resolver's clients, and an edge that is up"),
        Why::Measured => format!("{region} is nearest by what has been measured"),
        Why::Shed => {
            format!("{region} has room for a part of its clients only, and not for this one")
        }
        Why::Full => format!("no region has room for this client, so it stays in {region}"),
        Why::Default => format!("{region} is where clients go that are in no prefix"),
        Why::Spilled => {
            format!("{region} has no such edge that is up: the nearest region that has one")
        }
        Why::Down => match steered.all_down {
            AllDown::All => "no edge is up: as if all were".to_owned(),
            AllDown::Static(..) => "no edge is up: the addresses of `fallback`".to_owned(),
            AllDown::Nothing => "no edge is up".to_owned(),
        },
        Why::Nothing => "no edge is up, and the name has nothing for that: SERVFAIL".to_owned(),
        Why::NoEdge => "no edge has such an address: no data".to_owned(),
        Why::Static => {
            "static mode: edges of default_region in turn, whoever asks; another query may get others".to_owned()
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rtype, client, region, region_by, why, ttl, scope, .. } = self;
        writeln!(out, "{name} {rtype} for {client}")?;
        writeln!(out, "  region   {region}, by {region_by}")?;
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let addresses = if addresses.is_empty() { "none".to_owned() } else { addresses.join(" ") };
        writeln!(out, "  answer   {addresses}, for {ttl} s and all clients of the same /{scope}")?;
        writeln!(out, "  why      {why}")?;
        if !self.modes.is_empty() {
            writeln!(out, "  modes    {}", self.modes.join(" and "))?;
        }
        writeln!(out, "  edges, in the order for this client:")?;
        let width = |each: fn(&Candidate) -> &str| {
            self.candidates.iter().map(|candidate| each(candidate).len()).max().unwrap_or(0)
        };
        let (edges, regions) = (width(|it| &it.edge), width(|it| &it.region));
        for it in &self.candidates {
            let mark = if it.is_chosen { '*' } else { ' ' };
            let state = match (it.is_up, it.addresses) {
                (_, 0) => "has no such address",
                (true, _) if it.capacity == 0 => "takes no clients",
                (true, _) => "up",
                (false, _) => "down",
            };
            let (edge, region, capacity) = (&it.edge, &it.region, it.capacity);
            writeln!(
                out,
                "  {mark} {edge:edges$}  {region:regions$}  capacity {capacity}  {state}{}",
                it.more()
            )?;
        }
        Ok(())
    }
}

impl Candidate {
    /// What is known besides.
    fn more(&self) -> String {
        let percent = |part: f64| format!("{:.0} %", part * 100.0);
        let mut more = String::new();
        if !self.check.is_empty() {
            more += &format!(" ({})", self.check);
        }
        if let Some(utilisation) = self.utilisation {
            more += &format!(", {} full", percent(utilisation));
        }
        if self.part < 1.0 {
            more += &format!(", gets {} of its share", percent(self.part));
        }
        let (own, guests) = (self.region_part, self.region_part_of_guests);
        if own < 1.0 || guests < 1.0 {
            let (own, guests) = (percent(own), percent(guests));
            more += &format!(", its region takes {own} of its clients and {guests} of others");
        }
        if let Some(rtt_ms) = self.rtt_ms {
            more += &format!(", {rtt_ms} ms");
        }
        more
    }
}
