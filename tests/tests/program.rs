//! `taper-tests`, as `cargo xtask` starts it: what it prints and how it ends.

use std::process::Command;

/// The exit code, standard output and standard error of the program with the arguments of `line`.
fn run(line: &str) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_taper-tests")).args(line.split(' ')).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn gradients_on_chosen_devices() {
    let (code, out, err) = run("gradcheck --device cpu,toy --op matmul");
    assert_eq!(code, Some(0), "{out}{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["cpu", "toy"], "{out}");
    assert!(lines[2].starts_with("1 operation on cpu, toy, ") && lines[2].ends_with(", all passed"), "{out}");
    let (code, out, _) = run("gradcheck --device toy --op matmul --second");
    assert!(code == Some(0) && out.contains("gradients of gradients"), "{out}");
}

#[test]
fn conformance_of_chosen_devices() {
    let (code, out, err) = run("conformance --device toy,cpu dropout");
    assert_eq!(code, Some(0), "{out}{err}");
    let starts: Vec<&str> = out.lines().map(|line| line.split(['(', ',']).next().unwrap_or_default()).collect();
    let toy: Vec<&str> = starts.iter().copied().filter(|line| line.starts_with("toy: ")).collect();
    assert!(toy.len() == 1 && toy[0].ends_with(" cases"), "{out}");
    // The slow twin has no rim at all, the CPU none of it for halves.
    assert_eq!(out.matches("  left to the composed version: dropout (").count(), 2, "{out}");
    assert_eq!(out.matches("not offered for halves: ").count(), 2, "{out}");
}

#[test]
fn what_cannot_be_followed_is_told() {
    for (line, text) in [
        ("conformance --device tpu", "error: unknown device `tpu`; known: cpu"),
        ("gradcheck --device cpu,tpu", "error: unknown device `tpu`; known: cpu"),
        ("gradcheck --device toy --op matmull", "there is no operation called"),
        ("conformance --device toy nothing-like-it", "no case's name contains `nothing-like-it`"),
    ] {
        let (code, out, err) = run(line);
        assert!(code == Some(2) && err.contains(text), "{line}: {code:?} {out}{err}");
    }
}
