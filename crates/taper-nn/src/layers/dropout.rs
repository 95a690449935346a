//! Dropout (Srivastava et al., JMLR 15, 2014), inverted: what stays is scaled up in training.

use super::at;
use crate::gradcheck::layer;
use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Result, Tensor};

/// In training each element is 0 with probability p, else x / (1 − p). In evaluation y = x.
#[derive(Debug, Clone)]
pub struct Dropout {
    path: String,
    /// What its random numbers are keyed by.
    stream: String,
    p: f64,
}

impl Dropout {
    /// Drops with probability `p`, in [0, 1]. It makes no parameter: `params` gives it the name that keys its random
    /// numbers. Of several at one place each has its own, by their order; one with a `sub` of its own keeps its numbers
    /// when others are added. One that is applied twice in a step draws twice.
    pub fn new(p: f64, params: &Params) -> Result<Self> {
        // Written so that NaN is refused.
        if !(0.0..=1.0).contains(&p) {
            let detail = format!("the probability p must be from 0 to 1, came as {p}");
            return at(params.path(), Err(Error::argument("dropout", detail)));
        }
        Ok(Self { path: params.path().to_owned(), stream: params.stream(), p })
    }
}

impl Module for Dropout {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        if !context.is_training() || self.p == 0.0 {
            return Ok(x.clone());
        }
        at(&self.path, x.dropout(self.p, context.key(&self.stream)))
    }
}

/// With these names, which key what is drawn, something is dropped and something stays: a test looks.
pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("half", |params| Dropout::new(0.5, &params.sub("dropout"))).input([4, 5]),
        layer("a tenth", |params| Dropout::new(0.1, &params.sub("dropout"))).input([3, 7]),
        layer("nothing", |params| Dropout::new(0.0, params)).input([3]),
        layer("everything", |params| Dropout::new(1.0, params)).input([3]).zero_gradient(0),
    ]
}
