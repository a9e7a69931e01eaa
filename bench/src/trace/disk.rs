//! Policies of a tier. Objects have small numbers, so that what is known of them is in arrays.

use std::collections::VecDeque;

/// A tier of a bounded number of octets.
pub(super) trait Disk {
    fn has(&self, object: u32) -> bool;

    /// Whether it is there; counts as a use.
    fn read(&mut self, object: u32) -> bool;

    /// Puts something in that is not there.
    fn put(&mut self, object: u32, size: u32);

    /// Octets written, and those of them that were not there before.
    fn written(&self) -> (u64, u64);
}

/// No object.
const NOBODY: u32 = u32::MAX;

pub(super) struct Lru {
    room: u64,
    used: u64,
    written: u64,
    /// Size (0 if it is not there), the one used before and behind it.
    objects: Vec<(u32, u32, u32)>,
    newest: u32,
    oldest: u32,
}

impl Lru {
    pub(super) fn new(objects: usize, room: u64) -> Self {
        let objects = vec![(0, NOBODY, NOBODY); objects];
        Self { room, used: 0, written: 0, objects, newest: NOBODY, oldest: NOBODY }
    }

    fn take_out(&mut self, object: u32) {
        let (_, before, behind) = self.objects[object as usize];
        match before {
            NOBODY => self.newest = behind,
            before => self.objects[before as usize].2 = behind,
        }
        match behind {
            NOBODY => self.oldest = before,
            behind => self.objects[behind as usize].1 = before,
        }
    }

    fn put_first(&mut self, object: u32) {
        let first = self.newest;
        (self.objects[object as usize].1, self.objects[object as usize].2) = (NOBODY, first);
        match first {
            NOBODY => self.oldest = object,
            first => self.objects[first as usize].1 = object,
        }
        self.newest = object;
    }
}

impl Disk for Lru {
    fn has(&self, object: u32) -> bool {
        self.objects[object as usize].0 > 0
    }

    fn read(&mut self, object: u32) -> bool {
        let has = self.has(object);
        if has {
            self.take_out(object);
            self.put_first(object);
        }
        has
    }

    fn put(&mut self, object: u32, size: u32) {
        if u64::from(size) > self.room {
            return;
        }
        (self.used, self.written) = (self.used + u64::from(size), self.written + u64::from(size));
        self.objects[object as usize].0 = size;
        self.put_first(object);
        while self.used > self.room {
            let oldest = self.oldest;
            self.take_out(oldest);
            self.used -= u64::from(core::mem::take(&mut self.objects[oldest as usize].0));
        }
    }

    fn written(&self) -> (u64, u64) {
        (self.written, self.written)
    }
}

pub(super) struct Fifo {
    room: u64,
    used: u64,
    written: u64,
    sizes: Vec<u32>,
    queue: VecDeque<u32>,
}

impl Fifo {
    pub(super) fn new(objects: usize, room: u64) -> Self {
        Self { room, used: 0, written: 0, sizes: vec![0; objects], queue: VecDeque::new() }
    }
}

impl Disk for Fifo {
    fn has(&self, object: u32) -> bool {
        self.sizes[object as usize] > 0
    }

    fn read(&mut self, object: u32) -> bool {
        self.has(object)
    }

    fn put(&mut self, object: u32, size: u32) {
        if u64::from(size) > self.room {
            return;
        }
        (self.used, self.written) = (self.used + u64::from(size), self.written + u64::from(size));
        self.sizes[object as usize] = size;
        self.queue.push_back(object);
        while self.used > self.room {
            let Some(first) = self.queue.pop_front() else { return };
            self.used -= u64::from(core::mem::take(&mut self.sizes[first as usize]));
        }
    }

    fn written(&self) -> (u64, u64) {
        (self.written, self.written)
    }
}

/// Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023: a small queue of a tenth, a main one, and
/// the names of as many that have left the small one as there are in the main one.
pub(super) struct S3Fifo {
    room: u64,
    used: [u64; 2],
    written: u64,
    queues: [VecDeque<u32>; 2],
    objects: Vec<S3Object>,
    ghosts: VecDeque<u32>,
}

#[derive(Clone, Copy, Default)]
struct S3Object {
    size: u32,
    uses: u8,
    is_main: bool,
    /// Places among the ghosts.
    ghosts: u8,
}

const SMALL: usize = 0;
const MAIN: usize = 1;
const USES_MAX: u8 = 3;

impl S3Fifo {
    pub(super) fn new(objects: usize, room: u64) -> Self {
        let objects = vec![S3Object::default(); objects];
        let queues = [VecDeque::new(), VecDeque::new()];
        Self { room, used: [0; 2], written: 0, queues, objects, ghosts: VecDeque::new() }
    }

    pub(super) fn is_ghost(&self, object: u32) -> bool {
        self.objects[object as usize].ghosts > 0
    }

    fn enter(&mut self, object: u32, queue: usize) {
        let known = &mut self.objects[object as usize];
        known.is_main = queue == MAIN;
        self.used[queue] += u64::from(known.size);
        self.queues[queue].push_back(object);
    }

    fn evict(&mut self) {
        let is_small = self.used[SMALL] > self.room / 10 || self.queues[MAIN].is_empty();
        let queue = if is_small { SMALL } else { MAIN };
        let Some(object) = self.queues[queue].pop_front() else { return };
        let known = &mut self.objects[object as usize];
        self.used[queue] -= u64::from(known.size);
        if queue == MAIN && known.uses > 0 {
            known.uses -= 1;
            self.enter(object, MAIN);
        } else if queue == SMALL && known.uses > 1 {
            known.uses = 0;
            self.enter(object, MAIN);
        } else {
            known.size = 0;
            if queue == SMALL {
                known.ghosts = known.ghosts.saturating_add(1);
                self.ghosts.push_back(object);
            }
            while self.ghosts.len() > self.queues[MAIN].len().max(16) {
                let Some(gone) = self.ghosts.pop_front() else { break };
                let gone = &mut self.objects[gone as usize];
                gone.ghosts = gone.ghosts.saturating_sub(1);
            }
        }
    }
}

impl Disk for S3Fifo {
    fn has(&self, object: u32) -> bool {
        self.objects[object as usize].size > 0
    }

    fn read(&mut self, object: u32) -> bool {
        let has = self.has(object);
        if has {
            let known = &mut self.objects[object as usize];
            known.uses = (known.uses + 1).min(USES_MAX);
        }
        has
    }

    fn put(&mut self, object: u32, size: u32) {
        if u64::from(size) > self.room {
            return;
        }
        self.written += u64::from(size);
        let queue = if self.is_ghost(object) { MAIN } else { SMALL };
        let known = &mut self.objects[object as usize];
        (known.size, known.uses) = (size, 0);
        self.enter(object, queue);
        while self.used[SMALL] + self.used[MAIN] > self.room {
            self.evict();
        }
    }

    fn written(&self) -> (u64, u64) {
        (self.written, self.written)
    }
}

/// Segments in turn. Up to half of one is written again when it goes.
pub(super) struct Log {
    segment_octets: u64,
    segments_max: usize,
    reinserts: bool,
    written: u64,
    first: u64,
    /// What was written to each, the one that is being filled last, and its octets.
    segments: VecDeque<(Vec<u32>, u64)>,
    /// The number of the first of them.
    first_number: u32,
    /// Size (0 if it is not there), number of its segment, uses since it was written.
    objects: Vec<(u32, u32, u8)>,
}

