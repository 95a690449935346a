//! The quantile loss, or pinball loss (Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978): what it is
//! smallest for is a quantile of the target, as the absolute error is for the median.

use super::{in_f32, reduce};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

/// With d = t − x, of the prediction x of the quantile q: q·d where d ≥ 0, (q − 1)·d elsewhere. For q = ½ it is half of the
/// absolute error. The derivative by x at d = 0 is the mean of those beside it, ½ − q.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantile {
    /// The quantiles, each above 0 and below 1, in the order of the input's last dimension.
    pub quantiles: Vec<f64>,
    /// How the losses of the elements are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Quantile {
    /// The mean over all elements.
    pub fn new(quantiles: impl Into<Vec<f64>>) -> Self {
        Self { quantiles: quantiles.into(), reduction: Reduction::Mean }
    }

    /// The loss of `input`, `[…, Q]`, which holds a prediction for each of the Q quantiles, with `target`, `[…]`; without a
    /// reduction `[…, Q]`.
    ///
    /// # Errors
    /// Shapes that do not fit, no quantile, one that is not between 0 and 1.
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Result<Tensor> {
        let wrong = self.quantiles.iter().find(|&&q| !(q > 0.0 && q < 1.0));
        if let Some(q) = wrong {
            return Err(Error::argument("quantile", format!("a quantile must be above 0 and below 1, came as {q}")));
        }
        let (count, shape) = (self.quantiles.len(), target.shape().dims());
        let fits = input.shape().dims().split_last() == Some((&count, shape)) && count > 0;
        if !fits {
            let detail = format!(
                "the input must have the target's shape and {count} quantiles (1 or more) last, they came as {} and {}",
                input.shape(),
                target.shape()
            );
            return Err(Error::shape("quantile", detail));
        }
        if let Some(loss) = in_f32(input, target, |x, t| self.forward(x, t))? {
            return Ok(loss);
        }
        let distance = target.unsqueeze(-1)?.sub(input)?; // […, Q]
        let of = |values: Vec<f64>| Tensor::from_vec(values, [count], input.device())?.cast(input.dtype());
        // q·d = (q − ½)·d + ½·d, and where d is negative its size counts: both branches are (q − ½)·d + ½·|d|.
        let centred = of(self.quantiles.iter().map(|q| q - 0.5).collect())?;
        let losses = distance.mul(&centred)?.add(&distance.abs()?.mul_scalar(0.5)?)?;
        reduce(&losses, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |quantiles: &'static [f64], reduction| {
        move |x: &[Tensor]| Quantile { quantiles: quantiles.to_vec(), reduction }.forward(&x[0], &x[1])
    };
    vec![
        Case::new("three quantiles, mean", loss(&[0.1, 0.5, 0.9], Reduction::Mean)).input([2, 4, 3]).input([2, 4]),
        Case::new("one for each", loss(&[0.25, 0.8], Reduction::None)).input([5, 2]).input([5]),
        Case::new("at the kink", loss(&[0.25], Reduction::Sum))
            .values([3, 1], vec![1.0, 3.0, 1.0])
            .values([3], vec![1.0, 2.0, 2.0])
            .subgradient(0, vec![0.25, 0.75, -0.25]),
    ]
}
