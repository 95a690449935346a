//! Series: numbers at equal steps of time, and windows of them to learn forecasts from.

use crate::{Batch, Clock, Dataset, Error, FieldSpec, Result};
use std::ops::Range;
use std::sync::Arc;
use taper_backend::DType;

/// A series: a number for each of equal steps.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeSeries {
    /// What is measured: the column's name.
    pub name: String,
    /// The values, all finite.
    pub values: Vec<f64>,
    /// When each step is; without it, steps are numbered.
    pub clock: Option<Clock>,
}

/// The origins of the windows that each part of a series gives: the step of the first value that is to be forecast.
///
/// Parts follow each other in time, the test last. What a window is to forecast lies within one part. The history of a
/// training window does too; that of a validation or test window may reach back before its part, since at an origin
/// everything before it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesParts {
    /// Those to learn from.
    pub train: Range<usize>,
    /// Those to validate on; may be empty.
    pub validation: Range<usize>,
    /// Those to test on.
    pub test: Range<usize>,
    /// The steps that are learned from: what is fitted sees the values before it alone.
    pub learned: usize,
}

impl SeriesParts {
    /// The parts of `steps` steps: the last ⌊`steps` · `test`⌋ are for the test, of the others the last `validation` for
    /// validation. A window is `context` steps and the `horizon` steps that follow.
    ///
    /// # Errors
    /// A horizon longer than the series; a part with too few steps for a window.
    pub fn new(steps: usize, [test, validation]: [f64; 2], [context, horizon]: [usize; 2]) -> Result<Self> {
        if horizon >= steps {
            let detail = format!("expected a horizon shorter than the series, found one of {horizon} steps");
            return Err(Error::Argument(format!("series: {detail}, where the series has {steps}")));
        }
        let share = |of: usize, fraction: f64| (of as f64 * fraction.clamp(0.0, 1.0)) as usize;
        let before_test = steps - share(steps, test);
        let learned = before_test - share(before_test, validation);
        let window = context + horizon;
        if learned < window {
            return Err(Error::Argument(format!(
                "series: of {steps} steps the first {learned} are to be learned from, but a window is {window}: {context} \
                 that the model sees and {horizon} to forecast; shorten the context, the horizon or what is held out"
            )));
        }
        let held = |name: &str, from: usize, to: usize| match to - from < horizon && (to > from || name == "test") {
            true => {
                let count = to - from;
                Err(Error::Argument(format!(
                    "series: of {steps} steps {count} are for the {name}, fewer than the horizon of {horizon}; hold out \
                     more, or forecast less far"
                )))
            }
            false => Ok(from..(to + 1).saturating_sub(horizon).max(from)),
        };
        let test = held("test", before_test, steps)?;
        let validation = if before_test == learned { 0..0 } else { held("validation", learned, before_test)? };
        Ok(Self { train: context..learned - horizon + 1, validation, test, learned })
    }
}

/// Windows of a series: each sample is what came before an origin, and what came from it on. Origins are one step apart
/// (a rolling origin). Batches have the fields `history`, `[N, context]`, and `targets`, `[N, horizon]`, both f32; with a
/// season also `naive`, `[N, horizon]`: the seasonal naive forecast, the values of the season before the origin over again.
#[derive(Debug, Clone)]
pub struct SeriesWindows {
    values: Arc<[f32]>,
    context: usize,
    horizon: usize,
    season: Option<usize>,
    origins: Range<usize>,
}

impl SeriesWindows {
    /// The windows of `values` with these origins, of `[context, horizon]` steps.
    ///
    /// # Errors
    /// An origin whose window is not within the series.
    pub fn new(values: Arc<[f32]>, [context, horizon]: [usize; 2], origins: Range<usize>) -> Result<Self> {
        let fits = origins.start >= context && origins.end.saturating_sub(1) + horizon <= values.len();
        if context == 0 || horizon == 0 || !(fits || origins.is_empty()) {
            let (found, steps) = (origins, values.len());
            return Err(Error::Argument(format!(
                "series: expected windows of {context} and {horizon} steps (1 or more) within {steps}, found origins {found:?}"
            )));
        }
        Ok(Self { values, context, horizon, season: None, origins })
    }

    /// The same with the seasonal naive forecast of each window, for seasons of `season` steps.
    ///
    /// # Errors
    /// A season of 0 steps, or longer than what comes before the first origin.
    pub fn with_naive(self, season: usize) -> Result<Self> {
        if season == 0 || season > self.origins.start {
            let before = self.origins.start;
            return Err(Error::Argument(format!(
                "series: expected a season of 1 to {before} steps, as many as come before the first forecast, found {season}"
            )));
        }
        Ok(Self { season: Some(season), ..self })
    }

    /// The first `count` windows.
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        let Range { start, end } = self.origins;
        Self { origins: start..end.min(start.saturating_add(count)), ..self }
    }

    /// The last `count` windows.
    #[must_use]
    pub fn last(self, count: usize) -> Self {
        let Range { start, end } = self.origins;
        Self { origins: start.max(end.saturating_sub(count))..end, ..self }
    }

    /// The origins, one for each sample.
    pub fn origins(&self) -> Range<usize> {
        self.origins.clone()
    }
}

/// What a forecast that repeats the last `season` values before the step `origin` says of the step `origin + lead`.
/// `None` where there is no such value.
pub fn seasonal_naive<T: Copy>(values: &[T], season: usize, origin: usize, lead: usize) -> Option<T> {
    values.get(origin.checked_sub(season)? + lead.checked_rem(season)?).copied()
}

