//! A synthetic internet: edges, clients, the times between them, and what clients want when. Everything follows from
//! the seed.

use super::Settings;
use super::places::{CITIES, REGIONS};
use crate::balance::Marks;
use crate::health::EdgeState;
use crate::map::{Prefix, PrefixMap, RegionIndex};
use crate::steer::hash::{mix, seed, seed_of_region};
use crate::steer::measured::{Measured, Measurement, Table};
use crate::steer::{AllDown, Edge, Policy, Region, Steered};
use crate::wire::subnet::{Client, ClientSource};
use std::collections::HashMap;
use std::f64::consts::TAU;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Light in fibre: kilometres that a packet goes in a ms.
const KM_PER_MS: f64 = 200.0;
/// A cable is longer than the way of a bird, in most cases a little, in some a lot.
const DETOUR_LEAST: f64 = 1.3;
/// Degrees that clients live from the middle of their city, about.
const SCATTER_DEGREES: f64 = 1.5;
/// The prefix that wants most wants this part of all at most: a sixteenth of an edge.
const DEMAND_PART_MAX: f64 = 0.005;
/// Pareto's exponent of the demand: a fifth of the prefixes want four fifths of everything.
const DEMAND_EXPONENT: f64 = 1.16;
/// Demand of all by the capacity of all, in the middle of the day, without a crowd.
const DEMAND_BY_CAPACITY: f64 = 0.6;
/// How much of the demand comes and goes with the time of day.
const DAILY: f64 = 0.3;
/// A crowd multiplies the demand of the clients of one region by so much.
const CROWD: f64 = 2.2;
const CROWD_RAMP_S: f64 = 60.0;
/// Parts of the day: a crowd, and an edge that is away.
pub(super) const CROWD_TIME: (f64, f64) = (0.3, 0.45);
pub(super) const LOSS_TIME: (f64, f64) = (0.6, 0.75);

/// Random numbers that a seed repeats.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    /// Within 0 and 1.
    pub(super) fn part(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About as a normal distribution with mean 0 and deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.part()).sum::<f64>() - 6.0
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) edges: Vec<super::Edge>,
    /// The region of each edge.
    pub(super) region_of: Vec<usize>,
    pub(super) clients: Vec<Someone>,
    /// The region that the crowd is in.
    pub(super) crowd: usize,
    /// The edge that is lost.
    pub(super) lost: usize,
}

/// The clients of a prefix.
#[derive(Debug)]
pub(super) struct Someone {
    pub(super) client: Client,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    /// On average, in the unit of capacity.
    pub(super) demand: f64,
    /// To each edge, in ms.
    pub(super) rtt_ms: Vec<f64>,
    /// By the globe.
    nearest_region: usize,
    is_measured: bool,
}

impl World {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut random = Random::new(settings.seed);
        let (mut edges, region_of) = edges(&mut random);
        let mut clients: Vec<_> = (0..settings.clients)
            .map(|at| someone(at, settings, &edges, &region_of, &mut random))
            .collect();
        let all: f64 = clients.iter().map(|it| it.demand).sum();
        for it in &mut clients {
            it.demand = (it.demand / all).min(DEMAND_PART_MAX);
        }
        give_capacity(&mut edges, &region_of, &mut clients, &mut random);
        let crowd = random.bits() as usize % REGIONS.len();
        let lost = random.bits() as usize % edges.len();
        Self { settings: *settings, edges, region_of, clients, crowd, lost }
    }

    /// The second at which a part of the day is over.
    pub(super) fn at(&self, part: f64) -> u32 {
        (f64::from(self.settings.seconds) * part) as u32
    }

    /// What a client wants at a time, in the unit of capacity.
    pub(super) fn demand(&self, client: &Someone, second: u32) -> f64 {
        let (now, all) = (f64::from(second), f64::from(self.settings.seconds));
        let local = now / all + client.longitude / 360.0;
        let daily = 1.0 + DAILY * (TAU * local).sin();
        let (from, to) = (CROWD_TIME.0 * all, CROWD_TIME.1 * all);
        let crowd = match client.nearest_region == self.crowd {
            true => ((now - from) / CROWD_RAMP_S).min((to - now) / CROWD_RAMP_S).clamp(0.0, 1.0),
            false => 0.0,
        };
        client.demand * daily * (1.0 + crowd * (CROWD - 1.0))
    }

    /// The policy as it would be read from files: a map by geography, and measurements of some clients.
    pub(super) fn policy(&self) -> Policy {
        let region = |at: usize| {
            let (name, latitude, longitude, _) = REGIONS[at];
            let way = |other: &RegionIndex| {
                let (_, to_latitude, to_longitude, _) = REGIONS[usize::from(*other)];
                kilometres((latitude, longitude), (to_latitude, to_longitude))
            };
            let mut order: Vec<_> = (0..REGIONS.len() as RegionIndex).collect();
            order.sort_by(|one, other| way(one).total_cmp(&way(other)));
            let edges = (0..self.edges.len()).filter(|edge| self.region_of[*edge] == at).collect();
            Region {
                name: name.into(),
                seed: seed_of_region(name),
                edges,
                order,
                state: Arc::default(),
            }
        };
        let regions: Vec<_> = (0..REGIONS.len()).map(region).collect();
        let edges = self.edges.iter().enumerate().map(|(at, edge)| Edge {
            name: edge.name.as_str().into(),
            seed: seed(&edge.name),
            v4: vec![address(at)],
            v6: Vec::new(),
            capacity: edge.capacity,
            check: None,
            state: Arc::<EdgeState>::default(),
        });
        let prefix = |someone: &Someone| Prefix::of(someone.client.address, 24);
        let mapped: HashMap<_, _> =
            self.clients.iter().map(|it| (prefix(it), it.nearest_region as RegionIndex)).collect();
        let map = PrefixMap::new(&mapped);
        let mut random = Random::new(self.settings.seed ^ 1);
        let mut measurements = Vec::new();
        for it in self.clients.iter().filter(|it| it.is_measured) {
            for (edge, rtt_ms) in it.rtt_ms.iter().enumerate() {
                measurements.push(Measurement {
                    prefix: prefix(it),
                    target: self.edges[edge].name.as_str().into(),
                    region: self.region_of[edge] as RegionIndex,
                    // Measured on a bad day or a good one.
                    rtt_ms: rtt_ms * (1.0 + 0.03 * random.normal().abs()),
                });
            }
        }
        let order = |region: RegionIndex| regions[usize::from(region)].order.clone();
        let table = Table::new(measurements, &map, order).unwrap_or_default();
        let measured = Measured::default();
        measured.store(table);
        let steered = Steered {
            ttl: self.settings.ttl,
            answers: 1,
            default_region: 0,
            all_down: AllDown::All,
        };
        Policy {
            edges: edges.collect(),
            map,
            resolvers: None,
            measured,
            marks: Marks::default(),
            steered: vec![steered],
            regions,
        }
    }
}

