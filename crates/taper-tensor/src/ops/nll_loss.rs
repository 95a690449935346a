//! Negative log likelihood: −w_t · x_t for the class t of each row, from log-probabilities x.
//!
//! As in PyTorch, the mean divides by the sum of the weights of the rows that are not ignored. Where every row is
//! ignored the mean is NaN, and its gradient is 0. A row whose class has weight 0 has the loss 0, even where its
//! log-probability is −∞.

use super::shorthand::{all_f32, in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, Reduction, Result, Shape};

/// The options of [`Tensor::nll_loss`]: class weights and reduction.
#[derive(Debug, Clone)]
pub struct NllOptions {
    /// A weight for each class, `[C]`; `None` for 1. No gradient flows to it.
    pub weight: Option<Tensor>,
    /// Rows of this class are ignored; −100 by default.
    pub ignore_index: i64,
    /// How the losses of the rows are reduced to one; the mean by default.
    pub reduction: Reduction,
}

impl Default for NllOptions {
    fn default() -> Self {
        Self { weight: None, ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl Tensor {
    /// The negative log likelihood of the classes `target` (i64, `[N]` or `[N, d…]`, each in 0 to C − 1 or the ignored
    /// index) under log-probabilities `[N, C]` or `[N, C, d…]`. Gives a scalar, or with [`Reduction::None`] the loss of
    /// each row, of `target`'s shape.
    pub fn nll_loss(&self, target: &Tensor, options: &NllOptions) -> Result<Tensor> {
        const OP: &str = "nll_loss";
        let rows = class_rows(OP, self)?;
        check_target(OP, self, target)?;
        if is_half(self) {
            let [weight] = all_f32([class_weight(OP, &rows, options.weight.as_ref())?.as_ref()])?;
            return in_f32(self, |x| x.nll_loss(target, &NllOptions { weight, ..options.clone() }));
        }
        let targets = Targets::new(OP, &rows, target, options)?;
        targets.reduce(&targets.chosen(&rows)?, options.reduction, target.shape())
    }
}

/// `x: [N, C, d…]` as rows `[N · d…, C]`. A single row `[C]` is a batch of one.
pub(super) fn class_rows(op: &'static str, x: &Tensor) -> Result<Tensor> {
    check::float(op, x)?;
    let shape = x.shape();
    match shape.rank() {
        0 => Err(Error::shape(op, "the input must be [N, C] or [N, C, d…], came as a scalar")),
        1 => x.reshape([1, shape[0]]),
        2 => Ok(x.clone()),
        rank => {
            let axes: Vec<isize> = [0].into_iter().chain(2..rank as isize).chain([1]).collect();
            let rows = shape[0] * shape[2..].iter().product::<usize>();
            x.permute(&axes)?.reshape([rows, shape[1]])
        }
    }
}

/// An error unless `target` is i64, on the device of `x`, with a class for each row of `x`.
pub(super) fn check_target(op: &'static str, x: &Tensor, target: &Tensor) -> Result<()> {
    check::index(op, target)?;
    check::same_device(op, "the input", x, "target", target)?;
    let shape = x.shape();
    let expected: Shape = match shape.rank() {
        0 | 1 => Shape::scalar(),
        _ => [&shape[..1], &shape[2..]].concat().into(),
    };
    if *target.shape() == expected {
        return Ok(());
    }
    Err(Error::shape(
        op,
        format!("target of shape {} must be {expected} for an input of shape {shape}", target.shape()),
    ))
}

/// The class and the weight of each row, computed on the device.
pub(super) struct Targets {
    op: &'static str,
    ignore_index: i64,
    /// The class of each row, `[M, 1]`; 0 where a row is ignored.
    index: Tensor,
    /// Whether each row counts, `[M]`, u8: 0 where it is ignored.
    counted: Tensor,
    /// The weight of each row's class, `[M]`; 0 where a row is ignored.
    weights: Tensor,
    /// Whether class weights were given.
    weighted: bool,
}

impl Targets {
    /// The targets of `rows: [M, C]`.
    pub(super) fn new(op: &'static str, rows: &Tensor, target: &Tensor, options: &NllOptions) -> Result<Self> {
        let (count, classes) = (rows.shape()[0], rows.shape()[1]);
        let ignore_index = options.ignore_index;
        let target = target.reshape([count])?;
        let counted = target.ne(&class_like(&target, ignore_index)?)?;
        let index = counted.select(&target, &target.scalar_like(0.0)?)?.reshape([count, 1])?;
        let weights = counted.cast(rows.dtype())?;
        let mut targets = Self { op, ignore_index, index, counted, weights, weighted: options.weight.is_some() };
        if let Some(weight) = class_weight(op, rows, options.weight.as_ref())? {
            let of_rows = targets.gather(&weight.reshape([1, classes])?.broadcast_to([count, classes])?)?;
            targets.weights = targets.weights.mul(&of_rows)?;
        }
        Ok(targets)
    }

    /// The element of each row's class, `[M]`. A target that is neither a class nor the ignored index is an error that
    /// names the range.
    fn gather(&self, rows: &Tensor) -> Result<Tensor> {
        let (count, classes) = (rows.shape()[0], rows.shape()[1]);
        let chosen = rows.gather(1, &self.index).map_err(|error| match error {
            Error::Argument { op: "gather", detail } => Error::argument(
                self.op,
                format!(
                    "a target is no class, expected 0 to {} (dim 1 of {} has {classes} classes) or ignore_index {}: {detail}",
                    classes as i64 - 1,
                    rows.shape(),
                    self.ignore_index
                ),
            ),
            other => other,
        })?;
        chosen.reshape([count])
    }

    /// −w_t · x_t of each row, `[M]`; 0 where a row is ignored.
    pub(super) fn chosen(&self, rows: &Tensor) -> Result<Tensor> {
        let chosen = self.gather(rows)?;
        self.counted(&if self.weighted { chosen.weighted(&self.weights)? } else { chosen }.neg()?)
    }

    /// `losses: [M]` with 0 where a row is ignored, whatever its value there.
    pub(super) fn counted(&self, losses: &Tensor) -> Result<Tensor> {
        self.counted.select(losses, &losses.scalar_like(0.0)?)
    }

    /// `rows: [M, C]` with zeros in place of ignored rows, whatever they hold. No gradient flows to ignored rows.
    pub(super) fn counted_rows(&self, rows: &Tensor) -> Result<Tensor> {
        self.counted.unsqueeze(1)?.select(rows, &rows.scalar_like(0.0)?)
    }

    /// `losses: [M]` reduced to a scalar, or for [`Reduction::None`] reshaped to `shape`.
    pub(super) fn reduce(&self, losses: &Tensor, reduction: Reduction, shape: &Shape) -> Result<Tensor> {
        match reduction {
            Reduction::Mean => losses.sum_all()?.div(&self.weights.sum_all()?),
            Reduction::Sum => losses.sum_all(),
            Reduction::None => losses.reshape(shape.clone()),
        }
    }
}

/// `class` as an i64 scalar on the device of `target`.
fn class_like(target: &Tensor, class: i64) -> Result<Tensor> {
    // A fill takes f64, which holds every possible class but not every i64 that may be the ignored index.
    if target.dtype().check_operand("nll_loss", class as f64).is_ok() {
        target.scalar_like(class as f64)
    } else {
        Tensor::from_vec(vec![class], [], target.device())
    }
}

/// The class weights, checked and detached from the tape.
pub(super) fn class_weight(op: &'static str, rows: &Tensor, weight: Option<&Tensor>) -> Result<Option<Tensor>> {
    let Some(weight) = weight else { return Ok(None) };
    check::same(op, &["the input", "weight"], &[rows, weight])?;
    if weight.shape()[..] != rows.shape()[1..] {
        let detail = format!("weight of shape {} must be [{}], one for each class", weight.shape(), rows.shape()[1]);
        return Err(Error::shape(op, detail));
    }
    Ok(Some(weight.detach()))
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |reduction, weighted: bool, ignore_index| {
        move |x: &[Tensor]| {
            let target = Tensor::from_vec(vec![2i64, 0, 1, 2], [4], x[0].device())?;
            let weight = Tensor::from_vec(vec![0.5, 2.0, 1.5], [3], x[0].device())?;
            x[0].nll_loss(&target, &NllOptions { weight: weighted.then_some(weight), ignore_index, reduction })
        }
    };
    vec![
        Case::new("mean", loss(Reduction::Mean, false, -100)).input([4, 3]),
        Case::new("weighted mean", loss(Reduction::Mean, true, -100)).input([4, 3]),
        Case::new("weighted mean, one class ignored", loss(Reduction::Mean, true, 2)).input([4, 3]),
        Case::new("sum", loss(Reduction::Sum, true, -100)).input([4, 3]),
        Case::new("one for each", loss(Reduction::None, true, 0)).input([4, 3]),
        Case::new("pictures", |x| {
            let target = Tensor::from_vec(vec![2i64, 0, 1, 2], [1, 2, 2], x[0].device())?;
            x[0].nll_loss(&target, &NllOptions::default())
        })
        .input([1, 3, 2, 2]),
    ]
}
