//! How well the policy steers: 20 edges and thousands of client prefixes on a synthetic internet, through a day with a
//! crowd and with an edge that is lost and comes back. It is the real choice and the real balance that are asked; only
//! loads, clients and their resolvers are made up.
//!
//! | file | job |
//! | --- | --- |
//! | `simulate/world.rs` | edges, clients, round-trip times, demand |
//! | `simulate/places.rs` | where edges and people are |
//! | `simulate/run.rs` | the day, second by second |
//! | `simulate/figures.rs` | what came of it |

mod figures;
mod places;
mod run;
mod world;

use figures::SETTLED_TTLS;
use run::Run;
use serde::Serialize;
use world::{LOSS_TIME, World};

/// Client prefixes at most: a run then takes a minute.
pub const CLIENTS_MAX: u32 = 100_000;
/// A day in seconds.
pub const SECONDS_MAX: u32 = 86_400;
/// A run that is shorter has no time for what happens in it.
pub const SECONDS_MIN: u32 = 1200;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Client prefixes, at most [`CLIENTS_MAX`].
    pub clients: u32,
    /// Simulated time, which is one day for the demand, however short it is.
    pub seconds: u32,
    /// Of answers, in seconds.
    pub ttl: u32,
    /// Which part of the clients have measured round-trip times beside the map, 0 to 1.
    pub measured: f64,
    /// Another one, another world.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { clients: 4000, seconds: 7200, ttl: 20, measured: 0.5, seed: 1 }
    }
}

/// An edge of the world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    /// Its name.
    pub name: String,
    /// The region that it is in.
    pub region: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// In the unit of demand.
    pub capacity: u32,
}

/// A client prefix of the world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Client {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Its part of the demand of all, averaged over the day.
    pub demand: f64,
    /// Its edge before the crowd, as an index.
    pub edge_before: usize,
    /// The same in the middle of it.
    pub edge_in_crowd: usize,
}

/// A moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// Since the start.
    pub second: u32,
    /// Of all, by the capacity of all.
    pub demand: f64,
    /// Of each edge; 0 while it is down.
    pub utilisation: Vec<f64>,
    /// The part of clients within 10 ms of the best edge that has room.
    pub within: f64,
}

/// Figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// The part of clients within 10 ms of the best edge that has room: one that is up and not fuller than
    /// `spill_from`, or the one that the client has. Over the whole run.
    pub within: f64,
    /// The same by demand.
    pub within_by_demand: f64,
    /// The same in the worst moment, by clients.
    pub within_least: f64,
    /// The same where an edge has room until it is at its capacity.
    pub within_of_any_room: f64,
    /// The part within 10 ms of the nearest edge, whether it is up and has room or not.
    pub within_of_nearest: f64,
    /// Seconds in which an edge was above its capacity for longer than the delay of control while another one had room,
    /// summed over edges.
    pub above_capacity_s: u32,
    /// The longest time that an edge was above its capacity while another one had room.
    pub above_capacity_longest_s: u32,
    /// The highest utilisation of any edge.
    pub utilisation_max: f64,
    /// Demand of all by capacity of all when that was highest.
    pub demand_max: f64,
    /// Demand of the clients that had another edge a while after one was lost than they would have had without that, by
    /// demand of those that would have had the lost one.
    pub moved_by_loss: f64,
    /// The same for all that moved in that time, for whatever reason.
    pub moved_at_loss: f64,
    /// The part of clients that would have another edge if the demand were 1 % higher all the time; the mean over
    /// moments of the day.
    pub moved_by_percent: f64,
    /// The part of clients that get another edge in a minute, on average.
    pub moved_per_minute: f64,
}

/// A figure that must be reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Goal {
    /// In words.
    pub what: &'static str,
    /// What was found.
    pub found: f64,
    /// What it may be at least or at most.
    pub bound: f64,
    /// Whether it is.
    pub reached: bool,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulated {
    /// As asked for.
    pub settings: Settings,
    /// The edges.
    pub edges: Vec<Edge>,
    /// Which of them was lost.
    pub lost: usize,
    /// The region that had the crowd.
    pub crowd: String,
    /// The clients.
    pub clients: Vec<Client>,
    /// Two a minute.
    pub moments: Vec<Moment>,
    /// How many clients had a round-trip time that was longer by so many ms than that of the best edge with room; the
    /// last entry is for all that is more. Summed over moments.
    pub extra_ms: Vec<u64>,
    /// Figures.
    pub figures: Figures,
    /// Goals.
    pub goals: Vec<Goal>,
}

/// Simulates a day. The same settings give the same.
#[must_use]
pub fn simulate(settings: &Settings) -> Simulated {
    let world = World::new(settings);
    let mut run = Run::new(&world, settings, 1.0, true);
    // What else could have been: a little more demand, and no edge lost.
    let mut more = Run::new(&world, settings, 1.01, true);
    let mut unlost = Run::new(&world, settings, 1.0, false);
    let (mut differ, mut moments) = (0.0, 0.0);
    let settled = world.at(LOSS_TIME.0) + SETTLED_TTLS * settings.ttl;
    let mut moved_by_loss = 0.0;
    for second in 0..settings.seconds {
        run.step(second);
        more.step(second);
        if second <= settled {
            unlost.step(second);
        }
        if second == settled {
            moved_by_loss = run.moved_from(&unlost, second);
        }
        if second >= settings.ttl * 10 && second % 60 == 0 {
            differ += run.part_that_differs(&more);
            moments += 1.0;
        }
    }
    let mut simulated = run.end();
    simulated.figures.moved_by_loss = moved_by_loss;
    simulated.figures.moved_by_percent = differ / f64::max(moments, 1.0);
    simulated.goals = simulated.figures.goals();
    simulated
}

#[cfg(test)]
mod tests;
