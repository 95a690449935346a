//! Negative log likelihood: −w_t · x_t for the class t of each row, from log-probabilities x.
//!
//! As in PyTorch the mean divides by the sum of the weights of the rows that count, so that it is NaN where none does; its
//! gradient is 0 there. A class of weight 0 counts for nothing, be its log-probability −∞.

use super::shorthand::{all_f32, in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, Reduction, Result, Shape};

/// How [`Tensor::nll_loss`] weighs and reduces.
#[derive(Debug, Clone)]
pub struct NllOptions {
    /// A weight for each class, `[C]`. No gradient flows to it.
    pub weight: Option<Tensor>,
    /// Rows of this class count for nothing; −100 unless told.
    pub ignore_index: i64,
    /// How the rows' losses become one.
    pub reduction: Reduction,
}

impl Default for NllOptions {
    fn default() -> Self {
        Self { weight: None, ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl Tensor {
    /// The negative log likelihood of the classes `target` (i64: `[N]` or `[N, d…]`) under log-probabilities `[N, C]` or
    /// `[N, C, d…]`: a scalar, or of `target`'s shape with [`Reduction::None`].
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

/// `[N, C, d…]` as rows `[N · d…, C]`. A single row `[C]` is a batch of one.
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

/// Errs unless `target` holds a class for each row of `x`.
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

/// The class of each row, and what each row weighs. All of it is computed on the device.
pub(super) struct Targets {
    op: &'static str,
    ignore_index: i64,
    /// `[M, 1]`; 0 where a row does not count.
    index: Tensor,
    /// `[M]`, u8: whether a row counts.
    counted: Tensor,
    /// `[M]`: the weight of each row's class, 0 where it does not count.
    weights: Tensor,
    /// Whether a class may weigh something else than 1.
    weighted: bool,
}

impl Targets {
    /// Of `target` for `rows: [M, C]`.
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

    /// The element of each row's class, `[M]`: an error that names what is expected where a class is none.
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

    /// −w_t · x_t of each row, `[M]`; 0 where it does not count.
    pub(super) fn chosen(&self, rows: &Tensor) -> Result<Tensor> {
        let chosen = self.gather(rows)?;
        self.counted(&if self.weighted { chosen.weighted(&self.weights)? } else { chosen }.neg()?)
    }

    /// `losses: [M]` with 0 where a row does not count, whatever its value.
    pub(super) fn counted(&self, losses: &Tensor) -> Result<Tensor> {
        self.counted.select(losses, &losses.scalar_like(0.0)?)
    }

    /// `rows: [M, C]` with zeros where a row does not count, whatever it holds: no gradient leads there.
    pub(super) fn counted_rows(&self, rows: &Tensor) -> Result<Tensor> {
        self.counted.unsqueeze(1)?.select(rows, &rows.scalar_like(0.0)?)
    }

    /// `losses: [M]` as one, or as `shape`.
    pub(super) fn reduce(&self, losses: &Tensor, reduction: Reduction, shape: &Shape) -> Result<Tensor> {
        match reduction {
            Reduction::Mean => losses.sum_all()?.div(&self.weights.sum_all()?),
            Reduction::Sum => losses.sum_all(),
            Reduction::None => losses.reshape(shape.clone()),
        }
    }
}

/// `class` as a scalar beside `target`.
fn class_like(target: &Tensor, class: i64) -> Result<Tensor> {
    // A fill takes f64, which holds every class there may be, but not every i64.
    if target.dtype().check_operand("nll_loss", class as f64).is_ok() {
        target.scalar_like(class as f64)
    } else {
        Tensor::from_vec(vec![class], [], target.device())
    }
}

/// The class weights, checked and cut off from the tape.
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
