//! Average precision beside pycocotools' recorded numbers (`tests/peers/coco_eval.py`).

use serde::Deserialize;
use taper_models::Detection;
use taper_tasks::metrics::{DetectionScores, TrueBox, detection_scores};

#[derive(Deserialize)]
struct Case {
    name: String,
    number: usize,
    truth: Vec<Vec<There>>,
    found: Vec<Vec<One>>,
    stats: Vec<f64>,
    classes: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
struct There {
    bounds: [f64; 4],
    class: usize,
    area: f64,
    crowd: bool,
}

#[derive(Deserialize)]
struct One {
    bounds: [f64; 4],
    class: usize,
    score: f64,
}

impl Case {
    fn scores(&self) -> DetectionScores {
        let there = |&There { bounds, class, area, crowd }: &There| TrueBox { bounds, class, area, crowd };
        let one = |&One { bounds, class, score }: &One| Detection { bounds, class, score };
        let truth: Vec<Vec<TrueBox>> = self.truth.iter().map(|all| all.iter().map(there).collect()).collect();
        let found: Vec<Vec<Detection>> = self.found.iter().map(|all| all.iter().map(one).collect()).collect();
        detection_scores(&truth, &found, self.number).unwrap()
    }
}

/// COCO writes -1 where there is nothing to be found.
fn same(found: Option<f64>, due: f64, what: &str) {
    let found = found.unwrap_or(-1.0);
    // Sums of some hundred quotients in another order.
    assert!((found - due).abs() <= 1e-12, "{what}: {found} for {due}");
}

#[test]
fn average_precision_is_as_pycocotools_counts_it() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/coco_eval.json")).unwrap();
    let mut there = 0;
    for case in &cases {
        let found = case.scores();
        let all = found.precision.iter().chain(&found.recall);
        for (place, (&found, &due)) in all.zip(&case.stats).enumerate() {
            same(found, due, &format!("{}, number {place}", case.name));
            there += usize::from(due > 0.0);
        }
        assert_eq!(found.classes.len(), case.classes.len());
        for (class, (found, due)) in found.classes.iter().zip(&case.classes).enumerate() {
            same(found[0], due[0], &format!("{}, class {class}", case.name));
            same(found[1], due[1], &format!("{}, class {class} at 0.5", case.name));
        }
    }
    assert!(cases.len() == 6 && there > 40, "{} cases, {there} numbers over 0", cases.len());
    // A class without truth, more than 100 detections of a class in a picture, a box without area, a crowd: they are there.
    assert!(cases.iter().any(|case| case.classes.iter().any(|numbers| numbers[0] == -1.0)));
    let many = |case: &Case| case.found.iter().any(|all| all.iter().filter(|one| one.class == 0).count() > 100);
    assert!(cases.iter().any(many));
    let things = || cases.iter().flat_map(|case| case.truth.iter().flatten());
    assert!(things().any(|thing| thing.crowd) && things().any(|thing| thing.bounds[0] == thing.bounds[2]));
}

#[test]
fn what_cannot_be_scored_is_told() {
    let thing = TrueBox { bounds: [0.0, 0.0, 1.0, 1.0], class: 0, area: 1.0, crowd: false };
    let one = Detection { bounds: [0.0, 0.0, 1.0, 1.0], class: 0, score: 0.5 };
    let text = |truth: Vec<Vec<TrueBox>>, found: Vec<Vec<Detection>>| {
        detection_scores(&truth, &found, 1).unwrap_err().to_string()
    };
    let due = "detection scores: expected detections of 1 pictures, found those of 0";
    assert_eq!(text(vec![vec![]], vec![]), due);
    let due = "detection scores: picture 0: expected classes below 1, found 3";
    assert_eq!(text(vec![vec![TrueBox { class: 3, ..thing }]], vec![vec![]]), due);
    let due = "detection scores: picture 0: expected finite boxes, areas and scores, found NaN";
    assert_eq!(text(vec![vec![thing]], vec![vec![Detection { score: f64::NAN, ..one }]]), due);
    // Nothing at all is no score, and no panic.
    assert_eq!(detection_scores(&[], &[], 0).unwrap(), DetectionScores::default());
    let perfect = detection_scores(&[vec![thing]], &[vec![one]], 1).unwrap();
    same(perfect.map(), 1.0, "all that is there, and nothing else");
    same(perfect.map_50(), 1.0, "the same at 0.5");
}
