//! Scores of pairs beside scikit-learn's recorded numbers (`tests/peers/sklearn_verification.py`).

use serde::Deserialize;
use taper_tasks::metrics::Verification;

#[derive(Deserialize)]
struct Recorded {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    same: Vec<bool>,
    scores: Vec<f64>,
    auc: f64,
    accuracy: f64,
    /// None where it is best to accept no pair.
    threshold: Option<f64>,
    far: Vec<f64>,
    tar: Vec<f64>,
}

#[test]
fn they_are_the_fields_own() {
    let recorded: Recorded = serde_json::from_str(include_str!("data/verification.json")).unwrap();
    assert_eq!(recorded.cases.len(), 5);
    for (i, case) in recorded.cases.iter().enumerate() {
        let found = Verification::new(&case.same, &case.scores).unwrap();
        let near = |name: &str, found: f64, due: f64| assert!((found - due).abs() < 1e-12, "{i} {name}: {found} {due}");
        near("auc", found.auc, case.auc);
        near("accuracy", found.accuracy, case.accuracy);
        assert_eq!(found.threshold, case.threshold.unwrap_or(f64::INFINITY), "{i}");
        for (&far, &tar) in case.far.iter().zip(&case.tar) {
            near("true accepts", found.true_accepts_at(far), tar);
        }
        let curve: Vec<(f64, f64)> = found.curve().collect();
        assert!(curve.first() == Some(&(0.0, 0.0)) && curve.last() == Some(&(1.0, 1.0)), "{i}");
    }
    // Equal scores, and a threshold over all of them, are among the cases.
    let equal = |case: &Case| case.scores.iter().skip(1).any(|score| *score == case.scores[0]);
    assert!(recorded.cases.iter().any(equal) && recorded.cases.iter().any(|case| case.threshold.is_none()));
}
