//! Names in wire form (RFC 1035 §3.1), lower-cased for comparison (RFC 4343).

/// A name has at most 255 octets with its length octets and the root (RFC 1035 §3.1).
pub(crate) const NAME_OCTETS_MAX: usize = 255;
/// A label has at most 63 octets (RFC 1035 §3.1); greater length octets are pointers or reserved.
const LABEL_OCTETS_MAX: u8 = 63;
/// So many one-octet labels fill a name.
const LABELS_MAX: usize = 127;

/// A name in lower case with the places of its labels; lives on the stack.
///
/// Each suffix of a name in wire form is itself a name in wire form: tables are keyed by such
/// slices.
#[derive(Clone)]
pub(crate) struct LowerName {
    octets: [u8; NAME_OCTETS_MAX],
    starts: [u8; LABELS_MAX + 1],
    labels: u8,
}

/// Why octets are no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadName;

impl LowerName {
    /// The root.
    pub(crate) const fn root() -> Self {
        Self { octets: [0; NAME_OCTETS_MAX], starts: [0; LABELS_MAX + 1], labels: 0 }
    }

    /// Reads the name that begins `octets` and also returns how many octets it takes. Pointers are
    /// refused: in a question there is nothing before it to point to, and our tables hold none.
    pub(crate) fn read(octets: &[u8]) -> Result<(Self, usize), BadName> {
        let mut name = Self::root();
        let length = name.replace(octets)?;
        Ok((name, length))
    }

    /// As [`Self::read`], into a name that is there; after an error it is none.
    pub(crate) fn replace(&mut self, octets: &[u8]) -> Result<usize, BadName> {
        self.labels = 0;
        let mut at = 0;
        loop {
            let length = *octets.get(at).ok_or(BadName)?;
            self.starts[usize::from(self.labels)] = u8::try_from(at).map_err(|_| BadName)?;
            if length == 0 {
                self.octets[at] = 0;
                return Ok(at + 1);
            }
            let end = at + 1 + usize::from(length);
            // The root's octet must still fit, hence `>=`.
            if length > LABEL_OCTETS_MAX || end >= NAME_OCTETS_MAX {
                return Err(BadName);
            }
            let label = octets.get(at + 1..end).ok_or(BadName)?;
            self.octets[at] = length;
            for (lower, octet) in self.octets[at + 1..end].iter_mut().zip(label) {
                *lower = octet.to_ascii_lowercase();
            }
            self.labels += 1;
            at = end;
        }
    }

    /// Labels, the root not counted.
    pub(crate) fn labels(&self) -> usize {
        usize::from(self.labels)
    }

    /// The name without its first `skipped` labels, in wire form; `skipped` is at most
    /// [`Self::labels`].
    pub(crate) fn suffix(&self, skipped: usize) -> &[u8] {
        let start = usize::from(self.starts[skipped]);
        let end = usize::from(self.starts[self.labels()]) + 1;
        &self.octets[start..end]
    }

    /// The whole name in wire form.
    pub(crate) fn as_wire(&self) -> &[u8] {
        self.suffix(0)
    }
}

/// Where the name at `at` of a message ends, pointers allowed but not followed.
pub(crate) fn skip(message: &[u8], mut at: usize) -> Result<usize, BadName> {
    let start = at;
    loop {
        let length = *message.get(at).ok_or(BadName)?;
        match length {
            0 => return Ok(at + 1),
            1..=LABEL_OCTETS_MAX => at += 1 + usize::from(length),
            // RFC 1035 §4.1.4: a pointer is two octets and ends the name.
            0xc0.. => return if at + 2 <= message.len() { Ok(at + 2) } else { Err(BadName) },
            _ => return Err(BadName),
        }
        if at - start >= NAME_OCTETS_MAX {
            return Err(BadName);
        }
    }
}

/// A name from text, as written, in wire form; a missing trailing dot is added. For files, not for
/// queries.
///
/// # Errors
/// What is wrong with the text, for its writer.
pub(crate) fn from_text(text: &str) -> Result<Box<[u8]>, String> {
    if text.is_empty() {
        return Err("is empty, not a name".to_owned());
    }
    let name: domain::base::Name<Vec<u8>> =
        text.parse().map_err(|error| format!("is not a name: {error}"))?;
    Ok(name.as_octets().clone().into_boxed_slice())
}

/// The same name in lower case, in wire form: the form of every table's keys.
pub(crate) fn to_lower(wire: &[u8]) -> Box<[u8]> {
    // Length octets are at most 63 and so never letters.
    wire.to_ascii_lowercase().into_boxed_slice()
}

