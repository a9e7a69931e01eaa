//! The octets of answers, and where heads end in what comes.

use memchr::memmem::Finder;
use std::ops::Range;

/// Octets of answers that lie one after the other, so that those to pipelined requests leave in one send.
const TOGETHER_OCTETS: usize = 256 * 1024;

/// The end of a head.
const END: &[u8; 4] = b"\r\n\r\n";

/// What the head of a request has after which the client wants the connection closed, as wrk and we write it.
const CLOSE: &[u8] = b"onnection: close\r\n";

/// Answers: as many as leave in one send, then one that announces the end of the connection.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    octets: Vec<u8>,
    /// Octets of one, and of the one at the end.
    each: usize,
    last: usize,
    together: usize,
    end: Finder<'static>,
    close: Finder<'static>,
}

/// What came: heads that ended with it, and whether the connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) heads: usize,
    pub(super) close: bool,
}

/// Where a connection is within the end of a head, which may come in two parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Matched {
    /// Octets of [`END`] that were the last.
    octets: u8,
    /// The head that has begun is the last.
    close: bool,
}

impl Answers {
    /// With contents of `octets`.
    pub(super) fn new(octets: usize) -> Self {
        // As long as a hit of the edge, whose fields it has.
        let answer = |connection: &str| {
            let mut answer = format!(
                "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                 Content-Type: application/octet-stream\r\nContent-Length: {octets}\r\n\
                 Cache-Control: max-age=3600\r\nAge: 0\r\nVia: 1.1 floor\r\n\
                 Cache-Status: floor; hit; ttl=3600\r\n{connection}\r\n"
            )
            .into_bytes();
            answer.resize(answer.len() + octets, b'.');
            answer
        };
        let (open, last) = (answer(""), answer("Connection: close\r\n"));
        let together = (TOGETHER_OCTETS / open.len()).max(1);
        let mut all = open.repeat(together);
        all.extend_from_slice(&last);
        Self {
            octets: all,
            each: open.len(),
            last: last.len(),
            together,
            end: Finder::new(END),
            close: Finder::new(CLOSE),
        }
    }

    /// All of them.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Where the answers to what was asked are; several times the same when they are many.
    pub(super) fn parts(&self, asked: Asked) -> impl Iterator<Item = Range<usize>> {
        let (each, together, end) = (self.each, self.together, self.octets.len());
        let usual = asked.heads - usize::from(asked.close && asked.heads > 0);
        // The last one stands behind the others, so that it leaves with them.
        let with_last = if asked.close && asked.heads > 0 { usual % together } else { 0 };
        let last =
            (asked.close && asked.heads > 0).then(|| end - self.last - with_last * each..end);
        let rest = usual - with_last;
        let whole = std::iter::repeat_n(0..together * each, rest / together);
        let short = (!rest.is_multiple_of(together)).then(|| 0..rest % together * each);
        whole.chain(short).chain(last)
    }

    /// How many heads end in `octets`, which came next on a connection.
    pub(super) fn asked(&self, matched: &mut Matched, octets: &[u8]) -> Asked {
        let mut heads = 0;
        let mut rest = octets;
        while let ([first, tail @ ..], 1..) = (rest, matched.octets) {
            heads += usize::from(matched.step(*first));
            rest = tail;
        }
        if !rest.is_empty() {
            heads += self.end.find_iter(rest).count();
            matched.octets = Matched::at_end(rest);
        }
        matched.close |= self.close.find(octets).is_some();
        Asked { heads, close: matched.close && octets.ends_with(b"\n") && matched.octets == 0 }
    }
}

impl Matched {
    /// Whether `octet` ends a head.
    fn step(&mut self, octet: u8) -> bool {
        self.octets = match octet {
            _ if octet == END[usize::from(self.octets)] => self.octets + 1,
            b'\r' => 1,
            _ => 0,
        };
        let ended = usize::from(self.octets) == END.len();
        self.octets *= u8::from(!ended);
        ended
    }

    fn at_end(octets: &[u8]) -> u8 {
        let part = (1..=3_u8).rev().find(|part| octets.ends_with(&END[..usize::from(*part)]));
        part.filter(|_| !octets.ends_with(END)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_counted_however_they_come() {
        let answers = Answers::new(10);
        let two = b"GET / HTTP/1.1\r\nA: b\r\n\r\nGET / HTTP/1.1\r\nC: d\r\r\n\r\n";
        for piece in 1..=two.len() {
            let mut matched = Matched::default();
            let heads: usize =
                two.chunks(piece).map(|octets| answers.asked(&mut matched, octets).heads).sum();
            assert_eq!(heads, 2, "{piece} at a time");
        }
    }

    #[test]
    fn the_last_head_of_a_connection_is_known() {
        let answers = Answers::new(10);
        for (parts, why) in [
            (&["GET / HTTP/1.1\r\nConnection: close\r\n\r\n"][..], "at its end"),
            (&["GET / HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n"], "in its midst"),
            (
                &["GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n", "\r\n"],
                "in two parts",
            ),
            (&["GET / HTTP/1.1\r\nConnection: close\r\nA: b", "\r\n\r\n"], "in two parts"),
        ] {
            let mut matched = Matched::default();
            let asked: Vec<_> =
                parts.iter().map(|part| answers.asked(&mut matched, part.as_bytes())).collect();
            let (last, before) = asked.split_last().unwrap();
            assert!(last.close && last.heads == 1, "{why}: {asked:?}");
            assert!(before.iter().all(|asked| !asked.close), "{why}: {asked:?}");
        }
    }

    #[test]
    fn each_head_has_an_answer() {
        // 12 of the first are sent together, of the second one at a time.
        for octets in [20_000, 300_000] {
            let answers = Answers::new(octets);
            for (heads, close) in
                [(0, false), (1, false), (1, true), (16, false), (3, true), (24, false), (30, true)]
            {
                let parts = answers.parts(Asked { heads, close });
                let sent: Vec<u8> =
                    parts.flat_map(|part| answers.octets()[part].to_vec()).collect();
                let text = String::from_utf8(sent).unwrap();
                assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), heads, "{octets}, {heads}");
                let told = text.matches("Connection: close\r\n").count();
                assert_eq!(told, usize::from(close), "{octets}, {heads}: the last one says so");
                assert!(!close || text.rfind("HTTP/1.1") < text.rfind("Connection"), "and only it");
            }
        }
    }
}
