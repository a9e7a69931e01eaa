//! From the utilisation of edges to the part of their clients that edges and regions take. Pure: time is an argument.
//!
//! What an edge gets follows from its utilisation, and the utilisation from what it got some time before: answers are
//! cached for their TTL. So what is looked for is not the load but the demand behind it, which does not depend on what
//! we answer: the load, divided by the part of clients that could have brought it. From the demand follows at once what
//! can be taken of it, and that is approached a little each time.
//!
//! | file | job |
//! | --- | --- |
//! | `balance/demand.rs` | how many clients each region has of its own, by where they can have gone |
//! | `balance/guests.rs` | which of them find room elsewhere |
//! | `balance/tests.rs` | it is calm, exact and smooth, in virtual time |

mod demand;
mod guests;

use crate::map::RegionIndex;
use crate::steer::Policy;
use demand::Demand;
use std::time::Duration;

/// Checks are noise for so long, in seconds.
const SMOOTH_S: f64 = 2.0;
/// A part falls by so much in a second at most, and rises: a crowd must be let go within some seconds, and what comes
/// back has time.
const FALL_PER_S: f64 = 0.1;
const RISE_PER_S: f64 = 0.02;
/// What is too full although it should not be falls by so much for each 1 that it is too full, besides: a few clients
/// that want much don't go by parts.
const PUSH_PER_S: f64 = 0.1;
/// One that rose too far and has to fall again rises half as fast the next time, so that nobody goes to and fro for
/// ever; that is forgotten after about so many seconds.
const CALM_AFTER_S: f64 = 600.0;
/// Changes of a part that are less are not made, so that nobody moves for noise.
const DEAD_BAND: f64 = 0.01;
/// No edge that is up gets less than this part: it must be seen that it has room again.
const PART_MIN: f64 = 0.01;
/// When all are fuller than `spill_from`, those are too full that have so many times more than all on average.
const ABOVE_ALL: f64 = 1.02;
/// Time that goes by between two steps at most, in seconds: after a pause of the machine nothing jumps.
const STEP_S_MAX: f64 = 5.0;

/// From when on edges and regions take less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Marks {
    /// Utilisation up to which all clients are taken.
    pub(crate) spill_from: f64,
    /// Utilisation that is not reached whatever the demand is, as long as others have room.
    pub(crate) full: f64,
}

impl Default for Marks {
    fn default() -> Self {
        Self { spill_from: 0.75, full: 0.85 }
    }
}

/// What is known of an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Observed {
    pub(crate) is_up: bool,
    /// 1 is full; `None` when it does not say.
    pub(crate) utilisation: Option<f64>,
}

/// All edges and regions in balance, or on the way there.
#[derive(Debug)]
pub(crate) struct Balance {
    marks: Marks,
    /// Mean time in seconds until clients follow an answer.
    delay_s: f64,
    edges: Vec<Edge>,
    regions: Vec<Region>,
    demand: Demand,
    last: Option<Duration>,
}

#[derive(Debug)]
struct Edge {
    region: usize,
    capacity: f64,
    is_up: bool,
    utilisation: Option<f64>,
    part: Lagged,
}

/// A region's sums, anew in each step, and what it takes.
#[derive(Debug)]
struct Region {
    order: Vec<RegionIndex>,
    /// Of edges that are up.
    capacity: f64,
    /// In the unit of capacity; `None` when no edge says anything.
    load: Option<f64>,
    /// The part of the capacity of all its edges that is down.
    gone: f64,
    own: Lagged,
    /// Of its own clients whose edge is down, by the part of all.
    displaced: Lagged,
    guests: Lagged,
}

/// A part as it is answered, and as clients follow it.
#[derive(Clone, Copy, Debug)]
struct Lagged {
    now: f64,
    followed: f64,
    is_rising: bool,
    unrest: f64,
}

impl Region {
    /// The part of its own clients that it takes, with and without an edge that is up.
    fn taken(&self) -> f64 {
        self.own.now * (1.0 - self.gone + self.gone * self.displaced.now)
    }

    /// Goes towards taking the part `wanted` of its own clients. Those have to go first whose edge is down: they move
    /// anyway, and all others are where they have been before.
    fn approach_own(&mut self, wanted: f64, utilisation: f64, marks: (f64, f64), seconds: f64) {
        let (own, gone) = (self.own.now, self.gone);
        if gone <= 0.0 {
            self.displaced.now = 1.0;
            self.own.approach(wanted, utilisation, marks, seconds);
        } else {
            let displaced = ((wanted / own - (1.0 - gone)) / gone).clamp(0.0, 1.0);
            self.displaced.approach(displaced, utilisation, marks, seconds);
            let others = wanted / (1.0 - gone).max(f64::MIN_POSITIVE);
            if self.displaced.now <= 0.0 && others < own {
                self.own.approach(others, utilisation, marks, seconds);
            } else if self.displaced.now >= 1.0 && wanted > own {
                self.own.approach(wanted, utilisation, marks, seconds);
            }
        }
        self.own.now = self.own.now.max(PART_MIN);
    }
}

