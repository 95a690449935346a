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
