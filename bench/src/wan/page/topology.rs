//! The hosts of a scenario as boxes in a row, and the links between them: a line between neighbours, an arc over those
//! in between for all others.

use super::super::outcome::{LinkShown, Outcome};
use crate::page::{escape, push};

/// Pixels of a letter, about, of a line of text, of a box, and between two boxes at least.
const LETTER: f64 = 7.4;
const LINE: f64 = 16.0;
const BOX_HEIGHT: f64 = 38.0;
const BOX_WIDTH_MIN: f64 = 84.0;
const GAP_MIN: f64 = 70.0;
const EDGE: f64 = 8.0;

/// Between two arcs that end at one side of a box.
const FOOT: f64 = 14.0;

/// Hosts of which all orders are tried: 5,040 of them for 7. More stay in the order of the file.
const ORDERED_MAX: usize = 7;

/// Where everything is.
struct Layout<'a> {
    boxes: Vec<Box<'a>>,
    lines: Vec<Line<'a>>,
    arcs: Vec<Arc<'a>>,
    /// The upper edge of the boxes.
    top: f64,
    height: f64,
    width: f64,
}

struct Box<'a> {
    name: &'a str,
    left: f64,
    width: f64,
}

/// A link between neighbours: the place of the left one, and what it is like.
struct Line<'a> {
    left: usize,
    parts: Vec<&'a str>,
}

/// A link between others: the places of both, and how high it goes.
struct Arc<'a> {
    left: usize,
    right: usize,
    level: usize,
    lines: Vec<String>,
    text: &'a str,
}

/// Appends the sketch; nothing where there are no hosts.
pub(super) fn draw(page: &mut String, outcome: &Outcome) {
    if outcome.hosts.is_empty() {
        return;
    }
    let layout = Layout::of(&outcome.hosts, &outcome.links);
    let words: Vec<_> = outcome
        .links
        .iter()
        .map(|link| format!("{} to {}: {}", link.ends[0], link.ends[1], link.text))
        .collect();
    push(
        page,
        format_args!(
            "<div class=\"wide\"><svg class=\"topology\" viewBox=\"0 0 {0:.0} {1:.0}\" \
             style=\"width:{0:.0}px\" role=\"img\">\n\
             <title>Hosts and links of {2}</title>\n<desc>{3}</desc>\n",
            layout.width,
            layout.height,
            escape(&outcome.name),
            escape(&words.join("; "))
        ),
    );
    layout.draw_arcs(page);
    layout.draw_lines(page);
    for host in &layout.boxes {
        push(
            page,
            format_args!(
                "<rect class=\"host\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BOX_HEIGHT}\" rx=\"7\"/>\
                 <text class=\"strong middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                host.left,
                layout.top,
                host.width,
                host.middle(),
                layout.top + BOX_HEIGHT / 2.0 + 4.5,
                escape(host.name)
            ),
        );
    }
    page.push_str("</svg></div>\n");
}

impl Box<'_> {
    fn middle(&self) -> f64 {
        self.left + self.width / 2.0
    }
}