impl Lagged {
    fn new(part: f64) -> Self {
        Self { now: part, followed: part, is_rising: false, unrest: 0.0 }
    }

    /// Goes towards `wanted`, as far as it may in so many seconds. What is fuller than `from` does not rise, whatever
    /// the demand is thought to be, and what is fuller than `to` falls.
    fn approach(&mut self, wanted: f64, utilisation: f64, (from, to): (f64, f64), seconds: f64) {
        self.unrest -= self.unrest * gain(seconds, CALM_AFTER_S);
        let excess = (utilisation - to).max(0.0);
        let push = -PUSH_PER_S * excess * seconds;
        let way = wanted - self.now;
        let is_small = way.abs() < DEAD_BAND && wanted < 1.0;
        let way = match is_small || (way > 0.0 && utilisation > from) {
            true => push,
            false if push < 0.0 => way.min(push),
            false => way,
        };
        if way == 0.0 {
            return;
        }
        if way < 0.0 && self.is_rising {
            self.unrest += 1.0;
        }
        self.is_rising = way > 0.0;
        let rise = RISE_PER_S / self.unrest.exp2();
        let way = way.clamp(-FALL_PER_S * seconds, rise * seconds);
        self.now = (self.now + way).clamp(0.0, 1.0);
    }

    /// `effect` is the part as far as there is anybody to take it.
    fn follow(&mut self, effect: f64, seconds: f64, delay_s: f64) {
        self.followed += (effect - self.followed) * gain(seconds, delay_s);
    }
}

/// How much of the way to a value an exponential average goes in so many seconds.
fn gain(seconds: f64, time_s: f64) -> f64 {
    1.0 - (-seconds / time_s).exp()
}

/// The part of a demand that is taken: all of it up to `from`, and then so much that `to` is not reached. Smooth,
/// and the more there is the smaller.
fn part(demand: f64, from: f64, to: f64) -> f64 {
    if demand <= from {
        return 1.0;
    }
    let width = to - from;
    (from + width * (1.0 - (-(demand - from) / width).exp())) / demand
}

impl Balance {
    /// For the edges and regions of `policy`, which go on from what they take now.
    pub(crate) fn new(policy: &Policy) -> Self {
        let ttl = policy.steered.iter().map(|name| name.ttl).max().unwrap_or(0);
        let mut edges: Vec<_> = policy
            .edges
            .iter()
            .map(|edge| Edge {
                region: 0,
                capacity: edge.capacity.into(),
                is_up: edge.state.is_up(),
                utilisation: None,
                part: Lagged::new(edge.state.part.value()),
            })
            .collect();
        for (at, region) in policy.regions.iter().enumerate() {
            region.edges.iter().for_each(|&edge| edges[edge].region = at);
        }
        let region = |region: &crate::steer::Region| Region {
            order: region.order.clone(),
            capacity: 0.0,
            load: None,
            gone: 0.0,
            own: Lagged::new(region.state.own.value()),
            displaced: Lagged::new(region.state.displaced.value()),
            guests: Lagged::new(region.state.guests.value()),
        };
        let regions: Vec<_> = policy.regions.iter().map(region).collect();
        Self {
            marks: policy.marks,
            // A cached answer is used for half of its TTL more on average.
            delay_s: SMOOTH_S + f64::from(ttl) / 2.0,
            edges,
            demand: Demand::new(regions.len()),
            regions,
            last: None,
        }
    }

    /// Takes in what is known of all edges, at a time that only grows.
    pub(crate) fn step(&mut self, now: Duration, observed: &[Observed]) {
        let last = self.last.replace(now).unwrap_or(now);
        let seconds = now.saturating_sub(last).as_secs_f64().min(STEP_S_MAX);
        self.observe(observed, seconds);
        self.balance_edges(seconds);
        self.balance_regions(seconds);
    }

    /// What each edge gets of its share.
    pub(crate) fn edge_parts(&self) -> impl Iterator<Item = f64> {
        self.edges.iter().map(|edge| edge.part.now)
    }

    /// What each region takes of its own clients, and of guests.
    pub(crate) fn region_parts(&self) -> impl Iterator<Item = (f64, f64)> {
        self.regions.iter().map(|region| (region.own.now, region.guests.now))
    }

    /// What each region takes of those of its own clients whose edge is down, by the part of all.
    pub(crate) fn displaced_parts(&self) -> impl Iterator<Item = f64> {
        self.regions.iter().map(|region| region.displaced.now)
    }

