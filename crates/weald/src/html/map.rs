//! The network on a map: points of presence, core links as wide as their rates, sites by kind; and
//! on small maps of the same extent what a failure takes with it.
//!
//! Nothing is said by colour alone: what failed is crossed out, sites that are cut off have a cross
//! of their own, and a table says the same.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use model::plan::{Link, LinkKind, Plan};
use proof::{Failure, Loss};

use super::geometry::{Anchor, Point, Projection, WIDTH};
use super::markup::Markup;
use crate::screen::{count, number};

/// Kinds of premises with a mark of their own; the others share one.
const KINDS_MAX: usize = 5;
/// Marks, the last one for all other kinds; paths around (0, 0).
const MARKS: [&str; KINDS_MAX + 1] = [
    "M-4,0A4,4 0 1 0 4,0A4,4 0 1 0 -4,0Z",
    "M0,-5L5,4L-5,4Z",
    "M0,5L5,-4L-5,-4Z",
    "M0,-5.5L5.5,0L0,5.5L-5.5,0Z",
    "M-1.6,-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z",
    "M-3.5,-3.5H3.5V3.5H-3.5Z",
];
/// Between links of the same two points of presence.
const APART: f64 = 6.0;

/// A core link between two places.
#[derive(Debug)]
struct Line {
    /// Its place in [`Plan::links`].
    link: usize,
    ends: [Point; 2],
}

/// What is where.
#[derive(Debug)]
pub(crate) struct Map<'a> {
    plan: &'a Plan,
    projection: Projection,
    /// By place in the plan; none: nobody knows where it is.
    pops: Vec<Option<Point>>,
    sites: Vec<Option<Point>>,
    lines: Vec<Line>,
    /// Kinds of premises with a mark of their own, the most frequent first.
    kinds: Vec<&'a str>,
    /// How many premises have the last mark.
    others: usize,
}

impl<'a> Map<'a> {
    /// None where nobody knows where anything is.
    pub(crate) fn new(plan: &'a Plan) -> Option<Self> {
        let of_pops = plan.pops.iter().filter_map(|pop| pop.position);
        let of_sites = plan.sites.iter().filter_map(|site| site.position);
        let projection = Projection::of(&of_pops.chain(of_sites).collect::<Vec<_>>())?;
        let point = |at| projection.point(at);
        let pops = plan.pops.iter().map(|pop| pop.position.map(point)).collect::<Vec<_>>();
        let sites = plan.sites.iter().map(|site| site.position.map(point)).collect();
        let mut frequent: BTreeMap<&str, usize> = BTreeMap::new();
        for site in plan.sites.iter().filter(|site| site.position.is_some()) {
            *frequent.entry(&site.kind).or_default() += 1;
        }
        let mut frequent: Vec<(&str, usize)> = frequent.into_iter().collect();
        frequent.sort_by_key(|(_, sites)| core::cmp::Reverse(*sites));
        let others = frequent.iter().skip(KINDS_MAX).map(|(_, sites)| sites).sum();
        let kinds = frequent.iter().take(KINDS_MAX).map(|(kind, _)| *kind).collect();
        let lines = lines(plan, &pops);
        Some(Self { plan, projection, pops, sites, lines, kinds, others })
    }

    /// How many sites are not on the map.
    pub(crate) fn unknown(&self) -> usize {
        self.sites.iter().filter(|site| site.is_none()).count()
    }

    /// How many core links are on the map.
    pub(crate) const fn lines(&self) -> usize {
        self.lines.len()
    }

    fn view_box(&self) -> String {
        format!("0 0 {WIDTH:.0} {:.0}", self.projection.height.ceil())
    }

    /// A picture that is described by the element of this id.
    fn picture(&self, markup: &mut Markup, described_by: &str, inside: impl FnOnce(&mut Markup)) {
        let view_box = self.view_box();
        let attributes =
            [("viewBox", view_box.as_str()), ("role", "img"), ("aria-labelledby", described_by)];
        markup.element("svg", &attributes, inside);
    }

