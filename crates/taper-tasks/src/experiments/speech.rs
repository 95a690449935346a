//! The experiment `speech`: spoken words, such as digits, told apart by a small convolutional network of log-mel frames; and by the
//! recipe `strings`, several of them one behind the other, written down by a recurrent network with CTC. What is tested was spoken
//! by voices that the network never heard.

use super::own::{Own, family, no_pictures};
use crate::ClassifyConfig;
use taper_config::{Family, Schema, table};
use taper_models::{MelCnnConfig, MelCrnnConfig, NoKeys};
use taper_nn::Device;
use taper_train::{
    Argument, Config, DataConfig, Error, Experiment, Form, OptimizerConfig, Prepared, Recipe, Reporter, Result,
    ScheduleConfig, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "speech",
    about: "Spoken words, such as digits: recordings of your own, or generated sounds",
    config,
    recipes: &[Recipe {
        name: "strings",
        about: "Strings of words by one voice, by a recurrent network with CTC",
        toml: include_str!("../../recipes/speech-strings.toml"),
    }],
    arguments: ARGUMENTS,
    features: |_| &["audio"],
    families,
    check,
    prepare,
};

/// What `--data-dir` names.
pub(super) const ARGUMENTS: &[Argument] = &[Argument {
    name: "data-dir",
    key: "data.dir",
    value: "DIR",
    help: "The folder of the recordings, WORD_VOICE_TAKE.wav each, with train.txt and test.txt or split by voice \
           [default: generated sounds, which are no speech]",
    form: Form::DataDir,
}];

/// The models of the zoo that frames may be given to as well, as a picture: for comparison.
const OTHERS: [&str; 3] = ["mlp", "perceptron", "resnet20"];

/// The name of the task of strings.
const STRINGS: &str = "strings";

table! {
    /// `[data]` of recordings of words.
    pub struct SpeechConfig {
        /// The folder of the recordings.
        dir: String = String::new(), any("a folder");
        /// Samples a second that recordings are converted to.
        rate: usize = 8000, integer(1000..=96_000);
        /// The length of what the network sees, in seconds.
        seconds: f64 = 1.0, number(0.1..=30.0);
        /// Filters of the mel spectrogram.
        mels: usize = 40, integer(8..=256);
        /// What values of the spectrogram are raised to before their logarithm is taken.
        floor: f64 = 1e-3, number(1e-10..=1.0);
        /// The largest change of the speed in training, either way.
        speed: f64 = 0.15, number(0.0..=0.5);
        /// The part of the training recordings that noise is added to.
        noise: f64 = 0.5, number(0.0..=1.0);
        /// Bands of filters and of frames that are blanked in training.
        masks: usize = 1, integer(0..=8);
        /// The fewest words of a string; in training one.
        least: usize = 2, integer(1..=32);
        /// The most words of a string.
        most: usize = 6, integer(1..=32);
        /// Strings that are joined for the test, and half as many for the validation.
        strings: usize = 300, integer(2..=100_000);
        /// Fraction of the voices held out for the test, where there is no file test.txt.
        test: f64 = 0.2, fraction();
    }
}

