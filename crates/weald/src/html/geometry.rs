//! Where things are on a map, and where labels go.
//!
//! The map is equirectangular with its longitudes shortened by the cosine of the middle latitude:
//! right enough for a region, and every distance can be compared by eye. It is [`WIDTH`] wide,
//! whatever is shown, and as high as that makes it, but for regions that are higher than wide.

use model::plan::Position;

/// The map's width, in units of its own.
pub(crate) const WIDTH: f64 = 1000.0;
/// Around everything, so that marks and labels have room.
const MARGIN: f64 = 60.0;
/// The most height, so that a map fits on a page.
const HEIGHT_MAX: f64 = 1300.0;
/// The least extent in degrees: one place alone is a map too.
const EXTENT_MIN: f64 = 0.01;
/// Half the height of a line of text, and the mean width of a letter.
const TEXT: (f64, f64) = (9.0, 7.6);
/// From a place to its label.
const GAP: f64 = 13.0;

/// A point on the map, from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// How degrees become points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Projection {
    /// The longitude that the others are counted from, so that the date line is no edge.
    meridian: f64,
    west: f64,
    north: f64,
    /// Units per degree, east and south.
    scale: (f64, f64),
    pub(crate) height: f64,
}

/// Which way a label's text goes from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Where a label is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Label {
    /// On the text's base line.
    pub(crate) at: Point,
    pub(crate) anchor: Anchor,
}

/// Left, top, right, bottom.
type Rectangle = [f64; 4];

fn degrees(e6: i32) -> f64 {
    f64::from(e6) / 1e6
}

/// Degrees east of a meridian, from -180 to 180.
fn east_of(meridian: f64, longitude: f64) -> f64 {
    (longitude - meridian + 540.0).rem_euclid(360.0) - 180.0
}

impl Projection {
    /// None where there is nothing to be shown.
    pub(crate) fn of(positions: &[Position]) -> Option<Self> {
        let meridian = degrees(positions.first()?.longitude_e6);
        let across = |at: &Position| east_of(meridian, degrees(at.longitude_e6));
        let up = |at: &Position| degrees(at.latitude_e6);
        let range = |values: &dyn Fn(&Position) -> f64| {
            let (low, high) = positions
                .iter()
                .map(values)
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                    (f64::min(low, value), f64::max(high, value))
                });
            let lack = f64::max(EXTENT_MIN - (high - low), 0.0) / 2.0;
            (low - lack, high + lack)
        };
        let (west, east) = range(&across);
        let (south, north) = range(&up);
        let shortened = f64::midpoint(south, north).to_radians().cos().max(0.01);
        let wide = (WIDTH - 2.0 * MARGIN) / ((east - west) * shortened);
        let high = (HEIGHT_MAX - 2.0 * MARGIN) / (north - south);
        let scale = f64::min(wide, high);
        let west = west - (WIDTH / (scale * shortened) - (east - west)) / 2.0;
        let height = (north - south) * scale + 2.0 * MARGIN;
        let north = north + MARGIN / scale;
        Some(Self { meridian, west, north, scale: (scale * shortened, scale), height })
    }

    pub(crate) fn point(&self, at: Position) -> Point {
        let east = east_of(self.meridian, degrees(at.longitude_e6)) - self.west;
        let south = self.north - degrees(at.latitude_e6);
        Point { x: east * self.scale.0, y: south * self.scale.1 }
    }

    /// A place for each label beside its point: outwards from the middle of all of them, where that
    /// does not lie on another label or on one of the points.
    pub(crate) fn labels(&self, named: &[(Point, &str)]) -> Vec<Label> {
        let size = named.len().max(1);
        let size = u32::try_from(size).map_or(f64::INFINITY, f64::from);
        let middle = Point {
            x: named.iter().map(|(at, _)| at.x).sum::<f64>() / size,
            y: named.iter().map(|(at, _)| at.y).sum::<f64>() / size,
        };
        let mut taken: Vec<Rectangle> = named.iter().map(|(at, _)| around(*at, GAP)).collect();
        let mut labels = Vec::with_capacity(named.len());
        for (at, name) in named {
            let letters = u32::try_from(name.chars().count()).map_or(0.0, f64::from);
            let outwards = (at.x - middle.x, at.y - middle.y);
            let found = best(*at, letters * TEXT.1, outwards, |rectangle| {
                let outside = !is_within(rectangle, self.height);
                taken.iter().filter(|other| overlap(rectangle, other)).count()
                    + if outside { named.len() } else { 0 }
            });
            taken.push(found.1);
            labels.push(found.0);
        }
        labels
    }
}

/// The way round a point with the fewest faults, the one that leads most outwards first.
fn best(
    at: Point,
    width: f64,
    outwards: (f64, f64),
    faults: impl Fn(&Rectangle) -> usize,
) -> (Label, Rectangle) {
    let mut ways: Vec<(f64, f64)> =
        [-1.0, 0.0, 1.0].into_iter().flat_map(|x| [-1.0, 0.0, 1.0].map(|y| (x, y))).collect();
    ways.retain(|way| *way != (0.0, 0.0));
    let length = |(x, y): (f64, f64)| f64::max((x * x + y * y).sqrt(), 1e-9);
    let outward = |way: &(f64, f64)| (way.0 * outwards.0 + way.1 * outwards.1) / length(*way);
    ways.sort_by(|a, b| outward(b).total_cmp(&outward(a)));
    let tried = ways.into_iter().map(|way| label(at, width, way));
    let first = label(at, width, (1.0, 0.0));
    tried.min_by_key(|(_, rectangle)| faults(rectangle)).unwrap_or(first)
}

