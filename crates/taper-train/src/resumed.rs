//! What a run that is resumed may be set to.

use crate::{Config, Error, KEYS, Key, Result};

/// Whether a key changes no number: where it is computed, and how batches are made ahead.
fn is_free(name: &str) -> bool {
    name.starts_with("device.") || ["data.workers", "data.ahead"].contains(&name)
}

/// Errs unless a run that was set to `was`, as `told` says, can go on with `is`: what changes no number may be another,
/// and `train.epochs` may grow.
///
/// # Errors
/// The first key that cannot be what it is.
pub(crate) fn check(was: &Config, is: &Config, told: &str) -> Result<()> {
    let grows = is.train.epochs > was.train.epochs;
    let may = |key: &Key| is_free(key.name) || (key.name == "train.epochs" && grows);
    let other = |key: &&Key| was.value(key.name) != is.value(key.name) && !may(key);
    let Some(Key { name, .. }) = KEYS.iter().find(other) else { return Ok(()) };
    let [before, now] = [was, is].map(|config| config.told(name));
    let more = if *name == "train.epochs" { "; it may only grow" } else { "" };
    Err(Error::Usage(format!(
        "{name} is {before} in {told}, and cannot become {now}{more}: resume with the configuration that it began \
         with, but for train.epochs, which may grow, data.workers, data.ahead and [device]; or start a new run"
    )))
}

/// What to tell when a run of `was` steps goes on to `is`: a schedule may be stretched over all of them.
pub(crate) fn stretched(config: &Config, [was, is]: [u64; 2], [rate_was, rate_is]: [f64; 2]) -> Option<String> {
    let name = config.schedule.name.as_str();
    (was != is && ["cosine", "linear", "polynomial", "one-cycle"].contains(&name)).then(|| {
        format!(
            "the run grows from {was} steps to {is}: schedule.name = \"{name}\" depends on that, and is stretched \
             over all of them, so that the learning rate goes on at {rate_is:.3e}, where it was {rate_was:.3e}; \
             a schedule without an end, such as cosine-restarts or plateau, would not have moved"
        )
    })
}
