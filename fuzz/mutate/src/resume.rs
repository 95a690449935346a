//! Resuming a run from a mutated checkpoint. The run trains a linear layer on a few digits, is paused after its first
//! epoch, and is resumed for a second one.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use taper_data::{ImageDataset, digits};
use taper_nn::{DType, Flatten, Linear, LinearConfig, Params, RandomKey, Sequential};
use taper_tasks::Classification;
use taper_train::{Config, Fit, Outcome, Override, Result, RunFolder, Silent};

/// The files of the paused run's folder: relative path and content.
type Folder = Vec<(String, Vec<u8>)>;

fn data() -> &'static ImageDataset {
    static DATA: OnceLock<ImageDataset> = OnceLock::new();
    DATA.get_or_init(|| digits().and_then(|splits| splits.train.select(&(0..20).collect::<Vec<_>>())).expect("digits"))
}

fn settings() -> Result<Config> {
    let texts =
        ["train.epochs=2", "train.batch_size=10", "log.tensorboard=false", "log.report=false", "data.workers=0"];
    Config::default().with(&texts.into_iter().map(Override::parse).collect::<Result<Vec<_>, _>>()?)
}

fn run(folder: &Path, resume: bool) -> Result<Outcome> {
    let config = settings()?;
    let params = Params::new(super::device(), DType::F32, RandomKey::new(0));
    let model = Sequential::new().then(Flatten).then(Linear::new(LinearConfig::new(64, 10), &params.sub("fc"))?);
    let folder = if resume { RunFolder::resume(folder)? } else { RunFolder::create(folder)? };
    let task = Classification::new(model, data().classes().iter().cloned());
    let fit = Fit::new(&config, &task, &params, data()).folder(&folder);
    if resume { fit.resume().run(&mut Silent) } else { fit.pause_after(1).run(&mut Silent) }
}

fn paused() -> &'static Folder {
    static PAUSED: OnceLock<Folder> = OnceLock::new();
    PAUSED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        run(folder.path(), false).expect("a run of one epoch");
        let mut files = Vec::new();
        let mut waiting = vec![folder.path().to_path_buf()];
        while let Some(inside) = waiting.pop() {
            for entry in fs::read_dir(inside).expect("the run's folder") {
                let path = entry.expect("the run's folder").path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    let name = path.strip_prefix(folder.path()).expect("inside").to_string_lossy().into_owned();
                    files.push((name, fs::read(&path).expect("a file of the run")));
                }
            }
        }
        files
    })
}

const LAST: &str = "checkpoints/last.safetensors";

/// The checkpoint of the paused run.
pub fn checkpoint() -> Vec<u8> {
    let found = paused().iter().find(|(name, _)| name == LAST);
    found.expect("a paused run has a checkpoint").1.clone()
}

/// Resumes the run in the empty folder `into` from the checkpoint `bytes`.
pub fn resume(bytes: &[u8], into: &Path) -> Result<Outcome> {
    for (name, own) in paused() {
        let path = into.join(name);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
        fs::write(path, if name == LAST { bytes } else { own }).expect("a file");
    }
    run(into, true)
}
