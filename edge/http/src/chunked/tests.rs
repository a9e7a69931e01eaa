//! Tables and properties of the chunked coding.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// The content and how much of `octets` was consumed at its end, when they arrive in pieces of `lengths`, the last
/// of which repeats.
fn decoded(octets: &[u8], lengths: &[usize]) -> Result<(Vec<u8>, Option<usize>), FramingError> {
    let mut decoder = ChunkedDecoder::default();
    let (mut content, mut position, mut turn) = (Vec::new(), 0, 0);
    while position < octets.len() {
        let length = lengths[turn.min(lengths.len() - 1)];
        turn += 1;
        let piece_end = (position + length).min(octets.len());
        while position < piece_end {
            match decoder.decode(&octets[position..piece_end])? {
                ChunkedStep::Data { start, end } => {
                    assert!(start < end, "data is never empty");
                    content.extend_from_slice(&octets[position + start..position + end]);
                    position += end;
                }
                ChunkedStep::NeedMore => position = piece_end,
                ChunkedStep::End { consumed } => {
                    let again = decoder.decode(&octets[position + consumed..]);
                    assert_eq!(again, Ok(ChunkedStep::End { consumed: 0 }));
                    return Ok((content, Some(position + consumed)));
                }
            }
        }
    }
    Ok((content, None))
}

#[test]
fn content_is_decoded() {
    // RFC 9112 §7.1
    let extension = |octets| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(octets));
    let trailer = |octets: usize| format!("0\r\na:{}\r\n\r\n", "x".repeat(octets - 6));
    let longest_extension = extension(EXTENSION_OCTETS_MAX);
    let longest_trailer = trailer(TRAILERS_OCTETS_MAX);
    let rows = [
        ("0\r\n\r\n", "", "no content"),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", "one chunk"),
        ("5\r\nhello\r\n3\r\n, w\r\n0\r\n\r\n", "hello, w", "two chunks"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", "cases"),
        ("0005\r\nhello\r\n000\r\n\r\n", "hello", "leading zeros"),
        ("00000000000000000005\r\nhello\r\n0\r\n\r\n", "hello", "more of them than 64 bits"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "line ends in the content"),
        ("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello", "extensions (§7.1.1)"),
        ("5 \t; a = \"b;c\"\r\nhello\r\n0\r\n\r\n", "hello", "whitespace around them"),
        ("5;a;b=c;d=\"e\" ;f\r\nhello\r\n0\r\n\r\n", "hello", "several"),
        ("5;a=\"\\\"\\\\\"\r\nhello\r\n0;a=\"\"\r\n\r\n", "hello", "quoted pairs (§5.6.4)"),
        (&longest_extension, "a", "the longest extension"),
        ("0\r\na: b\r\nc:\r\n\r\n", "", "trailer fields are dropped (§7.1.2)"),
        (
            "1\r\na\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nHost: b\r\n\r\n",
            "a",
            "those that may not be there too (RFC 9110 §6.5.1)",
        ),
        (&longest_trailer, "", "the longest trailer section"),
    ];
    for (octets, content, why) in rows {
        let expected = Ok((content.as_bytes().to_vec(), Some(octets.len())));
        let followed = format!("{octets}GET /");
        for lengths in [[usize::MAX >> 1], [1], [3]] {
            assert_eq!(decoded(followed.as_bytes(), &lengths), expected, "{why}");
        }
    }
}

