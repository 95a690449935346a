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
        ("--freeze", "none"),
        ("--group-lr", "none"),
        ("--no-shuffle", "shuffled"),
        ("--data-dir", "$TAPER_DATA, the downloads' folder, the network"),
        ("--offline", "data that are nowhere else are downloaded"),
        ("--run-dir", "runs/EXPERIMENT-YYYYMMDD-HHMMSS"),
        ("--set", "none; keys below"),
        ("--config", "none"),
        ("--profile", "none"),
        ("--quiet", "progress and a line an epoch"),
        ("--recipe", "none; recipes below"),
        ("--resume", "a new run"),
        ("--log-format", "text"),
        ("--verbose", "no logs"),
    ] {
        let line = help.lines().position(|line| line.split([' ', ',', '.']).any(|word| word == flag));
        let line = line.unwrap_or_else(|| panic!("{flag} is missing in {help}"));
        // In as many lines as it takes.
        let text: Vec<&str> = help.lines().skip(line).take(4).map(str::trim).collect();
        assert!(text.join(" ").contains(&format!("[default: {default}")), "{flag}: {text:?}");
    }
    let cifar = taper::tasks::experiment("cifar").unwrap();
    for key in cifar.config().keys(&cifar.families()) {
        assert!(help.contains(&format!("  {} ", key.name)), "{}", key.name);
    }
    for recipe in cifar.recipes() {
        let begins = |line: &&str| line.trim_start().starts_with(recipe.name);
        let text: Vec<&str> = help.lines().skip_while(|line| !begins(line)).take(2).map(str::trim).collect();
        assert!(text.join(" ").contains(recipe.about), "{text:?}");
    }
    // What the experiment leaves to its optimiser.
    let momentum = help.split("  optimizer.momentum ").nth(1).unwrap().split(']').next().unwrap();
    assert!(momentum.ends_with("[default: the optimiser's"), "{momentum}");
    let digits = place.ok("train digits --help").out;
    assert!(digits.contains("[default: mlp]") && digits.contains("[default: 20]"), "{digits}");
}

