//! `taper train FILE.toml`: an experiment that a user wrote.

mod common;

use common::Place;

fn place(text: &str) -> Place {
    let place = Place::new();
    std::fs::write(place.path("my.toml"), text).unwrap();
    place
}

#[test]
fn a_file_is_trained_as_its_experiment_is() {
    let place = place("experiment = \"digits\"\n[train]\nepochs = 1\nbatch_size = 32\n[optimizer]\nlr = 0.01\n");
    let ran = place.ok("train my.toml --seed 5 --run-dir own --quiet");
    let flags = "--epochs 1 --batch-size 32 --lr 0.01 --seed 5 --run-dir flags --quiet";
    assert_eq!(place.ok(&format!("train digits {flags}")).last_line(), ran.last_line());
    assert!(place.bytes("own/model.safetensors") == place.bytes("flags/model.safetensors"), "other weights");
    let config: toml::Table = place.read("own/config.toml").parse().unwrap();
    assert_eq!(config["train"]["batch_size"].as_integer(), Some(32));
    assert_eq!(config["record"]["experiment"].as_str(), Some("digits"));
    assert_eq!(place.ok("eval own --quiet").last_line(), ran.last_line());
    assert_eq!(place.ok("-v train my.toml --seed 5 --resume own --quiet").last_line(), ran.last_line());

    // As `--config` it is the same, for the commands on experiments too.
    place.ok("train digits --config my.toml --run-dir again --quiet");
    assert!(place.ok("find-lr my.toml").last_line().starts_with("--lr "));
    std::fs::write(place.path("space.toml"), "optimizer.lr = { log = [1e-3, 1e-1] }").unwrap();
    let tuned = place.ok("tune my.toml --space space.toml --trials 1 --max-epochs 1 --quiet");
    assert!(tuned.last_line().starts_with("taper train digits --set "), "{tuned:?}");
    for setting in ["train.epochs=1", "train.batch_size=32"] {
        assert!(tuned.last_line().contains(&format!(" --set {setting} ")), "{tuned:?}");
    }
}

/// Where only one experiment has the data, these say enough.
#[test]
fn the_data_may_say_which_experiment_it_is() {
    let place = place("data.name = \"digits\"\ntrain.max_steps = 1\n");
    place.ok("train my.toml --run-dir run --quiet");
    let config: toml::Table = place.read("run/config.toml").parse().unwrap();
    assert_eq!(config["record"]["experiment"].as_str(), Some("digits"));
}

#[test]
fn a_file_that_is_wrong_is_told() {
    let place = place("[train]\nepochs = 2\n");
    let due = "my.toml: which experiment do these settings change? known: autoencoder, cifar, ";
    place.fails("train my.toml", 2, &[due, "hint: write experiment = \"NAME\" on the first line"]);
    place.fails("train none.toml", 1, &["cannot read none.toml: "]);
    for (text, line, texts) in [
        ("experiment = \"digit\"", "train my.toml", &["my.toml: unknown experiment `digit`; did you mean digits?"][..]),
        ("experiment = 3", "train my.toml", &["my.toml: experiment: expected the name of an experiment, found 3"]),
        ("experiment = \"cifar\"", "train digits --config my.toml", &["my.toml: its experiment is cifar, not digits"]),
        ("experiment = \"digits\"\ntrain.epoch = 2", "train my.toml", &["unknown key `train.epoch`; did you mean"]),
        ("experiment = \"digits\"", "train my.toml --config my.toml", &["'--config <FILE>' cannot be used multiple"]),
        ("experiment = ", "train my.toml", &["my.toml: TOML parse error at line 1"]),
    ] {
        std::fs::write(place.path("my.toml"), text).unwrap();
        place.fails(line, 2, texts);
    }
    assert!(!place.path("runs").exists());
}
