//! The chunked coding: in pieces as in one, against a reading of the whole, and what we write ourselves.

use super::input::Input;
use super::reading::is_token;
use lastmile_http::chunked::{
    CHUNK_END, ChunkedDecoder, ChunkedStep, LAST_CHUNK, write_chunk_header,
};
use lastmile_http::framing::FramingError;

/// What decoding came to: the content, and where it ended if it did.
type Outcome = Result<(Vec<u8>, Option<usize>), FramingError>;

/// The lengths of the pieces (the last repeats), then what arrives.
pub fn run(octets: &[u8]) {
    let mut input = Input::new(octets);
    let lengths: Vec<usize> = input.part().iter().map(|length| 1 + usize::from(*length)).collect();
    let coded = input.rest();
    let whole = decoded(coded, &[usize::MAX]);
    assert_eq!(decoded(coded, &lengths), whole, "in pieces of {lengths:?}");
    assert_eq!(decoded(coded, &[1]), whole, "octet by octet");
    let read = read(coded);
    match &whole {
        Ok((content, Some(end))) => assert_eq!(read.as_ref(), Some(&(content.clone(), *end))),
        Ok((_, None)) => assert_eq!(read, None, "it goes on"),
        // The other reading takes anything for an extension, and knows no bounds.
        Err(FramingError::BadChunkExtension | FramingError::ChunkExtensionTooLong) => {}
        Err(FramingError::TrailersTooLarge) => {}
        Err(_) => assert_eq!(read, None, "RFC 9112 §7.1: it is faulty"),
    }
    written(coded, &lengths);
}

fn decoded(octets: &[u8], lengths: &[usize]) -> Outcome {
    let mut decoder = ChunkedDecoder::default();
    let (mut content, mut position, mut turn) = (Vec::new(), 0, 0);
    while position < octets.len() {
        let length = lengths.get(turn).or(lengths.last()).copied().unwrap_or(usize::MAX);
        turn += 1;
        let piece_end = position.saturating_add(length).min(octets.len());
        while position < piece_end {
            match decoder.decode(&octets[position..piece_end])? {
                ChunkedStep::Data { start, end } => {
                    assert!(start < end && position + end <= piece_end);
                    content.extend_from_slice(&octets[position + start..position + end]);
                    position += end;
                }
                ChunkedStep::NeedMore => position = piece_end,
                ChunkedStep::End { consumed } => {
                    assert!(position + consumed <= piece_end);
                    return Ok((content, Some(position + consumed)));
                }
            }
        }
    }
    Ok((content, None))
}

/// The content and its end, when all of it is there and sound (RFC 9112 §7.1), read line by line.
fn read(octets: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut content, mut rest) = (Vec::new(), octets);
    loop {
        let line = take_line(&mut rest)?;
        let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
        let extension = &line[digits..];
        let blank = extension.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        let is_extension = extension.is_empty() || extension[blank..].starts_with(b";");
        // Leading zeros are allowed, but not without end.
        if digits == 0 || digits > 64 || !is_extension {
            return None;
        }
        let size = u64::from_str_radix(str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let (data, after) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        content.extend_from_slice(data);
        rest = after.strip_prefix(b"\r\n")?;
    }
    loop {
        let line = take_line(&mut rest)?;
        if line.is_empty() {
            return Some((content, octets.len() - rest.len()));
        }
        let colon = line.iter().position(|octet| *octet == b':')?;
        if !is_token(&line[..colon]) {
            return None;
        }
    }
}

/// A line that ends with CR LF and has no control character.
fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|octet| *octet == b'\n')?;
    let line = rest[..end].strip_suffix(b"\r")?;
    *rest = &rest[end + 1..];
    let is_sound = |octet: &u8| *octet == b'\t' || (*octet >= b' ' && *octet != 0x7f);
    line.iter().all(is_sound).then_some(line)
}

/// What we send is read as what we meant, to its last octet.
fn written(content: &[u8], lengths: &[usize]) {
    let (mut coded, mut rest) = (Vec::new(), content);
    let mut lengths = lengths.iter().copied().cycle();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(lengths.next().unwrap_or(rest.len()).min(rest.len()));
        write_chunk_header(chunk.len(), &mut coded);
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(CHUNK_END);
        rest = after;
    }
    coded.extend_from_slice(LAST_CHUNK);
    let expected = (content.to_vec(), coded.len());
    assert_eq!(read(&coded), Some(expected.clone()));
    assert_eq!(decoded(&coded, &[usize::MAX]), Ok((expected.0, Some(expected.1))));
}
