//! Names and values that others have chosen: quoted in every format, escaped on the terminal. What is no plain file.

#![cfg(unix)]

mod common;

use common::{Place, Ran};
use std::fs;
use std::process::Command;

/// What sets a terminal's title, begins a line, and is DEL.
const NAME: &str = "a\u{1b}]0;owned\u{7}\n[train]\nepochs = 99\u{7f} & <b>\"'";

/// The program with arguments that hold spaces.
fn ran(place: &Place, arguments: &[&str]) -> Ran {
    Ran::from(place.command("").args(arguments).output().unwrap())
}

/// Nothing that a terminal obeys, but for line ends.
fn is_shown(ran: &Ran) {
    let obeyed = |char: char| char.is_control() && char != '\n';
    assert!(!ran.out.contains(obeyed) && !ran.err.contains(obeyed), "{ran:?}");
}

#[test]
fn a_folder_may_have_any_name() {
    let place = Place::new();
    let small = ["--set", "data.train_samples=128", "--set", "data.test_samples=50", "--max-steps", "2"];
    let train =
        |flags: &[&str]| ran(&place, &[&["train", "digits", "--threads", "1"], small.as_slice(), flags].concat());
    let first = train(&["--run-dir", NAME]);
    assert_eq!(first.code, 0, "{first:?}");
    is_shown(&first);
    assert!(first.out.contains(r"run folder a\u{1b}]0;owned\u{7}\n[train]\nepochs = 99\u{7f} & <b>"), "{first:?}");
    let config: toml::Table = place.read(&format!("{NAME}/config.toml")).parse().unwrap();
    assert_eq!(config["train"]["epochs"].as_integer(), Some(20));
    let report = place.read(&format!("{NAME}/report.html"));
    assert!(!report.contains(['\u{1b}', '\u{7}', '\u{7f}']) && report.contains("&lt;b&gt;&quot;&#39;</h1>"));
    let again = train(&["--resume", NAME]);
    assert_eq!((again.code, again.last_line()), (0, first.last_line()), "{again:?}");
    assert_eq!(ran(&place, &["eval", NAME, "--quiet"]).last_line(), first.last_line());

    let listed = ran(&place, &["runs", "."]);
    assert_eq!((listed.code, listed.out.lines().count()), (0, 2), "{listed:?}");
    is_shown(&listed);
    let json = ran(&place, &["runs", ".", "--format", "json"]);
    is_shown(&json);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json[0]["name"], NAME);
    for wrong in [
        train(&["--run-dir", NAME]),
        train(&["--config", "no\u{1b}[2J\nfile.toml"]),
        ran(&place, &["train", "cifar", "--data-dir", "no\u{1b}[2J\nfolder"]),
        train(&["--init", "no\u{1b}[2J\nfile"]),
        train(&["--set", "no\u{1b}[2J\nkey=1"]),
        train(&["--set", "train.dtype=\"f\u{1b}[2J\n32\""]),
        train(&["--model", "m\u{1b}[2J\nodel"]),
        ran(&place, &["eval", "no\u{1b}[2J\nrun"]),
        ran(&place, &["runs", "--compare", "no\u{1b}[2J\nrun", "b"]),
    ] {
        assert!(wrong.code == 1 || wrong.code == 2, "{wrong:?}");
        is_shown(&wrong);
        let lines =
            wrong.err.lines().filter(|line| !line.starts_with("hint: ") && !line.starts_with("  caused")).count();
        assert_eq!(lines, 1, "{wrong:?}");
    }
}

/// What a run's files say of it, by whoever has written them.
#[test]
fn values_of_runs_are_escaped() {
    let place = Place::new();
    for name in ["one", "two"] {
        fs::create_dir_all(place.path("runs").join(name)).unwrap();
        let config = format!(
            "model = \"m\\u001b]0;{name}\\u0007\\nerror: fake\"\n[record]\nexperiment = \"d\\u009b31m\\r\\n\\u202ex\"\n\
             [\"a\\u001b\\n\"]\nb = \"{name}\\u001b\\n\"\n"
        );
        fs::write(place.path("runs").join(name).join("config.toml"), config).unwrap();
    }
    for line in ["runs", "runs --compare one two", "runs --format json"] {
        let ran = place.ok(line);
        is_shown(&ran);
        assert!(!ran.out.contains('\u{202e}') && !ran.out.lines().any(|line| line.starts_with("error: ")), "{ran:?}");
    }
    assert_eq!(place.ok("runs").out.lines().count(), 3);
}

/// A pipe that nobody writes to is not waited for.
#[test]
fn what_is_no_plain_file_is_refused() {
    let place = Place::new();
    place.ok("train digits --quiet --threads 1 --max-steps 2 --set data.train_samples=128 --run-dir runs/run");
    let pipe = |name: &str| {
        let path = place.path(name);
        let _ = fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    };
    for (name, lines) in [
        ("runs/run/metrics.jsonl", &["runs"][..]),
        ("runs/run/result.json", &["train digits --resume runs/run"]),
        ("runs/run/model.safetensors", &["eval runs/run"]),
        ("runs/run/checkpoints/lock", &["train digits --resume runs/run"]),
        ("runs/run/config.toml", &["runs", "eval runs/run", "train digits --resume runs/run"]),
        ("some.toml", &["train digits --config some.toml", "tune digits --set data.validation=0.1 --space some.toml"]),
        ("some.safetensors", &["train digits --init some.safetensors"]),
        // Its result is gone by then: see below.
        ("runs/run/checkpoints/last.safetensors", &["train digits --resume runs/run"]),
    ] {
        let before = fs::read(place.path(name));
        if name.ends_with("last.safetensors") {
            fs::remove_file(place.path("runs/run/result.json")).unwrap();
        }
        pipe(name);
        for line in lines {
            let ran = place.run(line);
            let told = format!("{}{}", ran.out, ran.err);
            let missing = told.contains("no config.toml here") || told.contains("no model.safetensors here");
            assert!(told.contains("expected a plain file, found a named pipe") || missing, "{line}: {ran:?}");
            assert!(ran.code != 0 || *line == "runs", "{line}: {ran:?}");
        }
        fs::remove_file(place.path(name)).unwrap();
        if let Ok(bytes) = before {
            fs::write(place.path(name), bytes).unwrap();
        }
    }
    fs::create_dir(place.path("folder.toml")).unwrap();
    place.fails("train digits --config folder.toml", 1, &["folder.toml: expected a plain file, found a folder"]);
    place.fails("train digits --config /dev/zero", 1, &["/dev/zero: expected a plain file, found a device"]);
}
