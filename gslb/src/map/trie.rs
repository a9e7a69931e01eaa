//! A trie over keys of 128 bits, 16 bits a step, whose nodes are sorted arrays of runs.
//!
//! A node stands for the keys that share the bits above it, and divides the values of the next 16 bits into runs: keys
//! with one region, or a single value with a node below it. A node in which all keys have one region does not exist;
//! its parent says the region. So at most a node for each 16 bits is looked at, each in a binary search over
//! neighbouring octets, and the scope of a match follows from the two ends of its run.
//!
//! Of a map that is large the first 16 bits are an array instead. This is DXR (Zec, Rizzo, Mikuc 2012) with as many
//! levels as the keys need.

use super::{Match, NONE, RegionIndex};

/// Bits of a step.
const STEP: u32 = 16;
/// From so many runs on the first node gets an array beside it, of 256 KiB.
const INDEXED_RUNS_MIN: usize = 128;

/// What a run leads to: [`NODE`], with [`WIDE`] and an offset; or a region in the lower 16 bits, and in the array of
/// the first 16 bits a scope above them.
pub(super) type Value = u32;
const NODE: Value = 1 << 31;
/// A node whose values have 32 bits, because there are nodes among them. Others have regions only, of 16.
const WIDE: Value = 1 << 30;

/// The whole space of keys as runs: run `i` begins at `starts[i]` and ends before `starts[i + 1]`; neighbours have
/// different regions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) starts: Vec<u128>,
    pub(super) regions: Vec<RegionIndex>,
}

impl Default for Runs {
    fn default() -> Self {
        Self { starts: vec![0], regions: vec![NONE] }
    }
}

impl Runs {
    /// From `start` on, which is not below the last one, the region is `region`.
    pub(super) fn push(&mut self, start: u128, region: RegionIndex) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.regions.pop();
        }
        if self.regions.last() != Some(&region) {
            self.starts.push(start);
            self.regions.push(region);
        }
    }

    /// The last key of a run.
    fn last(&self, run: usize) -> u128 {
        self.starts.get(run + 1).map_or(u128::MAX, |next| next - 1)
    }
}

#[derive(Debug)]
pub(super) struct Trie {
    root: Value,
    /// The values of the first 16 bits; empty if the root has few runs.
    first: Box<[Value]>,
    /// Node behind node: how many starts, the starts (that of the first run, 0, is left out), the values.
    nodes: Box<[u16]>,
}

struct Node<'a> {
    starts: &'a [u16],
    values: &'a [u16],
    is_wide: bool,
}

impl Node<'_> {
    fn value(&self, run: usize) -> Value {
        match self.is_wide {
            true => Value::from(self.values[2 * run]) << 16 | Value::from(self.values[2 * run + 1]),
            false => Value::from(self.values[run]),
        }
    }

    /// The run that holds a value of 16 bits.
    fn find(&self, digit: u16) -> usize {
        self.starts.partition_point(|&start| start <= digit)
    }

    /// In how many leading bits a value of this run must agree with `digit` so that it is in it, too.
    fn scope(&self, run: usize, digit: u16) -> u8 {
        let apart = |other: u16| (digit ^ other).leading_zeros() + 1;
        let before = run.checked_sub(1).map_or(0, |before| apart(self.starts[before] - 1));
        let after = self.starts.get(run).map_or(0, |&next| apart(next));
        before.max(after) as u8
    }
}

fn digit(key: u128, depth: u32) -> u16 {
    (key >> (128 - STEP - STEP * depth)) as u16
}

fn matched(value: Value, scope: u8) -> Match {
    let region = value as RegionIndex;
    Match { region: (region != NONE).then_some(region), scope }
}

impl Trie {
    pub(super) fn new(runs: &Runs) -> Self {
        let mut build = Build { runs, run: 0, nodes: Vec::new() };
        let root = build.part(0, 0);
        let mut trie = Self { root, first: Box::default(), nodes: build.nodes.into_boxed_slice() };
        if root & NODE != 0 && trie.node(root).starts.len() >= INDEXED_RUNS_MIN {
            trie.first = trie.index(&trie.node(root));
        }
        trie
    }

    /// For each value of the first 16 bits what the root has for it, the scope included.
    fn index(&self, root: &Node<'_>) -> Box<[Value]> {
        let value = |digit| {
            let run = root.find(digit);
            let value = root.value(run);
            if value & NODE == 0 {
                value | Value::from(root.scope(run, digit)) << 16
            } else {
                value
            }
        };
        (0..=u16::MAX).map(value).collect()
    }

