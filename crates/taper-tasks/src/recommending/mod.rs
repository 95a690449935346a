//! Recommendation: ratings to be predicted, and things to be chosen.

mod biases;
mod choices;
mod ratings;
mod report;

pub use biases::RatingBiases;
pub use choices::Choosing;
pub use ratings::RatingPrediction;

use std::sync::Arc;
use taper_data::Ratings;
use taper_models::PairModel;
use taper_nn::{Context, Device, Tensor, no_grad};
use taper_train::Result;

/// The scores of all things for the user `user`, in the order of the things.
pub(crate) fn scores(model: &dyn PairModel, user: usize, items: usize, device: &Device) -> Result<Vec<f64>> {
    let users = Tensor::from_vec(vec![user as i64], [1], device)?;
    let all = Tensor::from_vec((0..items as i64).collect(), [1, items], device)?;
    Ok(no_grad(|| model.score(&users, &all, &Context::eval()))?.scores.to_host()?.to_f64())
}

/// The places of the `count` things with the largest of `scores` that `seen` does not hold, the largest first; of equal ones
/// the first.
pub(crate) fn best(scores: &[f64], seen: impl Fn(usize) -> bool, count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).filter(|&place| !seen(place)).collect();
    places.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    places.truncate(count);
    places
}

/// What both tasks hold: the model, and the ratings that it is about.
pub(crate) struct Recommending {
    pub model: Box<dyn PairModel>,
    pub ratings: Arc<Ratings>,
    /// The factor of the squares of what stands for users and things.
    pub penalty: f64,
}
