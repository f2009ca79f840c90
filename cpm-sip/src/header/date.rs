//! Date (RFC 3261 §20.17): RFC 1123 dates in GMT over seconds since the Unix epoch.

use crate::lex::{Cursor, Read};
use crate::{Fault, ParseError};
use core::fmt;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// 9999-12-31T23:59:59Z, the last moment that four digits of a year can say.
const LAST: u64 = 253_402_300_799;

/// A moment, seconds since the Unix epoch, up to the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(u64);

impl Date {
    /// The moment so many seconds after the epoch; a later one than can be written counts as the last that can.
    pub fn from_unix(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// Seconds since the epoch.
    pub fn unix(self) -> u64 {
        self.0
    }

    /// Reads a text that is one date. Dates before 1970 are refused.
    ///
    /// # Errors
    /// [`Fault::Date`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::read_all(text)
    }
}

/// `Sat, 13 Nov 2010 23:29:00 GMT`
pub fn write_date(seconds: u64) -> String {
    Date::from_unix(seconds).to_string()
}

/// Days since the epoch of a day of the Gregorian calendar, by counting from 1 March.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let shifted = if month <= 2 { year.checked_sub(1)? } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let from_march = month.checked_add(9)?.rem_euclid(12);
    let of_year =
        from_march.checked_mul(153)?.checked_add(2)?.div_euclid(5).checked_add(day)?.checked_sub(1)?;
    let leap = of_era.div_euclid(4).checked_sub(of_era.div_euclid(100))?;
    let of_era = of_era.checked_mul(365)?.checked_add(leap)?.checked_add(of_year)?;
    era.checked_mul(146_097)?.checked_add(of_era)?.checked_sub(719_468)
}

/// Year, month and day so many days after the epoch.
fn civil_from_days(days: i64) -> Option<(i64, i64, i64)> {
    let days = days.checked_add(719_468)?;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = of_era
        .checked_sub(of_era.div_euclid(1460))?
        .checked_add(of_era.div_euclid(36_524))?
        .checked_sub(of_era.div_euclid(146_096))?
        .div_euclid(365);
    let before = year_of_era.checked_mul(365)?.checked_add(year_of_era.div_euclid(4))?;
    let of_year = of_era.checked_sub(before.checked_sub(year_of_era.div_euclid(100))?)?;
    let from_march = of_year.checked_mul(5)?.checked_add(2)?.div_euclid(153);
    let day =
        of_year.checked_sub(from_march.checked_mul(153)?.checked_add(2)?.div_euclid(5))?.checked_add(1)?;
    let month = from_march.checked_add(2)?.rem_euclid(12).checked_add(1)?;
    let year = era.checked_mul(400)?.checked_add(year_of_era)?;
    Some((if month <= 2 { year.checked_add(1)? } else { year }, month, day))
}

impl<'a> Read<'a> for Date {
    // spec: RFC3261-20.17
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = *cursor;
        let text = cursor.rest();
        let length =
            text.find("GMT").map(|at| at.saturating_add(3)).ok_or_else(|| start.fail(Fault::Date))?;
        cursor.advance(length);
        from_text(cursor.since(start.at())).map(Self).ok_or_else(|| start.fail(Fault::Date))
    }
}

fn from_text(text: &str) -> Option<u64> {
    let (day_name, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (time, zone) = (parts.next()?, parts.next()?);
    if zone != "GMT" || parts.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let month = i64::try_from(month).ok()?.checked_add(1)?;
    let (day, year) = (digits(day, 2)?, digits(year, 4)?);
    let mut clock = time.split(':');
    let (hour, minute, second) =
        (digits(clock.next()?, 2)?, digits(clock.next()?, 2)?, digits(clock.next()?, 2)?);
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    if civil_from_days(days)? != (year, month, day) || !day_of_week(days)?.eq_ignore_ascii_case(day_name) {
        return None;
    }
    let seconds = days.checked_mul(86_400)?.checked_add(hour.checked_mul(3600)?)?;
    // A leap second is the last of its minute here: Unix time has no other place for it.
    let seconds = seconds.checked_add(minute.checked_mul(60)?)?.checked_add(second.min(59))?;
    u64::try_from(seconds).ok()
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let fits = text.len() == count && text.bytes().all(|octet| octet.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn day_of_week(days: i64) -> Option<&'static str> {
    DAYS.get(usize::try_from(days.rem_euclid(7)).ok()?).copied()
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = i64::try_from(self.0.div_euclid(86_400)).unwrap_or(0);
        let of_day = self.0.rem_euclid(86_400);
        let (year, month, day) = civil_from_days(days).unwrap_or((1970, 1, 1));
        let month =
            usize::try_from(month.saturating_sub(1)).ok().and_then(|at| MONTHS.get(at)).unwrap_or(&"Jan");
        let (hour, minute) = (of_day.div_euclid(3600), of_day.rem_euclid(3600).div_euclid(60));
        let (week, second) = (day_of_week(days).unwrap_or("Thu"), of_day.rem_euclid(60));
        write!(out, "{week}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}