    fn observe(&mut self, observed: &[Observed], seconds: f64) {
        for region in &mut self.regions {
            (region.capacity, region.load, region.gone) = (0.0, None, 0.0);
        }
        // Of edges that say something.
        let mut known = vec![0.0; self.regions.len()];
        for (edge, observed) in self.edges.iter_mut().zip(observed) {
            edge.is_up = observed.is_up;
            let before = edge.utilisation;
            edge.utilisation = observed.utilisation.filter(|_| observed.is_up).map(|now| {
                before.map_or(now, |before| before + (now - before) * gain(seconds, SMOOTH_S))
            });
            let region = &mut self.regions[edge.region];
            match edge.is_up {
                true => region.capacity += edge.capacity,
                false => region.gone += edge.capacity,
            }
            if let Some(utilisation) = edge.utilisation {
                known[edge.region] += edge.capacity;
                *region.load.get_or_insert(0.0) += utilisation * edge.capacity;
            }
        }
        for (region, known) in self.regions.iter_mut().zip(known) {
            region.gone /= (region.gone + region.capacity).max(f64::MIN_POSITIVE);
            // Edges that say nothing are taken to be as full as their neighbours.
            region.load =
                region.load.filter(|_| known > 0.0).map(|load| load / known * region.capacity);
        }
    }

    /// Within a region: an edge that is too full leaves clients to its neighbours.
    fn balance_edges(&mut self, seconds: f64) {
        for edge in &mut self.edges {
            let region = &self.regions[edge.region];
            let mean = region.load.map_or(0.0, |load| load / region.capacity);
            let (from, to) = self.marks.within(mean);
            let wanted = edge.utilisation.map_or(1.0, |utilisation| {
                part(utilisation / edge.part.followed.max(PART_MIN), from, to).max(PART_MIN)
            });
            let utilisation = edge.utilisation.unwrap_or(0.0);
            edge.part.approach(wanted, utilisation, (from, to), seconds);
            edge.part.now = edge.part.now.max(PART_MIN);
            edge.part.follow(edge.part.now, seconds, self.delay_s);
        }
        self.level_edges();
    }

    /// Only how parts of neighbours compare matters, so the largest is kept at all.
    fn level_edges(&mut self) {
        let mut largest = vec![0.0_f64; self.regions.len()];
        for edge in self.edges.iter().filter(|edge| edge.is_up && edge.capacity > 0.0) {
            largest[edge.region] = largest[edge.region].max(edge.part.now);
        }
        for edge in &mut self.edges {
            let largest = largest[edge.region];
            if largest > 0.0 && largest < 1.0 {
                edge.part.now = (edge.part.now / largest).min(1.0);
                edge.part.followed = (edge.part.followed / largest).min(1.0);
            }
        }
    }

    /// Among regions: one that is too full leaves guests, then clients of its own, to the next ones.
    fn balance_regions(&mut self, seconds: f64) {
        self.demand.estimate(&self.regions);
        let known = |region: &&Region| region.load.is_some();
        let load: f64 = self.regions.iter().filter_map(|region| region.load).sum();
        let capacity: f64 = self.regions.iter().filter(known).map(|it| it.capacity).sum();
        // Who does not say how full he is has room.
        let has_more = self.regions.iter().any(|it| it.load.is_none() && it.capacity > 0.0);
        let mean = if has_more || capacity <= 0.0 { 0.0 } else { load / capacity };
        let (from, to) = self.marks.among(mean * ABOVE_ALL);
        let own: Vec<_> = self
            .regions
            .iter()
            .zip(self.demand.own())
            .map(|(region, demand)| match region.load {
                Some(_) => part(demand / region.capacity, from, to).max(PART_MIN),
                None => 1.0,
            })
            .collect();
        let guests = guests::room(&self.regions, self.demand.own(), &own, from);
        let delay_s = self.delay_s;
        for ((region, own), guests) in self.regions.iter_mut().zip(own).zip(guests) {
            let utilisation = region.load.map_or(0.0, |load| load / region.capacity);
            region.guests.approach(guests, utilisation, (from, to), seconds);
            // Guests have to go first.
            let utilisation =
                if region.guests.now > 0.0 { utilisation.min(to) } else { utilisation };
            region.approach_own(own, utilisation, (from, to), seconds);
            let is_up = if region.capacity > 0.0 { 1.0 } else { 0.0 };
            region.own.follow(region.taken() * is_up, seconds, delay_s);
            region.guests.follow(region.guests.now * is_up, seconds, delay_s);
        }
    }
}

impl Marks {
    /// The marks within a region: a client that goes to a neighbour is no farther away, but finds nothing stored there,
    /// so that is done later than letting guests go.
    fn within(&self, mean: f64) -> (f64, f64) {
        let half = (self.full - self.spill_from) / 2.0;
        let from = self.full.max(mean + half / 2.0);
        (from, from + half)
    }

    /// The marks among regions that are so full on average: when there is no room, all are to be equally full.
    fn among(&self, mean: f64) -> (f64, f64) {
        let from = self.spill_from.max(mean);
        (from, self.full.max(from + (self.full - self.spill_from) / 4.0))
    }
}

#[cfg(test)]
mod tests;
