//! Any text is a zone in master-file form: refused with a place, or every record of it is found in an answer.

use super::invariants::Room;
use super::{QUESTIONS_MAX, ask, load, question};
use domain::base::iana::Class;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Message, Name, Rtype, ToName};
use domain::rdata::AllRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};
use lastmile_gslb::{Config, Offline};

/// In front of what the fuzzer writes, so that it need not find out what a zone must have.
const APEX: &str = "@ 60 SOA ns host 1 2 3 4 60\n@ 60 NS ns\n";
/// Of zones that are served, relative to which the records are.
const ZONE: &str = "cdn.test.";

pub fn run(octets: &[u8]) {
    let records = format!("{APEX}{}", String::from_utf8_lossy(octets));
    let text = format!("[[zone]]\nname = \"{ZONE}\"\nrecords = {}\n", quoted(&records));
    let Some(mut gslb) = load("zone", text, Config::default()) else { return };
    let mut file = Zonefile::from(&records[..]);
    file.extend_from_slice(b"\n");
    file.set_origin(ZONE.parse().expect("a name"));
    file.set_default_class(Class::IN);
    let mut room = Room::new();
    for _ in 0..QUESTIONS_MAX {
        // A type that only the GSLB reads in its own form.
        let Ok(entry) = file.next_entry() else { break };
        match entry {
            Some(Entry::Record(record)) => {
                let owner = record.owner().to_name::<Vec<u8>>();
                let mut data = Vec::new();
                let Ok(()) = record.data().compose_rdata(&mut data);
                check(&mut gslb, &owner, record.rtype(), &data, &mut room);
            }
            Some(Entry::Include { .. }) => panic!("an include was let through"),
            None => break,
        }
    }
}

/// Asks for a record: it is there, or below a cut.
fn check(gslb: &mut Offline, owner: &Name<Vec<u8>>, rtype: Rtype, data: &[u8], room: &mut Room) {
    let number = rtype.to_int();
    let is_apex = owner.to_string().eq_ignore_ascii_case(ZONE.trim_end_matches('.'));
    // Types that ask for something else than records of theirs, and DS, which is the parent's.
    if matches!(number, 41 | 249..=255) || (rtype == Rtype::DS && is_apex) {
        return;
    }
    let answer = ask(gslb, &question(owner, number, None), 0, room);
    let message = Message::from_octets(answer).expect("a message");
    assert_eq!(message.header().rcode().to_int(), 0, "{owner} {rtype} is there");
    let mut answers = message.answer().expect("a question");
    if message.header().aa() {
        let found = answers.any(|record| {
            let record = record.expect("a record");
            let record = record.into_any_record::<AllRecordData<_, _>>().expect("data");
            let mut got = Vec::new();
            let Ok(()) = record.data().compose_rdata(&mut got);
            record.rtype() == rtype && got.eq_ignore_ascii_case(data)
        });
        assert!(found, "{owner} {rtype} {data:02x?} is not answered");
    } else {
        let counts = message.header_counts();
        assert!(counts.ancount() == 0 && counts.nscount() > 0, "{owner} {rtype}: a referral");
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(letter)));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
