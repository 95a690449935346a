//! The layers of a run's model.

use super::Spec;
use std::path::Path;
use taper_models::{Kind, Summary, models};
use taper_train::{Error, Result, RunFolder};

/// The layers of the model of the run in the folder `path`, with the keys and sizes that it was trained with. Neither its
/// weights nor its data are read.
///
/// # Errors
/// A folder that holds no run, or one whose model is none of the zoo's.
pub fn run_summary(path: impl AsRef<Path>) -> Result<Summary> {
    let folder = RunFolder::open(path.as_ref())?;
    let (config, _) = folder.read_config()?;
    let wrong = |detail: String| Error::RunFolder { path: folder.path().to_path_buf(), detail };
    let name = &config.model.name.clone();
    let Some(info) = models().iter().find(|info| info.name == *name) else {
        return Err(wrong(format!("its model, {name}, is none of the zoo's: it has no layer table")));
    };
    let mut model = config.model;
    // What the data decided of it.
    if let Some(own) = folder.read_spec().ok().as_ref().and_then(|spec| spec["model"].as_object()) {
        own.iter()
            .filter_map(|(key, value)| Some((key, value.as_i64()?)))
            .for_each(|(key, value)| model.set(key, value));
    }
    let input = match info.kind {
        Kind::Sampled { .. } => None,
        Kind::Pictures { .. } => {
            let spec: Spec = serde_json::from_value(folder.read_spec()?)
                .map_err(|e| wrong(format!("spec.json does not say the sizes of the input: {e}")))?;
            Some(spec.input_spec())
        }
    };
    Ok(taper_models::summary(model, input)?)
}
