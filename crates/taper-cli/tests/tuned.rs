//! Runs that begin with the weights of others: a new head, frozen layers, rates of their own, PyTorch's files.

#![cfg(feature = "images")]

mod common;

use common::{Place, pictures};
use std::fs;

/// From three classes to two: the body from a file, its first layers as they are there, the head new and at its own rate.
#[test]
fn a_model_is_tuned_for_other_classes() {
    let place = Place::new();
    pictures(&place, "three", 4);
    pictures(&place, "two", 4);
    fs::remove_dir_all(place.path("two/red")).unwrap();
    let sizes = "--threads 1 --model resnet18 --size 8 --batch-size 4 --max-steps 1 --set train.drop_last=true";
    place.ok(&format!("train pictures three {sizes} --quiet --run-dir first"));
    let line = format!("train pictures two {sizes} --init first/model.safetensors");
    let told = "120 of 122 tensors begin as in first/model.safetensors; a new head: fc.weight is [3, 512] in the file, \
                expected [2, 512], fc.bias is [3] in the file, expected [2]";
    let ran = place.ok(&format!("{line} --freeze layer[1-3].* --freeze *bn1* --group-lr fc.*=0.5 --run-dir tuned"));
    assert!(ran.out.contains(told), "{ran:?}");
    // What is frozen is as in the file, statistics too; what is not has moved.
    let device = taper::device("cpu").unwrap();
    let tensor = |run: &str, name: &str| {
        let file = taper::nn::weights::read(place.path(run).join("model.safetensors")).unwrap();
        file.tensor(name, &device).unwrap().to_vec::<f32>().unwrap()
    };
    for name in ["layer1.0.conv1.weight", "layer3.1.bn2.running_mean", "bn1.running_var"] {
        assert_eq!(tensor("tuned", name), tensor("first", name), "{name}");
    }
    for name in ["layer4.0.conv1.weight", "layer4.1.bn2.running_mean", "conv1.weight"] {
        assert_ne!(tensor("tuned", name), tensor("first", name), "{name}");
    }
    let config: toml::Table = place.read("tuned/config.toml").parse().unwrap();
    let groups: Vec<_> = config["groups"].as_array().unwrap().iter().map(|group| group["pattern"].as_str()).collect();
    assert_eq!(groups, [Some("fc.*"), Some("layer[1-3].*"), Some("*bn1*")]);
    assert_eq!(config["groups"][0]["optimizer"]["lr"].as_float(), Some(0.5));
    // The head alone; and the same line goes on with the run.
    let alone = format!("{line} --freeze * --group-lr fc.*=0.5 --resume head");
    place.ok(&alone);
    assert_eq!(tensor("head", "layer4.0.conv1.weight"), tensor("first", "layer4.0.conv1.weight"));
    place.ok(&alone);
    for (flags, code, text) in [
        (
            "--freeze layer5.*",
            2,
            "groups: no parameter is left that matches \"layer5.*\"; the model has conv1.weight, ",
        ),
        ("--freeze *", 2, "groups: every parameter is frozen: there is nothing to train"),
        ("--group-lr fc.*", 2, "--group-lr: expected PATTERN=RATE, found fc.*"),
        ("--group-lr fc.*=-1", 2, "groups: \"fc.*\": optimizer.lr: expected a number from 1e-37 to 1e37, found -1"),
        ("--set init.skip=[\"head.*\"]", 1, "skip: no parameter matches \"head.*\"; the model has conv1.weight, "),
        ("--set init.rename=[\"fc\"]", 2, "init.rename: expected a list such as [\"h.*=blocks.*\"], found "),
        (
            "--set model.name=seed-cnn",
            1,
            "first/model.safetensors do not fit, nothing was loaded (the file has 122 tensors of ",
        ),
    ] {
        place.fails(&format!("{line} --run-dir wrong {flags}"), code, &[text]);
    }
}

/// PyTorch's own files, by hand and with a prefix.
#[cfg(feature = "pytorch")]
#[test]
fn weights_of_pytorch_begin_a_run() {
    let place = Place::new();
    for name in ["checkpoint.pt", "digits_mlp.pth", "module.pt"] {
        let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../taper-nn/tests/data/pickles").join(name);
        fs::copy(from, place.path(name)).unwrap();
    }
    let line = "train digits --model mlp --set model.hidden=[4] --threads 1 --max-steps 1 --set optimizer.lr=1e-30 \
                --run-dir a --init";
    // Nothing of another model, and what is no state dict.
    place.fails(
        &format!("{line} checkpoint.pt --set init.partial=true"),
        1,
        &["none of the weights of checkpoint.pt fits"],
    );
    place.fails(
        &format!("{line} module.pt"),
        1,
        &["module.pt: refused: the pickle refers to torch.nn.modules.container"],
    );
    let ran = place.ok(&format!("{line} digits_mlp.pth"));
    let told = "4 of 4 tensors begin as in digits_mlp.pth; the checkpoint's `model` was read, beside it is epoch; the prefix \
                module. was left out";
    assert!(ran.out.contains(told), "{ran:?}");
    let device = taper::device("cpu").unwrap();
    let read = |name: &str| taper::nn::weights::read(place.path(name)).unwrap();
    let values = |file: &str, tensor: &str| read(file).tensor(tensor, &device).unwrap().to_vec::<f32>().unwrap();
    assert_eq!(values("a/model.safetensors", "fc2.weight"), values("digits_mlp.pth", "module.fc2.weight"));
}