impl Dataset for SeriesWindows {
    fn len(&self) -> usize {
        self.origins.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let naive = self.season.map(|_| FieldSpec::new("naive", DType::F32, &[self.horizon]));
        let windows = [("history", self.context), ("targets", self.horizon)];
        windows.map(|(name, steps)| FieldSpec::new(name, DType::F32, &[steps])).into_iter().chain(naive).collect()
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let part = |index: usize, before: usize, steps: usize| {
            let origin = self.origins.start + index;
            let found = origin.checked_sub(before).and_then(|from| self.values.get(from..from + steps));
            found.filter(|_| index < self.len()).ok_or_else(|| {
                Error::Argument(format!("series: expected a window below {}, found {index}", self.len()))
            })
        };
        let n = indices.len();
        for (name, before, steps) in [("history", self.context, self.context), ("targets", 0, self.horizon)] {
            for (row, &index) in batch.f32(name, &[n, steps]).chunks_exact_mut(steps).zip(indices) {
                row.copy_from_slice(part(index, before, steps)?);
            }
        }
        if let Some(season) = self.season {
            let rows = batch.f32("naive", &[n, self.horizon]);
            for (row, &index) in rows.chunks_exact_mut(self.horizon).zip(indices) {
                let before = part(index, season, season)?;
                row.iter_mut().zip(before.iter().cycle()).for_each(|(to, value)| *to = *value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(origins: Range<usize>) -> Result<SeriesWindows> {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        SeriesWindows::new(values.into(), [3, 4], origins)
    }

    fn row(batch: &Batch, name: &str) -> Vec<f64> {
        match &batch.field(name).unwrap().data {
            crate::HostData::F32(values) => values.iter().map(|&x| f64::from(x)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn windows_are_what_comes_before_and_after_an_origin() {
        let data = windows(5..9).unwrap().with_naive(2).unwrap();
        let mut batch = Batch::default();
        batch.clear(2);
        data.fill(0, &[3, 0], &mut batch).unwrap();
        assert_eq!(row(&batch, "history"), [5.0, 6.0, 7.0, 2.0, 3.0, 4.0]);
        assert_eq!(row(&batch, "targets"), [8.0, 9.0, 10.0, 11.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(row(&batch, "naive"), [6.0, 7.0, 6.0, 7.0, 3.0, 4.0, 3.0, 4.0]);
        assert_eq!((data.len(), data.fields().len()), (4, 3));
        batch.clear(1);
        let text = data.fill(0, &[4], &mut batch).unwrap_err().to_string();
        assert_eq!(text, "series: expected a window below 4, found 4");
        let values: Vec<i32> = (0..12).collect();
        assert_eq!([0, 1, 5].map(|lead| seasonal_naive(&values, 3, 7, lead)), [Some(4), Some(5), Some(6)]);
        assert_eq!([seasonal_naive(&values, 8, 7, 0), seasonal_naive(&values, 0, 7, 0)], [None, None]);
        // A naive forecast goes on after the end.
        assert_eq!(seasonal_naive(&values, 3, 12, 4), Some(10));
    }

    #[test]
    fn windows_outside_the_series_are_refused() {
        for origins in [2..4, 5..10] {
            let text = windows(origins.clone()).unwrap_err().to_string();
            assert!(
                text.contains(&format!("windows of 3 and 4 steps (1 or more) within 12, found origins {origins:?}"))
            );
        }
        let text = windows(5..6).unwrap().with_naive(6).unwrap_err().to_string();
        assert!(text.contains("a season of 1 to 5 steps") && text.ends_with("found 6"), "{text}");
        let few = |data: SeriesWindows| data.origins();
        assert_eq!([few(windows(3..9).unwrap().first(2)), few(windows(3..9).unwrap().last(2))], [3..5, 7..9]);
    }

    /// No target of one part is a target of another, and no training window reaches out of its part.
    #[test]
    fn no_window_crosses_a_split() {
        let (context, horizon) = (7, 5);
        let parts = SeriesParts::new(200, [0.2, 0.1], [context, horizon]).unwrap();
        assert_eq!((parts.learned, parts.train.clone()), (144, 7..140));
        assert_eq!((parts.validation.clone(), parts.test.clone()), (144..156, 160..196));
        let targets = |origins: &Range<usize>| origins.start..origins.end - 1 + horizon;
        assert_eq!([&parts.train, &parts.validation, &parts.test].map(targets), [7..144, 144..160, 160..200]);
        assert_eq!(parts.train.start - context, 0);
        let whole = SeriesParts::new(200, [0.2, 0.0], [context, horizon]).unwrap();
        assert!(whole.validation.is_empty() && whole.learned == 160, "{whole:?}");
    }

    #[test]
    fn a_series_that_is_too_short_is_told() {
        let told = |steps, held, window| SeriesParts::new(steps, held, window).unwrap_err().to_string();
        assert_eq!(
            told(40, [0.2, 0.1], [10, 48]),
            "series: expected a horizon shorter than the series, found one of 48 steps, where the series has 40"
        );
        let text = told(40, [0.2, 0.1], [30, 4]);
        assert!(
            text.contains("of 40 steps the first 29 are to be learned from, but a window is 34: 30 that the model")
        );
        let text = told(40, [0.1, 0.1], [4, 6]);
        assert!(text.contains("of 40 steps 4 are for the test, fewer than the horizon of 6"), "{text}");
        let text = told(40, [0.2, 0.1], [4, 6]);
        assert!(text.contains("of 40 steps 3 are for the validation, fewer than the horizon of 6"), "{text}");
        assert!(told(40, [0.0, 0.1], [4, 6]).contains("0 are for the test"));
    }
}
