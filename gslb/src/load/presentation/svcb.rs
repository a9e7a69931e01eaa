//! SVCB and HTTPS in presentation form (RFC 9460 §2.1, Appendix A).

use super::Origin;
use super::data::{from_base64, number};
use super::entry::Field;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// RFC 9460 §14.3.2 and the registry behind it.
const KEYS: &[(&str, u16)] = &[
    ("mandatory", 0),
    ("alpn", 1),
    ("no-default-alpn", 2),
    ("port", 3),
    ("ipv4hint", 4),
    ("ech", 5),
    ("ipv6hint", 6),
    ("dohpath", 7),
    ("ohttp", 8),
];

/// Priority, target, parameters.
pub(super) fn svcb(fields: &[Field<'_>], origin: &Origin) -> Result<Vec<u8>, String> {
    let [priority, target, parameters @ ..] = fields else {
        return Err("needs 2 fields or more: PRIORITY TARGET [KEY=VALUE]...".to_owned());
    };
    let mut data = number(*priority, 2)?;
    let alias = data == [0, 0];
    data.extend_from_slice(&origin.name(*target)?);
    // RFC 9460 §2.2: in the order of the keys, each once.
    let mut values = BTreeMap::new();
    for parameter in parameters {
        let octets = parameter.octets()?;
        let text = parameter.written();
        let end = octets.iter().position(|&octet| octet == b'=');
        let name = &octets[..end.unwrap_or(octets.len())];
        let key = key(name).ok_or_else(|| format!("{text:?}: its key is not known"))?;
        let value = end.map(|end| &octets[end + 1..]);
        let value = value_of(key, value).map_err(|message| format!("{text:?}: {message}"))?;
        if values.insert(key, value).is_some() {
            return Err(format!("{text:?}: the key is there twice"));
        }
    }
    if alias && !values.is_empty() {
        return Err("a record of priority 0 has no parameters (RFC 9460 §2.4.2)".to_owned());
    }
    check_keys(&values)?;
    for (key, value) in values {
        let octets = u16::try_from(value.len()).map_err(|_| "a value is too long".to_owned())?;
        data.extend_from_slice(&key.to_be_bytes());
        data.extend_from_slice(&octets.to_be_bytes());
        data.extend_from_slice(&value);
    }
    Ok(data)
}

/// What one key says of another.
fn check_keys(values: &BTreeMap<u16, Vec<u8>>) -> Result<(), String> {
    if values.contains_key(&2) && !values.contains_key(&1) {
        return Err("no-default-alpn needs alpn (RFC 9460 §7.1.1)".to_owned());
    }
    let mandatory = values.get(&0).map_or(&[][..], |keys| keys.as_chunks::<2>().0);
    match mandatory.iter().find(|key| !values.contains_key(&u16::from_be_bytes(**key))) {
        Some(key) => {
            let key = u16::from_be_bytes(*key);
            Err(format!("key{key} is mandatory and not there (RFC 9460 §8)"))
        }
        None => Ok(()),
    }
}

fn key(name: &[u8]) -> Option<u16> {
    let name = std::str::from_utf8(name).ok()?;
    let number = || match name.strip_prefix("key")? {
        // RFC 9460 §2.1: without leading zeros; 65535 is reserved.
        digits if digits == "0" || !digits.starts_with('0') => {
            digits.parse().ok().filter(|key| *key != u16::MAX)
        }
        _ => None,
    };
    KEYS.iter().find(|row| row.0 == name).map(|row| row.1).or_else(number)
}

/// A value in wire form (RFC 9460 §7, RFC 9461 §5, RFC 9540 §4).
fn value_of(key: u16, value: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let text = || std::str::from_utf8(value?).ok().filter(|text| !text.is_empty());
    let text = || text().ok_or("needs a value");
    match key {
        0 => {
            let mut keys = Vec::new();
            for name in text()?.split(',') {
                keys.push(self::key(name.as_bytes()).filter(|&key| key != 0).ok_or("a bad key")?);
            }
            keys.sort_unstable();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err("a key is there twice".to_owned());
            }
            Ok(keys.iter().flat_map(|key| key.to_be_bytes()).collect())
        }
        1 => alpn(text()?.as_bytes()),
        2 | 8 => match value {
            None => Ok(Vec::new()),
            Some(_) => Err("has no value".to_owned()),
        },
        3 => text()?.parse().map(|port: u16| port.to_be_bytes().to_vec()).or(Err("no port".into())),
        4 => hints(text()?, |address: Ipv4Addr| address.octets().to_vec()),
        5 => from_base64(text()?),
        6 => hints(text()?, |address: Ipv6Addr| address.octets().to_vec()),
        _ => Ok(value.unwrap_or_default().to_vec()),
    }
}

