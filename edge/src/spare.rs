//! Buffers that connections borrow while they have something to say: an idle connection holds none.

use core::cell::RefCell;

/// Octets of all spare buffers of a worker. As many connections can be at work in one turn of its loop as have room in
/// it; more allocate.
const SPARE_OCTETS_MAX: usize = 1 << 20;
/// A buffer that grew for a large head or many pipelined responses is let go. The largest content that is copied, with
/// its head, stays below.
const CAPACITY_MAX: usize = 64 * 1024;
/// Octets that a new one has: a small response with its head.
const CAPACITY_FIRST: usize = 4096;

struct Spare {
    buffers: Vec<Vec<u8>>,
    octets: usize,
}

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { buffers: Vec::new(), octets: 0 }) };
}

/// An empty buffer, the one that was used last if there is one.
pub(crate) fn take() -> Vec<u8> {
    let spare = SPARE.with_borrow_mut(|spare| {
        let buffer = spare.buffers.pop()?;
        spare.octets -= buffer.capacity();
        Some(buffer)
    });
    spare.unwrap_or_else(|| Vec::with_capacity(CAPACITY_FIRST))
}

/// Gives a buffer back. What is in it is forgotten.
pub(crate) fn give(mut buffer: Vec<u8>) {
    let capacity = buffer.capacity();
    if capacity == 0 || capacity > CAPACITY_MAX {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.octets + capacity <= SPARE_OCTETS_MAX {
            spare.octets += capacity;
            spare.buffers.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty_and_large_ones_do_not() {
        let mut buffer = take();
        assert!(buffer.is_empty() && buffer.capacity() >= CAPACITY_FIRST);
        buffer.extend_from_slice(b"secret");
        let place = buffer.as_ptr();
        give(buffer);
        give(Vec::new());
        give(Vec::with_capacity(CAPACITY_MAX + 1));
        let again = take();
        assert_eq!(again.as_ptr(), place, "the one that was used last");
        assert!(again.is_empty());
        let another = take();
        assert_ne!(another.as_ptr(), place);
    }

    #[test]
    fn what_spare_buffers_hold_is_bounded() {
        (0..1000).for_each(|_| give(Vec::with_capacity(CAPACITY_MAX)));
        let held =
            SPARE.with_borrow(|spare| spare.buffers.iter().map(Vec::capacity).sum::<usize>());
        assert!(held <= SPARE_OCTETS_MAX && held > SPARE_OCTETS_MAX / 2, "{held}");
        (0..1000).for_each(|_| drop(take()));
        assert_eq!(SPARE.with_borrow(|spare| spare.octets), 0);
    }
}
