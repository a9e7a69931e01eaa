//! From a query's octets to an answer's: the one function that owns every branch. Pure, and
//! allocates nothing.

mod draft;
mod problem;
mod signed;
mod terms;
mod transfer;

use crate::fixed::Fixed;
use crate::http::rules::Rules;
use crate::mode::Moment;
use crate::service::Service;
use crate::steer::{Choice, Family, Placed, Policy, Why};
use crate::table::{self, LabTable, Row};
use crate::tally::Tally;
use crate::wire::cookie::Standing;
use crate::wire::name::{self, LowerName};
use crate::wire::query::{Problem, Query};
use crate::wire::subnet::Client;
use crate::wire::writer::{Full, Writer};
use crate::wire::{CLASS_IN, HEADER_OCTETS, Rcode, rtype};
use crate::zone::{Found, Node, Rdata, Rrset, Zone, Zones};
pub(crate) use draft::put_rdata;
use draft::{Draft, Section};
use problem::answer_problem;
use signed::Proofs;
use std::net::IpAddr;
use std::sync::Arc;
use terms::Terms;

/// CNAMEs followed for one answer. Onboarding takes one; a loop ends here.
const CNAMES_MAX: usize = 8;
/// UDP payload without EDNS (RFC 1035 §4.2.1), and the least that EDNS may say (RFC 6891 §6.2.3).
pub(crate) const UDP_PAYLOAD_MIN: u16 = 512;
/// RFC 8482 §4.2: what ANY gets, and for how long it may be remembered.
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";
const ANY_TTL: u32 = 3600;

/// Everything that answers come from; an immutable snapshot. A copy shares what is not signed.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) zones: Zones,
    pub(crate) policy: Arc<Policy>,
    pub(crate) lab: Option<Arc<LabTable>>,
    /// How often these tables answered with each region and edge.
    pub(crate) tally: Arc<Tally>,
    /// For the HTTP front; an answer over UDP needs none of it but the name for pairs.
    pub(crate) front: Arc<Rules>,
    /// The largest answer over UDP in octets.
    pub(crate) udp_payload_max: u16,
    pub(crate) service: Service,
    /// For static mode: what each region has.
    pub(crate) fixed: Arc<[Fixed]>,
}

/// A packet, and what is known about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) packet: &'a [u8],
    pub(crate) peer: IpAddr,
    pub(crate) transport: Transport,
    /// A fresh random number.
    pub(crate) random: u64,
    pub(crate) moment: Moment,
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In one datagram.
    Udp,
    /// On a connection.
    Tcp,
    /// DNS over HTTPS, and names that are resolved for apps.
    Https,
}

/// Why the answer is what it is; feeds the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// No answer: not a query.
    Silence,
    /// The steering chose addresses.
    Steered(Why),
    /// Records of a zone.
    Static,
    /// A CNAME that leads out of our zones, or too many of them.
    Alias,
    /// A row of the lab's table.
    Lab,
    /// The minimal answer to ANY.
    Any,
    /// The name is there, the type is not.
    NoData,
    /// The name is not there.
    NoName,
    /// Another server's name.
    Referral,
    /// A secondary gets the zone, which follows instead of this answer.
    Transfer,
    /// Not our name or class, or a zone transfer for somebody else.
    Refused,
    /// Not a well-formed query.
    Malformed,
    /// An operation other than QUERY.
    NotImplemented,
    /// An EDNS version other than 0.
    BadVersion,
    /// Limited by rate: come again, with a cookie or over TCP.
    Limited,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Octets of the answer; 0 for none.
    pub(crate) octets: usize,
    pub(crate) reason: Reason,
    pub(crate) truncated: bool,
    pub(crate) rcode: Rcode,
    /// As in the answer's client subnet, if it has one.
    pub(crate) scope: u8,
    /// Of a steered name: where the client is, and its first edge.
    pub(crate) placed: Option<Placed>,
    /// What the sender has shown of where it is.
    pub(crate) standing: Standing,
    /// The same for answers of one kind: from one node (for a wildcard, whatever the name), "no such name" in one zone,
    /// all errors.
    pub(crate) kind: u64,
}

/// Answers a packet into `out`, which holds at least [`UDP_PAYLOAD_MIN`] octets; an answer over TCP
/// may take all of it.
pub(crate) fn answer(tables: &Tables, asked: &Asked<'_>, out: &mut [u8]) -> Answered {
    let mut query = Query::empty();
    let read = query.read(asked.packet);
    answer_query(tables, asked, read.map(|()| &query), out)
}

