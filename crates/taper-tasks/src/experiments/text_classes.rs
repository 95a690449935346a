//! The experiment `text-classes`: one's own texts in a table, a column with the text and one with its class, or in a folder for
//! each class; generated reviews where none are given.

use super::own::{Own, family, generated_record, own_record, table_features};
use crate::ClassifyConfig;
use crate::run::{TextClassesSpec, spec_json};
use crate::text_classes::{TextClassification, TextEncoding, TextModel, WordBagConfig, models, reviews};
use std::path::Path;
use taper_config::{Family, Schema, table};
use taper_data::{Dataset, LabelledTexts, WordSamples, WordVocabulary, split};
use taper_nn::{Device, Params, RandomKey};
use taper_train::{
    Argument, Config, DataConfig, DatasetRecord, Error, Experiment, Form, OptimizerConfig, Prepared, Recipe,
    RegularizationConfig, Reporter, Result, ScheduleConfig, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "text-classes",
    about: "Your own texts by class, in a table or in folders; or generated reviews",
    config,
    recipes: RECIPES,
    arguments: ARGUMENTS,
    features: |config| table_features(config, "data.file"),
    families,
    check,
    prepare,
};

const RECIPES: &[Recipe] = &[
    Recipe {
        name: "gru",
        about: "A GRU with attention, which reads the words in their order; slower",
        toml: include_str!("../../recipes/text-classes-gru.toml"),
    },
    Recipe {
        name: "transformer",
        about: "A small Transformer: two layers of attention over all words; slower",
        toml: include_str!("../../recipes/text-classes-transformer.toml"),
    },
];

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "file",
        key: "data.file",
        value: "FILE|DIR",
        help: "The texts: a CSV or Parquet file, a folder with train.csv and test.csv, or one with a folder of texts for each class, \
               CLASS/*.txt, or train/CLASS/*.txt and test/CLASS/*.txt [default: generated reviews]",
        form: Form::Positional,
    },
    Argument {
        name: "data-dir",
        key: "data.file",
        value: "FILE|DIR",
        help: "The same texts, or a collection by its name [default: generated reviews]",
        form: Form::DataDir,
    },
    Argument {
        name: "text",
        key: "data.text",
        value: "COLUMN",
        help: "The column with the texts; if not given, it is found by its name",
        form: Form::Flag,
    },
    Argument {
        name: "target",
        key: "data.target",
        value: "COLUMN",
        help: "The column with the classes; if not given, it is found by its name",
        form: Form::Flag,
    },
];

/// Generated reviews.
const REVIEWS: usize = 2000;

table! {
    /// `[data]` of texts with classes.
    pub struct TextTableConfig {
        /// The CSV or Parquet file, a folder with train.csv and test.csv, or one with a folder for each class; without it reviews
        /// are generated.
        file: String = String::new(), any("a file or a folder");
        /// The column with the texts; if empty, it is found by its name.
        text: String = String::new(), any("the name of a column");
        /// The column with the classes; if empty, it is found by its name.
        target: String = String::new(), any("the name of a column");
        /// Fraction of the texts held out for the test, where there is no file for it.
        test: f64 = 0.2, fraction();
        /// The most words, and runs of words, that are known: the most frequent.
        words: usize = 30_000, integer(1..=16_777_216);
        /// A word is known that the texts to learn from have so many times.
        least: usize = 2, integer(1..=1_000_000);
        /// The first so many words of a text are read; 0 for 2,000 by a bag and 300 by others.
        longest: usize = 0, integer(0..=65_536);
    }
}

fn config() -> Config {
    Config {
        model: "bag".into(),
        data: DataConfig { name: "texts".into(), validation: 0.05, ..DataConfig::default() },
        train: TrainConfig { epochs: 8, batch_size: 32, eval_batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adamw").with("lr", 5e-3),
        schedule: ScheduleConfig::new("cosine"),
        regularization: RegularizationConfig { clip_norm: 1.0, ..RegularizationConfig::default() },
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "model of texts", "bag", models()),
        family("task", "task", "classify", vec![("classify", Schema::of::<ClassifyConfig>())]),
        family("data", "dataset", "texts", vec![("texts", Schema::of::<TextTableConfig>())]),
    ]
}