    /// The whole network. Sites that some failure in the core cuts off are hollow; those that are cut
    /// off already are crossed out.
    pub(crate) fn write(&self, markup: &mut Markup, weak: &[bool], standing: &[usize]) {
        self.shared(markup);
        self.picture(markup, "map-caption", |markup| {
            for line in &self.lines {
                let width = self.link(line).map_or(1.0, |link| width(link.rate_kbps));
                let title = self.link(line).map_or("", |link| &link.name);
                self.line(markup, line, ("core", width), title);
            }
            for (place, at) in self.sites.iter().enumerate() {
                if let Some(at) = at {
                    self.site(markup, place, *at, weak.get(place).is_some_and(|weak| *weak));
                }
            }
            let cut = standing.iter().filter_map(|site| self.sites.get(*site).copied().flatten());
            crosses(markup, cut, 7.0);
            self.pops(markup);
        });
        self.key(markup, !standing.is_empty());
    }

    /// What every small map is drawn on, once for all of them; and the marks of sites.
    fn shared(&self, markup: &mut Markup) {
        let hidden =
            [("width", "0"), ("height", "0"), ("aria-hidden", "true"), ("focusable", "false")];
        markup.element("svg", &hidden, |markup| {
            for (kind, path) in MARKS.iter().enumerate() {
                markup.element(
                    "symbol",
                    &[("id", &format!("k{kind}")), ("overflow", "visible")],
                    |markup| {
                        markup.empty("path", &[("d", path)]);
                    },
                );
            }
            markup.element("g", &[("id", "small-map"), ("class", "small")], |markup| {
                for line in &self.lines {
                    self.line(markup, line, ("core", 4.0), "");
                }
                let mut dots = String::new();
                for at in self.sites.iter().flatten() {
                    let _ = write!(dots, "M{:.0},{:.0}h8v8h-8z", at.x - 4.0, at.y - 4.0);
                }
                markup.empty("path", &[("class", "site"), ("d", &dots)]);
                self.pops.iter().flatten().for_each(|at| square(markup, *at, 11.0, "pop"));
            });
        });
    }

    /// A small map of a failure.
    pub(crate) fn write_failure(
        &self,
        markup: &mut Markup,
        described_by: &str,
        failures: &[&Failure],
        loss: &Loss,
    ) {
        self.picture(markup, described_by, |markup| {
            markup.empty("use", &[("href", "#small-map")]);
            for line in self.failed_lines(failures) {
                self.line(markup, line, ("halo", 9.0), "");
                self.line(markup, line, ("core lost", 7.0), "");
            }
            let failed = self.failed(failures);
            crosses(markup, failed.iter().copied(), 36.0);
            for at in
                self.failed_pops(failures).filter_map(|pop| self.pops.get(pop).copied().flatten())
            {
                square(markup, at, 36.0, "cut");
            }
            let cut = loss.sites.iter().filter_map(|site| self.sites.get(*site).copied().flatten());
            crosses(markup, cut, 11.0);
            let words = count(loss.sites.len(), "site ✕", "sites ✕");
            let y = format!("{:.0}", self.projection.height - 12.0);
            markup.leaf("text", &[("x", "14"), ("y", &y)], &words);
        });
    }

    /// Where what has failed is.
    fn failed(&self, failures: &[&Failure]) -> Vec<Point> {
        let pops =
            self.failed_pops(failures).filter_map(|pop| self.pops.get(pop).copied().flatten());
        let middle = |line: &Line| {
            let [a, b] = line.ends;
            Point { x: f64::midpoint(a.x, b.x), y: f64::midpoint(a.y, b.y) }
        };
        pops.chain(self.failed_lines(failures).map(middle)).collect()
    }

    fn failed_lines<'f>(&'f self, failures: &'f [&Failure]) -> impl Iterator<Item = &'f Line> {
        self.lines.iter().filter(|line| {
            failures.iter().any(|failure| match failure {
                Failure::Link(place) => *place == line.link,
                Failure::SharedRisk(name) => {
                    self.link(line).is_some_and(|link| link.shared_risks.contains(name))
                }
                Failure::Router(_) | Failure::Pop(_) => false,
            })
        })
    }

