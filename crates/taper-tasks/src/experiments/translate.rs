//! The experiment `translate`: pairs of texts, of which a Transformer learns to write the second when it reads the first;
//! generated dates where none are given.

use super::own::{Own, family, no_pictures};
use taper_config::{Family, Schema, table};
use taper_nn::Device;
use taper_train::{
    Argument, Config, DataConfig, Experiment, Form, OptimizerConfig, Prepared, Recipe, RegularizationConfig, Reporter,
    Result, ScheduleConfig, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "translate",
    about: "Pairs of texts, the second written from the first: your own, or dates in words",
    config,
    recipes: &[Recipe {
        name: "short",
        about: "2,000 steps whatever the number of pairs, measured on 500 of the test: minutes for real sentences",
        toml: include_str!("../../recipes/translate-short.toml"),
    }],
    arguments: ARGUMENTS,
    features: |config| {
        if config.get("data.path").is_some_and(|path| path.ends_with(".csv")) { &["bpe", "csv"] } else { &["bpe"] }
    },
    families,
    check,
    prepare,
};

const ARGUMENTS: &[Argument] = &[Argument {
    name: "data-dir",
    key: "data.path",
    value: "FILE|DIR",
    help: "The pairs: a file with a text, a tab and what it becomes in each line, a CSV file of two columns, a folder with \
           train.tsv, test.tsv and perhaps val.tsv, a folder with two files of lines for each, such as train.de and \
           train.en or de.train and en.train, or a collection by its name [default: generated dates]",
    form: Form::DataDir,
}];

table! {
    /// `[data]` of pairs of texts.
    pub struct PairsConfig {
        /// The file of pairs, a folder with train.tsv and test.tsv, or one with two files for each, such as train.de and train.en;
        /// without it dates are generated.
        path: String = String::new(), any("a file or a folder");
        /// Fraction of the pairs held out for the test, where there is no file for it.
        test: f64 = 0.1, fraction();
        /// Tokens of both sides: bytes, and the pairs that are learned; of generated dates 400 at most.
        tokens: usize = 4000, integer(256..=1_000_000);
        /// The most tokens of a text; pairs with a longer one are left out.
        longest: usize = 160, integer(1..=65_536);
        /// Validate on at most so many pairs, evenly spaced; 0 for all.
        validation_pairs: usize = 1000, at_least(0);
        /// Whether a text becomes the first of a pair, from the second. Of two files the first is that of the language which comes
        /// first in the folder's name, A_to_B or A-B, or else in the alphabet.
        reverse: bool = false, flag();
    }
}

fn config() -> Config {
    let adamw = OptimizerConfig::new("adamw").with("lr", 1e-3).with("betas", vec![0.9, 0.98]);
    Config {
        model: "transformer".into(),
        data: DataConfig { name: "pairs".into(), validation: 0.05, ..DataConfig::default() },
        train: TrainConfig { epochs: 6, batch_size: 32, eval_batch_size: 64, ..TrainConfig::default() },
        optimizer: adamw,
        schedule: ScheduleConfig::new("cosine").with("warmup", 0.5),
        regularization: RegularizationConfig { clip_norm: 1.0, ..RegularizationConfig::default() },
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "model of translation", "transformer", models()),
        family("task", "task", "translate", tasks()),
        family("data", "dataset", "pairs", vec![("pairs", Schema::of::<PairsConfig>())]),
    ]
}

fn check(config: &Config) -> Result<()> {
    no_pictures(config, "texts have no pictures to augment")
}

#[cfg(not(feature = "bpe"))]
fn models() -> Vec<(&'static str, Schema)> {
    vec![("transformer", Schema::of::<taper_models::NoKeys>())]
}

#[cfg(not(feature = "bpe"))]
fn tasks() -> Vec<(&'static str, Schema)> {
    vec![("translate", Schema::of::<taper_models::NoKeys>())]
}

#[cfg(not(feature = "bpe"))]
fn prepare(_config: &Config, _device: &Device, _reporter: &mut dyn Reporter) -> Result<Prepared> {
    Err(super::lacks("bpe", "pairs of texts"))
}

#[cfg(feature = "bpe")]
fn models() -> Vec<(&'static str, Schema)> {
    vec![("transformer", Schema::of::<crate::translating::TranslatorConfig>())]
}

#[cfg(feature = "bpe")]
fn tasks() -> Vec<(&'static str, Schema)> {
    vec![("translate", Schema::of::<crate::translating::TranslateConfig>())]
}

#[cfg(feature = "bpe")]
fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    pairs::prepare(config, device, reporter)
}

