//! Cross entropy of logits x: −Σ_c q_c w_c ln softmax(x)_c for each row, with class weights w. The target q is a class
//! (one-hot, or with label smoothing) or a distribution over classes.
//!
//! The definition is PyTorch's. Label smoothing ε (Szegedy et al. 2016) takes (1 − ε) of the class's loss and ε / C of
//! the sum over all classes. For class targets the mean divides by the sum of the weights of the rows' classes; for
//! distributions by the number of rows. Where every row is ignored the mean is NaN and its gradient 0, and the sum is
//! 0.
//!
//! A class whose logit is −∞ has probability 0. Where its target is 0 too it adds nothing to the loss: 0 · ln 0 = 0.
//! With label smoothing its target is not 0, and the loss is infinite.

use super::nll_loss::{NllOptions, Targets, check_target, class_rows, class_weight};
use super::shorthand::{all_f32, fused, in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{CrossEntropySpec, DType, Error, FusedOp, Reduction, Result};

/// The options of [`Tensor::cross_entropy`]: class weights, label smoothing and reduction.
#[derive(Debug, Clone)]
pub struct CrossEntropyOptions {
    /// A weight for each class, `[C]`; `None` for 1. No gradient flows to it.
    pub weight: Option<Tensor>,
    /// Rows of this class are ignored; −100 by default. Not used where the target is distributions.
    pub ignore_index: i64,
    /// How the losses of the rows are reduced to one; the mean by default.
    pub reduction: Reduction,
    /// The share of the target spread evenly over all classes, 0 to 1; 0 by default.
    pub label_smoothing: f64,
}

impl Default for CrossEntropyOptions {
    fn default() -> Self {
        Self { weight: None, ignore_index: -100, reduction: Reduction::Mean, label_smoothing: 0.0 }
    }
}

const OP: &str = "cross_entropy";

impl Tensor {
    /// The cross entropy of logits `[N, C]` or `[N, C, d…]` with `target`: classes (i64, `[N]` or `[N, d…]`, each in 0
    /// to C − 1 or the ignored index), or distributions over classes (floats of the logits' shape). Gives a scalar, or
    /// with [`Reduction::None`] the loss of each row, `[N]` or `[N, d…]`.
    pub fn cross_entropy(&self, target: &Tensor, options: &CrossEntropyOptions) -> Result<Tensor> {
        if !(0.0..=1.0).contains(&options.label_smoothing) {
            let detail = format!("label_smoothing is a share, 0 to 1, came as {}", options.label_smoothing);
            return Err(Error::argument(OP, detail));
        }
        let rows = class_rows(OP, self)?;
        if target.dtype().is_float() {
            return with_distributions(self, &rows, target, options);
        }
        check_target(OP, self, target)?;
        if options.weight.is_none() && options.reduction == Reduction::Mean {
            let spec =
                CrossEntropySpec { label_smoothing: options.label_smoothing, ignore_index: options.ignore_index };
            let flat = target.reshape([target.count()])?;
            let (target, options) = (target.clone(), options.clone());
            return fused(
                OP,
                &[&rows, &flat],
                move |x| Ok(FusedOp::CrossEntropy { logits: x[0].buffer()?, target: x[1].buffer()?, spec }),
                move |x| with_classes(&x[0], &target, &options),
            );
        }
        with_classes(&rows, target, options)
    }
}

/// The composed version for class targets and `rows: [M, C]`.
fn with_classes(rows: &Tensor, target: &Tensor, options: &CrossEntropyOptions) -> Result<Tensor> {
    if is_half(rows) {
        let [weight] = all_f32([class_weight(OP, rows, options.weight.as_ref())?.as_ref()])?;
        let options = CrossEntropyOptions { weight, ..options.clone() };
        let flat = target.reshape([target.count()])?;
        let loss = in_f32(rows, |rows| rows.cross_entropy(&flat, &options))?;
        return if options.reduction == Reduction::None { loss.reshape(target.shape()) } else { Ok(loss) };
    }
    let CrossEntropyOptions { weight, ignore_index, reduction, label_smoothing } = options.clone();
    let targets = Targets::new(OP, rows, target, &NllOptions { weight: weight.clone(), ignore_index, reduction })?;
    let log_probabilities = targets.counted_rows(rows)?.log_softmax(-1)?;
    let mut losses = targets.chosen(&log_probabilities)?;
    if label_smoothing > 0.0 {
        let all = match class_weight(OP, rows, weight.as_ref())? {
            Some(weight) => log_probabilities.weighted(&weight)?,
            None => log_probabilities,
        };
        let all = targets.counted(&all.sum(&[-1], false)?.neg()?)?;
        let all = all.mul_scalar(label_smoothing / rows.shape()[1] as f64)?;
        // With smoothing 1 the loss of the target class is left out, even where it is infinite.
        let own = label_smoothing < 1.0;
        losses = if own { losses.mul_scalar(1.0 - label_smoothing)?.add(&all)? } else { all };
    }
    targets.reduce(&losses, reduction, target.shape())
}

/// Cross entropy where each row's target is a distribution.
fn with_distributions(x: &Tensor, rows: &Tensor, target: &Tensor, options: &CrossEntropyOptions) -> Result<Tensor> {
    check::same(OP, &["the input", "target"], &[x, target])?;
    if target.shape() != x.shape() {
        let detail =
            format!("target of shape {} must have the input's shape {} to be distributions", target.shape(), x.shape());
        return Err(Error::shape(OP, detail));
    }
    if is_half(x) {
        let [weight] = all_f32([class_weight(OP, rows, options.weight.as_ref())?.as_ref()])?;
        let (options, target) = (CrossEntropyOptions { weight, ..options.clone() }, target.cast(DType::F32)?);
        return in_f32(x, |x| x.cross_entropy(&target, &options));
    }
    let mut target = class_rows(OP, target)?;
    let (count, classes) = (rows.shape()[0], rows.shape()[1]);
    if options.label_smoothing > 0.0 {
        let share = options.label_smoothing / classes as f64;
        target = target.mul_scalar(1.0 - options.label_smoothing)?.add_scalar(share)?;
    }
    if let Some(weight) = class_weight(OP, rows, options.weight.as_ref())? {
        target = target.mul(&weight)?;
    }
    let losses = rows.log_softmax(-1)?.weighted(&target)?.sum(&[-1], false)?.neg()?;
    match options.reduction {
        Reduction::Mean => losses.sum_all()?.div_scalar(count as f64),
        Reduction::Sum => losses.sum_all(),
        Reduction::None if x.shape().rank() < 2 => losses.sum_all(),
        Reduction::None => losses.reshape([&x.shape()[..1], &x.shape()[2..]].concat()),
    }
}

/// Logits `[2, 3]` with one −∞ in each row.
fn masked(x: &Tensor) -> Result<Tensor> {
    let cut = Tensor::from_vec(vec![0u8, 1, 0, 0, 0, 1], [2, 3], x.device())?;
    cut.select(&x.scalar_like(f64::NEG_INFINITY)?, x)
}

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, reduction, weighted: bool, ignore_index, label_smoothing| {
        let loss = move |x: &[Tensor]| {
            let target = Tensor::from_vec(vec![2i64, 0, 1, 2], [4], x[0].device())?;
            let weight = Tensor::from_vec(vec![0.5, 2.0, 1.5], [3], x[0].device())?;
            let weight = weighted.then_some(weight);
            x[0].cross_entropy(&target, &CrossEntropyOptions { weight, ignore_index, reduction, label_smoothing })
        };
        Case::new(name, loss).input([4, 3])
    };
    let distributions = |name: &str, reduction, label_smoothing| {
        let loss = move |x: &[Tensor]| {
            let weight = Some(Tensor::from_vec(vec![0.5, 2.0, 1.5], [3], x[0].device())?);
            let options = CrossEntropyOptions { weight, reduction, label_smoothing, ..Default::default() };
            x[0].cross_entropy(&x[1], &options)
        };
        Case::new(name, loss).input([2, 3, 2]).input_in([2, 3, 2], 0.0, 1.0)
    };
    vec![
        case("mean", Reduction::Mean, false, -100, 0.0),
        case("smoothed", Reduction::Mean, false, -100, 0.1),
        case("one class ignored, smoothed", Reduction::Mean, false, 2, 0.1),
        case("weighted mean", Reduction::Mean, true, -100, 0.0),
        case("weighted, smoothed, one class ignored", Reduction::Mean, true, 0, 0.2),
        case("sum", Reduction::Sum, true, 0, 0.1),
        case("one for each", Reduction::None, false, 1, 0.1),
        Case::new("pictures", |x| {
            let target = Tensor::from_vec(vec![2i64, 0, 1, 2], [1, 2, 2], x[0].device())?;
            x[0].cross_entropy(&target, &CrossEntropyOptions::default())
        })
        .input([1, 3, 2, 2]),
        distributions("distributions", Reduction::Mean, 0.0),
        distributions("distributions, smoothed, one for each", Reduction::None, 0.1),
        Case::new("distributions, a class masked", |x| {
            let target = Tensor::from_vec(vec![0.25, 0.0, 0.75, 0.6, 0.4, 0.0], [2, 3], x[0].device())?;
            masked(&x[0])?.cross_entropy(&target, &CrossEntropyOptions::default())
        })
        .input([2, 3]),
        Case::new("a class masked", |x| {
            let target = Tensor::from_vec(vec![2i64, 0], [2], x[0].device())?;
            masked(&x[0])?.cross_entropy(&target, &CrossEntropyOptions::default())
        })
        .input([2, 3]),
        Case::new("a class masked and without weight, smoothed", |x| {
            let target = Tensor::from_vec(vec![2i64, 0], [2], x[0].device())?;
            let weight = Some(Tensor::from_vec(vec![0.5, 0.0, 1.5], [3], x[0].device())?);
            let first = masked(&x[0])?.narrow(0, 0, 1)?;
            let target = target.narrow(0, 0, 1)?;
            first.cross_entropy(&target, &CrossEntropyOptions { weight, label_smoothing: 0.1, ..Default::default() })
        })
        .input([2, 3]),
    ]
}
