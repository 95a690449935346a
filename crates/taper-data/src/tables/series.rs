//! A series out of a table: one column, its rows in the order of time.

use super::cell::Cell;
use super::source::TableSource;
use crate::clock::{Clock, Moment, Step, ends_month, months};
use crate::{Result, TimeSeries};
use std::collections::HashMap;

/// Which columns of a table are a series, and what is done about gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesOptions {
    /// The column of the values.
    pub target: String,
    /// The column of times; without a name, the first in which every cell is a date. Without one either, each row is a step.
    pub time: Option<String>,
    /// What is done about gaps.
    pub gaps: Gaps,
}

/// What is done about steps that are missing, and steps without a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gaps {
    /// They are an error, which names the row.
    #[default]
    Refuse,
    /// The value before stands for them: at that time nothing else is known.
    Fill,
    /// Each row is a step, however far it is from the one before, as on days on which a market is open. A row without a
    /// value is an error.
    Ignore,
}

impl TableSource {
    /// The series of a column.
    ///
    /// # Errors
    /// A column that is not there; a value that is no number; a time that cannot be read, is not after the one before, or is
    /// not one step after it (where gaps are not filled). Each names the row.
    pub fn series(&self, options: &SeriesOptions) -> Result<TimeSeries> {
        let target = self.find(&options.target)?;
        let rows = self.len() as u64;
        let time = match &options.time {
            Some(name) => Some(self.find(name)?),
            None => self.surveys.iter().position(|survey| survey.dates == rows),
        };
        let (mut values, mut times) = (Vec::with_capacity(self.len()), Vec::new());
        self.scan(None, &mut |row, cells| {
            values.push(self.value(row, target, cells.get(target), options.gaps, values.last())?);
            if let Some(time) = time {
                times.push(self.moment(row, time, cells.get(time))?);
            }
            Ok(())
        })?;
        let name = self.columns[target].clone();
        let Some(time) = time else { return Ok(TimeSeries { name, values, clock: None }) };
        let (values, clock) = self.in_steps(values, &times, time, options.gaps)?;
        Ok(TimeSeries { name, values, clock })
    }

    fn value(
        &self,
        row: usize,
        column: usize,
        cell: Option<&Cell<'_>>,
        gaps: Gaps,
        before: Option<&f64>,
    ) -> Result<f64> {
        let number = cell.and_then(Cell::number).filter(|number| number.is_finite());
        let found = match cell {
            _ if number.is_some() => return Ok(number.unwrap_or_default()),
            None | Some(Cell::Missing) => match (gaps, before) {
                (Gaps::Fill, Some(before)) => return Ok(*before),
                (Gaps::Fill, None) => "nothing, and no value before that could stand for it".into(),
                _ => "nothing".into(),
            },
            Some(other) => format!("`{}`", other.text().chars().take(40).collect::<String>()),
        };
        Err(self.wrong(row, column, format!("expected a number, found {found}")))
    }

    fn moment(&self, row: usize, column: usize, cell: Option<&Cell<'_>>) -> Result<Moment> {
        let text = cell.map(Cell::text).unwrap_or_default();
        Moment::read(text.trim()).ok_or_else(|| {
            let found = if text.is_empty() { "nothing".into() } else { format!("`{text}`") };
            self.wrong(row, column, format!("expected a time such as 2014-01-31T12:30, or a number, found {found}"))
        })
    }