fn check(config: &Config) -> Result<()> {
    let task: ClassifyConfig = config.resolved(&families())?.task.parse("task")?;
    if !config.data.augment.is_empty() || task.mixup > 0.0 || task.cutmix > 0.0 || task.views != crate::Views::One {
        let detail = "data.augment, task.mixup, task.cutmix and task.views are for pictures; texts have none of them";
        return Err(Error::Usage(detail.into()));
    }
    Ok(())
}

fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    let own: TextTableConfig = config.data.named().parse("data")?;
    let Texts { all, validation, test, mut record, by_class } = texts(&own, reporter)?;
    // The classes are those of the texts to learn from.
    let mut classes = all.labels.clone();
    classes.sort_unstable();
    classes.dedup();
    if classes.len() < 2 {
        let found = classes.join(", ");
        return Err(Error::Usage(format!("data.target: expected two classes or more, found one alone: {found}")));
    }
    let number = |label: &String| match classes.binary_search(label) {
        Ok(class) => Ok(class as i64),
        Err(_) => Err(Error::Usage(format!(
            "data.target: a text of the test or of validation has the class {label}, of which there is none to learn from"
        ))),
    };
    let numbers = |labels: &[String]| labels.iter().map(number).collect::<Result<Vec<i64>>>();
    let (strata, seed) = (numbers(&all.labels)?, config.train.seed);
    let everything = (0..strata.len()).collect::<Vec<_>>();
    let (rest, mut tested) = if test.is_some() { (everything, Vec::new()) } else { split(&strata, own.test, seed)? };
    let of_rest: Vec<i64> = rest.iter().map(|&row| strata[row]).collect();
    let held_out = if validation.is_some() { 0.0 } else { config.data.validation };
    let (train, validated) = split(&of_rest, held_out, seed)?;
    let place = |places: Vec<usize>| places.into_iter().map(|place| rest[place]).collect::<Vec<usize>>();
    let (mut train, validated) = (place(train), place(validated));
    if let Some(test) = &test {
        tested = (0..test.texts.len()).collect();
    }
    for (rows, most) in [(&mut train, config.data.train_samples), (&mut tested, config.data.test_samples)] {
        if most > 0 && by_class {
            // In the order of the folders the first would be of one class.
            let order = RandomKey::new(seed).child("first").permutation(rows.len());
            *rows = order.into_iter().map(|place| rows[place]).collect();
        }
        rows.truncate(if most > 0 { most } else { usize::MAX });
    }
    if train.is_empty() || tested.is_empty() {
        let detail = format!("{} texts are left to learn from and {} for the test", train.len(), tested.len());
        return Err(Error::Usage(format!("data.test and data.validation: {detail}")));
    }
    let bag = config.model.name == "bag";
    let runs = if bag { config.model.parse::<WordBagConfig>("model")?.ngrams } else { 1 };
    let longest = match own.longest {
        0 => {
            if bag {
                2000
            } else {
                300
            }
        }
        longest => longest,
    };
    let learned = train.iter().map(|&row| all.texts[row].as_str());
    let vocabulary = WordVocabulary::of(learned, runs, own.words, own.least);
    reporter.note(&format!("{vocabulary}, {} classes: {}", classes.len(), named(&classes)));
    let encoding = TextEncoding { vocabulary: vocabulary.clone(), longest, once: bag };
    let samples = |texts: &LabelledTexts, rows: &[usize], labels: &[i64]| {
        let samples = rows.iter().map(|&row| encoding.encode(&texts.texts[row])).collect();
        WordSamples::new(samples, rows.iter().map(|&row| labels[row]).collect())
    };
    let test = match &test {
        Some(test) => samples(test, &tested, &numbers(&test.labels)?)?,
        None => samples(&all, &tested, &strata)?,
    };
    let validation = match &validation {
        Some(texts) => samples(texts, &Vec::from_iter(0..texts.texts.len()), &numbers(&texts.labels)?)?,
        None => samples(&all, &validated, &strata)?,
    };
    let train = samples(&all, &train, &strata)?;
    (record.train, record.validation, record.test) = (train.len(), validation.len(), test.len());
    let params = Params::new(device, config.dtype()?, RandomKey::new(seed));
    let model = TextModel::new(&config.model, [vocabulary.len(), longest, classes.len()], &params)?;
    let [column, _] = all.columns;
    let spec = TextClassesSpec::new(column, classes.clone(), encoding);
    Ok(Prepared {
        task: Box::new(TextClassification::new(model, classes, vocabulary, config.task.parse("task")?)),
        params,
        train: Box::new(train),
        validation: (!validation.is_empty()).then(|| Box::new(validation) as Box<dyn Dataset>),
        test: Some(Box::new(test)),
        dataset: record,
        spec: spec_json(&spec)?,
    })
}

