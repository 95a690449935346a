//! Projects outside the workspace, as their authors would write them. Each is copied elsewhere and built there from what is
//! fetched already, so that it sees no more of us than a stranger does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Runs the test `test` of the project in the folder `project` of this crate: whether it passed, and what it printed.
fn outcome(project: &str, test: &str) -> (bool, String) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (project, elsewhere) = (tests.join(project), tempfile::tempdir().unwrap());
    let root = tests.parent().unwrap();
    for file in files(&project) {
        let (text, to) = (fs::read_to_string(project.join(&file)).unwrap(), elsewhere.path().join(&file));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        // A path of Windows has backslashes, which a literal string of TOML keeps.
        fs::write(to, text.replace("\"../..", &format!("\"{}", root.display().to_string().replace('\\', "/"))))
            .unwrap();
    }
    fs::copy(root.join("Cargo.lock"), elsewhere.path().join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.args(["test", "--offline", "--test", test]).current_dir(elsewhere.path());
    // One folder for all projects, so that what they share is built once; nobody debugs it or changes it afterwards.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    cargo.env("CARGO_TARGET_DIR", target).envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")]);
    let output = cargo.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// The project's manifest and sources.
fn files(project: &Path) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("Cargo.toml")];
    for folder in ["src", "tests"] {
        let entries = fs::read_dir(project.join(folder)).unwrap();
        files.extend(entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name())));
    }
    files
}

/// A backend with one fault: its author's test finds it.
#[test]
fn a_fault_in_gather_is_named() {
    let (passed, text) = outcome("outside", "contract");
    assert!(!passed, "{text}");
    // The method with its dtype and case, the shapes, and the worst element.
    let line = text.lines().find(|line| line.contains("failed: gather f32")).unwrap_or_else(|| panic!("{text}"));
    for part in ["result 0 f32[", "] of f32[", ", i64[", "worst at [", "]: expected ", " but found "] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(text.contains("failed: gradient of gather, "), "{text}");
    // Nothing else is wrong.
    assert!(!text.lines().any(|line| line.contains("failed: scatter_add")), "{text}");
}

/// A task that does not classify, a model with its table, a hook and an experiment, one file each.
#[test]
fn an_experiment_of_ones_own_is_trained_and_resumed() {
    let (passed, text) = outcome("outside-task", "forecasting");
    assert!(passed && text.contains("2 passed"), "{text}");
}
