//! Evaluation and saving, after an epoch and at the end.

use super::state::State;
use super::{Fit, Outcome};
use crate::learner::Learner;
use crate::{EvaluateOptions, Evaluation, Reporter, Result, Rows, RunFolder, Split, evaluate};
use std::time::{Duration, Instant};
use taper_data::Dataset;
use taper_nn::weights;

/// A checkpoint is recent for this long.
const RECENT: Duration = Duration::from_secs(1);

impl Fit<'_> {
    /// Evaluates on `data`, with the averaged weights (EMA) if there are any.
    pub(super) fn measure(
        &self,
        state: &mut State,
        data: &dyn Dataset,
        split: Split,
        reporter: &mut dyn Reporter,
    ) -> Result<Option<(Evaluation, Rows)>> {
        let _span = tracing::info_span!("evaluate").entered();
        let start = Instant::now();
        let (batch_size, workers) = (self.config().train.eval_batch_size, self.config().data.workers.max(1));
        let options = EvaluateOptions { batch_size, workers, split };
        let Learner { task, params, .. } = self.learner;
        let found = state.averaged(|| evaluate(task, params, data, &options, self.stop, reporter))?;
        state.progress.times.measuring += start.elapsed().as_secs_f64();
        Ok(found)
    }

    /// Ends a run whose steps are all made: restores the best weights after early stopping, evaluates on the test split
    /// and saves.
    pub(super) fn finish(&mut self, state: &mut State, reporter: &mut dyn Reporter) -> Result<Outcome> {
        if self.config().regularization.patience > 0 && state.progress.best.is_some() {
            // The best weights were saved as evaluated: they are the averaged ones already.
            state.ema = None;
            match self.folder.filter(|_| state.best.is_empty()) {
                Some(folder) => weights::load(&self.params().all(), folder.best()).map(drop)?,
                None => self.params().all().iter().zip(&state.best).try_for_each(|(param, best)| param.set(best))?,
            }
        }
        let sure = state.last_good.sure();
        match self.test {
            Some(_) => self.save_model(state)?,
            // Without a test split no later loss can show whether the weights are good.
            None => self.save_weights(state)?,
        }
        let mut outcome = self.outcome(state);
        let Some(data) = self.test else { return Ok(outcome) };
        let before = state.progress.times.measuring;
        let Some((found, rows)) = self.measure(state, data, Split::Test, reporter)? else {
            state.logs.stopped()?;
            return Ok(Outcome { stopped: true, ..outcome });
        };
        if !found.loss().is_finite() {
            return Err(self.not_finite("the test loss", state.progress.step, state));
        }
        if !sure {
            self.save_weights(state)?;
        }
        state.logs.test(&found, state.progress.times.measuring - before)?;
        (outcome.test, outcome.rows, outcome.times) = (Some(found), rows, state.progress.times);
        Ok(outcome)
    }

    pub(super) fn outcome(&self, state: &State) -> Outcome {
        Outcome {
            steps: state.progress.step,
            last: state.progress.last.clone(),
            best: state.progress.best.clone(),
            times: state.progress.times,
            warnings: state.monitor.warnings().to_vec(),
            ..Outcome::default()
        }
    }

    /// Saves a checkpoint, unless one was saved in the last second: a run of many short epochs would write files for most
    /// of its time.
    pub(super) fn save_unless_recent(&self, state: &mut State) -> Result<()> {
        if state.saved.is_some_and(|saved| saved.elapsed() < RECENT) { Ok(()) } else { self.save(state) }
    }

    /// Saves a checkpoint, and before it the best weights, if they are newer than those in the folder.
    pub(super) fn save(&self, state: &mut State) -> Result<()> {
        let Some(folder) = self.folder else { return Ok(()) };
        let start = Instant::now();
        self.write_best(folder, state)?;
        state.progress.epoch.before += start.duration_since(std::mem::replace(&mut state.clock, start)).as_secs_f64();
        state.checkpoint(self.params(), &self.hooks)?.write(&folder.last())?;
        state.progress.times.saving += start.elapsed().as_secs_f64();
        // The time of saving is not counted for the next step.
        (state.saved, state.since) = (Some(Instant::now()), Instant::now());
        Ok(())
    }

    /// Keeps the weights that were evaluated as the best so far, in memory. The tensors are shared, not copied; the next
    /// checkpoint writes them to the folder.
    pub(super) fn keep_best(&self, state: &mut State) -> Result<()> {
        if self.folder.is_none() && self.config().regularization.patience == 0 {
            return Ok(());
        }
        let all = self.params().all();
        state.best = state.averaged(|| Ok(all.iter().map(|param| param.tensor().detach()).collect()))?;
        state.best_written = false;
        Ok(())
    }

    /// Writes the best weights to the folder, if they are not there yet.
    fn write_best(&self, folder: &RunFolder, state: &mut State) -> Result<()> {
        if state.best.is_empty() || state.best_written {
            return Ok(());
        }
        let all = self.params().all();
        let named = all.iter().zip(&state.best).map(|(param, value)| (param.name().to_owned(), value.clone()));
        // The metadata of every file of weights.
        weights::save_noted(&named.collect::<Vec<_>>(), "format", "pt", folder.best())?;
        state.best_written = true;
        if self.config().regularization.patience == 0 {
            state.best.clear();
        }
        Ok(())
    }

    /// Saves the weights that are evaluated. A resumed run does not replace saved weights before it has seen a finite
    /// loss: if the earlier run diverged, the saved weights are the better ones.
    pub(super) fn save_model(&self, state: &mut State) -> Result<()> {
        match self.folder {
            Some(folder) if !state.last_good.sure() && folder.model().is_file() => Ok(()),
            _ => self.save_weights(state),
        }
    }

    fn save_weights(&self, state: &mut State) -> Result<()> {
        let Some(folder) = self.folder else { return Ok(()) };
        state.averaged(|| Ok(weights::save(&self.params().all(), folder.model())?))
    }

    pub(super) fn stopped(&self, state: &mut State) -> Result<Outcome> {
        self.save(state)?;
        state.logs.stopped()?;
        self.save_model(state)?;
        Ok(Outcome { stopped: true, ..self.outcome(state) })
    }
}