    /// Places in [`Plan::pops`].
    fn failed_pops<'f>(&'f self, failures: &'f [&Failure]) -> impl Iterator<Item = usize> {
        let pops = self.plan.pops.iter().enumerate();
        let failed = pops.filter(|(place, pop)| {
            failures.iter().any(|failure| match failure {
                Failure::Pop(failed) => failed == place,
                Failure::Router(router) => self
                    .plan
                    .routers
                    .get(*router)
                    .is_some_and(|router| pop.routers.contains(&router.name)),
                Failure::SharedRisk(name) => pop.shared_risks.contains(name),
                Failure::Link(_) => false,
            })
        });
        failed.map(|(place, _)| place)
    }

    fn link(&self, line: &Line) -> Option<&'a Link> {
        self.plan.links.get(line.link)
    }

    fn line(&self, markup: &mut Markup, line: &Line, (class, width): (&str, f64), title: &str) {
        let [a, b] = line.ends;
        let path = format!("M{:.1},{:.1}L{:.1},{:.1}", a.x, a.y, b.x, b.y);
        let width = format!("{width:.1}");
        let attributes = [("class", class), ("stroke-width", width.as_str()), ("d", path.as_str())];
        titled(markup, "path", &attributes, title);
    }

    fn site(&self, markup: &mut Markup, place: usize, at: Point, weak: bool) {
        let Some(site) = self.plan.sites.get(place) else { return };
        let mark = self.kinds.iter().position(|kind| *kind == site.kind).unwrap_or(KINDS_MAX);
        let (href, x, y) = (format!("#k{mark}"), format!("{:.1}", at.x), format!("{:.1}", at.y));
        let class = if weak { "site weak" } else { "site" };
        let attributes = [("class", class), ("href", &href), ("x", &x), ("y", &y)];
        titled(markup, "use", &attributes, &format!("{} ({})", site.name, site.code));
    }

    fn pops(&self, markup: &mut Markup) {
        let all = self.plan.pops.iter().zip(&self.pops);
        let named: Vec<(Point, &str)> =
            all.filter_map(|(pop, at)| Some(((*at)?, pop.name.as_str()))).collect();
        for (at, name) in &named {
            let path = square_path(*at, 6.0);
            titled(markup, "path", &[("class", "pop"), ("d", &path)], name);
        }
        for ((_, name), label) in named.iter().zip(self.projection.labels(&named)) {
            let (x, y) = (format!("{:.1}", label.at.x), format!("{:.1}", label.at.y));
            let anchor = match label.anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            markup.leaf("text", &[("x", &x), ("y", &y), ("text-anchor", anchor)], name);
        }
    }

    /// What the marks mean.
    fn key(&self, markup: &mut Markup, cut_already: bool) {
        let item = |markup: &mut Markup, words: &str, draw: &dyn Fn(&mut Markup)| {
            markup.element("li", &[], |markup| {
                let attributes = [("viewBox", "-14 -9 28 18"), ("aria-hidden", "true")];
                markup.element("svg", &attributes, |markup| draw(markup));
                markup.leaf("span", &[], words);
            });
        };
        let mark = |markup: &mut Markup, kind: usize, class: &str| {
            markup.empty("use", &[("class", class), ("href", &format!("#k{kind}"))]);
        };
        let middle = Point { x: 0.0, y: 0.0 };
        markup.element("ul", &[("class", "key")], |markup| {
            item(markup, "point of presence", &|markup| square(markup, middle, 6.0, "pop"));
            for rate in self.rates() {
                let wide = format!("{:.1}", width(rate));
                let line = [("class", "core"), ("stroke-width", wide.as_str()), ("d", "M-14,0H14")];
                item(markup, &bits(rate), &|markup| markup.empty("path", &line));
            }
            for (kind, name) in self.kinds.iter().enumerate() {
                let words = name.replace('_', " ");
                item(markup, &words, &|markup| mark(markup, kind, "site"));
            }
            if self.others > 0 {
                item(markup, "other premises", &|markup| mark(markup, KINDS_MAX, "site"));
            }
            let hollow = "hollow: some single failure in the core cuts the site off";
            item(markup, hollow, &|markup| mark(markup, 0, "site weak"));
            if cut_already {
                let words = "crossed out: cut off already";
                item(markup, words, &|markup| crosses(markup, [middle].into_iter(), 7.0));
            }
        });
    }

    /// The rates of the lines, the least first.
    fn rates(&self) -> Vec<u32> {
        let rates = self.lines.iter().filter_map(|line| Some(self.link(line)?.rate_kbps));
        let mut rates: Vec<u32> = rates.collect();
        rates.sort_unstable();
        rates.dedup();
        rates
    }
}

