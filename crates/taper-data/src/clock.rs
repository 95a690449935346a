//! Times at equal steps: reading them, and telling the step at which each of a series is.

use serde::{Deserialize, Serialize};

const DAY: i64 = 86_400;

/// When the steps of a series are: the time of the first, and what lies between two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// The name of the column of times.
    pub column: String,
    /// The first time: seconds since 1970 as the clock on the wall tells them, or a number as it is in the column.
    pub first: f64,
    /// From each time to the next.
    pub step: Step,
}

/// What lies between two steps of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// So many seconds.
    Seconds(i64),
    /// So many months of the calendar.
    Months(i64),
    /// A number, in a column of numbers.
    Number(f64),
}

/// A time as it stands in a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Moment {
    /// Seconds since 1970.
    Seconds(i64),
    Number(f64),
}

impl Clock {
    /// The time of step `index`, from 0: `2014-01-31`, `2014-01-31T12:30`, `17`.
    pub fn at(&self, index: usize) -> String {
        let count = index as f64;
        match self.step {
            Step::Number(step) => (self.first + count * step).to_string(),
            Step::Seconds(step) => written(self.first as i64 + index as i64 * step, step % DAY != 0),
            Step::Months(step) => written(later(self.first as i64, index as i64 * step), false),
        }
    }

    /// The number of steps after which everything begins again, for want of anything better known: a day, of days a week,
    /// of months a year; 1 where the step is none of these.
    pub fn season(&self) -> usize {
        match self.step {
            Step::Seconds(DAY) => 7,
            Step::Seconds(step) if step < DAY && DAY % step == 0 => (DAY / step) as usize,
            Step::Months(step) if step < 12 && 12 % step == 0 => (12 / step) as usize,
            _ => 1,
        }
    }
}

impl std::fmt::Display for Step {
    /// `30 min`, `1 h`, `7 days`, `1 month`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, unit) = match *self {
            Self::Number(step) => return write!(f, "{step}"),
            Self::Months(count) => (count, if count == 1 { "month" } else { "months" }),
            Self::Seconds(s) if s % DAY == 0 => (s / DAY, if s == DAY { "day" } else { "days" }),
            Self::Seconds(s) if s % 3600 == 0 => (s / 3600, "h"),
            Self::Seconds(s) if s % 60 == 0 => (s / 60, "min"),
            Self::Seconds(s) => (s, "s"),
        };
        write!(f, "{count} {unit}")
    }
}

impl Moment {
    /// The time that `text` tells: a number, or a date of ISO 8601 (`2014-01-31`), with a time of day or without
    /// (`2014-01-31T12:30`, `2014-01-31 12:30:00.5Z`), of which an offset from UTC is taken away.
    pub fn read(text: &str) -> Option<Self> {
        if let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) {
            return Some(Self::Number(number));
        }
        let (date, time) = text.split_at_checked(10)?;
        let mut fields = date.split('-').map(digits);
        let (year, month, day) = (fields.next()??, fields.next()??, fields.next()??);
        if fields.next().is_some()
            || date.len() != 10
            || !(1..=12).contains(&month)
            || day < 1
            || day > days(year, month)
        {
            return None;
        }
        let midnight = DAY * days_from_civil(year, month, day);
        let Some(time) = time.strip_prefix(['T', 't', ' ']) else {
            return time.is_empty().then_some(Self::Seconds(midnight));
        };
        let (time, offset) = match time.strip_suffix(['Z', 'z']) {
            Some(time) => (time, 0),
            None => match time.rfind(['+', '-']) {
                Some(at) => {
                    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
                    (&time[..at], sign * of_day(&time[at + 1..])?)
                }
                None => (time, 0),
            },
        };
        let seconds = of_day(time.split('.').next()?)?;
        (seconds < DAY).then_some(Self::Seconds(midnight + seconds - offset))
    }

    /// As it is written beside others of its column.
    pub fn told(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Seconds(seconds) => written(seconds, seconds.rem_euclid(DAY) != 0),
        }
    }
}

