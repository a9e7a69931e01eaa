//! What came of a run, seen from outside: nothing here asks the policy.

use super::world::{LOSS_TIME, World};
use super::{Figures, Goal, Moment};
use crate::balance::Marks;

/// So much longer is near enough, in ms.
const NEAR_MS: f64 = 10.0;
/// Entries of the distribution of extra round-trip times.
const EXTRA_MS_MAX: usize = 200;
/// How often clients are looked at, and moments kept, in seconds.
const LOOK_EVERY_S: u32 = 10;
const MOMENT_EVERY_S: u32 = 30;
/// TTLs that pass before what an edge has above its capacity counts: answers are cached for one, and what they do must
/// be seen before more is done.
const CONTROL_DELAY_TTLS: u32 = 3;
/// TTLs after an edge has gone or come until is counted who has moved.
pub(super) const SETTLED_TTLS: u32 = 3;

pub(super) struct Watch<'w> {
    world: &'w World,
    moments: Vec<Moment>,
    extra_ms: Vec<u64>,
    looks: Looks,
    figures: Figures,
    /// For how long each edge has been above its capacity.
    above_s: Vec<u32>,
    /// Edges and demands before the edge was lost.
    before_loss: (Vec<usize>, Vec<f64>),
    last: Vec<usize>,
    moves: u64,
    seconds: u32,
}

/// Sums over looks at all clients.
#[derive(Default)]
struct Looks {
    clients: f64,
    demand: f64,
    within: f64,
    within_by_demand: f64,
    within_of_any_room: f64,
    within_of_nearest: f64,
}

