//! What a run that is resumed may be set to, what it is resumed as, and what it does without.

mod common;

use common::{Data, Digits, Net, config, device, events, metrics, options};
use std::fs;
use std::sync::atomic::AtomicBool;
use taper_nn::DType;
use taper_train::{Fit, Reporter, RunFolder, Silent, TrainOptions, train};

fn plain(seed: u64) -> Net {
    Net::plain(DType::F32, seed)
}

/// What is noted.
#[derive(Default)]
struct Notes(Vec<String>);

impl Reporter for Notes {
    fn note(&mut self, text: &str) {
        self.0.push(text.into());
    }
}

/// A run that was finished, and one that was paused, go on to more epochs, as the run that was set to them from the
/// start. A schedule over the whole run is another then, which is told.
#[test]
fn epochs_may_grow() {
    let root = tempfile::tempdir().unwrap();
    let go = |name: &str, epochs: u64, pause: Option<u64>, schedule: &str| {
        let settings = ["data.train_samples=100", "data.test_samples=50", "optimizer.lr=0.01"];
        let epochs = format!("train.epochs={epochs}");
        let settings = [settings.as_slice(), &[schedule, &epochs]].concat();
        let (mut notes, stop) = (Notes::default(), AtomicBool::new(false));
        let options = TrainOptions { pause_after: pause, ..options(&root.path().join(name), &stop) };
        let ran = train(&Digits("digits"), &config(&settings), &device(), options, &mut notes);
        ran.map(|(folder, _, outcome)| (fs::read(folder.model()).unwrap_or_default(), outcome, notes.0))
            .map_err(|error| error.to_string())
    };
    for (name, first, pause) in [("finished", 2, None), ("paused", 3, Some(1))] {
        let constant = "schedule.name=constant";
        go(name, first, pause, constant).unwrap();
        let (weights, outcome, notes) = go(name, 4, None, constant).unwrap();
        let (whole, due, _) = go(&format!("{name}-whole"), 4, None, constant).unwrap();
        assert!(weights == whole, "{name}: other weights");
        assert_eq!((outcome.steps, outcome.test, notes), (8, due.test, vec![]));
        assert_eq!(metrics(&root.path().join(name)), metrics(&root.path().join(format!("{name}-whole"))));
        let text = go(name, 3, None, constant).unwrap_err();
        assert!(text.contains("train.epochs is 4 in this run, and cannot become 3; it may only grow"), "{text}");
        assert_eq!(go(name, 4, None, constant).unwrap().1.steps, 8);
    }
    let cosine = "schedule.name=cosine";
    go("cosine", 2, None, cosine).unwrap();
    let (_, outcome, notes) = go("cosine", 4, None, cosine).unwrap();
    assert_eq!(outcome.steps, 8);
    // Half of the way is over: (1 + cos π/2) / 2.
    let due = "the run grows from 4 steps to 8: schedule.name = \"cosine\" depends on that, and is stretched over all of \
               them, so that the learning rate goes on at 5.000e-3, where it was 0.000e0";
    assert!(notes.len() == 1 && notes[0].starts_with(due), "{notes:?}");
}

/// A folder of a run of the digits is of no other experiment, however little of it there is.
#[test]
fn a_run_is_resumed_as_what_it_is() {
    let root = tempfile::tempdir().unwrap();
    let settings = config(&["data.train_samples=100", "train.max_steps=1"]);
    let go = |name: &str, experiment: &'static str| {
        let stop = AtomicBool::new(false);
        let options = options(&root.path().join(name), &stop);
        let ran = train(&Digits(experiment), &settings, &device(), options, &mut Silent);
        ran.map(drop).map_err(|error| error.to_string())
    };
    go("run", "digits").unwrap();
    fs::create_dir_all(root.path().join("begun")).unwrap();
    let own = fs::read_to_string(root.path().join("run/config.toml")).unwrap();
    let begun = own.split("[record]").next().unwrap().to_owned() + "[record]\nexperiment = \"digits\"\n";
    fs::write(root.path().join("begun/config.toml"), begun).unwrap();
    for run in ["run", "begun"] {
        let text = go(run, "cifar").unwrap_err();
        assert!(text.ends_with("is a run of digits, and cannot be resumed as one of cifar"), "{text}");
        go(run, "digits").unwrap();
    }
}

/// TensorBoard's events are a convenience: a run whose events are gone, or damaged, goes on.
#[test]
fn events_that_are_gone_begin_anew() {
    let data = Data::few();
    let settings = config(&["train.epochs=2", "train.batch_size=32", "optimizer.lr=0.01"]);
    let whole = plain(0);
    whole.fit(&settings, &data, None, None, Vec::new()).unwrap();
    for damage in [
        |events: &std::path::Path| fs::remove_dir_all(events).unwrap(),
        |events: &std::path::Path| fs::write(events.join("events.out.tfevents.taper"), "none").unwrap(),
    ] as [fn(&std::path::Path); 2]
    {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        let first = plain(0);
        let task = first.task();
        let fit = Fit::new(&settings, &task, &first.params, &data.train);
        assert!(fit.validation(&data.validation).folder(&folder).pause_after(1).run(&mut Silent).unwrap().paused);
        damage(&folder.events());
        let (second, mut notes) = (plain(1), Notes::default());
        let task = second.task();
        let fit = Fit::new(&settings, &task, &second.params, &data.train);
        fit.validation(&data.validation).test(&data.test).folder(&folder).resume().run(&mut notes).unwrap();
        assert!(second.bits() == whole.bits());
        assert!(notes.0[0].ends_with("TensorBoard's events begin anew after step 9"), "{:?}", notes.0);
        assert!(events(root.path()).len() > 10);
    }
}
