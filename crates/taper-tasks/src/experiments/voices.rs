//! The experiment `voices`: embeddings of recordings, learned from some voices and measured on pairs of recordings by others, which the
//! network has never heard.

use super::own::{Own, family, no_pictures};
use taper_config::{Family, Schema, table};
use taper_models::MelCnnConfig;
use taper_nn::Device;
use taper_train::{
    Config, DataConfig, Experiment, OptimizerConfig, Prepared, Reporter, Result, ScheduleConfig, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "voices",
    about: "Whether two recordings are of one voice, also of voices never heard in training",
    config,
    recipes: &[],
    arguments: super::speech::ARGUMENTS,
    features: |_| &["audio"],
    families,
    check,
    prepare,
};

table! {
    /// `[data]` of recordings by voices.
    pub struct VoicesConfig {
        /// The folder of the recordings.
        dir: String = String::new(), any("a folder");
        /// Samples a second that recordings are converted to.
        rate: usize = 8000, integer(1000..=96_000);
        /// The length of what the network hears, in seconds.
        seconds: f64 = 1.0, number(0.1..=30.0);
        /// Filters of the mel spectrogram.
        mels: usize = 40, integer(8..=256);
        /// What values of the spectrogram are raised to before their logarithm is taken.
        floor: f64 = 1e-3, number(1e-10..=1.0);
        /// The part of the training recordings that noise is added to.
        noise: f64 = 0.5, number(0.0..=1.0);
        /// Bands of filters and of frames that are blanked in training.
        masks: usize = 1, integer(0..=8);
        /// Fraction of the voices held out for the test, where there is no file test.txt.
        test: f64 = 0.2, fraction();
    }
}

table! {
    /// `[task]` of ArcFace's classification of the voices with a margin.
    pub struct VoicesTaskConfig {
        /// The length of an embedding.
        embedding: usize = 64, integer(2..=4096);
        /// s, by which cosines are multiplied to make logits.
        scale: f64 = 16.0, number(1e-3..=1e3);
        /// m, the angle that is added to that of the right voice, in radians.
        margin: f64 = 0.2, number(0.0..=std::f64::consts::PI);
        /// Pairs that are measured, of each held-out split.
        pairs: usize = 2000, integer(2..=1_000_000);
    }
}

fn config() -> Config {
    Config {
        model: "mel-cnn".into(),
        data: DataConfig { name: "voices".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 20, batch_size: 32, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adamw").with("lr", 2e-3).with("weight_decay", 0.01),
        schedule: ScheduleConfig::new("cosine").with("warmup", 1.0),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "model of sounds", "mel-cnn", vec![("mel-cnn", Schema::of::<MelCnnConfig>())]),
        family("task", "task", "arcface", vec![("arcface", Schema::of::<VoicesTaskConfig>())]),
        family("data", "dataset", "voices", vec![("voices", Schema::of::<VoicesConfig>())]),
    ]
}

fn check(config: &Config) -> Result<()> {
    super::verify::even(config)?;
    no_pictures(config, "sounds are no pictures; see data.noise and data.masks")
}

#[cfg(not(feature = "audio"))]
fn prepare(_config: &Config, _device: &Device, _reporter: &mut dyn Reporter) -> Result<Prepared> {
    Err(super::lacks("audio", "sounds"))
}

#[cfg(feature = "audio")]
fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    use crate::run::{VoicesSpec, spec_json};
    use crate::speech::{Change, Heard, LogMel, Recordings, Words, sources, spectrogram};
    use crate::verification::{Samples, Shown};
    use crate::{EmbeddingLoss, Embeddings};
    use std::sync::Arc;
    use taper_data::Dataset;
    use taper_nn::{ArcFace, FaceMargin, Params, RandomKey};

    let own: VoicesConfig = config.data.named().parse("data")?;
    let VoicesTaskConfig { embedding, scale, margin, pairs } = config.task.parse("task")?;
    let seed = config.train.seed;
    let (sources, mut record) = sources(&own.dir, own.rate as u32, own.test, seed, reporter)?;
    let Heard { train, validation, test, .. } = Heard::new(sources, config, &mut record)?;
    let length = (own.seconds * own.rate as f64).round() as usize;
    let samples = train.all.iter().map(|recording| recording.samples.as_slice());
    let features = Arc::new(LogMel::learned([own.rate, own.mels, length], own.floor, samples)?);

    // The voices are the classes, those of training first.
    let splits = [Some(&train), validation.as_ref(), Some(&test)];
    let learned = train.voices().len();
    let voices: Vec<String> = splits.into_iter().flatten().flat_map(Recordings::voices).collect();
    let by_voice = |mut recordings: Recordings, change| {
        for recording in &mut recordings.all {
            let voice = voices.iter().position(|voice| *voice == recording.voice);
            recording.class = voice.unwrap_or_default();
        }
        let labels = recordings.all.iter().map(|recording| recording.class as i64).collect();
        let data = Words::new(Arc::new(recordings), features.clone(), length, change);
        Samples { data: Arc::new(data), labels }
    };
    let key = RandomKey::new(seed);
    let all: Vec<i64> = (0..voices.len() as i64).collect();
    let held = |recordings: Recordings, split: &str| {
        let (key, advice) = (key.child("pairs").child(split), "hold out more voices, with two recordings each");
        by_voice(recordings, None).paired(&all, pairs, key, split, advice)
    };
    // A voice's pitch is what it is known by: no recording is played at another speed.
    let change = Change::new(0.0, own.noise, own.masks, key.child("sounds"));
    let (validation, test) =
        (validation.map(|held_out| held(held_out, "validation")).transpose()?, held(test, "test")?);
    let train = by_voice(train, Some(change)).data;
    record.test = test.len();
    record.validation = validation.as_ref().map_or(0, |data| data.len());

    let spec = VoicesSpec::new(features.spec().clone(), length, embedding, learned);
    let params = Params::new(device, config.dtype()?, key);
    let model = spec.model(&config.model, &features, &params)?;
    let head = spec.head().scale(scale).margin(FaceMargin::Angle(margin));
    let loss = EmbeddingLoss::ArcFace(Box::new(ArcFace::new(head, &params.sub("head"))?));
    let shown = Shown { values: "frames", picture: |data, index| spectrogram(data, index).map(Some) };
    Ok(Prepared {
        task: Box::new(Embeddings::new(model, loss, voices).shown_as(shown)),
        params,
        train: Box::new(train),
        validation,
        test: Some(test),
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
        with("task.margin=0.5").unwrap();
        let due = [
            ("model.name=lenet5", "unknown model of sounds `lenet5`; known: mel-cnn"),
            ("train.eval_batch_size=3", "train.eval_batch_size: expected an even number"),
            ("data.augment=[{kind=\"normalize\",mean=[0.5],std=[0.5]}]", "data.augment: sounds are no pictures"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }
}
