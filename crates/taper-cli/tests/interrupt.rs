//! Ctrl-C saves what there is and exits with a message.

#![cfg(unix)]

mod common;

use common::{Place, Ran, losses};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn ctrl_c_saves_and_exits_with_130() {
    let place = Place::new();
    let mut command =
        place.command("train digits --epochs 1000000 --set train.log_every=1 --run-dir run --profile p.md");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The first epoch's line: training is under way.
    assert!(lines.by_ref().any(|line| line.unwrap().starts_with("epoch 1/")));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let rest = lines.map(Result::unwrap).collect::<Vec<_>>();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    ran.is_clean();
    let goes_on = "; weights and metrics are in run; `taper train digits --resume run` goes on\n";
    assert!(ran.err.starts_with("stopped after ") && ran.err.ends_with(goes_on), "{ran:?}");
    assert!(!rest.iter().any(|line| line.starts_with("Test Accuracy")), "{rest:?}");

    let metrics = place.read("run/metrics.jsonl");
    let steps = losses(&metrics).len();
    assert!(ran.err.contains(&format!("stopped after {steps} steps")), "{steps}: {ran:?}");
    assert!(metrics.ends_with('\n'));
    assert!(place.read("p.md").contains(" steps were measured"), "{}", place.read("p.md"));
    // Trained for at least an epoch: better than chance.
    let last = place.ok("eval run").last_line().to_string();
    let percent: f64 = last.trim_start_matches("Test Accuracy = ").trim_end_matches('%').parse().unwrap();
    assert!(percent > 30.0, "{last}");
}
