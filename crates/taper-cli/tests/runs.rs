//! `taper runs` lists runs and puts them beside each other.

mod common;

use common::Place;

/// A finished run, or, without `end`, one that was killed an hour ago.
fn make(place: &Place, name: &str, lr: &str, accuracy: f64, end: &str) {
    let folder = place.path("runs").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let config = format!(
        "model = \"mlp\"\n[train]\nepochs = 2\ninit = \"\"\n[optimizer]\nlr = {lr}\n[record]\nexperiment = \"digits\"\n"
    );
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let metrics = format!(
        "{{\"step\":10,\"loss\":2.25}}\n{{\"epoch\":1,\"train_loss\":1.5,\"validation_loss\":0.5,\
         \"validation_accuracy\":{accuracy},\"images_per_s\":800,\"seconds\":90}}\n{end}"
    );
    let path = folder.join("metrics.jsonl");
    std::fs::write(&path, metrics).unwrap();
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(hour_ago).unwrap();
}

fn place() -> Place {
    let place = Place::new();
    let end = "{\"test_loss\":0.25,\"test_accuracy\":0.9375,\"seconds\":2}\n";
    make(&place, "digits-1", "0.01", 0.875, end);
    make(&place, "digits-2", "0.1", 0.96875, "");
    std::fs::create_dir(place.path("runs/odd")).unwrap();
    place
}

#[test]
fn runs_are_listed_with_what_is_wrong_with_some() {
    let place = place();
    let list = place.ok("runs").out;
    let due = "\
run       experiment  model  state       epochs  validation    test   time  differs in
digits-1  digits      mlp    finished       1/2      87.50%  93.75%  1m32s  optimizer.lr=0.01
digits-2  digits      mlp    unfinished     1/2      96.88%       -  1m30s  optimizer.lr=0.1
odd       -           -      broken           -           -       -      -  (below)
odd: no config.toml: not the folder of a run
";
    assert_eq!(list, due);
    assert_eq!(place.ok("runs runs").out, list);
    assert_eq!(place.ok("runs runs/digits-1").out.lines().count(), 2);
    let names = |line: &str| -> Vec<String> {
        let out = place.ok(line).out;
        out.lines().skip(1).take(3).map(|line| line.split(' ').next().unwrap().to_string()).collect()
    };
    assert_eq!(names("runs --sort validation"), ["digits-2", "digits-1", "odd"]);
    assert_eq!(names("runs --sort test"), ["digits-1", "digits-2", "odd"]);
    assert_eq!(names("runs --sort time"), ["digits-1", "digits-2", "odd"]);
    assert_eq!(names("runs --sort state"), ["digits-1", "digits-2", "odd"]);
}

#[test]
fn runs_beside_each_other_show_results_and_the_keys_that_differ() {
    let place = place();
    let out = place.ok("runs --compare digits-2 runs/digits-1").out;
    let due = "
                          digits-2    digits-1
experiment                digits      digits
state                     unfinished  finished
epochs                    1/2         1/2
best validation loss      0.5000      0.5000
best validation accuracy  96.88%      87.50%
test loss                 -           0.2500
test accuracy             -           93.75%
last training loss        1.5000      1.5000
last training accuracy    -           -
samples a second          800         800
time                      1m30s       1m32s
optimizer.lr              0.1         0.01
";
    assert_eq!(out, due[1..]);
    let sorted = place.ok("runs --sort name --compare digits-2 digits-1").out;
    assert!(sorted.lines().next().unwrap().trim().starts_with("digits-1  "), "{sorted}");
    let broken = place.ok("runs --compare digits-1 odd").out;
    assert_eq!(broken.lines().last(), Some("odd: no config.toml: not the folder of a run"), "{broken}");
}

/// Where standard output is no terminal, a line has 100 columns at most, and no run is left out.
#[test]
fn lines_fit_whatever_names_and_settings_are() {
    let place = Place::new();
    let names: Vec<String> = (0..12).map(|i| format!("run-{i:02}-{}", "of-a-long-name-".repeat(i % 4))).collect();
    for (i, name) in names.iter().enumerate() {
        make(&place, name, &format!("0.{i}123456789\nbetas = [0.9, 0.99{i}]\nweight_decay = 1e-{i}"), 0.5, "");
    }
    let text = "model = ";
    std::fs::create_dir(place.path("runs/broken")).unwrap();
    std::fs::write(place.path("runs/broken/config.toml"), text).unwrap();
    for line in ["runs".to_string(), format!("runs --compare {} broken", names.join(" "))] {
        let out = place.ok(&line).out;
        let long: Vec<&str> = out.lines().filter(|line| line.chars().count() > 100).collect();
        assert_eq!(long, [""; 0], "{out}");
        assert!((0..12).all(|i| out.contains(&format!("run-{i:02}"))), "{out}");
        assert!(out.contains("\nbroken: config.toml: line 1: "), "{out}");
        assert!(out.contains('…'), "{out}");
    }
}

#[test]
fn json_has_everything() {
    let place = place();
    let out = place.ok("runs --format json").out;
    let runs: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(runs.as_array().map(Vec::len), Some(3));
    assert_eq!(runs[0]["state"], "finished");
    assert_eq!(runs[0]["test_accuracy"], 0.9375);
    assert_eq!(runs[0]["differs"]["optimizer.lr"], "0.01");
    assert_eq!(runs[1]["settings"]["train.epochs"], "2");
    assert_eq!(runs[2]["problem"], "no config.toml: not the folder of a run");
}

#[test]
fn where_there_are_none_it_is_said() {
    let place = Place::new();
    assert_eq!(place.ok("runs").out, "no runs in runs; `taper train digits` makes one\n");
    assert_eq!(place.ok("runs --format json").out, "[]\n");
    place.fails("runs none", 1, &["cannot read the folder none: "]);
    place.fails("runs --compare a b", 2, &["no run `a` in runs\nhint: `taper runs` lists them"]);
    place.fails("runs --sort accuracy", 2, &["invalid value 'accuracy'", "validation"]);
    place.fails("runs --compare a", 2, &["--compare"]);
    make(&place, "digits-1", "0.01", 0.5, "");
    place.fails("runs --compare digits-1 digits-3", 2, &["no run `digits-3` in runs; did you mean digits-1?"]);
}

/// A run made by `train`, whatever it writes, is read.
#[test]
fn what_train_leaves_is_listed() {
    let place = Place::new();
    place.ok("train digits --max-steps 2 --run-dir runs/a --quiet");
    let out = place.ok("runs").out;
    let row = out.lines().nth(1).unwrap();
    assert!(row.starts_with("a    digits      mlp    "), "{out}");
    assert!(!row.contains("broken") && row.contains("1/20"), "{out}");
}

#[test]
fn each_flag_is_explained_with_its_default() {
    let place = Place::new();
    assert!(place.ok("--help").out.lines().any(|line| line.trim_start().starts_with("runs ")));
    let help = place.ok("runs --help").out;
    for flag in ["[DIR]", "--compare", "--sort", "--format"] {
        let line = help.lines().position(|line| line.trim_start().starts_with(flag));
        let line = line.unwrap_or_else(|| panic!("{flag} is missing in {help}"));
        let text: Vec<&str> = help.lines().skip(line).take(3).collect();
        assert!(text.join(" ").contains("[default: "), "{flag}: {text:?}");
    }
}
