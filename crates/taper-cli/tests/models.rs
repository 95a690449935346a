//! `models` and `summary`: what they print, and what they say of a wrong request.

mod common;

use common::Place;
use serde_json::Value;

#[test]
fn models_are_listed() {
    let place = Place::new();
    let out = place.ok("models").out;
    // Without a terminal lines are written for 100 columns.
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    let row = |name: &str| -> Vec<String> {
        let line = out.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.split_whitespace().map(String::from).collect()
    };
    assert_eq!(row("model"), ["model", "parameters", "FLOP", "input", "source"]);
    assert_eq!(row("vgg16")[..5], ["vgg16", "138,357,544", "30.9", "G", "3x224x224"]);
    let json: Value = serde_json::from_str(&place.ok("models --json").out).unwrap();
    let lenet = json.as_array().unwrap().iter().find(|model| model["name"] == "lenet5").unwrap();
    assert_eq!((lenet["parameters"].as_u64(), lenet["input"].as_str()), (Some(61_706), Some("1x28x28")));
    assert!(lenet["source"].as_str().unwrap().starts_with("LeCun"), "{lenet}");
}

#[test]
fn a_models_layers_are_shown() {
    let place = Place::new();
    let out = place.ok("summary lenet5").out;
    // 2 · 5 · 5 multiply-adds for each of 6 · 28 · 28 outputs; by hand.
    assert!(out.contains("conv1        6x28x28          156   235 k  28.0%\n"), "{out}");
    assert!(out.contains("\n\nlenet5 takes 1x28x28, gives 10.\n61,706 parameters, 247 kB in f32; "), "{out}");
    for model in ["resnet50", "googlenet", "vgg16_bn", "seed-cnn", "airbench"] {
        let out = place.ok(&format!("summary {model}")).out;
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    }
    let heads = place.ok("summary googlenet --depth 1").out;
    assert!(heads.contains("aux1         -            3,188,968       -      -\n"), "{heads}");
    assert!(heads.contains("Layers without an output did not run"), "{heads}");

    let json = place.ok("summary mlp --set model.hidden=[7,5] --input 1x8x8 --classes 3 --json").out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["parameters"], 64 * 7 + 7 + 7 * 5 + 5 + 5 * 3 + 3);
    assert_eq!(json["outputs"], serde_json::json!([[3]]));
    assert_eq!((&json["layers"][0]["layer"], &json["layers"][0]["flop"]), (&"fc1".into(), &(2 * 64 * 7).into()));
}

/// Folded or not, the sums are those of the model.
#[test]
fn folding_keeps_the_sums() {
    let place = Place::new();
    let sums = |line: &str| -> Vec<u64> {
        let json: Value = serde_json::from_str(&place.ok(line).out).unwrap();
        let layers = json["layers"].as_array().unwrap();
        let sum = |key: &str| layers.iter().map(|layer| layer[key].as_u64().unwrap()).sum();
        vec![sum("parameters"), sum("flop"), json["parameters"].as_u64().unwrap(), json["flop"].as_u64().unwrap()]
    };
    let all = sums("summary resnet18 --json");
    assert_eq!((all[0], all[1]), (all[2], all[3]));
    for depth in 0..4 {
        assert_eq!(sums(&format!("summary resnet18 --json --depth {depth}")), all);
    }
}

#[test]
fn a_runs_model_is_shown_as_it_was_trained() {
    let place = Place::new();
    place.ok("train digits --epochs 1 --max-steps 1 --set model.hidden=[9] --run-dir run --quiet");
    let out = place.ok("summary run").out;
    // 8 × 8 digits of 10 classes.
    assert!(out.contains("fc1    9              585"), "{out}");
    assert!(out.contains("mlp takes 1x8x8, gives 10.\n685 parameters"), "{out}");
    place.fails("summary run --classes 3", 2, &["--set, --input and --classes are of a model: a run has its own"]);
    place.ok("train autoencoder --epochs 1 --max-steps 1 --run-dir other --quiet");
    place.fails("summary other", 1, &["its model, autoencoder, is none of the zoo's"]);
    std::fs::create_dir(place.path("empty")).unwrap();
    place.fails("summary empty", 1, &["empty"]);
}

#[test]
fn a_wrong_request_says_what_is_there() {
    let place = Place::new();
    for (line, texts) in [
        ("summary resnet5", &["unknown model `resnet5`; did you mean resnet50 or ", "`taper models` lists them"][..]),
        ("summary mlp --set model.hiden=3", &["unknown key of the model mlp; did you mean hidden?"]),
        ("summary mlp --set hidden=3", &["--set hidden: expected a key of the model, model.KEY"]),
        ("summary mlp --set model.activation=rleu", &["model.activation: expected"]),
        ("summary resnet18 --set model.width=0", &["model.width: expected a number between 0.01 and 100"]),
        ("summary resnet18 --input 224", &["expected channels, height and width, such as 3x224x224, found 224"]),
        ("summary alexnet --input 3x32x32", &["expected pictures of at least 1x63x63, came 3x32x32"]),
        ("summary vgg11 --classes 0", &["out_features must be at least 1, came as 0 (in layer classifier.6)"]),
        ("summary googlenet --input 1x64x64 --set model.transform_input=true", &["3 channels, came 1x64x64"]),
    ] {
        place.fails(line, 2, texts);
    }
}