#[test]
fn the_commands_are_listed() {
    let place = Place::new();
    let help = place.ok("--help").out;
    assert!(help.starts_with("Neural networks, trained from a clean clone\n"), "{help}");
    let commands = [
        "train",
        "find-lr",
        "tune",
        "eval",
        "predict",
        "detect",
        "forecast",
        "recommend",
        "generate",
        "denoise",
        "speak",
        "transcribe",
        "translate",
        "chat",
        "segment",
        "verify",
        "runs",
        "models",
        "summary",
        "download",
        "fetch",
        "gradcheck",
    ];
    for command in commands {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{help}");
    }
    let begins = |text: &str, name: &str| text.lines().any(|line| line.starts_with(&format!("  {name} ")));
    let train = place.ok("train --help").out;
    for text in [&help, &train] {
        for name in ["cifar10", "mnist", "digits"] {
            assert!(begins(text, name), "{name}: {text}");
        }
        let (_, models) = text.split_once("Models (--model NAME").unwrap();
        assert!(models.contains(" seed-cnn,") && models.contains(" resnet18,"), "{text}");
    }
    let download = place.ok("download --help").out;
    for name in ["cifar10", "cifar100", "cifar100-coarse", "fashion-mnist", "mnist", "lfw", "fsdd"] {
        assert!(begins(&download, name), "{name}: {download}");
    }
    let fetch = place.ok("fetch --help").out;
    for name in ["resnet18", "vgg16_bn", "gpt2"] {
        assert!(begins(&fetch, name), "{name}: {fetch}");
    }
    assert!(!begins(&download, "digits") && !download.contains("--data-dir"), "{download}");
    assert!(train.contains("cifar") && train.contains("digits"), "{train}");
    for command in ["eval", "generate", "download", "fetch", "gradcheck"] {
        let help = place.ok(&format!("{command} --help")).out;
        let flags = help.lines().filter(|line| line.starts_with("      --")).count();
        // --second is a switch; -v, whose line begins otherwise, is of commands that write logs.
        let (second, verbose) = (help.matches("--second").count(), usize::from(help.contains("--verbose")));
        assert_eq!(help.matches("[default: ").count(), flags - second + verbose, "{help}");
        assert_eq!(verbose == 1, command == "eval", "{help}");
    }
    assert_eq!(place.ok("--version").out, format!("taper {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_fits_a_hundred_columns() {
    let place = Place::new();
    for command in [
        "",
        "train",
        "train cifar",
        "train digits",
        "train autoencoder",
        "train pictures",
        "train speech",
        "train sounds",
        "train denoise",
        "train speak",
        "train table",
        "train forecast",
        "train recommend",
        "train detect",
        "train segment",
        "train text",
        "train text-classes",
        "train translate",
        "train verify",
        "predict",
        "detect",
        "forecast",
        "recommend",
        "generate",
        "denoise",
        "speak",
        "transcribe",
        "translate",
        "chat",
        "segment",
        "verify",
        "find-lr",
        "find-lr cifar",
        "tune",
        "tune cifar",
        "eval",
        "runs",
        "models",
        "summary",
        "download",
        "fetch",
        "gradcheck",
    ] {
        let help = place.ok(&format!("{command} --help")).out;
        let long: Vec<&str> = help.lines().filter(|line| line.chars().count() > 100).collect();
        assert_eq!(long, [] as [&str; 0], "{command}");
    }
}

/// The finder has steps and rates of its own: what speaks of others is not offered.
#[test]
fn the_finder_explains_its_flags() {
    let help = Place::new().ok("find-lr cifar --help").out;
    for text in
        ["--from <RATE>", "[default: 1e-7]", "--to <RATE>", "--steps <N>", "[default: 100]", "[default: lr.svg]"]
    {
        assert!(help.contains(text), "{text}: {help}");
    }
    assert!(["--lr ", "--epochs", "--max-steps", "--run-dir", "--resume"].iter().all(|flag| !help.contains(flag)));
    assert!(help.contains("--recipe <NAME>") && help.contains("  resnet18 ") && help.contains("  optimizer.lr "));
}

/// What is one's own comes first, with its defaults; where built-in data are looked for is not offered.
#[test]
fn own_data_have_arguments_of_their_own() {
    let place = Place::new();
    let pictures = place.ok("train pictures --help").out;
    let table = place.ok("train table --help").out;
    let finder = place.ok("find-lr pictures --help").out;
    for (help, usage, own) in [
        (&pictures, "Usage: taper train pictures [OPTIONS] [DIR]", "--size <N>"),
        (&finder, "Usage: taper find-lr pictures [OPTIONS] [DIR]", "--size <N>"),
        (&table, "Usage: taper train table [OPTIONS] [FILE]", "--target <COLUMN>"),
    ] {
        assert!(help.contains(usage), "{help}");
        let first = help.lines().find(|line| line.starts_with("      --")).unwrap();
        assert!(first.trim_start().starts_with(own), "{first}");
        assert!(!help.contains("--data-dir") && !help.contains("--offline"), "{help}");
    }
    assert!(pictures.contains("cropped [default: 64]") && table.contains("[default: auto]"), "{pictures}{table}");
    for help in [pictures, table] {
        let rate = help.split("--lr <RATE>").nth(1).unwrap().lines().next().unwrap();
        assert!(rate.ends_with("[default: 0.001]"), "{rate}");
    }
    for help in [place.ok("--help").out, place.ok("train --help").out] {
        let own = help.split("Your own data:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        assert!(own.contains("  train pictures DIR ") && own.contains("  train table FILE "), "{own}");
    }
    let experiments = place.ok("train --help").out;
    // Of its own, or of the program's.
    let text = place.ok("train text --help").out;
    assert!(text.contains("--data-dir <FILE|DIR>") && text.contains("[default: chapters of"), "{text}");
    assert!(!text.contains("--offline"), "{text}");
    for name in ["segment", "detect"] {
        let help = place.ok(&format!("train {name} --help")).out;
        assert!(help.contains("--data-dir <DIR>") && help.contains("[default: drawn shapes]"), "{help}");
    }
    for name in ["autoencoder", "detect", "pictures", "segment", "table", "text", "digits"] {
        assert!(experiments.lines().any(|line| line.starts_with(&format!("  {name} "))), "{name}: {experiments}");
    }
}
