//! Group norm (Wu and He 2018) and instance norm (Ulyanov, Vedaldi and Lempitsky 2016): layer norm over the elements of
//! each group of channels, then a weight and a bias for each channel.

use super::shorthand::{all_f32, in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, Result};

impl Tensor {
    /// Normalises each of `groups` groups of the channels of each sample of `[N, C, …]` by its mean and biased variance,
    /// to whose `eps` is added, and multiplies by `weight` and adds `bias`, both `[C]`.
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Result<Tensor> {
        normed("group_norm", self, Some(groups), weight, bias, eps)
    }

    /// Group norm with a group for each channel, of `[N, C, …]` with at least three dimensions.
    pub fn instance_norm(&self, weight: Option<&Tensor>, bias: Option<&Tensor>, eps: f64) -> Result<Tensor> {
        if self.shape().rank() < 3 {
            let detail = format!("input must be [N, C, L], [N, C, H, W] or more, came as {}", self.shape());
            return Err(Error::shape("instance_norm", detail));
        }
        normed("instance_norm", self, None, weight, bias, eps)
    }
}

/// With `groups` of the channels; `None` for one each.
fn normed(
    op: &'static str,
    x: &Tensor,
    groups: Option<usize>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    check::float(op, x)?;
    let shape = x.shape();
    if shape.rank() < 2 {
        return Err(Error::shape(op, format!("input must be [N, C, …], came as {shape}")));
    }
    let channels = shape[1];
    let groups = groups.unwrap_or(channels.max(1));
    if groups == 0 || !channels.is_multiple_of(groups) {
        let detail = format!("groups {groups} must divide the {channels} channels (dim 1 of {shape})");
        return Err(Error::argument(op, detail));
    }
    for (name, tensor) in [("weight", weight), ("bias", bias)] {
        let Some(tensor) = tensor else { continue };
        check::same(op, &["input", name], &[x, tensor])?;
        if tensor.shape()[..] != [channels] {
            let detail = format!("{name} must be [{channels}] for the input {shape}, came as {}", tensor.shape());
            return Err(Error::shape(op, detail));
        }
    }
    if is_half(x) {
        let [weight, bias] = all_f32([weight, bias])?;
        return in_f32(x, |x| normed(op, x, Some(groups), weight.as_ref(), bias.as_ref(), eps));
    }
    if x.count() == 0 {
        // Nothing to normalise: weight and bias get gradients of zeros below.
        return scaled(x, weight, bias);
    }
    let group = channels / groups * shape[2..].iter().product::<usize>();
    let y = x.reshape([shape[0] * groups, group])?.layer_norm(1, None, None, eps)?.reshape(shape)?;
    scaled(&y, weight, bias)
}

/// x · weight + bias, for each channel.
fn scaled(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Result<Tensor> {
    let column = [&x.shape()[1..2], &vec![1; x.shape().rank() - 2]].concat();
    let mut y = x.clone();
    if let Some(weight) = weight {
        y = y.mul(&weight.reshape(column.clone())?)?;
    }
    bias.map_or(Ok(y.clone()), |bias| y.add(&bias.reshape(column)?))
}

pub(super) fn cases() -> Vec<Case> {
    const EPS: f64 = 1e-5;
    vec![
        Case::new("two groups", |x| x[0].group_norm(2, Some(&x[1]), Some(&x[2]), EPS))
            .input([2, 4, 3])
            .input([4])
            .input([4]),
        Case::new("one group, a bias alone", |x| x[0].group_norm(1, None, Some(&x[1]), EPS)).input([3, 4]).input([4]),
        Case::new("of instances", |x| x[0].instance_norm(Some(&x[1]), Some(&x[2]), EPS))
            .input([2, 2, 3, 2])
            .input([2])
            .input([2]),
        Case::new("no weight", |x| x[0].instance_norm(None, None, 0.1)).input([1, 3, 4]),
    ]
}
