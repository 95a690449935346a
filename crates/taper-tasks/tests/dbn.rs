//! A deep belief network's pretraining: it knows the digits that it makes up, and goes on to the bit where it was paused.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use taper_data::LocateOptions;
use taper_models::Dbn;
use taper_nn::{DType, Device, Params, RandomKey, Tensor, no_grad, weights};
use taper_tasks::experiment;
use taper_train::{Config, Override, Silent, TrainOptions, train};

const HIDDEN: [usize; 2] = [64, 128];

fn config(epochs: u64) -> Config {
    let text = format!("train.epochs = {epochs}\ntask.chains = 40\nmodel.hidden = [64, 128]");
    experiment("dbn").unwrap().config().with(&Override::read(&text, "here").unwrap()).unwrap()
}

/// Trains in `folder`, and gives the accuracy on the test split, if it came to the end.
fn run(folder: &Path, epochs: u64, pause_after: Option<u64>, resume: bool) -> Option<f64> {
    let device = Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap());
    let options = TrainOptions {
        run_dir: Some(folder.to_path_buf()),
        resume,
        pause_after,
        test: true,
        runs: folder.join("runs"),
        locate: LocateOptions::default(),
        commit: None,
        command: None,
        stop: &AtomicBool::new(false),
    };
    let (.., outcome) = train(experiment("dbn").unwrap(), &config(epochs), &device, options, &mut Silent).unwrap();
    outcome.test.and_then(|test| test.get("accuracy"))
}

#[test]
fn it_knows_the_digits_that_it_makes_up() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    let accuracy = run(&folder, 40, None, false).unwrap();
    assert!(accuracy > 0.7, "{accuracy}");

    let device = Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap());
    let params = Params::new(&device, DType::F32, RandomKey::new(9));
    let dbn = Dbn::new(64, &HIDDEN, 10, &params).unwrap();
    let report = weights::load_partial(&params.all(), folder.join("model.safetensors")).unwrap();
    assert_eq!(report.unexpected, ["chain"]);
    let classes: Vec<i64> = (0..200).map(|i| i % 10).collect();
    let one_hot = Tensor::from_vec(classes.clone(), [200], &device).unwrap().one_hot(10).unwrap();
    let found = no_grad(|| {
        let made = dbn.sample(&one_hot.cast(DType::F32)?, 100, RandomKey::new(1))?;
        dbn.classify(&made)?.argmax(1, false)?.to_vec::<i64>()
    });
    let right = found.unwrap().iter().zip(&classes).filter(|(a, b)| a == b).count();
    // A tenth by chance.
    assert!(right > 100, "{right} of 200");

    // What it has learned shows in its report.
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("Receptive fields of layer 2") && page.contains("Samples"));
}

#[test]
fn a_paused_run_goes_on_to_the_bit() {
    let root = tempfile::tempdir().unwrap();
    let [straight, paused] = ["straight", "paused"].map(|name| root.path().join(name));
    run(&straight, 6, None, false).unwrap();
    // In the middle of the top layer's epochs, where the chains have moved.
    assert_eq!(run(&paused, 6, Some(5), false), None);
    run(&paused, 6, None, true).unwrap();
    let read = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert!(read(&straight) == read(&paused));
}
