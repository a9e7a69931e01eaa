//! A queue from whose middle one can leave: places are numbered, and an empty place is passed over.

use std::collections::VecDeque;

/// Places made at a time: 1 KiB of pointers, a size that allocators have.
const CHUNK_PLACES: usize = 128;

/// What a chunk takes, with its place in the list of chunks (twice, because a list doubles).
pub(super) const CHUNK_OCTETS: u64 = (CHUNK_PLACES * size_of::<usize>()) as u64 + 32;

/// Empty places beyond as many as are taken: then the queue is closed up.
const EMPTY_MAX: usize = 4 * CHUNK_PLACES;

/// What stands in a queue. It knows its place there.
pub(super) trait Member {
    /// The number of its place.
    fn place(&self) -> u32;
    /// Its place is another one.
    fn set_place(&self, place: u32);
    /// What it takes.
    fn cost(&self) -> u64;
}

/// The queue, with the sum of what its members take.
pub(super) struct Fifo<T> {
    chunks: VecDeque<Box<[Option<T>; CHUNK_PLACES]>>,
    /// The oldest place, taken or empty, and how many there are from there on. The first chunk begins with the multiple
    /// of [`CHUNK_PLACES`] at or before it. Numbers begin again at zero after `u32::MAX`.
    first: u32,
    places: usize,
    octets: u64,
    members: usize,
}

impl<T: Member> Fifo<T> {
    pub(super) fn new() -> Self {
        Self { chunks: VecDeque::new(), first: 0, places: 0, octets: 0, members: 0 }
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    pub(super) fn members(&self) -> usize {
        self.members
    }

    /// The member that has been here longest.
    pub(super) fn oldest(&self) -> Option<&T> {
        self.at(0)
    }

    /// How many places there are, taken or empty.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// Who stands in the place number `index`, counted from the oldest.
    pub(super) fn at(&self, index: usize) -> Option<&T> {
        let (chunk, within) = self.find(self.first.wrapping_add(index as u32));
        self.chunks.get(chunk).and_then(|chunk| chunk[within].as_ref())
    }

    /// Puts a member at the new end.
    pub(super) fn push(&mut self, member: T) {
        let place = self.first.wrapping_add(self.places as u32);
        let (chunk, within) = self.find(place);
        if chunk == self.chunks.len() {
            self.chunks.push_back(Box::new([const { None }; CHUNK_PLACES]));
        }
        self.octets += member.cost();
        self.members += 1;
        self.places += 1;
        member.set_place(place);
        self.chunks[chunk][within] = Some(member);
    }

    /// Takes the member out of a place.
    ///
    /// # Panics
    /// When there is none.
    pub(super) fn remove(&mut self, place: u32) -> T {
        let (chunk, within) = self.find(place);
        let member = self.chunks.get_mut(chunk).and_then(|chunk| chunk[within].take());
        let member = member.expect("a member knows its place");
        self.octets -= member.cost();
        self.members -= 1;
        self.pass_over_empty();
        if self.places > 2 * self.members + EMPTY_MAX {
            self.close_up();
        }
        member
    }

    /// Chunk of a place, and index there.
    fn find(&self, place: u32) -> (usize, usize) {
        let offset = place.wrapping_sub(self.first) as usize + self.first as usize % CHUNK_PLACES;
        (offset / CHUNK_PLACES, offset % CHUNK_PLACES)
    }

    /// Sees to it that the first place is taken, if there is a member.
    fn pass_over_empty(&mut self) {
        while self.places > 0 && self.oldest().is_none() {
            self.first = self.first.wrapping_add(1);
            self.places -= 1;
            if (self.first as usize).is_multiple_of(CHUNK_PLACES) {
                self.chunks.pop_front();
            }
        }
    }

    /// Puts all members into places without gaps.
    fn close_up(&mut self) {
        let old = std::mem::replace(self, Self::new());
        for member in old.chunks.into_iter().flat_map(|chunk| chunk.into_iter().flatten()) {
            self.push(member);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    struct Number(u64, Cell<u32>);

    impl Member for Rc<Number> {
        fn place(&self) -> u32 {
            self.1.get()
        }

        fn set_place(&self, place: u32) {
            self.1.set(place);
        }

        fn cost(&self) -> u64 {
            10 + self.0
        }
    }

    fn number(n: u64) -> Rc<Number> {
        Rc::new(Number(n, Cell::new(0)))
    }

    fn drain(fifo: &mut Fifo<Rc<Number>>) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some(oldest) = fifo.oldest() {
            let place = oldest.place();
            numbers.push(fifo.remove(place).0);
        }
        assert_eq!((fifo.octets(), fifo.members(), fifo.places), (0, 0, 0));
        numbers
    }

    #[test]
    fn removal_from_anywhere() {
        let rows: [(&[usize], &[u64], &str); 5] = [
            (&[], &[0, 1, 2, 3], "oldest first"),
            (&[0], &[1, 2, 3], "the oldest"),
            (&[3], &[0, 1, 2], "the newest"),
            (&[1, 2], &[0, 3], "from the middle"),
            (&[0, 1, 2, 3], &[], "all of them"),
        ];
        for (gone, expected, why) in rows {
            let (mut fifo, numbers) = (Fifo::new(), [0, 1, 2, 3].map(number));
            numbers.iter().for_each(|number| fifo.push(Rc::clone(number)));
            for &n in gone {
                assert_eq!(fifo.remove(numbers[n].place()).0, n as u64);
            }
            let octets: u64 = expected.iter().map(|n| 10 + n).sum();
            assert_eq!((fifo.octets(), fifo.members()), (octets, expected.len()), "{why}");
            assert_eq!(drain(&mut fifo), expected, "{why}");
        }
    }

    #[test]
    fn it_is_a_list_whatever_leaves_and_however_often_numbers_begin_again() {
        for first in [0, 77, u32::MAX - 300] {
            let (mut fifo, mut model) = (Fifo::new(), Vec::<Rc<Number>>::new());
            fifo.first = first;
            let mut seed = 5_u64;
            for n in 0..50_000 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let some = (seed >> 33) as usize;
                // Grows and shrinks by turns.
                if some % 100 < if n / 5000 % 2 == 0 { 60 } else { 40 } {
                    let new = number(n);
                    model.push(Rc::clone(&new));
                    fifo.push(new);
                } else if !model.is_empty() {
                    let leaves = if some.is_multiple_of(2) { 0 } else { some % model.len() };
                    let leaver = model.remove(leaves);
                    assert!(Rc::ptr_eq(&fifo.remove(leaver.place()), &leaver));
                }
                assert_eq!(
                    fifo.oldest().map(|oldest| oldest.0),
                    model.first().map(|first| first.0)
                );
                assert!(fifo.places <= 2 * model.len() + EMPTY_MAX, "empty places pile up");
                let chunks_max = (fifo.places + 2 * CHUNK_PLACES) / CHUNK_PLACES;
                assert!(fifo.chunks.len() <= chunks_max, "chunks pile up");
            }
            assert!(drain(&mut fifo).into_iter().eq(model.iter().map(|number| number.0)));
        }
    }
}
