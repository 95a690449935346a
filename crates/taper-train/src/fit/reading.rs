//! Reading the results of steps from the device, and reporting them.

use super::Fit;
use super::state::{State, Waiting};
use crate::scalars::Scalars;
use crate::{Error, Reporter, Result, RunFolder};
use std::time::Instant;
use taper_nn::weights;

impl Fit<'_> {
    /// Reads the results of the steps since the last reading and reports each in order, up to the first whose loss or
    /// gradient is not finite.
    pub(super) fn read(&self, state: &mut State, reporter: &mut dyn Reporter) -> Result<()> {
        let waiting = std::mem::take(&mut state.waiting);
        let found = Scalars::read(&waiting.iter().map(|step| &step.found).collect::<Vec<_>>())?;
        // The device has finished all these steps by now. Before, the host's clock could not tell.
        let time = state.since.elapsed().as_secs_f64() / waiting.iter().map(|step| step.samples).sum::<usize>() as f64;
        let mut failure = None;
        for (i, (step, found_here)) in waiting.iter().zip(&found).enumerate() {
            let (loss, taken) = (found_here[0], found_here[1]);
            if step.counted == 0 {
                continue;
            }
            step.span.in_scope(|| tracing::debug!(loss));
            if loss.is_finite() {
                state.last_good.confirm(step.step - 1);
            }
            let what = match (loss.is_finite(), taken != 0.0) {
                (true, true) => continue,
                (true, false) => "a gradient",
                (false, _) => "the loss",
            };
            if loss.is_finite() && found[i..].iter().all(|found| found[1] == 0.0) {
                // The weights are those from before this step, and their loss was finite.
                state.last_good.confirm_now(step.step - 1, self.params());
            }
            failure = Some((i, self.not_finite(what, step.step, state)));
            break;
        }
        let good = failure.as_ref().map_or(waiting.len(), |(i, _)| *i);
        for (step, found) in waiting.iter().zip(&found).take(good) {
            let counts = [step.samples, step.counted];
            let loss = if step.counted > 0 { found[0] } else { f64::NAN };
            let (sums, norms) = found[2..].split_at(step.sums);
            // A parameter without a gradient has no norm.
            let norms: Vec<f64> = norms.iter().map(|&norm| if norm < 0.0 { f64::NAN } else { norm }).collect();
            // The loss was read as a mean, the other metrics as sums.
            let pairs: Vec<[f64; 2]> = match sums {
                [count, rest @ ..] => {
                    [[loss * count, *count]].into_iter().chain(rest.as_chunks().0.iter().copied()).collect()
                }
                [] => Vec::new(),
            };
            state.progress.epoch.add(counts, &pairs, time * step.samples as f64);
            if step.step.is_multiple_of(self.config().train.log_every) && step.counted > 0 {
                state.logs.step(step.step, loss, step.lr, state.monitor.names(), &norms)?;
                state.monitor.observe(step.step, &norms).iter().for_each(|warning| reporter.note(warning));
            }
            let train = state.progress.epoch.train(&state.metrics);
            reporter.step(&state.progress.epoch.report([step.step, state.steps, state.progress.step], loss, &train));
        }
        state.since = Instant::now();
        if let Some(note) = not_finite_layers(&waiting[good..], &found[good..], state.monitor.names()) {
            tracing::warn!(note);
            reporter.note(&note);
        }
        failure.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Restores the last good weights, saves them, and returns the error for `step`. A resumed run that has not seen a
    /// finite loss yet has no good weights, and leaves the saved ones as they are.
    pub(super) fn not_finite(&self, what: &'static str, step: u64, state: &State) -> Error {
        let keeps = self.config().train.keep;
        let saved = self.folder.filter(|_| keeps && state.last_good.sure()).map(RunFolder::model);
        let kept = state.last_good.restore(self.params()).and_then(|kept| {
            saved.as_ref().map_or(Ok(()), |path| weights::save(&self.params().all(), path)).map(|()| kept)
        });
        kept.map_or_else(Error::from, |kept| Error::NotFinite { what, step, kept, saved })
    }
}

/// The names of the layers whose gradients are not finite, in the first step, from the failed one on, whose norms were
/// computed.
fn not_finite_layers(steps: &[Waiting], found: &[Vec<f64>], names: &[String]) -> Option<String> {
    let norms = |step: &Waiting| 2 + step.sums;
    let (step, found) =
        steps.iter().zip(found).find(|(step, found)| found.len() > norms(step) && found[0].is_finite())?;
    let layers =
        names.iter().zip(&found[norms(step)..]).filter(|(_, norm)| !norm.is_finite()).map(|(name, _)| name.as_str());
    let layers: Vec<&str> = layers.collect();
    (!layers.is_empty()).then(|| format!("not finite at step {}: the gradient of {}", step.step, layers.join(", ")))
}