/// As [`answer`], for a packet that has been read.
pub(crate) fn answer_query(
    tables: &Tables,
    asked: &Asked<'_>,
    read: Result<&Query, Problem>,
    out: &mut [u8],
) -> Answered {
    respond(tables, asked, read, out, |draft| {
        let query = draft.query;
        if query.edns.is_some_and(|edns| edns.version != 0) {
            draft.end(Rcode::BadVers, Reason::BadVersion);
        } else if query.qclass != CLASS_IN {
            draft.end(Rcode::Refused, Reason::Refused);
        } else if matches!(query.qtype, rtype::AXFR | rtype::IXFR) {
            let outcome = draft.begin_transfer(tables, asked);
            draft.truncated |= outcome.is_err();
        } else {
            let subnet = query.edns.as_ref().and_then(|edns| edns.subnet.as_ref());
            let client = Client::new(subnet, asked.peer);
            let outcome = draft.resolve(tables, &client, asked);
            draft.truncated |= outcome.is_err();
        }
    })
}

/// In place of an answer that is one too many: no records, and how to come again so that we know that the sender is not
/// forged.
pub(crate) fn answer_limited(
    tables: &Tables,
    asked: &Asked<'_>,
    read: Result<&Query, Problem>,
    out: &mut [u8],
) -> Answered {
    respond(tables, asked, read, out, |draft| {
        if draft.options.cookie.is_some() {
            // RFC 7873 §5.2.3: with the cookie that comes with this.
            draft.end(Rcode::BadCookie, Reason::Limited);
        } else {
            // Over TCP.
            draft.end(Rcode::NoError, Reason::Limited);
            draft.truncated = true;
        }
    })
}

/// Begins and ends an answer, and lets `fill` put in what is between.
fn respond(
    tables: &Tables,
    asked: &Asked<'_>,
    read: Result<&Query, Problem>,
    out: &mut [u8],
    fill: impl FnOnce(&mut Draft<'_, '_>),
) -> Answered {
    let query = match read {
        Ok(query) => query,
        Err(problem) => {
            return answer_problem(problem, asked.packet, tables.udp_payload_max, out);
        }
    };
    let terms = Terms::new(tables, asked, query, out.len());
    // The OPT record comes last but must fit, so its place is kept free.
    let opt_octets = query.edns.map_or(0, |_| terms.opt_octets());
    let writer = Writer::new(out, terms.limit - opt_octets);
    let mut draft = Draft::new(query, writer, terms.options);
    let question = &asked.packet[HEADER_OCTETS..query.question_end];
    // Question and OPT take 16 octets more than they did in the query at most, so this and `finish` always fit.
    let _ = draft.writer.put_question(question);
    fill(&mut draft);
    let mut answered = draft.finish(asked.packet, terms.limit, tables.udp_payload_max);
    answered.standing = terms.standing;
    answered
}

impl Answered {
    /// One without records.
    pub(crate) fn new(octets: usize, reason: Reason, rcode: Rcode) -> Self {
        Self {
            octets,
            reason,
            truncated: false,
            rcode,
            scope: 0,
            placed: None,
            standing: Standing::Silent,
            kind: 0,
        }
    }
}

/// Answers of one kind are those that come from one thing in the tables.
fn kind<T>(source: &T) -> u64 {
    std::ptr::from_ref(source).addr() as u64
}

/// What is left to do for an answer.
enum Next<'t> {
    Nothing,
    /// A CNAME leads to this name.
    Follow(&'t [u8]),
    /// To say that there is no such type.
    NoData,
}

