//! A backend outside the workspace with one fault: its author's test finds it.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// The project is copied out of the workspace, where it is built from what is fetched already.
#[test]
fn a_fault_in_gather_is_named() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (project, elsewhere) = (tests.join("outside"), tempfile::tempdir().unwrap());
    let root = tests.parent().unwrap();
    for file in ["src/lib.rs", "tests/contract.rs", "Cargo.toml"] {
        let (text, to) = (fs::read_to_string(project.join(file)).unwrap(), elsewhere.path().join(file));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        // A path of Windows has backslashes, which a literal string of TOML keeps.
        fs::write(to, text.replace("\"../..", &format!("\"{}", root.display().to_string().replace('\\', "/"))))
            .unwrap();
    }
    fs::copy(root.join("Cargo.lock"), elsewhere.path().join("Cargo.lock")).unwrap();
    let mut test = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    test.args(["test", "--offline", "--test", "contract"]).current_dir(elsewhere.path());
    let output = test.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside")).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(!output.status.success(), "{text}");
    // The method with its dtype and case, the shapes, and the worst element.
    let line = text.lines().find(|line| line.contains("failed: gather f32")).unwrap_or_else(|| panic!("{text}"));
    for part in ["result 0 f32[", "] of f32[", ", i64[", "worst at [", "]: expected ", " but found "] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(text.contains("failed: gradient of gather, "), "{text}");
    // Nothing else is wrong.
    assert!(!text.lines().any(|line| line.contains("failed: scatter_add")), "{text}");
}
