//! The experiment `denoise`: noise is taken out of sounds by a mask, which a network finds in their frames. What is tested are voices
//! and noises that the network never heard, mixed at one signal-to-noise ratio.

use super::own::{Own, family, no_pictures};
use taper_config::{Family, Schema, table};
use taper_models::{MaskTcnConfig, NoKeys};
use taper_nn::Device;
use taper_train::{
    Argument, Config, DataConfig, Error, Experiment, Form, OptimizerConfig, Prepared, Reporter, Result, ScheduleConfig,
    TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "denoise",
    about: "Noise taken out of sounds: recordings of your own, or generated ones",
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
        help: "The folder of the clean recordings, WORD_VOICE_TAKE.wav each, with train.txt and test.txt or split by \
               voice [default: generated sounds, which are no speech]",
        form: Form::DataDir,
    },
    Argument {
        name: "noise-dir",
        key: "data.noises",
        value: "DIR",
        help: "The folder of the noises, KIND/FILE.wav each, or in train/KIND and test/KIND [default: generated ones]",
        form: Form::Flag,
    },
];

table! {
    /// `[data]` of noisy sounds.
    pub struct DenoiseConfig {
        /// The folder of the clean recordings.
        dir: String = String::new(), any("a folder");
        /// The folder of the noises.
        noises: String = String::new(), any("a folder");
        /// Samples a second that recordings are converted to.
        rate: usize = 8000, integer(1000..=48_000);
        /// The length of a mixture, in seconds.
        seconds: f64 = 1.0, number(0.1..=30.0);
        /// The lowest signal-to-noise ratio in training, in dB.
        least: f64 = -5.0, number(-60.0..=60.0);
        /// The highest.
        most: f64 = 10.0, number(-60.0..=60.0);
        /// That of the test, in dB.
        snr: f64 = 0.0, number(-60.0..=60.0);
        /// Fraction of the voices, and of the noises, held out for the test, where no files say which.
        test: f64 = 0.2, fraction();
    }
}

fn config() -> Config {
    Config {
        model: "mask-tcn".into(),
        data: DataConfig { name: "denoise".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 6, batch_size: 16, eval_batch_size: 50, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adamw").with("lr", 2e-3).with("weight_decay", 0.01),
        schedule: ScheduleConfig::new("cosine").with("warmup", 1.0),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "model of masks", "mask-tcn", vec![("mask-tcn", Schema::of::<MaskTcnConfig>())]),
        family("task", "task", "denoise", vec![("denoise", Schema::of::<NoKeys>())]),
        family("data", "dataset", "denoise", vec![("denoise", Schema::of::<DenoiseConfig>())]),
    ]
}

fn check(config: &Config) -> Result<()> {
    no_pictures(config, "sounds are no pictures; see data.least and data.most")?;
    let DenoiseConfig { least, most, .. } = config.data.named().parse("data")?;
    if least > most {
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
    use crate::denoising::{Denoising, Masking, Mixing, Mixtures, Noises};
    use crate::run::{DenoiseSpec, spec_json};
    use crate::speech::{Heard, sources};
    use std::path::Path;
    use std::sync::Arc;
    use taper_data::Dataset;
    use taper_nn::{Params, RandomKey};

    /// Mixtures by which frames are standardised.
    const MEASURED: usize = 500;

    let own: DenoiseConfig = config.data.named().parse("data")?;
    let (seed, rate) = (config.train.seed, own.rate as u32);
    let (sources, mut record) = sources(&own.dir, rate, own.test, seed, reporter)?;
    let noises = match own.noises.as_str() {
        "" => {
            reporter
                .note("no noises were named: they are generated, five kinds to learn from and seven to be tested on");
            Noises::generated(rate)
        }
        dir => Noises::open(Path::new(dir), rate, own.test, seed)?,
    };
    let unheard = noises.unheard();
    let Heard { train, validation, test, .. } = Heard::new(sources, config, &mut record)?;
    let (train, test) = (Arc::new(train), Arc::new(test));

    let key = RandomKey::new(seed).child("mixtures");
    let length = (own.seconds * own.rate as f64).round() as usize;
    let mixing = |snr: [f64; 2], key: RandomKey| Mixing { length, snr, key };
    // Those that are held out are the same for all seeds.
    let fixed = |name: &str| mixing([own.snr; 2], RandomKey::new(0).child(name));
    let training = mixing([own.least, own.most], key);
    let first =
        train.all.iter().take(MEASURED).zip(noises.train.iter().cycle()).enumerate().map(|(i, (recording, noise))| {
            let [noisy, _] = training.mixed(&recording.samples, noise, key.child("statistics").index(i as u64));
            noisy
        });
    let masking = Arc::new(Masking::learned(rate, first)?);
    let mixtures =
        |recordings: Arc<crate::speech::Recordings>, noises: Vec<crate::denoising::Noise>, mixing: Mixing, changing| {
            Mixtures::new(recordings, Arc::new(noises), masking.clone(), mixing, changing)
        };
    let train = mixtures(train, noises.train, training, true);
    let validation = validation.map(|held| mixtures(Arc::new(held), noises.validation, fixed("validation"), false));
    let test = mixtures(test, noises.test, fixed("test"), false);

    let spec = DenoiseSpec::new(masking.spec().clone());
    let params = Params::new(device, config.dtype()?, RandomKey::new(seed));
    let model = spec.model(&config.model, &params)?;
    Ok(Prepared {
        task: Box::new(Denoising::new(model, masking.clone(), &test, unheard)),
        params,
        train: Box::new(train),
        validation: validation.map(|held| Box::new(held) as Box<dyn Dataset>),
        test: Some(Box::new(test)),
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
        with("data.most=-5.0").unwrap();
        let due = [
            ("data.most=-6.0", "data.least: expected at most data.most, -6, found -5"),
            ("data.snr=61.0", "data.snr: expected a number from -60 to 60, found 61"),
            ("data.augment=[{kind=\"normalize\",mean=[0.5],std=[0.5]}]", "data.augment: sounds are no pictures"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }
}
