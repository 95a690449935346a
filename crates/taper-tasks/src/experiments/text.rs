//! The experiment `text`: a language model of the characters of a text, by default a GPT of the size and with the settings
//! that nanoGPT names for CPUs (A. Karpathy, github.com/karpathy/nanoGPT, "I only have a macbook"): four blocks of 128 features
//! and four heads, 64 characters at a time, 2,000 steps of 12.

use super::own::{Own, family, no_pictures, short_name};
use crate::language::{CharModel, Characters, GptConfig, LstmConfig};
use crate::run::{TEXT, TextSpec, spec_json};
use taper_config::{Family, Schema, table};
use taper_data::{CharVocabulary, Dataset, TextBlocks, TextSource};
use taper_models::NoKeys;
use taper_nn::{Device, Params, RandomKey};
use taper_train::{
    Argument, Config, DataConfig, DatasetRecord, Error, Experiment, Form, GroupConfig, OptimizerConfig, Prepared,
    Recipe, RegularizationConfig, Reporter, Result, ScheduleConfig, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "text",
    about: "A text, one character after the other: your own, or chapters of a novel",
    config,
    recipes: &[Recipe {
        name: "lstm",
        about: "An LSTM of 256 units at a rate of 4e-3, as many steps",
        toml: include_str!("../../recipes/text-lstm.toml"),
    }],
    arguments: ARGUMENTS,
    features: |_| &[],
    families,
    check,
    prepare,
};

const ARGUMENTS: &[Argument] = &[Argument {
    name: "data-dir",
    key: "data.path",
    value: "FILE|DIR",
    help: "The text: a file, or a folder with train.txt and test.txt, val.txt or valid.txt [default: chapters of \
               Pride and Prejudice, which the program holds]",
    form: Form::DataDir,
}];

/// Characters that the note on those left out names.
const NAMED: usize = 12;

table! {
    /// `[data]` of a text.
    pub struct TextConfig {
        /// The text file, or a folder with train.txt and test.txt, val.txt or valid.txt.
        path: String = String::new(), any("a file or a folder");
        /// Characters that are read at a time; a GPT sees no more.
        block: usize = 64, integer(1..=65_536);
        /// Fraction of the text, its end, held out for the test, where there is no file for it.
        test: f64 = 0.1, fraction();
        /// Validate on at most so many blocks, evenly spaced; 0 for all.
        validation_blocks: usize = 256, at_least(0);
    }
}

pub(super) fn config() -> Config {
    // Weight matrices and embeddings decay; biases and layer norms, whose names end in `ln_1` and `ln_f`, do not.
    let matrices = GroupConfig {
        pattern: "*[!_]?.weight*".into(),
        optimizer: OptimizerConfig::default().with("weight_decay", 0.1),
        ..GroupConfig::default()
    };
    let adamw = OptimizerConfig::new("adamw").with("lr", 1e-3).with("betas", vec![0.9, 0.99]);
    Config {
        model: "gpt".into(),
        groups: vec![matrices],
        data: DataConfig { name: "text".into(), validation: 0.05, ..DataConfig::default() },
        // 2,000 steps.
        train: TrainConfig { epochs: 8, epoch_steps: 250, batch_size: 12, ..TrainConfig::default() },
        regularization: RegularizationConfig { clip_norm: 1.0, ..RegularizationConfig::default() },
        optimizer: adamw.with("weight_decay", 0.0),
        // Down to 1e-4, after 100 steps of warm-up.
        schedule: ScheduleConfig::new("cosine").with("min", 0.1).with("warmup", 0.4),
        ..Config::default()
    }
}

pub(super) fn check(config: &Config) -> Result<()> {
    no_pictures(config, "a text has no pictures to augment")
}

fn families() -> Vec<Family> {
    let models = vec![("gpt", Schema::of::<GptConfig>()), ("lstm", Schema::of::<LstmConfig>())];
    vec![
        family("model", "model of a text", "gpt", models),
        family("task", "task", "text", vec![("text", Schema::of::<NoKeys>())]),
        family("data", "dataset", "text", vec![("text", Schema::of::<TextConfig>())]),
    ]
}

fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    let own: TextConfig = config.data.named().parse("data")?;
    let Splits { mut record, vocabulary, train, validation, test } = split(config, &own, reporter)?;
    let key = RandomKey::new(config.train.seed).child("blocks");
    let train = if config.train.shuffle { train.moved(key)? } else { train };
    let validation = validation.map(|blocks| blocks.at_most(own.validation_blocks));
    let test = test.at_most(config.data.test_samples);
    (record.train, record.test) = (train.len(), test.len());
    record.validation = validation.as_ref().map_or(0, Dataset::len);
    let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
    let model = CharModel::new(&config.model, vocabulary.len(), own.block, &params)?;
    let spec = TextSpec::new(TEXT, vocabulary.clone(), own.block);
    Ok(Prepared {
        task: Box::new(Characters::new(model, vocabulary, train.clone())),
        params,
        train: Box::new(train),
        validation: validation.map(|blocks| Box::new(blocks) as Box<dyn Dataset>),
        test: Some(Box::new(test)),
        dataset: record,
        spec: spec_json(&spec)?,
    })
}

/// A text by split, as blocks that lie one after the other.
struct Splits {
    record: DatasetRecord,
    /// Of the training text alone.
    vocabulary: CharVocabulary,
    train: TextBlocks,
    validation: Option<TextBlocks>,
    test: TextBlocks,
}

fn split(config: &Config, own: &TextConfig, reporter: &mut dyn Reporter) -> Result<Splits> {
    let mut record = DatasetRecord::default();
    let mut source = if own.path.is_empty() {
        reporter.note(
            "no text was named: learning from chapters 1 to 15 of Pride and Prejudice, which the program holds; \
             --data-dir FILE takes yours",
        );
        record.origin = "embedded".into();
        record.citation = Some("Jane Austen, Pride and Prejudice, 1813, chapters 1 to 15; in the public domain".into());
        TextSource::pride_and_prejudice()
    } else {
        (record.origin, record.path) = ("own".into(), Some(own.path.clone()));
        TextSource::open(&own.path)?
    };
    source = source.held_out_by_place(own.test).map_err(|error| of_key("data.test", &error))?;
    let validation = match config.data.validation > 0.0 {
        true => Some(source.split_off(config.data.validation).map_err(|error| of_key("data.validation", &error))?),
        false => None,
    };
    let vocabulary = CharVocabulary::of(&source.train);
    let name: String = match &record.path {
        None => "Pride and Prejudice (chapters 1 to 15)".into(),
        Some(path) => short_name(path),
    };
    record.description = format!("{name}, {} different characters", vocabulary.len());
    record.checksum = source.checksum;
    let mut train = vocabulary.encode(&source.train)?;
    if config.data.train_samples > 0 {
        train.truncate(config.data.train_samples.saturating_mul(own.block).saturating_add(1));
    }
    if train.len() <= own.block {
        let (found, block) = (train.len(), own.block);
        let detail =
            format!("the text to learn from has {found} characters, which fill no block of {block} and one more");
        return Err(Error::Usage(format!("data.block: {detail}; choose a longer text, or a smaller data.block")));
    }
    let mut held_out = |text: &str, what: &str| -> Result<TextBlocks> {
        let text = known(text, &vocabulary, what, reporter);
        match vocabulary.encode(&text)? {
            tokens if tokens.len() < 2 => {
                let detail = format!("of the {what} text {} characters are left, expected 2 or more", tokens.len());
                Err(Error::Usage(format!("data: {detail}; hold out more of it")))
            }
            tokens => Ok(TextBlocks::new(tokens, own.block)?),
        }
    };
    let test = held_out(source.held_out.as_deref().unwrap_or_default(), "test")?;
    let validation = validation.map(|text| held_out(&text, "validation")).transpose()?;
    Ok(Splits { record, train: TextBlocks::new(train, own.block)?, validation, test, vocabulary })
}

