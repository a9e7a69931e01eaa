//! Record types that the parser of `domain` does not know are written over in the form of RFC 3597 §5, which it reads.
//!
//! | file | job |
//! | --- | --- |
//! | `entry.rs` | master-file text becomes entries of fields |
//! | `data.rs` | CAA, TLSA, SMIMEA, SSHFP, OPENPGPKEY, URI |
//! | `svcb.rs` | SVCB and HTTPS |

mod data;
mod entry;
mod svcb;

use super::master::BadRecords;
use crate::wire::name;
use entry::{Entries, Entry, Field};
use std::fmt::Write as _;

/// Reads the fields behind a type; names without a final dot end with the origin.
type Reader = fn(&[Field<'_>], &Origin) -> Result<Vec<u8>, String>;

/// IANA "Resource Record (RR) TYPEs".
const TYPES: &[(&str, u16, Reader)] = &[
    ("CAA", 257, data::caa),
    ("HTTPS", 65, svcb::svcb),
    ("OPENPGPKEY", 61, data::openpgpkey),
    ("SMIMEA", 53, data::tlsa),
    ("SSHFP", 44, data::sshfp),
    ("SVCB", 64, svcb::svcb),
    ("TLSA", 52, data::tlsa),
    ("URI", 256, data::uri),
];

/// What relative names are relative to, in wire form.
struct Origin(Box<[u8]>);

impl Origin {
    /// The name that a field is, in wire form.
    fn name(&self, field: Field<'_>) -> Result<Box<[u8]>, String> {
        let text = field.written();
        if text == "@" {
            return Ok(self.0.clone());
        }
        let wire = name::from_text(text).map_err(|message| format!("{text:?} {message}"))?;
        let mut octets = text.bytes();
        // A dot behind a backslash is part of the label.
        let absolute = octets.next_back() == Some(b'.') && octets.next_back() != Some(b'\\');
        if absolute {
            return Ok(wire);
        }
        let whole = [&wire[..wire.len() - 1], &self.0].concat();
        if whole.len() > name::NAME_OCTETS_MAX {
            return Err(format!("{text:?} is too long for a name"));
        }
        Ok(whole.into())
    }
}

/// `text` with every record of [`TYPES`] as `TYPEnnn \# ...`; lines keep their numbers.
pub(super) fn rewrite(text: &str, apex: &[u8]) -> Result<String, BadRecords> {
    let mut origin = Origin(apex.into());
    let mut written = String::with_capacity(text.len());
    let mut copied = 0;
    let mut entries = Entries::new(text);
    while let Some(entry) = entries.next_entry() {
        let wrong = |message| BadRecords { line: Some(entry.line), message };
        if let Some(field) = entry.origin() {
            origin = Origin(origin.name(field).map_err(wrong)?);
            continue;
        }
        let Some((at, rtype, read)) = unknown_type(&entry) else { continue };
        let data = read(&entry.fields[at + 1..], &origin)
            .map_err(|message| wrong(format!("{}: {message}", entry.fields[at].written())))?;
        let field = &entry.fields[at];
        written.push_str(&text[copied..field.start]);
        let _ = write!(written, "TYPE{rtype} \\# {}", data.len());
        // In pieces: a field of a master file has an end.
        for piece in data.chunks(64) {
            written.push(' ');
            piece.iter().for_each(|octet| _ = write!(written, "{octet:02x}"));
        }
        written.push_str(&")".repeat(field.depth));
        let lines = text[field.start..entry.end].matches('\n').count();
        written.push_str(&"\n".repeat(lines));
        copied = entry.end;
    }
    written.push_str(&text[copied..]);
    Ok(written)
}

/// Where the type stands if it is one of ours, in a form that is not RFC 3597's already.
fn unknown_type(entry: &Entry<'_>) -> Option<(usize, u16, Reader)> {
    let is_class = |text: &str| {
        ["IN", "CH", "HS"].iter().any(|class| text.eq_ignore_ascii_case(class))
            || text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("CLASS"))
    };
    let is_ttl = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    let mut at = usize::from(entry.has_owner);
    // RFC 1035 §5.1: a TTL and a class, in either order, may come before the type.
    for _ in 0..2 {
        let text = entry.fields.get(at)?.written();
        at += usize::from(is_class(text) || is_ttl(text));
    }
    let text = entry.fields.get(at)?.written();
    let (_, rtype, read) = TYPES.iter().find(|row| text.eq_ignore_ascii_case(row.0))?;
    let generic = entry.fields.get(at + 1).is_some_and(|field| field.written() == "\\#");
    (!generic).then_some((at, *rtype, *read))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the text, what is not ours stays, line by line.
        #[test]
        fn any_text_is_read(text in "([a-z@(\n);\"\\\\ 0-9.]|CAA |HTTPS |TLSA )*") {
            if let Ok(written) = rewrite(&text, b"\x04test\x00") {
                prop_assert_eq!(written.matches('\n').count(), text.matches('\n').count());
                let ours = TYPES.iter().any(|row| text.contains(row.0));
                prop_assert!(ours || written == text);
            }
        }
    }

    fn rewritten(text: &str) -> String {
        rewrite(text, b"\x04test\x00").unwrap()
    }

    #[test]
    fn records_are_written_over_and_lines_stay() {
        for (text, expected, why) in [
            ("a 60 A 192.0.2.1 ; CAA 0 x\n", "a 60 A 192.0.2.1 ; CAA 0 x\n", "nothing of ours"),
            (
                "@ 60 IN CAA 0 issue \"ca.test\" ; ours\nb A 192.0.2.1\n",
                "@ 60 IN TYPE257 \\# 14 0005697373756563612e74657374\nb A 192.0.2.1\n",
                "TTL and class before the type",
            ),
            (
                "@ IN 60 caa (\n 0\n issue \"ca.test\" )\nb A 192.0.2.1",
                "@ IN 60 TYPE257 \\# 14 0005697373756563612e74657374\n\n\nb A 192.0.2.1",
                "over several lines, in lower case",
            ),
            (
                "@ ( CAA\n 0 issue \";\" )",
                "@ ( TYPE257 \\# 8 00056973737565 3b)\n".replace("65 3b", "653b").as_str(),
                "parentheses before the type; a semicolon in quotes is no comment",
            ),
            (
                "\tTLSA 3 1 1 0a0b 0c\n",
                "\tTYPE52 \\# 6 0301010a0b0c\n",
                "the owner of the record before, data in pieces",
            ),
            ("a CAA \\# 3 000161\n", "a CAA \\# 3 000161\n", "RFC 3597 §5 already"),
            ("CAA A 192.0.2.1\n", "CAA A 192.0.2.1\n", "an owner with the name of a type"),
            (
                "$ORIGIN sub\na SVCB 0 b\n",
                "$ORIGIN sub\na TYPE64 \\# 14 00000162037375620474657374 00\n"
                    .replace("74 00", "7400")
                    .as_str(),
                "a name relative to the origin, itself relative",
            ),
        ] {
            assert_eq!(rewritten(text), expected, "{why}");
        }
    }

    #[test]
    fn mistakes_name_line_and_type() {
        for (text, line, expected) in [
            ("\n\n@ CAA 256 issue x\n", 3, "CAA: \"256\" is not a number from 0 to 255"),
            ("@ CAA 0 is-sue x\n", 1, "CAA: \"is-sue\" is not a tag: letters and digits"),
            ("@ CAA 0 issue\n", 1, "CAA: needs 3 fields: FLAGS TAG VALUE"),
            ("@ TLSA 3 1 1 0a0\n", 1, "TLSA: \"0a0\" is not hexadecimal"),
            ("@ TLSA 3 1 1\n", 1, "TLSA: needs 4 fields"),
            ("@ HTTPS 1 a..b\n", 1, "HTTPS: \"a..b\" is not a name"),
        ] {
            let bad = rewrite(text, b"\x04test\x00").unwrap_err();
            assert_eq!(bad.line, Some(line), "{text}");
            assert!(bad.message.starts_with(expected), "{text}: {}", bad.message);
        }
    }
}
