//! Master-file text becomes entries of fields (RFC 1035 §5.1): quotes, escapes, comments, parentheses.

/// The entries of a master file, in order.
pub(super) struct Entries<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

/// One record or directive.
pub(super) struct Entry<'a> {
    /// Where it begins, from 1.
    pub(super) line: usize,
    /// Whether the first field is the owner's name (or a directive): it begins its line.
    pub(super) has_owner: bool,
    pub(super) fields: Vec<Field<'a>>,
    /// Where it ends in the text; a newline or nothing follows.
    pub(super) end: usize,
}

/// One field.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    text: &'a str,
    /// Where it begins in the text.
    pub(super) start: usize,
    /// Parentheses that are open there.
    pub(super) depth: usize,
}

impl<'a> Entries<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The next entry with a field. What is left open at the end of the text (a quote, a parenthesis) ends with it: the
    /// parser behind this one says so.
    pub(super) fn next_entry(&mut self) -> Option<Entry<'a>> {
        let octets = self.text.as_bytes();
        let (mut fields, mut depth, mut line) = (Vec::new(), 0usize, self.line);
        let mut has_owner = false;
        let mut line_start = true;
        while let Some(&octet) = octets.get(self.at) {
            match octet {
                b'\n' if depth == 0 && !fields.is_empty() => break,
                b'\n' => {
                    self.line += 1;
                    if fields.is_empty() {
                        line = self.line;
                    }
                    line_start = true;
                    self.at += 1;
                    continue;
                }
                b';' => {
                    let comment = octets[self.at..].iter().position(|&octet| octet == b'\n');
                    self.at = comment.map_or(octets.len(), |octets| self.at + octets);
                }
                b'(' => (depth, self.at) = (depth + 1, self.at + 1),
                b')' => (depth, self.at) = (depth.saturating_sub(1), self.at + 1),
                b' ' | b'\t' | b'\r' => self.at += 1,
                _ => {
                    if fields.is_empty() {
                        has_owner = line_start && depth == 0;
                    }
                    let start = self.at;
                    self.skip_field();
                    fields.push(Field { text: &self.text[start..self.at], start, depth });
                }
            }
            line_start = false;
        }
        (!fields.is_empty()).then_some(Entry { line, has_owner, fields, end: self.at })
    }

    fn skip_field(&mut self) {
        let octets = self.text.as_bytes();
        let mut quoted = false;
        while let Some(&octet) = octets.get(self.at) {
            match octet {
                // The escaped octet has no other meaning; that of `\DDD` is a digit.
                b'\\' if self.at + 1 < octets.len() => self.at += 1,
                b'"' => quoted = !quoted,
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' if !quoted => return,
                _ => {}
            }
            self.line += usize::from(octets[self.at] == b'\n');
            self.at += 1;
        }
    }
}

impl<'a> Entry<'a> {
    /// The name of a `$ORIGIN` directive.
    pub(super) fn origin(&self) -> Option<Field<'a>> {
        let directive = self.fields[0].text;
        (self.has_owner && directive.eq_ignore_ascii_case("$ORIGIN"))
            .then(|| self.fields.get(1).copied())
            .flatten()
    }
}

impl<'a> Field<'a> {
    /// As it stands in the text.
    pub(super) fn written(self) -> &'a str {
        self.text
    }

    /// The octets that it stands for: without quotes, escapes resolved.
    pub(super) fn octets(self) -> Result<Vec<u8>, String> {
        let wrong = || format!("{:?} has an escape that is not \\DDD up to 255", self.text);
        let mut rest = self.text.as_bytes();
        let mut octets = Vec::new();
        while let Some((&octet, behind)) = rest.split_first() {
            rest = behind;
            match octet {
                b'"' => {}
                b'\\' => {
                    let digits = rest.iter().take(3).take_while(|o| o.is_ascii_digit()).count();
                    let (escaped, behind) = match digits {
                        0 => rest.split_first().map(|(&octet, behind)| (octet, behind)),
                        3 => std::str::from_utf8(&rest[..3])
                            .ok()
                            .and_then(|digits| digits.parse().ok())
                            .map(|octet| (octet, &rest[3..])),
                        _ => None,
                    }
                    .ok_or_else(wrong)?;
                    octets.push(escaped);
                    rest = behind;
                }
                _ => octets.push(octet),
            }
        }
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_taken_apart() {
        let text =
            "; nothing\n$ORIGIN x.\na  TXT \"b c\" d\\ e ; f\n\n b ( 1\n 2 ) 3\nc k=\"v;\n\"w";
        let mut entries = Entries::new(text);
        for (line, has_owner, fields) in [
            (2, true, &["$ORIGIN", "x."][..]),
            (3, true, &["a", "TXT", "\"b c\"", "d\\ e"]),
            (5, false, &["b", "1", "2", "3"]),
            (7, true, &["c", "k=\"v;\n\"w"]),
        ] {
            let entry = entries.next_entry().unwrap();
            let got: Vec<_> = entry.fields.iter().map(|field| field.text).collect();
            assert_eq!((entry.line, entry.has_owner, &got[..]), (line, has_owner, fields));
        }
        assert!(entries.next_entry().is_none());
    }

    #[test]
    fn escapes_are_resolved() {
        for (text, expected, why) in [
            ("\"a b\"", Some(&b"a b"[..]), "quotes are not part of it"),
            ("a\\\"b", Some(b"a\"b"), "an escaped quote is"),
            ("\\065\\255", Some(b"A\xff"), "decimal"),
            ("k=\"v\"", Some(b"k=v"), "quotes within a field (RFC 9460 Appendix A)"),
            ("\\256", None, "no octet"),
            ("\\12", None, "two digits"),
            ("a\\", None, "nothing to escape"),
        ] {
            let field = Field { text, start: 0, depth: 0 };
            assert_eq!(field.octets().ok().as_deref(), expected, "{why}");
        }
    }
}
