//! The day, second by second: clients ask when their answers have expired, edges get what they want, loads are told,
//! and parts follow.

use super::figures::Watch;
use super::world::{CROWD_TIME, LOSS_TIME, Random, World, edge_at};
use super::{Client, Settings, Simulated};
use crate::balance::Observed;
use crate::health::Balanced;
use crate::steer::{Family, Policy};
use std::time::Duration;

/// What edges say of their load is wrong by so much, about.
const NOISE: f64 = 0.02;

pub(super) struct Run<'w> {
    world: &'w World,
    policy: Policy,
    balanced: Balanced,
    random: Random,
    /// Of all demand.
    scale: f64,
    /// Whether the edge is lost.
    is_lossy: bool,
    clients: Vec<Asker>,
    watch: Watch<'w>,
    before_crowd: Vec<usize>,
    in_crowd: Vec<usize>,
}

/// A client prefix and its resolver.
#[derive(Clone, Copy, Debug)]
struct Asker {
    edge: usize,
    asks_at: u32,
}

impl<'w> Run<'w> {
    /// `scale` multiplies the demand.
    pub(super) fn new(world: &'w World, settings: &Settings, scale: f64, is_lossy: bool) -> Self {
        let policy = world.policy();
        let mut random = Random::new(settings.seed ^ 2);
        let ask = |_| Asker { edge: 0, asks_at: random.bits() as u32 % settings.ttl.max(1) };
        let clients = (0..world.clients.len()).map(ask).collect();
        let mut run = Self {
            world,
            balanced: Balanced::new(&policy),
            policy,
            random,
            scale,
            is_lossy,
            clients,
            watch: Watch::new(world),
            before_crowd: Vec::new(),
            in_crowd: Vec::new(),
        };
        // All have asked before it begins.
        (0..run.clients.len()).for_each(|at| run.clients[at].edge = run.choose(at));
        run
    }

    fn choose(&self, client: usize) -> usize {
        let someone = &self.world.clients[client];
        let choice = self.policy.choose(&self.policy.steered[0], &someone.client, Family::V4);
        choice.addresses().first().map_or(0, |address| edge_at(*address))
    }

    fn assigned(&self) -> Vec<usize> {
        self.clients.iter().map(|asker| asker.edge).collect()
    }

    pub(super) fn step(&mut self, second: u32) {
        let world = self.world;
        let at = |part: f64| world.at(part);
        let lost = &self.policy.edges[world.lost].state;
        if second == at(LOSS_TIME.0) && self.is_lossy {
            lost.set_up(false);
        }
        if second == at(LOSS_TIME.1) {
            lost.set_up(true);
        }
        for client in 0..self.clients.len() {
            if self.clients[client].asks_at == second {
                self.clients[client].edge = self.choose(client);
                self.clients[client].asks_at = second + world.settings.ttl.max(1);
            }
        }
        let demands: Vec<_> =
            world.clients.iter().map(|it| world.demand(it, second) * self.scale).collect();
        let mut loads = vec![0.0; world.edges.len()];
        for (asker, demand) in self.clients.iter().zip(&demands) {
            loads[asker.edge] += demand;
        }
        let observed: Vec<_> = world
            .edges
            .iter()
            .zip(&loads)
            .zip(&self.policy.edges)
            .map(|((edge, load), real)| {
                let noise = 1.0 + NOISE * self.random.normal();
                let utilisation = Some(load / f64::from(edge.capacity) * noise);
                Observed { is_up: real.state.is_up(), utilisation }
            })
            .collect();
        self.balanced.step_with(Duration::from_secs(second.into()), &observed);
        let is_up: Vec<_> = self.policy.edges.iter().map(|edge| edge.state.is_up()).collect();
        let assigned = self.assigned();
        self.watch.see(second, &assigned, &demands, &loads, &is_up);
        if second == at(CROWD_TIME.0) {
            self.before_crowd.clone_from(&assigned);
        }
        if second == at((CROWD_TIME.0 + CROWD_TIME.1) / 2.0) {
            self.in_crowd = assigned;
        }
    }

    /// Which part of the clients has another edge than in `other`.
    pub(super) fn part_that_differs(&self, other: &Self) -> f64 {
        let both = self.clients.iter().zip(&other.clients);
        both.filter(|(one, other)| one.edge != other.edge).count() as f64
            / self.clients.len() as f64
    }

    /// Demand of the clients that have another edge than in `unlost`, by demand of those that have the lost one there.
    pub(super) fn moved_from(&self, unlost: &Self, second: u32) -> f64 {
        let (mut moved, mut lost) = (0.0, 0.0);
        let both = self.clients.iter().zip(&unlost.clients);
        for ((one, other), someone) in both.zip(&self.world.clients) {
            let demand = self.world.demand(someone, second);
            moved += if one.edge == other.edge { 0.0 } else { demand };
            lost += if other.edge == self.world.lost { demand } else { 0.0 };
        }
        moved / lost
    }

    pub(super) fn end(self) -> Simulated {
        let world = self.world;
        let all: f64 = world.clients.iter().map(|it| it.demand).sum();
        let clients = world.clients.iter().zip(self.before_crowd.iter().zip(&self.in_crowd));
        let clients = clients.map(|(it, (&edge_before, &edge_in_crowd))| Client {
            latitude: it.latitude,
            longitude: it.longitude,
            demand: it.demand / all,
            edge_before,
            edge_in_crowd,
        });
        let clients = clients.collect();
        let (moments, extra_ms, figures) = self.watch.end();
        Simulated {
            settings: world.settings,
            edges: world.edges.clone(),
            lost: world.lost,
            crowd: super::places::REGIONS[world.crowd].0.to_owned(),
            clients,
            moments,
            extra_ms,
            figures,
            goals: Vec::new(),
        }
    }
}
