//! Negative log likelihood: −w_t · x_t for the class t of each row, from log-probabilities x.
//!
//! As in PyTorch the mean divides by the sum of the weights of the rows that count, so that it is NaN where none does.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, HostData, Reduction, Result, Shape};

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
        let targets = Targets::read(OP, &rows, target, options)?;
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
    Err(Error::shape(op, format!("target of shape {} must be {expected} for an input of shape {shape}", target.shape())))
}

/// The class of each row, checked, and what each row weighs.
pub(super) struct Targets {
    /// `[M, 1]`; 0 where a row does not count.
    index: Tensor,
    /// `[M]`, u8: whether a row counts.
    counted: Tensor,
    /// `[M]`: the weight of each row's class, 0 where it does not count.
    weights: Tensor,
}

impl Targets {
    /// Of `target` for `rows: [M, C]`.
    pub(super) fn read(op: &'static str, rows: &Tensor, target: &Tensor, options: &NllOptions) -> Result<Self> {
        let (count, classes) = (rows.shape()[0], rows.shape()[1]);
        let mut index = target.to_vec::<i64>()?;
        let mut counted = vec![1u8; count];
        for (row, class) in index.iter_mut().enumerate() {
            if *class == options.ignore_index {
                (*class, counted[row]) = (0, 0);
            } else if !usize::try_from(*class).is_ok_and(|class| class < classes) {
                let detail = format!(
                    "target {row} is class {class}, expected 0 to {} (dim 1 of {} has {classes} classes) or ignore_index {}",
                    classes as i64 - 1,
                    rows.shape(),
                    options.ignore_index
                );
                return Err(Error::argument(op, detail));
            }
        }
        let device = rows.device();
        let index = Tensor::from_vec(index, [count, 1], device)?;
        let counts: Vec<f64> = counted.iter().map(|&counts| f64::from(counts)).collect();
        let mut weights = Tensor::from_host(HostData::from_f64(&counts, rows.dtype()), [count], device)?;
        if let Some(weight) = class_weight(op, rows, options.weight.as_ref())? {
            let of_rows = weight.reshape([1, classes])?.broadcast_to([count, classes])?.gather(1, &index)?;
            weights = weights.mul(&of_rows.reshape([count])?)?;
        }
        Ok(Self { index, counted: Tensor::from_vec(counted, [count], device)?, weights })
    }

    /// −w_t · x_t of each row, `[M]`; 0 where it does not count.
    pub(super) fn chosen(&self, rows: &Tensor) -> Result<Tensor> {
        let chosen = rows.gather(1, &self.index)?.reshape([rows.shape()[0]])?;
        self.counted(&chosen.mul(&self.weights)?.neg()?)
    }

    /// `losses: [M]` with 0 where a row does not count, whatever its value.
    pub(super) fn counted(&self, losses: &Tensor) -> Result<Tensor> {
        self.counted.select(losses, &losses.scalar_like(0.0)?)
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
