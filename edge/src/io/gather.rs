//! Pieces of octets, sent by reference in one `writev(2)`.
#![allow(unsafe_code, reason = "monoio reads the list of pieces through a raw pointer")]

use crate::piece::Piece;
use bytes::Bytes;
use monoio::buf::IoVecBuf;

/// Pieces in one system call; the kernel's `IOV_MAX` is 1,024, and the gain of more than some tens is nil.
const PIECES_MAX: usize = 64;

/// Pieces still to be sent. The octets are kept alive until the kernel is done with them, even when the future that
/// sends them is dropped: monoio owns this value meanwhile.
pub(super) struct Gather {
    pieces: Vec<Piece>,
    /// First piece not yet sent whole; its sent part is cut off.
    next: usize,
    vectors: Vec<libc::iovec>,
}

impl Gather {
    /// Of pieces in memory.
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        let mut gather = Self { pieces, next: 0, vectors: Vec::with_capacity(PIECES_MAX) };
        gather.describe();
        gather
    }

    pub(super) fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    /// Notes that `count` octets have been sent.
    pub(super) fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let piece = &mut self.pieces[self.next];
            let sent = count.min(piece.len());
            piece.advance(sent);
            count -= sent;
            if piece.is_empty() {
                *piece = Piece::Octets(Bytes::new());
                self.next += 1;
            }
        }
        self.describe();
    }

    fn describe(&mut self) {
        self.vectors.clear();
        let rest = self.pieces[self.next..].iter().filter(|piece| !piece.is_empty());
        let octets = rest.map(|piece| piece.in_memory().expect("what is gathered is in memory"));
        self.vectors.extend(octets.take(PIECES_MAX).map(|octets| libc::iovec {
            iov_base: octets.as_ptr().cast_mut().cast(),
            iov_len: octets.len(),
        }));
    }
}

// SAFETY: `vectors` is made by `describe` from pieces that this value owns and that do not move when it does (they live
// on the heap), and neither is changed while monoio holds the value. The kernel only reads through the pointers.
unsafe impl IoVecBuf for Gather {
    fn read_iovec_ptr(&self) -> *const libc::iovec {
        self.vectors.as_ptr()
    }

    fn read_iovec_len(&self) -> usize {
        self.vectors.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(gather: &Gather) -> Vec<u8> {
        let pieces = gather.pieces[gather.next..].iter();
        pieces.flat_map(|piece| piece.in_memory().unwrap().to_vec()).collect()
    }

    #[test]
    fn what_was_sent_is_not_sent_again() {
        for step in 1..8 {
            let pieces =
                ["", "ab", "", "cdefg", "h", ""].map(|text| Piece::from(text.as_bytes().to_vec()));
            let mut gather = Gather::new(pieces.to_vec());
            let mut sent = 0;
            while !gather.is_empty() {
                assert_eq!(rest(&gather), b"abcdefgh"[sent..]);
                let count = step.min(8 - sent);
                gather.advance(count);
                sent += count;
            }
            assert_eq!(sent, 8, "step {step}");
        }
    }

    #[test]
    fn many_pieces_go_in_several_calls() {
        let mut gather = Gather::new(vec![Piece::from(vec![b'x']); PIECES_MAX * 2 + 1]);
        let mut calls = 0;
        while !gather.is_empty() {
            gather.advance(gather.read_iovec_len());
            calls += 1;
        }
        assert_eq!(calls, 3);
    }
}
