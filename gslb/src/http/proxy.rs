//! The header of the PROXY protocol, versions 1 and 2 (haproxy's `doc/proxy-protocol.txt`), with which a proxy says
//! whom a connection is from. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// §2.1: the longest header of version 1, with its CR LF.
const V1_OCTETS_MAX: usize = 107;
/// §2.2: what version 2 begins with.
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const V2_FIXED_OCTETS: usize = 16;
/// Octets behind them: two addresses of Unix sockets take 216, the rest is for TLVs, which proxies fill with a TLS
/// name or an ID. It bounds what a connection can make us wait for.
const V2_LENGTH_MAX: usize = 1024;

/// What is to be done with what has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many octets more are needed before more can be said.
    More(usize),
    /// The header is whole.
    Done(Whom),
    /// It is none.
    Bad,
}

/// Whom a connection is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// This address, canonical.
    Client(IpAddr),
    /// The proxy itself: its own check of us, or it does not know.
    Proxy,
}

/// Looks at what a connection begins with; all of `octets` belongs to the header.
pub(super) fn read(octets: &[u8]) -> Step {
    // Both versions are told apart by the first 12 octets: the shortest header of version 1 has 15.
    if octets.len() < V2_SIGNATURE.len() {
        return Step::More(V2_SIGNATURE.len() - octets.len());
    }
    if octets.starts_with(V2_SIGNATURE) { read_v2(octets) } else { read_v1(octets) }
}

fn read_v1(octets: &[u8]) -> Step {
    if !octets.starts_with(b"PROXY ") {
        return Step::Bad;
    }
    let Some(line) = octets.strip_suffix(b"\r\n") else {
        // One octet at a time: what is behind the line is not ours.
        let is_open = octets.len() < V1_OCTETS_MAX && !octets.contains(&b'\n');
        return if is_open { Step::More(1) } else { Step::Bad };
    };
    let fields = str::from_utf8(&line[6..]).map(|text| text.split(' ').collect::<Vec<_>>());
    let is_port = |text: &str| {
        let is_plain = text.bytes().all(|octet| octet.is_ascii_digit());
        is_plain && text.parse::<u16>().is_ok()
    };
    let (source, destination) = match fields.as_deref() {
        // §2.1: whatever follows is to be ignored.
        Ok(["UNKNOWN", ..]) => return Step::Done(Whom::Proxy),
        Ok(["TCP4", source, destination, from, to]) if is_port(from) && is_port(to) => {
            let read = |text: &str| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
            (read(source), read(destination))
        }
        Ok(["TCP6", source, destination, from, to]) if is_port(from) && is_port(to) => {
            let read = |text: &str| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
            (read(source), read(destination))
        }
        Ok(_) | Err(_) => return Step::Bad,
    };
    match (source, destination) {
        (Some(source), Some(_)) => Step::Done(Whom::Client(source.to_canonical())),
        _ => Step::Bad,
    }
}

