//! Metrics of forecasts beside scikit-learn's and utilsforecast's recorded numbers (`tests/peers/forecast_metrics.py`), and
//! what they say to wrong input.

use serde::Deserialize;
use std::collections::BTreeMap;
use taper_tasks::metrics::{coverage, mae, mase, naive_error, pinball};

#[derive(Deserialize)]
struct Recorded {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    learned: Vec<f64>,
    season: usize,
    targets: Vec<f64>,
    median: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    pinball: BTreeMap<String, f64>,
    mae: f64,
    mase: f64,
    coverage: f64,
}

#[test]
fn they_are_the_fields_own() {
    let recorded: Recorded = serde_json::from_str(include_str!("data/forecast_metrics.json")).unwrap();
    assert_eq!(recorded.cases.len(), 4);
    for (i, case) in recorded.cases.iter().enumerate() {
        let near = |name: &str, found: f64, due: f64| assert!((found - due).abs() < 1e-12, "{i} {name}: {found} {due}");
        for (quantile, predicted) in [("0.1", &case.low), ("0.5", &case.median), ("0.9", &case.high)] {
            let found = pinball(&case.targets, predicted, quantile.parse().unwrap()).unwrap();
            near(quantile, found, case.pinball[quantile]);
        }
        near("mae", mae(&case.targets, &case.median).unwrap(), case.mae);
        near("mase", mase(&case.targets, &case.median, &case.learned, case.season).unwrap(), case.mase);
        near("coverage", coverage(&case.targets, &case.low, &case.high).unwrap(), case.coverage);
    }
}

#[test]
fn wrong_input_is_told() {
    let told = |found: taper_train::Result<f64>| found.unwrap_err().to_string();
    assert_eq!(told(pinball(&[1.0], &[1.0], 1.0)), "pinball: expected a quantile above 0 and below 1, found 1");
    assert_eq!(told(pinball(&[1.0], &[1.0, 2.0], 0.5)), "pinball: expected 1 predictions, one a sample, found 2");
    assert_eq!(
        told(pinball(&[1.0], &[f64::NAN], 0.5)),
        "pinball: prediction of sample 0: expected a finite number, found NaN"
    );
    assert_eq!(told(coverage(&[1.0], &[1.0], &[])), "coverage: expected 1 upper ends, one a sample, found 0");
    assert_eq!(told(naive_error(&[1.0, 2.0, 3.0], 3)), "mase: expected a season of 1 to 2 steps, found 3");
    assert_eq!(told(naive_error::<f64>(&[], 1)), "mase: expected a season of 1 to 0 steps, found 1");
    let text = told(mase(&[1.0], &[2.0], &[1.0, 2.0, 1.0, 2.0], 2));
    assert_eq!(text, "mase: the values that were learned from repeat themselves exactly: it is not defined");
}
