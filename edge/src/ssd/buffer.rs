//! Memory for reading and writing past the page cache: on page boundaries, kept by each thread for the next time.

use core::cell::RefCell;
use core::ops::{Deref, DerefMut};
use memmap2::MmapMut;
use std::io;

/// Octets of the smallest buffer; others have a power of two more.
const OCTETS_MIN: usize = 16 << 10;
/// Octets of spare buffers that a thread keeps.
const SPARE_OCTETS_MAX: usize = 24 << 20;

thread_local! {
    static SPARE: RefCell<Vec<MmapMut>> = const { RefCell::new(Vec::new()) };
}

/// A buffer on a page boundary. What is in it at first is zero, or was in another one.
#[derive(Debug)]
pub struct Buffer(Option<MmapMut>);

impl Buffer {
    /// One of at least `octets`.
    ///
    /// # Errors
    /// When the system has no memory.
    pub fn of(octets: usize) -> io::Result<Self> {
        let wanted = octets.max(OCTETS_MIN).next_power_of_two();
        let spare = SPARE.with_borrow_mut(|spare| {
            let fitting = spare.iter().rposition(|memory| memory.len() == wanted)?;
            Some(spare.swap_remove(fitting))
        });
        match spare {
            Some(memory) => Ok(Self(Some(memory))),
            None => MmapMut::map_anon(wanted).map(Some).map(Self),
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(memory) = self.0.take() else { return };
        // A thread that is being torn down keeps nothing.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            let octets: usize = spare.iter().map(|memory| memory.len()).sum();
            if octets + memory.len() <= SPARE_OCTETS_MAX {
                spare.push(memory);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_come_back() {
        let first = Buffer::of(1).unwrap();
        assert_eq!((first.len(), first.as_ptr() as usize % 4096), (OCTETS_MIN, 0));
        let place = first.as_ptr();
        drop(first);
        let second = Buffer::of(OCTETS_MIN).unwrap();
        assert_eq!(second.as_ptr(), place);
        assert_eq!(Buffer::of(OCTETS_MIN + 1).unwrap().len(), 2 * OCTETS_MIN);
        let many: Vec<_> = (0..40).map(|_| Buffer::of(1 << 20).unwrap()).collect();
        drop(many);
        let kept: usize = SPARE.with_borrow(|spare| spare.iter().map(|memory| memory.len()).sum());
        assert!(kept <= SPARE_OCTETS_MAX, "{kept}");
    }
}
