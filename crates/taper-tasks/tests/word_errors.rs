//! The word error rate beside jiwer's recorded one (`tests/peers/jiwer_metrics.py`).

use taper_tasks::metrics::WordErrors;

#[test]
fn the_word_error_rate_is_jiwers() {
    let record: serde_json::Value = serde_json::from_str(include_str!("data/jiwer_metrics.json")).unwrap();
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 47);
    for case in cases {
        let texts = |key: &str| -> Vec<&str> {
            case[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
        };
        let (references, hypotheses) = (texts("references"), texts("hypotheses"));
        let found: WordErrors = references.iter().zip(&hypotheses).map(|(a, b)| WordErrors::of(a, b)).sum();
        let count = |key: &str| case[key].as_u64().unwrap() as usize;
        assert_eq!(found.errors, count("substitutions") + count("deletions") + count("insertions"), "{case}");
        assert_eq!(found.words, count("hits") + count("substitutions") + count("deletions"), "{case}");
        let due = case["wer"].as_f64().unwrap();
        assert!((found.rate() - due).abs() < 1e-12, "{case}: {}", found.rate());
    }
}