/// The name as people write it, with the trailing dot. For messages, not for queries.
pub(crate) fn to_text(wire: &[u8]) -> String {
    domain::base::Name::from_octets(wire)
        .map(|name| format!("{}.", name.to_string().trim_end_matches('.')))
        .unwrap_or_else(|_| format!("{wire:?}"))
}

/// The name without its first label; the root has none to lose.
pub(crate) fn parent(wire: &[u8]) -> Option<&[u8]> {
    match wire.first() {
        None | Some(0) => None,
        Some(&length) => wire.get(1 + usize::from(length)..),
    }
}

/// Whether `wire` is `ancestor` or lies below it; both in lower case.
pub(crate) fn is_within(wire: &[u8], ancestor: &[u8]) -> bool {
    let mut name = Some(wire);
    while let Some(suffix) = name {
        if suffix == ancestor {
            return true;
        }
        name = parent(suffix);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let long_label = [&[63u8][..], &[b'a'; 63]].concat();
        let octets_255 =
            [&long_label[..], &long_label, &long_label, &[61], &[b'b'; 61], &[0]].concat();
        let octets_256 =
            [&long_label[..], &long_label, &long_label, &[62], &[b'b'; 62], &[0]].concat();
        let labels_127 = [[1, b'x'].repeat(127), vec![0]].concat();
        for (octets, expected, why) in [
            (&b"\x00"[..], Some(0), "the root"),
            (b"\x03wWw\x04test\x00rest", Some(2), "two labels, more octets behind"),
            (&octets_255, Some(4), "RFC 1035 §3.1: 255 octets are allowed"),
            (&octets_256, None, "256 are not"),
            (&labels_127, Some(127), "the most labels that fit"),
            (b"", None, "nothing"),
            (b"\x03ww", None, "cut off in a label"),
            (b"\x03www", None, "no root"),
            (b"\xc0\x0c", None, "a pointer"),
            (b"\x40aaaa\x00", None, "a reserved label type"),
        ] {
            let read = LowerName::read(octets);
            assert_eq!(read.as_ref().ok().map(|(n, _)| n.labels()), expected, "{why}");
        }
        let (name, length) = LowerName::read(b"\x03wWw\x04Test\x00rest").unwrap();
        assert_eq!((name.as_wire(), length), (&b"\x03www\x04test\x00"[..], 10));
        assert_eq!(name.suffix(1), b"\x04test\x00");
        assert_eq!(name.suffix(2), b"\x00");
    }

    #[test]
    fn names_are_skipped_without_following_pointers() {
        for (octets, at, expected, why) in [
            (&b"\x01a\x00"[..], 0, Ok(3), "plain"),
            (b"\x01a\xc0\x00", 0, Ok(4), "a pointer ends it, wherever it leads"),
            (b"\xc0\x00", 0, Ok(2), "a pointer to itself is not followed"),
            (b"\xc0", 0, Err(BadName), "half a pointer"),
            (b"\x05ab", 0, Err(BadName), "cut off"),
            (b"\x80\x00", 0, Err(BadName), "a reserved label type"),
            (b"\x00", 9, Err(BadName), "begins behind the end"),
        ] {
            assert_eq!(skip(octets, at), expected, "{why}");
        }
        assert_eq!(skip(&[1u8; 600], 0), Err(BadName), "longer than a name may be");
    }

    #[test]
    fn names_from_text_and_back() {
        for (text, wire, why) in [
            ("www.test.", Some(&b"\x03www\x04test\x00"[..]), "absolute"),
            ("Www.test", Some(b"\x03Www\x04test\x00"), "the dot is added, the case stays"),
            (".", Some(b"\x00"), "the root"),
            ("*.test.", Some(b"\x01*\x04test\x00"), "a wildcard"),
            ("", None, "empty"),
            ("a..b.", None, "an empty label"),
        ] {
            assert_eq!(from_text(text).ok().as_deref(), wire, "{text}: {why}");
        }
        assert_eq!(to_text(b"\x03www\x04test\x00"), "www.test.");
        assert_eq!(to_text(b"\x00"), ".");
        assert!(is_within(b"\x01a\x01b\x00", b"\x01b\x00"));
        assert!(!is_within(b"\x02ab\x00", b"\x01b\x00"));
        assert!(is_within(b"\x01b\x00", b"\x00"));
    }
}