#[test]
fn faults_are_found() {
    // RFC 9112 §7.1, §2.2; the line ends are where parsers have been made to disagree.
    use FramingError as E;
    let long_extension = format!("1;{}", "x".repeat(EXTENSION_OCTETS_MAX + 1));
    let long_whitespace = format!("1{}", " ".repeat(EXTENSION_OCTETS_MAX + 2));
    let long_trailer = format!("0\r\na:{}", "x".repeat(TRAILERS_OCTETS_MAX));
    let zeros = "0".repeat(SIZE_DIGITS_MAX + 1);
    let many_trailers = format!("0\r\n{}", "a: b\r\n".repeat(TRAILERS_OCTETS_MAX / 6 + 1));
    let rows = [
        ("\r\n", E::BadChunkSize, "no size"),
        (";a\r\n", E::BadChunkSize, "only an extension"),
        ("-5\r\n", E::BadChunkSize, "a sign"),
        ("+5\r\n", E::BadChunkSize, "a sign"),
        (" 5\r\n", E::BadChunkSize, "whitespace first"),
        ("0x5\r\n", E::BadChunkSize, "a prefix"),
        ("5g\r\n", E::BadChunkSize, "no hexadecimal digit"),
        ("5_0\r\n", E::BadChunkSize, "an underscore"),
        ("\t5\r\n", E::BadChunkSize, "a tab first"),
        ("0X5\r\n", E::BadChunkSize, "a prefix in upper case"),
        ("5h\r\n", E::BadChunkSize, "as assemblers write it"),
        ("5.0\r\n", E::BadChunkSize, "a fraction"),
        ("\"5\"\r\n", E::BadChunkSize, "quotes"),
        ("5,5\r\n", E::BadChunkSize, "a list"),
        ("\u{0}5\r\n", E::BadChunkSize, "NUL first"),
        ("5\0\r\n", E::BadChunkSize, "NUL behind it"),
        ("5\x0b\r\n", E::BadChunkSize, "a vertical tab behind it"),
        ("\n5\r\nhello", E::BadChunkSize, "an empty line of LF first"),
        ("5\r\nhello\r\n\r\n0\r\n", E::BadChunkSize, "an empty line between chunks"),
        (&zeros, E::BadChunkSize, "zeros without end"),
        ("10000000000000000\r\n", E::ChunkTooLarge, "more than 64 bits"),
        ("ffffffffffffffff0\r\n", E::ChunkTooLarge, "wraps around to something large"),
        ("fffffffffffffffff\r\n", E::ChunkTooLarge, "17 digits"),
        ("5\nhello\r\n", E::BadChunkLineEnd, "LF alone after the size"),
        ("5\rhello", E::BadChunkLineEnd, "CR alone after the size"),
        ("5;a\nhello\r\n", E::BadChunkLineEnd, "LF alone after an extension"),
        ("5;a\rb", E::BadChunkLineEnd, "CR alone in an extension"),
        ("5;a\0", E::BadChunkExtension, "NUL in an extension"),
        ("5;\r\nhello", E::BadChunkExtension, "a semicolon alone"),
        ("5;;a\r\nhello", E::BadChunkExtension, "an empty extension"),
        ("5; \r\nhello", E::BadChunkExtension, "nothing but whitespace"),
        ("5;a \r\nhello", E::BadChunkExtension, "whitespace at the end"),
        ("5;=b\r\nhello", E::BadChunkExtension, "no name"),
        ("5;a=\r\nhello", E::BadChunkExtension, "no value"),
        ("5;a=b=c\r\nhello", E::BadChunkExtension, "two values"),
        ("5;a b\r\nhello", E::BadChunkExtension, "two names"),
        ("5;a=\"b\r\nhello", E::BadChunkExtension, "a quoted-string without end"),
        ("5;a=\"b\nc\"\r\nhello", E::BadChunkLineEnd, "LF in a quoted-string"),
        ("5;a=\"b\\\r\n", E::BadChunkExtension, "CR in a quoted pair"),
        ("5;a=\"b\"c\r\nhello", E::BadChunkExtension, "more behind a quoted-string"),
        ("5;\x0ba\r\nhello", E::BadChunkExtension, "a vertical tab"),
        ("5;é\r\nhello", E::BadChunkExtension, "a name that is not ASCII"),
        ("5 \r\nhello", E::BadChunkExtension, "whitespace without an extension"),
        ("5 a\r\nhello", E::BadChunkExtension, "an extension without a semicolon"),
        (&long_extension, E::ChunkExtensionTooLong, "an extension too long"),
        (&long_whitespace, E::ChunkExtensionTooLong, "whitespace too long"),
        ("5\r\nhello!", E::BadChunkLineEnd, "more data than said"),
        ("5\r\nhello\n", E::BadChunkLineEnd, "LF alone after the data"),
        ("5\r\nhello\r0", E::BadChunkLineEnd, "CR alone after the data"),
        ("5\r\nhell\r\n", E::BadChunkLineEnd, "less data than said"),
        ("0\r\n\n", E::BadChunkLineEnd, "LF alone at the end"),
        ("0\r\n\rG", E::BadChunkLineEnd, "CR alone at the end"),
        ("0\r\nGET / HTTP/1.1\r\n", E::BadTrailer, "another message too early"),
        ("0\r\na : b\r\n", E::BadTrailer, "a space before the colon"),
        ("0\r\n: b\r\n", E::BadTrailer, "no name"),
        ("0\r\na: b\r\n c\r\n", E::BadTrailer, "a folded line"),
        ("0\r\na: b\0\r\n", E::BadTrailer, "NUL in a trailer field"),
        ("0\r\na: b\n\r\n", E::BadChunkLineEnd, "LF alone after a trailer field"),
        ("0\r\na: b\rc", E::BadChunkLineEnd, "CR alone in a trailer field"),
        (&long_trailer, E::TrailersTooLarge, "a trailer field too long"),
        (&many_trailers, E::TrailersTooLarge, "too many trailer fields"),
    ];
    for (octets, error, why) in rows {
        for lengths in [[usize::MAX >> 1], [1], [3]] {
            assert_eq!(decoded(octets.as_bytes(), &lengths), Err(error), "{why}");
        }
    }
}

