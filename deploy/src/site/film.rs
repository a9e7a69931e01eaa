//! The film: a first request that goes all the way to the origin, then the ones that do not. An
//! animated GIF of a few MB, which every browser plays.

use super::canvas::{
    CLIENT, Canvas, EDGE, HIT, Ink, LINK, MISS, ORIGIN, PALETTE, PARENT, Point, REQUEST, WHITE,
    between,
};
use std::io;

const WIDTH: u16 = 480;
const HEIGHT: u16 = 270;
const FRAMES: i32 = 126;
/// Hundredths of a second, the unit of the format: 25 frames per second.
const DELAY: u16 = 4;

const ORIGIN_AT: Point = (45, 135);
const PARENT_AT: Point = (165, 135);
const EDGES_AT: [Point; 2] = [(300, 70), (300, 200)];
const CLIENTS: i32 = 6;

/// Frames from one node to the next.
const HOP: i32 = 8;
/// Packets of one object, and the frames between two of them.
const PACKETS: i32 = 5;
const SPACING: i32 = 3;

/// One packet on one link.
struct Packet {
    from: Point,
    to: Point,
    leaves: i32,
    ink: Ink,
}

/// The whole film.
pub(super) fn film() -> io::Result<Vec<u8>> {
    let packets = script();
    let mut out = Vec::new();
    let palette: Vec<u8> = PALETTE.iter().flatten().copied().collect();
    let mut encoder = gif::Encoder::new(&mut out, WIDTH, HEIGHT, &palette).map_err(wrong)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(wrong)?;
    for at in 0..FRAMES {
        let canvas = picture(at, &packets);
        let frame = gif::Frame {
            width: WIDTH,
            height: HEIGHT,
            delay: DELAY,
            buffer: canvas.pixels.into(),
            ..gif::Frame::default()
        };
        encoder.write_frame(&frame).map_err(wrong)?;
    }
    drop(encoder);
    Ok(out)
}

fn wrong(error: gif::EncodingError) -> io::Error {
    io::Error::other(error)
}

fn client_at(edge: usize, number: i32) -> Point {
    (435, EDGES_AT[edge].1 - 50 + number * 20)
}

/// Who asks for what when: one miss through all tiers, one hit in the parent, many in the edges.
fn script() -> Vec<Packet> {
    let mut packets = Vec::new();
    let all_the_way = [client_at(0, 0), EDGES_AT[0], PARENT_AT, ORIGIN_AT];
    exchange(&mut packets, &all_the_way, 2, MISS);
    for (number, leaves) in (1..CLIENTS).zip([66, 70, 72, 80, 86]) {
        exchange(&mut packets, &[client_at(0, number), EDGES_AT[0]], leaves, HIT);
    }
    let to_the_parent = [client_at(1, 2), EDGES_AT[1], PARENT_AT];
    exchange(&mut packets, &to_the_parent, 50, HIT);
    for (number, leaves) in [0, 1, 3, 4, 5].into_iter().zip([92, 90, 88, 86, 84]) {
        exchange(&mut packets, &[client_at(1, number), EDGES_AT[1]], leaves, HIT);
    }
    packets
}

/// A request along `path` and the answer back, each packet forwarded as soon as it arrives.
fn exchange(packets: &mut Vec<Packet>, path: &[Point], start: i32, ink: Ink) {
    let mut leaves = start;
    for hop in path.windows(2) {
        packets.push(Packet { from: hop[0], to: hop[1], leaves, ink: REQUEST });
        leaves += HOP;
    }
    for hop in path.windows(2).rev() {
        for number in 0..PACKETS {
            let leaves = leaves + number * SPACING;
            packets.push(Packet { from: hop[1], to: hop[0], leaves, ink });
        }
        leaves += HOP;
    }
}

fn picture(at: i32, packets: &[Packet]) -> Canvas {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, at.unsigned_abs() + 1);
    canvas.line(ORIGIN_AT, PARENT_AT, LINK);
    for (edge, place) in EDGES_AT.into_iter().enumerate() {
        canvas.line(PARENT_AT, place, LINK);
        for number in 0..CLIENTS {
            canvas.line(place, client_at(edge, number), LINK);
        }
    }
    for packet in packets {
        let flown = at - packet.leaves;
        if (0..=HOP).contains(&flown) {
            canvas.disc(between(packet.from, packet.to, flown, HOP), 4, packet.ink);
        }
    }
    canvas.block(
        (ORIGIN_AT.0 - 20, ORIGIN_AT.1 - 20),
        (ORIGIN_AT.0 + 20, ORIGIN_AT.1 + 20),
        ORIGIN,
    );
    store(&mut canvas, ORIGIN_AT, PACKETS);
    for (place, ink) in [(PARENT_AT, PARENT), (EDGES_AT[0], EDGE), (EDGES_AT[1], EDGE)] {
        canvas.disc(place, 20, ink);
        let arrived = |packet: &&Packet| {
            packet.to == place && packet.ink != REQUEST && packet.leaves + HOP <= at
        };
        let stored = packets.iter().filter(arrived).count();
        store(&mut canvas, place, i32::try_from(stored).unwrap_or(PACKETS).min(PACKETS));
    }
    for edge in 0..EDGES_AT.len() {
        for number in 0..CLIENTS {
            canvas.disc(client_at(edge, number), 7, CLIENT);
        }
    }
    canvas.block((0, i32::from(HEIGHT) - 3), (i32::from(WIDTH) * at / FRAMES, 269), LINK);
    canvas
}

/// How much of the object a node holds: a small bar for each packet.
fn store(canvas: &mut Canvas, (x, y): Point, packets: i32) {
    for number in 0..packets {
        let left = x - 12 + number * 5;
        canvas.block((left, y - 6), (left + 3, y + 6), WHITE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_of_a_few_megabytes_that_is_always_the_same() {
        let first = film().unwrap();
        assert!(first.starts_with(b"GIF89a"));
        assert_eq!(first.last(), Some(&0x3b), "the format's trailer");
        let megabytes = first.len() / 1_000_000;
        assert!((2..8).contains(&megabytes), "{} octets", first.len());
        assert_eq!(first, film().unwrap());
    }

    #[test]
    fn everything_arrives_before_the_film_ends() {
        let last = script().iter().map(|packet| packet.leaves + HOP).max().unwrap();
        assert!(last < FRAMES, "{last}");
    }
}