fn hints<A: std::str::FromStr>(text: &str, octets: fn(A) -> Vec<u8>) -> Result<Vec<u8>, String> {
    let addresses = text.split(',').map(|text| text.parse().map(octets));
    let addresses: Result<Vec<_>, _> = addresses.collect();
    addresses.map(|all| all.concat()).map_err(|_| "not a list of such addresses".to_owned())
}

/// RFC 9460 §7.1.1: protocols with their lengths. In the list `\,` is a comma and `\\` a backslash (Appendix A.1).
fn alpn(list: &[u8]) -> Result<Vec<u8>, String> {
    let mut items = vec![Vec::new()];
    let mut octets = list.iter();
    while let Some(&octet) = octets.next() {
        match (octet, items.last_mut()) {
            (b',', _) => items.push(Vec::new()),
            (b'\\', Some(item)) => item.push(*octets.next().ok_or("ends with a backslash")?),
            (_, Some(item)) => item.push(octet),
            (_, None) => {}
        }
    }
    let mut wire = Vec::new();
    for item in items {
        let length = u8::try_from(item.len()).ok().filter(|&length| length > 0);
        wire.push(length.ok_or("a protocol has 1 to 255 octets")?);
        wire.extend(item);
    }
    Ok(wire)
}

#[cfg(test)]
mod tests {
    use super::super::rewrite;

    /// The data of a record as hexadecimal text.
    fn data(record: &str) -> Result<String, String> {
        let text = rewrite(&format!("a {record}"), b"\x04test\x00").map_err(|bad| bad.message)?;
        Ok(text.split_whitespace().skip(4).collect())
    }

    /// Vectors of RFC 9460 Appendix D, where names are absolute there as here.
    #[test]
    fn the_vectors_of_rfc_9460() {
        const FOO: &str = "03666f6f076578616d706c6503636f6d00";
        const FOO_ORG: &str = "03666f6f076578616d706c65036f726700";
        for (record, expected, why) in [
            ("HTTPS 0 foo.example.com.", format!("0000{FOO}"), "figure 2: alias mode"),
            ("SVCB 1 .", "000100".into(), "figure 3: the target is the owner"),
            (
                "SVCB 16 foo.example.com. port=53",
                format!("0010{FOO}000300020035"),
                "figure 4: a port",
            ),
            (
                "SVCB 1 foo.example.com. key667=hello",
                format!("0001{FOO}029b000568656c6c6f"),
                "figure 5: a generic key",
            ),
            (
                "SVCB 1 foo.example.com. key667=\"hello\\210qoo\"",
                format!("0001{FOO}029b000968656c6c6fd2716f6f"),
                "figure 6: quoted, with an escape",
            ),
            (
                "SVCB 1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
                format!(
                    "0001{FOO}0006002020010db800000000000000000000000120010db8000000000000000000530001"
                ),
                "figure 7: two hints",
            ),
            (
                "SVCB 16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
                format!("0010{FOO_ORG}0000000400010004000100090268320568332d313900040004c0000201"),
                "figure 9: sorted keys",
            ),
            (
                "SVCB 16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
                format!("0010{FOO_ORG}0001000c08665c6f6f2c626172026832"),
                "figure 10: escapes in a list",
            ),
            (
                "SVCB 16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
                format!("0010{FOO_ORG}0001000c08665c6f6f2c626172026832"),
                "figure 10: the same without quotes",
            ),
        ] {
            assert_eq!(data(record).as_deref(), Ok(expected.as_str()), "{why}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (record, expected) in [
            ("SVCB 1 foo. key123=abc key123=def", "twice"),
            ("SVCB 1 foo. mandatory", "needs a value"),
            ("SVCB 1 foo. port=65536", "no port"),
            ("SVCB 1 foo. no-default-alpn=abc", "has no value"),
            ("SVCB 1 foo. no-default-alpn", "needs alpn"),
            ("SVCB 1 foo. mandatory=key123", "key123 is mandatory"),
            ("SVCB 1 foo. mandatory=mandatory", "a bad key"),
            ("SVCB 1 foo. mandatory=key123,key123 key123=abc", "twice"),
            ("HTTPS 0 foo. port=1", "priority 0"),
            ("HTTPS 1 foo. alpn=h2,,h3", "1 to 255"),
            ("HTTPS 1 foo. ipv4hint=::1", "not a list"),
            ("HTTPS 1 foo. colour=red", "its key is not known"),
        ] {
            let message = data(record).unwrap_err();
            assert!(message.contains(expected), "{record}: {message}");
        }
    }
}