/// The first of the classes by name.
fn named(classes: &[String]) -> String {
    const FIRST: usize = 6;
    let more = if classes.len() > FIRST { ", …" } else { "" };
    classes.iter().take(FIRST).map(String::as_str).collect::<Vec<_>>().join(", ") + more
}

/// The texts by split, those to validate on and of the test if they have a place of their own.
struct Texts {
    all: LabelledTexts,
    validation: Option<LabelledTexts>,
    test: Option<LabelledTexts>,
    record: DatasetRecord,
    /// Whether they come class by class.
    by_class: bool,
}

fn texts(own: &TextTableConfig, reporter: &mut dyn Reporter) -> Result<Texts> {
    if own.file.is_empty() {
        reporter
            .note("no file was given: generated reviews, not anybody's; train text-classes FILE.csv takes your texts");
        let (texts, labels) = reviews(REVIEWS).into_iter().map(|(text, class)| (text, class.to_string())).unzip();
        let all = LabelledTexts { texts, labels, ..LabelledTexts::default() };
        let record = generated_record("generated reviews, not anybody's", "reviews 1");
        return Ok(Texts { all, validation: None, test: None, record, by_class: false });
    }
    let path = Path::new(&own.file);
    let (all, test) = match path.is_dir() {
        true if !path.join("train.csv").exists() => return folders(path, own, reporter),
        true => {
            let all = open(&path.join("train.csv"), own)?;
            let [text, target] = all.columns.clone();
            let test = open(&path.join("test.csv"), &TextTableConfig { text, target, ..own.clone() })?;
            (all, Some(test))
        }
        false => (open(path, own)?, None),
    };
    let what = format!("{} of {} texts", all.columns[1], all.texts.len());
    let record = own_record(&own.file, &what, checksum([Some(&all), None, test.as_ref()]));
    Ok(Texts { all, validation: None, test, record, by_class: false })
}

/// The checksum of the parts that there are.
fn checksum(parts: [Option<&LabelledTexts>; 3]) -> String {
    parts.into_iter().flatten().map(|texts| texts.checksum.as_str()).collect::<Vec<_>>().join("+")
}

#[cfg(not(any(feature = "csv", feature = "parquet")))]
fn folders(_path: &Path, _own: &TextTableConfig, _reporter: &mut dyn Reporter) -> Result<Texts> {
    Err(super::lacks("csv", "folders of texts"))
}

/// The texts in the folders of classes in `path`.
#[cfg(any(feature = "csv", feature = "parquet"))]
fn folders(path: &Path, own: &TextTableConfig, reporter: &mut dyn Reporter) -> Result<Texts> {
    let is_folder = |entry: std::fs::DirEntry| entry.path().is_dir();
    if !path.read_dir().is_ok_and(|entries| entries.flatten().any(is_folder)) {
        let (detail, path) = ("train.csv and test.csv, or a folder of texts for each class", path.display());
        return Err(Error::Usage(format!("data.file: expected {detail} in {path}, found neither")));
    }
    if !own.text.is_empty() || !own.target.is_empty() {
        let detail = "data.text and data.target name a table's columns; the texts of a folder for each class have none";
        return Err(Error::Usage(detail.into()));
    }
    let taper_data::TextFolders { train: all, validation, test, unlabelled } = taper_data::TextFolders::open(path)?;
    if let Some((folder, count)) = unlabelled {
        let folder = folder.strip_prefix(path).unwrap_or(&folder).display();
        reporter.note(&format!("{count} texts in the folder {folder} have no class and are left out"));
    }
    let count = [Some(&all), validation.as_ref(), test.as_ref()].into_iter().flatten().map(|found| found.texts.len());
    let what = format!("{} texts in a folder for each class", count.sum::<usize>());
    let record = own_record(&own.file, &what, checksum([Some(&all), validation.as_ref(), test.as_ref()]));
    Ok(Texts { all, validation, test, record, by_class: true })
}

