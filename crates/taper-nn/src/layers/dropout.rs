//! Dropout (Srivastava et al., JMLR 15, 2014), inverted: the kept elements are scaled up in training.

use super::at;
use crate::gradcheck::layer;
use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Result, Tensor};

/// In training each element is set to 0 with probability p, and otherwise becomes x / (1 − p). In evaluation y = x.
#[derive(Debug, Clone)]
pub struct Dropout {
    path: String,
    /// The name that keys the random numbers.
    stream: String,
    p: f64,
}

impl Dropout {
    /// Drops elements with probability `p`, in [0, 1]. Dropout has no parameters: the path of `params` keys its random
    /// numbers. Several dropouts at one path draw different numbers, by the order in which they are created; one with a
    /// `sub` of its own keeps its numbers when others are added. A dropout that is applied twice in a step draws other
    /// numbers the second time.
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
        context.layer(&self.path, |context| match context.is_training() && self.p > 0.0 {
            true => x.dropout(self.p, context.key(&self.stream)),
            false => Ok(x.clone()),
        })
    }
}

/// The names key the random numbers. With these, some elements are dropped and some are kept, which a test checks.
pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("half", |params| Dropout::new(0.5, &params.sub("dropout"))).input([4, 5]),
        layer("a tenth", |params| Dropout::new(0.1, &params.sub("dropout"))).input([3, 7]),
        layer("nothing", |params| Dropout::new(0.0, params)).input([3]),
        layer("everything", |params| Dropout::new(1.0, params)).input([3]).zero_gradient(0),
    ]
}