/// A number of digits alone.
fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// The seconds of `12:30` or `12:30:15`, or `1230`.
fn of_day(text: &str) -> Option<i64> {
    let text = text.trim();
    let parts: Vec<i64> = match text.contains(':') {
        true => text.split(':').map(digits).collect::<Option<_>>()?,
        false if text.len() == 4 => vec![digits(&text[..2])?, digits(&text[2..])?],
        false => vec![digits(text)?],
    };
    match parts[..] {
        [hour @ 0..24] => Some(3600 * hour),
        [hour @ 0..24, minute @ 0..60] => Some(3600 * hour + 60 * minute),
        [hour @ 0..24, minute @ 0..60, second @ 0..60] => Some(3600 * hour + 60 * minute + second),
        _ => None,
    }
}

/// Months since the year 0, the day of the month, the second of the day.
pub(crate) fn months(seconds: i64) -> (i64, i64, i64) {
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    (12 * year + month - 1, day, seconds.rem_euclid(DAY))
}

/// Whether a time is on the last day of its month.
pub(crate) fn ends_month(seconds: i64) -> bool {
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    day == days(year, month)
}

/// `seconds` so many months later, on the last day of a month if it is on one.
fn later(seconds: i64, by: i64) -> i64 {
    let (months, day, time) = months(seconds);
    let (year, month) = ((months + by).div_euclid(12), (months + by).rem_euclid(12) + 1);
    let last = days(year, month);
    let day = if ends_month(seconds) { last } else { day.min(last) };
    DAY * days_from_civil(year, month, day) + time
}

fn written(seconds: i64, with_time: bool) -> String {
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let time = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    match with_time || time != 0 {
        false => format!("{year:04}-{month:02}-{day:02}"),
        true if second == 0 => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}"),
        true => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
    }
}

fn days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_400 = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_400 + of_400 / 4 - of_400 / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + of_400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2000-03-01", 951_868_800),
            ("2014-01-01T00:30", 1_388_536_200),
            ("2014-01-01 00:30:00.25Z", 1_388_536_200),
            ("2014-01-01T02:30:00+02:00", 1_388_536_200),
            ("2014-01-01T00:00-0030", 1_388_536_200),
            ("1969-12-31T23:59:59", -1),
            ("2024-02-29", 1_709_164_800),
        ] {
            assert_eq!(Moment::read(text), Some(Moment::Seconds(seconds)), "{text}");
        }
        assert_eq!(Moment::read("17.5"), Some(Moment::Number(17.5)));
        for text in
            ["", "a", "2023-02-29", "2014-13-01", "2014-1-1", "2014-01-01T25:00", "2014-01-01x", "nan", "2014-01-0é"]
        {
            assert_eq!(Moment::read(text), None, "{text}");
        }
        let told = |text: &str| Moment::read(text).unwrap().told();
        assert_eq!([told("2014-01-01T00:30Z"), told("2014-06-30"), told("3")], ["2014-01-01T00:30", "2014-06-30", "3"]);
        for day in -200_000..200_000 {
            let (year, month, date) = civil(day);
            assert_eq!(days_from_civil(year, month, date), day);
        }
    }

    #[test]
    fn clocks_go_on() {
        let clock = |first: &str, step| {
            let first = match Moment::read(first).unwrap() {
                Moment::Seconds(seconds) => seconds as f64,
                Moment::Number(number) => number,
            };
            Clock { column: "t".into(), first, step }
        };
        assert_eq!(clock("2014-12-31T23:00", Step::Seconds(1800)).at(2), "2015-01-01T00:00");
        assert_eq!(clock("2014-01-31", Step::Months(1)).at(1), "2014-02-28");
        assert_eq!(clock("2014-01-30", Step::Months(3)).at(4), "2015-01-30");
        assert_eq!(clock("2014-01-01", Step::Seconds(DAY)).at(31), "2014-02-01");
        assert_eq!(clock("1990", Step::Number(1.0)).at(3), "1993");
        let seasons = [1800, 3600, DAY, 7 * DAY, 7000].map(|step| clock("2014-01-01", Step::Seconds(step)).season());
        assert_eq!(seasons, [48, 24, 7, 1, 1]);
        assert_eq!([1, 3, 5].map(|step| clock("2014-01-01", Step::Months(step)).season()), [12, 4, 1]);
        let told = [Step::Seconds(1800), Step::Seconds(7200), Step::Seconds(DAY), Step::Months(1), Step::Number(0.5)];
        assert_eq!(told.map(|step| step.to_string()), ["30 min", "2 h", "1 day", "1 month", "0.5"]);
    }
}
