//! The drawn pictures, as PNG: which edge is nearest to each place, and how popularity is spread.

use super::canvas::{AREAS, CLIENT, Canvas, EDGE, HIT, LINK, MISS, PALETTE, Point, WHITE};
use std::io;

const WIDTH: u16 = 640;
const HEIGHT: u16 = 320;

/// A map: the colour of a place says which edge is nearest to it.
pub(super) fn regions() -> io::Result<Vec<u8>> {
    let edges: [Point; 6] = [(90, 80), (230, 230), (320, 70), (430, 190), (560, 90), (590, 260)];
    let mut canvas = Canvas::new(WIDTH, HEIGHT, 1);
    let nearest = |x: i32, y: i32| {
        (0..edges.len())
            .min_by_key(|edge| (edges[*edge].0 - x).pow(2) + (edges[*edge].1 - y).pow(2))
    };
    for y in 0..i32::from(HEIGHT) {
        for x in 0..i32::from(WIDTH) {
            let here = nearest(x, y);
            let border = here != nearest(x + 1, y) || here != nearest(x, y + 1);
            // A chequered fill lets the grain shine through.
            if border {
                canvas.dot((x, y), CLIENT);
            } else if (x + y) % 2 == 0 {
                canvas.dot((x, y), AREAS[here.unwrap_or(0) % AREAS.len()]);
            }
        }
    }
    for edge in edges {
        canvas.disc(edge, 9, WHITE);
        canvas.disc(edge, 7, EDGE);
    }
    png(&canvas)
}

/// Requests of each object, the most popular first, as 1/rank: what a small cache already holds is
/// green.
pub(super) fn popularity() -> io::Result<Vec<u8>> {
    const OBJECTS: i32 = 100;
    const STORED: i32 = 10;
    const TALLEST: i32 = 280;
    let mut canvas = Canvas::new(WIDTH, HEIGHT, 2);
    let ground = i32::from(HEIGHT) - 20;
    for object in 0..OBJECTS {
        let left = 20 + object * 6;
        let tall = (TALLEST / (object + 1)).max(1);
        let ink = if object < STORED { HIT } else { MISS };
        canvas.block((left, ground - tall), (left + 4, ground), ink);
    }
    canvas.line((15, ground + 1), (i32::from(WIDTH) - 15, ground + 1), LINK);
    canvas.line((15, 15), (15, ground + 1), LINK);
    png(&canvas)
}

fn png(canvas: &Canvas) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder =
        png::Encoder::new(&mut out, u32::from(canvas.width), u32::from(canvas.height));
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(PALETTE.iter().flatten().copied().collect::<Vec<u8>>());
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&canvas.pixels)?;
    writer.finish()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_small_and_always_the_same() {
        for (name, draw) in
            [("regions", regions as fn() -> io::Result<Vec<u8>>), ("popularity", popularity)]
        {
            let picture = draw().unwrap();
            assert!(picture.starts_with(b"\x89PNG"), "{name}");
            assert!((1_000..150_000).contains(&picture.len()), "{name}: {}", picture.len());
            assert_eq!(picture, draw().unwrap(), "{name}");
        }
    }
}
