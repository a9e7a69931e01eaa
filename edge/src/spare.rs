//! Buffers that connections borrow while they have something to say: an idle connection holds none.

use core::cell::RefCell;

/// Spare buffers of a worker. As many connections can be at work in one turn of its loop and find one; more allocate.
const BUFFERS_MAX: usize = 256;
/// A buffer that grew for a large head or many pipelined responses is let go: with this, spare ones hold 4 MiB at most.
const CAPACITY_MAX: usize = 16 * 1024;
/// Octets that a new one has: a small response with its head.
const CAPACITY_FIRST: usize = 4096;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, the one that was used last if there is one.
pub(crate) fn take() -> Vec<u8> {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| Vec::with_capacity(CAPACITY_FIRST))
}

/// Gives a buffer back. What is in it is forgotten.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > CAPACITY_MAX {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < BUFFERS_MAX {
            spare.push(buffer);
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
    fn the_number_of_spare_buffers_is_bounded() {
        (0..BUFFERS_MAX + 10).for_each(|_| give(Vec::with_capacity(8)));
        assert_eq!(SPARE.with_borrow(Vec::len), BUFFERS_MAX);
    }
}
