//! HTTP/1.1 messages as whoever is strict reads them: what leaves the edge, and what a client was understood to say.
//!
//! Shares no code with lastmile-http. Of a request it accepts at least all that the edge may accept, and finds the same
//! end for it: anything else would be the disagreement that requests are smuggled by (RFC 9112 §11.2).

/// One message, as far as it is there.
#[derive(Debug)]
pub struct Message {
    /// The words of its first line.
    pub words: [Vec<u8>; 3],
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub content: Vec<u8>,
    pub end: End,
}

/// What is known of the end of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It has this many octets.
    At(usize),
    /// It goes on after the octets that are there.
    Cut,
    /// It ends with the connection.
    Close,
    /// It can't be told, since the content is malformed.
    Lost,
}

/// Why there is no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum No {
    /// Nothing is wrong with what is there of its head.
    Partial,
    Malformed(&'static str),
}

/// How the end of a content is found.
enum Framing {
    None,
    Length(u64),
    Chunked,
    Close,
}

impl Message {
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let is_name = |(other, _): &&(Vec<u8>, _)| other.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(is_name).map(|(_, value)| &value[..])
    }

    pub fn is_whole(&self) -> bool {
        matches!(self.end, End::At(_))
    }

    /// Whether Connection has this option.
    pub fn has_option(&self, option: &str) -> bool {
        let members = self.values("connection").flat_map(|line| line.split(|o| *o == b','));
        members.into_iter().any(|one| one.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    }
}

/// The request at the start of `octets` (RFC 9112 §3).
pub fn request(octets: &[u8]) -> Result<Message, No> {
    let mut skipped = 0;
    // RFC 9112 §2.2: at least one; how many are skipped may depend on how they arrive.
    while octets[skipped..].starts_with(b"\r\n") {
        skipped += 2;
    }
    let (line, fields, head) = head(&octets[skipped..])?;
    let words: Vec<_> = line.split(|octet| *octet == b' ').collect();
    let [method, target, version] = words[..] else { return Err(No::Malformed("request line")) };
    if !is_token(method) || target.is_empty() || !is_version(version) {
        return Err(No::Malformed("request line"));
    }
    let words = [method, target, version].map(<[u8]>::to_vec);
    let framing = framing(version, &fields, Framing::None)?;
    Ok(with_content(words, fields, octets, skipped + head, &framing))
}

/// The response at the start of `octets` to a request with this method (RFC 9112 §4, §6.3).
pub fn response(octets: &[u8], method: &[u8]) -> Result<Message, No> {
    let (line, fields, head) = head(octets)?;
    let words: Vec<_> = line.splitn(3, |octet| *octet == b' ').collect();
    let [version, status, reason] = words[..] else { return Err(No::Malformed("status line")) };
    let is_status = matches!(status, [b'1'..=b'5', _, _]) && status.iter().all(u8::is_ascii_digit);
    if version != b"HTTP/1.1" || !is_status {
        return Err(No::Malformed("status line"));
    }
    let without_content =
        method == b"HEAD" || status[0] == b'1' || matches!(status, b"204" | b"304");
    let announced = framing(version, &fields, Framing::Close)?;
    let framing = if without_content { Framing::None } else { announced };
    let words = [version, status, reason].map(<[u8]>::to_vec);
    Ok(with_content(words, fields, octets, head, &framing))
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The first line, the fields, and the length of a head.
fn head(octets: &[u8]) -> Result<(&[u8], Fields, usize), No> {
    let mut rest = octets;
    let line = take_line(&mut rest)?;
    let mut fields = vec![];
    loop {
        let line = take_line(&mut rest)?;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|octet| *octet == b':');
        let Some(colon) = colon.filter(|colon| is_token(&line[..*colon])) else {
            return Err(No::Malformed("field name"));
        };
        fields.push((line[..colon].to_vec(), line[colon + 1..].trim_ascii().to_vec()));
    }
    Ok((line, fields, octets.len() - rest.len()))
}

/// A line that ends with CR LF and has no control character (RFC 9112 §2.2, RFC 9110 §5.5).
fn take_line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], No> {
    let Some(end) = rest.iter().position(|octet| *octet == b'\n') else { return Err(No::Partial) };
    let line = rest[..end].strip_suffix(b"\r").ok_or(No::Malformed("bare line feed"))?;
    *rest = &rest[end + 1..];
    let is_sound = |octet: &u8| *octet == b'\t' || (*octet >= b' ' && *octet != 0x7f);
    if !line.iter().all(is_sound) {
        return Err(No::Malformed("control character"));
    }
    Ok(line)
}