fn config() -> Config {
    Config {
        model: "mel-cnn".into(),
        data: DataConfig { name: "speech".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 20, batch_size: 32, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adamw").with("lr", 2e-3).with("weight_decay", 0.01),
        schedule: ScheduleConfig::new("cosine").with("warmup", 1.0),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    let others = taper_models::models().iter().filter(|model| OTHERS.contains(&model.name));
    let others = others.map(|model| (model.name, model.schema));
    let own = [("mel-cnn", Schema::of::<MelCnnConfig>()), ("mel-crnn", Schema::of::<MelCrnnConfig>())];
    let models = own.into_iter().chain(others).collect();
    let tasks = vec![("words", Schema::of::<ClassifyConfig>()), (STRINGS, Schema::of::<NoKeys>())];
    vec![
        family("model", "model of sounds", "mel-cnn", models),
        family("task", "task", "words", tasks),
        family("data", "dataset", "speech", vec![("speech", Schema::of::<SpeechConfig>())]),
    ]
}

fn check(config: &Config) -> Result<()> {
    no_pictures(config, "sounds are no pictures; see data.speed, data.noise, data.masks")?;
    let strings = config.task.name == STRINGS;
    if strings != (config.model.name == "mel-crnn") {
        let detail = "mel-crnn is the model of task.name=strings, and of no other (--recipe strings sets both)";
        return Err(Error::Usage(format!("model.name: {detail}")));
    }
    let own: SpeechConfig = config.data.named().parse("data")?;
    if strings && own.least > own.most {
        let (least, most) = (own.least, own.most);
        return Err(Error::Usage(format!("data.least: expected at most data.most, {most}, found {least}")));
    }
    Ok(())
}

#[cfg(not(feature = "audio"))]
fn prepare(_config: &Config, _device: &Device, _reporter: &mut dyn Reporter) -> Result<Prepared> {
    Err(super::lacks("audio", "sounds"))
}

#[cfg(feature = "audio")]
fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    use crate::run::{SpeechSpec, spec_json};
    use crate::speech::{Change, Heard, LogMel, Recordings, SpokenStrings, SpokenWords, Strings, Words, sources};
    use std::sync::Arc;
    use taper_data::Dataset;
    use taper_models::InputSpec;
    use taper_nn::{Params, RandomKey};

    let own: SpeechConfig = config.data.named().parse("data")?;
    let seed = config.train.seed;
    let (sources, mut record) = sources(&own.dir, own.rate as u32, own.test, seed, reporter)?;
    let Heard { train, validation, test, classes } = Heard::new(sources, config, &mut record)?;
    let length = (own.seconds * own.rate as f64).round() as usize;
    let samples = train.all.iter().map(|recording| recording.samples.as_slice());
    let features = Arc::new(LogMel::learned([own.rate, own.mels, length], own.floor, samples)?);
    let key = RandomKey::new(seed).child("sounds");
    let change = Change::new(own.speed, own.noise, own.masks, key);
    let params = Params::new(device, config.dtype()?, RandomKey::new(seed));
    if config.task.name == STRINGS {
        let spec = SpeechSpec::strings(features.spec().clone(), classes.clone());
        let joined =
            |recordings: Recordings, count: usize, words: [usize; 2], key: RandomKey, change: Option<Change>| {
                Strings::new(Arc::new(recordings), features.clone(), count, words, key, change)
            };
        // As many words as there are recordings, on the mean. Single ones too: from them it is learned the soonest where a word is.
        let count = (2 * train.all.len() / (1 + own.most)).max(1);
        let train = joined(train, count, [1, own.most], key.child("strings"), Some(change));
        // Those of the test are the same for all seeds.
        let words = [own.least, own.most];
        let validation =
            validation.map(|held| joined(held, own.strings.div_ceil(2), words, key.child("validation"), None));
        let test = joined(test, own.strings, words, RandomKey::new(0).child("test strings"), None);
        (record.train, record.test) = (train.len(), test.len());
        record.validation = validation.as_ref().map_or(0, Dataset::len);
        let voices = (0..test.len()).map(|i| test.voice(i).to_owned()).collect();
        let model = spec.recurrent(&config.model, &params)?;
        return Ok(Prepared {
            task: Box::new(SpokenStrings::new(model, classes, voices)),
            params,
            train: Box::new(train),
            validation: validation.map(|held| Box::new(held) as Box<dyn Dataset>),
            test: Some(Box::new(test)),
            dataset: record,
            spec: spec_json(&spec)?,
        });
    }
    let words = |recordings: Recordings, change| Words::new(Arc::new(recordings), features.clone(), length, change);
    let voices = test.all.iter().map(|recording| recording.voice.clone()).collect();
    let train = words(train, Some(change));
    let input = InputSpec { shape: train.shape(), classes: classes.len() };
    let spec = SpeechSpec::words(features.spec().clone(), length, classes.clone());
    let model = spec.model(&config.model, &input, &params)?;
    Ok(Prepared {
        task: Box::new(SpokenWords::new(model, classes, config.task.parse("task")?, voices)),
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
        with("model.name=perceptron").unwrap();
        with("model.channels=8").unwrap();
        let due = [
            ("model.name=lenet5", "lenet5"),
            ("model.name=mel-crnn", "mel-crnn is the model of task.name=strings"),
            ("data.mels=4", "data.mels: expected an integer from 8 to 256, found 4"),
            ("data.augment=[{kind=\"normalize\",mean=[0.5],std=[0.5]}]", "data.augment: sounds are no pictures"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }
}
