//! Entries that the parser of `domain` (0.11) must not be given: it reads on behind some, into the next ones and past
//! the end of the text, and adds up numbers that do not fit, which ends the process.

use super::master::BadRecords;

/// Where types have numbers, as places behind the type, and the largest.
const NUMBERS: &[(&str, &[(usize, u32)])] = &[
    ("CDNSKEY", &[(0, 65_535), (1, 255), (2, 255)]),
    ("CDS", &[(0, 65_535), (1, 255), (2, 255)]),
    ("DNSKEY", &[(0, 65_535), (1, 255), (2, 255)]),
    ("DS", &[(0, 65_535), (1, 255), (2, 255)]),
    ("MX", &[(0, 65_535)]),
    ("NAPTR", &[(0, 65_535), (1, 65_535)]),
    ("NSEC3", &[(0, 255), (1, 255), (2, 65_535)]),
    ("NSEC3PARAM", &[(0, 255), (1, 255), (2, 65_535)]),
    ("RRSIG", &[(1, 255), (2, 255), (3, u32::MAX), (6, 65_535)]),
    ("SOA", &[(2, u32::MAX), (3, u32::MAX), (4, u32::MAX), (5, u32::MAX), (6, u32::MAX)]),
    ("SRV", &[(0, 65_535), (1, 65_535), (2, 65_535)]),
    ("ZONEMD", &[(1, 255), (2, 255)]),
];

/// The entry that is being read.
#[derive(Default)]
struct Entry<'a> {
    /// Its line, from 1.
    line: usize,
    /// Whether its first field begins the line, and so is an owner or a directive.
    has_owner: bool,
    fields: Vec<&'a str>,
}

/// Refuses a TXT record without a text, numbers that are too large, and what is still open at the end.
pub(super) fn check(text: &str) -> Result<(), BadRecords> {
    let octets = text.as_bytes();
    let (mut at, mut line, mut depth) = (0, 1, 0usize);
    let mut entry = Entry::default();
    let wrong = |line, message: &str| BadRecords { line: Some(line), message: message.to_owned() };
    while let Some(&octet) = octets.get(at) {
        match octet {
            b'\n' => {
                line += 1;
                if depth == 0 {
                    entry.check()?;
                    entry.fields.clear();
                }
                at += 1;
            }
            b';' => at += octets[at..].iter().take_while(|&&octet| octet != b'\n').count(),
            b'(' | b')' | b' ' | b'\t' | b'\r' => {
                match octet {
                    b'(' => depth += 1,
                    b')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                at += 1;
            }
            _ => {
                if entry.fields.is_empty() {
                    let is_first = at == 0 || octets[at - 1] == b'\n';
                    (entry.line, entry.has_owner) = (line, is_first && depth == 0);
                }
                let end = field_end(octets, at).ok_or_else(|| wrong(line, "a quote stays open"))?;
                entry.fields.push(text.get(at..end).unwrap_or_default());
                line += octets[at..end].iter().filter(|&&octet| octet == b'\n').count();
                at = end;
            }
        }
    }
    if depth > 0 {
        return Err(wrong(entry.line.max(1), "a parenthesis stays open"));
    }
    entry.check()
}

/// Where the field that begins at `at` ends; `None` if it is within quotes.
fn field_end(octets: &[u8], mut at: usize) -> Option<usize> {
    let mut is_quoted = false;
    while let Some(octet) = octets.get(at) {
        match octet {
            b'\\' => at += 1,
            b'"' => is_quoted = !is_quoted,
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' if !is_quoted => break,
            _ => {}
        }
        at += 1;
    }
    (!is_quoted).then_some(at.min(octets.len()))
}

impl Entry<'_> {
    fn check(&self) -> Result<(), BadRecords> {
        let wrong = |message| Err(BadRecords { line: Some(self.line), message });
        let is_directive = self.fields.first().is_some_and(|field| field.starts_with('$'));
        let skipped = usize::from(self.has_owner);
        // RFC 1035 §5.1: TTL and class come before the type.
        let is_before = |field: &&&str| {
            let is_class = ["IN", "CH", "HS"].iter().any(|class| field.eq_ignore_ascii_case(class));
            digits(field) > 0 || is_class || has_prefix(field, "CLASS")
        };
        let before = self.fields.iter().skip(skipped).take_while(is_before).count();
        let rtype = self.fields.get(skipped + before).copied().unwrap_or_default();
        let data = self.fields.get(skipped + before + 1..).unwrap_or_default();
        let is = |name: &str| !is_directive && rtype.eq_ignore_ascii_case(name);
        if !is_directive && has_prefix(rtype, "TYPE") && data.first() != Some(&"\\#") {
            return wrong(format!("{rtype:?} needs `\\#`, a length and octets (RFC 3597 §5)"));
        }
        // RFC 1035 §3.3.14: one character-string or more.
        if is("TXT") && data.is_empty() {
            return wrong("TXT: no text; an empty one is \"\"".to_owned());
        }
        let numbers = NUMBERS.iter().find(|row| is(row.0)).map_or(&[][..], |row| row.1);
        for (at, field) in self.fields.iter().enumerate().skip(skipped) {
            let max = match at.checked_sub(skipped + before + 1) {
                // A TTL, or what `$TTL` says.
                None => Some(u32::MAX),
                Some(_) if is_directive => Some(u32::MAX),
                // RFC 3597 §5: a length comes first.
                Some(place) if data[0] == "\\#" => (place == 1).then_some(u16::MAX.into()),
                Some(place) => numbers.iter().find(|row| row.0 == place).map(|row| row.1),
            };
            // The digits that it begins with are added up before anything else is looked at.
            let number = &field[..digits(field)];
            let fits = |max| number.is_empty() || number.parse::<u32>().is_ok_and(|n| n <= max);
            if let Some(max) = max.filter(|max| !fits(*max)) {
                return wrong(format!("{rtype:?}: {field:?} is too large; at most {max}"));
            }
        }
        Ok(())
    }
}

