//! The experiment `dialogue`: replies in conversations, after what was said before them. By default a GPT over characters,
//! smaller than a chat of today by five orders of magnitude.

use super::own::{Own, family, own_record};
use super::text::{known, of_key};
use crate::language::{CharModel, Dialogue, GptConfig, LstmConfig};
use crate::run::{DIALOGUE, TextSpec, spec_json};
use taper_config::{Family, Schema, table};
use taper_data::{CharVocabulary, Conversations, Dataset, ReplySamples, TextSource};
use taper_models::NoKeys;
use taper_nn::{Device, Params, RandomKey};
use taper_train::{
    Argument, Config, DataConfig, DatasetRecord, Error, Experiment, Form, Prepared, Reporter, Result, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "dialogue",
    about: "Replies in conversations: your own, or the speech in chapters of a novel",
    config,
    recipes: &[],
    arguments: ARGUMENTS,
    features: |_| &[],
    families,
    check: super::text::check,
    prepare,
};

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "data-dir",
        key: "data.path",
        value: "FILE|DIR",
        help: "The conversations: a file, or a folder with train.txt and test.txt, val.txt or valid.txt [default: the \
               speech in chapters of Pride and Prejudice, which the program holds]",
        form: Form::DataDir,
    },
    Argument {
        name: "form",
        key: "data.form",
        value: "lines|novel",
        help: "Whether a line is a turn, with a blank line between conversations, or what is in quotation marks of a novel's \
               paragraph",
        form: Form::Flag,
    },
];

table! {
    /// `[data]` of conversations.
    pub struct DialogueConfig {
        /// The text file, or a folder with train.txt and test.txt, val.txt or valid.txt.
        path: String = String::new(), any("a file or a folder");
        /// What a turn is: a line, with a blank line between conversations, or the speech in a novel's paragraph.
        form: String = "lines".to_owned(), one_of(&["lines", "novel"]);
        /// Characters that are seen at a time: those of a reply, and of what was said before it.
        block: usize = 192, integer(8..=65_536);
        /// Fraction of the conversations, the last, held out for the test, where there is no file for it.
        test: f64 = 0.1, fraction();
    }
}

fn config() -> Config {
    Config {
        data: DataConfig { name: "dialogue".into(), validation: 0.05, ..DataConfig::default() },
        // 2,000 steps.
        train: TrainConfig { epochs: 8, epoch_steps: 250, batch_size: 8, ..TrainConfig::default() },
        // The model, and how fast it learns, are those of a text.
        ..super::text::config()
    }
}

fn families() -> Vec<Family> {
    let models = vec![("gpt", Schema::of::<GptConfig>()), ("lstm", Schema::of::<LstmConfig>())];
    vec![
        family("model", "model of a text", "gpt", models),
        family("task", "task", "dialogue", vec![("dialogue", Schema::of::<NoKeys>())]),
        family("data", "dataset", "dialogue", vec![("dialogue", Schema::of::<DialogueConfig>())]),
    ]
}

fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    let own: DialogueConfig = config.data.named().parse("data")?;
    let Splits { mut record, vocabulary, train, validation, test } = split(config, &own, reporter)?;
    let replies = |talk: &Conversations| ReplySamples::new(talk, &vocabulary, own.block);
    let train = replies(&train)?.at_most(config.data.train_samples);
    let validation = validation.map(|talk| replies(&talk)).transpose()?;
    let test = replies(&test)?.at_most(config.data.test_samples);
    (record.train, record.test) = (train.len(), test.len());
    record.validation = validation.as_ref().map_or(0, Dataset::len);
    let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
    let model = CharModel::new(&config.model, vocabulary.len(), own.block, &params)?;
    let spec = TextSpec::new(DIALOGUE, vocabulary.clone(), own.block);
    Ok(Prepared {
        task: Box::new(Dialogue::new(model, vocabulary, train.clone(), test.clone())),
        params,
        train: Box::new(train.joined_late(RandomKey::new(config.train.seed).child("turns"))),
        validation: validation.map(|replies| Box::new(replies) as _),
        test: Some(Box::new(test)),
        dataset: record,
        spec: spec_json(&spec)?,
    })
}

/// Conversations by split.
struct Splits {
    record: DatasetRecord,
    /// Of the conversations to learn from alone.
    vocabulary: CharVocabulary,
    train: Conversations,
    validation: Option<Conversations>,
    test: Conversations,
}

