//! A writer of small databases in MaxMind's format (MaxMind DB File Format Specification 2.0), for tests.

use std::net::IpAddr;

/// What a database can say.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(&'static str),
    Double(f64),
    /// Of 16 bits.
    Short(u16),
    /// Of 32 bits.
    Number(u32),
    /// Of 64 bits.
    Long(u64),
    Map(Vec<(&'static str, Value)>),
    Array(Vec<Value>),
}

/// What a bit of an address leads to.
#[derive(Clone, Copy)]
enum Link {
    Nothing,
    Node(usize),
    /// A place in the data section.
    Data(usize),
}

/// A database of IPv6 networks, those of IPv4 below ::/96.
pub(crate) struct Database {
    nodes: Vec<[Link; 2]>,
    data: Vec<u8>,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![[Link::Nothing; 2]], data: Vec::new() }
    }

    /// Adds a network, which must be none that is in another one.
    pub(crate) fn add(&mut self, network: &str, value: &Value) {
        let place = self.data.len();
        write(value, &mut self.data);
        let (key, bits) = key(network);
        self.link(key, bits, Link::Data(place));
    }

    /// Lets a network be another name for the IPv4 ones.
    pub(crate) fn alias(&mut self, network: &str) {
        let mut node = 0;
        for _ in 0..96 {
            match self.nodes[node][0] {
                Link::Node(next) => node = next,
                Link::Nothing | Link::Data(_) => panic!("there are no IPv4 networks"),
            }
        }
        let (key, bits) = key(network);
        self.link(key, bits, Link::Node(node));
    }

    fn link(&mut self, key: u128, bits: u8, link: Link) {
        let side = |bit: u8| (key >> (127 - bit) & 1) as usize;
        let mut node = 0;
        for bit in 0..bits - 1 {
            node = match self.nodes[node][side(bit)] {
                Link::Node(next) => next,
                Link::Data(_) => panic!("a network in a network"),
                Link::Nothing => {
                    self.nodes.push([Link::Nothing; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side(bit)] = Link::Node(next);
                    next
                }
            };
        }
        self.nodes[node][side(bits - 1)] = link;
    }

    /// The file.
    pub(crate) fn octets(&self) -> Vec<u8> {
        const SEPARATOR_OCTETS: usize = 16;
        let count = self.nodes.len();
        let mut out = Vec::new();
        for link in self.nodes.iter().flatten() {
            let record = match link {
                Link::Node(node) => *node,
                Link::Nothing => count,
                Link::Data(place) => count + SEPARATOR_OCTETS + place,
            };
            // 24 bits.
            out.extend_from_slice(&(record as u32).to_be_bytes()[1..]);
        }
        out.extend_from_slice(&[0; SEPARATOR_OCTETS]);
        out.extend_from_slice(&self.data);
        out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        let metadata = Value::Map(vec![
            ("binary_format_major_version", Value::Short(2)),
            ("binary_format_minor_version", Value::Short(0)),
            ("build_epoch", Value::Long(1_700_000_000)),
            ("database_type", Value::Text("Test")),
            ("description", Value::Map(vec![("en", Value::Text("made by a test"))])),
            ("ip_version", Value::Short(6)),
            ("languages", Value::Array(vec![Value::Text("en")])),
            ("node_count", Value::Number(count as u32)),
            ("record_size", Value::Short(24)),
        ]);
        write(&metadata, &mut out);
        out
    }
}

fn key(network: &str) -> (u128, u8) {
    let (address, bits) = network.split_once('/').unwrap();
    let bits: u8 = bits.parse().unwrap();
    match address.parse().unwrap() {
        IpAddr::V4(v4) => (v4.to_bits().into(), bits + 96),
        IpAddr::V6(v6) => (v6.to_bits(), bits),
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            head(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Double(number) => {
            head(3, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Short(number) => {
            head(5, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Long(number) => {
            head(9, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Number(number) => {
            head(6, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Map(members) => {
            head(7, members.len(), out);
            for (name, value) in members {
                write(&Value::Text(name), out);
                write(value, out);
            }
        }
        Value::Array(values) => {
            head(11, values.len(), out);
            values.iter().for_each(|value| write(value, out));
        }
    }
}

/// The type and the size of what follows.
fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
    let short = u8::try_from(size).unwrap();
    let (size, more) = if short < 29 { (short, None) } else { (29, Some(short - 29)) };
    match kind {
        1..=7 => out.push(kind << 5 | size),
        // An extended type: the number minus 7 follows.
        _ => out.extend_from_slice(&[size, kind - 7]),
    }
    out.extend(more);
}
