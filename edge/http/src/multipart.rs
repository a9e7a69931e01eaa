//! The content of a response to several ranges: multipart/byteranges (RFC 9110 §14.6).

use crate::fields::is_token;

/// Octets of a boundary (RFC 2046 §5.1.1).
pub const BOUNDARY_OCTETS_MAX: usize = 70;

/// Octets of a Content-Type that is repeated in each part. Those of office documents, which are long ones, have
/// some 75 and no parameters. Larger: one long field makes sixteen long parts. Smaller: parts lack what §15.3.7.2 says
/// they SHOULD have.
pub const PART_TYPE_OCTETS_MAX: usize = 1024;

/// What stands before, between and after the octets of the parts.
///
/// The response is a 206 whose Content-Type is [`content_type_value`](Self::content_type_value), without a
/// Content-Range of its own (RFC 9110 §15.3.7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    boundary: Box<str>,
    heads: Box<[Box<[u8]>]>,
    content_length: u64,
}

impl Multipart {
    /// Frames these parts (first and last offset, inclusive) of a content of `complete_length` octets.
    ///
    /// `content_type` is what a 200 would have; it is repeated in each part unless it is longer than
    /// [`PART_TYPE_OCTETS_MAX`]. The `boundary` must not be in the content: one of 20 random letters is not.
    ///
    /// # Panics
    /// When the boundary is empty, longer than [`BOUNDARY_OCTETS_MAX`] or of other octets than bchars (RFC 2046
    /// §5.1.1), or when a part is not within the content.
    #[must_use]
    pub fn new(
        parts: &[(u64, u64)],
        complete_length: u64,
        content_type: Option<&[u8]>,
        boundary: &str,
    ) -> Self {
        assert!(is_boundary(boundary), "{boundary:?} is a boundary");
        let content_type = content_type.filter(|value| value.len() <= PART_TYPE_OCTETS_MAX);
        let head = |(index, &(first, last)): (usize, &(u64, u64))| {
            assert!(first <= last && last < complete_length, "{first}-{last}/{complete_length}");
            // RFC 2046 §5.1.1: the line break before a delimiter belongs to it; nothing is before the first.
            let line_break = if index == 0 { "" } else { "\r\n" };
            let mut head = format!("{line_break}--{boundary}\r\n").into_bytes();
            if let Some(value) = content_type {
                for octets in [b"Content-Type: ", value, b"\r\n"] {
                    head.extend_from_slice(octets);
                }
            }
            let range = format!("Content-Range: bytes {first}-{last}/{complete_length}\r\n\r\n");
            head.extend_from_slice(range.as_bytes());
            head.into_boxed_slice()
        };
        let mut multipart = Self {
            boundary: boundary.into(),
            heads: parts.iter().enumerate().map(head).collect(),
            content_length: 0,
        };
        let framing = multipart.heads.iter().map(|head| head.len() as u64).sum::<u64>()
            + multipart.end().len() as u64;
        // Parts that do not overlap are no longer than a content; a sum beyond that is as wrong as one clipped to u64.
        multipart.content_length = parts
            .iter()
            .fold(framing, |sum, (first, last)| sum.saturating_add(last - first).saturating_add(1));
        multipart
    }

    /// The value of the response's Content-Type.
    #[must_use]
    pub fn content_type_value(&self) -> String {
        let boundary = &self.boundary;
        // RFC 9110 §5.6.6: a parameter that is no token is quoted; a boundary has nothing to escape.
        if is_token(boundary.as_bytes()) {
            format!("multipart/byteranges; boundary={boundary}")
        } else {
            format!("multipart/byteranges; boundary=\"{boundary}\"")
        }
    }

    /// What comes before the octets of the part `index`: delimiter, Content-Type, Content-Range and empty line.
    ///
    /// # Panics
    /// When there is no such part.
    #[must_use]
    pub fn part_head(&self, index: usize) -> Vec<u8> {
        self.heads[index].to_vec()
    }

    /// What comes after the octets of the last part.
    #[must_use]
    pub fn end(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }

    /// Octets of the content: heads, parts and end.
    #[must_use]
    pub fn content_length(&self) -> u64 {
        self.content_length
    }
}