/// The address of an edge.
fn address(edge: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, edge as u8)
}

/// The edge that has an address.
pub(super) fn edge_at(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(v4) => v4.octets()[3].into(),
        IpAddr::V6(_) => 0,
    }
}

fn edges(random: &mut Random) -> (Vec<super::Edge>, Vec<usize>) {
    let (mut edges, mut region_of) = (Vec::new(), Vec::new());
    for (region, &(name, latitude, longitude, count)) in REGIONS.iter().enumerate() {
        for number in 1..=count {
            edges.push(super::Edge {
                name: format!("{name}-{number}"),
                region: name.to_owned(),
                latitude: latitude + random.normal() * 0.3,
                longitude: longitude + random.normal() * 0.3,
                capacity: 0,
            });
            region_of.push(region);
        }
    }
    (edges, region_of)
}

fn someone(
    number: u32,
    settings: &Settings,
    edges: &[super::Edge],
    region_of: &[usize],
    random: &mut Random,
) -> Someone {
    let all: f64 = CITIES.iter().map(|city| city.2).sum();
    let mut at = random.part() * all;
    let city = CITIES.iter().find(|city| {
        at -= city.2;
        at <= 0.0
    });
    let city = city.unwrap_or(&CITIES[0]);
    let latitude = city.0 + random.normal() * SCATTER_DEGREES;
    let longitude = city.1 + random.normal() * SCATTER_DEGREES;
    let here = (latitude, longitude);
    let way = |to: &(&str, f64, f64, usize)| kilometres(here, (to.1, to.2));
    let nearest = (0..REGIONS.len())
        .min_by(|one, other| way(&REGIONS[*one]).total_cmp(&way(&REGIONS[*other])));
    let access_ms = 2.0 + random.part() * 10.0;
    let detours: Vec<_> =
        REGIONS.iter().map(|_| DETOUR_LEAST + random.part().powi(4) * 1.2).collect();
    let rtt_ms = edges.iter().zip(region_of).map(|(edge, region)| {
        let km = kilometres(here, (edge.latitude, edge.longitude)).max(20.0);
        access_ms + 2.0 * km / KM_PER_MS * detours[*region] + random.part()
    });
    let rtt_ms = rtt_ms.collect();
    Someone {
        client: Client {
            address: IpAddr::V4((0x1000_0000 + number * 256).into()),
            prefix_length: 24,
            source: ClientSource::Subnet,
        },
        latitude,
        longitude,
        demand: (1.0 - random.part()).powf(-1.0 / DEMAND_EXPONENT),
        rtt_ms,
        nearest_region: nearest.unwrap_or(0),
        is_measured: random.part() < settings.measured,
    }
}

/// Edges have been bought for the demand of their regions, as well as that was known.
fn give_capacity(
    edges: &mut [super::Edge],
    region_of: &[usize],
    clients: &mut [Someone],
    random: &mut Random,
) {
    const CAPACITY_OF_ALL: f64 = 20_000.0;
    let all: f64 = clients.iter().map(|it| it.demand).sum();
    clients.iter_mut().for_each(|it| it.demand *= CAPACITY_OF_ALL * DEMAND_BY_CAPACITY / all);
    let mut wanted = vec![0.0; REGIONS.len()];
    for it in clients.iter() {
        wanted[it.nearest_region] += it.demand;
    }
    let weights: Vec<_> = region_of
        .iter()
        .map(|&region| {
            let count = REGIONS[region].3 as f64;
            wanted[region] / count * (1.0 + 0.12 * random.normal()).clamp(0.6, 1.5)
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    for (edge, weight) in edges.iter_mut().zip(weights) {
        edge.capacity = (weight / sum * CAPACITY_OF_ALL).round().max(1.0) as u32;
    }
}

/// The way of a bird (haversine).
fn kilometres(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (from_latitude, to_latitude) = (from.0.to_radians(), to.0.to_radians());
    let half = |one: f64, other: f64| ((other - one) / 2.0).sin().powi(2);
    let across = half(from.1.to_radians(), to.1.to_radians());
    let root = half(from_latitude, to_latitude) + from_latitude.cos() * to_latitude.cos() * across;
    2.0 * 6371.0 * root.sqrt().clamp(0.0, 1.0).asin()
}
