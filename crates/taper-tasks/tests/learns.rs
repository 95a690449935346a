//! Each task learns: what it reaches is far from what can be had without learning.

#[path = "../examples/autoencoder.rs"]
mod autoencoder;
#[path = "../examples/dense.rs"]
mod dense;
#[path = "../examples/kv_cache.rs"]
mod kv_cache;
#[path = "../examples/language.rs"]
mod language;
#[path = "../examples/rbm.rs"]
mod rbm;
#[path = "../examples/recurrent.rs"]
mod recurrent;
#[path = "../examples/regression.rs"]
mod regression;

use taper_data::digits;

/// The mean squared distance of the test digits' pixels from the mean training digit.
fn distance_from_the_mean() -> f64 {
    let splits = digits().unwrap();
    let pixels = |data: &taper_data::ImageDataset| -> Vec<Vec<f64>> {
        data.images().chunks(64).map(|image| image.iter().map(|&byte| f64::from(byte) / 16.0).collect()).collect()
    };
    let train = pixels(&splits.train);
    let mean: Vec<f64> = (0..64).map(|i| train.iter().map(|x| x[i]).sum::<f64>() / train.len() as f64).collect();
    let test = pixels(&splits.test);
    let squares: f64 = test.iter().flat_map(|x| x.iter().zip(&mean).map(|(x, m)| (x - m).powi(2))).sum();
    squares / (64 * test.len()) as f64
}

#[test]
fn regression_explains_the_targets() {
    let found = regression::run().unwrap();
    let get = |name: &str| found.get(name).unwrap();
    // The noise has a deviation of 1, the targets one of about 5.
    assert!((0.9..1.6).contains(&get("rmse")) && get("r2") > 0.9, "{found:?}");
    assert!(get("mae") < get("rmse") && get("mae") > 0.6 * get("rmse"), "{found:?}");
    assert!((get("loss") - (1.0 - get("r2"))).abs() < 0.02, "{found:?}");
}

#[test]
fn an_autoencoder_reconstructs() {
    let (found, baseline) = (autoencoder::run().unwrap(), distance_from_the_mean());
    assert!(found.loss() < 0.4 * baseline, "{found:?}, {baseline}");
    assert!((found.get("psnr").unwrap() + 10.0 * found.loss().log10()).abs() < 1e-4, "{found:?}");
}

/// The perplexity of guessing by the frequency of characters alone.
fn by_frequency(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    text.chars().for_each(|char| *counts.entry(char).or_insert(0.0) += 1.0);
    let n = text.chars().count() as f64;
    counts.values().map(|count: &f64| -(count / n) * (count / n).ln()).sum::<f64>().exp()
}

#[test]
fn a_language_model_predicts_and_writes() {
    let (found, written) = language::run().unwrap();
    let text = language::text();
    let frequency = by_frequency(&text);
    let perplexity = found.get("perplexity").unwrap();
    assert!(perplexity < 0.25 * frequency && perplexity > 1.0, "{perplexity} against {frequency}");
    assert!((found.loss().exp() - perplexity).abs() < 1e-3 * perplexity, "{found:?}");
    let known: std::collections::BTreeSet<&str> = text.split_whitespace().collect();
    let words: Vec<&str> = written.split_whitespace().skip(1).collect();
    let right = words[..words.len() - 1].iter().filter(|word| known.contains(*word)).count();
    assert!(words.len() > 8 && 10 * right >= 9 * (words.len() - 1), "{written}");
}

#[test]
fn a_recurrent_language_model_predicts_and_writes() {
    let text = language::text();
    let (found, written) = recurrent::run(&text).unwrap();
    let (perplexity, frequency) = (found.get("perplexity").unwrap(), by_frequency(&text));
    assert!(perplexity < 0.25 * frequency && perplexity > 1.0, "{perplexity} against {frequency}");
    assert!(written.chars().filter(|char| char.is_whitespace()).count() > 8, "{written}");
}

/// How much faster it is, is measured and not tested.
#[test]
fn a_cache_of_keys_and_values_changes_no_token() {
    let (seconds, same) = kv_cache::run(40, 1).unwrap();
    assert!(same && seconds.iter().all(|seconds| *seconds > 0.0), "{seconds:?}");
}

#[test]
fn dense_labels_are_found() {
    let found = dense::run().unwrap();
    let get = |name: &str| found.get(name).unwrap();
    // About 18 % of the pixels are of a shape, so that `nothing` everywhere has an accuracy of 0.82 and finds none.
    assert!(get("accuracy") > 0.98 && get("iou_square") > 0.9 && get("iou_disc") > 0.9, "{found:?}");
    // Over all classes together the two are tied: iou = a / (2 − a).
    assert!((get("iou") - get("accuracy") / (2.0 - get("accuracy"))).abs() < 1e-9, "{found:?}");
}

#[test]
fn contrastive_divergence_makes_the_data_likely() {
    let (found, energy) = rbm::run().unwrap();
    assert!(found.loss() < 0.7 * distance_from_the_mean(), "{found:?}, {}", distance_from_the_mean());
    assert!(energy < -10.0, "{energy}");
}