/// RFC 2046 §5.1.1: `boundary := 0*69<bchars> bcharsnospace`; without any space here.
fn is_boundary(boundary: &str) -> bool {
    let is_bchar = |octet: u8| octet.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&octet);
    (1..=BOUNDARY_OCTETS_MAX).contains(&boundary.len()) && boundary.bytes().all(is_bchar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// The content as it is sent.
    fn content(multipart: &Multipart, parts: &[(u64, u64)], whole: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        for (index, &(first, last)) in parts.iter().enumerate() {
            content.extend(multipart.part_head(index));
            content.extend_from_slice(&whole[first as usize..=last as usize]);
        }
        content.extend(multipart.end());
        content
    }

    #[test]
    fn framing_is_as_in_the_example() {
        // RFC 9110 §14.6, §15.3.7.2
        let parts = [(0, 1), (8, 9)];
        let multipart = Multipart::new(&parts, 10, Some(b"text/plain"), "THIS_STRING_SEPARATES");
        let expected = "--THIS_STRING_SEPARATES\r\n\
            Content-Type: text/plain\r\n\
            Content-Range: bytes 0-1/10\r\n\r\n\
            01\r\n\
            --THIS_STRING_SEPARATES\r\n\
            Content-Type: text/plain\r\n\
            Content-Range: bytes 8-9/10\r\n\r\n\
            89\r\n\
            --THIS_STRING_SEPARATES--\r\n";
        let content = content(&multipart, &parts, b"0123456789");
        assert_eq!(String::from_utf8(content).unwrap(), expected);
        assert_eq!(multipart.content_length(), expected.len() as u64);
    }

    #[test]
    fn a_part_has_the_type_of_the_whole() {
        // RFC 9110 §15.3.7.2
        let longest = vec![b'a'; PART_TYPE_OCTETS_MAX];
        let too_long = vec![b'a'; PART_TYPE_OCTETS_MAX + 1];
        for (content_type, expected, why) in [
            (Some(&b"a/b; c=\"d\""[..]), true, "as it is"),
            (Some(&longest), true, "a long one"),
            (Some(&too_long), false, "too long to repeat"),
            (None, false, "none"),
        ] {
            let head = Multipart::new(&[(0, 0)], 1, content_type, "b").part_head(0);
            let has_type = String::from_utf8(head).unwrap().contains("Content-Type: a");
            assert_eq!(has_type, expected, "{why}");
        }
    }

    #[test]
    fn the_boundary_is_quoted_where_it_must_be() {
        // RFC 9110 §5.6.6, RFC 2046 §5.1.1
        for (boundary, expected) in [
            ("a-b_9", "multipart/byteranges; boundary=a-b_9"),
            ("a:b", "multipart/byteranges; boundary=\"a:b\""),
            ("(a,b)=?", "multipart/byteranges; boundary=\"(a,b)=?\""),
        ] {
            let multipart = Multipart::new(&[(0, 0)], 1, None, boundary);
            assert_eq!(multipart.content_type_value(), expected);
        }
        let longest = "b".repeat(BOUNDARY_OCTETS_MAX);
        assert!(is_boundary(&longest) && !is_boundary(&format!("{longest}b")));
        for wrong in ["", " ", "a b", "a\r\n", "a\"", "ä", "a;", "a\\"] {
            assert!(!is_boundary(wrong), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn the_length_is_exact(
            lengths in vec(1usize..40, 1..6), gap in 0usize..5,
            content_type in proptest::option::of("[ -~]{0,20}"), boundary in "[a-zA-Z0-9:_.-]{1,70}",
        ) {
            let mut parts = Vec::new();
            let mut at = gap;
            for length in lengths {
                parts.push((at as u64, (at + length - 1) as u64));
                at += length + gap;
            }
            let whole = vec![b'x'; at];
            let content_type = content_type.as_deref().map(str::as_bytes);
            let multipart = Multipart::new(&parts, at as u64, content_type, &boundary);
            let content = content(&multipart, &parts, &whole);
            prop_assert_eq!(multipart.content_length(), content.len() as u64);
        }
    }

    #[test]
    fn lengths_beyond_any_content_do_not_overflow() {
        let multipart =
            Multipart::new(&[(0, u64::MAX - 1), (0, u64::MAX - 1)], u64::MAX, None, "b");
        assert_eq!(multipart.content_length(), u64::MAX);
    }
}
