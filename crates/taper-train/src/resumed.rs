//! Which keys of the configuration may change when a run is resumed.

use crate::{Config, Error, Result};
use std::collections::BTreeMap;
use toml::Value;

/// Whether the results do not depend on the key: those of the device, and of the preparation of batches.
fn is_free(name: &str) -> bool {
    name.starts_with("device.") || ["data.workers", "data.ahead"].contains(&name)
}

/// Errs unless a run with the configuration `was` can be resumed with `is`: keys on which the results do not depend may
/// change, and `train.epochs` may grow. `told` says in errors where `was` comes from.
///
/// # Errors
/// The first key that may not change.
pub(crate) fn check(was: &Config, is: &Config, told: &str) -> Result<()> {
    // What was not said had the same default, except where an earlier version has written less.
    let [was, is] = [was, is].map(|config| config.resolved(&[]).unwrap_or_else(|_| config.clone()));
    let grows = is.train.epochs > was.train.epochs;
    // An empty name is the task's own choice, which an earlier version has written.
    let chosen = is.checkpoint.monitor.is_empty() || was.checkpoint.monitor.is_empty();
    let may =
        |name: &str| is_free(name) || (name == "train.epochs" && grows) || (name == "checkpoint.monitor" && chosen);
    let before = was.values().into_iter().collect::<BTreeMap<_, _>>();
    let other = |(name, value): &(String, Value)| before.get(name).is_some_and(|was| was != value) && !may(name);
    let Some((name, _)) = is.values().into_iter().find(other) else { return Ok(()) };
    let [before, now] = [&was, &is].map(|config| config.told(&name));
    let more = if name == "train.epochs" { "; it may only grow" } else { "" };
    Err(Error::Usage(format!(
        "{name} is {before} in {told}, and cannot become {now}{more}: resume with the configuration that it began \
         with, but for train.epochs, which may grow, data.workers, data.ahead and [device]; or start a new run"
    )))
}

/// A note for a run of `was` steps that is resumed as one of `is`, if its schedule depends on the number of steps and
/// is stretched.
pub(crate) fn stretched(config: &Config, [was, is]: [u64; 2], [rate_was, rate_is]: [f64; 2]) -> Option<String> {
    let name = config.schedule.name.as_str();
    (was != is && config.schedule.ends()).then(|| {
        format!(
            "the run grows from {was} steps to {is}: schedule.name = \"{name}\" depends on that, and is stretched \
             over all of them, so that the learning rate goes on at {rate_is:.3e}, where it was {rate_was:.3e}; \
             a schedule without an end, such as cosine-restarts or plateau, would not have moved"
        )
    })
}