fn is_token(octets: &[u8]) -> bool {
    let is_mark = |octet: &u8| b"!#$%&'*+-.^_`|~".contains(octet);
    !octets.is_empty() && octets.iter().all(|octet| octet.is_ascii_alphanumeric() || is_mark(octet))
}

fn is_version(word: &[u8]) -> bool {
    word.strip_prefix(b"HTTP/1.").is_some_and(|minor| matches!(minor, [b'0'..=b'9']))
}

/// RFC 9112 §6.3, without any guessing.
fn framing(version: &[u8], fields: &Fields, otherwise: Framing) -> Result<Framing, No> {
    let joined = |name: &str| -> Option<Vec<u8>> {
        let is_name = |(other, _): &&(Vec<u8>, _)| other.eq_ignore_ascii_case(name.as_bytes());
        let values: Vec<_> = fields.iter().filter(is_name).map(|(_, value)| &value[..]).collect();
        (!values.is_empty()).then(|| values.join(&b','))
    };
    match (joined("transfer-encoding"), joined("content-length")) {
        (None, None) => Ok(otherwise),
        (Some(_), Some(_)) => Err(No::Malformed("both a coding and a length")),
        (Some(codings), None) => {
            let members = codings.split(|octet| *octet == b',').map(<[u8]>::trim_ascii);
            let members: Vec<_> = members.filter(|member| !member.is_empty()).collect();
            let is_chunked = matches!(members[..], [one] if one.eq_ignore_ascii_case(b"chunked"));
            if !is_chunked || version == b"HTTP/1.0" {
                return Err(No::Malformed("transfer coding"));
            }
            Ok(Framing::Chunked)
        }
        (None, Some(lengths)) => {
            let mut members = lengths.split(|octet| *octet == b',').map(<[u8]>::trim_ascii);
            let first = members.next().unwrap_or_default();
            let digits = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
            let length = str::from_utf8(first).ok().and_then(|first| first.parse().ok());
            let (true, Some(length)) = (digits, length) else {
                return Err(No::Malformed("content length"));
            };
            // `5, 05` is a matter of taste; the edge may refuse it.
            let same =
                |other: &[u8]| str::from_utf8(other).is_ok_and(|other| other.parse() == Ok(length));
            if !members.all(same) {
                return Err(No::Malformed("several content lengths"));
            }
            Ok(Framing::Length(length))
        }
    }
}

fn with_content(
    words: [Vec<u8>; 3],
    fields: Fields,
    octets: &[u8],
    head: usize,
    framing: &Framing,
) -> Message {
    let rest = &octets[head..];
    let (content, end) = match framing {
        Framing::None => (vec![], End::At(head)),
        Framing::Close => (rest.to_vec(), End::Close),
        Framing::Chunked => {
            let (content, end) = chunked(rest);
            let end = if let End::At(length) = end { End::At(head + length) } else { end };
            (content, end)
        }
        Framing::Length(length) => match usize::try_from(*length) {
            Ok(length) if length <= rest.len() => (rest[..length].to_vec(), End::At(head + length)),
            _ => (rest.to_vec(), End::Cut),
        },
    };
    Message { words, fields, content, end }
}

/// RFC 9112 §7.1; of extensions only that they have no control character.
fn chunked(octets: &[u8]) -> (Vec<u8>, End) {
    let (mut content, mut rest) = (vec![], octets);
    let line = |rest: &mut &[u8]| -> Result<Vec<u8>, End> {
        take_line(rest).map(<[u8]>::to_vec).map_err(|no| match no {
            No::Partial => End::Cut,
            No::Malformed(_) => End::Lost,
        })
    };
    loop {
        let line = match line(&mut rest) {
            Ok(line) => line,
            Err(end) => return (content, end),
        };
        let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
        let size =
            str::from_utf8(&line[..digits]).ok().and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let is_extension = matches!(line[digits..].trim_ascii_start(), [] | [b';', ..]);
        let Some(size) = size.filter(|_| is_extension) else { return (content, End::Lost) };
        if size == 0 {
            break;
        }
        let there = usize::try_from(size).map_or(rest.len(), |size| size.min(rest.len()));
        content.extend_from_slice(&rest[..there]);
        rest = &rest[there..];
        match rest {
            _ if (there as u64) < size => return (content, End::Cut),
            [b'\r', b'\n', after @ ..] => rest = after,
            [] | [b'\r'] => return (content, End::Cut),
            _ => return (content, End::Lost),
        }
    }
    loop {
        match line(&mut rest) {
            Ok(line) if line.is_empty() => return (content, End::At(octets.len() - rest.len())),
            Ok(line) => {
                let colon = line.iter().position(|octet| *octet == b':').unwrap_or(0);
                if !is_token(&line[..colon]) {
                    return (content, End::Lost);
                }
            }
            Err(end) => return (content, end),
        }
    }
}