impl<'w> Watch<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self {
            world,
            moments: Vec::new(),
            extra_ms: vec![0; EXTRA_MS_MAX + 1],
            looks: Looks::default(),
            figures: Figures { within_least: 1.0, ..Figures::default() },
            above_s: vec![0; world.edges.len()],
            before_loss: Default::default(),
            last: Vec::new(),
            moves: 0,
            seconds: 0,
        }
    }

    pub(super) fn see(
        &mut self,
        second: u32,
        assigned: &[usize],
        demands: &[f64],
        loads: &[f64],
        is_up: &[bool],
    ) {
        let world = self.world;
        let capacity = |edge: usize| f64::from(world.edges[edge].capacity);
        // What comes to an edge that is down is lost.
        let utilisation: Vec<_> = (0..loads.len())
            .map(|edge| if is_up[edge] { loads[edge] / capacity(edge) } else { 0.0 })
            .collect();
        self.see_moves(second, assigned, demands);
        // It begins with a demand that was never there before.
        if second < CONTROL_DELAY_TTLS * world.settings.ttl {
            return;
        }
        self.see_loads(&utilisation, is_up);
        let all: f64 = (0..loads.len()).map(capacity).sum();
        let demand = demands.iter().sum::<f64>() / all;
        self.figures.demand_max = self.figures.demand_max.max(demand);
        if second.is_multiple_of(LOOK_EVERY_S) {
            let within = self.look(assigned, demands, &utilisation, is_up);
            self.figures.within_least = self.figures.within_least.min(within);
            if second.is_multiple_of(MOMENT_EVERY_S) {
                self.moments.push(Moment { second, demand, utilisation, within });
            }
        }
    }

    fn see_loads(&mut self, utilisation: &[f64], is_up: &[bool]) {
        let room = Marks::default().spill_from;
        let delay = CONTROL_DELAY_TTLS * self.world.settings.ttl;
        for edge in 0..utilisation.len() {
            let others = (0..utilisation.len()).filter(|other| *other != edge && is_up[*other]);
            let is_above = utilisation[edge] > 1.0
                && others.into_iter().any(|other| utilisation[other] < room);
            self.above_s[edge] = if is_above { self.above_s[edge] + 1 } else { 0 };
            let figures = &mut self.figures;
            figures.above_capacity_longest_s =
                figures.above_capacity_longest_s.max(self.above_s[edge]);
            figures.above_capacity_s += u32::from(self.above_s[edge] > delay);
            figures.utilisation_max = figures.utilisation_max.max(utilisation[edge]);
        }
    }

    fn see_moves(&mut self, second: u32, assigned: &[usize], demands: &[f64]) {
        let world = self.world;
        if !self.last.is_empty() {
            self.moves +=
                self.last.iter().zip(assigned).filter(|(one, other)| one != other).count() as u64;
            self.seconds += 1;
        }
        self.last = assigned.to_vec();
        if second + 1 == world.at(LOSS_TIME.0) {
            self.before_loss = (assigned.to_vec(), demands.to_vec());
        }
        if second == world.at(LOSS_TIME.0) + SETTLED_TTLS * world.settings.ttl {
            let (before, demands) = &self.before_loss;
            let clients = || before.iter().zip(assigned).zip(demands);
            let moved = clients().filter(|((one, other), _)| one != other);
            let lost = clients().filter(|((one, _), _)| **one == world.lost);
            let moved: f64 = moved.map(|(_, demand)| demand).sum();
            self.figures.moved_at_loss = moved / lost.map(|(_, demand)| demand).sum::<f64>();
        }
    }

    /// Looks at all clients, and returns which part of them is near enough.
    fn look(
        &mut self,
        assigned: &[usize],
        demands: &[f64],
        utilisation: &[f64],
        is_up: &[bool],
    ) -> f64 {
        let spill_from = Marks::default().spill_from;
        let mut near = 0.0;
        for ((someone, &edge), demand) in self.world.clients.iter().zip(assigned).zip(demands) {
            let rtt = &someone.rtt_ms;
            let best = |has_room: &dyn Fn(usize) -> bool| {
                let edges = (0..rtt.len()).filter(|it| has_room(*it));
                edges.map(|it| rtt[it]).fold(f64::INFINITY, f64::min)
            };
            let extra = |best: f64| if is_up[edge] { rtt[edge] - best } else { f64::INFINITY };
            let with_room = |to: f64| best(&|it| is_up[it] && (utilisation[it] < to || it == edge));
            let missing = extra(with_room(spill_from));
            let bucket = if missing.is_finite() { missing as usize } else { EXTRA_MS_MAX };
            self.extra_ms[bucket.min(EXTRA_MS_MAX)] += 1;
            let is_near = |missing: f64| if missing <= NEAR_MS { 1.0 } else { 0.0 };
            near += is_near(missing);
            self.looks.within_by_demand += is_near(missing) * demand;
            self.looks.within_of_any_room += is_near(extra(with_room(1.0)));
            self.looks.within_of_nearest += is_near(extra(best(&|_| true)));
            self.looks.demand += demand;
        }
        let clients = self.world.clients.len() as f64;
        self.looks.within += near;
        self.looks.clients += clients;
        near / clients
    }

    pub(super) fn end(self) -> (Vec<Moment>, Vec<u64>, Figures) {
        let Self { looks, mut figures, world, .. } = self;
        figures.within = looks.within / looks.clients;
        figures.within_by_demand = looks.within_by_demand / looks.demand;
        figures.within_of_any_room = looks.within_of_any_room / looks.clients;
        figures.within_of_nearest = looks.within_of_nearest / looks.clients;
        let minutes = f64::from(self.seconds) / 60.0;
        figures.moved_per_minute = self.moves as f64 / world.clients.len() as f64 / minutes;
        (self.moments, self.extra_ms, figures)
    }
}

impl Figures {
    /// What must be reached.
    pub(super) fn goals(&self) -> Vec<Goal> {
        let at_least =
            |what, found: f64, bound| Goal { what, found, bound, reached: found >= bound };
        let at_most =
            |what, found: f64, bound| Goal { what, found, bound, reached: found <= bound };
        vec![
            at_least("clients within 10 ms of the best edge that has room", self.within, 0.95),
            at_least("the same by demand", self.within_by_demand, 0.95),
            at_most(
                "seconds above capacity beyond the delay of control while another edge has room",
                self.above_capacity_s.into(),
                0.0,
            ),
            at_most("moved when an edge is lost, by its own share", self.moved_by_loss, 1.2),
        ]
    }
}