fn read_v2(octets: &[u8]) -> Step {
    let Some((fixed, rest)) = octets.split_first_chunk::<V2_FIXED_OCTETS>() else {
        return Step::More(V2_FIXED_OCTETS - octets.len());
    };
    let [command, family] = [fixed[12], fixed[13]];
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    // §2.2: version 2, and a command that is known.
    if command >> 4 != 2 || length > V2_LENGTH_MAX {
        return Step::Bad;
    }
    if rest.len() < length {
        return Step::More(length - rest.len());
    }
    match (command & 15, family) {
        (0, _) => Step::Done(Whom::Proxy),
        // TCP over IPv4, over IPv6.
        (1, 0x11) => match rest.first_chunk::<12>() {
            Some(&[a, b, c, d, ..]) => {
                Step::Done(Whom::Client(IpAddr::V4(Ipv4Addr::new(a, b, c, d))))
            }
            None => Step::Bad,
        },
        (1, 0x21) => match rest.first_chunk::<36>().and_then(|all| all.first_chunk::<16>()) {
            Some(source) => Step::Done(Whom::Client(IpAddr::from(*source).to_canonical())),
            None => Step::Bad,
        },
        // §2.2: of a transport that is not understood only the connection is known.
        (1, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => Step::Done(Whom::Proxy),
        _ => Step::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads as a connection does: as many octets as are asked for; returns how many that were.
    fn take(octets: &[u8]) -> (Step, usize) {
        let mut count = 0;
        loop {
            match read(&octets[..count]) {
                Step::More(more) if count + more <= octets.len() => count += more,
                step => return (step, count),
            }
        }
    }

    fn v2(command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
        [V2_SIGNATURE, &[command, family][..], &length.to_be_bytes(), rest].concat()
    }

    #[test]
    fn headers() {
        let client = |address: &str| Step::Done(Whom::Client(address.parse().unwrap()));
        let proxy = Step::Done(Whom::Proxy);
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 0, 80];
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        let mut mapped = [0; 36];
        mapped[..16].copy_from_slice(&"::ffff:192.0.2.7".parse::<Ipv6Addr>().unwrap().octets());
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_OCTETS_MAX));
        let more = v2(0x21, 0x11, 15, &[&v4[..], &[4, 0, 0]].concat());
        let too_long = v2(0x21, 0x11, 1025, &[0; 1025]);
        let text = |text: &'static str| text.as_bytes().to_vec();
        for (octets, expected, why) in [
            (text("PROXY TCP4 192.0.2.7 198.51.100.1 4660 80\r\n"), client("192.0.2.7"), "v1"),
            (text("PROXY TCP6 2001:db8::7 ::1 4660 80\r\n"), client("2001:db8::7"), "v1, IPv6"),
            (text("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), client("192.0.2.7"), "mapped"),
            (text("PROXY UNKNOWN\r\n"), proxy, "the proxy does not know"),
            (text("PROXY UNKNOWN ffff::1 a b c\r\n"), proxy, "§2.1: the rest is ignored"),
            (text("PROXY TCP4 192.0.2.7 198.51.100.1 4660\r\n"), Step::Bad, "a port is missing"),
            (text("PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n"), Step::Bad, "no port"),
            (text("PROXY TCP4 192.0.2.7 198.51.100.1 +1 80\r\n"), Step::Bad, "a sign"),
            (text("PROXY TCP4 192.0.2.7 ::1 1 80\r\n"), Step::Bad, "two families"),
            (text("PROXY TCP4 2001:db8::7 ::1 1 80\r\n"), Step::Bad, "the other family"),
            (text("PROXY TCP4  192.0.2.7 198.51.100.1 1 80\r\n"), Step::Bad, "two spaces"),
            (text("PROXY TCP5 192.0.2.7 198.51.100.1 1 80\r\n"), Step::Bad, "no such protocol"),
            (text("PROXY UNKNOWN\nGET / HTTP/1.1\r\n"), Step::Bad, "LF alone"),
            (text("GET / HTTP/1.1\r\n\r\n"), Step::Bad, "no header at all"),
            (text("PROXY TCP4 192.0.2"), Step::More(1), "unfinished"),
            (long.into_bytes(), Step::Bad, "longer than §2.1 allows"),
            (v2(0x21, 0x11, 12, &v4), client("192.0.2.7"), "v2"),
            (more, client("192.0.2.7"), "v2 with a TLV"),
            (v2(0x21, 0x21, 36, &v6), client("2001:db8::7"), "v2, IPv6"),
            (v2(0x21, 0x21, 36, &mapped), client("192.0.2.7"), "v2, mapped"),
            (v2(0x20, 0x00, 0, &[]), proxy, "LOCAL"),
            (v2(0x20, 0x11, 12, &v4), proxy, "LOCAL, whatever it says"),
            (v2(0x21, 0x00, 0, &[]), proxy, "unspecified"),
            (v2(0x21, 0x31, 0, &[]), proxy, "a Unix socket"),
            (v2(0x21, 0x11, 11, &v4), Step::Bad, "too short for its addresses"),
            (v2(0x21, 0x21, 12, &v4), Step::Bad, "IPv6 with addresses of IPv4"),
            (v2(0x21, 0x41, 12, &v4), Step::Bad, "no such family"),
            (v2(0x22, 0x11, 12, &v4), Step::Bad, "no such command"),
            (v2(0x11, 0x11, 12, &v4), Step::Bad, "version 1 in binary"),
            (v2(0x21, 0x11, 12, &v4[..5]), Step::More(12), "unfinished"),
            (too_long, Step::Bad, "beyond the bound"),
        ] {
            let behind = [&octets[..], b"GET"].concat();
            let whole = take(&behind);
            let found = if matches!(expected, Step::More(_)) { take(&octets) } else { whole };
            assert_eq!(found.0, expected, "{why}");
            if matches!(expected, Step::Done(_)) {
                assert_eq!(found.1, octets.len(), "{why}: nothing behind it is taken");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_ends_within_the_bounds(
            octets in prop::collection::vec(any::<u8>(), 0..2000), begin in 0usize..3,
        ) {
            let begin = [&b""[..], b"PROXY TCP4 ", V2_SIGNATURE][begin];
            let (_, count) = take(&[begin, &octets].concat());
            prop_assert!(count <= V2_FIXED_OCTETS + V2_LENGTH_MAX);
        }
    }
}