#[test]
fn content_that_stops_early_has_no_end() {
    let octets = b"5;a\r\nhello\r\n0\r\na: b\r\n\r\n";
    for end in 0..octets.len() {
        assert_eq!(decoded(&octets[..end], &[4]).unwrap().1, None, "{end}");
    }
}

#[test]
fn a_fault_stays() {
    let mut decoder = ChunkedDecoder::default();
    assert_eq!(decoder.decode(b"x"), Err(FramingError::BadChunkSize));
    assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(FramingError::BadChunkSize));
}

#[test]
fn a_chunk_may_be_as_large_as_64_bits() {
    let mut decoder = ChunkedDecoder::default();
    let input = b"ffffffffffffffff\r\nabc";
    assert_eq!(decoder.decode(input), Ok(ChunkedStep::Data { start: 18, end: 21 }));
    assert_eq!(decoder.decode(b""), Ok(ChunkedStep::NeedMore));
    assert_eq!(decoder.decode(b"de"), Ok(ChunkedStep::Data { start: 0, end: 2 }));
}

#[test]
fn headers_are_written() {
    for (length, expected) in
        [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (65_536, "10000\r\n"), (0xa0b, "a0b\r\n")]
    {
        let mut out = Vec::new();
        write_chunk_header(length, &mut out);
        assert_eq!(out, expected.as_bytes());
    }
    let mut out = Vec::new();
    write_chunk_header(usize::MAX, &mut out);
    assert_eq!(out, format!("{:x}\r\n", usize::MAX).as_bytes());
}

proptest! {
    #[test]
    fn what_is_written_reads_back_however_it_is_split(
        chunks in vec(vec(any::<u8>(), 1..40), 0..8),
        lengths in vec(1..30_usize, 1..20),
        trailer in "([a-z]{1,5}: [a-z]{0,5}\r\n){0,2}",
    ) {
        let mut octets = Vec::new();
        for chunk in &chunks {
            write_chunk_header(chunk.len(), &mut octets);
            octets.extend_from_slice(chunk);
            octets.extend_from_slice(CHUNK_END);
        }
        octets.extend_from_slice(&LAST_CHUNK[..3]);
        octets.extend_from_slice(trailer.as_bytes());
        octets.extend_from_slice(&LAST_CHUNK[3..]);
        let expected = Ok((chunks.concat(), Some(octets.len())));
        octets.extend_from_slice(b"next");
        prop_assert_eq!(decoded(&octets, &lengths), expected);
    }

    #[test]
    fn a_split_never_changes_the_outcome(
        octets in "([0-9a-f;=: \"\\\\\r\n\u{0}]|0\r\n|1\r\na\r\n|;a=\"b\"|\r\n){0,30}",
        lengths in vec(1..8_usize, 1..20),
    ) {
        let octets = octets.as_bytes();
        prop_assert_eq!(decoded(octets, &lengths), decoded(octets, &[octets.len().max(1)]));
    }

    #[test]
    fn arbitrary_octets_never_panic(octets: Vec<u8>) {
        let _ = decoded(&octets, &[usize::MAX >> 1]);
    }
}
