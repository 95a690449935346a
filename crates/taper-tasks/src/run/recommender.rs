//! A trained recommender put to work: titles for a user.

use super::Saved;
use crate::recommending::{best, scores};
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_models::{PairModel, recommender};
use taper_nn::{Device, Params};
use taper_train::{Error, Result, nearest};

/// The task of a run that recommends, in its `spec.json`.
pub(crate) const RECOMMEND: &str = "recommend";

/// What recommending needs besides weights and configuration: the `spec.json` of a run's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecommendSpec {
    /// The task, `recommend`.
    pub task: String,
    /// What scores are: `ratings`, or of `choices`.
    pub scores: String,
    /// The names of the users.
    pub users: Vec<String>,
    /// The things: name and title.
    pub items: Vec<(String, String)>,
    /// The places of the things that each user has rated, which are not recommended.
    pub seen: Vec<Vec<usize>>,
    /// What is added to every score.
    pub mean: f64,
    /// Between what a predicted rating lies.
    pub range: Option<[f64; 2]>,
}

/// A trained recommender.
///
/// ```no_run
/// let device = taper_nn::Device::new(taper_cpu::CpuBackend::new()?);
/// let recommender = taper_tasks::Recommender::load("runs/recommend-20261129-101500", &device)?;
/// for found in recommender.recommend("42", 10)? {
///     println!("{:.2}  {}", found.score, found.title); // 4.61  Casablanca (1942)
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recommender {
    spec: RecommendSpec,
    params: Params,
    model: Box<dyn PairModel>,
}

/// A thing with its score for a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendation {
    /// Its name in the ratings.
    pub item: String,
    /// Its title.
    pub title: String,
    /// The predicted rating; of a run of choices the log-odds that the user would choose it.
    pub score: f64,
}

impl Recommender {
    /// Loads the run in the folder `path` onto `device`.
    ///
    /// # Errors
    /// A folder that holds no run, a run that does not recommend, and weights that do not fit the model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        let saved = Saved::open(path, &[RECOMMEND])?;
        let spec: RecommendSpec = saved.spec()?;
        let params = saved.params(device)?;
        let model = recommender(&saved.config.model, [spec.users.len(), spec.items.len()], spec.mean, &params)?;
        saved.weights(&params)?;
        Ok(Self { spec, params, model })
    }

    /// What recommending needs besides weights and configuration.
    pub fn spec(&self) -> &RecommendSpec {
        &self.spec
    }

    /// The `count` things with the highest scores for `user` that the user has not rated, the highest first.
    ///
    /// # Errors
    /// A user that the run never saw.
    pub fn recommend(&self, user: &str, count: usize) -> Result<Vec<Recommendation>> {
        let user = place(user, "user", self.spec.users.iter().map(String::as_str))?;
        let found = scores(&*self.model, user, self.spec.items.len(), self.params.device())?;
        let seen = self.spec.seen.get(user).map(Vec::as_slice).unwrap_or_default();
        let places = best(&found, |item| seen.binary_search(&item).is_ok(), count);
        Ok(places.into_iter().map(|item| self.told(item, found[item])).collect())
    }

    /// The score of one thing for `user`.
    ///
    /// # Errors
    /// A user or a thing that the run never saw.
    pub fn score(&self, user: &str, item: &str) -> Result<Recommendation> {
        let user = place(user, "user", self.spec.users.iter().map(String::as_str))?;
        let item = place(item, "item", self.spec.items.iter().map(|(id, _)| id.as_str()))?;
        let found = scores(&*self.model, user, self.spec.items.len(), self.params.device())?;
        Ok(self.told(item, found[item]))
    }

    fn told(&self, item: usize, score: f64) -> Recommendation {
        let (id, title) = self.spec.items[item].clone();
        let score = self.spec.range.map_or(score, |[low, high]| score.clamp(low, high));
        Recommendation { item: id, title, score }
    }
}

/// The place of `name` among the `known`.
fn place<'a>(name: &str, kind: &str, known: impl Iterator<Item = &'a str> + Clone) -> Result<usize> {
    known.clone().position(|other| other == name).ok_or_else(|| {
        let count = known.clone().count();
        let near = nearest(name, known);
        let near = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        Error::Usage(format!("{kind} {name} was never seen: the run knows {count} {kind}s{near}"))
    })
}
