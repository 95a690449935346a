//! Metrics beside scikit-learn's recorded numbers (`tests/peers/sklearn_metrics.py`), their invariants, and what they
//! say to wrong input.

use proptest::prelude::*;
use serde::Deserialize;
use taper_tasks::metrics::*;

#[derive(Deserialize)]
struct Recorded {
    classification: Vec<Case>,
    regression: Vec<Regression>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    num_classes: usize,
    classes: Vec<i64>,
    probabilities: Vec<f64>,
    want: Want,
}

#[derive(Deserialize)]
struct Want {
    accuracy: f64,
    confusion: Vec<Vec<u64>>,
    top_k: Vec<f64>,
    auc: Vec<Option<f64>>,
    auc_macro: Option<f64>,
    log_loss: f64,
    brier: f64,
    per_class: [Vec<f64>; 3],
    r#macro: [f64; 3],
    micro: [f64; 3],
    weighted: [f64; 3],
    calibration: Vec<Calibration>,
}

#[derive(Deserialize)]
struct Calibration {
    bins: usize,
    count: Vec<u64>,
    /// Of the bins that have samples, as are the confidences.
    accuracy: Vec<f64>,
    confidence: Vec<f64>,
    error: f64,
}

#[derive(Deserialize)]
struct Regression {
    name: String,
    targets: Vec<f64>,
    predicted: Vec<f64>,
    mae: f64,
    rmse: f64,
    r2: Option<f64>,
}

fn recorded() -> Recorded {
    serde_json::from_str(include_str!("data/sklearn_metrics.json")).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    let within = (found - expected).abs() <= 1e-12 * expected.abs().max(1.0);
    assert!(within, "{what}: expected {expected}, found {found}");
}

#[track_caller]
fn close_option(found: Option<f64>, expected: Option<f64>, what: &str) {
    assert_eq!(found.is_some(), expected.is_some(), "{what}: expected {expected:?}, found {found:?}");
    close(found.unwrap_or(0.0), expected.unwrap_or(0.0), what);
}

#[test]
fn classification_is_as_in_scikit_learn() {
    let cases = recorded().classification;
    assert!(cases.len() >= 13);
    for Case { name, num_classes: n, classes, probabilities: p, want } in &cases {
        let predicted = predictions(p, *n).unwrap();
        close(accuracy(classes, &predicted).unwrap(), want.accuracy, name);
        for (k, &expected) in (1..).zip(&want.top_k) {
            close(top_k(classes, p, *n, k).unwrap(), expected, &format!("{name}, top {k}"));
        }
        close(log_loss(classes, p, *n).unwrap(), want.log_loss, name);
        close(brier(classes, p, *n).unwrap(), want.brier, name);
        let nll: Vec<f64> = classes.iter().zip(p.chunks(*n)).map(|(&class, row)| -row[class as usize].ln()).collect();
        if nll.iter().all(|nll| nll.is_finite()) {
            close(perplexity(&nll).unwrap(), want.log_loss.exp(), name);
        }

        let matrix = Confusion::new(classes, &predicted, *n).unwrap();
        assert_eq!(matrix.counts(), want.confusion.concat(), "{name}");
        for (class, scores) in matrix.per_class().iter().enumerate() {
            for (found, expected) in triple(*scores).into_iter().zip(&want.per_class) {
                close(found, expected[class], &format!("{name}, class {class}"));
            }
        }
        let averages =
            [(Average::Macro, want.r#macro), (Average::Micro, want.micro), (Average::Weighted, want.weighted)];
        for (average, expected) in averages {
            for (found, expected) in triple(matrix.average(average)).into_iter().zip(expected) {
                close(found, expected, &format!("{name}, {average:?}"));
            }
        }
    }
}

fn triple(scores: ClassScores) -> [f64; 3] {
    [scores.precision, scores.recall, scores.f1]
}

#[test]
fn areas_are_as_in_scikit_learn() {
    let mut undefined = 0;
    for Case { name, num_classes: n, classes, probabilities: p, want } in &recorded().classification {
        for (class, (found, &expected)) in auc_per_class(classes, p, *n).unwrap().into_iter().zip(&want.auc).enumerate()
        {
            close_option(found, expected, &format!("{name}, class {class}"));
            undefined += usize::from(expected.is_none());
        }
        close_option(auc_macro(classes, p, *n).unwrap(), want.auc_macro, name);
        if *n == 2 {
            let second: Vec<f64> = p.chunks(2).map(|row| row[1]).collect();
            close_option(auc(classes, &second).unwrap(), want.auc[1], name);
        }
    }
    assert!(undefined > 3, "no case has a class that does not occur");
}

#[test]
fn calibration_is_as_in_scikit_learn() {
    for Case { name, num_classes: n, classes, probabilities: p, want } in &recorded().classification {
        for want in &want.calibration {
            let what = format!("{name}, {} bins", want.bins);
            close(calibration_error(classes, p, *n, want.bins).unwrap(), want.error, &what);
            let bins = calibration_bins(classes, p, *n, want.bins).unwrap();
            assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), want.count, "{what}");
            let filled = bins.iter().filter(|bin| bin.count > 0);
            for (bin, (&accuracy, &confidence)) in filled.zip(want.accuracy.iter().zip(&want.confidence)) {
                close(bin.accuracy, accuracy, &what);
                close(bin.confidence, confidence, &what);
            }
        }
    }
}

