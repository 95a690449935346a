//! The experiment `verify`: embeddings of the pictures of a built-in data set or of folders, learned from some of the classes and
//! measured on pairs of pictures of the others, which the model has never seen.

use super::labelled::{self, Labelled, PLACE};
use super::own::family;
use super::pictures::not_normalized;
use crate::verification::{Chosen, Samples};
use crate::{EmbeddingLoss, Embeddings};
use taper_config::{Family, Schema, table, unknown};
use taper_data::{Augment, Augmented, Collection, Dataset, LocateOptions};
use taper_models::{InputSpec, build};
use taper_nn::{ArcFace, ArcFaceConfig, Device, FaceMargin, Params, RandomKey, TripletMargin};
use taper_train::{
    Argument, Config, DataConfig, Error, Experiment, Form, OptimizerConfig, Prepared, Recipe, Reporter, Result,
    ScheduleConfig, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Verify;

const NAME: &str = "verify";

const ARGUMENTS: &[Argument] = &[Argument {
    name: "data-dir",
    key: PLACE,
    value: "DIR",
    help: "The folder of the data; with data.name=folder one that holds a folder for each class or person",
    form: Form::DataDir,
}];

table! {
    /// `[task]` of ArcFace's classification with a margin.
    pub struct ArcFaceTaskConfig {
        /// The length of an embedding.
        embedding: usize = 64, integer(2..=4096);
        /// s, by which cosines are multiplied to make logits.
        scale: f64 = 16.0, number(1e-3..=1e3);
        /// m, the angle that is added to that of the right class, in radians.
        margin: f64 = 0.3, number(0.0..=std::f64::consts::PI);
        /// The names of the classes that are left out of training; none stands for the last third.
        unseen: Vec<String> = vec![], any("a list of names of classes");
        /// Pairs that are measured, of each held-out split.
        pairs: usize = 2000, integer(2..=1_000_000);
    }
}

table! {
    /// `[task]` of the triplets of each batch.
    pub struct TripletTaskConfig {
        /// The length of an embedding.
        embedding: usize = 64, integer(2..=4096);
        /// By how much the nearest of another class is to be farther away than the farthest of the same.
        margin: f64 = 0.3, number(0.0..=2.0);
        /// The names of the classes that are left out of training; none stands for the last third.
        unseen: Vec<String> = vec![], any("a list of names of classes");
        /// Pairs that are measured, of each held-out split.
        pairs: usize = 2000, integer(2..=1_000_000);
    }
}

struct Verify;

/// The keys of either task.
struct Settings {
    embedding: usize,
    unseen: Vec<String>,
    pairs: usize,
    /// ArcFace's scale; `None` for triplets.
    scale: Option<f64>,
    margin: f64,
}

fn settings(config: &Config) -> Result<Settings> {
    Ok(match config.task.name.as_str() {
        "arcface" => {
            let ArcFaceTaskConfig { embedding, scale, margin, unseen, pairs } = config.task.parse("task")?;
            Settings { embedding, unseen, pairs, scale: Some(scale), margin }
        }
        _ => {
            let TripletTaskConfig { embedding, margin, unseen, pairs } = config.task.parse("task")?;
            Settings { embedding, unseen, pairs, scale: None, margin }
        }
    })
}

/// The labels of the classes that are learned, and of those that are not.
fn split(classes: &[String], unseen: &[String]) -> Result<(Vec<i64>, Vec<i64>)> {
    let names: Vec<&str> = classes.iter().map(String::as_str).collect();
    let mut others: Vec<i64> = Vec::new();
    for name in unseen {
        let Some(label) = names.iter().position(|class| class == name) else {
            return Err(Error::Usage(format!("task.unseen: {}", unknown("class", name, &names))));
        };
        others.push(label as i64);
    }
    if unseen.is_empty() {
        others = (0..classes.len() as i64).skip(classes.len() - classes.len() / 3).collect();
    }
    let seen: Vec<i64> = (0..classes.len() as i64).filter(|label| !others.contains(label)).collect();
    others.sort_unstable();
    others.dedup();
    if seen.len() < 2 || others.len() < 2 {
        let detail = "expected two classes or more to learn from, and two or more to be left out";
        return Err(Error::Usage(format!(
            "task.unseen: {detail}, found {} and {} of {}",
            seen.len(),
            others.len(),
            classes.len()
        )));
    }
    Ok((seen, others))
}

/// Errs where batches of pairs would hold half a pair.
pub(super) fn even(config: &Config) -> Result<()> {
    match config.train.eval_batch_size {
        size if size % 2 == 0 => Ok(()),
        size => {
            let detail = "expected an even number, since two samples are a pair";
            Err(Error::Usage(format!("train.eval_batch_size: {detail}, found {size}")))
        }
    }
}

impl Experiment for Verify {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "Whether two pictures are of one class, also of classes never seen in training"
    }

    fn config(&self) -> Config {
        Config {
            model: "seed-cnn".into(),
            data: DataConfig { name: "digits".into(), validation: 0.1, ..DataConfig::default() },
            train: TrainConfig { epochs: 12, batch_size: 64, ..TrainConfig::default() },
            optimizer: OptimizerConfig::new("adamw").with("lr", 3e-4).with("weight_decay", 0.01),
            schedule: ScheduleConfig::new("cosine").with("warmup", 1.0),
            ..Config::default()
        }
    }

    fn recipes(&self) -> &'static [Recipe] {
        &[Recipe {
            name: "fashion-mnist",
            about: "Fashion-MNIST's pictures: an AUC of 88 to 91% on pairs of the three classes left out",
            toml: include_str!("../../recipes/verify-fashion-mnist.toml"),
        }]
    }

    fn families(&self) -> Vec<Family> {
        let tasks =
            vec![("triplet", Schema::of::<TripletTaskConfig>()), ("arcface", Schema::of::<ArcFaceTaskConfig>())];
        vec![taper_models::family(), family("task", "task", "triplet", tasks), labelled::data(NAME)]
    }

    fn arguments(&self) -> &'static [Argument] {
        ARGUMENTS
    }

    fn source(&self, config: &Config) -> Option<String> {
        labelled::is_built_in(config).then(|| config.data.name.clone())
    }

    fn collection(&self, config: &Config) -> Result<Option<&'static Collection>> {
        labelled::collection(NAME, config)
    }

    fn features(&self, config: &Config) -> &'static [&'static str] {
        if labelled::is_built_in(config) { &[] } else { &["images"] }
    }

    fn check(&self, config: &Config) -> Result<()> {
        config.resolved(&self.families())?;
        self.collection(config)?;
        even(config)?;
        not_normalized(config, "the pictures of pairs are taken as they are")
    }

    fn prepare(
        &self,
        config: &Config,
        device: &Device,
        locate: &LocateOptions,
        reporter: &mut dyn Reporter,
    ) -> Result<Prepared> {
        let Settings { embedding, unseen, pairs: count, scale, margin } = settings(config)?;
        let Labelled { mut record, shape, classes, train, validation, test } =
            labelled::load(config, self.collection(config)?, locate, reporter)?;
        let (seen, others) = split(&classes, &unseen)?;
        let key = RandomKey::new(config.train.seed).child("pairs");
        let as_they_are: Vec<i64> = (0..classes.len() as i64).collect();
        let paired = |samples: Samples, of: &[i64], split: &str, advice: &str| {
            samples.paired(of, count, key.child(split), split, advice)
        };
        let advice = "hold out more (data.validation), or none (data.validation=0)";
        let validation = validation.map(|held| paired(held, &seen, "validation", advice)).transpose()?;
        let test = paired(test, &others, "test", "leave out other classes (task.unseen)")?;
        let learned: Vec<usize> =
            train.labels.iter().enumerate().filter(|(_, label)| seen.contains(label)).map(|(i, _)| i).collect();
        let place = |label: &i64| seen.iter().position(|seen| seen == label).map_or(-1, |place| place as i64);
        let renumbered = as_they_are.iter().map(place).collect();
        (record.train, record.test) = (learned.len(), test.len());
        record.validation = validation.as_ref().map_or(0, |data| data.len());
        let train = Chosen::new(train.data, learned, renumbered);

        let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
        let model = build(&config.model, &InputSpec { shape, classes: embedding }, &params)?;
        let loss = match scale {
            Some(scale) => {
                let head = ArcFaceConfig::new(embedding, seen.len()).scale(scale).margin(FaceMargin::Angle(margin));
                EmbeddingLoss::ArcFace(Box::new(ArcFace::new(head, &params.sub("head"))?))
            }
            None => EmbeddingLoss::Triplet(TripletMargin { margin, ..TripletMargin::default() }),
        };
        let named = |labels: &[i64]| -> Vec<String> {
            let name = |&label: &i64| usize::try_from(label).ok().and_then(|label| classes.get(label).cloned());
            labels.iter().filter_map(name).collect()
        };
        let spec = serde_json::json!({
            "task": NAME,
            "shape": shape,
            "embedding": embedding,
            "seen": named(&seen),
            "unseen": named(&others),
        });
        let augment: Vec<Augment> = config.data.augment.clone();
        Ok(Prepared {
            task: Box::new(Embeddings::new(model, loss, classes)),
            train: match augment.is_empty() {
                true => Box::new(train),
                false => Box::new(Augmented::new(train, augment, config.train.seed)?),
            },
            validation,
            test: Some(test),
            params,
            dataset: record,
            spec,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_learned_or_left_out() {
        let classes: Vec<String> = (0..10).map(|class| class.to_string()).collect();
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(split(&classes, &[]).unwrap(), ((0..7).collect(), vec![7, 8, 9]));
        assert_eq!(split(&classes, &names(&["4", "1", "4"])).unwrap().1, [1, 4]);
        let told = |unseen: &[&str]| split(&classes, &names(unseen)).unwrap_err().to_string();
        assert!(
            told(&["11", "1"]).starts_with("task.unseen: unknown class `11`; did you mean 1?"),
            "{}",
            told(&["11"])
        );
        assert!(told(&["3"]).ends_with("two or more to be left out, found 9 and 1 of 10"), "{}", told(&["3"]));
        assert!(split(&classes[..3], &[]).is_err());
    }

    #[test]
    fn what_cannot_be_is_told() {
        let with = |text: &str| {
            let change = taper_train::Override::parse(text).unwrap();
            Verify.config().with(&[change]).and_then(|config| Verify.check(&config))
        };
        with("task.margin=0.5").unwrap();
        with("task=\"triplet\"").unwrap();
        let due = [
            ("task.margin=4", "task.margin: expected a number from 0 to"),
            (
                "train.eval_batch_size=5",
                "train.eval_batch_size: expected an even number, since two samples are a pair, found 5",
            ),
            ("task.pairs=1", "task.pairs: expected an integer from 2 to"),
            ("task.name=\"softmax\"", "unknown task `softmax`; known: "),
            ("data.augment=[{kind=\"normalize\",mean=[0.5],std=[0.5]}]", "taken as they are"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }
}