/// Core links between different places; those of the same two places beside each other.
fn lines(plan: &Plan, pops: &[Option<Point>]) -> Vec<Line> {
    let homes = plan.pops.iter().enumerate();
    let homes: BTreeMap<&str, usize> = homes
        .flat_map(|(place, pop)| pop.routers.iter().map(move |name| (name.as_str(), place)))
        .collect();
    let mut between: BTreeMap<[usize; 2], Vec<usize>> = BTreeMap::new();
    for (place, link) in
        plan.links.iter().enumerate().filter(|(_, link)| link.kind == LinkKind::Core)
    {
        let home = |end: usize| link.ends.get(end).and_then(|end| homes.get(end.router.as_str()));
        if let (Some(a), Some(b)) = (home(0), home(1)) {
            between.entry([*a.min(b), *a.max(b)]).or_default().push(place);
        }
    }
    let mut lines = Vec::new();
    for ([a, b], links) in between {
        let at = |pop: usize| pops.get(pop).copied().flatten();
        let (Some(from), Some(to)) = (at(a), at(b)) else { continue };
        let (x, y) = (to.x - from.x, to.y - from.y);
        let length = (x * x + y * y).sqrt();
        if length < 1.0 {
            continue;
        }
        let last = u32::try_from(links.len() - 1).map_or(0.0, f64::from);
        for (number, link) in (0_u32..).zip(links) {
            let aside = (f64::from(number) - last / 2.0) * APART / length;
            let shift = |at: Point| Point { x: at.x - y * aside, y: at.y + x * aside };
            lines.push(Line { link, ends: [shift(from), shift(to)] });
        }
    }
    lines
}

/// How wide a line of that rate is: a step for every ten times as much.
fn width(kbps: u32) -> f64 {
    let decades = f64::from(kbps.max(1)).log10() - 4.0;
    (decades * 1.5).clamp(1.0, 8.0)
}

/// A rate for people: `10 Gbit/s`.
pub(crate) fn bits(kbps: u32) -> String {
    let whole = |unit: u32, name: &str| {
        (kbps >= unit && kbps.is_multiple_of(unit))
            .then(|| format!("{} {name}", number(u64::from(kbps / unit))))
    };
    whole(1_000_000, "Gbit/s")
        .or_else(|| whole(1000, "Mbit/s"))
        .unwrap_or_else(|| format!("{} kbit/s", number(u64::from(kbps))))
}

/// Crosses of this size, with a rim that lets them stand out.
fn crosses(markup: &mut Markup, at: impl Iterator<Item = Point>, size: f64) {
    let mut path = String::new();
    for Point { x, y } in at {
        let (left, top, side) = (x - size, y - size, 2.0 * size);
        let _ = write!(
            path,
            "M{left:.0},{top:.0}l{side:.0},{side:.0}m-{side:.0},0l{side:.0},-{side:.0}"
        );
    }
    if !path.is_empty() {
        markup.empty("path", &[("class", "halo"), ("d", &path)]);
        markup.empty("path", &[("class", "cut"), ("d", &path)]);
    }
}

fn square_path(at: Point, reach: f64) -> String {
    let (left, top, side) = (at.x - reach, at.y - reach, 2.0 * reach);
    format!("M{left:.1},{top:.1}h{side:.1}v{side:.1}h-{side:.1}z")
}

fn square(markup: &mut Markup, at: Point, reach: f64, class: &str) {
    markup.empty("path", &[("class", class), ("d", &square_path(at, reach))]);
}

/// A shape that says what it is under the pointer.
fn titled(
    markup: &mut Markup,
    name: &'static str,
    attributes: &[(&'static str, &str)],
    title: &str,
) {
    if title.is_empty() {
        markup.empty(name, attributes);
    } else {
        markup.element(name, attributes, |markup| markup.leaf("title", &[], title));
    }
}

#[cfg(test)]
mod tests {
    use super::{bits, width};

    #[test]
    fn wider_lines_carry_more() {
        let widths = [1, 100_000, 1_000_000, 10_000_000, 100_000_000, u32::MAX].map(width);
        assert!(widths.is_sorted() && widths[0] >= 1.0 && widths[5] <= 8.0, "{widths:?}");
        let named = [10_000_000, 1_500_000, 64].map(bits);
        assert_eq!(named, ["10 Gbit/s", "1,500 Mbit/s", "64 kbit/s"]);
    }
}
