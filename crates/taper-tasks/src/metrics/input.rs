//! Checks of the arguments that metrics share: lengths, classes, scores.

use crate::IGNORED_LABEL;
use taper_train::{Error, Result};

/// The usage error `METRIC: DETAIL`, such as `top-k: expected …, found …`.
pub(super) fn wrong(metric: &str, detail: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{metric}: {detail}"))
}

/// Errs unless there is a sample, and `found`, the number of `what`, equals the number of samples.
pub(super) fn lengths(metric: &str, what: &str, found: usize, samples: usize) -> Result<()> {
    if samples == 0 {
        return Err(wrong(metric, "expected a sample at least, found none"));
    }
    if found != samples {
        return Err(wrong(metric, format_args!("expected {samples} {what}, one a sample, found {found}")));
    }
    Ok(())
}

/// Errs unless there is a sample with a label.
pub(super) fn some_label(metric: &str, labelled: usize, samples: usize) -> Result<()> {
    if labelled == 0 {
        let detail = format_args!("expected a sample with a label at least, found {samples} of class {IGNORED_LABEL}");
        return Err(wrong(metric, detail));
    }
    Ok(())
}

/// `class` as an index; errs unless it is below `num_classes`.
pub(super) fn index(metric: &str, what: &str, sample: usize, class: i64, num_classes: usize) -> Result<usize> {
    usize::try_from(class).ok().filter(|&index| index < num_classes).ok_or_else(|| {
        wrong(metric, format_args!("{what} of sample {sample}: expected 0 to {}, found {class}", num_classes - 1))
    })
}

/// Errs unless there is a class.
pub(super) fn some_class(metric: &str, num_classes: usize) -> Result<()> {
    if num_classes == 0 {
        return Err(wrong(metric, "expected a class at least, found num_classes = 0"));
    }
    Ok(())
}

/// `values` as `f64`; errs unless all are finite.
pub(super) fn finite<T: Copy + Into<f64>>(metric: &str, what: &str, values: &[T]) -> Result<Vec<f64>> {
    let values: Vec<f64> = values.iter().map(|&value| value.into()).collect();
    match values.iter().position(|value| !value.is_finite()) {
        Some(sample) => Err(wrong(
            metric,
            format_args!("{what} of sample {sample}: expected a finite number, found {}", values[sample]),
        )),
        None => Ok(values),
    }
}

/// The classes and rows of scores of the samples that have a label, checked.
pub(super) struct Scored {
    classes: Vec<usize>,
    scores: Vec<f64>,
    num_classes: usize,
}

impl Scored {
    /// Takes `scores: [N, C]`, any numbers but NaN.
    pub fn new<T: Copy + Into<f64>>(metric: &str, classes: &[i64], scores: &[T], num_classes: usize) -> Result<Self> {
        some_class(metric, num_classes)?;
        lengths(metric, &format!("rows of {num_classes} scores"), scores.len() / num_classes, classes.len())?;
        if !scores.len().is_multiple_of(num_classes) {
            let detail = format_args!("expected rows of {num_classes} scores, found {} scores", scores.len());
            return Err(wrong(metric, detail));
        }
        let scores: Vec<f64> = scores.iter().map(|&score| score.into()).collect();
        if let Some(at) = scores.iter().position(|score| score.is_nan()) {
            let (sample, class) = (at / num_classes, at % num_classes);
            let detail = format_args!("score of class {class} in sample {sample}: expected a number, found NaN");
            return Err(wrong(metric, detail));
        }
        let labelled = || classes.iter().enumerate().filter(|(_, class)| **class != IGNORED_LABEL);
        some_label(metric, labelled().count(), classes.len())?;
        let found = labelled().map(|(sample, &class)| index(metric, "class", sample, class, num_classes));
        let found: Vec<usize> = found.collect::<Result<_>>()?;
        let rows = labelled().flat_map(|(sample, _)| &scores[sample * num_classes..(sample + 1) * num_classes]);
        Ok(Self { classes: found, scores: rows.copied().collect(), num_classes })
    }

    /// Takes `probabilities: [N, C]` between 0 and 1. The sum of a row may differ from 1 by 0.01, as that of a softmax
    /// in half precision does.
    pub fn probabilities<T: Copy + Into<f64>>(
        metric: &str,
        classes: &[i64],
        probabilities: &[T],
        num_classes: usize,
    ) -> Result<Self> {
        let scored = Self::new(metric, classes, probabilities, num_classes)?;
        for (sample, (_, row)) in scored.rows().enumerate() {
            let sum: f64 = row.iter().sum();
            if row.iter().any(|p| !(0.0..=1.0).contains(p)) || (sum - 1.0).abs() > 0.01 {
                let detail = format_args!(
                    "expected probabilities, from 0 to 1 with the sum 1, found {row:?} in sample {sample}; \
                     apply softmax to logits first"
                );
                return Err(wrong(metric, detail));
            }
        }
        Ok(scored)
    }

    /// The number of samples with a label.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// The class and the scores of each sample.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &[f64])> {
        self.classes.iter().copied().zip(self.scores.chunks_exact(self.num_classes))
    }

    /// The mean of `f(class, scores)` over the samples.
    pub fn mean(&self, f: impl Fn(usize, &[f64]) -> f64) -> f64 {
        self.rows().map(|(class, row)| f(class, row)).sum::<f64>() / self.len() as f64
    }
}

/// The index of the largest value, the first of equal ones.
pub(super) fn argmax(row: &[f64]) -> usize {
    let first = |best, at: usize| if row[at] > row[best] { at } else { best };
    (1..row.len()).fold(0, first)
}