impl<'a> Layout<'a> {
    fn of(hosts: &'a [String], links: &'a [LinkShown]) -> Self {
        let order = order(hosts, links);
        let place = |name: &str| order.iter().position(|at| hosts[*at] == name);
        let (mut lines, mut arcs) = (Vec::<Line<'_>>::new(), Vec::new());
        for link in links {
            let (Some(one), Some(other)) = (place(&link.ends[0]), place(&link.ends[1])) else {
                continue;
            };
            let (left, right) = (one.min(other), one.max(other));
            if left + 1 == right && lines.iter().all(|line| line.left != left) {
                lines.push(Line { left, parts: parts(&link.text).collect() });
            } else {
                arcs.push(Arc { left, right, level: 0, lines: Vec::new(), text: &link.text });
            }
        }
        stack(&mut arcs);
        let mut layout = Self { boxes: Vec::new(), lines, arcs, top: 0.0, height: 0.0, width: 0.0 };
        layout.place_boxes(&order, hosts);
        layout.wrap_arcs();
        layout.place_rows();
        layout
    }

    fn place_boxes(&mut self, order: &[usize], hosts: &'a [String]) {
        let mut left = EDGE;
        for (place, host) in order.iter().enumerate() {
            let name = hosts[*host].as_str();
            // A foot more than there are keeps those of both sides apart.
            let feet = self.feet(place, true).count().max(self.feet(place, false).count());
            let width = text_width(name) + 28.0;
            let width = width.max(BOX_WIDTH_MIN).max((float(feet) + 0.5) * 2.0 * FOOT);
            self.boxes.push(Box { name, left, width });
            let parts =
                self.lines.iter().filter(|line| line.left == place).flat_map(|line| &line.parts);
            let gap = parts.map(|part| text_width(part) + 20.0).fold(GAP_MIN, f64::max);
            left += width + gap;
            self.width = left - gap + EDGE;
        }
    }

    /// Arcs that end at a box, on its right or its left side, in the order of their levels.
    fn feet(&self, place: usize, is_right: bool) -> impl Iterator<Item = usize> {
        let mut feet: Vec<_> = (0..self.arcs.len())
            .filter(|arc| {
                if is_right {
                    self.arcs[*arc].left == place
                } else {
                    self.arcs[*arc].right == place
                }
            })
            .collect();
        feet.sort_by_key(|arc| self.arcs[*arc].level);
        feet.into_iter()
    }

    /// Where an arc ends at a box: the lower it is, the nearer to where it goes.
    fn foot(&self, arc: usize, is_right: bool) -> f64 {
        let place = if is_right { self.arcs[arc].left } else { self.arcs[arc].right };
        let nth = self.feet(place, is_right).position(|other| other == arc).unwrap_or(0);
        let host = &self.boxes[place];
        let inward = FOOT * (float(nth) + 0.75);
        if is_right { host.left + host.width - inward } else { host.left + inward }
    }

    /// On as few lines as have room between both ends.
    fn wrap_arcs(&mut self) {
        for arc in 0..self.arcs.len() {
            let room = self.foot(arc, false) - self.foot(arc, true) - 12.0;
            let mut lines: Vec<String> = Vec::new();
            for part in parts(self.arcs[arc].text) {
                match lines.last_mut() {
                    Some(line) if text_width(line) + text_width(part) + 2.0 * LETTER <= room => {
                        line.push_str(", ");
                        line.push_str(part);
                    }
                    Some(_) | None => lines.push(part.to_owned()),
                }
            }
            self.arcs[arc].lines = lines;
        }
    }

    fn place_rows(&mut self) {
        let levels = self.arcs.iter().map(|arc| arc.level + 1).max().unwrap_or(0);
        self.top = EDGE + (0..levels).map(|level| self.level_height(level)).sum::<f64>();
        // The first part of what a line is like is above it, all others are below.
        let below = self.lines.iter().map(|line| line.parts.len().saturating_sub(1)).max();
        let text = BOX_HEIGHT / 2.0 + LINE * float(below.unwrap_or(0)) + 6.0;
        self.height = self.top + text.max(BOX_HEIGHT) + EDGE;
        let widest = self.arcs.iter().enumerate().flat_map(|(at, arc)| {
            let middle = f64::midpoint(self.foot(at, true), self.foot(at, false));
            arc.lines.iter().map(move |line| middle + text_width(line) / 2.0 + EDGE)
        });
        self.width = widest.fold(self.width, f64::max);
    }

    fn level_height(&self, level: usize) -> f64 {
        let lines =
            self.arcs.iter().filter(|arc| arc.level == level).map(|arc| arc.lines.len()).max();
        LINE * float(lines.unwrap_or(0)) + 14.0
    }

    fn draw_arcs(&self, page: &mut String) {
        for (at, arc) in self.arcs.iter().enumerate() {
            let (from, to) = (self.foot(at, true), self.foot(at, false));
            let below: f64 = (0..arc.level).map(|level| self.level_height(level)).sum();
            let rise = self.top - below - 12.0;
            push(
                page,
                format_args!(
                    "<path class=\"wire\" d=\"M{from:.1} {0:.1}V{1:.1}q0 -8 8 -8H{2:.1}q8 0 8 8V{0:.1}\"/>\n",
                    self.top,
                    rise + 8.0,
                    to - 8.0
                ),
            );
            let middle = f64::midpoint(from, to);
            for (up, line) in arc.lines.iter().rev().enumerate() {
                push(
                    page,
                    format_args!(
                        "<text class=\"soft middle\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>\n",
                        rise - 5.0 - LINE * float(up),
                        escape(line)
                    ),
                );
            }
        }
    }

    fn draw_lines(&self, page: &mut String) {
        let y = self.top + BOX_HEIGHT / 2.0;
        for line in &self.lines {
            let (left, right) = (&self.boxes[line.left], &self.boxes[line.left + 1]);
            let (from, to) = (left.left + left.width, right.left);
            push(page, format_args!("<path class=\"wire\" d=\"M{from:.1} {y:.1}H{to:.1}\"/>\n"));
            for (at, part) in line.parts.iter().enumerate() {
                let y = if at == 0 { y - 6.0 } else { y + LINE * float(at) - 1.0 };
                push(
                    page,
                    format_args!(
                        "<text class=\"soft middle\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>\n",
                        f64::midpoint(from, to),
                        escape(part)
                    ),
                );
            }
        }
    }
}

/// The order of the hosts in which the links are the shortest; that of the file if it is one of these.
fn order(hosts: &[String], links: &[LinkShown]) -> Vec<usize> {
    let file: Vec<usize> = (0..hosts.len()).collect();
    if hosts.len() > ORDERED_MAX {
        return file;
    }
    let place = |name: &String| hosts.iter().position(|host| host == name);
    let pairs: Vec<_> = links
        .iter()
        .filter_map(|link| Some((place(&link.ends[0])?, place(&link.ends[1])?)))
        .collect();
    let length = |order: &[usize]| -> usize {
        let mut places = vec![0; order.len()];
        for (at, host) in order.iter().enumerate() {
            places[*host] = at;
        }
        pairs.iter().map(|(one, other)| places[*one].abs_diff(places[*other])).sum()
    };
    let mut best = (length(&file), file.clone());
    let mut chosen = Vec::new();
    try_all(&mut chosen, hosts.len(), &mut |order| {
        let length = length(order);
        if length < best.0 {
            best = (length, order.to_vec());
        }
    });
    best.1
}

/// Every order of `0..count`, in the order of a dictionary.
fn try_all(chosen: &mut Vec<usize>, count: usize, each: &mut impl FnMut(&[usize])) {
    if chosen.len() == count {
        each(chosen);
        return;
    }
    for next in 0..count {
        if !chosen.contains(&next) {
            chosen.push(next);
            try_all(chosen, count, each);
            chosen.pop();
        }
    }
}

/// Gives each arc a level above all shorter ones that it shares a part of the row with.
fn stack(arcs: &mut [Arc<'_>]) {
    arcs.sort_by_key(|arc| (arc.right - arc.left, arc.left));
    for at in 0..arcs.len() {
        let (lower, this) = arcs.split_at_mut(at);
        let this = &mut this[0];
        let shares =
            lower.iter().filter(|other| other.left < this.right && this.left < other.right);
        this.level = shares.map(|other| other.level + 1).max().unwrap_or(0);
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty())
}

fn text_width(text: &str) -> f64 {
    float(text.chars().count()) * LETTER
}

/// Counts of letters and hosts are small.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(hosts: &str, links: &[[&str; 3]]) -> (Vec<String>, Vec<(usize, usize, usize)>) {
        let hosts: Vec<String> = hosts.split(' ').map(str::to_owned).collect();
        let links: Vec<_> = links
            .iter()
            .map(|[one, other, text]| LinkShown {
                ends: [(*one).to_owned(), (*other).to_owned()],
                text: (*text).to_owned(),
            })
            .collect();
        let layout = Layout::of(&hosts, &links);
        let names = layout.boxes.iter().map(|host| host.name.to_owned()).collect();
        let mut arcs: Vec<_> =
            layout.arcs.iter().map(|arc| (arc.left, arc.right, arc.level)).collect();
        arcs.sort_unstable();
        assert_eq!(layout.lines.len() + arcs.len(), links.len());
        (names, arcs)
    }

