//! How unkind network and origin are in a run.

use crate::net::Faults;
use crate::origin::Manners;
use crate::world::World;

pub const CALM: Faults = Faults {
    refused: 0,
    unanswered: 0,
    reset: 0,
    delay_ms_max: 20,
    split: true,
    buffer_octets: 64 * 1024,
};
pub const POLITE: Manners = Manners {
    truncates: 0,
    resets: 0,
    garbles: 0,
    hangs_up: 0,
    sleeps: 0,
    closes: 0,
    delay_ms_max: 300,
    idle_ms: 5_000,
};

pub fn faults(world: &World, storm: bool) -> Faults {
    let sometimes = |per_mille: u64| if world.chance(500) { per_mille } else { 0 };
    let buffer_octets = *world.pick(&[1_500, 16 * 1024, 256 * 1024]);
    let split = world.chance(500);
    let delay_ms_max = *world.pick(&[0, 5, 100]);
    if !storm {
        return Faults { delay_ms_max, split, buffer_octets, ..CALM };
    }
    Faults {
        refused: sometimes(50),
        unanswered: sometimes(20),
        reset: sometimes(15),
        delay_ms_max,
        split,
        buffer_octets,
    }
}

pub fn manners(world: &World, storm: bool) -> Manners {
    let sometimes = |per_mille: u64| if world.chance(500) { per_mille } else { 0 };
    let closes = sometimes(200);
    let delay_ms_max = *world.pick(&[0, 100, 1_500]);
    if !storm {
        // A connection that ends before a first request can have come is a fault.
        let idle_ms = if closes > 0 { 1_000 + world.random(70_000) } else { 5_000 };
        return Manners { closes, delay_ms_max, idle_ms, ..POLITE };
    }
    Manners {
        truncates: sometimes(80),
        resets: sometimes(80),
        garbles: sometimes(30),
        hangs_up: sometimes(50),
        sleeps: sometimes(10),
        closes,
        delay_ms_max,
        idle_ms: 1 + world.random(70_000),
    }
}
