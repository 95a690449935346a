//! Language modelling: the token that follows.

mod characters;
mod dialogue;
mod generate;
mod sampling;

pub use characters::{CharModel, Characters, GptConfig, LstmConfig};
pub use dialogue::Dialogue;
pub(crate) use dialogue::reply;
pub use generate::{Continues, Windowed, continued, generate};
pub use sampling::Sampling;

use crate::labels;
use taper_data::Batch;
use taper_nn::{Context, CrossEntropy, DType, Module, no_grad};
use taper_train::{DeviceBatch, Metric, Result, Sums, Task};

/// The task of predicting the field `targets` (`[N]` or `[N, T]`, i64) from the field `tokens` (i64), with a model that gives
/// logits `[N, vocabulary]` or `[N, vocabulary, T]`. A target that is [`IGNORED_LABEL`](crate::IGNORED_LABEL), padding for
/// example, does not count.
///
/// Metrics: the loss (cross entropy, in nats a token), the perplexity, and the accuracy.
pub struct LanguageModel<M>(pub M);

impl<M: Module> Task for LanguageModel<M> {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("nats/token"), Metric::perplexity(), Metric::percent("accuracy")]
    }

    /// The samples with a target on at least one token.
    fn counted(&self, batch: &Batch) -> usize {
        labels::samples(batch, "targets")
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let targets = batch.tensor("targets")?;
        let logits = self.0.forward(&batch.tensor("tokens")?, context)?;
        let loss = CrossEntropy::default().forward(&logits, &targets)?;
        let count = labels::counted(batch.host().i64s("targets")?);
        let (nats, right) = no_grad(|| -> taper_nn::Result<_> {
            let nats = loss.detach().cast(DType::F64)?.mul_scalar(count as f64)?;
            Ok((nats, logits.detach().argmax(1, false)?.eq(&targets)?.cast(DType::I64)?.sum_all()?))
        })?;
        Ok(Sums::mean(loss, count).with("perplexity", nats, count).with("accuracy", right, count))
    }
}

impl LanguageModel<CharModel> {
    /// The metrics, of tokens that are characters.
    fn metrics_of_characters(&self) -> Vec<Metric> {
        let of = |metric: Metric| if metric.name == "loss" { Metric::loss("nats/character") } else { metric };
        self.metrics().into_iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IGNORED_LABEL;
    use std::sync::atomic::AtomicBool;
    use taper_data::{Dataset, FieldSpec};
    use taper_nn::{Device, Params, RandomKey, Tensor};
    use taper_train::{EvaluateOptions, Silent, Split, evaluate};

    /// Says of three tokens that the one which is there comes again.
    struct Echo;

    impl Module for Echo {
        fn forward(&self, tokens: &Tensor, _context: &Context) -> taper_nn::Result<Tensor> {
            tokens.one_hot(3)?.transpose(1, 2)?.cast(DType::F32) // [N, 3, T]
        }
    }

    /// Texts of two, one and no token before their padding.
    struct Padded;

    impl Dataset for Padded {
        fn len(&self) -> usize {
            3
        }

        fn fields(&self) -> Vec<FieldSpec> {
            ["tokens", "targets"].map(|name| FieldSpec::new(name, DType::I64, &[2])).to_vec()
        }

        fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
            const NONE: i64 = IGNORED_LABEL;
            for (field, rows) in [("tokens", [[0, 1], [1, 0], [0, 0]]), ("targets", [[0, 2], [1, NONE], [NONE, NONE]])]
            {
                let to = batch.i64(field, &[indices.len(), 2]).chunks_exact_mut(2);
                to.zip(indices).for_each(|(to, &index)| to.copy_from_slice(&rows[index]));
            }
            Ok(())
        }
    }

    #[test]
    fn padding_counts_for_nothing_in_batches_of_any_size() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        // Of three tokens two are told, each with the probability e / (e + 2).
        let loss = (1.0_f64.exp() + 2.0).ln() - 2.0 / 3.0;
        for batch_size in 1..=3 {
            let options = EvaluateOptions { batch_size, workers: 0, split: Split::Test };
            let (task, stop) = (LanguageModel(Echo), AtomicBool::new(false));
            let found = evaluate(&task, &params, &Padded, &options, &stop, &mut Silent).unwrap();
            let (found, _) = found.unwrap();
            let near = |name: &str, due: f64| (found.get(name).unwrap() - due).abs() < 1e-6 * due;
            assert!(near("loss", loss) && near("perplexity", loss.exp()) && near("accuracy", 2.0 / 3.0), "{found:?}");
            assert_eq!(found.samples, 2);
        }
    }
}
