//! The program as it is started: with no peer, with one that does not work, with one that does.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// `taper-bench bench` with the arguments of `line`, a report in `folder`, and `python` for the peer's Python.
fn bench(line: &str, folder: &Path, python: &Path) -> (String, Value) {
    let report = folder.join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_taper-bench"));
    command.arg("bench").args(line.split(' ')).arg("--json").arg(&report).env("TAPER_PYTHON", python);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{stdout}{stderr}");
    (stdout.into_owned(), serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap())
}

/// How many samples there are in `works[0][key]`.
fn count(report: &Value, key: &str) -> usize {
    let blocks = report["works"][0][key].as_array().unwrap();
    blocks.iter().map(|block| block.as_array().unwrap().len()).sum()
}

#[test]
fn a_peer_that_is_not_installed_is_told_of_and_ours_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (text, report) = bench("tiny --peer torch --rounds 1", folder.path(), &folder.path().join("no-python"));
    for part in ["no peer: cannot start", "pip install torch", "TAPER_PYTHON", "\ntiny "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(count(&report, "ours_ms") >= 5, "{report}");
    assert_eq!(report["works"][0]["peer_ms"], Value::Null);
    assert!(report["works"][0]["no_peer"].as_str().unwrap().contains("pip install torch"), "{report}");
}

#[cfg(unix)]
mod scripts {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A Python of our own: it has a version, and for a work runs `body`, with the work's arguments in `"$@"`.
    fn python(folder: &Path, body: &str) -> std::path::PathBuf {
        let path = folder.join("python");
        std::fs::write(&path, format!("#!/bin/sh\nshift\n[ \"$1\" = --version ] && echo twin 1 && exit\n{body}\n"))
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn both_sides_are_measured_as_often() {
        let folder = tempfile::tempdir().unwrap();
        let twin = python(folder.path(), &format!("exec '{}' worker \"$@\"", env!("CARGO_BIN_EXE_taper-bench")));
        let (text, report) = bench("tiny --rounds 2", folder.path(), &twin);
        assert!(text.contains("peer: twin 1"), "{text}");
        assert!(!text.contains("no peer"), "{text}");
        assert_eq!(count(&report, "ours_ms"), count(&report, "peer_ms"));
        assert_eq!(report["works"][0]["ours_ms"].as_array().unwrap().len(), 2);
        assert!(report["works"][0]["ratio"].as_f64().unwrap() > 0.0, "{report}");
        assert_eq!(report["versions"]["peer"], "twin 1");
    }

    /// What each side is asked for: ours by flags (`main.rs` tests these), the peer by its environment.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn both_sides_are_held_to_avx2() {
        if !is_x86_feature_detected!("avx2") {
            return; // then ours says so and ends
        }
        let folder = tempfile::tempdir().unwrap();
        let said = folder.path().join("environment");
        let body = format!(
            "env > '{}'\nexec '{}' worker \"$@\" --isa avx2",
            said.display(),
            env!("CARGO_BIN_EXE_taper-bench")
        );
        let twin = python(folder.path(), &body);
        let (text, report) = bench("tiny --rounds 1 --isa avx2 --conv direct", folder.path(), &twin);
        assert!(text.contains("both sides with AVX2; our convolutions direct"), "{text}");
        assert!(text.contains("peak with AVX2, threads: 2"), "{text}");
        assert_eq!(report["settings"], serde_json::json!({"isa": "avx2", "conv": "direct"}));
        assert_eq!(report["peak"][0]["isa"], "AVX2");
        let environment = std::fs::read_to_string(&said).unwrap();
        for due in ["ATEN_CPU_CAPABILITY=avx2", "ONEDNN_MAX_CPU_ISA=AVX2", "MKL_ENABLE_INSTRUCTIONS=AVX2"] {
            assert!(environment.lines().any(|line| line == due), "{due}: {environment}");
        }
        let (text, _) = bench("tiny --rounds 1", folder.path(), &twin);
        assert!(!text.contains("both sides"), "{text}");
        assert!(
            !std::fs::read_to_string(&said).unwrap().contains("ATEN_CPU_CAPABILITY="),
            "the fastest is not held back"
        );
    }

    /// The same program on both sides grows as much, by more than the weights and Adam's moments take.
    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_measured_in_fresh_processes() {
        let folder = tempfile::tempdir().unwrap();
        let twin = python(folder.path(), &format!("exec '{}' worker \"$@\"", env!("CARGO_BIN_EXE_taper-bench")));
        let (text, report) = bench("memory --rounds 2", folder.path(), &twin);
        let memory = &report["memory"];
        for side in ["ours_mib", "peer_mib"] {
            let found = memory[side].as_array().unwrap();
            assert!(found.len() == 2 && found.iter().all(|mib| mib.as_f64().unwrap() > 4.27 * 3.0 * 4.0), "{report}");
        }
        assert!((memory["ratio"].as_f64().unwrap() - 1.0).abs() < 0.1, "{report}");
        assert!(text.contains("\nmemory, 20 steps of the seed CNN: taper ") && text.contains("at most 0.70"), "{text}");
        assert_eq!(report["works"], serde_json::json!([]));

        let none = python(folder.path(), "echo 'resident memory is unknown: no /proc' >&2; exit 1");
        let (text, report) = bench("memory --rounds 1", folder.path(), &none);
        assert!(text.contains(", torch – (resident memory is unknown: no /proc (exit status: 1)); ratio –"), "{text}");
        assert!(report["memory"]["no_peer"].as_str().unwrap().contains("no /proc"), "{report}");
    }

    #[test]
    fn a_peer_that_dies_leaves_ours() {
        let folder = tempfile::tempdir().unwrap();
        let bodies = [
            ("echo ready; read line; echo 'out of memory' >&2; exit 3", "out of memory (exit status: 3)"),
            ("exit 4", "without a word (exit status: 4)"),
            ("echo ready; while read line; do echo '[1.0]'; done", "expected 5 numbers over 0"),
        ];
        for (body, due) in bodies {
            let (text, report) = bench("tiny --rounds 1", folder.path(), &python(folder.path(), body));
            assert!(text.contains("tiny: no peer: ") && text.contains(due), "{due}: {text}");
            assert!(count(&report, "ours_ms") >= 5 && report["works"][0]["ratio"].is_null(), "{report}");
        }
    }
}
