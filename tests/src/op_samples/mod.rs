//! PyTorch's own sample inputs, beside ours.
//!
//! `tests/peers/torch_op_samples.py` records what PyTorch's operators give for the samples that its own tests use, in every
//! dtype that we offer, values and gradients; [`table`] says which of ours is which; [`run`] computes ours and compares.
//!
//! A value agrees when each element is as near to PyTorch's, or to what PyTorch gives in f64 for the same numbers, as its
//! [`Rule`] says. Gradients agree by the rules of [`gradient_rule`]. What differs and is right to has a
//! [`reason`].

pub mod call;
pub mod compare;
mod complete;
mod create;
mod excerpt;
pub mod file;
mod layers;
mod losses;
mod pointwise;
mod products;
mod reasons;
mod reduce;
pub mod report;
mod sorting;
pub mod table;
mod views;
mod windows;

pub use excerpt::excerpt;
pub use file::File;
pub use reasons::{Part, reason};
pub use report::Report;

use call::{Call, Stop};
use compare::{Difference, Measure, Verdict};
use file::Recorded;
use serde_json::Value;
use table::{Op, Rule, Table};
use taper_tensor::{DType, Device, Error, GradOptions, Result, Tensor, grad};

/// What came of a sample.
#[derive(Debug)]
pub enum Outcome {
    /// No operator of ours.
    Unmapped,
    /// It asks for what we do not have.
    NotOffered(String),
    /// Ours is an error.
    Refused(Error),
    /// Both sides have it.
    Compared {
        /// The worst verdict on an output.
        value: Verdict,
        /// The worst on a gradient; `None` where there is none to compare.
        gradient: Option<Verdict>,
    },
}

/// Compares all samples of `file` on `device`; `each` is told of every one.
///
/// # Errors
/// A file that is damaged, a device that fails.
pub fn run(file: &File, device: &Device, mut each: impl FnMut(&Value, &Outcome)) -> Result<Report> {
    let (table, mut report) = (Table::new(), Report::default());
    for sample in file.samples() {
        let sample = sample?;
        let outcome = outcome(&table, file, &sample, device)?;
        report.count(&sample, &outcome);
        each(&sample, &outcome);
    }
    Ok(report)
}

fn outcome(table: &Table, file: &File, sample: &Value, device: &Device) -> Result<Outcome> {
    let text = |key: &str| sample[key].as_str().unwrap_or_default();
    let Some(op) = table.find(text("op"), text("variant")) else { return Ok(Outcome::Unmapped) };
    let (call, leaves) = file.call(sample, device)?;
    let outputs = match op.call(&call) {
        Ok(outputs) => outputs,
        Err(Stop::NotOffered(what)) => return Ok(Outcome::NotOffered(what)),
        Err(Stop::Refused(error)) => return Ok(Outcome::Refused(error)),
    };
    if let Some(name) = call.unread() {
        return Ok(Outcome::NotOffered(format!("argument {name}")));
    }
    let value = match values(file, sample, op, &call, &outputs) {
        Ok(verdict) => verdict,
        // A pending value is computed when it is read.
        Err(error) => {
            return Ok(match Stop::from(error) {
                Stop::NotOffered(what) => Outcome::NotOffered(what),
                Stop::Refused(error) => Outcome::Refused(error),
            });
        }
    };
    let gradient = match gradients(file, sample, op, &call, &outputs, &leaves) {
        Ok(verdict) => verdict,
        Err(error) => Some(Verdict::Differs(Difference::Error(error.to_string()))),
    };
    Ok(Outcome::Compared { value, gradient })
}

fn values(file: &File, sample: &Value, op: &Op, call: &Call, outputs: &[Tensor]) -> Result<Verdict> {
    let peer = file.recorded_all(&sample["outputs"])?.unwrap_or_default();
    let exact = file.recorded_all(&sample["exact"])?;
    if peer.len() != outputs.len() {
        let text = format!("{} outputs, PyTorch's are {}", outputs.len(), peer.len());
        return Ok(Verdict::Differs(Difference::Kind(text)));
    }
    let (inputs, rule) = (inputs(call)?, call.rule(op.rule));
    let measure = Measure { rule, scale: scale(&inputs), cotangent: None, inputs: &inputs };
    let mut worst = Verdict::AsPeer;
    for (i, (output, peer)) in outputs.iter().zip(&peer).enumerate() {
        let Some(peer) = peer else { continue };
        let exact = exact.as_ref().and_then(|all| all[i].as_ref());
        worst = worse(worst, measure.judge(&recorded(output)?, peer, exact));
    }
    Ok(worst)
}

