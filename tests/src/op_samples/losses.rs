//! Losses.

use super::call::{Answer, Call, Stop, lacking};
use super::table::Rule::Sums;
use super::table::{Op, call, one};
use taper_nn::{BceWithLogits, CrossEntropy, Huber, KlDiv, KlReduction, L1, Mse, MultiMargin, Nll, SmoothL1};
use taper_tensor::Tensor;

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        call("nn.functional.mse_loss", Sums, |c| {
            let [x, t] = both(c)?;
            one(Mse { half: false, reduction: c.reduction()? }.forward(&x, &t))
        }),
        call("nn.functional.l1_loss", Sums, |c| {
            let [x, t] = both(c)?;
            one(L1 { reduction: c.reduction()? }.forward(&x, &t))
        }),
        call("nn.functional.huber_loss", Sums, |c| {
            let [x, t] = both(c)?;
            one(Huber { delta: c.number(usize::MAX, "delta", 1.0)?, reduction: c.reduction()? }.forward(&x, &t))
        }),
        call("nn.functional.smooth_l1_loss", Sums, |c| {
            let [x, t] = both(c)?;
            one(SmoothL1 { beta: c.number(usize::MAX, "beta", 1.0)?, reduction: c.reduction()? }.forward(&x, &t))
        }),
        call("nn.functional.cross_entropy", Sums, |c| {
            let loss = CrossEntropy {
                weight: c.maybe_tensor(usize::MAX, "weight")?,
                label_smoothing: c.number(usize::MAX, "label_smoothing", 0.0)?,
                ignore_index: ignored(c)?,
                reduction: c.reduction()?,
            };
            let [x, t] = both(c)?;
            one(loss.forward(&x, &t))
        }),
        call("nn.functional.nll_loss", Sums, |c| {
            let weight = c.maybe_tensor(usize::MAX, "weight")?;
            let [x, t] = both(c)?;
            one(Nll { weight, ignore_index: ignored(c)?, reduction: c.reduction()? }.forward(&x, &t))
        }),
        call("nn.functional.binary_cross_entropy_with_logits", Sums, |c| {
            let pos_weight = c.maybe_tensor(usize::MAX, "pos_weight")?;
            let [x, t] = both(c)?;
            one(BceWithLogits { pos_weight, reduction: c.reduction()? }.forward(&x, &t))
        }),
        call("nn.functional.kl_div", Sums, |c| {
            let reduction = match c.text(usize::MAX, "reduction", "mean").as_str() {
                "batchmean" => KlReduction::BatchMean,
                "mean" => KlReduction::Mean,
                "sum" => KlReduction::Sum,
                _ => KlReduction::None,
            };
            let log_target = c.flag(usize::MAX, "log_target", false);
            let [x, t] = both(c)?;
            one(KlDiv { log_target, reduction }.forward(&x, &t))
        }),
        call("nn.functional.multi_margin_loss", Sums, multi_margin),
    ]
}

/// Input and target.
fn both(c: &Call) -> Result<[Tensor; 2], Stop> {
    Ok([c.x()?, c.tensor(1, "target")?])
}

fn ignored(c: &Call) -> Result<i64, Stop> {
    Ok(c.int(usize::MAX, "ignore_index")?.map_or(-100, |index| index as i64))
}

fn multi_margin(c: &Call) -> Answer {
    if c.number(usize::MAX, "p", 1.0)? != 1.0 {
        return lacking("p other than 1");
    }
    let [x, t] = both(c)?;
    let loss = MultiMargin { margin: c.number(usize::MAX, "margin", 1.0)?, reduction: c.reduction()? };
    if x.shape().rank() >= 2 {
        return one(loss.forward(&x, &t));
    }
    // A single sample.
    let y = loss.forward(&x.reshape([1, x.count()])?, &t.reshape([1])?)?;
    one(y.reshape(t.shape()[..].iter().map(|_| 1).take(y.shape().rank()).collect::<Vec<_>>()))
}
