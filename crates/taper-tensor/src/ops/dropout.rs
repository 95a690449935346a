//! Dropout (Srivastava et al. 2014), scaled in training: element i is kept and divided by 1 − p where word i of a
//! random stream is at least p · 2³², and set to 0 elsewhere. The gradient is the same dropout of the output's
//! gradient.

use super::shorthand::plain;
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, FusedOp, HostData, RandomKey, Result};

impl Tensor {
    /// Each element set to 0 with probability `p` (0 to 1) and divided by 1 − `p` otherwise. The same `key` drops the same
    /// elements.
    pub fn dropout(&self, p: f64, key: RandomKey) -> Result<Tensor> {
        check::float("dropout", self)?;
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::argument("dropout", format!("p is a probability, 0 to 1, came as {p}")));
        }
        if p == 0.0 {
            return Ok(self.clone());
        }
        // With p = 1 everything is dropped, and the kernel would divide by 1 − p = 0.
        let op = FusedOp::Dropout { x: self.buffer()?, p, key };
        let fused = if p < 1.0 { self.device().fused(&op)? } else { None };
        let Some(output) = fused else { return composed(self, p, key) };
        // The rule needs no value of x.
        Ok(Tensor::record("dropout", output.y, &[self], || {
            Rule::tensors(move |g, _| Ok(vec![Some(g.dropout(p, key)?)]))
        }))
    }
}

fn composed(x: &Tensor, p: f64, key: RandomKey) -> Result<Tensor> {
    let threshold = p * 2f64.powi(32);
    let blocks = (0..x.count().div_ceil(4) as u64).flat_map(|block| key.block(block));
    let kept: Vec<u8> = blocks.take(x.count()).map(|word| u8::from(f64::from(word) >= threshold)).collect();
    let kept = plain(x, x.device().upload(&HostData::U8(kept), x.shape())?);
    let scaled = if p < 1.0 { x.div_scalar(1.0 - p)? } else { x.clone() };
    kept.select(&scaled, &x.scalar_like(0.0)?)
}

pub(super) fn cases() -> Vec<Case> {
    let drop = |p| move |x: &[Tensor]| x[0].dropout(p, RandomKey::new(5));
    vec![
        Case::new("half", drop(0.5)).input([4, 5]),
        Case::new("a tenth, odd size", drop(0.1)).input([3, 7]),
        Case::new("nothing", drop(0.0)).input([3]),
        Case::new("everything", drop(1.0)).input([3]).zero_gradient(0),
    ]
}