#[test]
fn regression_is_as_in_scikit_learn() {
    let cases = recorded().regression;
    assert!(cases.len() >= 9);
    for Regression { name, targets, predicted, mae: m, rmse: r, r2: determination } in &cases {
        close(mae(targets, predicted).unwrap(), *m, name);
        close(rmse(targets, predicted).unwrap(), *r, name);
        match determination {
            Some(expected) => close(r2(targets, predicted).unwrap(), *expected, name),
            None => assert_eq!(
                r2(targets, predicted).unwrap_err().to_string(),
                "r2: expected two samples at least, found 1",
                "{name}"
            ),
        }
    }
}

#[test]
fn a_confusion_matrix_is_a_table() {
    let matrix = Confusion::new(&[0, 0, 1, 2, 2, 2], &[0, 1, 1, 2, 2, 0], 3).unwrap();
    let lines = [
        "true \\ predicted  0  1  2",
        "               0  1  1  0",
        "               1  0  1  0",
        "               2  1  0  2",
    ];
    assert_eq!(matrix.to_string(), lines.join("\n"));
    let lines = [
        "true \\ predicted    cat  horse      2",
        "             cat      1      1      0",
        "           horse      0      1      0",
        "               2      1      0      2",
    ];
    assert_eq!(matrix.named(&["cat", "horse"]).to_string(), lines.join("\n"));
}

