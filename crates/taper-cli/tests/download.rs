//! `taper download`, where the data are already: no test touches the network.

mod common;

use common::{Place, black_cifar};

#[test]
fn data_that_are_there_are_checked() {
    let place = Place::new();
    let folder = black_cifar(&place.path("data"));
    let ran = place.ok("download cifar --dir data");
    assert!(ran.out.contains("CIFAR-10 is in data/cifar-10-batches-bin already"), "{ran:?}");

    let batch = std::fs::File::options().write(true).open(folder.join("data_batch_3.bin")).unwrap();
    batch.set_len(30_729_999).unwrap();
    let advice = "; remove the folder it is in and fetch the data again";
    let truncated = "data_batch_3.bin: truncated: expected 30730000 bytes, found 30729999";
    place.fails("download cifar --dir data", 1, &[truncated, advice]);
    std::fs::remove_file(folder.join("data_batch_3.bin")).unwrap();
    place.fails("download cifar --dir data", 1, &["data_batch_3.bin: no such file; ", advice]);
}

#[test]
fn weights_that_are_there_are_found() {
    let place = Place::new();
    let folder = place.path("data/weights/resnet18");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("resnet18-f37072fd.pth"), "fetched").unwrap();
    let ran = place.ok("fetch resnet18 --dir data");
    let path = "data/weights/resnet18/resnet18-f37072fd.pth";
    assert!(ran.out.contains(&format!("ResNet-18, ImageNet-1k, 69.758% top 1: in {path} already")), "{ran:?}");
    assert!(ran.out.contains(&format!("`taper train EXPERIMENT --init {path}` begins with them")), "{ran:?}");
    assert_eq!(place.ok("fetch resnet18 --dir data --quiet").out, "");
    let due =
        ["no published weights are known for `resnet19`; known: alexnet, ", "hint: did you mean resnet18 or resnet"];
    place.fails("fetch resnet19", 2, &due);
}