fn split(config: &Config, own: &DialogueConfig, reporter: &mut dyn Reporter) -> Result<Splits> {
    let (source, novel) = if own.path.is_empty() {
        reporter.note(
            "no conversations were named: learning from the speech in chapters 1 to 15 of Pride and Prejudice, which the \
             program holds; --data-dir FILE takes yours",
        );
        (TextSource::pride_and_prejudice(), true)
    } else {
        (TextSource::open(&own.path)?, own.form == "novel")
    };
    let talk = |text: &str| if novel { Conversations::of_novel(text) } else { Conversations::of_lines(text) };
    let mut train = talk(&source.train);
    if train.all.is_empty() {
        return Err(Error::Usage(format!(
            "{}: expected conversations, {}; found none of two turns; see the key `data.form`",
            if own.path.is_empty() { "data" } else { &own.path },
            if novel {
                "the speech of a novel in quotation marks"
            } else {
                "a turn a line, and a blank line between them"
            },
        )));
    }
    let test = match &source.held_out {
        Some(text) => talk(text),
        None => train.split_off(own.test).map_err(|error| of_key("data.test", &error))?,
    };
    let validation = match config.data.validation > 0.0 {
        true => Some(train.split_off(config.data.validation).map_err(|error| of_key("data.validation", &error))?),
        false => None,
    };
    let vocabulary = CharVocabulary::of(&train.to_string());
    let mut of_train =
        |talk: &Conversations, what| Conversations::of_lines(&known(&talk.to_string(), &vocabulary, what, reporter));
    let test = of_train(&test, "test");
    let validation = validation.map(|talk| of_train(&talk, "validation"));
    let (count, replies) = (train.all.len(), train.replies());
    let what = format!("{replies} replies in {count} conversations to learn from");
    let record = match own.path.is_empty() {
        true => DatasetRecord {
            description: format!("the speech in Pride and Prejudice (chapters 1 to 15), {what}"),
            origin: "embedded".into(),
            citation: Some("Jane Austen, Pride and Prejudice, 1813, chapters 1 to 15; in the public domain".into()),
            checksum: source.checksum,
            ..DatasetRecord::default()
        },
        false => own_record(&own.path, &what, source.checksum),
    };
    Ok(Splits { record, vocabulary, train, validation, test })
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_train::{Override, Silent};

    fn prepared(settings: &[&str], path: &std::path::Path) -> Result<Prepared> {
        let mut changes = vec![Override::new("data.path", path.to_string_lossy().into_owned())];
        changes.extend(settings.iter().map(|text| Override::parse(text).unwrap()));
        let config = config().with(&changes)?.resolved(&families())?;
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        prepare(&config, &device, &mut Silent)
    }

    /// Conversations are held out whole, and what is held out changes nothing that is learned.
    #[test]
    fn no_reply_is_on_both_sides() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.txt");
        let text = |last: &str| (0..40).map(|i| format!("what is {i}\n{i} is it\n\n")).collect::<String>() + last;
        let found = |last: &str| {
            std::fs::write(&path, text(last)).unwrap();
            let found = prepared(&["data.block=32"], &path).unwrap();
            (found.dataset.train, found.dataset.validation, found.dataset.test, found.spec)
        };
        let (train, validation, test, spec) = found("why?\nwhy not?\n");
        // Of 41 the last four, then of 37 the last two.
        assert_eq!((train, validation, test), (35, 2, 4));
        assert_eq!(found("ßhöw?\nnöt thüs\n").3, spec);
        assert_eq!(spec["task"], "dialogue");
    }

    #[test]
    fn what_is_no_conversation_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let says = |text: &str, settings: &[&str], due: &str| {
            std::fs::write(&path, text).unwrap();
            let error = prepared(settings, &path).map(drop).unwrap_err();
            assert!(error.is_usage() && error.to_string().ends_with(due), "{error}");
        };
        let one = "expected conversations, a turn a line, and a blank line between them; found none of two turns; see the key \
                   `data.form`";
        says("a\n\nb\n\nc\n", &[], one);
        let novel = "expected conversations, the speech of a novel in quotation marks; found none of two turns; see the key \
                     `data.form`";
        says("It rained.\n\nIt rained.\n", &["data.form=novel"], novel);
        says("a\nb\n", &[], "data.test: 0.1 of 1 conversations leaves 0 held out and 1 to learn from");
    }
}