    #[test]
    fn a_chain_is_a_row_and_others_are_above_it() {
        let chain = [["client", "edge", ""], ["edge", "parent", ""], ["parent", "origin", ""]];
        let (names, arcs) = placed("client edge parent origin", &chain);
        assert_eq!((names.join(" ").as_str(), arcs.len()), ("client edge parent origin", 0));
        let (names, _) = placed("client origin edge parent", &chain);
        assert_eq!(names.join(" "), "client edge parent origin", "whatever the order of the file");
        let direct = [&chain[..], &[["origin", "client", ""]]].concat();
        let (names, arcs) = placed("client edge parent origin", &direct);
        assert_eq!(
            names.join(" "),
            "client edge parent origin",
            "that of the file is as good as others"
        );
        assert_eq!(arcs, [(0, 3, 0)]);
        let (_, arcs) = placed("a b c", &[["a", "b", ""], ["b", "c", ""], ["a", "c", ""]]);
        assert_eq!(arcs, [(0, 2, 0)], "a triangle");
        let twice = [["a", "b", "1 ms"], ["a", "b", "2 ms"], ["b", "a", "3 ms"]];
        assert_eq!(placed("a b", &twice).1, [(0, 1, 0), (0, 1, 1)], "more than one");
        let star = [["e", "a", ""], ["e", "b", ""], ["e", "c", ""], ["e", "d", ""]];
        assert_eq!(
            placed("a b c d e", &star).1,
            [(0, 2, 0), (2, 4, 0)],
            "the middle is in the middle"
        );
        let all = [["a", "c", ""], ["b", "d", ""], ["a", "d", ""]];
        let (_, arcs) = placed(
            "a b c d",
            &[&all[..], &[["a", "b", ""], ["b", "c", ""], ["c", "d", ""]]].concat(),
        );
        assert_eq!(arcs, [(0, 2, 0), (0, 3, 2), (1, 3, 1)]);
        assert_eq!(placed("a", &[]).0, ["a"]);
    }
}