#[cfg(feature = "bpe")]
mod pairs {
    use super::super::own::{generated_record, own_record};
    use super::PairsConfig;
    use crate::run::{TranslateSpec, spec_json};
    use crate::translating::{Translating, dates, transformer};
    use std::path::Path;
    use taper_data::{Bpe, Dataset, PairSamples, ParallelTexts, TextPairs, Tokenizer, split};
    use taper_nn::{Device, Params, RandomKey};
    use taper_train::{Config, DatasetRecord, Error, Prepared, Reporter, Result};

    /// Generated dates.
    const DATES: usize = 10_000;
    /// The most tokens that are learned of them.
    const OF_DATES: usize = 400;

    type Pairs = Vec<[String; 2]>;

    /// The pairs by split.
    struct Splits {
        train: Pairs,
        validation: Pairs,
        test: Pairs,
        record: DatasetRecord,
        /// Tokens to be learned.
        tokens: usize,
    }

    pub fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
        let own: PairsConfig = config.data.named().parse("data")?;
        let Splits { mut train, mut validation, mut test, mut record, tokens } = split_up(config, &own, reporter)?;
        let most = |count: usize| if count > 0 { count } else { usize::MAX };
        train.truncate(most(config.data.train_samples));
        test = spaced(test, most(config.data.test_samples));
        validation = spaced(validation, most(own.validation_pairs));
        if own.reverse {
            [&mut train, &mut validation, &mut test].into_iter().flatten().for_each(|pair| pair.reverse());
        }
        // Of the training texts alone.
        let tokens = Bpe::train(train.iter().flatten().map(String::as_str), tokens)?;
        let mut samples = |pairs: &Pairs, what: &str| -> Result<PairSamples> {
            let tokens = |[source, target]: &[String; 2]| Ok([tokens.tokens(source)?, tokens.tokens(target)?]);
            let mut all = pairs.iter().map(tokens).collect::<Result<Vec<_>>>()?;
            all.retain(|pair| pair.iter().all(|tokens| tokens.len() <= own.longest));
            let left_out = pairs.len() - all.len();
            if left_out > 0 {
                let longest = own.longest;
                reporter.note(&format!(
                    "{left_out} {what} pairs left out, which have a text of more than {longest} tokens"
                ));
            }
            Ok(PairSamples::new(all))
        };
        let (train, test) = (samples(&train, "training")?, samples(&test, "test")?);
        let validation = samples(&validation, "validation")?;
        if train.is_empty() || test.is_empty() {
            let detail = format!("{} pairs are left to learn from and {} for the test", train.len(), test.len());
            return Err(Error::Usage(format!("data.longest and data.test: {detail}")));
        }
        reporter.note(&format!("{} tokens of both sides", tokens.size()));
        (record.train, record.validation, record.test) = (train.len(), validation.len(), test.len());
        let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
        let model = transformer(&config.model, tokens.size(), own.longest, &params)?;
        let spec = TranslateSpec::new(own.longest, tokens.clone());
        Ok(Prepared {
            task: Box::new(Translating::new(model, tokens, config.task.parse("task")?, own.longest)),
            params,
            train: Box::new(train),
            validation: (!validation.is_empty()).then(|| Box::new(validation) as Box<dyn Dataset>),
            test: Some(Box::new(test)),
            dataset: record,
            spec: spec_json(&spec)?,
        })
    }

    fn split_up(config: &Config, own: &PairsConfig, reporter: &mut dyn Reporter) -> Result<Splits> {
        let seed = config.train.seed;
        let part = |all: Pairs, fraction: f64| -> Result<[Pairs; 2]> {
            let (rest, held) = split(&vec![0; all.len()], fraction, seed)?;
            Ok([rest, held].map(|places| places.into_iter().map(|place| all[place].clone()).collect()))
        };
        let path = Path::new(&own.path);
        let (rest, mut validation, test, checksum);
        if own.path.is_empty() {
            reporter.note(
                "no pairs were given: generated dates in words, to be written as 1984-03-03; --data-dir takes yours",
            );
            let [a, b] = part(dates(DATES), own.test)?;
            (rest, validation, test, checksum) = (a, Vec::new(), b, String::new());
        } else if path.is_dir() && !path.join("train.tsv").exists() {
            let found = ParallelTexts::open(path)?;
            let [mut from, mut to] = found.languages;
            if own.reverse {
                std::mem::swap(&mut from, &mut to);
            }
            reporter.note(&format!("{from} becomes {to}; data.reverse={} turns it around", !own.reverse));
            if found.left_out > 0 {
                reporter.note(&format!("{} pairs left out, of which a text is empty", found.left_out));
            }
            let parts = [Some(&found.train), found.validation.as_ref(), Some(&found.test)];
            checksum = parts.into_iter().flatten().map(|part| part.checksum.as_str()).collect::<Vec<_>>().join("+");
            (rest, validation, test) =
                (found.train.pairs, found.validation.unwrap_or_default().pairs, found.test.pairs);
        } else if path.is_dir() {
            let file = |name: &str| TextPairs::open(path.join(name));
            let (train, tested) = (file("train.tsv")?, file("test.tsv")?);
            let val = if path.join("val.tsv").is_file() { file("val.tsv")? } else { TextPairs::default() };
            checksum = [train.checksum, val.checksum, tested.checksum].join("+");
            (rest, validation, test) = (train.pairs, val.pairs, tested.pairs);
        } else {
            let all = TextPairs::open(path)?;
            let [a, b] = part(all.pairs, own.test)?;
            (rest, validation, test, checksum) = (a, Vec::new(), b, all.checksum);
        }
        let record = match own.path.is_empty() {
            true => generated_record("generated dates", "dates 1"),
            false => {
                let all = rest.len() + validation.len() + test.len();
                own_record(&own.path, &format!("{all} pairs of texts"), checksum)
            }
        };
        let mut train = rest;
        if validation.is_empty() {
            [train, validation] = part(train, config.data.validation)?;
        }
        let tokens = if own.path.is_empty() { own.tokens.min(OF_DATES) } else { own.tokens };
        Ok(Splits { train, validation, test, record, tokens })
    }

    /// At most `count` of `all`, evenly spaced.
    fn spaced(all: Pairs, count: usize) -> Pairs {
        let length = all.len();
        if length <= count {
            return all;
        }
        (0..count).map(|i| all[i * length / count].clone()).collect()
    }
}

