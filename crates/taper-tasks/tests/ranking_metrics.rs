//! Metrics of rankings beside scikit-learn's recorded numbers (`tests/peers/ranking_metrics.py`), equal scores, and wrong input.

use serde::Deserialize;
use taper_tasks::metrics::{hit_rate, ndcg, ranks};

#[derive(Deserialize)]
struct Recorded {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    width: usize,
    k: usize,
    scores: Vec<f64>,
    hit_rate: f64,
    ndcg: f64,
}

#[test]
fn they_are_the_fields_own() {
    let recorded: Recorded = serde_json::from_str(include_str!("data/ranking_metrics.json")).unwrap();
    assert_eq!(recorded.cases.len(), 4);
    for (i, case) in recorded.cases.iter().enumerate() {
        let ranks = ranks(&case.scores, case.width).unwrap();
        let near = |name: &str, found: f64, due: f64| assert!((found - due).abs() < 1e-12, "{i} {name}: {found} {due}");
        near("hit rate", hit_rate(&ranks, case.k).unwrap(), case.hit_rate);
        near("ndcg", ndcg(&ranks, case.k).unwrap(), case.ndcg);
    }
}

#[test]
fn an_equal_score_counts_against_the_thing() {
    assert_eq!(ranks(&[0.5, 0.5, 0.25, 0.75], 4).unwrap(), [2]);
    let alike = ranks(&[0.0; 100], 100).unwrap();
    assert_eq!((alike[0], hit_rate(&alike, 10).unwrap(), ndcg(&alike, 10).unwrap()), (99, 0.0, 0.0));
    let mixed = ranks(&[3.0, 1.0, 2.0, 1.0, 1.0, 1.0], 2).unwrap();
    assert_eq!(mixed, [0, 0, 1]);
    assert_eq!(hit_rate(&mixed, 1).unwrap(), 2.0 / 3.0);
    assert!((ndcg(&mixed, 2).unwrap() - (2.0 + 1.0 / 3.0_f64.log2()) / 3.0).abs() < 1e-15);
}

#[test]
fn wrong_input_is_told() {
    let told = |scores: &[f64], width| ranks(scores, width).unwrap_err().to_string();
    assert_eq!(told(&[1.0, 2.0], 1), "ranks: expected rows of two scores or more, found 2 scores in rows of 1");
    assert_eq!(told(&[1.0, 2.0, 3.0], 2), "ranks: expected rows of two scores or more, found 3 scores in rows of 2");
    assert_eq!(told(&[1.0, 2.0, 3.0, f64::NAN], 2), "ranks: score 1 of sample 1: expected a number, found NaN");
    assert_eq!(ndcg(&[], 3).unwrap_err().to_string(), "ndcg: expected a sample at least, found none");
}
