//! The example of training one's own model on one's own data: short, and it learns.

#[path = "../examples/own.rs"]
mod own;

use std::process::Command;

#[test]
fn it_is_short() {
    let lines = include_str!("../examples/own.rs").lines().count();
    assert!(lines < 60, "{lines} lines");
}

/// Run by the test below, which reads what it prints.
#[test]
fn it_runs() {
    own::main().unwrap();
}

#[test]
fn it_learns_and_is_ended_by_its_hook() {
    let mut program = Command::new(std::env::current_exe().unwrap());
    let output = program.args(["--exact", "it_runs", "--nocapture"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let percent = |line: &str| line.split(": ").nth(1)?.split(' ').next()?.parse::<f64>().ok();
    let epochs: Vec<f64> = text.lines().filter(|line| line.starts_with("epoch ")).filter_map(percent).collect();
    assert!((2..200).contains(&epochs.len()), "{text}");
    assert!(epochs[..epochs.len() - 1].iter().all(|&right| right <= 99.0) && epochs[epochs.len() - 1] > 99.0, "{text}");
    let test = text.lines().find(|line| line.starts_with("test: ")).and_then(percent);
    assert!(test.is_some_and(|right| right > 97.0), "{text}");
}
