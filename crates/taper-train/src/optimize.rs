//! The optimiser of a run: one per parameter group, each with its own schedule, as configured.

use crate::config::{Config, OptimizerConfig};
use crate::{Error, Result};
use taper_config::Named;
use taper_nn::schedule::Schedule;
use taper_nn::{
    Gradients, Groups, Lookahead, LookaheadConfig, Optimizer, OptimizerState, Param, Params, StepOutcome, matches,
    optimizers,
};

/// The optimiser of a run: one per parameter group, each with its own schedule.
pub(crate) struct RunOptimizer {
    groups: Groups,
    parts: Vec<Part>,
    /// The parameters and buffers that this optimiser has frozen.
    frozen: Frozen,
}

/// Parameters and buffers that are unfrozen when this is dropped: another run may train them.
#[derive(Default)]
struct Frozen(Vec<Param>);

impl Frozen {
    fn freeze(&mut self, params: &[Param]) {
        for param in params.iter().filter(|param| !param.is_frozen()) {
            param.freeze();
            self.0.push(param.clone());
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.0.iter().for_each(Param::unfreeze);
    }
}

/// A parameter group, without its optimiser.
struct Part {
    /// The group's parameters, and the buffers that its pattern matches.
    params: Vec<Param>,
    schedule: Box<dyn Schedule>,
    /// The step, counted from 0, from which on the parameters are frozen.
    until: u64,
    /// The schedule's factor on the rate at the last step that was prepared.
    factor: f64,
}

impl RunOptimizer {
    /// The optimiser of a run of `steps` steps, `per_epoch` per epoch.
    ///
    /// # Errors
    /// An unknown optimiser, a key that the optimiser does not have, a value out of range, a pattern that matches no
    /// parameter.
    pub(crate) fn new(config: &Config, params: &Params, steps: u64, per_epoch: u64) -> Result<Self> {
        let (mut rest, mut buffers): (Vec<_>, Vec<_>) = params.all().into_iter().partition(Param::trainable);
        let (mut optimizers, mut parts, mut frozen) = (Vec::new(), Vec::new(), Frozen::default());
        for group in &config.groups {
            let (own, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|param| {
                let fits = !group.vectors || param.tensor().shape().rank() < 2;
                fits && matches(&group.pattern, param.name())
            });
            rest = others;
            // Buffers (running statistics): a group only decides whether they are frozen.
            let (own_buffers, others): (Vec<_>, Vec<_>) =
                buffers.into_iter().partition(|buffer| matches(&group.pattern, buffer.name()));
            buffers = others;
            if own.is_empty() && group.vectors {
                continue;
            }
            if own.is_empty() && (own_buffers.is_empty() || !group.frozen) {
                let names = params.trainable().iter().map(|param| param.name().to_owned()).collect::<Vec<_>>();
                return Err(Error::Usage(format!(
                    "groups: no parameter is left that matches {:?}; the model has {}",
                    group.pattern,
                    names.join(", ")
                )));
            }
            if group.frozen {
                frozen.freeze(&own);
                frozen.freeze(&own_buffers);
                continue;
            }
            let until = group.until(per_epoch);
            let schedule = config.schedule.build(until.min(steps), per_epoch)?;
            optimizers.push(build(&config.optimizer.of_group(group), own.clone())?);
            parts.push(Part { params: [own, own_buffers].concat(), schedule, until, factor: 1.0 });
        }
        if !rest.is_empty() {
            optimizers.push(build(&config.optimizer, rest.clone())?);
            let schedule = config.schedule.build(steps, per_epoch)?;
            parts.push(Part { params: rest, schedule, until: u64::MAX, factor: 1.0 });
        }
        if parts.is_empty() {
            return Err(Error::Usage("groups: every parameter is frozen: there is nothing to train".into()));
        }
        Ok(Self { groups: Groups::new(optimizers)?, parts, frozen })
    }

    /// Sets the learning rates for step `step`, counted from 0, and freezes the groups whose training ends there.
    pub(crate) fn prepare(&mut self, step: u64) -> Result<()> {
        for (optimizer, part) in self.groups.parts_mut().iter_mut().zip(&mut self.parts) {
            if step >= part.until {
                self.frozen.freeze(&part.params);
                part.factor = 0.0;
            } else {
                part.factor = part.schedule.factor(step);
                optimizer.set_lr_factor(part.factor)?;
            }
        }
        Ok(())
    }

    /// Makes one step with `gradients`.
    pub(crate) fn step(&mut self, gradients: &Gradients) -> Result<StepOutcome> {
        Ok(self.groups.step(gradients)?)
    }

    /// The learning rate at the step that was prepared last: of the last group, which is that of `[optimizer]` unless
    /// all parameters are in groups.
    pub(crate) fn lr(&mut self) -> f64 {
        let factor = self.parts.last().map_or(1.0, |part| part.factor);
        self.groups.parts_mut().last().map_or(0.0, |optimizer| optimizer.lr() * factor)
    }

    /// The same learning rate without the schedule's factor.
    pub(crate) fn base_lr(&mut self) -> f64 {
        self.groups.parts_mut().last().map_or(0.0, |optimizer| optimizer.lr())
    }

    /// Multiplies the base learning rate of every group by `factor`.
    pub(crate) fn scale_lr(&mut self, factor: f64) -> Result<()> {
        for optimizer in self.groups.parts_mut() {
            let lr = optimizer.lr() * factor;
            optimizer.set_lr(lr)?;
        }
        Ok(())
    }

