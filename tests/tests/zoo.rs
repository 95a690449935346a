//! Every model of the zoo has a record of PyTorch's to be compared with, and as many parameters as its paper says.

use std::path::Path;
use taper::config::Named;
use taper_models::{CIFAR10, IMAGENET, models, summary};

/// Each model, and the record that it is held to: of `tests/peers/parity`, or of the tests of `taper-models`.
const RECORDED: &[(&str, &str)] = &[
    ("airbench", "torch_zoo.json"),
    ("detector", "detector.safetensors"),
    ("dlinear", "dlinear.safetensors"),
    ("fcos", "fcos.safetensors"),
    ("gpt2", "gpt2.safetensors"),
    ("alexnet", "alexnet.safetensors"),
    ("googlenet", "googlenet.safetensors"),
    ("lenet5", "lenet5.safetensors"),
    ("lstm", "lstm_forecaster.safetensors"),
    ("mf", "mf.safetensors"),
    ("mlp", "mlp.safetensors"),
    ("nbeats", "nbeats.safetensors"),
    ("neumf", "neumf.safetensors"),
    ("nlinear", "nlinear.safetensors"),
    ("perceptron", "perceptron.safetensors"),
    ("recurrent-lm", "recurrent_lm.safetensors"),
    ("resnet101", "resnet101.safetensors"),
    ("resnet110", "resnet110.safetensors"),
    ("resnet152", "resnet152.safetensors"),
    ("resnet18", "resnet18.safetensors"),
    ("resnet20", "resnet20.safetensors"),
    ("resnet32", "resnet32.safetensors"),
    ("resnet34", "resnet34.safetensors"),
    ("resnet50", "resnet50.safetensors"),
    ("resnet56", "resnet56.safetensors"),
    ("seed-cnn", "torch_models.json"),
    ("transformer", "transformer.safetensors"),
    ("unet", "unet.safetensors"),
    ("vae", "vae.safetensors"),
    ("vit", "vit.safetensors"),
    ("vit_b_16", "vit.safetensors"),
    ("vgg11", "vgg11.safetensors"),
    ("vgg11_bn", "vgg11_bn.safetensors"),
    ("vgg13", "vgg13.safetensors"),
    ("vgg13_bn", "vgg13_bn.safetensors"),
    ("vgg16", "vgg16.safetensors"),
    ("vgg16_bn", "vgg16_bn.safetensors"),
    ("vgg19", "vgg19.safetensors"),
    ("vgg19_bn", "vgg19_bn.safetensors"),
];

#[test]
fn every_model_has_a_record_of_pytorchs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for info in models() {
        let Some((_, record)) = RECORDED.iter().find(|(model, _)| *model == info.name) else {
            panic!("{} has no record: see \"Adding a model\" in taper-models' README", info.name);
        };
        let folder = if record.ends_with(".json") { "../crates/taper-models/tests/data" } else { "peers/parity" };
        assert!(root.join(folder).join(record).is_file(), "{}: there is no record {record}", info.name);
    }
    for (name, _) in RECORDED {
        assert!(models().iter().any(|info| info.name == *name), "{name} is no model of the zoo");
    }
}

/// The numbers of parameters that papers and torchvision give, and those of the networks that are this project's own.
#[test]
fn parameters_are_as_many_as_published() {
    let due = |name: &str| -> Option<usize> {
        Some(match name {
            "airbench" => 1_971_352,
            "alexnet" => 61_100_840,
            "googlenet" => 13_004_888, // with the auxiliary heads
            "gpt2" => 124_439_808,
            "lenet5" => 61_706,
            "mlp" => 118_282,
            "perceptron" => 7_850,
            "resnet18" => 11_689_512,
            "resnet20" => 269_722,
            "resnet32" => 464_154,
            "resnet34" => 21_797_672,
            "resnet50" => 25_557_032,
            "resnet56" => 853_018,
            "resnet101" => 44_549_160,
            "resnet110" => 1_727_962,
            "resnet152" => 60_192_808,
            "seed-cnn" => 4_275_594,
            "vgg11" => 132_863_336,
            "vgg11_bn" => 132_868_840,
            "vgg13" => 133_047_848,
            "vgg13_bn" => 133_053_736,
            "vgg16" => 138_357_544,
            "vgg16_bn" => 138_365_992,
            "vgg19" => 143_667_240,
            "vgg19_bn" => 143_678_248,
            "vit_b_16" => 86_567_656,
            // No paper gives a number.
            _ => return None,
        })
    };
    let mut known = 0;
    for info in models() {
        let found = summary(info.name, None).unwrap_or_else(|error| panic!("{}: {error}", info.name));
        if let Some(due) = due(info.name) {
            assert_eq!(found.parameters(), due, "{}", info.name);
            known += 1;
        }
        assert!(found.flop() > 0, "{}", info.name);
    }
    assert_eq!(known, 26);
    let count = |named: Named, input| summary(named, Some(input)).unwrap().parameters();
    assert_eq!(count(Named::new("googlenet").with("aux_logits", false), IMAGENET), 6_624_904);
    assert_eq!(count(Named::new("resnet18"), CIFAR10), 11_173_962);
    assert_eq!(count(Named::new("resnet18").with("stem", "imagenet"), CIFAR10), 11_689_512 - 513 * 990);
}

/// A layer's FLOP by hand: 2 · K² · C_in multiply-adds for each output.
#[test]
fn flop_are_those_of_the_definition() {
    let found = summary("resnet50", None).unwrap();
    let of = |path: &str| found.layers.iter().find(|layer| layer.path == path).unwrap();
    assert_eq!(of("conv1").flop, 2 * 49 * 3 * 64 * 112 * 112);
    assert_eq!(of("layer4.2.conv3").flop, 2 * 512 * 2048 * 49);
    assert_eq!(of("layer4.2.conv3").output.as_ref().unwrap().dims(), [2048, 7, 7]);
    assert_eq!(of("fc").flop, 2 * 2048 * 1000);
    // torchvision counts 4.09 G multiply-adds, products alone.
    assert!((found.flop() as f64 / 2.0 / 4.09e9 - 1.0).abs() < 0.01, "{}", found.flop());
}
