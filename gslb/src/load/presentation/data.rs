//! CAA, TLSA, SMIMEA, SSHFP, OPENPGPKEY and URI in presentation form.

use super::Origin;
use super::entry::Field;
use domain::utils::base64;

/// A number in decimal, most significant octet first.
pub(super) fn number(field: Field<'_>, octets: usize) -> Result<Vec<u8>, String> {
    let max = (1u64 << (8 * octets)) - 1;
    let text = field.written();
    match text.parse::<u64>() {
        Ok(value) if value <= max && text.bytes().all(|octet| octet.is_ascii_digit()) => {
            Ok(value.to_be_bytes()[8 - octets..].to_vec())
        }
        Ok(_) | Err(_) => Err(format!("{text:?} is not a number from 0 to {max}")),
    }
}

/// RFC 8659 §4.1.1: flags, tag, value.
pub(super) fn caa(fields: &[Field<'_>], _: &Origin) -> Result<Vec<u8>, String> {
    let [flags, tag, value] = fields else {
        return Err("needs 3 fields: FLAGS TAG VALUE".to_owned());
    };
    let name = tag.octets()?;
    if name.is_empty() || name.len() > 255 || !name.iter().all(u8::is_ascii_alphanumeric) {
        return Err(format!("{:?} is not a tag: letters and digits", tag.written()));
    }
    Ok([number(*flags, 1)?, vec![name.len() as u8], name, value.octets()?].concat())
}

/// RFC 6698 §2.2, RFC 8162 §2: usage, selector, matching type, and the data in any number of pieces.
pub(super) fn tlsa(fields: &[Field<'_>], _: &Origin) -> Result<Vec<u8>, String> {
    let [usage, selector, matching, data @ ..] = fields else {
        return Err("needs 4 fields: USAGE SELECTOR MATCHING DATA".to_owned());
    };
    if data.is_empty() {
        return Err("needs 4 fields: USAGE SELECTOR MATCHING DATA".to_owned());
    }
    Ok([number(*usage, 1)?, number(*selector, 1)?, number(*matching, 1)?, hexadecimal(data)?]
        .concat())
}

/// RFC 4255 §3.2.
pub(super) fn sshfp(fields: &[Field<'_>], _: &Origin) -> Result<Vec<u8>, String> {
    match fields {
        [algorithm, kind, data @ ..] if !data.is_empty() => {
            Ok([number(*algorithm, 1)?, number(*kind, 1)?, hexadecimal(data)?].concat())
        }
        _ => Err("needs 3 fields: ALGORITHM TYPE FINGERPRINT".to_owned()),
    }
}

/// RFC 7929 §2.3: base64, in any number of pieces.
pub(super) fn openpgpkey(fields: &[Field<'_>], _: &Origin) -> Result<Vec<u8>, String> {
    if fields.is_empty() {
        return Err("needs a key in base64".to_owned());
    }
    from_base64(&fields.iter().map(|field| field.written()).collect::<String>())
}

/// RFC 7553 §4.1: priority, weight, target.
pub(super) fn uri(fields: &[Field<'_>], _: &Origin) -> Result<Vec<u8>, String> {
    let [priority, weight, target] = fields else {
        return Err("needs 3 fields: PRIORITY WEIGHT \"TARGET\"".to_owned());
    };
    Ok([number(*priority, 2)?, number(*weight, 2)?, target.octets()?].concat())
}

pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    base64::decode(text).map_err(|_| format!("{text:?} is not base64"))
}

fn hexadecimal(fields: &[Field<'_>]) -> Result<Vec<u8>, String> {
    let text: String = fields.iter().map(|field| field.written()).collect();
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    });
    pairs.collect::<Option<_>>().ok_or_else(|| format!("{text:?} is not hexadecimal"))
}

fn digit(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).map(|digit| digit as u8)
}