/// `text` without the characters that the training text does not have, of which the user is told.
pub(super) fn known(text: &str, vocabulary: &CharVocabulary, what: &str, reporter: &mut dyn Reporter) -> String {
    let lacking = vocabulary.lacking(text);
    if lacking.is_empty() {
        return text.into();
    }
    let count = text.chars().filter(|char| !vocabulary.has(*char)).count();
    let named = lacking.iter().take(NAMED).map(|char| format!("{char:?}")).collect::<Vec<_>>().join(", ");
    let more = if lacking.len() > NAMED { ", …" } else { "" };
    let characters = if count == 1 { "character" } else { "characters" };
    reporter.note(&format!(
        "{count} {characters} of the {what} text left out, which the text to learn from does not have: {named}{more}"
    ));
    text.chars().filter(|char| vocabulary.has(*char)).collect()
}

/// The error of the part that `key` sets.
pub(super) fn of_key(key: &str, error: &taper_data::Error) -> Error {
    let text = error.to_string();
    Error::Usage(format!("{key}: {}", text.strip_prefix("text: ").unwrap_or(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use taper_nn::matches;
    use taper_train::{Override, Silent};

    fn prepared(settings: &[&str], path: &Path) -> Result<Prepared> {
        let mut changes = vec![Override::new("data.path", path.to_string_lossy().into_owned())];
        changes.extend(settings.iter().map(|text| Override::parse(text).unwrap()));
        let config = config().with(&changes)?.resolved(&families())?;
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        super::prepare(&config, &device, &mut Silent)
    }

    /// As in nanoGPT: what has two dimensions or more.
    #[test]
    fn matrices_alone_decay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "to be or not to be ".repeat(50)).unwrap();
        for model in ["gpt", "lstm"] {
            let found = prepared(&[&format!("model.name={model}")], &path).unwrap();
            let pattern = &config().groups[0].pattern;
            for param in found.params.trainable() {
                let due = param.tensor().shape().rank() >= 2;
                assert_eq!(matches(pattern, param.name()), due, "{}", param.name());
            }
        }
    }

    /// The vocabulary is that of the text to learn from, whatever is held out.
    #[test]
    fn what_is_held_out_changes_nothing_that_is_learned() {
        let folder = tempfile::tempdir().unwrap();
        let spec_of = |held_out: &str| {
            std::fs::write(folder.path().join("train.txt"), "to be or not to be ".repeat(50)).unwrap();
            std::fs::write(folder.path().join("test.txt"), held_out).unwrap();
            let found = prepared(&[], folder.path()).unwrap();
            (found.spec, found.train.len(), found.test.map(|data| data.len()))
        };
        let (spec, train, test) = spec_of(&"bet ".repeat(40));
        assert_eq!(spec_of(&"Zé?t".repeat(40)), (spec.clone(), train, Some(1)));
        assert_eq!((spec["vocabulary"].as_array().map(Vec::len), test), (Some(7), Some(3)));
        assert_eq!(train, (950_usize - 48 - 1) / 64);
    }

    #[test]
    fn what_cannot_be_learned_from_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let says = |text: &str, settings: &[&str], due: &str| {
            std::fs::write(&path, text).unwrap();
            let error = prepared(settings, &path).map(drop).unwrap_err();
            assert!(error.is_usage() && error.to_string() == due, "{error}");
        };
        let short = "to be or not to be ".repeat(3);
        says(
            &short,
            &[],
            "data.block: the text to learn from has 48 characters, which fill no block of 64 and one more; choose a longer \
             text, or a smaller data.block",
        );
        says(&short, &["data.test=0"], "data.test: 0 of 57 characters leaves 0 held out and 57 to learn from");
        let tiny = "data.validation: 0.001 of 51 characters leaves 0 held out and 51 to learn from";
        says(&short, &["data.validation=0.001"], tiny);
        let foreign = format!("{}ßßßßßßßßßßß", "to be ".repeat(20));
        let due = "data: of the test text 2 characters are left, expected 2 or more; hold out more of it";
        says(&foreign, &["data.block=8", "data.test=0.08"], &due.replace("text 2", "text 0"));
        let wrong = |text: &str| {
            let config = config().with(&[Override::parse(text).unwrap()]).unwrap();
            EXPERIMENT.check(&config).unwrap_err().to_string()
        };
        let augment = wrong("data.augment=[{kind=\"cutout\",size=2}]");
        assert_eq!(augment, "data.augment: a text has no pictures to augment");
        assert!(wrong("model.name=mlp").contains("mlp"), "{}", wrong("model.name=mlp"));
    }
}
