//! Where something is, and how far apart two things are.
//!
//! Distances decide metrics and which PoP a site goes to, so they must be the same on every
//! machine: positions are whole millionths of a degree, and the distance is worked out with
//! operations that IEEE 754 rounds exactly, never with a mathematics library's cosine.

use core::fmt;

use model::plan;
use serde::Serialize;

/// A point on the globe (WGS 84), in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// Millionths of a degree north of the equator.
    pub latitude_e6: i32,
    /// Millionths of a degree east of Greenwich.
    pub longitude_e6: i32,
}

impl From<Position> for plan::Position {
    fn from(position: Position) -> Self {
        let Position { latitude_e6, longitude_e6 } = position;
        Self { latitude_e6, longitude_e6 }
    }
}

/// Why a text is not a coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseCoordinateError;

impl fmt::Display for ParseCoordinateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal number of degrees in range")
    }
}

impl core::error::Error for ParseCoordinateError {}

/// Metres in one degree of latitude: a sphere of the earth's mean radius, 6,371,009 m.
const METRES_PER_DEGREE: f64 = 111_195.08;

impl Position {
    /// The point of two texts in degrees: `50.82253`, `-0.13716`.
    ///
    /// # Errors
    ///
    /// Where one is not a decimal number in range.
    pub fn parse(latitude: &str, longitude: &str) -> Result<Self, ParseCoordinateError> {
        Ok(Self {
            latitude_e6: micro_degrees(latitude, 90)?,
            longitude_e6: micro_degrees(longitude, 180)?,
        })
    }

    /// Degrees north of the equator.
    #[must_use]
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude_e6) / 1e6
    }

    /// Degrees east of Greenwich.
    #[must_use]
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude_e6) / 1e6
    }

    /// Metres to another point, as on a flat map around the two: right to one in a thousand within
    /// a few hundred kilometres.
    #[must_use]
    pub fn distance_m(self, other: Self) -> u32 {
        let middle = f64::midpoint(self.latitude(), other.latitude());
        let north = (self.latitude() - other.latitude()) * METRES_PER_DEGREE;
        let turn = (self.longitude() - other.longitude()).abs();
        let turn = if turn > 180.0 { 360.0 - turn } else { turn };
        let east = turn * METRES_PER_DEGREE * cosine(middle.to_radians());
        let metres = (north * north + east * east).sqrt();
        // Half the earth's circumference is far below u32::MAX, and the value is never negative.
        format!("{metres:.0}").parse().unwrap_or(u32::MAX)
    }
}

/// Cosine between -π/2 and π/2 to better than one in a million, by its series.
fn cosine(angle: f64) -> f64 {
    let square = angle * angle;
    let mut sum = 1.0;
    let mut term = 1.0;
    for step in [2.0, 12.0, 30.0, 56.0, 90.0, 132.0] {
        // The steps are (2n-1)·2n: 1·2, 3·4, 5·6, …
        let step: f64 = step;
        term *= -square / step;
        sum += term;
    }
    f64::max(sum, 0.0)
}

/// A decimal number of degrees in millionths; digits beyond the sixth are cut off.
fn micro_degrees(text: &str, limit: i32) -> Result<i32, ParseCoordinateError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(ParseCoordinateError);
    }
    let whole: i32 = whole.parse().map_err(|_| ParseCoordinateError)?;
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let fraction: i32 = fraction.parse().map_err(|_| ParseCoordinateError)?;
    let value = whole.checked_mul(1_000_000).and_then(|value| value.checked_add(fraction));
    let value = value.filter(|value| *value <= limit * 1_000_000).ok_or(ParseCoordinateError)?;
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::Position;

    fn at(latitude: &str, longitude: &str) -> Position {
        Position::parse(latitude, longitude).unwrap()
    }

    #[test]
    fn degrees_are_kept_to_the_millionth() {
        let point = at("50.822530", "-0.1371659");
        assert_eq!((point.latitude_e6, point.longitude_e6), (50_822_530, -137_165));
        assert_eq!(
            at("90", "-180"),
            Position { latitude_e6: 90_000_000, longitude_e6: -180_000_000 }
        );
    }

    #[test]
    fn what_is_no_coordinate_is_refused() {
        for text in
            ["", "-", ".5", "5.", "90.000001", "nan", "1e3", "+5", "--5", "5 ", "999999999999"]
        {
            assert!(Position::parse(text, "0").is_err(), "{text}");
        }
        assert!(Position::parse("0", "180.1").is_err());
    }

    #[test]
    fn brighton_to_crawley_is_just_under_thirty_two_kilometres() {
        let brighton = at("50.8290", "-0.1412");
        let crawley = at("51.1120", "-0.1870");
        assert_eq!(brighton.distance_m(crawley), crawley.distance_m(brighton));
        let metres = brighton.distance_m(crawley);
        assert!((31_500..32_000).contains(&metres), "{metres}");
        assert_eq!(brighton.distance_m(brighton), 0);
    }

    #[test]
    fn distance_holds_at_the_poles_and_across_the_date_line() {
        assert_eq!(at("90", "0").distance_m(at("90", "180")), 0);
        assert!(at("0", "179.9").distance_m(at("0", "-179.9")) < 23_000);
    }
}