/// Whether a field begins with this, in any case, as the names by number of RFC 3597 §5 do.
fn has_prefix(field: &str, prefix: &str) -> bool {
    field.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Digits that a field begins with.
fn digits(field: &str) -> usize {
    field.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_read_past_is_refused() {
        for (text, expected, why) in [
            ("a TXT \"b\"\n\nc 60 IN TXT d", None, "texts"),
            ("a TXT \"\"\n", None, "an empty one"),
            ("a TXT\n", Some(1), "none"),
            ("\n\na 60 IN txt ; \"b\"\nc A 192.0.2.1", Some(3), "but for a comment"),
            ("a A 192.0.2.1\n 60 TXT", Some(2), "the owner of the line before"),
            ("a (\n IN TXT\n )", Some(1), "over several lines"),
            ("a (\n TXT\n b )\nc CNAME txt\ntxt A 192.0.2.1", None, "names that look like it"),
            ("$ORIGIN txt\n$TTL 60\nTXT TXT TXT", None, "a directive's, an owner, a text"),
            ("a CLASS1 TXT", Some(1), "a class by its number"),
            ("a type16\n", Some(1), "the type by its number"),
            ("a TYPE15 10 b\n", Some(1), "any, unless in octets"),
            ("a TXT ( \"b\"\nc A 192.0.2.1", Some(1), "an open parenthesis"),
            ("a TXT \"(\" \\( ; (\n", None, "parentheses that mean nothing"),
            ("a A 192.0.2.1\nb TXT \"c\n", Some(2), "an open quote"),
            ("b TXT \"c\\\"\n", Some(1), "one that an escape keeps open"),
            ("b TXT \\\"c\\", None, "an escaped quote, and nothing to escape"),
            ("b TXT \"c\nd\" (\n", Some(1), "a line break in quotes"),
            ("a MX 65535 b\na MX 65536 b", Some(2), "more than 16 bits"),
            ("a DS 65535 255 256 00", Some(1), "more than 8"),
            ("a 4294967295 A 192.0.2.1\na 4294967296 A 192.0.2.1", Some(2), "more than 32"),
            ("$TTL 4294967299", Some(1), "in a directive"),
            ("@ SOA a b 65536 256 3 4 5\n", None, "numbers of 32 bits"),
            ("@ SOA a b 1 2 3 4 4294967296\n", Some(1), "and beyond"),
            ("@ SOA a b 1 2 3 4 4294967296[x]\n", Some(1), "whatever follows"),
            ("a TXT 4294967296 256\n4294967296 CNAME 4294967296.test.", None, "text and names"),
            ("a TYPE1 \\# 4 01020304\na TYPE1 \\# 65536 00", Some(2), "a length"),
            ("a MX \\# 4 99990000\na TYPE1 \\# 10 1234567890 0123456789", None, "hexadecimal"),
        ] {
            let line = check(text).err().map(|bad| bad.line.unwrap());
            assert_eq!(line, expected, "{why}: {text:?}");
        }
    }
}