#[cfg(not(any(feature = "csv", feature = "parquet")))]
fn open(_path: &Path, _own: &TextTableConfig) -> Result<LabelledTexts> {
    Err(super::lacks("csv", "tables"))
}

#[cfg(any(feature = "csv", feature = "parquet"))]
fn open(path: &Path, own: &TextTableConfig) -> Result<LabelledTexts> {
    LabelledTexts::open(path, &own.text, Some(&own.target)).map_err(|error| match error {
        // The library does not know how a column is named here.
        taper_data::Error::Format { path, at, detail } => {
            let detail = detail.replace("say which it is", "say which it is, with --text COLUMN and --target COLUMN");
            taper_data::Error::Format { path, at, detail }.into()
        }
        other => other.into(),
    })
}

#[cfg(test)]
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

    /// The vocabulary is that of the texts to learn from, whatever is held out.
    #[cfg(feature = "csv")]
    #[test]
    fn what_is_held_out_changes_nothing_that_is_learned() {
        let folder = tempfile::tempdir().unwrap();
        let spec_of = |held_out: &str| {
            let texts: String =
                (0..40).map(|i| format!("{},word{} and{}\n", ["a", "b"][i % 2], i % 7, i % 3)).collect();
            std::fs::write(folder.path().join("train.csv"), format!("label,text\n{texts}")).unwrap();
            std::fs::write(folder.path().join("test.csv"), format!("label,text\na,{held_out}\nb,{held_out}\n"))
                .unwrap();
            let file = format!("data.file={:?}", folder.path().to_string_lossy());
            let found = prepared(&[&file, "model.ngrams=2"]).unwrap();
            (found.spec, found.train.len(), found.test.map(|data| data.len()))
        };
        let found = spec_of("word1 and1");
        assert_eq!(spec_of("unheard of of of of"), found);
        assert_eq!((found.1, found.2), (38, Some(2)));
        assert!(found.0.to_string().contains("word1 and1") && !found.0.to_string().contains("unheard"), "{}", found.0);
    }

    /// Texts in folders come class by class: what is learned from, and measured on, is of all classes nevertheless.
    #[cfg(feature = "csv")]
    #[test]
    fn texts_in_folders_are_drawn_from_all_classes() {
        let folder = tempfile::tempdir().unwrap();
        for (split, count) in [("train", 20), ("val", 3), ("test", 10)] {
            for class in ["neg", "pos"] {
                let dir = folder.path().join(split).join(class);
                std::fs::create_dir_all(&dir).unwrap();
                (0..count).for_each(|i| std::fs::write(dir.join(format!("{i}.txt")), format!("{class} {i}")).unwrap());
            }
        }
        let file = format!("data.file={:?}", folder.path().to_string_lossy());
        let found = prepared(&[&file, "data.train_samples=12", "data.test_samples=8"]).unwrap();
        let labels = |data: &dyn Dataset| {
            let mut batch = taper_data::Batch::default();
            batch.clear(data.len());
            data.fill(0, &Vec::from_iter(0..data.len()), &mut batch).unwrap();
            let labels = batch.i64s("labels").unwrap();
            [0, 1].map(|class| labels.iter().filter(|label| **label == class).count())
        };
        let (train, test) = (labels(&found.train), labels(&found.test.unwrap()));
        assert!(train[0] + train[1] == 12 && test[0] + test[1] == 8, "{train:?} {test:?}");
        assert!(train.into_iter().chain(test).all(|count| count > 0), "{train:?} {test:?}");
        assert_eq!(labels(&found.validation.unwrap()), [3, 3]);
        assert!(found.dataset.description.ends_with(", 66 texts in a folder for each class"), "{:?}", found.dataset);
        assert_eq!(prepared(&[&file]).unwrap().train.len(), 40);
    }

    #[test]
    fn a_bag_reads_more_than_others() {
        let longest = |model: &str| prepared(&[model]).unwrap().spec["longest"].as_u64();
        assert_eq!((longest("model.name=bag"), longest("model.name=gru")), (Some(2000), Some(300)));
        let found = prepared(&["data.longest=7", "data.train_samples=50", "data.test_samples=9"]).unwrap();
        assert_eq!((found.spec["longest"].as_u64(), found.train.len(), found.test.unwrap().len()), (Some(7), 50, 9));
    }
}
