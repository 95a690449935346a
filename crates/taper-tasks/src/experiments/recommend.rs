//! The experiment `recommend`: ratings in MovieLens' layout, to be predicted, or as choices to be told from others; a
//! generated set where no folder is given.

use super::own::{Own, family, generated_record};
use crate::recommending::{Choosing, RatingBiases, RatingPrediction};
use crate::run::{RECOMMEND, RecommendSpec, spec_json};
use std::sync::Arc;
use taper_config::{Family, Schema, table};
use taper_data::{ChoiceSamples, Dataset, RatedItem, Rating, RatingSamples, Ratings, split};
use taper_models::{recommender, recommenders};
use taper_nn::{Device, Params, RandomKey};
use taper_train::{
    Argument, Config, DataConfig, DatasetRecord, Error, Experiment, Form, OptimizerConfig, Prepared, Reporter, Result,
    ScheduleConfig, Task, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "recommend",
    about: "Recommendations from ratings as MovieLens has them; or from generated ones",
    config,
    recipes: &[],
    arguments: ARGUMENTS,
    features: |config| if config.get("data.dir").is_some_and(|dir| !dir.is_empty()) { &["csv"] } else { &[] },
    families,
    check: |_| Ok(()),
    prepare,
};

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "dir",
        key: "data.dir",
        value: "DIR",
        help: "The folder of ratings.csv and movies.csv, as MovieLens has them; without it a generated set",
        form: Form::Positional,
    },
    Argument {
        name: "data-dir",
        key: "data.dir",
        value: "DIR",
        help: "The same folder [default: a generated set]",
        form: Form::DataDir,
    },
    Argument {
        name: "task",
        key: "task.name",
        value: "ratings|choices",
        help: "Whether ratings are predicted, or what was chosen is told from what was not",
        form: Form::Flag,
    },
];

table! {
    /// `[data]` of ratings.
    pub struct RatingsConfig {
        /// The folder of ratings.csv and movies.csv; without one a set is generated.
        dir: String = String::new(), any("a folder");
        /// Fraction of the ratings held out for the test, where ratings are predicted.
        test: f64 = 0.1, fraction();
    }
}

table! {
    /// `[task]` of ratings to be predicted.
    pub struct RatingConfig {
        /// The factor of the squares of what stands for a user and a thing.
        penalty: f64 = 0.1, ordinary_or_zero();
        /// The same for the biases that the model is measured beside.
        bias_penalty: f64 = 5.0, ordinary_or_zero();
    }
}

table! {
    /// `[task]` of choices.
    pub struct ChoiceConfig {
        /// The factor of the squares of what stands for a user and a thing.
        penalty: f64 = 0.002, ordinary_or_zero();
        /// Things beside each that was chosen, drawn anew in each pass, in training.
        negatives: usize = 4, integer(1..=1000);
        /// Things beside each that was chosen when it is measured.
        others: usize = 99, integer(1..=100_000);
    }
}

fn config() -> Config {
    Config {
        model: "mf".into(),
        task: "ratings".into(),
        data: DataConfig { name: "ratings".into(), ..DataConfig::default() },
        train: TrainConfig { epochs: 15, batch_size: 1024, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 5e-3),
        schedule: ScheduleConfig::new("cosine"),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    let tasks = vec![("choices", Schema::of::<ChoiceConfig>()), ("ratings", Schema::of::<RatingConfig>())];
    vec![
        family("model", "model of pairs", "mf", recommenders()),
        family("task", "task", "ratings", tasks),
        family("data", "dataset", "ratings", vec![("ratings", Schema::of::<RatingsConfig>())]),
    ]
}

fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    let own: RatingsConfig = config.data.named().parse("data")?;
    let (ratings, mut dataset) = if own.dir.is_empty() { generated(reporter) } else { load(&own.dir)? };
    let ratings = Arc::new(ratings);
    let (users, items, given) = (ratings.users.len(), ratings.items.len(), ratings.given.len());
    reporter.note(&format!("{given} ratings of {users} users for {items} things"));
    let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
    let splits = match config.task.name.as_str() {
        "choices" => choices(config, &ratings, &params)?,
        _ => predicted(config, &own, &ratings, &params)?,
    };
    let Splits { task, train, validation, test, mean, range } = splits;
    (dataset.train, dataset.test) = (train.len(), test.len());
    dataset.validation = validation.as_ref().map_or(0, |data| data.len());
    let seen = ratings.seen(None).into_iter().map(|seen| seen.into_iter().collect()).collect();
    let spec = RecommendSpec {
        task: RECOMMEND.into(),
        scores: config.task.name.clone(),
        users: ratings.users.clone(),
        items: ratings.items.iter().map(|item| (item.id.clone(), item.title.clone())).collect(),
        seen,
        mean,
        range,
    };
    Ok(Prepared { task, params, train, validation, test: Some(test), dataset, spec: spec_json(&spec)? })
}

/// A task with its data.
struct Splits {
    task: Box<dyn Task>,
    train: Box<dyn Dataset>,
    validation: Option<Box<dyn Dataset>>,
    test: Box<dyn Dataset>,
    /// What is added to every score.
    mean: f64,
    /// Between what a rating lies.
    range: Option<[f64; 2]>,
}

