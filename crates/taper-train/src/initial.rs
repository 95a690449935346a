//! The weights that a run begins with, where a file gives them.

use crate::{Config, Reporter, Result};
use taper_nn::taper_tensor::printable;
use taper_nn::{Params, weights};

/// Loads the file of `[init]`, if there is one, into `params`, and reports what differs.
///
/// # Errors
/// A file that cannot be read or does not fit.
pub(crate) fn load(config: &Config, params: &Params, reporter: &mut dyn Reporter) -> Result<()> {
    let init = &config.init;
    if init.file.is_empty() {
        return Ok(());
    }
    let all = params.all();
    let report = weights::load_with(&all, &init.file, &init.options())?;
    let told = report.to_string();
    if !told.is_empty() {
        let loaded = format!("{} of {} tensors begin as in {}; {told}", report.loaded.len(), all.len(), init.file);
        reporter.note(&printable(&loaded));
    }
    Ok(())
}
