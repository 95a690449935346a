//! What a run that diverges says and leaves behind.

mod common;

use common::{Data, Net, config, cross_entropy, metrics};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use taper_nn::{DType, Tensor};
use taper_train::{Error, Fit, Reporter, RunFolder, Silent};

fn plain(seed: u64) -> Net {
    Net::plain(DType::F32, seed)
}

fn folder() -> (tempfile::TempDir, RunFolder) {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path().join("run")).unwrap();
    (root, folder)
}

/// The checkpoint of an epoch is saved before it is measured: its weights may be what made the run diverge. Resumed
/// from them it fails again, and what was saved as good stays.
#[test]
fn a_diverged_run_that_is_resumed_keeps_the_good_weights() {
    let data = Data::few();
    // One step an epoch, after which weights are near 10^30.
    let settings = config(&["train.epochs=3", "train.batch_size=512", "optimizer.lr=1e30"]);
    let (_root, folder) = folder();
    let first = plain(0);
    let before = first.bits();
    let failed = first.fit(&settings, &data, Some((&folder, false)), None, Vec::new()).unwrap_err();
    let Error::NotFinite { what: "the validation loss", step: 1, kept: Some(0), saved: Some(_) } = &failed else {
        panic!("{failed:?}")
    };
    let text = failed.to_string();
    assert!(text.contains("the last good weights, those after 0 steps, are in "), "{text}");
    let good = fs::read(folder.model()).unwrap();
    let saved = plain(9);
    taper_nn::weights::load(&saved.params.all(), folder.model()).unwrap();
    assert!(saved.bits() == before);

    let resume = |stop: bool| plain(0).fit(&settings, &data, Some((&folder, true)), Some(&stop.into()), Vec::new());
    for _ in 0..2 {
        let failed = resume(false).unwrap_err();
        assert!(matches!(failed, Error::NotFinite { saved: None, .. }), "{failed:?}");
        assert!(!failed.to_string().contains("good weights"), "{failed}");
        assert!(fs::read(folder.model()).unwrap() == good, "good weights were replaced");
    }
    // Nor does a stop before the first loss.
    assert!(resume(true).unwrap().stopped);
    assert!(fs::read(folder.model()).unwrap() == good);
}

/// The same where only the test, at the very end, shows it.
#[test]
fn a_run_whose_test_diverged_keeps_the_good_weights() {
    let data = Data::few();
    let settings = config(&["train.epochs=1", "train.batch_size=512", "optimizer.lr=1e30"]);
    let (_root, folder) = folder();
    let run = || {
        let net = plain(0);
        let task = net.task();
        let fit = Fit::new(&settings, &task, &net.params, &data.train).test(&data.test).folder(&folder);
        fit.resume().run(&mut Silent).unwrap_err()
    };
    let failed = run();
    assert!(
        matches!(failed, Error::NotFinite { what: "the test loss", kept: Some(0), saved: Some(_), .. }),
        "{failed:?}"
    );
    let good = fs::read(folder.model()).unwrap();
    let failed = run();
    assert!(matches!(failed, Error::NotFinite { what: "the test loss", saved: None, .. }), "{failed:?}");
    assert!(fs::read(folder.model()).unwrap() == good);
}

/// Once a loss was finite, the checkpoint's weights are good, and are told and saved as such.
#[test]
fn a_finite_loss_makes_the_checkpoints_weights_good() {
    let data = Data::few();
    let settings = config(&["train.epochs=2", "train.batch_size=32", "train.log_every=1"]);
    let (_root, folder) = folder();
    let first = plain(0);
    let task = first.task();
    let fit = Fit::new(&settings, &task, &first.params, &data.train).folder(&folder);
    assert!(fit.pause_after(1).run(&mut Silent).unwrap().paused);
    let second = plain(1);
    let made = AtomicBool::new(false);
    let nan = |y: &Tensor, _: &Tensor| {
        let factor = if made.swap(true, Ordering::Relaxed) { f64::NAN } else { 1.0 };
        y.sum_all()?.mul_scalar(factor)
    };
    let task = second.task_of(&nan);
    let fit = Fit::new(&settings, &task, &second.params, &data.train).folder(&folder);
    let failed = fit.resume().run(&mut Silent).unwrap_err();
    assert!(matches!(failed, Error::NotFinite { step: 11, kept: Some(9), saved: Some(_), .. }), "{failed:?}");
    let saved = plain(2);
    taper_nn::weights::load(&saved.params.all(), folder.model()).unwrap();
    assert!(saved.bits() == first.bits());
}

/// What is watched are the gradients themselves, not what clipping leaves of them.
#[test]
fn gradients_are_watched_before_they_are_clipped() {
    let data = Data::few();
    let norms = |clip: &str| {
        let (_root, folder) = folder();
        let rate = ["train.epochs=1", "train.log_every=1", "optimizer.name=sgd", "optimizer.lr=1e-9"];
        let settings = config(&[rate.as_slice(), &[clip]].concat());
        plain(0).fit(&settings, &data, Some((&folder, false)), None, Vec::new()).unwrap();
        let lines = metrics(folder.path());
        lines.iter().filter_map(|line| line.get("gradient_norm")?.as_f64()).collect::<Vec<_>>()
    };
    let free = norms("regularization.clip_norm=0");
    assert!(free.len() == 5 && free.iter().all(|&norm| norm > 0.1), "{free:?}");
    for clip in ["regularization.clip_norm=1e-3", "regularization.clip_value=1e-4"] {
        let far = norms(clip).iter().zip(&free).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
        assert!(far < 1e-3, "{clip}: {far}");
    }
}

#[derive(Default)]
struct Notes(Vec<String>);

impl Reporter for Notes {
    fn note(&mut self, text: &str) {
        self.0.push(text.into());
    }
}

/// The loss is finite, and so is every gradient but that of one bias: √0 adds nothing, and its slope is infinite. An
/// epoch has five steps; norms are looked at in the first, every `log_every` and the last.
#[test]
fn a_gradient_that_is_not_finite_is_named() {
    let data = Data::few();
    for (bad, more, named) in [
        (1, "train.log_every=1", true),
        (3, "train.log_every=3", true),
        (5, "train.log_every=1000", true),
        (4, "train.log_every=1000", false),
        // Nor are those to which clipping spreads NaN, nor what has no gradient.
        (5, "regularization.clip_norm=1", true),
        (5, "groups=[{pattern=\"fc2.bias\", frozen=true}]", true),
    ] {
        let net = plain(0);
        let bias = net.params.all().into_iter().find(|param| param.name() == "fc1.bias").unwrap();
        let made = AtomicU64::new(0);
        let steep = |y: &Tensor, labels: &Tensor| {
            let loss = cross_entropy(y, labels)?;
            match made.fetch_add(1, Ordering::Relaxed) + 1 {
                step if step == bad => loss.add(&bias.tensor().mul_scalar(0.0)?.abs()?.sqrt()?.sum_all()?),
                _ => Ok(loss),
            }
        };
        let settings = config(&["optimizer.name=sgd", more]);
        let mut notes = Notes::default();
        let task = net.task_of(&steep);
        let failed = Fit::new(&settings, &task, &net.params, &data.train).run(&mut notes).unwrap_err();
        let Error::NotFinite { what: "a gradient", step, .. } = failed else { panic!("{more}: {failed:?}") };
        assert_eq!(step, bad, "{more}");
        let note = format!("not finite at step {bad}: the gradient of fc1.bias");
        assert_eq!(notes.0, if named { vec![note] } else { vec![] }, "{more}");
    }
}