    /// The values at equal steps, and the clock of these.
    fn in_steps(
        &self,
        values: Vec<f64>,
        times: &[Moment],
        column: usize,
        gaps: Gaps,
    ) -> Result<(Vec<f64>, Option<Clock>)> {
        let mut places = Vec::with_capacity(times.len());
        for (row, moment) in times.iter().enumerate() {
            let place = match (moment, times.first()) {
                (Moment::Seconds(seconds), Some(Moment::Seconds(_))) => *seconds as f64,
                (Moment::Number(number), Some(Moment::Number(_))) => *number,
                _ => {
                    let text = format!("expected a time like that of the first row, found {}", moment.told());
                    return Err(self.wrong(row, column, text));
                }
            };
            if let Some(before) = places.last().filter(|before| place <= **before) {
                let (found, last) = (moment.told(), times[row - 1].told());
                let again = if place == *before { "; it is there twice" } else { "" };
                let text = format!("expected a time after {last}, that of the row before, found {found}{again}");
                return Err(self.wrong(row, column, text));
            }
            places.push(place);
        }
        let (Some(&first), Some(unit)) = (places.first(), unit(times, &places)) else { return Ok((values, None)) };
        if gaps == Gaps::Ignore {
            return Ok((values, None));
        }
        let clock = Clock { column: self.columns[column].clone(), first, step: unit };
        let mut filled: Vec<f64> = Vec::with_capacity(values.len());
        for (row, value) in values.into_iter().enumerate() {
            let steps = if row == 0 { 1.0 } else { between(&unit, &places, row) };
            let whole = (steps - steps.round()).abs() < 1e-6 && steps > 0.5;
            // More than a hundred times what there is: a slip in a year, not a gap.
            let possible = whole && steps.round() as usize <= 100 * places.len();
            if steps.round() != 1.0 && (gaps != Gaps::Fill || !possible) || !whole {
                let (found, due) = (times[row].told(), clock.at(filled.len()));
                let missing = match possible {
                    true if gaps == Gaps::Refuse => {
                        let count = steps.round() as usize - 1;
                        let rows = if count == 1 { "1 row is".into() } else { format!("{count} rows are") };
                        format!("; {rows} missing: add them, or see the key `gaps`")
                    }
                    _ => String::new(),
                };
                let text = format!("expected {due}, {unit} after the row before, found {found}{missing}");
                return Err(self.wrong(row, column, text));
            }
            if let Some(&before) = filled.last() {
                filled.resize(filled.len() + steps.round() as usize - 1, before);
            }
            filled.push(value);
        }
        Ok((filled, Some(clock)))
    }
}

/// The step of these times: the most frequent distance, or months where all are on the same day of a month. `None` of a
/// single time.
fn unit(times: &[Moment], places: &[f64]) -> Option<Step> {
    let most = |distances: &mut dyn Iterator<Item = i64>| {
        let mut counts: HashMap<i64, usize> = HashMap::new();
        distances.for_each(|distance| *counts.entry(distance).or_default() += 1);
        // Of equally frequent ones the smallest, so that the others are multiples.
        counts.into_iter().max_by_key(|&(distance, count)| (count, std::cmp::Reverse(distance))).map(|(d, _)| d)
    };
    let seconds: Option<Vec<i64>> = times
        .iter()
        .map(|time| match time {
            Moment::Seconds(seconds) => Some(*seconds),
            Moment::Number(_) => None,
        })
        .collect();
    let Some(seconds) = seconds else {
        // Distances of numbers are counted as the bits that they have.
        let bits = most(&mut places.windows(2).map(|pair| (pair[1] - pair[0]).to_bits() as i64))?;
        return Some(Step::Number(f64::from_bits(bits as u64)));
    };
    let step = most(&mut seconds.windows(2).map(|pair| pair[1] - pair[0]))?;
    let (_, day, time) = months(*seconds.first()?);
    let same = seconds.iter().all(|&at| months(at).1 == day) || seconds.iter().all(|&at| ends_month(at));
    if step >= 28 * 86_400 && same && seconds.iter().all(|&at| months(at).2 == time) {
        return most(&mut seconds.windows(2).map(|pair| months(pair[1]).0 - months(pair[0]).0)).map(Step::Months);
    }
    Some(Step::Seconds(step))
}

/// How many steps lie between row `row` and the one before.
fn between(unit: &Step, places: &[f64], row: usize) -> f64 {
    let (before, now) = (places[row - 1], places[row]);
    match *unit {
        Step::Months(step) => (months(now as i64).0 - months(before as i64).0) as f64 / step as f64,
        Step::Seconds(step) => (now - before) / step as f64,
        Step::Number(step) => (now - before) / step,
    }
}

#[cfg(all(test, feature = "csv"))]
mod tests {
    use super::*;
    use crate::{CsvOptions, Error};

    fn series(text: &str, change: impl Fn(&mut SeriesOptions)) -> Result<TimeSeries, Error> {
        let source = TableSource::from_bytes(text.as_bytes().to_vec(), "a.csv", CsvOptions::default())?;
        let mut options = SeriesOptions { target: "y".into(), ..SeriesOptions::default() };
        change(&mut options);
        source.series(&options)
    }

    const HOURS: &str = "time,y\n2014-03-01T22:00,1\n2014-03-01T23:00,2\n2014-03-02T00:00,4\n";

    #[test]
    fn a_column_of_dates_is_found() {
        let found = series(HOURS, |_| ()).unwrap();
        assert_eq!((found.name.as_str(), &found.values[..]), ("y", &[1.0, 2.0, 4.0][..]));
        let clock = found.clock.unwrap();
        assert_eq!((clock.column.as_str(), clock.step, clock.season()), ("time", Step::Seconds(3600), 24));
        assert_eq!(clock.at(3), "2014-03-02T01:00");
        assert_eq!(series("x,y\n1,1\n2,5\n", |_| ()).unwrap().clock, None);
        let numbered = series("x,y\n1990,1\n1992,5\n1994,6\n", |options| options.time = Some("x".into())).unwrap();
        assert_eq!(numbered.clock.unwrap().at(3), "1996");
    }

