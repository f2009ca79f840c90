//! Dates and times of RFC 3339, to and from time since the Unix epoch.

use std::{fmt, time::Duration};

/// Reads an RFC 3339 `date-time`. None for anything else, and for times before 1970. A leap second counts as
/// the second after it; digits below the nanosecond are dropped.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(cpm_cpim::datetime::parse("1970-01-01T01:00:00.5+01:00"), Some(Duration::from_millis(500)));
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_at_checked(10)?;
    let [y @ .., b'-', m1, m2, b'-', d1, d2] = date else { return None };
    let year = number(y)?;
    let month = number(&[*m1, *m2])?;
    let day = number(&[*d1, *d2])?;
    let (time, rest) = rest.split_at_checked(9)?;
    let [b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = time else { return None };
    let hour = number(&[*h1, *h2])?;
    let minute = number(&[*n1, *n2])?;
    let second = number(&[*s1, *s2])?;
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (nanos, rest) = fraction(rest)?;
    let offset = zone(rest)?;
    let days = days_from_civil(year, month, day)?;
    let seconds = days
        .checked_mul(86_400)?
        .checked_add(hour.checked_mul(3600)?)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)?
        .checked_sub(offset)?;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanos))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |n, &b| {
        let digit = b.is_ascii_digit().then(|| i64::from(b).checked_sub(48))??;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// `time-secfrac`: nanoseconds, and what follows.
fn fraction(rest: &[u8]) -> Option<(u32, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let length = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at_checked(length)?;
    if digits.is_empty() {
        return None;
    }
    let mut nanos = 0_u32;
    for place in 0..9 {
        let digit = digits.get(place).map_or(0, |b| u32::from(*b).saturating_sub(48));
        nanos = nanos.checked_mul(10)?.checked_add(digit)?;
    }
    Some((nanos, rest))
}

/// `time-offset` in seconds east.
fn zone(rest: &[u8]) -> Option<i64> {
    let (sign, h, m) = match rest {
        [b'Z' | b'z'] => return Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => (*sign, number(&[*h1, *h2])?, number(&[*m1, *m2])?),
        _ => return None,
    };
    if h > 23 || m > 59 {
        return None;
    }
    let seconds = h.checked_mul(3600)?.checked_add(m.checked_mul(60)?)?;
    if sign == b'-' { seconds.checked_neg() } else { Some(seconds) }
}

fn is_leap(year: i64) -> bool {
    let multiple = |n: i64| year.checked_rem(n) == Some(0);
    multiple(4) && !multiple(100) || multiple(400)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, by eras of 400 years that begin on 1 March, so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let era = year.checked_div_euclid(400)?;
    let year_of_era = year.checked_rem_euclid(400)?;
    let shifted = if month > 2 { month.checked_sub(3)? } else { month.checked_add(9)? };
    let day_of_year =
        shifted.checked_mul(153)?.checked_add(2)?.checked_div(5)?.checked_add(day)?.checked_sub(1)?;
    let day_of_era = year_of_era
        .checked_mul(365)?
        .checked_add(year_of_era.checked_div(4)?)?
        .checked_sub(year_of_era.checked_div(100)?)?
        .checked_add(day_of_year)?;
    era.checked_mul(146_097)?.checked_add(day_of_era)?.checked_sub(719_468)
}

/// A time since the Unix epoch that displays as RFC 3339 in UTC: whole seconds, or with milliseconds where
/// there are some. Times after the year 9999 display as its last second.
///
/// ```
/// use std::time::Duration;
/// use cpm_cpim::datetime::Rfc3339;
/// assert_eq!(Rfc3339(Duration::from_secs(1_000_000_000)).to_string(), "2001-09-09T01:46:40Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339(pub Duration);

/// 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs().min(LAST);
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match self.0.subsec_millis() {
            0 => {}
            millis => write!(f, ".{millis:03}")?,
        }
        f.write_str("Z")
    }
}

/// The inverse of [`days_from_civil`], for days since 1970-01-01 up to the year 9999.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let leaps = (day_of_era / 1460).saturating_add(day_of_era / 146_096);
    let year_of_era = day_of_era.saturating_add(day_of_era / 36_524).saturating_sub(leaps) / 365;
    let years =
        year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
    let day_of_year = day_of_era.saturating_sub(years);
    let month_index = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let day =
        day_of_year.saturating_sub(month_index.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
    let month = if month_index < 10 { month_index.saturating_add(3) } else { month_index.saturating_sub(9) };
    let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(u64::from(month <= 2));
    (year, month, day)
}

#[cfg(test)]
#[path = "datetime_tests.rs"]
mod tests;
