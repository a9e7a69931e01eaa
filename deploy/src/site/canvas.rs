//! A picture of palette indices and the few shapes that the site's pictures are made of. Whole
//! numbers only, so that every machine draws the same octets.

/// A point: right and down, in pixels.
pub(super) type Point = (i32, i32);

/// An index into [`PALETTE`].
pub(super) type Ink = u8;

/// Red, green and blue of each [`Ink`].
pub(super) const PALETTE: [[u8; 3]; 16] = [
    [0x10, 0x16, 0x24],
    [0x13, 0x1a, 0x2a],
    [0x17, 0x1f, 0x31],
    [0x1b, 0x24, 0x38],
    [0x3a, 0x47, 0x63],
    [0xe0, 0x7a, 0x5f],
    [0xf2, 0xb1, 0x34],
    [0x3d, 0xa5, 0xd9],
    [0x8f, 0x9b, 0xb3],
    [0xf4, 0xf1, 0xde],
    [0xff, 0x8c, 0x42],
    [0x5f, 0xd3, 0x8d],
    [0x2b, 0x5a, 0x7c],
    [0x2e, 0x6b, 0x4a],
    [0x6b, 0x4a, 0x2e],
    [0xff, 0xff, 0xff],
];

/// Links between nodes, and axes.
pub(super) const LINK: Ink = 4;
/// The origin.
pub(super) const ORIGIN: Ink = 5;
/// The parent.
pub(super) const PARENT: Ink = 6;
/// An edge.
pub(super) const EDGE: Ink = 7;
/// A client.
pub(super) const CLIENT: Ink = 8;
/// A request.
pub(super) const REQUEST: Ink = 9;
/// Content on its way from the origin.
pub(super) const MISS: Ink = 10;
/// Content that a cache had.
pub(super) const HIT: Ink = 11;
/// Fills of areas.
pub(super) const AREAS: [Ink; 3] = [12, 13, 14];
/// What must be seen on top of everything.
pub(super) const WHITE: Ink = 15;

/// A drawing surface.
pub(super) struct Canvas {
    pub(super) width: u16,
    pub(super) height: u16,
    /// Row by row from the top left.
    pub(super) pixels: Vec<Ink>,
}

impl Canvas {
    /// A dark surface with a grain, another one for each `seed`.
    pub(super) fn new(width: u16, height: u16, seed: u32) -> Self {
        let count = usize::from(width) * usize::from(height);
        let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
        let grain = || {
            // Marsaglia's xorshift32: the top bits are as random as a grain needs.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 30) as Ink
        };
        let pixels = std::iter::repeat_with(grain).take(count).collect();
        Self { width, height, pixels }
    }

    pub(super) fn dot(&mut self, (x, y): Point, ink: Ink) {
        let (width, height) = (i32::from(self.width), i32::from(self.height));
        if (0..width).contains(&x) && (0..height).contains(&y) {
            // Both are within the surface, so neither is negative.
            self.pixels[(y * width + x).unsigned_abs() as usize] = ink;
        }
    }

    pub(super) fn disc(&mut self, centre: Point, radius: i32, ink: Ink) {
        for y in -radius..=radius {
            for x in -radius..=radius {
                if x * x + y * y <= radius * radius {
                    self.dot((centre.0 + x, centre.1 + y), ink);
                }
            }
        }
    }

    /// A filled rectangle between two corners, both included.
    pub(super) fn block(&mut self, from: Point, to: Point, ink: Ink) {
        for y in from.1..=to.1 {
            for x in from.0..=to.0 {
                self.dot((x, y), ink);
            }
        }
    }

    pub(super) fn line(&mut self, from: Point, to: Point, ink: Ink) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            self.dot(between(from, to, step, steps), ink);
        }
    }
}

/// The point that is `part` of `whole` along the way.
pub(super) fn between(from: Point, to: Point, part: i32, whole: i32) -> Point {
    (from.0 + (to.0 - from.0) * part / whole, from.1 + (to.1 - from.1) * part / whole)
}
