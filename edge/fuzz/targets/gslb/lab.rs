//! Any text is the lab's table, and what follows 0xff its locations: refused with a place, or answered as the first
//! matching row says, by a reading line by line.

use super::invariants::Room;
use super::{QUESTIONS_MAX, addresses, ask, load, question, width, world};
use domain::base::{Message, Name, ToName};
use domain::rdata::AllRecordData;
use lastmile_gslb::{Config, Offline};
use std::net::IpAddr;

struct Row {
    name: Name<Vec<u8>>,
    is_pattern: bool,
    values: Vec<String>,
}

type Place = (IpAddr, f64, f64);

pub fn run(octets: &[u8]) {
    let (table, locations) = super::two_texts(octets);
    let folder = tempfile::tempdir().expect("a folder");
    let lab_table = Some(world::write(&folder, "table", &table));
    let lab_locations = Some(world::write(&folder, "locations", &locations));
    let config = Config { lab_table, lab_locations, ..Config::default() };
    let Some(mut gslb) = load("zone", String::new(), config) else { return };
    let rows: Vec<_> = fields(&table).map(|fields| row(&fields)).collect();
    let places: Vec<_> = fields(&locations).map(|fields| place(&fields)).collect();
    let mut room = Room::new();
    for row in rows.iter().take(QUESTIONS_MAX) {
        let below = ["q", "q.r"].map(|label| {
            let label = label.parse::<domain::base::RelativeName<Vec<u8>>>().expect("a label");
            label.chain(&row.name).ok().map(|name| name.to_name())
        });
        for name in [Some(row.name.clone())].into_iter().chain(below).flatten() {
            for client in places.iter().map(|place| place.0).take(3).chain([[9, 9, 9, 9].into()]) {
                check(&mut gslb, &rows, &places, &name, client, &mut room);
            }
        }
    }
}

fn check(
    gslb: &mut Offline,
    rows: &[Row],
    places: &[Place],
    name: &Name<Vec<u8>>,
    client: IpAddr,
    room: &mut Room,
) {
    let answer = ask(gslb, &question(name, 1, Some((client, width(client)))), 5, room);
    let matches = |row: &&Row| match row.is_pattern {
        false => row.name == *name,
        true => row.name != *name && name.ends_with(&row.name),
    };
    let message = Message::from_octets(answer).expect("a message");
    let Some(row) = rows.iter().find(matches) else {
        assert_eq!(message.header().rcode().to_int(), 3, "{name} has no row");
        return;
    };
    assert_eq!(message.header().rcode().to_int(), 0, "{name} has a row");
    let (got, _) = addresses(answer);
    let values: Vec<IpAddr> = row.values.iter().filter_map(|value| value.parse().ok()).collect();
    if values.len() < row.values.len() {
        let record = message.answer().expect("a question").next().expect("one").expect("a record");
        let record = record.into_any_record::<AllRecordData<_, _>>().expect("data");
        let AllRecordData::Cname(data) = record.data() else { panic!("{name}: no CNAME") };
        let target: Name<Vec<u8>> = row.values[0].parse().expect("a name");
        assert_eq!(data.cname(), &target, "{name}");
        return;
    }
    let at = |address: IpAddr| places.iter().find(|place| place.0 == address);
    let distance = |value: IpAddr| {
        let (_, x, y) = at(value)?;
        let (_, from_x, from_y) = at(client)?;
        Some((x - from_x).hypot(y - from_y))
    };
    let nearest = values.iter().filter_map(|value| distance(*value)).min_by(f64::total_cmp);
    assert!(got.len() == 1 && values.contains(&got[0]), "{name}: {got:?}");
    assert!(nearest.is_none() || distance(got[0]) == nearest, "{name}: {got:?} is not the nearest");
}

fn fields(text: &str) -> impl Iterator<Item = Vec<String>> {
    text.lines().filter_map(|line| {
        let before = line.split('#').next().unwrap_or_default();
        let fields: Vec<_> = before.split_whitespace().map(str::to_owned).collect();
        (!fields.is_empty()).then_some(fields)
    })
}

/// A row of a table that was found good.
fn row(fields: &[String]) -> Row {
    let (is_pattern, name) = match fields[0].strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, &fields[0][..]),
    };
    Row { name: name.parse().expect("a name"), is_pattern, values: fields[2..].to_vec() }
}

fn place(fields: &[String]) -> Place {
    let number = |text: &String| text.parse().expect("a number");
    (fields[0].parse().expect("an address"), number(&fields[1]), number(&fields[2]))
}