#[cfg(all(test, feature = "bpe"))]
mod tests {
    use super::*;
    use taper_data::LocateOptions;
    use taper_train::{Override, Silent};

    fn prepared(settings: &[&str]) -> Result<Prepared> {
        let changes: Vec<Override> = settings.iter().map(|text| Override::parse(text).unwrap()).collect();
        let config = EXPERIMENT.config().with(&changes)?.resolved(&EXPERIMENT.families())?;
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        EXPERIMENT.prepare(&config, &device, &LocateOptions::default(), &mut Silent)
    }

    /// The tokens are those of the texts to learn from, whatever is held out.
    #[test]
    fn what_is_held_out_changes_nothing_that_is_learned() {
        let folder = tempfile::tempdir().unwrap();
        let path = format!("data.path={:?}", folder.path().to_string_lossy());
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        let spec_of = |held_out: &str| {
            write("train.tsv", (0..60).map(|i| format!("low lower {i}\tlent {i} lenter\n")).collect());
            write("test.tsv", format!("{held_out}\t{held_out}\n").repeat(4));
            let found = prepared(&[&path, "data.tokens=300", "model.d_model=8", "model.nhead=2"]).unwrap();
            (found.spec, found.train.len(), found.validation.map(|data| data.len()), found.test.map(|data| data.len()))
        };
        let found = spec_of("low low low");
        assert_eq!(spec_of("unheard of unheard of"), found);
        assert_eq!((found.1, found.2, found.3), (57, Some(3), Some(4)));
        // A folder's own part to validate on, and texts that are too long.
        write("val.tsv", format!("a\tb\n{}\tb\n", "z".repeat(200)));
        let found = prepared(&[&path, "data.longest=30", "data.validation_pairs=5", "data.train_samples=9"]).unwrap();
        assert_eq!((found.train.len(), found.validation.map(|data| data.len())), (9, Some(1)));
    }

    #[test]
    fn dates_are_generated_and_may_be_turned_around() {
        let settings = ["model.d_model=8", "model.nhead=2", "data.train_samples=40", "data.test_samples=7"];
        let of = |more: &str| {
            let found = prepared(&[&settings[..], &[more]].concat()).unwrap();
            assert_eq!((found.train.len(), found.test.as_ref().unwrap().len()), (40, 7));
            assert!(found.dataset.is_stand_in() && found.dataset.description == "generated dates");
            let mut batch = taper_data::Batch::default();
            batch.clear(7);
            found.test.unwrap().fill(0, &[0, 1, 2, 3, 4, 5, 6], &mut batch).unwrap();
            ["source", "target"].map(|name| batch.i64s(name).unwrap().to_vec())
        };
        let ([source, target], [back, forth]) = (of("data.reverse=false"), of("data.reverse=true"));
        assert!(source.len() > target.len() && back.len() < forth.len(), "{} {}", source.len(), target.len());
    }
}