fn gradients(
    file: &File,
    sample: &Value,
    op: &Op,
    call: &Call,
    outputs: &[Tensor],
    leaves: &[Tensor],
) -> Result<Option<Verdict>> {
    let Some(peer) = file.recorded_all(&sample["grads"])? else { return Ok(None) };
    let exact = file.recorded_all(&sample["exact_grads"])?;
    let targets: Vec<&Tensor> = leaves.iter().collect();
    let inputs = inputs(call)?;
    let mut found: Vec<Option<Tensor>> = vec![None; leaves.len()];
    let (mut size, mut cotangents) = (scale(&inputs), Vec::new());
    for (i, output) in outputs.iter().enumerate() {
        let json = &sample["cotangents"][i];
        if json.is_null() || !output.tracks_grad() {
            continue;
        }
        let cotangent = file.tensor(json, output.device())?;
        cotangents.push(recorded(&cotangent)?);
        size = scale(&cotangents).max(size);
        let options = GradOptions { retain_graph: true, ..GradOptions::default() };
        for (sum, more) in found.iter_mut().zip(grad(output, &targets, Some(&cotangent), options)?) {
            *sum = match (sum.take(), more) {
                (Some(sum), Some(more)) => Some(sum.add(&more)?),
                (sum, more) => sum.or(more),
            };
        }
    }
    let mut worst = Verdict::AsPeer;
    for (i, (leaf, peer)) in leaves.iter().zip(&peer).enumerate() {
        // No gradient is one of zeros, on either side.
        let zeros = || Tensor::zeros(leaf.shape(), leaf.dtype(), leaf.device());
        let ours = recorded(&found[i].clone().map_or_else(zeros, Ok)?)?;
        let peer = peer.clone().map_or_else(|| recorded(&zeros()?), Ok)?;
        let exact = exact.as_ref().and_then(|all| all[i].as_ref());
        // Element by element, where there is one output, as large as the input.
        let whole = cotangents.first().filter(|g| cotangents.len() == 1 && g.shape == ours.shape);
        let rule = gradient_rule(op.gradient.unwrap_or(call.rule(op.rule)), whole.is_some());
        let cotangent = whole.map(|g| &g.values[..]);
        worst = worse(worst, Measure { rule, scale: size, cotangent, inputs: &inputs }.judge(&ours, &peer, exact));
    }
    Ok(Some(worst))
}

/// How near gradients must be where values follow `rule`: those of an operator that works element by element, where the
/// gradient is as large as the output (`whole`), to 16 units in the last place of each element, or 4 in that of the
/// cotangent's (PyTorch's own rules are 1 − y² and the like, which are no better); all others as sums, of the inputs, the
/// cotangents and the gradient.
pub fn gradient_rule(rule: Rule, whole: bool) -> Rule {
    match rule {
        Rule::Exact | Rule::Ulps(_) if whole => Rule::Ulps(16.0),
        _ => Rule::Sums,
    }
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::AsPeer => 0,
        Verdict::AsExact => 1,
        Verdict::Differs(_) => 2,
    };
    if rank(&b) > rank(&a) { b } else { a }
}

fn recorded(x: &Tensor) -> Result<Recorded> {
    Ok(Recorded { dtype: x.dtype(), shape: x.shape().to_vec(), values: x.to_host()?.to_f64() })
}

/// The largest finite element of all.
fn scale(all: &[Recorded]) -> f64 {
    all.iter().flat_map(|x| &x.values).filter(|x| x.is_finite()).fold(0.0, |a, x| a.max(x.abs()))
}

/// The elements of all inputs but masks.
fn inputs(call: &Call) -> Result<Vec<Recorded>> {
    fn add(arg: &call::Arg, all: &mut Vec<Recorded>) -> Result<()> {
        match arg {
            call::Arg::Tensor(x) if x.dtype() != DType::U8 => all.push(recorded(x)?),
            call::Arg::List(list) => list.iter().try_for_each(|arg| add(arg, all))?,
            _ => {}
        }
        Ok(())
    }
    let mut all = Vec::new();
    call.args.iter().chain(call.kwargs.values()).try_for_each(|arg| add(arg, &mut all))?;
    Ok(all)
}
