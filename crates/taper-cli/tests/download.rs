//! `taper download`, where the data are already: no test touches the network.

mod common;

use common::{Place, black_cifar};
use std::fs;

/// Where the program downloads to, in the folder that is its home.
const DOWNLOADS: &str = ".cache/taper/datasets";

#[test]
fn data_that_are_there_are_checked() {
    let place = Place::new();
    let folder = black_cifar(&place.path("data"));
    let ran = place.ok("download cifar --dir data");
    assert!(ran.out.contains("CIFAR-10 is in data/cifar-10-batches-bin already"), "{ran:?}");

    let batch = fs::File::options().write(true).open(folder.join("data_batch_3.bin")).unwrap();
    batch.set_len(30_729_999).unwrap();
    let advice = "; remove the folder it is in and fetch the data again";
    let truncated = "data_batch_3.bin: truncated: expected 30730000 bytes, found 30729999";
    place.fails("download cifar --dir data", 1, &[truncated, advice]);
    fs::remove_file(folder.join("data_batch_3.bin")).unwrap();
    place.fails("download cifar --dir data", 1, &["data_batch_3.bin: no such file; ", advice]);
}

#[test]
fn weights_that_are_there_are_found() {
    let place = Place::new();
    let folder = place.path("data/weights/resnet18");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("resnet18-f37072fd.pth"), "fetched").unwrap();
    let ran = place.ok("fetch resnet18 --dir data");
    let path = "data/weights/resnet18/resnet18-f37072fd.pth";
    assert!(ran.out.contains(&format!("ResNet-18, ImageNet-1k, 69.758% top 1: in {path} already")), "{ran:?}");
    assert!(ran.out.contains(&format!("`taper train EXPERIMENT --init {path}` begins with them")), "{ran:?}");
    assert_eq!(place.ok("fetch resnet18 --dir data --quiet").out, "");
    let due =
        ["no published weights are known for `resnet19`; known: alexnet, ", "hint: did you mean resnet18 or resnet"];
    place.fails("fetch resnet19", 2, &due);
}

#[test]
fn a_collection_that_is_there_is_found() {
    let place = Place::new();
    let path = "data/collections/fsdd/free-spoken-digit-dataset-1.0.9/recordings";
    fs::create_dir_all(place.path(path)).unwrap();
    let ran = place.ok("download fsdd --dir data");
    assert!(ran.out.contains(&format!("Free Spoken Digit Dataset 1.0.9 is in {path} already")), "{ran:?}");
    assert!(ran.out.contains("; CC BY-SA 4.0\n"), "{ran:?}");
    assert!(ran.out.contains(&format!("`taper train speech --data-dir {path}` learns from it")), "{ran:?}");
    assert_eq!(place.ok("download fsdd --dir data --quiet").out, "");
    for (name, path, due) in [
        ("lfw", "lfw/lfw", "`taper train verify --set data.name=lfw` learns from it"),
        (
            "movielens-small",
            "movielens-small/ml-latest-small",
            "`taper train recommend --data-dir movielens-small` learns",
        ),
        ("voc2007", "voc2007/VOCdevkit/VOC2007", "`taper train detect --data-dir voc2007` learns"),
    ] {
        fs::create_dir_all(place.path(DOWNLOADS).join("collections").join(path)).unwrap();
        let ran = place.ok(&format!("download {name}"));
        assert!(ran.out.contains(due), "{ran:?}");
    }
}

/// A run is of the collection, whatever folder it lies in.
#[test]
fn a_collection_is_learned_from_by_its_name() {
    let place = Place::new();
    let train = "train text --threads 1 --offline --epochs 1 --set train.epoch_steps=3 --set schedule.warmup=0.0 --set model.n_layer=1 \
                 --set log.report=false --set log.tensorboard=false";
    let due = [
        "Tiny Shakespeare: expected ",
        "input.txt, which is not there, and the network was not asked (offline); allow",
    ];
    place.fails(&format!("{train} --data-dir tiny-shakespeare --run-dir none"), 1, &due);
    let due = "or the collection tiny-shakespeare, found the collection lfw, which is for `verify`";
    place.fails(&format!("{train} --data-dir lfw --run-dir other"), 2, &["data.path: expected a path, ", due]);

    let folder = place.path(DOWNLOADS).join("collections/tiny-shakespeare");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("input.txt"), "to be or not to be, that is the question. ".repeat(100)).unwrap();
    let ran = place.ok(&format!("{train} --data-dir tiny-shakespeare --run-dir run"));
    assert!(ran.out.contains("Tiny Shakespeare from "), "{ran:?}");
    let config = place.read("run/config.toml");
    assert!(
        config.contains("\npath = \"tiny-shakespeare\"\n") && config.contains("origin = \"downloads\""),
        "{config}"
    );
    let eval = place.ok("eval run --offline");
    assert!(eval.last_line() == ran.last_line() && !eval.out.contains("not the data of that run"), "{eval:?}");
    // A file of this name is what is meant where there is one.
    fs::write(place.path("tiny-shakespeare"), "so it is, and so it was, and so it is. ".repeat(100)).unwrap();
    let own = place.ok(&format!("{train} --data-dir tiny-shakespeare --run-dir own"));
    assert!(!own.out.contains("Tiny Shakespeare"), "{own:?}");
    assert!(place.read("own/config.toml").contains("origin = \"own\""));
}
