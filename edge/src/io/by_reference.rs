//! Sending pieces some of which lie in a file: turn by turn, without a copy of what is in the file, and without
//! waiting.

use crate::piece::Piece;
use rustix::fs::sendfile;
use rustix::io::retry_on_intr;
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// Octets of a turn at most: they go into the socket's queue in some 100 us. What is queued at once leaves as the
/// client acknowledges, without another call; with turns of 256 KiB a response of 1 MB took 1.3 times the CPU.
pub(super) const TURN_OCTETS_MAX: usize = 1024 * 1024;
/// What has no more octets than this to send need not wait for its turn.
pub(super) const SMALL_OCTETS_MAX: usize = 256 * 1024;
/// Pieces in memory that go in one call.
const GATHERED_PIECES_MAX: usize = 64;

/// How a turn has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// All is sent.
    Done,
    /// There is more to send, and the socket may take it: it is the turn of others.
    Over,
    /// The socket takes no more now.
    Full,
}

/// Pieces on their way to a socket.
pub(super) struct Outgoing {
    pieces: Vec<Piece>,
    /// The first piece that is not sent whole; what of it is sent is cut off.
    next: usize,
    octets: usize,
    /// Whether packets are to be full until all is sent: without it each piece would end in a packet of its own.
    is_corked: bool,
}

impl Outgoing {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        let octets = pieces.iter().map(Piece::len).sum();
        Self { pieces, next: 0, octets, is_corked: false }
    }

    /// Whether there is much to send.
    pub(super) fn is_large(&self) -> bool {
        self.octets > SMALL_OCTETS_MAX
    }

    /// Sends some, without waiting: the socket is non-blocking (`O_NONBLOCK`).
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn turn(&mut self, socket: BorrowedFd<'_>) -> io::Result<Turn> {
        let mut left = TURN_OCTETS_MAX;
        while let Some(piece) = self.pieces.get(self.next) {
            if piece.is_empty() {
                self.next += 1;
                continue;
            }
            if left == 0 {
                return Ok(Turn::Over);
            }
            if !self.is_corked && self.has_several_in_files() {
                SockRef::from(&socket).set_tcp_cork(true)?;
                self.is_corked = true;
            }
            let (wanted, sent) = self.send_some(&self.pieces[self.next], socket, left);
            let sent = match sent {
                // Neither an open socket nor an extent that is held ends.
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::Full),
                Err(error) => return Err(error),
            };
            self.advance(sent);
            left = left.saturating_sub(sent);
            if sent < wanted {
                return Ok(Turn::Full);
            }
        }
        if self.is_corked {
            // What is left leaves now.
            SockRef::from(&socket).set_tcp_cork(false)?;
        }
        Ok(Turn::Done)
    }

    fn has_several_in_files(&self) -> bool {
        let rest = self.pieces[self.next..].iter();
        rest.filter(|piece| piece.in_file().is_some()).nth(1).is_some()
    }

    /// Sends of `piece`, the next, at most `limit` octets if it is in a file. Returns how many it wanted to send, and
    /// how many it has.
    fn send_some(
        &self,
        piece: &Piece,
        socket: BorrowedFd<'_>,
        limit: usize,
    ) -> (usize, io::Result<usize>) {
        let Some((file, mut offset)) = piece.in_file() else { return self.send_gathered(socket) };
        let wanted = piece.len().min(limit);
        let sent = retry_on_intr(|| sendfile(socket, file, Some(&mut offset), wanted));
        (wanted, sent.map_err(io::Error::from))
    }

    /// Sends the pieces in memory that are next. What is in a file behind them follows at once, in the same packet as
    /// their end.
    fn send_gathered(&self, socket: BorrowedFd<'_>) -> (usize, io::Result<usize>) {
        let mut slices = [IoSlice::new(&[]); GATHERED_PIECES_MAX];
        let (mut count, mut wanted) = (0, 0);
        let mut flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        for piece in &self.pieces[self.next..] {
            match piece.in_memory() {
                Some(octets) if count < GATHERED_PIECES_MAX => {
                    slices[count] = IoSlice::new(octets);
                    (count, wanted) = (count + 1, wanted + octets.len());
                }
                _ => {
                    flags |= libc::MSG_MORE;
                    break;
                }
            }
        }
        let sent = SockRef::from(&socket).send_vectored_with_flags(&slices[..count], flags);
        (wanted, sent)
    }

    fn advance(&mut self, mut count: usize) {
        self.octets -= count;
        while count > 0 {
            let piece = &mut self.pieces[self.next];
            let sent = count.min(piece.len());
            piece.advance(sent);
            count -= sent;
            if piece.is_empty() {
                // What it refers to may be free before the last piece is sent.
                *piece = Piece::Octets(bytes::Bytes::new());
                self.next += 1;
            }
        }
    }
}
