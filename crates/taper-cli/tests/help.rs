//! `--help` explains each flag with its default.

mod common;

use common::Place;

#[test]
fn every_flag_of_train_is_explained_with_its_default() {
    let place = Place::new();
    let help = place.ok("train cifar --help").out;
    for (flag, default) in [
        ("--model", "seed-cnn"),
        ("--device", "cpu"),
        ("--epochs", "10"),
        ("--batch-size", "64"),
        ("--lr", "0.001"),
        ("--seed", "0"),
        ("--threads", "0"),
        ("--isa", "auto"),
        ("--conv", "auto"),
        ("--dtype", "f32"),
        ("--max-steps", "0"),
        ("--init", "none"),
        ("--no-shuffle", "shuffled"),
        ("--data-dir", "$TAPER_DATA, the downloads' folder, the network"),
        ("--offline", "data that are nowhere else are downloaded"),
        ("--run-dir", "runs/EXPERIMENT-YYYYMMDD-HHMMSS"),
        ("--set", "none; keys below"),
        ("--config", "none"),
        ("--profile", "none"),
        ("--quiet", "progress and a line an epoch"),
        ("--log-format", "text"),
        ("--verbose", "no logs"),
    ] {
        let line = help.lines().position(|line| line.split([' ', ',', '.']).any(|word| word == flag));
        let line = line.unwrap_or_else(|| panic!("{flag} is missing in {help}"));
        let text: Vec<&str> = help.lines().skip(line).take(3).collect();
        assert!(text.join("\n").contains(&format!("[default: {default}")), "{flag}: {text:?}");
    }
    for key in taper::train::KEYS {
        assert!(help.contains(&format!("  {} ", key.name)), "{}", key.name);
    }
    let digits = place.ok("train digits --help").out;
    assert!(digits.contains("[default: mlp]") && digits.contains("[default: 20]"), "{digits}");
}

#[test]
fn the_commands_are_listed() {
    let place = Place::new();
    let help = place.ok("--help").out;
    for command in ["train", "tune", "eval", "download", "gradcheck"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{help}");
    }
    let train = place.ok("train --help").out;
    assert!(train.contains("cifar") && train.contains("digits"), "{train}");
    for command in ["eval", "download", "gradcheck"] {
        let help = place.ok(&format!("{command} --help")).out;
        let flags = help.lines().filter(|line| line.trim_start().starts_with("--")).count();
        assert_eq!(help.matches("[default: ").count(), flags - help.matches("--second").count() + 1, "{help}");
    }
    assert_eq!(place.ok("--version").out, format!("taper {}\n", env!("CARGO_PKG_VERSION")));
}