#[test]
fn wrong_input_is_told() {
    let none: [f64; 0] = [];
    let texts = [
        (accuracy(&[], &[]).unwrap_err(), "accuracy: expected a sample at least, found none"),
        (accuracy(&[0, 1], &[0]).unwrap_err(), "accuracy: expected 2 predictions, one a sample, found 1"),
        (top_k(&[0, 1], &[0.5, 0.5], 2, 1).unwrap_err(), "top-k: expected 2 rows of 2 scores, one a sample, found 1"),
        (top_k(&[0], &[0.5, 0.5, 0.5], 2, 1).unwrap_err(), "top-k: expected rows of 2 scores, found 3 scores"),
        (top_k(&[2], &[0.5, 0.5], 2, 1).unwrap_err(), "top-k: class of sample 0: expected 0 to 1, found 2"),
        (top_k(&[0], &[0.5, 0.5], 2, 3).unwrap_err(), "top-k: k: expected 1 to 2, found 3"),
        (
            top_k(&[0], &[0.5, f64::NAN], 2, 1).unwrap_err(),
            "top-k: score of class 1 in sample 0: expected a number, found NaN",
        ),
        (predictions(&none, 0).unwrap_err(), "predictions: expected a class at least, found num_classes = 0"),
        (auc(&[0, 2], &[0.5, 0.5]).unwrap_err(), "auc: class of sample 1: expected 0 to 1, found 2"),
        (auc(&[0, 1], &[0.5, f64::NAN]).unwrap_err(), "auc: score of sample 1: expected a number, found NaN"),
        (
            log_loss(&[0], &[3.0, -1.0], 2).unwrap_err(),
            "log loss: expected probabilities, from 0 to 1 with the sum 1, found [3.0, -1.0] in sample 0; \
             apply softmax to logits first",
        ),
        (calibration_error(&[0], &[0.5, 0.5], 2, 0).unwrap_err(), "calibration: bins: expected 1 at least, found 0"),
        (
            Confusion::new(&[0, -1], &[0, 0], 2).unwrap_err(),
            "confusion matrix: class of sample 1: expected 0 to 1, found -1",
        ),
        (
            Confusion::new(&[0], &[2], 2).unwrap_err(),
            "confusion matrix: prediction of sample 0: expected 0 to 1, found 2",
        ),
        (perplexity(&none).unwrap_err(), "perplexity: expected a sample at least, found none"),
        (mae(&[1.0], &[1.0, 2.0]).unwrap_err(), "mae: expected 1 predictions, one a sample, found 2"),
        (rmse(&[f64::NAN], &[1.0]).unwrap_err(), "rmse: target of sample 0: expected a finite number, found NaN"),
    ];
    for (error, text) in texts {
        assert!(error.is_usage(), "{error}");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn nothing_is_counted_of_a_batch_with_an_error() {
    let mut matrix = Confusion::new(&[0, 1], &[0, 0], 2).unwrap();
    let before = matrix.clone();
    matrix.add(&[1, 1], &[1, 7]).unwrap_err();
    assert_eq!(matrix, before);
    matrix.add(&[1], &[1]).unwrap();
    assert_eq!((matrix.total(), matrix.count(1, 1), matrix.count(1, 2)), (3, 1, 0));
}

/// Classes and scores, with many ties.
fn samples() -> impl Strategy<Value = (usize, Vec<i64>, Vec<f32>)> {
    (2..6_usize, 1..40_usize).prop_flat_map(|(num_classes, n)| {
        let classes = proptest::collection::vec(0..num_classes as i64, n);
        let scores = proptest::collection::vec((-6..7_i8).prop_map(|score| f32::from(score) / 2.0), n * num_classes);
        (Just(num_classes), classes, scores)
    })
}

fn softmax(scores: &[f32], num_classes: usize) -> Vec<f64> {
    let row = |row: &[f32]| {
        let exp: Vec<f64> = row.iter().map(|&score| f64::from(score).exp()).collect();
        let sum: f64 = exp.iter().sum();
        exp.into_iter().map(move |e| e / sum).collect::<Vec<_>>()
    };
    scores.chunks(num_classes).flat_map(row).collect()
}

proptest! {
    #[test]
    fn counts_agree_with_each_other((n, classes, scores) in samples()) {
        let predicted = predictions(&scores, n).unwrap();
        let matrix = Confusion::new(&classes, &predicted, n).unwrap();
        prop_assert_eq!(matrix.total(), classes.len() as u64);
        prop_assert_eq!(matrix.accuracy(), accuracy(&classes, &predicted).unwrap());
        let micro = matrix.average(Average::Micro);
        prop_assert_eq!(triple(micro), [matrix.accuracy(); 3]);
        // The mean recall by support is the accuracy again.
        prop_assert!((matrix.average(Average::Weighted).recall - matrix.accuracy()).abs() < 1e-12);
        for class in matrix.per_class() {
            let (low, high) = (class.precision.min(class.recall), class.precision.max(class.recall));
            prop_assert!((low - 1e-12..=high + 1e-12).contains(&class.f1), "{:?}", class);
        }
    }

    #[test]
    fn more_guesses_are_no_worse((n, classes, scores) in samples()) {
        let shares: Vec<f64> = (1..=n).map(|k| top_k(&classes, &scores, n, k).unwrap()).collect();
        prop_assert!(shares.is_sorted(), "{:?}", shares);
        prop_assert_eq!(shares[n - 1], 1.0);
    }

    #[test]
    fn an_area_is_the_share_of_pairs_in_order((n, classes, scores) in samples()) {
        let areas = auc_per_class(&classes, &scores, n).unwrap();
        for (class, area) in areas.into_iter().enumerate() {
            let column = |positive: bool| {
                let is = |c: i64| (c == class as i64) == positive;
                let of = move |(&c, row): (&i64, &[f32])| is(c).then(|| f64::from(row[class]));
                classes.iter().zip(scores.chunks(n)).filter_map(of).collect::<Vec<_>>()
            };
            let (positive, negative) = (column(true), column(false));
            let half = |p: &f64, n: &f64| if p > n { 1.0 } else if p == n { 0.5 } else { 0.0 };
            let pairs: f64 = positive.iter().flat_map(|p| negative.iter().map(move |n| half(p, n))).sum();
            match area {
                Some(area) => prop_assert!((area - pairs / (positive.len() * negative.len()) as f64).abs() < 1e-12),
                None => prop_assert!(positive.is_empty() || negative.is_empty()),
            }
            // Exchanging the two sides mirrors the area.
            let turned: Vec<f64> = column(true).into_iter().chain(column(false)).map(|score| -score).collect();
            let sides: Vec<i64> = (0..turned.len()).map(|at| i64::from(at < positive.len())).collect();
            let mirrored = auc(&sides, &turned).unwrap();
            prop_assert!((mirrored.unwrap_or(0.5) + area.unwrap_or(0.5) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn bins_hold_every_sample_within_their_limits((n, classes, scores) in samples(), bins in 1..20_usize) {
        let probabilities = softmax(&scores, n);
        let diagram = calibration_bins(&classes, &probabilities, n, bins).unwrap();
        prop_assert_eq!(diagram.len(), bins);
        prop_assert_eq!(diagram.iter().map(|bin| bin.count).sum::<u64>(), classes.len() as u64);
        for bin in diagram.iter().filter(|bin| bin.count > 0) {
            prop_assert!(bin.low - 1e-12 <= bin.confidence && bin.confidence <= bin.high + 1e-12, "{:?}", bin);
        }
        let error = calibration_error(&classes, &probabilities, n, bins).unwrap();
        prop_assert!((0.0..=1.0).contains(&error));
        // With one bin it is the distance of two means.
        let confidence: f64 = probabilities.chunks(n).map(|row| row.iter().copied().fold(0.0, f64::max)).sum();
        let accuracy = accuracy(&classes, &predictions(&probabilities, n).unwrap()).unwrap();
        let distance = (accuracy - confidence / classes.len() as f64).abs();
        prop_assert!((calibration_error(&classes, &probabilities, n, 1).unwrap() - distance).abs() < 1e-12);
        prop_assert!(error >= distance - 1e-12);
    }

    #[test]
    fn losses_are_bounded((n, classes, scores) in samples()) {
        let probabilities = softmax(&scores, n);
        prop_assert!((0.0..=2.0).contains(&brier(&classes, &probabilities, n).unwrap()));
        let loss = log_loss(&classes, &probabilities, n).unwrap();
        prop_assert!(loss >= 0.0);
        let equal = vec![1.0 / n as f64; scores.len()];
        prop_assert!((log_loss(&classes, &equal, n).unwrap() - (n as f64).ln()).abs() < 1e-12);
        let nll = vec![(n as f64).ln(); classes.len()];
        prop_assert!((perplexity(&nll).unwrap() - n as f64).abs() < 1e-9);
    }

    #[test]
    fn errors_of_numbers_are_ordered(
        pairs in proptest::collection::vec((-9.0..9.0_f64, -9.0..9.0_f64), 2..30),
        by in 0.5..3.0_f64,
    ) {
        let (targets, predicted): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let (absolute, root) = (mae(&targets, &predicted).unwrap(), rmse(&targets, &predicted).unwrap());
        prop_assert!(0.0 <= absolute && absolute <= root * (1.0 + 1e-12));
        prop_assert!(r2(&targets, &predicted).unwrap() <= 1.0);
        // A change of unit scales the errors and leaves R² alone.
        let scaled = |values: &[f64]| values.iter().map(|value| value * by + 1.0).collect::<Vec<_>>();
        let (t, p) = (scaled(&targets), scaled(&predicted));
        prop_assert!((mae(&t, &p).unwrap() - absolute * by).abs() < 1e-9);
        let (before, after) = (r2(&targets, &predicted).unwrap(), r2(&t, &p).unwrap());
        prop_assert!((before - after).abs() < 1e-6 * before.abs().max(1.0));
    }
}

/// Samples without a label change no metric, and alone are none.
#[test]
fn samples_without_a_label_are_passed_over() {
    let (classes, predicted) = ([0, 2, 1, 1, 2, 0], [0, 1, 1, 2, 2, 0]);
    let scores: Vec<f64> =
        (0..6).flat_map(|i| [0.2 + 0.1 * f64::from(i % 3), 0.3, 0.5 - 0.1 * f64::from(i % 3)]).collect();
    let none = taper_tasks::IGNORED_LABEL;
    // One more in front, in the middle and at the end.
    let with = |values: &[i64], more: i64| [&[more], &values[..3], &[more], &values[3..], &[more]].concat();
    let row = [0.1, 0.8, 0.1];
    let more_scores = [&row, &scores[..9], &row, &scores[9..], &row].concat();
    let (more, more_predicted) = (with(&classes, none), with(&predicted, 1));
    let of = |classes: &[i64], predicted: &[i64], scores: &[f64]| {
        let binary: Vec<i64> = classes.iter().map(|&class| if class == none { none } else { class.min(1) }).collect();
        let column: Vec<f64> = scores.iter().skip(1).step_by(3).copied().collect();
        (
            (accuracy(classes, predicted).unwrap(), Confusion::new(classes, predicted, 3).unwrap()),
            (auc(&binary, &column).unwrap(), auc_macro(classes, scores, 3).unwrap()),
            (log_loss(classes, scores, 3).unwrap(), brier(classes, scores, 3).unwrap()),
            (calibration_error(classes, scores, 3, 5).unwrap(), top_k(classes, scores, 3, 2).unwrap()),
        )
    };
    assert_eq!(of(&more, &more_predicted, &more_scores), of(&classes, &predicted, &scores));
    for text in [
        accuracy(&[none; 2], &[0; 2]).unwrap_err(),
        Confusion::new(&[none; 2], &[0; 2], 3).unwrap_err(),
        auc(&[none; 2], &[0.5; 2]).unwrap_err(),
        brier(&[none; 2], &scores[..6], 3).unwrap_err(),
    ] {
        let text = text.to_string();
        assert!(text.ends_with(": expected a sample with a label at least, found 2 of class -100"), "{text}");
    }
    // A batch of those adds nothing to a matrix.
    let mut matrix = Confusion::new(&classes, &predicted, 3).unwrap();
    matrix.add(&[none; 2], &[0; 2]).unwrap();
    assert_eq!(matrix.total(), 6);
}
