//! The normalised temperature-scaled cross entropy of SimCLR (Chen et al., "A simple framework for contrastive learning of
//! visual representations", ICML 2020, equation 1).

use super::{CrossEntropy, all_in_f32, same_shape};
use crate::unit::unit;
use taper_tensor::gradcheck::Case;
use taper_tensor::{DType, Error, Reduction, Result, Tensor};

const OP: &str = "nt_xent";

/// −log (exp(s_ij/τ) / Σ_{k ≠ i} exp(s_ik/τ)) for the two views i and j of a sample among the 2N views of a batch, with the
/// cosines s of their embeddings; the mean, or the sum, over all 2N of them.
#[derive(Debug, Clone, Copy)]
pub struct NtXent {
    /// τ, over 0; 0.5 by default.
    pub temperature: f64,
    /// How the losses of the views are reduced: to their mean, their sum, or not at all (`[2N]`, first those of `a`).
    pub reduction: Reduction,
}

impl Default for NtXent {
    fn default() -> Self {
        Self { temperature: 0.5, reduction: Reduction::Mean }
    }
}

impl NtXent {
    /// The loss of the embeddings `a: [N, D]` of the samples' first views, and `b: [N, D]` of their second ones.
    pub fn forward(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let temperature = self.temperature;
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(Error::argument(OP, format!("the temperature must be over 0, came as {temperature}")));
        }
        same_shape(OP, a, b)?;
        let [count, _] = a.shape()[..] else {
            return Err(Error::shape(OP, format!("expected embeddings [N, D], came {}", a.shape())));
        };
        if let Some(loss) = all_in_f32([a, b], |[a, b]| self.forward(a, b))? {
            return Ok(loss);
        }
        let views = unit(&Tensor::concat(&[a, b], 0)?)?; // [2N, D]
        let itself = Tensor::eye(2 * count, 2 * count, DType::U8, a.device())?;
        let logits = views.matmul_t(&views, [false, true])?.mul_scalar(1.0 / temperature)?;
        let others = logits.masked_fill(&itself, f64::NEG_INFINITY)?; // [2N, 2N]
        let partner = (0..2 * count).map(|i| ((i + count) % (2 * count)) as i64).collect();
        let partner = Tensor::from_vec(partner, [2 * count], a.device())?;
        CrossEntropy { reduction: self.reduction, ..CrossEntropy::default() }.forward(&others, &partner)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |temperature, reduction| move |x: &[Tensor]| NtXent { temperature, reduction }.forward(&x[0], &x[1]);
    vec![
        Case::new("mean", loss(0.5, Reduction::Mean)).input([3, 4]).input([3, 4]),
        Case::new("cold, one for each", loss(0.1, Reduction::None)).input([2, 3]).input([2, 3]),
    ]
}
