//! The scale-invariant signal-to-noise ratio beside torchmetrics' recorded one (`tests/peers/torchmetrics_si_snr.py`).

use taper_tasks::metrics::si_snr;

#[test]
fn the_ratio_is_torchmetrics() {
    let record: serde_json::Value = serde_json::from_str(include_str!("data/torchmetrics_si_snr.json")).unwrap();
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 14);
    for case in cases {
        let values = |key: &str| -> Vec<f64> {
            case[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        let (found, due) = (si_snr(&values("estimate"), &values("target")).unwrap(), case["si_snr"].as_f64().unwrap());
        // What is left of the target itself is rounding, and so is its logarithm.
        let near = if due > 150.0 { found > 150.0 } else { (found - due).abs() < 1e-6 };
        assert!(near, "expected {due}, found {found}: {case}");
    }
}

#[test]
fn what_cannot_be_compared_is_told() {
    let told = |a: &[f32], b: &[f32]| si_snr(a, b).unwrap_err().to_string();
    assert_eq!(told(&[], &[]), "si_snr: expected a sample at least, found none");
    assert_eq!(told(&[1.0], &[1.0, 2.0]), "si_snr: expected 2 samples of the estimate, one a sample, found 1");
    assert!(told(&[f32::NAN, 1.0], &[1.0, 2.0]).starts_with("si_snr: estimate of sample 0"));
}