/// Ratings to be predicted: some of all are held out at random.
fn predicted(config: &Config, own: &RatingsConfig, ratings: &Arc<Ratings>, params: &Params) -> Result<Splits> {
    let settings: RatingConfig = config.task.parse("task")?;
    let seed = config.train.seed;
    let (rest, test) = split(&vec![0; ratings.given.len()], own.test, seed)?;
    let (places, held) = split(&vec![0; rest.len()], config.data.validation, seed)?;
    let of = |places: Vec<usize>| places.into_iter().map(|place| rest[place]).collect::<Vec<usize>>();
    let (train, held) = (of(places), of(held));
    if train.is_empty() || test.is_empty() {
        let all = ratings.given.len();
        return Err(Error::Usage(format!("data.test and data.validation: of {all} ratings none is left for a split")));
    }
    let biases = RatingBiases::fit(ratings, &train, settings.bias_penalty);
    let mean = biases.mean;
    let model = recommender(&config.model, [ratings.users.len(), ratings.items.len()], mean, params)?;
    let task = RatingPrediction::new(model, ratings.clone(), settings.penalty, biases);
    let range = Some(task.range());
    let data =
        |rows: Vec<usize>| -> Result<Box<dyn Dataset>> { Ok(Box::new(RatingSamples::new(ratings.clone(), rows)?)) };
    Ok(Splits {
        task: Box::new(task),
        train: data(train)?,
        validation: if held.is_empty() { None } else { Some(data(held)?) },
        test: data(test)?,
        mean,
        range,
    })
}

/// Choices: the last of each user is held out for the test, and the one before it for validation.
fn choices(config: &Config, ratings: &Arc<Ratings>, params: &Params) -> Result<Splits> {
    let settings: ChoiceConfig = config.task.parse("task")?;
    let seed = config.train.seed;
    let all: Vec<usize> = (0..ratings.given.len()).collect();
    let (rest, test) = ratings.last_of_each(&all);
    let (train, held) = match config.data.validation > 0.0 {
        true => ratings.last_of_each(&rest),
        false => (rest, Vec::new()),
    };
    if train.is_empty() || test.is_empty() {
        return Err(Error::Usage("recommend: expected users with three ratings or more, found none".into()));
    }
    let model = recommender(&config.model, [ratings.users.len(), ratings.items.len()], 0.0, params)?;
    let task = Choosing::new(model, ratings.clone(), settings.penalty, &train, params.device())?;
    let measured = |rows: Vec<usize>| -> Result<Box<dyn Dataset>> {
        Ok(Box::new(ChoiceSamples::to_measure(ratings.clone(), rows, settings.others, seed)?))
    };
    Ok(Splits {
        task: Box::new(task),
        train: Box::new(ChoiceSamples::to_learn(ratings.clone(), train, settings.negatives, seed)?),
        validation: if held.is_empty() { None } else { Some(measured(held)?) },
        test: measured(test)?,
        mean: 0.0,
        range: None,
    })
}

#[cfg(not(any(feature = "csv", feature = "parquet")))]
fn load(_dir: &str) -> Result<(Ratings, DatasetRecord)> {
    Err(super::lacks("csv", "tables"))
}

#[cfg(any(feature = "csv", feature = "parquet"))]
fn load(dir: &str) -> Result<(Ratings, DatasetRecord)> {
    let (ratings, checksum) = Ratings::open(dir)?;
    let record = super::own::own_record(dir, &format!("{} ratings", ratings.given.len()), checksum);
    Ok((ratings, record))
}

/// Users, things and tastes of the generated set.
const USERS: usize = 300;
const ITEMS: usize = 400;
const TASTES: usize = 4;

/// Ratings from half a star to five, in halves, of people with four tastes each, who rate some forty things: rather those that
/// many know, and those that they like.
fn generated(reporter: &mut dyn Reporter) -> (Ratings, DatasetRecord) {
    let key = RandomKey::new(0).child("generated ratings");
    let drawn = |name: &str, i: usize| key.child(name).normal(i as u64);
    let taste = |name: &str, of: usize| -> Vec<f64> { (0..TASTES).map(|t| drawn(name, of * TASTES + t)).collect() };
    let mut ratings = Ratings {
        users: (1..=USERS).map(|user| user.to_string()).collect(),
        items: (1..=ITEMS).map(|item| RatedItem { id: item.to_string(), title: format!("Film {item}") }).collect(),
        given: Vec::new(),
    };
    let things: Vec<Vec<f64>> = (0..ITEMS).map(|item| taste("thing", item)).collect();
    for user in 0..USERS {
        let of_user = taste("person", user);
        let liking = |item: usize| of_user.iter().zip(&things[item]).map(|(p, q)| 0.35 * p * q).sum::<f64>();
        // The forty of the largest of popularity, liking and chance together (Gumbel's trick).
        let chance = |item: usize| -(-key.child("chance").uniform((user * ITEMS + item) as u64).max(1e-12).ln()).ln();
        let mut pull: Vec<(f64, usize)> =
            (0..ITEMS).map(|item| (drawn("known", item) + 1.5 * liking(item) + chance(item), item)).collect();
        pull.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (time, &(_, item)) in pull.iter().take(40).rev().enumerate() {
            let bias = 0.4 * drawn("bias of a person", user) + 0.4 * drawn("bias of a thing", item);
            let noise = 0.5 * drawn("noise", user * ITEMS + item);
            let value = (2.0 * (3.5 + bias + liking(item) + noise)).round() / 2.0;
            ratings.given.push(Rating { user, item, value: value.clamp(0.5, 5.0) as f32, time: time as f64 });
        }
    }
    let description = "generated ratings, not MovieLens";
    reporter.note(&format!("no folder was given: {description} are learned from"));
    (ratings, generated_record(description, "generated ratings 1"))
}
