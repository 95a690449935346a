//! The rate finder, on the digits.

mod common;

use common::{Data, Net, accuracy, config};
use taper_nn::DType;
use taper_train::Silent;
use taper_train::lr_finder::LrRange;

fn plain() -> Net {
    Net::plain(DType::F32, 0)
}

/// The range test suggests a rate at which the digits are learned, whatever else is set, and leaves the weights alone.
#[test]
fn the_learning_rate_finder_finds_one() {
    let data = Data::all();
    let find = |settings: &[&str]| {
        let net = plain();
        let before = net.bits();
        let config = config(settings);
        let range = LrRange::default();
        let curve = range.find(&config, &net.task(), &net.params, &data.train, &false.into(), &mut Silent).unwrap();
        assert!(net.bits() == before && net.params.trainable().len() == 4, "{settings:?}");
        curve
    };
    let adam = find(&[]);
    assert_eq!(adam, find(&[]));
    let suggestion = adam.suggestion.unwrap();
    assert!((1e-4..0.3).contains(&suggestion), "{suggestion}");
    assert!(adam.points.iter().all(|point| point.loss.is_finite() && point.smoothed.is_finite()));
    // It is a rate to train with.
    let rate = format!("optimizer.lr={suggestion}");
    let outcome = plain().fit(&config(&["train.epochs=6", &rate]), &data, None, None, Vec::new()).unwrap();
    let test = outcome.test.unwrap();
    assert!(accuracy(&test) > 0.85, "{suggestion}: {test:?}");
    // SGD wants more; a schedule and a group that ends are none of this test's.
    let groups = "groups=[{pattern=\"fc2.*\", epochs=0.2}]";
    let sgd = find(&["optimizer.name=sgd", "schedule.name=linear", groups]).suggestion.unwrap();
    assert!(sgd > 2.0 * suggestion && sgd < 10.0, "{sgd} after {suggestion}");
    let text = |range: LrRange| {
        let net = plain();
        range
            .find(&config(&[]), &net.task(), &net.params, &data.train, &false.into(), &mut Silent)
            .unwrap_err()
            .to_string()
    };
    let falling = text(LrRange { from: 1.0, to: 0.1, steps: 10 });
    assert!(falling.starts_with("to: expected a number above the first rate, 1, up to 1e37, found 0.1"), "{falling}");
}

/// An epoch of 287 samples in batches of 32 ends in one of 31, which is two of 16 and 15; in f64 nothing but rounding
/// is between them, in three epochs of nine steps.
#[test]
fn accumulated_batches_are_one_batch() {
    let data = Data::few();
    let find = |settings: &[&str]| {
        let net = Net::plain(DType::F64, 0);
        let common = ["train.dtype=f64", "optimizer.name=sgd", "regularization.clip_norm=0.5"];
        let config = config(&[common.as_slice(), settings].concat());
        let range = LrRange { from: 1e-3, to: 1e-1, steps: 27 };
        range.find(&config, &net.task(), &net.params, &data.train, &false.into(), &mut Silent).unwrap().points
    };
    let whole = find(&["train.batch_size=32"]);
    let halves = find(&["train.batch_size=16", "train.accumulate=2"]);
    assert_eq!((whole.len(), halves.len()), (27, 27));
    for (a, b) in whole.iter().zip(&halves) {
        assert!(a.lr == b.lr && (a.loss - b.loss).abs() < 1e-12, "{a:?} and {b:?}");
    }
}
