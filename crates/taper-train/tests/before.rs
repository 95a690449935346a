//! What would go wrong in the middle of a run, or in silence, is said before its first step.

mod common;

use common::{Data, Net, config, device};
use taper_data::Dataset;
use taper_nn::{BatchNorm2d, BatchNormConfig, Conv2d, Conv2dConfig, DType, Flatten, Linear, LinearConfig, Params};
use taper_nn::{RandomKey, Sequential};
use taper_train::{Fit, Outcome, Reporter, Result, RunFolder, Silent};

#[derive(Default)]
struct Notes(Vec<String>);

impl Reporter for Notes {
    fn note(&mut self, text: &str) {
        self.0.push(text.into());
    }
}

fn run(settings: &[&str], net: &Net, train: &dyn Dataset) -> (Result<Outcome>, Vec<String>) {
    let mut notes = Notes::default();
    let config = config(settings);
    (Fit::new(&config, &net.task(), &net.params, train).run(&mut notes), notes.0)
}

#[test]
fn a_warm_up_longer_than_the_run_is_refused() {
    // 287 digits: five steps an epoch.
    let (data, net) = (Data::few(), Net::plain(DType::F32, 0));
    let before = net.bits();
    let text = |settings: &[&str]| run(settings, &net, &data.train).0.unwrap_err();
    let error = text(&["train.epochs=2", "schedule.warmup=2"]);
    assert!(error.is_usage());
    assert_eq!(
        error.to_string(),
        "schedule.warmup: 2 epochs of 5 steps are 10 steps, and the run, by train.epochs = 2, has 10: the learning \
         rate would never get to where it is to rise; make the warm-up shorter, or train.epochs more"
    );
    let group = "groups=[{pattern=\"*.bias\", epochs=0.5}]";
    let error = text(&["train.epochs=9", "schedule.warmup=1", group]).to_string();
    assert!(error.contains("the group \"*.bias\", by its epochs = 0.5, has 3"), "{error}");
    assert!(text(&["schedule.warmup=1e30"]).to_string().contains("are 18446744073709551615 steps"));
    assert_eq!(net.bits(), before);
    // Cut short, to try something: told.
    let (outcome, notes) = run(&["train.epochs=9", "schedule.warmup=2", "train.max_steps=3"], &net, &data.train);
    assert_eq!(outcome.unwrap().steps, 3);
    assert!(notes.len() == 1 && notes[0].contains("the run, by train.max_steps = 3, has 3"), "{notes:?}");
    let (outcome, notes) = run(&["train.epochs=2", "schedule.warmup=1.8"], &net, &data.train);
    assert_eq!((outcome.unwrap().steps, notes), (10, vec![]));
}

/// A last batch of one sample has no variance: batch norm's statistics would be NaN from there on.
#[test]
fn a_lone_sample_before_batch_norm_is_refused() {
    let data = Data::few();
    let net = Net::stochastic(DType::F32, 0);
    let before = net.bits();
    let error = run(&["train.batch_size=143"], &net, &data.train).0.unwrap_err();
    assert!(error.is_usage());
    let text = error.to_string();
    assert!(text.starts_with("the model cannot be trained on a batch of one sample ("), "{text}");
    let due = "287 samples in batches of train.batch_size = 143 leave one alone at the end of an epoch: set \
               train.drop_last = true, or another train.batch_size";
    assert!(text.ends_with(due), "{text}");
    let text = run(&["train.batch_size=1"], &net, &data.train).0.unwrap_err().to_string();
    assert!(text.ends_with("train.batch_size is 1: make it 2 or more"), "{text}");
    assert!(net.bits() == before, "the model is as it was");
    for fine in [["train.batch_size=143", "train.drop_last=true"], ["train.batch_size=142", "train.drop_last=false"]] {
        run(&fine, &net, &data.train).0.unwrap();
    }
    // Without batch norm, or with more values than one a channel, it is as good as any.
    run(&["train.batch_size=143"], &Net::plain(DType::F32, 0), &data.train).0.unwrap();
    let params = Params::new(&device(), DType::F32, RandomKey::new(0));
    let model = Sequential::new()
        .then(Conv2d::new(Conv2dConfig::new(1, 2, 3), &params.sub("conv")).unwrap())
        .then(BatchNorm2d::new(BatchNormConfig::new(2), &params.sub("bn")).unwrap())
        .then(Flatten)
        .then(Linear::new(LinearConfig::new(72, 10), &params.sub("fc")).unwrap());
    run(&["train.batch_size=143"], &Net::new(model, params), &data.train).0.unwrap();
}

/// A run that begins in the folder of another, without being said to resume it, would overwrite it.
#[test]
fn a_run_is_not_begun_over_another() {
    let (data, root) = (Data::few(), tempfile::tempdir().unwrap());
    let config = config(&["train.max_steps=2"]);
    let folder = RunFolder::create(root.path()).unwrap();
    let run = || {
        let net = Net::plain(DType::F32, 0);
        Fit::new(&config, &net.task(), &net.params, &data.train).folder(&folder).run(&mut Silent)
    };
    run().unwrap();
    let before = std::fs::read(folder.metrics()).unwrap();
    let text = run().unwrap_err().to_string();
    assert!(text.contains("a run has begun here already, which a new one would overwrite"), "{text}");
    assert_eq!(std::fs::read(folder.metrics()).unwrap(), before);
}
