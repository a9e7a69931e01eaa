//! Lines over two axes, as SVG.

use crate::page::{escape, push};

/// Pixels of the drawing, and of the room around the lines: left for names of values, below for those of places.
const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 20.0;
const BELOW: f64 = 30.0;

/// Ticks that an axis of values has, about.
const TICKS: f64 = 5.0;

/// Where an axis begins, and its places with names; it ends with the first of these that is beyond all lines.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The value where it begins.
    pub from: f64,
    /// Values and their names.
    pub ticks: Vec<(f64, String)>,
}

/// Some lines with their names.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Above it.
    pub title: &'static str,
    /// To the right.
    pub across: Axis,
    /// Of the values.
    pub up: Axis,
    /// Two at most: names and places.
    pub lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

impl Axis {
    /// Round numbers from 0 to a little beyond `highest`.
    #[must_use]
    pub fn round_ticks(highest: f64, unit: &str) -> Vec<(f64, String)> {
        let rough = highest.max(1e-3) / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let name = |value: f64| match value {
            value if value >= 1e9 => format!("{:.1}G{unit}", value / 1e9),
            value if value >= 1e6 => format!("{:.1}M{unit}", value / 1e6),
            value if value >= 1e4 => format!("{:.0}k{unit}", value / 1e3),
            value if step >= 1.0 => format!("{value:.0}{unit}"),
            value => format!("{value:.2}{unit}"),
        };
        (0..=6_u32).map(|index| f64::from(index) * step).map(|value| (value, name(value))).collect()
    }

    /// Its end, for lines up to `highest`.
    fn to(&self, highest: f64) -> f64 {
        let beyond = self.ticks.iter().map(|tick| tick.0).find(|tick| *tick >= highest);
        beyond.unwrap_or(highest).max(self.from + 1e-3)
    }
}

impl Plot {
    /// Appends it to a page.
    pub fn draw(&self, page: &mut String) {
        let title = escape(self.title);
        push(
            page,
            format_args!(
                "<h2>{title}</h2>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n"
            ),
        );
        let all = || self.lines.iter().flat_map(|(_, places)| places);
        let highest = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(0.0, f64::max);
        let (right, top) =
            (self.across.to(highest(|place| place.0)), self.up.to(highest(|place| place.1)));
        let x = |place: f64| {
            let share = (place - self.across.from) / (right - self.across.from);
            LEFT + share * (WIDTH - LEFT - RIGHT)
        };
        let y = |value: f64| {
            let share = (value - self.up.from) / (top - self.up.from);
            HEIGHT - BELOW - share * (HEIGHT - TOP - BELOW)
        };
        for (value, name) in
            self.up.ticks.iter().filter(|tick| (self.up.from..=top).contains(&tick.0))
        {
            push(
                page,
                format_args!(
                    "<path class=\"grid\" d=\"M{LEFT} {0:.1}H{1}\"/>\n\
                     <text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\">{4}</text>\n",
                    y(*value),
                    WIDTH - RIGHT,
                    LEFT - 8.0,
                    y(*value) + 4.0,
                    escape(name)
                ),
            );
        }
        for (place, name) in
            self.across.ticks.iter().filter(|tick| (self.across.from..=right).contains(&tick.0))
        {
            push(
                page,
                format_args!(
                    "<path class=\"grid\" d=\"M{0:.1} {TOP}V{1}\"/>\n\
                     <text x=\"{0:.1}\" y=\"{2}\" text-anchor=\"middle\">{3}</text>\n",
                    x(*place),
                    HEIGHT - BELOW,
                    HEIGHT - BELOW + 20.0,
                    escape(name)
                ),
            );
        }
        self.draw_lines(page, x, y);
        page.push_str("</svg>\n");
    }

    fn draw_lines(&self, page: &mut String, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
        let classes = [("line", "key1"), ("second", "key2")];
        // The first one on top of the other.
        let lines: Vec<_> = (0_u8..).zip(self.lines.iter().zip(classes)).collect();
        for (at, ((name, places), (class, key))) in lines.into_iter().rev() {
            let points: Vec<_> = places
                .iter()
                .map(|(place, value)| format!("{:.1},{:.1}", x(*place), y(*value)))
                .collect();
            push(
                page,
                format_args!(
                    "<polyline class=\"{class}\" points=\"{}\"/>\n\
                     <rect class=\"{key}\" x=\"{2}\" y=\"4\" width=\"10\" height=\"10\"/>\n\
                     <text x=\"{3}\" y=\"14\">{1}</text>\n",
                    points.join(" "),
                    escape(name),
                    LEFT + f64::from(at) * 120.0,
                    LEFT + f64::from(at) * 120.0 + 16.0,
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_beyond() {
        for (highest, unit, last, why) in [
            (9.0, "s", "10s", "seconds"),
            (123_456.0, "", "150k", "thousands"),
            (7.3e9, "", "8.0G", "many"),
            (0.0, "", "0.00", "nothing"),
        ] {
            let axis = Axis { from: 0.0, ticks: Axis::round_ticks(highest, unit) };
            let end = axis.to(highest);
            assert!(end >= highest, "{why}: {end}");
            let name = axis.ticks.iter().find(|tick| tick.0 >= highest).map(|tick| &tick.1);
            assert_eq!(name.map(String::as_str), Some(last), "{why}");
        }
    }
}
