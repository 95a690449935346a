//! Stratified splits: samples split into two parts in which every class keeps its share.

use crate::{Error, Result};
use std::collections::BTreeMap;
use taper_backend::RandomKey;

/// Splits samples with `labels` into a training part and a held-out (validation) part, stratified by class. Returns the
/// indices of each, in increasing order. The held-out part has ⌊n·`fraction`⌉ of the n samples, where halves round up.
/// A class of nᵥ samples contributes ⌊nᵥ·`fraction`⌋ of them or one more: the classes with the largest remainders, or
/// the smaller label where remainders are equal, contribute one more until the number is reached (the method of
/// largest remainders).
///
/// The samples that are drawn from a class depend only on `seed`, the label, the size of the class and its
/// contribution.
///
/// ```
/// # fn main() -> taper_data::Result<()> {
/// let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
/// let (train, validation) = taper_data::split(&labels, 0.5, 7)?;
/// assert_eq!((train.len(), validation.len()), (5, 5));
/// assert_eq!(validation.iter().filter(|&&i| labels[i] == 1).count(), 2);
/// # Ok(()) }
/// ```
///
/// # Errors
/// When `fraction` is not at least 0 and below 1.
pub fn split(labels: &[i64], fraction: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    if !(0.0..1.0).contains(&fraction) {
        return Err(Error::Argument(format!(
            "split: fraction: expected at least 0 and below 1, found {fraction}; it is the part split off"
        )));
    }
    Ok(stratified(labels, fraction, RandomKey::new(seed).child("split")))
}

/// As [`split`], with the samples of class `c` drawn by `key.index(c)`.
pub(crate) fn stratified(labels: &[i64], fraction: f64, key: RandomKey) -> (Vec<usize>, Vec<usize>) {
    let mut classes: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (i, &label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(i);
    }
    // For each class: label, indices, share rounded down, remainder.
    let mut shares: Vec<(i64, Vec<usize>, usize, f64)> = classes
        .into_iter()
        .map(|(label, members)| {
            let exact = members.len() as f64 * fraction;
            (label, members, exact as usize, exact.fract())
        })
        .collect();
    let all = (labels.len() as f64 * fraction).round() as usize;
    let missing = all.saturating_sub(shares.iter().map(|(_, _, share, _)| share).sum());
    let mut by_loss: Vec<usize> = (0..shares.len()).collect();
    by_loss.sort_by(|&a, &b| shares[b].3.total_cmp(&shares[a].3).then(a.cmp(&b)));
    for &class in by_loss.iter().take(missing) {
        shares[class].2 += 1;
    }
    let mut chosen = vec![false; labels.len()];
    for (label, members, share, _) in &shares {
        for &i in key.index(*label as u64).permutation(members.len()).iter().take(*share) {
            chosen[members[i]] = true;
        }
    }
    (0..labels.len()).partition(|&i| !chosen[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of_class(part: &[usize], labels: &[i64], class: i64) -> usize {
        part.iter().filter(|&&i| labels[i] == class).count()
    }

    #[test]
    fn the_largest_remainders_round_up() {
        // Shares of 0.3: 2.1, 1.5 and 0.9 of 4.5, which rounds to 5 (halves away from zero).
        let labels: Vec<i64> = [(7, 5), (-2, 7), (9, 3)].iter().flat_map(|&(l, n)| vec![l; n]).collect();
        let (train, validation) = split(&labels, 0.3, 0).unwrap();
        assert_eq!((train.len(), validation.len()), (10, 5));
        assert_eq!([-2, 7, 9].map(|class| of_class(&validation, &labels, class)), [2, 2, 1]);
    }

    #[test]
    fn the_seed_alone_decides() {
        let labels: Vec<i64> = (0..100).map(|i| i % 3).collect();
        let first = split(&labels, 0.2, 1).unwrap();
        assert_eq!(first, split(&labels, 0.2, 1).unwrap());
        assert_ne!(first, split(&labels, 0.2, 2).unwrap());
        // A further class does not change which samples are drawn from the others.
        let more = [labels.clone(), vec![3; 40]].concat();
        let (_, validation) = split(&more, 0.2, 1).unwrap();
        let old: Vec<usize> = validation.into_iter().filter(|&i| labels.get(i).is_some_and(|&l| l > 0)).collect();
        assert_eq!(old, first.1.iter().copied().filter(|&i| labels[i] > 0).collect::<Vec<_>>());
    }

    #[test]
    fn a_fraction_out_of_range_is_said() {
        for fraction in [-0.1, 1.0, 1.5, f64::NAN, f64::INFINITY] {
            let text = split(&[0, 1], fraction, 0).unwrap_err().to_string();
            assert!(text.contains(&format!("at least 0 and below 1, found {fraction}")), "{text}");
        }
        assert_eq!(split(&[0, 1], 0.0, 0).unwrap(), (vec![0, 1], vec![]));
        assert_eq!(split(&[], 0.5, 0).unwrap(), (vec![], vec![]));
    }

    proptest! {
        #[test]
        fn every_class_keeps_its_share(
            labels in prop::collection::vec(-3_i64..6, 0..200), fraction in 0.0..1.0_f64, seed in any::<u64>()
        ) {
            let (train, validation) = split(&labels, fraction, seed).unwrap();
            let mut all = [train.clone(), validation.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            prop_assert!(train.is_sorted() && validation.is_sorted());
            prop_assert_eq!(validation.len(), (labels.len() as f64 * fraction).round() as usize);
            for class in -3..6 {
                let n = labels.iter().filter(|&&l| l == class).count();
                let found = of_class(&validation, &labels, class) as f64;
                prop_assert!((found - n as f64 * fraction).abs() < 1.0, "{class}: {found} of {n}");
            }
        }
    }
}
