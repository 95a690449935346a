//! The experiment `sounds`: kinds of sounds, such as drums and bells, told apart by a small convolutional network of log-mel frames.

use super::own::{Own, family, no_pictures};
use crate::ClassifyConfig;
use taper_config::{Family, Schema, table};
use taper_models::MelCnnConfig;
use taper_nn::Device;
use taper_train::{
    Argument, Config, DataConfig, Experiment, Form, OptimizerConfig, Prepared, Reporter, Result, ScheduleConfig,
    TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "sounds",
    about: "Kinds of sounds: recordings of your own in folders, or generated ones",
    config,
    recipes: &[],
    arguments: ARGUMENTS,
    features: |_| &["audio"],
    families,
    check,
    prepare,
};

const ARGUMENTS: &[Argument] = &[Argument {
    name: "data-dir",
    key: "data.dir",
    value: "DIR",
    help: "The folder of the sounds, KIND/FILE.wav each, or in train/KIND and test/KIND [default: generated sounds]",
    form: Form::DataDir,
}];

table! {
    /// `[data]` of kinds of sounds.
    pub struct SoundsConfig {
        /// The folder of the sounds.
        dir: String = String::new(), any("a folder");
        /// Samples a second that sounds are converted to.
        rate: usize = 16_000, integer(1000..=96_000);
        /// The length of what the network sees, in seconds.
        seconds: f64 = 1.5, number(0.1..=30.0);
        /// Filters of the mel spectrogram.
        mels: usize = 64, integer(8..=256);
        /// What values of the spectrogram are raised to before their logarithm is taken.
        floor: f64 = 1e-4, number(1e-10..=1.0);
        /// The largest change of the speed in training, either way.
        speed: f64 = 0.15, number(0.0..=0.5);
        /// The part of the training sounds that noise is added to.
        noise: f64 = 0.3, number(0.0..=1.0);
        /// Bands of filters and of frames that are blanked in training.
        masks: usize = 1, integer(0..=8);
        /// Fraction of the sounds held out for the test, where there is no folder test.
        test: f64 = 0.2, fraction();
    }
}

fn config() -> Config {
    Config {
        model: "mel-cnn".into(),
        // Of some hundred sounds none is held out to choose an epoch by.
        data: DataConfig { name: "sounds".into(), validation: 0.0, ..DataConfig::default() },
        train: TrainConfig { epochs: 60, batch_size: 16, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adamw").with("lr", 2e-3).with("weight_decay", 0.01),
        schedule: ScheduleConfig::new("cosine").with("warmup", 2.0),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "model of sounds", "mel-cnn", vec![("mel-cnn", Schema::of::<MelCnnConfig>())]),
        family("task", "task", "kinds", vec![("kinds", Schema::of::<ClassifyConfig>())]),
        family("data", "dataset", "sounds", vec![("sounds", Schema::of::<SoundsConfig>())]),
    ]
}

fn check(config: &Config) -> Result<()> {
    no_pictures(config, "sounds are no pictures; see data.speed, data.noise, data.masks")
}

#[cfg(not(feature = "audio"))]
fn prepare(_config: &Config, _device: &Device, _reporter: &mut dyn Reporter) -> Result<Prepared> {
    Err(super::lacks("audio", "sounds"))
}

#[cfg(feature = "audio")]
fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    use super::own::{generated_record, own_record};
    use crate::run::{SpeechSpec, spec_json};
    use crate::sounds;
    use crate::speech::{Change, Heard, LogMel, Recordings, SpokenWords, Words};
    use std::path::Path;
    use std::sync::Arc;
    use taper_data::Dataset;
    use taper_models::InputSpec;
    use taper_nn::{Params, RandomKey};

    let settings: SoundsConfig = config.data.named().parse("data")?;
    let (seed, rate) = (config.train.seed, settings.rate as u32);
    let (sources, mut record) = match settings.dir.as_str() {
        "" => {
            reporter
                .note("no sounds were named: learning from generated ones, of six kinds; --data-dir DIR takes yours");
            let sources = sounds::generated(rate);
            let record = generated_record("generated sounds of six kinds", &sources.checksum);
            (sources, record)
        }
        dir => {
            let sources = sounds::open(Path::new(dir), rate, settings.test, seed)?;
            let kinds = format!("{} kinds of sounds", sources.classes.len());
            let record = own_record(dir, &kinds, sources.checksum.clone());
            (sources, record)
        }
    };
    let Heard { train, validation, test, classes } = Heard::new(sources, config, &mut record)?;
    let length = (settings.seconds * settings.rate as f64).round() as usize;
    let samples = train.all.iter().map(|recording| recording.samples.as_slice());
    let features = Arc::new(LogMel::learned([settings.rate, settings.mels, length], settings.floor, samples)?);
    let key = RandomKey::new(seed).child("sounds");
    let change = Change::new(settings.speed, settings.noise, settings.masks, key);
    let words = |recordings: Recordings, change| Words::new(Arc::new(recordings), features.clone(), length, change);
    let simpler = words(train.clone(), None);
    let train = words(train, Some(change));
    let input = InputSpec { shape: train.shape(), classes: classes.len() };
    let spec = SpeechSpec::kinds(features.spec().clone(), length, classes.clone());
    let params = Params::new(device, config.dtype()?, RandomKey::new(seed));
    let model = spec.model(&config.model, &input, &params)?;
    let names = test.all.iter().map(|recording| recording.voice.clone()).collect();
    let task = SpokenWords::new(model, classes, config.task.parse("task")?, names).beside(Box::new(simpler));
    Ok(Prepared {
        task: Box::new(task),
        params,
        train: Box::new(train),
        validation: validation.map(|held| Box::new(words(held, None)) as Box<dyn Dataset>),
        test: Some(Box::new(words(test, None))),
        dataset: record,
        spec: spec_json(&spec)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told() {
        let with = |text: &str| {
            let change = taper_train::Override::parse(text).unwrap();
            config().with(&[change]).and_then(|config| EXPERIMENT.check(&config))
        };
        with("model.channels=8").unwrap();
        let due = [
            ("model.name=mel-crnn", "unknown model of sounds `mel-crnn`; did you mean mel-cnn?"),
            ("data.seconds=0.0", "data.seconds: expected a number from 0.1 to 30, found 0"),
            ("data.augment=[{kind=\"normalize\",mean=[0.5],std=[0.5]}]", "data.augment: sounds are no pictures"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }
}
