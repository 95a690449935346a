//! The experiment `speak`: words, such as digits, are spoken with the voices of recordings. What is tested are recordings that were held out,
//! one of each word and voice.

use super::own::{Own, family, no_pictures};
use taper_config::{Family, Schema, table};
use taper_models::{MelSpeakerConfig, NoKeys};
use taper_nn::Device;
use taper_train::{
    Argument, Config, DataConfig, Error, Experiment, Form, OptimizerConfig, Prepared, Reporter, Result, ScheduleConfig,
    TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "speak",
    about: "Words to speak, such as digits: recordings of your own, or generated ones",
    config,
    recipes: &[],
    arguments: ARGUMENTS,
    features: |_| &["audio"],
    families,
    check,
    prepare,
};

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "data-dir",
        key: "data.dir",
        value: "DIR",
        help: "The folder of the recordings, WORD_VOICE_TAKE.wav each, those of train.txt if there is one [default: \
               generated sounds, which are no speech]",
        form: Form::DataDir,
    },
    Argument {
        name: "reader",
        key: "data.reader",
        value: "RUN",
        help: "A run of speech, which reads what was spoken in the report [default: none]",
        form: Form::Flag,
    },
];

table! {
    /// `[data]` of words to speak.
    pub struct SpeakConfig {
        /// The folder of the recordings.
        dir: String = String::new(), any("a folder");
        /// A run of speech, which reads what was spoken in the report.
        reader: String = String::new(), any("the folder of a run");
        /// Samples a second that recordings are converted to.
        rate: usize = 8000, integer(1000..=48_000);
        /// Filters of the mel spectrogram.
        mels: usize = 64, integer(8..=256);
        /// What values of the spectrogram are raised to before their logarithm is taken.
        floor: f64 = 1e-4, number(1e-10..=1.0);
        /// The most voices, the first by name; 0 for all.
        voices: usize = 0, at_least(0);
    }
}

fn config() -> Config {
    Config {
        model: "mel-speaker".into(),
        // The voices are those of training: no epoch is chosen.
        data: DataConfig { name: "speak".into(), validation: 0.0, ..DataConfig::default() },
        train: TrainConfig { epochs: 40, batch_size: 16, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adamw").with("lr", 1e-3).with("weight_decay", 0.01),
        schedule: ScheduleConfig::new("cosine").with("warmup", 1.0),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "model that speaks", "mel-speaker", vec![("mel-speaker", Schema::of::<MelSpeakerConfig>())]),
        family("task", "task", "speak", vec![("speak", Schema::of::<NoKeys>())]),
        family("data", "dataset", "speak", vec![("speak", Schema::of::<SpeakConfig>())]),
    ]
}

fn check(config: &Config) -> Result<()> {
    no_pictures(config, "sounds are no pictures")?;
    if config.data.validation > 0.0 {
        let detail = "recordings of the voices are held out for the test alone; leave it at 0";
        return Err(Error::Usage(format!("data.validation: {detail}")));
    }
    Ok(())
}

#[cfg(not(feature = "audio"))]
fn prepare(_config: &Config, _device: &Device, _reporter: &mut dyn Reporter) -> Result<Prepared> {
    Err(super::lacks("audio", "sounds"))
}

#[cfg(feature = "audio")]
fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    use crate::Transcriber;
    use crate::run::{SpeakSpec, spec_json};
    use crate::speaking::{Speaking, Utterances, split};
    use crate::speech::{LogMel, drawn, sources};
    use std::sync::Arc;
    use taper_data::Dataset;
    use taper_nn::{Params, RandomKey};

    let own: SpeakConfig = config.data.named().parse("data")?;
    let seed = config.train.seed;
    // Voices that are held out of recognising are left out here too: whoever reads has not heard them.
    let (sources, mut record) = sources(&own.dir, own.rate as u32, 0.2, seed, reporter)?;
    let mut voices = sources.train.voices();
    if own.voices > 0 {
        voices.truncate(own.voices);
    }
    let mut known = sources.train;
    known.all.retain(|recording| voices.contains(&recording.voice));
    let (train, test) = split(known);
    if test.all.is_empty() {
        let detail = "no word was recorded twice by one voice, so that no recording can be held out; record each word two times or more";
        return Err(Error::Usage(format!("data: {detail}")));
    }
    let train = drawn(train, config.data.train_samples, seed);
    let test = drawn(test, config.data.test_samples, seed);
    (record.train, record.test) = (train.all.len(), test.all.len());
    let samples = train.all.iter().map(|recording| recording.samples.as_slice());
    let features = Arc::new(LogMel::learned([own.rate, own.mels, 0], own.floor, samples)?);
    let utterances = |of| Utterances::new(of, &voices, features.clone());
    let (train, test) = (utterances(&train)?, Arc::new(utterances(&test)?));
    let other_take = train.distance_of(&test);
    let names = [sources.classes, voices.clone()];
    let spec = SpeakSpec::new(features.spec().clone(), names.clone());
    let params = Params::new(device, config.dtype()?, RandomKey::new(seed));
    let model = spec.model(&config.model, &params)?;
    let task = Speaking::new(model, features.clone(), names, test.clone(), other_take);
    let task = match own.reader.as_str() {
        "" => task,
        run => task.read_by(Transcriber::load(run, device)?),
    };
    Ok(Prepared {
        task: Box::new(task),
        params,
        train: Box::new(train),
        validation: None,
        test: Some(Box::new(Utterances::clone(&test)) as Box<dyn Dataset>),
        dataset: record,
        spec: spec_json(&spec)?,
    })
}
