//! One form for what a request prefers, however it is written (RFC 9110 §12.4, §12.5).

use crate::fields::{eq_ignore_case, is_token_octet, list_members, trim_ows};
use core::cmp::Ordering;

/// Members of one list that are put in order. Browsers send up to some ten, libraries with all their languages a few
/// more. They are kept on the stack and sorted by insertion, for each request of a URI that varies.
const MEMBERS_MAX: usize = 16;

/// The weight of a member that names none, in thousandths (RFC 9110 §12.4.2).
const WEIGHT_MAX: u16 = 1000;

/// A field by which clients say what they prefer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Negotiated {
    /// Accept (RFC 9110 §12.5.1)
    MediaType,
    /// Accept-Charset (§12.5.2)
    Charset,
    /// Accept-Encoding (§12.5.3)
    Coding,
    /// Accept-Language (§12.5.4)
    Language,
}

impl Negotiated {
    /// The field called `name`, which is in lower case.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"accept" => Some(Self::MediaType),
            b"accept-charset" => Some(Self::Charset),
            b"accept-encoding" => Some(Self::Coding),
            b"accept-language" => Some(Self::Language),
            _ => None,
        }
    }
}

/// `*`, or what has a name, with its weight in thousandths.
#[derive(Clone, Copy, Default)]
struct Member<'a> {
    name: &'a [u8],
    /// Those of a media type, the weight among them.
    parameters: &'a [u8],
    weight: u16,
}

/// What a client prefers: members in an order that is the same however they were sent.
pub(super) struct Preferences<'a> {
    members: [Member<'a>; MEMBERS_MAX],
    count: usize,
}

impl<'a> Preferences<'a> {
    /// `None` where it can't be said what the lines mean (they are malformed, or one thing has two weights), and when
    /// there are more than 16 members: such are compared as they are.
    ///
    /// For Accept-Encoding, Accept-Charset and Accept-Language the order does not count: the weights say what is
    /// preferred, and RFC 9110 §12.5.4 calls it unreliable that some take the order of languages for a priority. Of
    /// media ranges with equal weights the order is kept, though §12.5.1 gives it no meaning either: there most servers
    /// give the first one, and the wrong type is worse than a miss.
    pub(super) fn read(kind: Negotiated, lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut preferences = Self { members: [Member::default(); MEMBERS_MAX], count: 0 };
        for (index, octets) in lines.flat_map(list_members).enumerate() {
            if index == MEMBERS_MAX {
                return None;
            }
            preferences.insert(kind, Member::read(kind, octets)?)?;
        }
        if kind == Negotiated::Coding {
            preferences.leave_out_what_is_implied();
        }
        Some(preferences)
    }

    /// `None` when it is there with another weight.
    fn insert(&mut self, kind: Negotiated, member: Member<'a>) -> Option<()> {
        let mut index = self.count;
        while let Some(before) = index.checked_sub(1) {
            let other = self.members[before];
            let ordering = match kind {
                Negotiated::MediaType => member.weight.cmp(&other.weight),
                _ => compare_names(other.name, member.name),
            };
            match ordering {
                Ordering::Greater => index = before,
                Ordering::Equal if kind != Negotiated::MediaType => {
                    return (member.weight == other.weight).then_some(());
                }
                Ordering::Equal | Ordering::Less => break,
            }
        }
        self.members.copy_within(index..self.count, index + 1);
        self.members[index] = member;
        self.count += 1;
        Some(())
    }

    /// Leaves out what Accept-Encoding means without saying it (RFC 9110 §12.5.3): when nothing is said of `*`, codings
    /// that are not listed are not accepted, so that those with weight 0 need not be; and no coding is acceptable, last
    /// of all, so that `identity` need not be with a weight below all others.
    fn leave_out_what_is_implied(&mut self) {
        let listed = self.members;
        let listed = &listed[..self.count];
        if listed.iter().any(|member| member.name == b"*") {
            return;
        }
        let is_identity = |member: &Member<'_>| eq_ignore_case(member.name, b"identity");
        let accepted = listed.iter().filter(|member| !is_identity(member) && member.weight > 0);
        let least = accepted.map(|member| member.weight).min();
        self.count = 0;
        for member in listed {
            let is_implied = match (is_identity(member), member.weight) {
                (true, 0) => false,
                (true, weight) => least.is_none_or(|least| weight < least),
                (false, weight) => weight == 0,
            };
            if !is_implied {
                self.members[self.count] = *member;
                self.count += 1;
            }
        }
    }

