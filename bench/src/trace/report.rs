//! The figures of policies as text and as a page with curves.

use super::{Curve, Played, Policy};
use crate::page::{begin, escape, push};
use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const BOTTOM: f64 = 30.0;
const COLOURS: [&str; 6] = ["#5b6b85", "#b0813b", "#8a5aa8", "#c2571a", "#3b8bb0", "#1b7f5c"];

/// A table for each trace.
#[must_use]
pub fn text(all: &[Played]) -> String {
    let mut out = String::new();
    for played in all {
        let Played { trace, about, popular_octets, curves } = played;
        let _ = writeln!(out, "{trace}: {about}");
        let _ = write!(out, "{:40}", "disk, of what is popular");
        for point in curves.first().map_or(&[][..], |curve| &curve.points) {
            let _ = write!(out, "{:>8.1} %", share(point.disk_octets, *popular_octets));
        }
        let _ = writeln!(out);
        for (what, value) in FIGURES {
            let _ = writeln!(out, "  {what}");
            for curve in curves {
                let _ = write!(out, "    {:36}", curve.policy.name());
                for point in &curve.points {
                    let _ = write!(out, "{:>10.3}", value(point));
                }
                let _ = writeln!(out);
            }
        }
        let _ = writeln!(out);
    }
    out
}

type Figure = (&'static str, fn(&super::Point) -> f64);

const FIGURES: [Figure; 4] = [
    ("hits of all requests, from RAM or disk", |point| point.hit_ratio),
    ("the same, by octets", |point| point.octet_hit_ratio),
    ("write amplification", |point| point.write_amplification),
    ("octets written for each that was asked for", |point| point.written_per_asked),
];

fn share(part: u64, whole: u64) -> f64 {
    super::float(part) / super::float(whole.max(1)) * 100.0
}

/// A page with curves.
#[must_use]
pub fn html(all: &[Played]) -> String {
    let title = "Which policy keeps what is asked for, and what it writes";
    let mut page = begin(title, title);
    push(
        &mut page,
        format_args!(
            "<p>Models of policies behind the same RAM tier, a tenth of the disk. \
             The second half of each trace counts. \
             Across: octets of the disk, of all that is popular.</p>\n<ul>\n"
        ),
    );
    for (policy, colour) in Policy::ALL.into_iter().zip(COLOURS) {
        let name = escape(policy.name());
        push(&mut page, format_args!("<li><b style=\"color:{colour}\">&#9632;</b> {name}</li>\n"));
    }
    push(&mut page, format_args!("</ul>\n"));
    for played in all {
        let (trace, about) = (escape(played.trace), escape(played.about));
        push(&mut page, format_args!("<h2>{trace}: {about}</h2>\n"));
        for (what, value) in [FIGURES[0], FIGURES[3]] {
            plot(&mut page, what, &played.curves, played.popular_octets, value);
        }
    }
    page
}

fn plot(
    page: &mut String,
    what: &str,
    curves: &[Curve],
    popular_octets: u64,
    value: fn(&super::Point) -> f64,
) {
    let all = curves.iter().flat_map(|curve| &curve.points);
    let highest = all.map(value).fold(0.1, f64::max);
    let top = (highest * 10.0).ceil() / 10.0;
    // From 1 % to 40 % on an axis that doubles.
    let x = |octets: u64| {
        let share = share(octets, popular_octets).max(0.1);
        LEFT + (share.log2() + 0.1) / (42f64.log2() + 0.1) * (WIDTH - LEFT - 10.0)
    };
    let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - 24.0);
    push(
        page,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><text x=\"{LEFT}\" y=\"14\">{}</text>\n",
            escape(what)
        ),
    );
    for line in 0..=4 {
        let at = top * f64::from(line) / 4.0;
        let height = y(at);
        push(
            page,
            format_args!(
                "<path class=\"grid\" d=\"M{LEFT} {height:.1}H{WIDTH}\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{at:.2}</text>\n",
                LEFT - 6.0,
                height + 4.0
            ),
        );
    }
    for point in curves.first().map_or(&[][..], |curve| &curve.points) {
        push(
            page,
            format_args!(
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{:.3} %</text>\n",
                x(point.disk_octets),
                HEIGHT - 10.0,
                Percent(share(point.disk_octets, popular_octets))
            ),
        );
    }
    for curve in curves {
        let colour = Policy::ALL.iter().position(|policy| *policy == curve.policy).unwrap_or(0);
        let steps = curve.points.iter().enumerate().map(|(number, point)| {
            let verb = if number == 0 { 'M' } else { 'L' };
            format!("{verb}{:.1} {:.1}", x(point.disk_octets), y(value(point)))
        });
        let path: String = steps.collect();
        push(
            page,
            format_args!(
                "<path class=\"line\" style=\"stroke:{}\" d=\"{path}\"><title>{}</title></path>\n",
                COLOURS[colour],
                escape(curve.policy.name())
            ),
        );
    }
    push(page, format_args!("</svg>\n"));
}

/// Without digits that say nothing.
struct Percent(f64);

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = usize::from(self.0 < 9.95 && (self.0 - self.0.round()).abs() > 0.05);
        write!(f, "{:.digits$}", self.0)
    }
}
