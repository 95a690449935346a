//! Which keys of the configuration may change when a run is resumed.

use crate::{Config, Error, Result};

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
    let grows = is.train.epochs > was.train.epochs;
    let may = |name: &str| is_free(name) || (name == "train.epochs" && grows);
    let other = |name: &String| was.value(name) != is.value(name) && !may(name);
    let Some(name) = Config::keys().into_iter().map(|key| key.name).find(other) else { return Ok(()) };
    let [before, now] = [was, is].map(|config| config.told(&name));
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
    (was != is && ["cosine", "linear", "polynomial", "one-cycle"].contains(&name)).then(|| {
        format!(
            "the run grows from {was} steps to {is}: schedule.name = \"{name}\" depends on that, and is stretched \
             over all of them, so that the learning rate goes on at {rate_is:.3e}, where it was {rate_was:.3e}; \
             a schedule without an end, such as cosine-restarts or plateau, would not have moved"
        )
    })
}