    /// Writes the members with commas between them.
    pub(super) fn write(&self, mut write: impl FnMut(u8)) {
        for (index, member) in self.members[..self.count].iter().enumerate() {
            if index > 0 {
                write(b',');
            }
            member.write(&mut write);
        }
    }
}

impl<'a> Member<'a> {
    fn read(kind: Negotiated, octets: &'a [u8]) -> Option<Self> {
        let semicolon = octets.iter().position(|octet| *octet == b';').unwrap_or(octets.len());
        let name = trim_ows(&octets[..semicolon]);
        let parameters = octets.get(semicolon + 1..).unwrap_or_default();
        let is_sound = |octet: &u8| is_token_octet(*octet) || *octet == b'/';
        if name.is_empty() || !name.iter().all(is_sound) || parameters.contains(&b'"') {
            return None;
        }
        let mut weight = None;
        for parameter in self::parameters(parameters) {
            match parameter {
                [b'q' | b'Q', b'=', value @ ..] if weight.is_none() => {
                    weight = Some(parse_weight(value)?);
                }
                [b'q' | b'Q', b'=', ..] => return None,
                _ if kind != Negotiated::MediaType => return None,
                _ => {}
            }
        }
        let name = match kind {
            // RFC 9110 §8.4.1.1, §8.4.1.3: the same for recipients.
            Negotiated::Coding if eq_ignore_case(name, b"x-gzip") => &b"gzip"[..],
            Negotiated::Coding if eq_ignore_case(name, b"x-compress") => b"compress",
            _ => name,
        };
        Some(Self { name, parameters, weight: weight.unwrap_or(WEIGHT_MAX) })
    }

    fn write(&self, mut write: impl FnMut(u8)) {
        self.name.iter().for_each(|octet| write(octet.to_ascii_lowercase()));
        for parameter in parameters(self.parameters).filter(|parameter| !is_weight(parameter)) {
            write(b';');
            // RFC 9110 §5.6.6: the name is case-insensitive, the value may not be.
            let mut is_name = true;
            for octet in parameter {
                is_name &= *octet != b'=';
                write(if is_name { octet.to_ascii_lowercase() } else { *octet });
            }
        }
        if self.weight < WEIGHT_MAX {
            b";q=0".iter().for_each(|octet| write(*octet));
            let (mut rest, mut unit) = (self.weight, 100);
            if rest > 0 {
                write(b'.');
            }
            while rest > 0 {
                write(b'0' + (rest / unit) as u8);
                rest %= unit;
                unit /= 10;
            }
        }
    }
}

/// RFC 9110 §5.6.6: parameters between semicolons, with white space around, some of them empty.
fn parameters(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    octets.split(|octet| *octet == b';').map(trim_ows).filter(|parameter| !parameter.is_empty())
}

/// RFC 9110 §12.4.2: any parameter called `q` is the weight, wherever it stands (§12.5.1).
fn is_weight(parameter: &[u8]) -> bool {
    matches!(parameter, [b'q' | b'Q', b'=', ..])
}

/// RFC 9110 §12.4.2: 0 to 1 with up to three digits behind the point, in thousandths.
fn parse_weight(octets: &[u8]) -> Option<u16> {
    let (whole, fraction) = match octets {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0');
    for index in 0..3 {
        let digit = fraction.get(index).copied().unwrap_or(b'0');
        weight = weight * 10 + digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
    }
    (weight <= WEIGHT_MAX).then_some(weight)
}

fn compare_names(one: &[u8], other: &[u8]) -> Ordering {
    let lower = u8::to_ascii_lowercase;
    one.iter().map(lower).cmp(other.iter().map(lower))
}