    /// Passes a validation loss to the schedules.
    pub(crate) fn observe(&mut self, loss: f64) {
        self.parts.iter_mut().for_each(|part| part.schedule.observe(loss));
    }

    /// The state of the optimisers and of the schedules.
    pub(crate) fn state(&self) -> (OptimizerState, Vec<Vec<f64>>) {
        (self.groups.state(), self.parts.iter().map(|part| part.schedule.state()).collect())
    }

    /// Restores what [`RunOptimizer::state`] returned.
    pub(crate) fn load_state(&mut self, state: &OptimizerState, schedules: &[Vec<f64>]) -> Result<()> {
        if schedules.len() != self.parts.len() {
            let detail =
                format!("the checkpoint has {} groups, the configuration {}", schedules.len(), self.parts.len());
            return Err(Error::Usage(detail));
        }
        self.groups.load_state(state)?;
        for (part, state) in self.parts.iter_mut().zip(schedules) {
            part.schedule.load_state(state)?;
        }
        Ok(())
    }
}

/// Errs when `config` names an unknown optimiser, sets a key that the optimiser does not have or a value out of its
/// range, or has an invalid schedule or keys of `[data]` that are not known to be the dataset's. Needs neither model nor
/// data.
pub(crate) fn check(config: &Config) -> Result<()> {
    check_but_source(config)?;
    if config.data.source.is_known() { Ok(()) } else { config.check_source(&[]) }
}

/// The same without the keys of `[data]` that are the dataset's: where an experiment, which knows them, has checked them.
pub(crate) fn check_but_source(config: &Config) -> Result<()> {
    let optimizer = |said: &OptimizerConfig| build(said, Vec::new()).map_err(|error| asked("optimizer", error));
    optimizer(&config.optimizer)?;
    for group in &config.groups {
        optimizer(&config.optimizer.of_group(group))
            .map_err(|error| Error::Usage(format!("groups: \"{}\": {error}", group.pattern)))?;
    }
    // The length of the run is not known yet; no range of a key depends on it.
    config.schedule.build(1, 1).map(|_| ()).map_err(|error| asked("schedule", error))
}

/// Names the configuration table `table` in an error.
fn asked(table: &str, error: Error) -> Error {
    if error.is_usage() { error } else { Error::Usage(format!("{table}: {error}")) }
}

fn build(config: &OptimizerConfig, params: Vec<Param>) -> Result<Box<dyn Optimizer>> {
    let Named { name, rest: mut values } = config.resolved()?.0;
    let lookahead = values.remove("lookahead").and_then(|every| u64::try_from(every.as_integer()?).ok());
    let found = optimizers().iter().find(|info| info.name == name);
    let info = found.ok_or_else(|| Error::Usage(format!("optimizer.name: unknown optimiser {name:?}")))?;
    let optimizer = (info.build)(&values, params)?;
    Ok(match lookahead {
        Some(every) => Box::new(Lookahead::new(optimizer, LookaheadConfig { every, ..LookaheadConfig::default() })?),
        None => optimizer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Override;

    fn config(settings: &[&str]) -> Config {
        let overrides = settings.iter().map(|text| Override::parse(text).unwrap()).collect::<Vec<_>>();
        Config::default().with(&overrides).unwrap()
    }

    #[test]
    fn what_cannot_be_is_told_before_there_is_a_model() {
        let sgd = "optimizer={name=\"sgd\", nesterov=true}";
        let group = format!("groups=[{{pattern=\"*.bias\", {sgd}}}]");
        let cases: &[(&[&str], &str)] = &[
            (
                &["optimizer.name=sgd", "optimizer.nesterov=true"],
                "optimizer: sgd: nesterov needs a momentum over 0 and a dampening of 0",
            ),
            (
                &["optimizer.name=muon", "optimizer.normalize_weights=true", "optimizer.weight_decay=0.1"],
                "optimizer: muon: normalize_weights undoes weight_decay: set one of the two",
            ),
            (&[&group], "groups: \"*.bias\": optimizer: sgd: nesterov needs a momentum over 0 and a dampening of 0"),
            (&["schedule.name=multi-step"], "schedule: multi_step: milestones must hold at least one step, came empty"),
            (
                &["schedule.name=plateau", "schedule.gamma=1"],
                "schedule: plateau: factor must be below 1, came as 1: nothing would ever change",
            ),
            (&["schedule.name=cosine", "schedule.min=2"], "schedule: cosine: min must be from 0 to 1, came as 2"),
        ];
        for (settings, told) in cases {
            let error = check(&config(settings)).unwrap_err();
            assert!(error.is_usage(), "{settings:?}");
            assert_eq!(error.to_string(), *told);
        }
    }

    /// Errors of Muon's Newton–Schulz iterations name the key of the configuration, and its range.
    #[test]
    fn muons_steps_have_the_range_that_is_told() {
        let muon = |steps: usize| {
            let steps = Override::new("optimizer.ns_steps", steps as i64);
            config(&["optimizer.name=muon"]).with(&[steps])
        };
        for steps in [1, 99] {
            check(&muon(steps).unwrap()).unwrap();
        }
        for steps in [0, 100] {
            let text = muon(steps).unwrap_err().to_string();
            assert_eq!(text, format!("optimizer.ns_steps: expected an integer from 1 to 99, found {steps}"));
        }
    }
}
