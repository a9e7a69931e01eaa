//! The page: who goes where on a map, how full each edge is over time, and how much farther than need be.

use lastmile_bench::page::{begin, escape, push};
use lastmile_bench::plot::{Axis, Plot};
use lastmile_gslb::simulate::{Client, Simulated};

/// Pixels of a map, and the degrees on it.
const WIDTH: f64 = 880.0;
const WEST: f64 = -130.0;
const EAST: f64 = 155.0;
const NORTH: f64 = 68.0;
const SOUTH: f64 = -42.0;
/// Pixels of the table of utilisation: names to the left, rows.
const NAMES: f64 = 100.0;
const ROW: f64 = 15.0;

/// Colours of regions, in the order in which they come.
const COLOURS: [&str; 8] =
    ["#2f6fb2", "#d9822b", "#1b7f5c", "#c2394b", "#8a5aa8", "#8c6d46", "#d06fb0", "#4aa8a0"];

const STYLE: &str =
    ".card{margin:1.2rem 0}.goals{list-style:none;padding:0}.good{color:#1b7f5c}.bad{color:#c2394b}
.sea{fill:#8a94a6;fill-opacity:.08}.edge{stroke:#222;stroke-width:1}
@media (prefers-color-scheme:dark){.edge{stroke:#fff}}";

pub(super) fn render(simulated: &Simulated) -> String {
    let mut page = begin("lastmile bench steer", "Who goes where, and how full edges are");
    let settings = &simulated.settings;
    let (crowd, lost) = (&simulated.crowd, &simulated.edges[simulated.lost].name);
    push(
        &mut page,
        format_args!(
            "<style>\n{STYLE}\n</style>\n<p>{} client prefixes, 20 edges, one day in {} s, TTL {} s, seed {}. \
             A crowd in {}; {} is lost for a while.</p>\n<ul class=\"goals\">\n",
            settings.clients,
            settings.seconds,
            settings.ttl,
            settings.seed,
            escape(crowd),
            escape(lost)
        ),
    );
    for goal in &simulated.goals {
        let (class, sign) = if goal.reached { ("good", '✓') } else { ("bad", '✗') };
        let (what, found, bound) = (escape(goal.what), goal.found, goal.bound);
        push(
            &mut page,
            format_args!("<li class=\"{class}\">{sign} {what}: {found:.3} (bound {bound})</li>\n"),
        );
    }
    page.push_str("</ul>\n");
    map(&mut page, simulated, "Clients by the region of their edge, before the crowd", |client| {
        client.edge_before
    });
    let title = format!("The same in the middle of the crowd in {crowd}");
    map(&mut page, simulated, &title, |client| client.edge_in_crowd);
    utilisation(&mut page, simulated);
    farther(&mut page, simulated);
    over_time(&mut page, simulated);
    page.push_str("</html>\n");
    page
}

/// The place of an edge's region in the order of regions.
fn region(simulated: &Simulated, edge: usize) -> usize {
    let mut regions: Vec<_> = simulated.edges.iter().map(|edge| &edge.region).collect();
    regions.dedup();
    regions.iter().position(|name| **name == simulated.edges[edge].region).unwrap_or(0)
}

fn map(page: &mut String, simulated: &Simulated, title: &str, edge: impl Fn(&Client) -> usize) {
    let scale = WIDTH / (EAST - WEST);
    let height = (NORTH - SOUTH) * scale;
    let x = |longitude: f64| (longitude - WEST) * scale;
    let y = |latitude: f64| (NORTH - latitude) * scale;
    let title = escape(title);
    push(
        page,
        format_args!(
            "<h2>{title}</h2>\n<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\">\n\
             <rect class=\"sea\" width=\"{WIDTH}\" height=\"{height:.0}\"/>\n"
        ),
    );
    for client in &simulated.clients {
        let colour = COLOURS[region(simulated, edge(client)) % COLOURS.len()];
        let radius = (client.demand * 4e4).sqrt().clamp(1.0, 16.0);
        push(
            page,
            format_args!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\" fill=\"{colour}\" fill-opacity=\".5\"/>\n",
                x(client.longitude),
                y(client.latitude)
            ),
        );
    }
    let mut named = "";
    for (index, edge) in simulated.edges.iter().enumerate() {
        let colour = COLOURS[region(simulated, index) % COLOURS.len()];
        let (x, y) = (x(edge.longitude), y(edge.latitude));
        push(
            page,
            format_args!(
                "<path class=\"edge\" d=\"M{x:.1} {:.1}l6 6l-6 6l-6 -6z\" fill=\"{colour}\"/>\n",
                y - 6.0
            ),
        );
        if named != edge.region {
            named = &edge.region;
            let name = escape(named);
            // To the left where the next region is close by in the east.
            let is_left = matches!(named, "london" | "chicago");
            let (x, anchor) = if is_left { (x - 9.0, "end") } else { (x + 9.0, "start") };
            push(
                page,
                format_args!(
                    "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{name}</text>\n",
                    y + 4.0
                ),
            );
        }
    }
    page.push_str("</svg>\n");
}

/// A colour for a utilisation: green has room, yellow sheds, red is above its capacity.
fn colour(utilisation: f64) -> String {
    match utilisation {
        none if none <= 0.0 => "#33383f".to_owned(),
        room if room < 0.75 => format!("hsl(155 45% {:.0}%)", 92.0 - room * 60.0),
        sheds if sheds <= 1.0 => format!("hsl(42 90% {:.0}%)", 68.0 - (sheds - 0.75) * 80.0),
        _ => "#c2394b".to_owned(),
    }
}

fn utilisation(page: &mut String, simulated: &Simulated) {
    let (moments, edges) = (&simulated.moments, &simulated.edges);
    let height = ROW * edges.len() as f64 + 24.0;
    push(
        page,
        format_args!(
            "<h2>How full edges are: green up to 75 %, yellow up to 100 %, red above, black down</h2>\n\
             <svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"Utilisation over time\">\n"
        ),
    );
    let step = (WIDTH - NAMES) / moments.len().max(1) as f64;
    for (row, edge) in edges.iter().enumerate() {
        let top = row as f64 * ROW;
        let name = escape(&edge.name);
        push(page, format_args!("<text x=\"0\" y=\"{:.0}\">{name}</text>\n", top + 11.0));
        for (at, moment) in moments.iter().enumerate() {
            push(
                page,
                format_args!(
                    "<rect x=\"{:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\"/>\n",
                    NAMES + at as f64 * step,
                    step + 0.3,
                    ROW - 1.0,
                    colour(moment.utilisation[row])
                ),
            );
        }
    }
    for minutes in (0..simulated.settings.seconds / 60).step_by(15) {
        let part = f64::from(minutes * 60) / f64::from(simulated.settings.seconds);
        let x = NAMES + part * (WIDTH - NAMES);
        let y = height - 6.0;
        push(page, format_args!("<text x=\"{x:.0}\" y=\"{y:.0}\">{minutes} min</text>\n"));
    }
    page.push_str("</svg>\n");
}

/// The distribution of extra round-trip times.
fn farther(page: &mut String, simulated: &Simulated) {
    let all: u64 = simulated.extra_ms.iter().sum();
    let mut sum = 0;
    let points = simulated.extra_ms.iter().enumerate().map(|(ms, count)| {
        sum += count;
        ((ms + 1) as f64, sum as f64 / all.max(1) as f64 * 100.0)
    });
    let points: Vec<_> = points.take(100).collect();
    let percents = [90.0, 92.0, 94.0, 96.0, 98.0, 100.0];
    let plot = Plot {
        title: "Clients by how much farther their edge is than the best one with room",
        across: Axis { from: 0.0, ticks: Axis::round_ticks(100.0, " ms") },
        up: Axis { from: 90.0, ticks: percents.map(|it| (it, format!("{it} %"))).to_vec() },
        lines: vec![("clients", points.into_iter().filter(|point| point.1 >= 90.0).collect())],
    };
    plot.draw(page);
}

fn over_time(page: &mut String, simulated: &Simulated) {
    let minutes = f64::from(simulated.settings.seconds) / 60.0;
    let across = || Axis { from: 0.0, ticks: Axis::round_ticks(minutes, " min") };
    let line = |value: &dyn Fn(&lastmile_gslb::simulate::Moment) -> f64| {
        let moments = simulated.moments.iter();
        moments.map(|it| (f64::from(it.second) / 60.0, value(it))).collect::<Vec<_>>()
    };
    let fullest = |it: &lastmile_gslb::simulate::Moment| {
        it.utilisation.iter().copied().fold(0.0, f64::max) * 100.0
    };
    let percents = |step: u32, to: u32| {
        (0..=to / step).map(|it| (f64::from(it * step), format!("{} %", it * step))).collect()
    };
    let load = Plot {
        title: "Utilisation of the fullest edge, and demand of all by the capacity of all",
        across: across(),
        up: Axis { from: 0.0, ticks: percents(20, 200) },
        lines: vec![("fullest edge", line(&fullest)), ("all", line(&|it| it.demand * 100.0))],
    };
    load.draw(page);
    let near = Plot {
        title: "Clients within 10 ms of the best edge that has room",
        across: across(),
        up: Axis {
            from: 80.0,
            ticks: (0..=4)
                .map(|it| (80.0 + 5.0 * f64::from(it), format!("{} %", 80 + 5 * it)))
                .collect(),
        },
        lines: vec![("clients", line(&|it| it.within.max(0.8) * 100.0))],
    };
    near.draw(page);
}

#[cfg(test)]
mod tests {
    use super::*;
    use lastmile_gslb::simulate::{Settings, simulate};

    #[test]
    fn a_page() {
        let settings = Settings { clients: 200, seconds: 1200, ..Settings::default() };
        let simulated = simulate(&settings);
        let page = render(&simulated);
        assert_eq!(page.matches("<svg").count(), 6, "maps, utilisation, three plots");
        assert_eq!(page.matches("<circle").count(), 400, "each client twice");
        assert_eq!(page.matches("class=\"edge\"").count(), 40, "each edge twice");
        assert_eq!(page.matches("✓").count() + page.matches("✗").count(), simulated.goals.len());
        assert!(!page.contains("NaN") && !page.contains("inf"));
    }
}
