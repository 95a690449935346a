//! Pairs of samples, of one class or of two.

use std::sync::Arc;
use taper_data::{Batch, BatchLoader, Dataset, Error, FieldSpec, LoaderOptions, Result};
use taper_nn::RandomKey;

/// Some samples of a dataset, in an order of their own.
pub(crate) struct Chosen {
    data: Arc<dyn Dataset>,
    indices: Vec<usize>,
    /// The label that each of the dataset's labels becomes; one without stays as it is.
    labels: Vec<i64>,
}

impl Chosen {
    /// The samples of `data` at `indices`; the label `l` becomes `labels[l]`, or stays where there is none.
    pub fn new(data: Arc<dyn Dataset>, indices: Vec<usize>, labels: Vec<i64>) -> Self {
        Self { data, indices, labels }
    }
}

impl Dataset for Chosen {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        self.data.fields()
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let place = |&index: &usize| {
            let past = || Error::Argument(format!("there is no sample {index} of {}", self.indices.len()));
            self.indices.get(index).copied().ok_or_else(past)
        };
        let chosen = indices.iter().map(place).collect::<Result<Vec<usize>>>()?;
        self.data.fill(epoch, &chosen, batch)?;
        let renumbered = |&label: &i64| usize::try_from(label).ok().and_then(|label| self.labels.get(label).copied());
        let labels: Vec<i64> = batch.i64s("labels")?.iter().map(|label| renumbered(label).unwrap_or(*label)).collect();
        batch.i64("labels", &[labels.len()]).copy_from_slice(&labels);
        Ok(())
    }
}

/// The labels of all samples of `data`, in their order.
pub(crate) fn labels(data: &dyn Dataset) -> Result<Vec<i64>> {
    let options = LoaderOptions { batch_size: 256, shuffle: None, drop_last: false };
    let (mut loader, mut batch, mut all) = (BatchLoader::new(data, options)?, Batch::default(), Vec::new());
    while loader.next_into(&mut batch)? {
        all.extend(batch.i64s("labels")?);
    }
    Ok(all)
}

/// Samples, and the label of each.
pub(crate) struct Samples {
    pub(crate) data: Arc<dyn Dataset>,
    pub(crate) labels: Vec<i64>,
}

impl Samples {
    /// `count` pairs of samples of the classes `of`; see [`pairs`].
    ///
    /// # Errors
    /// Fewer than two of the classes with two samples; the error names the split, and says what to do, `advice`.
    pub(crate) fn paired(
        self,
        of: &[i64],
        count: usize,
        key: RandomKey,
        split: &str,
        advice: &str,
    ) -> taper_train::Result<Box<dyn Dataset>> {
        let indices = pairs(&self.labels, of, count, key).ok_or_else(|| {
            let detail = "expected two classes of two samples or more to make pairs of";
            let samples = self.labels.iter().filter(|label| of.contains(label)).count();
            let found = format!("found {samples} samples of {} classes", of.len());
            taper_train::Error::Usage(format!("the {split} split: {detail}, {found}; {advice}"))
        })?;
        Ok(Box::new(Chosen::new(self.data, indices, Vec::new())))
    }
}

/// `count` pairs of samples of the classes `of`, one after the other: the samples 2k and 2k + 1 are a pair. The even pairs are
/// of one class, the odd ones of two; no sample is paired with itself. `None` where fewer than two of the classes have two
/// samples.
fn pairs(labels: &[i64], of: &[i64], count: usize, key: RandomKey) -> Option<Vec<usize>> {
    let samples = |class: &i64| (0..labels.len()).filter(|&i| labels[i] == *class).collect::<Vec<usize>>();
    let classes: Vec<Vec<usize>> = of.iter().map(samples).filter(|samples| samples.len() > 1).collect();
    if classes.len() < 2 {
        return None;
    }
    let mut all = Vec::with_capacity(2 * count);
    for pair in 0..count {
        let draw = |number: u64, bound: usize| key.below(4 * pair as u64 + number, bound);
        // The second of two different things is one of those that are left.
        let other = |first: usize, left: usize| if left < first { left } else { left + 1 };
        let first = draw(0, classes.len());
        let samples = &classes[first];
        let sample = draw(1, samples.len());
        let second = match pair % 2 {
            0 => samples[other(sample, draw(2, samples.len() - 1))],
            _ => {
                let others = &classes[other(first, draw(2, classes.len() - 1))];
                others[draw(3, others.len())]
            }
        };
        all.extend([samples[sample], second]);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_of_one_class_and_of_two_by_turns() {
        let labels: Vec<i64> = (0..60).map(|i| i % 6).collect();
        let found = pairs(&labels, &[1, 3, 4], 400, RandomKey::new(5)).unwrap();
        let mut seen = [0; 6];
        for (number, pair) in found.chunks(2).enumerate() {
            let [a, b] = [labels[pair[0]], labels[pair[1]]];
            assert!(pair[0] != pair[1] && (a == b) == (number % 2 == 0), "{pair:?}");
            seen[a as usize] += 1;
            seen[b as usize] += 1;
        }
        assert_eq!([seen[0], seen[2], seen[5]], [0; 3]);
        assert!([1, 3, 4].iter().all(|&class| seen[class] > 200), "{seen:?}");
        assert_eq!(pairs(&labels, &[1, 3, 4], 400, RandomKey::new(5)).unwrap(), found);
        assert_ne!(pairs(&labels, &[1, 3, 4], 400, RandomKey::new(6)).unwrap(), found);
    }

    #[test]
    fn one_class_makes_no_pairs() {
        assert_eq!(pairs(&[0, 0, 1], &[0, 1], 3, RandomKey::new(0)), None);
        assert_eq!(pairs(&[0, 0, 1, 1], &[0], 3, RandomKey::new(0)), None);
    }
}
