//! Ratings to be predicted.

use super::report::{of_people, rated};
use super::{RatingBiases, Recommending};
use std::sync::Arc;
use taper_data::Ratings;
use taper_models::PairModel;
use taper_nn::{Context, DType, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{Better, DeviceBatch, Finished, Metric, Result, Sums, Task};

/// The task of predicting the field `ratings`, `[N]`, of the users `users` for the things `items`, both i64 `[N]`, by least
/// squares in which all that stands for a user and a thing costs `penalty` times its square (Koren, Bell and Volinsky 2009,
/// equation 5).
///
/// Metrics: the loss (squared error, without the penalty), its root, the mean absolute error, and the root of the mean
/// squared error of biases alone, `bias_rmse`. Predictions are measured within the range of the ratings.
pub struct RatingPrediction {
    of: Recommending,
    biases: RatingBiases,
    range: [f64; 2],
}

impl RatingPrediction {
    /// With a model for `ratings`; `biases` are what it is measured beside.
    pub fn new(model: Box<dyn PairModel>, ratings: Arc<Ratings>, penalty: f64, biases: RatingBiases) -> Self {
        let ends = |[low, high]: [f64; 2], value: f64| [low.min(value), high.max(value)];
        let range = ratings.given.iter().map(|rating| f64::from(rating.value));
        let range = range.fold([f64::INFINITY, f64::NEG_INFINITY], ends);
        Self { of: Recommending { model, ratings, penalty }, biases, range }
    }

    /// The lowest and the highest rating, between which predictions are measured.
    pub fn range(&self) -> [f64; 2] {
        self.range
    }

    fn sums(&self, batch: &DeviceBatch<'_>, context: &Context, training: bool) -> Result<Sums> {
        let n = batch.len();
        let (users, items) = (batch.tensor("users")?, batch.tensor("items")?.unsqueeze(1)?);
        let ratings = batch.float("ratings")?; // [N]
        let found = self.of.model.score(&users, &items, context)?;
        let error = found.scores.squeeze(1)?.sub(&ratings)?;
        let mut loss = error.mul(&error)?.mean_all()?;
        if training {
            loss = loss.add(&found.squares.mul_scalar(self.of.penalty)?)?;
        }
        let [low, high] = self.range;
        let (squares, sizes) = no_grad(|| -> taper_nn::Result<_> {
            let within = found.scores.detach().squeeze(1)?.clamp(Some(low), Some(high))?;
            let error = within.sub(&ratings)?.cast(DType::F64)?;
            Ok((error.mul(&error)?.sum_all()?, error.abs()?.sum_all()?))
        })?;
        let mut sums = Sums::mean(loss, n).with("rmse", squares, n).with("mae", sizes, n);
        if !training {
            let (users, items) = (batch.host().i64s("users")?, batch.host().i64s("items")?);
            let of = |(&user, &item): (&i64, &i64)| self.biases.of(user as usize, item as usize).clamp(low, high);
            let biases: Vec<f64> = users.iter().zip(items).map(of).collect();
            let biases = Tensor::from_vec(biases, [n], batch.device())?;
            let error = biases.sub(&ratings.cast(DType::F64)?)?;
            sums = sums.with("bias_rmse", error.mul(&error)?.sum_all()?, n).with_rows(found.scores.detach());
        }
        Ok(sums)
    }
}

impl Task for RatingPrediction {
    fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::loss("squared error"),
            Metric::root_mean_square("rmse", ""),
            Metric::new("mae", "", Better::Lower),
            Metric::root_mean_square("bias_rmse", ""),
        ]
    }

    fn monitor(&self) -> &str {
        "rmse"
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        self.sums(batch, context, true)
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        no_grad(|| self.sums(batch, context, false))
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        page.sections.push(rated(&found.outcome.rows, found.test)?);
        page.sections.extend(of_people(&self.of, found.params.device(), "predicted")?);
        Ok(())
    }
}
