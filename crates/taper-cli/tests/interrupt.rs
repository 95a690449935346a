//! Ctrl-C, a polite kill and a closed terminal save what there is and end with a message.

#![cfg(unix)]

mod common;

use common::{Place, Ran, losses};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn ctrl_c_saves_and_exits_with_130() {
    saves_and_exits("INT", 130);
}

#[test]
fn a_polite_kill_saves_and_exits_with_143() {
    saves_and_exits("TERM", 143);
}

#[test]
fn a_closed_terminal_saves_and_exits_with_129() {
    saves_and_exits("HUP", 129);
}

fn saves_and_exits(signal: &str, code: i32) {
    let place = Place::new();
    let command = place.command("train digits --epochs 1000000 --set train.log_every=1 --run-dir run --profile p.md");
    let mut child = heeding_signals(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The first epoch's line: training is under way.
    assert!(lines.by_ref().any(|line| line.unwrap().starts_with("epoch 1/")));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    let rest = lines.map(Result::unwrap).collect::<Vec<_>>();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, code, "{ran:?}");
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

/// `command`, started with SIGHUP not ignored even where these tests run under `nohup`.
fn heeding_signals(command: Command) -> Command {
    if !cfg!(target_os = "linux") {
        return command;
    }
    let mut heeding = Command::new("env");
    heeding.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        heeding.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => heeding.env(name, value),
            None => heeding.env_remove(name),
        };
    }
    heeding
}

/// What was started to outlive its terminal does.
#[test]
#[cfg(target_os = "linux")]
fn a_closed_terminal_is_nothing_to_nohup() {
    let place = Place::new();
    let program = place.command("");
    let mut command = Command::new("nohup");
    command.arg(program.get_program()).current_dir(place.path(""));
    command.args("train digits --epochs 40 --set data.train_samples=500 --threads 1 --run-dir run".split(' '));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().any(|line| line.unwrap().starts_with("epoch 1/")));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let rest = lines.map(Result::unwrap).collect::<Vec<_>>();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(ran.code == 0 && rest.last().unwrap().starts_with("Test Accuracy = "), "{ran:?}, {rest:?}");
}
