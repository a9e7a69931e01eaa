//! The fuzz targets of lastmile-gslb: each is a function of arbitrary octets that panics when a property does not hold.
//!
//! | file | job |
//! | --- | --- |
//! | `query.rs` | any octets are a packet |
//! | `options.rs` | well-formed queries with any options; a scope holds as far as it says |
//! | `records.rs` | any text is a zone in master-file form |
//! | `zone_file.rs` | any text is a zone file |
//! | `map.rs` | any text is the CSV of prefixes |
//! | `lab.rs` | any text is the lab's table, and its locations |
//! | `world.rs` | what packets are asked of |
//! | `invariants.rs`, `reading.rs` | what holds for every answer, by another reading of the question |
//!
//! The fuzzer calls one of them for ever, and a test of lastmile-gslb calls each with all of its corpus.

mod invariants;
mod lab;
mod map;
mod options;
mod query;
mod reading;
mod records;
mod world;
mod zone_file;

use domain::base::iana::{Class, Rtype};
use domain::base::{MessageBuilder, Name};
use lastmile_gslb::{Config, ConfigError, Offline, Transport, ZoneSource};
use std::net::IpAddr;

/// A fuzz target: its name, which is that of its folder in the corpus, and what it does with an input.
pub type Row = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Row] = &[
    ("gslb_query", query::run),
    ("gslb_options", options::run),
    ("gslb_records", records::run),
    ("gslb_zone_file", zone_file::run),
    ("gslb_map", map::run),
    ("gslb_lab", lab::run),
];

/// What is asked of one input at most.
const QUESTIONS_MAX: usize = 32;

/// Two texts in one input; no text has the octet between them.
fn two_texts(octets: &[u8]) -> (String, String) {
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    match octets.iter().position(|octet| *octet == 0xff) {
        Some(at) => (text(&octets[..at]), text(&octets[at + 1..])),
        None => (text(octets), String::new()),
    }
}

/// Loads a zone file called `zone` with whatever else `config` names. A mistake is one line of text with its place.
fn load(zone: &str, text: String, mut config: Config) -> Option<Offline> {
    let lines = text.lines().count();
    config.zone = Some(ZoneSource::Inline { name: zone.to_owned(), text });
    match Offline::new(&config) {
        Ok(loaded) => Some(loaded),
        Err(ConfigError { file, line, message }) => {
            let file = file.expect("a mistake is in a file");
            assert!(file != zone || line.is_none_or(|line| (1..=lines + 1).contains(&line)));
            assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
            None
        }
    }
}

/// A query, with the option of a client subnet if there is one: family, source, address.
fn question(name: &Name<Vec<u8>>, rtype: u16, subnet: Option<(IpAddr, u8)>) -> Vec<u8> {
    let mut message = MessageBuilder::new_vec().question();
    message.push((name, Rtype::from_int(rtype), Class::IN)).expect("room");
    let mut message = message.additional();
    if let Some((address, bits)) = subnet {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let mut data = vec![0, if address.is_ipv4() { 1 } else { 2 }, bits, 0];
        data.extend_from_slice(&octets[..usize::from(bits).div_ceil(8)]);
        let put = |out: &mut Vec<u8>| {
            out.extend_from_slice(&data);
            Ok(())
        };
        let option = |opt: &mut domain::base::message_builder::OptBuilder<'_, Vec<u8>>| {
            opt.set_udp_payload_size(1232);
            opt.push_raw_option(8.into(), data.len() as u16, put)
        };
        message.opt(option).expect("room");
    }
    message.finish()
}

/// Asks over TCP, and returns the answer with its checks made.
fn ask<'r>(
    gslb: &mut Offline,
    message: &[u8],
    random: u64,
    room: &'r mut invariants::Room,
) -> &'r [u8] {
    let peer = IpAddr::from([203, 0, 113, 7]);
    let asked = invariants::Asked { message, peer, transport: Transport::Tcp, random };
    invariants::check_twice(gslb, asked, room)
}

/// Addresses in the answer section, and the scope of the subnet.
fn addresses(answer: &[u8]) -> (Vec<IpAddr>, Option<u8>) {
    let message = domain::base::Message::from_octets(answer).expect("a message");
    let mut found = Vec::new();
    for record in message.answer().expect("a question") {
        let record = record.expect("a record");
        let record = record.into_any_record::<domain::rdata::AllRecordData<_, _>>();
        match record.expect("data").data() {
            domain::rdata::AllRecordData::A(data) => found.push(IpAddr::V4(data.addr())),
            domain::rdata::AllRecordData::Aaaa(data) => found.push(IpAddr::V6(data.addr())),
            _ => {}
        }
    }
    let scope = message.opt().and_then(|opt| {
        let options = opt.opt().iter::<domain::base::opt::UnknownOptData<_>>();
        let subnet = options.flatten().find(|option| option.code().to_int() == 8)?;
        subnet.data().get(3).copied()
    });
    (found, scope)
}

/// The addresses from the first to the last that share `bits` bits with this one.
fn within(address: IpAddr, bits: u8) -> (IpAddr, IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
            let address = address.to_bits();
            (IpAddr::V4((address & !rest).into()), IpAddr::V4((address | rest).into()))
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
            let address = address.to_bits();
            (IpAddr::V6((address & !rest).into()), IpAddr::V6((address | rest).into()))
        }
    }
}

/// All bits of an address of this kind.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
