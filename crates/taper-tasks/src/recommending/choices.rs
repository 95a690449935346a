//! Things to be chosen.

use super::Recommending;
use super::report::of_people;
use std::sync::Arc;
use taper_data::Ratings;
use taper_models::PairModel;
use taper_nn::{BceWithLogits, Context, DType, Tensor, no_grad};
use taper_report::html::Page;
use taper_report::tensorboard::EventWriter;
use taper_train::{DeviceBatch, Finished, Metric, Result, Sums, Task};

/// How far up a thing must stand to count as found.
const FIRST: f64 = 10.0;

/// The task of telling the thing that a user chose, the first of the field `items`, i64 `[N, 1 + others]`, from others that
/// the user, of the field `users`, i64 `[N]`, did not (X. He et al., "Neural collaborative filtering", WWW 2017, equation 7).
///
/// Metrics: the loss (binary cross entropy, in nats, without the penalty); the share of samples whose thing is among the first
/// ten, `hr@10`; its discounted gain, `ndcg@10`; and both of ordering by how often things were chosen, `popular_hr@10` and
/// `popular_ndcg@10`. An equal score counts against the thing that was chosen.
pub struct Choosing {
    of: Recommending,
    /// How often each thing was chosen among what is learned from, `[items, 1]`.
    popularity: Tensor,
}

impl Choosing {
    /// With a model for `ratings`, of which those at the places `learned` are learned from.
    ///
    /// # Errors
    /// None but the device's.
    pub fn new(
        model: Box<dyn PairModel>,
        ratings: Arc<Ratings>,
        penalty: f64,
        learned: &[usize],
        device: &taper_nn::Device,
    ) -> Result<Self> {
        let mut counts = vec![0.0_f32; ratings.items.len()];
        learned.iter().filter_map(|&row| ratings.given.get(row)).for_each(|rating| counts[rating.item] += 1.0);
        let popularity = Tensor::from_vec(counts, [ratings.items.len(), 1], device)?;
        Ok(Self { of: Recommending { model, ratings, penalty }, popularity })
    }
}

/// Hits and discounted gains of scores `[N, 1 + others]`, summed over the samples.
fn found(scores: &Tensor) -> taper_nn::Result<[Tensor; 2]> {
    let others = scores.shape()[1] - 1;
    let (own, others) = (scores.narrow(1, 0, 1)?, scores.narrow(1, 1, others)?);
    // Whatever is not below it, a NaN too, is before it.
    let before = others.lt(&own)?.logical_not()?.cast(DType::F64)?.sum(&[1], false)?; // [N]
    let hit = before.lt_scalar(FIRST)?.cast(DType::F64)?;
    let gain = before.add_scalar(2.0)?.log()?.recip()?.mul_scalar(std::f64::consts::LN_2)?;
    Ok([hit.sum_all()?, hit.mul(&gain)?.sum_all()?])
}

impl Task for Choosing {
    fn metrics(&self) -> Vec<Metric> {
        let gain = |name: &'static str| Metric::new(name, "", taper_train::Better::Higher);
        let popular = [Metric::percent("popular_hr@10"), gain("popular_ndcg@10")];
        [Metric::loss("nats"), Metric::percent("hr@10"), gain("ndcg@10")].into_iter().chain(popular).collect()
    }

    fn monitor(&self) -> &str {
        "hr@10"
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let items = batch.tensor("items")?;
        let found = self.of.model.score(&batch.tensor("users")?, &items, context)?;
        let loss = self.cross_entropy(&found.scores)?.add(&found.squares.mul_scalar(self.of.penalty)?)?;
        Ok(Sums::mean(loss, items.count()))
    }

    fn measure(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        no_grad(|| {
            let (items, n) = (batch.tensor("items")?, batch.len());
            let scores = self.of.model.score(&batch.tensor("users")?, &items, context)?.scores;
            let [hits, gains] = found(&scores)?;
            let [popular, popular_gains] = found(&self.popularity.embedding(&items)?.squeeze(2)?)?;
            let sums = Sums::mean(self.cross_entropy(&scores)?, items.count()).with("hr@10", hits, n);
            let sums = sums.with("ndcg@10", gains, n).with("popular_hr@10", popular, n);
            Ok(sums.with("popular_ndcg@10", popular_gains, n))
        })
    }

    fn report(&self, found: &Finished<'_>, page: &mut Page, _events: Option<&mut EventWriter>) -> Result<()> {
        page.sections.extend(of_people(&self.of, found.params.device(), "score")?);
        Ok(())
    }
}

impl Choosing {
    /// Of scores `[N, 1 + others]`, of which the first is that of the thing that was chosen.
    fn cross_entropy(&self, scores: &Tensor) -> taper_nn::Result<Tensor> {
        let [n, k] = [scores.shape()[0], scores.shape()[1]];
        let one = |value: f64, width: usize| Tensor::full(value, [n, width], scores.dtype(), scores.device());
        BceWithLogits::default().forward(scores, &Tensor::concat(&[&one(1.0, 1)?, &one(0.0, k - 1)?], 1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{hit_rate, ndcg, ranks};
    use taper_nn::{Device, RandomKey};

    /// What is measured on the device is what the metrics give on the host, equal scores included.
    #[test]
    fn an_equal_score_counts_against_the_thing() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let (n, width) = (40, 30);
        let key = RandomKey::new(5);
        // Of six different values, so that many are equal.
        let scores: Vec<f64> = (0..n * width).map(|i| key.below(i as u64, 6) as f64 / 4.0).collect();
        let on_device = Tensor::from_vec(scores.clone(), [n, width], &device).unwrap();
        let [hits, gains] = found(&on_device).unwrap().map(|sum| sum.item().unwrap() / n as f64);
        let ranks = ranks(&scores, width).unwrap();
        assert!((hits - hit_rate(&ranks, 10).unwrap()).abs() < 1e-12 && hits > 0.0 && hits < 1.0, "{hits}");
        assert!((gains - ndcg(&ranks, 10).unwrap()).abs() < 1e-12, "{gains}");
        for alike in [0.0, f64::NAN] {
            let alike = Tensor::full(alike, [3, 100], DType::F64, &device).unwrap();
            assert_eq!(found(&alike).unwrap().map(|sum| sum.item().unwrap()), [0.0, 0.0]);
        }
    }
}