impl Draft<'_, '_> {
    /// Fills the sections. `Err` when an RRset that belongs to the answer did not fit.
    fn resolve(&mut self, tables: &Tables, client: &Client, asked: &Asked<'_>) -> Result<(), Full> {
        let query = self.query;
        if let Some(lab) = &tables.lab
            && let Some(row) = lab.find(&query.name)
        {
            self.kind = kind(row);
            return self.answer_lab(lab, row, client, asked.random);
        }
        // The name in question: the asker's at first, then where CNAMEs lead.
        let mut aliased: Option<(LowerName, &[u8])> = None;
        let mut proofs = self.dnssec_ok.then(Proofs::default);
        for cnames in 0..=CNAMES_MAX {
            let (name, owner) = match &aliased {
                None => (&query.name, query.name.as_wire()),
                Some((name, owner)) => (name, *owner),
            };
            let Some((zone, skipped)) = tables.zones.find(name, query.qtype) else {
                if cnames == 0 {
                    // The lab's own server says NXDOMAIN for names that are not in its table.
                    self.authoritative = tables.lab.is_some();
                    match tables.lab {
                        Some(_) => self.end(Rcode::NxDomain, Reason::NoName),
                        None => self.end(Rcode::Refused, Reason::Refused),
                    }
                }
                break;
            };
            // RFC 1034 §4.1.1: AA is about the owner that matches the question, the first one.
            let node = match zone.lookup(name, skipped, query.qtype) {
                Found::Delegation { servers, labels_skipped } => {
                    // RFC 1034 §4.3.2 3b: also at the end of CNAMEs.
                    self.reason = if cnames == 0 { Reason::Referral } else { Reason::Alias };
                    self.refer(zone, name.suffix(labels_skipped), servers)?;
                    break;
                }
                Found::Nothing => {
                    // RFC 6604 §3: the code is that of the last name.
                    self.authoritative = true;
                    self.kind = kind(zone);
                    self.end(Rcode::NxDomain, Reason::NoName);
                    if let Some(proofs) = &mut proofs {
                        proofs.no_name(zone, name);
                    }
                    self.put_soa(zone)?;
                    break;
                }
                Found::Node(node) => node,
            };
            self.authoritative = true;
            if cnames == 0 {
                self.kind = kind(node);
            }
            if let Some(proofs) = &mut proofs {
                proofs.expansion(zone, name);
            }
            match self.answer_node(tables, asked, zone, node, owner, client)? {
                Next::Follow(target) if cnames < CNAMES_MAX => {
                    let Ok((name, _)) = LowerName::read(target) else { break };
                    aliased = Some((name, target));
                }
                Next::Follow(_) | Next::Nothing => break,
                Next::NoData => {
                    if let Some(proofs) = &mut proofs {
                        proofs.no_data(zone, name);
                    }
                    self.put_soa(zone)?;
                    break;
                }
            }
        }
        proofs.map_or(Ok(()), |proofs| self.put_proofs(&proofs))
    }