    #[test]
    fn months_are_steps_though_their_lengths_differ() {
        for (first, rest, next) in [
            ("2014-01-01", ["2014-02-01", "2014-03-01", "2014-04-01"], "2014-05-01"),
            ("2014-01-31", ["2014-02-28", "2014-03-31", "2014-04-30"], "2014-05-31"),
        ] {
            let rows: String = std::iter::once(first).chain(rest).map(|day| format!("{day},1\n")).collect();
            let clock = series(&format!("time,y\n{rows}"), |_| ()).unwrap().clock.unwrap();
            assert_eq!((clock.step, clock.at(4), clock.season()), (Step::Months(1), next.to_string(), 12));
        }
        let text = series("time,y\n2014-01-01,1\n2014-02-01,1\n2014-03-01,1\n2014-05-01,1\n", |_| ()).unwrap_err();
        assert!(text.to_string().contains("line 5, column `time`: expected 2014-04-01, 1 month after"), "{text}");
    }

    #[test]
    fn gaps_and_disorder_name_the_row() {
        let told = |text: &str| series(text, |_| ()).unwrap_err().to_string();
        let gap = HOURS.replace("2014-03-02T00:00,4\n", "2014-03-02T00:00,4\n2014-03-02T03:00,5\n2014-03-02T04:00,6\n");
        assert_eq!(
            told(&gap),
            "a.csv: line 5, column `time`: expected 2014-03-02T01:00, 1 h after the row before, found 2014-03-02T03:00; \
             2 rows are missing: add them, or see the key `gaps`"
        );
        let filled = series(&gap, |options| options.gaps = Gaps::Fill).unwrap();
        assert_eq!(filled.values, [1.0, 2.0, 4.0, 4.0, 4.0, 5.0, 6.0]);
        let ignored = series(&gap, |options| options.gaps = Gaps::Ignore).unwrap();
        assert_eq!((ignored.values.len(), ignored.clock), (5, None));
        let back = HOURS.replace("2014-03-02T00", "2014-03-01T21");
        assert_eq!(
            told(&back),
            "a.csv: line 4, column `time`: expected a time after 2014-03-01T23:00, that of the row before, found \
             2014-03-01T21:00"
        );
        // A clock that is put back tells an hour twice, one that is put forward leaves one out.
        let twice = HOURS.replace("2014-03-02T00", "2014-03-01T23");
        assert!(told(&twice).ends_with("found 2014-03-01T23:00; it is there twice"), "{}", told(&twice));
        let odd = HOURS.to_string() + "2014-03-02T01:00,1\n2014-03-02T01:20,1\n";
        assert!(
            told(&odd).contains("line 6, column `time`: expected 2014-03-02T02:00, 1 h after the row before, found")
        );
        // No one fills a thousand years.
        let slip = HOURS.to_string() + "3014-03-02T01:00,1\n";
        let text = series(&slip, |options| options.gaps = Gaps::Fill).unwrap_err().to_string();
        assert!(text.contains("line 5") && text.ends_with("found 3014-03-02T01:00"), "{text}");
    }

    #[test]
    fn cells_that_are_none_name_the_row() {
        let told = |text: &str| series(text, |_| ()).unwrap_err().to_string();
        assert_eq!(told("y\n1\nx\n"), "a.csv: line 3, column `y`: expected a number, found `x`");
        assert_eq!(told("y,z\n1,1\n,2\n"), "a.csv: line 3, column `y`: expected a number, found nothing");
        assert!(told("y\n1\ninf\n").ends_with("expected a number, found `inf`"));
        assert!(told("z\n1\n").contains("expected one column `y`, found 1 columns"));
        let text = series("t,y\n2014-01-01,1\nsoon,2\n", |options| options.time = Some("t".into())).unwrap_err();
        assert!(text.to_string().ends_with("expected a time such as 2014-01-31T12:30, or a number, found `soon`"));
        let text = series("t,y\n2014-01-01,1\n17,2\n", |options| options.time = Some("t".into())).unwrap_err();
        assert!(text.to_string().ends_with("expected a time like that of the first row, found 17"), "{text}");
        let fill = |text: &str| series(text, |options| options.gaps = Gaps::Fill);
        assert_eq!(fill("y,z\n1,1\nNA,2\n3,3\n").unwrap().values, [1.0, 1.0, 3.0]);
        assert!(fill("y,z\n,1\n2,2\n").unwrap_err().to_string().contains("no value before that could stand for it"));
    }
}
