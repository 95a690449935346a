//! The example of training on one's own table: short, and it learns.

#[path = "../examples/table.rs"]
mod table;

use std::process::Command;

#[test]
fn it_is_short() {
    let lines = include_str!("../examples/table.rs").lines().count();
    assert!(lines < 60, "{lines} lines");
}

/// Run by the test below, which reads what it prints.
#[test]
fn it_runs() {
    table::main().unwrap();
}

#[test]
fn it_learns_from_standardised_columns() {
    let mut program = Command::new(std::env::current_exe().unwrap());
    let output = program.args(["--exact", "it_runs", "--nocapture"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Table(450 rows of 2 features, 3 classes)"), "{text}");
    let test = text.lines().find_map(|line| line.strip_prefix("test: ")?.split(' ').next()?.parse::<f64>().ok());
    assert!(test.is_some_and(|right| right > 93.0), "{text}");
}
