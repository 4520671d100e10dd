//! Which day it is: communities end on one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use intent::Date;

const SECONDS_PER_DAY: u64 = 86_400;

/// Today, in Greenwich.
pub(crate) fn today() -> Option<Date> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    of_day(seconds / SECONDS_PER_DAY)
}

/// A time since 1 January 1970 in Greenwich, to the millisecond (RFC 3339 §5.6).
pub(crate) fn timestamp(since: Duration) -> String {
    let seconds = since.as_secs();
    let day = of_day(seconds / SECONDS_PER_DAY).map_or_else(String::new, |day| day.to_string());
    let second = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// The date that is so many days after 1 January 1970. Years are counted from March, so that the
/// day that only leap years have is the last one.
fn of_day(days: u64) -> Option<Date> {
    const DAYS_TO_EPOCH: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;
    let days = days + DAYS_TO_EPOCH;
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    Date::new(
        u16::try_from(year).ok()?,
        u8::try_from(month).ok()?,
        u8::try_from(day_of_month).ok()?,
    )
}

#[cfg(test)]
mod tests {
    use super::of_day;

    #[test]
    fn days_are_counted_from_1970() {
        let cases = [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (10_956, "1999-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (17_408, "2017-08-30"),
        ];
        for (days, text) in cases {
            assert_eq!(of_day(days).unwrap().to_string(), text);
        }
    }

    #[test]
    fn every_day_of_two_centuries_follows_the_one_before() {
        let mut last = of_day(0).unwrap();
        for days in 1..73_000 {
            let date = of_day(days).unwrap();
            assert!(date > last, "{date} after {last}");
            last = date;
        }
    }
}