impl Log {
    pub(super) fn new(objects: usize, room: u64, segments: u64, reinserts: bool) -> Self {
        Self {
            segment_octets: (room / segments).max(1),
            segments_max: usize::try_from(segments).unwrap_or(usize::MAX),
            reinserts,
            written: 0,
            first: 0,
            segments: VecDeque::from([(Vec::new(), 0)]),
            first_number: 0,
            objects: vec![(0, 0, 0); objects],
        }
    }

    fn append(&mut self, object: u32, size: u32) {
        let is_full = |(_, octets): &(Vec<u32>, u64)| {
            octets + u64::from(size) > self.segment_octets && *octets > 0
        };
        if self.segments.back().is_none_or(is_full) {
            self.segments.push_back((Vec::new(), 0));
            // The next one is emptied ahead.
            if self.segments.len() >= self.segments_max {
                self.empty_first();
            }
        }
        let number = self.first_number + self.segments.len() as u32 - 1;
        self.objects[object as usize] = (size, number, 0);
        self.written += u64::from(size);
        if let Some((objects, octets)) = self.segments.back_mut() {
            objects.push(object);
            *octets += u64::from(size);
        }
    }

    fn empty_first(&mut self) {
        let Some((objects, _)) = self.segments.pop_front() else { return };
        let number = self.first_number;
        self.first_number += 1;
        let mut budget = self.segment_octets / 2;
        for object in objects {
            let (size, at, uses) = self.objects[object as usize];
            if size == 0 || at != number {
                continue;
            }
            if self.reinserts && uses > 0 && u64::from(size) <= budget {
                budget -= u64::from(size);
                self.append(object, size);
            } else {
                self.objects[object as usize].0 = 0;
            }
        }
    }
}

impl Disk for Log {
    fn has(&self, object: u32) -> bool {
        self.objects[object as usize].0 > 0
    }

    fn read(&mut self, object: u32) -> bool {
        let has = self.has(object);
        if has {
            let uses = &mut self.objects[object as usize].2;
            *uses = uses.saturating_add(1);
        }
        has
    }

    fn put(&mut self, object: u32, size: u32) {
        // As the edge: one that takes more than an eighth is not kept.
        if u64::from(size) > self.segment_octets * self.segments_max as u64 / 8 {
            return;
        }
        self.first += u64::from(size);
        self.append(object, size);
    }

    fn written(&self) -> (u64, u64) {
        (self.written, self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for each object in turn, and puts it in when it is not there; who is there in the end.
    fn there(mut disk: impl Disk, asks: &[u32]) -> Vec<u32> {
        for &object in asks {
            if !disk.read(object) {
                disk.put(object, 10);
            }
        }
        (0..20).filter(|&object| disk.has(object)).collect()
    }

    #[test]
    fn who_goes_first() {
        let asks = [0, 1, 2, 0, 0, 3];
        assert_eq!(there(Lru::new(20, 30), &asks), [0, 2, 3], "not used for the longest time");
        assert_eq!(there(Fifo::new(20, 30), &asks), [1, 2, 3], "came first");
        assert_eq!(there(S3Fifo::new(20, 30), &asks), [0, 2, 3], "used twice: it stays");
        // Segments of two objects, six of them, of which one is always empty.
        let asks: Vec<u32> = (0..10).chain([0]).chain(10..13).collect();
        let left: Vec<u32> = (4..13).collect();
        assert_eq!(there(Log::new(20, 120, 6, false), &asks), left);
        let with_first = [&[0], &left[..]].concat();
        assert_eq!(there(Log::new(20, 120, 6, true), &asks), with_first, "what was read stays");
    }

    #[test]
    fn what_is_too_large_stays_outside() {
        for mut disk in [
            Box::new(Lru::new(1, 100)) as Box<dyn Disk>,
            Box::new(Fifo::new(1, 100)),
            Box::new(S3Fifo::new(1, 100)),
            Box::new(Log::new(1, 100, 4, true)),
        ] {
            disk.put(0, 101);
            assert!(!disk.has(0));
            assert_eq!(disk.written(), (0, 0));
        }
    }
}
