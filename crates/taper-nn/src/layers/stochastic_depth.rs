//! Stochastic depth (Huang et al., "Deep networks with stochastic depth", ECCV 2016), inverted: the kept samples are
//! scaled up in training.

use super::at;
use crate::gradcheck::layer;
use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Result, Tensor};

/// In training each sample of `[N, …]` is set to 0 as a whole with probability p, and otherwise becomes x / (1 − p). In
/// evaluation y = x. Applied to the branch of a residual block, it skips the block. As torchvision's `StochasticDepth`
/// in mode "row".
#[derive(Debug, Clone)]
pub struct StochasticDepth {
    path: String,
    /// The name that keys the random numbers.
    stream: String,
    p: f64,
}

impl StochasticDepth {
    /// Drops samples with probability `p`, in [0, 1]. It has no parameters: the path of `params` keys its random
    /// numbers, as for [`Dropout`](crate::Dropout).
    pub fn new(p: f64, params: &Params) -> Result<Self> {
        // Written so that NaN is refused.
        if !(0.0..=1.0).contains(&p) {
            let detail = format!("the probability p must be from 0 to 1, came as {p}");
            return at(params.path(), Err(Error::argument("stochastic_depth", detail)));
        }
        Ok(Self { path: params.path().to_owned(), stream: params.stream(), p })
    }
}

impl Module for StochasticDepth {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            if !context.is_training() || self.p == 0.0 {
                return Ok(x.clone());
            }
            let Some((&examples, others)) = x.shape().split_first() else {
                return Err(Error::shape("stochastic_depth", "expected [N, …], the input is a scalar"));
            };
            let rows = [&[examples][..], &vec![1; others.len()]].concat();
            // Dropout of ones gives 0 or 1 / (1 − p), one for each sample.
            let scale = Tensor::ones(rows, x.dtype(), x.device())?.dropout(self.p, context.key(&self.stream))?;
            x.mul(&scale)
        })
    }
}

/// The names key the random numbers. With these, some samples are dropped and some are kept, which a test checks.
pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("half", |params| StochasticDepth::new(0.5, &params.sub("block"))).input([6, 2, 2]),
        layer("a tenth", |params| StochasticDepth::new(0.1, &params.sub("block"))).input([5, 3]),
        layer("everything", |params| StochasticDepth::new(1.0, params)).input([3, 2]).zero_gradient(0),
    ]
}