    /// Where the look-up of a key begins: not a node, or the first one.
    pub(super) fn first(&self, key: u128) -> Value {
        self.first.get(usize::from(digit(key, 0))).copied().unwrap_or_default()
    }

    /// Reads a part of each cache line of a node, up to four, that a search in it reads first.
    pub(super) fn touch(&self, value: Value) -> u32 {
        if value & NODE == 0 {
            return 0;
        }
        let at = (value & (WIDE - 1)) as usize;
        let octet = |line: usize| self.nodes.get(at + 32 * line).copied().map_or(0, u32::from);
        octet(0) + octet(1)
    }

    /// The region of a key, and how many of its bits decide that.
    pub(super) fn lookup(&self, key: u128) -> Match {
        let (mut value, mut depth) = match self.first.is_empty() {
            true => (self.root, 0),
            false => (self.first[usize::from(digit(key, 0))], 1),
        };
        if value & NODE == 0 {
            return matched(value, (value >> 16) as u8);
        }
        loop {
            let (node, digit) = (self.node(value), digit(key, depth));
            let run = node.find(digit);
            value = node.value(run);
            if value & NODE == 0 {
                return matched(value, (STEP * depth) as u8 + node.scope(run, digit));
            }
            depth += 1;
        }
    }

    fn node(&self, value: Value) -> Node<'_> {
        let at = (value & (WIDE - 1)) as usize;
        let count = usize::from(self.nodes[at]);
        let (starts, values) = self.nodes[at + 1..].split_at(count);
        Node { starts, values, is_wide: value & WIDE != 0 }
    }

    /// Everything that it holds.
    pub(super) fn runs(&self) -> Runs {
        let mut runs = Runs::default();
        self.collect(self.root, 0, 0, &mut runs);
        runs
    }

    fn collect(&self, value: Value, base: u128, depth: u32, runs: &mut Runs) {
        if value & NODE == 0 {
            runs.push(base, value as RegionIndex);
            return;
        }
        let node = self.node(value);
        for (run, start) in [0].iter().chain(node.starts).enumerate() {
            let start = base | u128::from(*start) << (128 - STEP - STEP * depth);
            self.collect(node.value(run), start, depth + 1, runs);
        }
    }

    pub(super) fn octets(&self) -> usize {
        size_of_val(&*self.nodes) + size_of_val(&*self.first)
    }
}

/// A trie in the making, in ascending order of keys.
struct Build<'a> {
    runs: &'a Runs,
    /// The run at which it is.
    run: usize,
    nodes: Vec<u16>,
}

impl Build<'_> {
    /// What becomes of the keys that share `depth` steps with `base`, the first of them.
    fn part(&mut self, base: u128, depth: u32) -> Value {
        while self.runs.last(self.run) < base {
            self.run += 1;
        }
        let last = base | u128::MAX.checked_shr(STEP * depth).unwrap_or(0);
        if self.runs.last(self.run) >= last {
            return self.runs.regions[self.run].into();
        }
        let (mut starts, mut values) = (Vec::new(), Vec::new());
        let mut digit = 0;
        while digit <= u32::from(u16::MAX) {
            let shift = 128 - STEP - STEP * depth;
            let value = self.part(base | u128::from(digit) << shift, depth + 1);
            starts.push(digit as u16);
            values.push(value);
            digit += 1;
            if value & NODE == 0 {
                // Up to where the run has ended, or is not all of a value any more.
                let end = self.runs.last(self.run).min(last);
                digit = if end == last { 1 << STEP } else { ((end - base + 1) >> shift) as u32 };
            }
        }
        self.push(&starts[1..], &values)
    }

    fn push(&mut self, starts: &[u16], values: &[Value]) -> Value {
        let at = self.nodes.len() as Value;
        // Four million prefixes make at most 8 nodes each, of at most 12 octets and a run in the parent's.
        assert!(at < WIDE, "the map fits into the offsets");
        let is_wide = values.iter().any(|value| value & NODE != 0);
        self.nodes.push(starts.len() as u16);
        self.nodes.extend_from_slice(starts);
        for &value in values {
            if is_wide {
                self.nodes.push((value >> 16) as u16);
            }
            self.nodes.push(value as u16);
        }
        NODE | at | if is_wide { WIDE } else { 0 }
    }
}