/// A label on this side of its point, and what it covers.
fn label(at: Point, width: f64, (right, down): (f64, f64)) -> (Label, Rectangle) {
    let level = at.y + down * (GAP + TEXT.0 / 2.0);
    let aside = if down == 0.0 { GAP } else { GAP / 2.0 };
    let x = at.x + right * aside;
    let (anchor, left) = if right > 0.0 {
        (Anchor::Start, x)
    } else if right < 0.0 {
        (Anchor::End, x - width)
    } else {
        (Anchor::Middle, x - width / 2.0)
    };
    let rectangle = [left, level - TEXT.0, left + width, level + TEXT.0];
    (Label { at: Point { x, y: level + TEXT.0 / 2.0 }, anchor }, rectangle)
}

fn around(at: Point, reach: f64) -> Rectangle {
    let reach = reach / 2.0;
    [at.x - reach, at.y - reach, at.x + reach, at.y + reach]
}

fn overlap(a: &Rectangle, b: &Rectangle) -> bool {
    let ([left, top, right, bottom], [l, t, r, b]) = (a, b);
    left < r && l < right && top < b && t < bottom
}

fn is_within([left, top, right, bottom]: &Rectangle, height: f64) -> bool {
    *left >= 0.0 && *top >= 0.0 && *right <= WIDTH && *bottom <= height
}

#[cfg(test)]
mod tests {
    use super::{Anchor, EXTENT_MIN, HEIGHT_MAX, MARGIN, Point, Projection, WIDTH};
    use model::plan::Position;

    fn at(latitude_e6: i32, longitude_e6: i32) -> Position {
        Position { latitude_e6, longitude_e6 }
    }

    fn is_near(a: f64, b: f64) -> bool {
        (a - b).abs() < 0.01
    }

    #[test]
    fn a_region_fills_the_width_between_its_margins() {
        let places = [at(50_800_000, -900_000), at(51_100_000, 700_000)];
        let map = Projection::of(&places).unwrap();
        let [southwest, northeast] = places.map(|place| map.point(place));
        assert!(is_near(southwest.x, MARGIN) && is_near(northeast.x, WIDTH - MARGIN));
        assert!(is_near(northeast.y, MARGIN) && is_near(southwest.y, map.height - MARGIN));
        // A degree of longitude is 0.63 of one of latitude here.
        let ratio = (northeast.x - southwest.x) / 1.6 / ((southwest.y - northeast.y) / 0.3);
        assert!((0.628..0.632).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_high_region_is_in_the_middle_and_not_too_high() {
        let places = [at(50_000_000, 0), at(58_000_000, 100_000)];
        let map = Projection::of(&places).unwrap();
        assert!(is_near(map.height, HEIGHT_MAX));
        let [a, b] = places.map(|place| map.point(place));
        assert!(is_near(f64::midpoint(a.x, b.x), WIDTH / 2.0));
    }

    #[test]
    fn one_place_the_pole_and_the_date_line_are_maps_too() {
        assert!(Projection::of(&[]).is_none());
        let map = Projection::of(&[at(0, 0)]).unwrap();
        let middle = map.point(at(0, 0));
        assert!(is_near(middle.x, WIDTH / 2.0) && is_near(middle.y, map.height / 2.0));
        assert!(map.scale.1 <= (HEIGHT_MAX / EXTENT_MIN));
        let pole = Projection::of(&[at(90_000_000, 0), at(90_000_000, 179_000_000)]).unwrap();
        assert!(pole.point(at(90_000_000, 1)).x.is_finite());
        let line = [at(0, 179_900_000), at(0, -179_900_000)];
        let map = Projection::of(&line).unwrap();
        let [west, east] = line.map(|place| map.point(place));
        assert!(is_near(west.x, MARGIN) && is_near(east.x, WIDTH - MARGIN));
    }

    #[test]
    fn labels_lead_outwards_and_do_not_lie_on_each_other() {
        let map = Projection::of(&[at(50_000_000, 0), at(50_500_000, 1_000_000)]).unwrap();
        let point = |x, y| Point { x, y };
        let named = [(point(300.0, 300.0), "west"), (point(700.0, 300.0), "east")];
        let labels = map.labels(&named);
        assert_eq!(labels[0].anchor, Anchor::End);
        assert_eq!(labels[1].anchor, Anchor::Start);
        assert!(labels[0].at.x < 300.0 && labels[1].at.x > 700.0);
        let near = [(point(500.0, 300.0), "one-long-name"), (point(510.0, 305.0), "another-name")];
        let labels = map.labels(&near);
        let apart = (labels[0].at.y - labels[1].at.y).abs() >= 17.0;
        assert!(apart || labels[0].anchor != labels[1].anchor, "{labels:?}");
        // At the edge it turns inwards.
        let edge = map.labels(&[(point(990.0, 300.0), "at-the-edge"), (point(10.0, 300.0), "b")]);
        assert_ne!(edge[0].anchor, Anchor::Start);
    }
}