    /// Answers from a node, and returns what is left to do.
    fn answer_node<'t>(
        &mut self,
        tables: &'t Tables,
        asked: &Asked<'_>,
        zone: &'t Zone,
        node: &'t Node,
        owner: &[u8],
        client: &Client,
    ) -> Result<Next<'t>, Full> {
        let qtype = self.query.qtype;
        let is_signed = self.dnssec_ok && zone.signing.is_some();
        if qtype == rtype::ANY && !is_signed {
            self.reason = Reason::Any;
            let hinfo = |draft: &mut Self| {
                draft.put_head(owner, rtype::HINFO, ANY_TTL)?;
                draft.writer.put_u16(ANY_RDATA.len() as u16)?;
                draft.writer.put(ANY_RDATA)
            };
            return self.put_whole(Section::Answer, 1, hinfo).map(|()| Next::Nothing);
        }
        if let Some(cname) = node.rrset(rtype::CNAME)
            && !matches!(qtype, rtype::CNAME | rtype::NSEC | rtype::RRSIG)
        {
            self.reason = Reason::Alias;
            self.put_rrset(Section::Answer, owner, cname, cname.ttl)?;
            return Ok(cname.target().map_or(Next::Nothing, Next::Follow));
        }
        let family = match qtype {
            rtype::A => Some(Family::V4),
            rtype::AAAA => Some(Family::V6),
            _ => None,
        };
        if let (Some(index), Some(family)) = (node.steered, family) {
            return self.answer_steered(tables, asked, zone, (index, family), owner, client);
        }
        if qtype == rtype::RRSIG
            && let Some(put) = self.put_signature(owner, node)
        {
            self.reason = Reason::Static;
            return put.map(|()| Next::Nothing);
        }
        // RFC 8482 §4.1: where an answer to ANY must be signed, it is one of the RRsets that are.
        let rrset = if qtype == rtype::ANY { node.rrsets.first() } else { node.rrset(qtype) };
        match rrset {
            Some(rrset) => {
                self.reason = if qtype == rtype::ANY { Reason::Any } else { Reason::Static };
                self.put_rrset(Section::Answer, owner, rrset, rrset.ttl).map(|()| Next::Nothing)
            }
            None => {
                self.reason = Reason::NoData;
                Ok(Next::NoData)
            }
        }
    }

    /// Answers with chosen addresses, or leaves it to say that there are none.
    fn answer_steered<'t>(
        &mut self,
        tables: &Tables,
        asked: &Asked<'_>,
        zone: &Zone,
        (index, family): (usize, Family),
        owner: &[u8],
        client: &Client,
    ) -> Result<Next<'t>, Full> {
        let (policy, mode) = (&tables.policy, asked.moment.mode);
        let steered = &policy.steered[index];
        let signing = zone.signing.as_ref().filter(|_| self.dnssec_ok);
        let rrsig = |choice: &Choice| signing.and_then(|it| it.set(index, choice.addresses()));
        let fixed = mode.is_static.then(|| &tables.fixed[usize::from(steered.default_region)]);
        let fixed = fixed
            .and_then(|fixed| fixed.choose(policy, family, steered.answers, asked.random))
            // The turns may bring together what the policy never would, and nobody has signed.
            .filter(|choice| signing.is_none() || rrsig(choice).is_some());
        let choice = fixed.unwrap_or_else(|| policy.choose(steered, client, family));
        self.reason = Reason::Steered(choice.why);
        self.placed = Some(choice.placed);
        if choice.addresses().is_empty() && choice.why != Why::Nothing {
            return Ok(Next::NoData);
        }
        let rrsig = rrsig(&choice);
        // A set that nobody has signed would be taken for a forgery.
        if choice.why == Why::Nothing || rrsig.is_some() != signing.is_some() {
            self.authoritative = false;
            self.rcode = Rcode::ServFail;
            return Ok(Next::Nothing);
        }
        self.scope = choice.scope;
        // RFC 4035 §5.3.3: no validator keeps it longer than what is signed.
        let ttl = match rrsig {
            Some(_) => steered.ttl,
            None => mode.ttl(steered.ttl, &tables.service.backup),
        };
        self.put_choice(owner, ttl, &choice, rrsig).map(|()| Next::Nothing)
    }

    /// Answers from the lab's table; a CNAME is answered alone.
    fn answer_lab(
        &mut self,
        lab: &LabTable,
        row: &Row,
        client: &Client,
        random: u64,
    ) -> Result<(), Full> {
        self.authoritative = true;
        self.reason = Reason::Lab;
        let owner = self.query.name.as_wire();
        match row {
            Row::Cname(target) => self.put_whole(Section::Answer, 1, |draft| {
                draft.put_head(owner, rtype::CNAME, table::TTL)?;
                draft.put_named_data(|writer| writer.put_name(target))
            }),
            Row::A(values) if self.query.qtype == rtype::A => {
                let Some((value, depends)) = lab.nearest(values, client.address, random) else {
                    return Ok(());
                };
                if depends {
                    // Locations are of single addresses, so only the whole address tells.
                    self.scope = if client.address.is_ipv4() { 32 } else { 128 };
                }
                self.put_whole(Section::Answer, 1, |draft| {
                    draft.put_address(owner, table::TTL, IpAddr::V4(value))
                })
            }
            // NODATA; the table has no SOA to send with it.
            Row::A(_) => {
                self.reason = Reason::NoData;
                Ok(())
            }
        }
    }

    /// RFC 1034 §4.3.2 3b: the servers of a zone cut, with the addresses that are needed to reach
    /// them.
    fn refer(&mut self, zone: &Zone, cut: &[u8], servers: &Rrset) -> Result<(), Full> {
        if !self.authoritative {
            self.kind = kind(servers);
        }
        self.put_rrset(Section::Authority, cut, servers, servers.ttl)?;
        if self.dnssec_ok {
            self.put_cut_proof(zone, cut)?;
        }
        for record in &servers.records {
            let Rdata::Name(server) = record else { continue };
            let Ok((lower, _)) = LowerName::read(server) else { continue };
            for glue in zone.addresses(lower.as_wire()) {
                let fits = self.put_rrset(Section::Additional, server, glue, glue.ttl);
                // RFC 9471 §3.1: glue within the delegated zone is not optional.
                if fits.is_err() && name::is_within(lower.as_wire(), cut) {
                    return fits;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
