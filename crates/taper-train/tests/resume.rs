//! A run that was ended at some step and resumed is, bit by bit, the run that was never ended.

mod common;

use common::{Data, Digits, Net, config, device, events, metrics, options};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use taper_data::Augmented;
use taper_data::augment::{Fill, Translate};
use taper_nn::{DType, weights};
use taper_train::{
    Config, Error, Fit, Flow, Hook, Outcome, Reporter, Result, RunFolder, RunView, Silent, Split, StepView,
    TrainOptions, train,
};

/// Ends the run after a step: politely by raising a flag, or by an error, after which no checkpoint is saved.
struct End<'a> {
    after: u64,
    stop: Option<&'a AtomicBool>,
}

impl Hook for End<'_> {
    fn after_step(&mut self, _run: &RunView<'_>, step: &StepView<'_>) -> Result<Flow> {
        if step.step == self.after {
            match self.stop {
                Some(stop) => stop.store(true, Ordering::Relaxed),
                None => return Err(Error::Usage("ended".into())),
            }
        }
        Ok(Flow::Continue)
    }
}

/// Trains in a new folder, ended after each of `ends` and resumed, with other first weights each time.
fn ended(config: &Config, data: &Data, net: fn(u64) -> Net, ends: &[u64], polite: bool) -> (tempfile::TempDir, Net) {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    for (i, &after) in ends.iter().enumerate() {
        let stop = AtomicBool::new(false);
        let mut end = End { after, stop: polite.then_some(&stop) };
        // Without a checkpoint it begins anew.
        let net = net(if folder.last().exists() { 100 + i as u64 } else { 0 });
        let result = net.fit(config, data, Some((&folder, true)), Some(&stop), vec![&mut end]);
        match result {
            Ok(Outcome { stopped, steps, .. }) => assert!(polite && stopped && steps == after, "{after}: {steps}"),
            Err(error) => assert!(!polite && error.to_string() == "ended", "{after}: {error}"),
        }
    }
    let net = net(99); // never before a checkpoint
    let mut end = End { after: 0, stop: None };
    let outcome = net.fit(config, data, Some((&folder, true)), None, vec![&mut end]).unwrap();
    assert!(outcome.test.is_some());
    (root, net)
}

/// The run of `settings` undisturbed, and ended in two ways: with the same weights, metrics and events in the end.
fn check(settings: &[&str], net: fn(u64) -> Net) {
    check_on(&Data::few(), settings, net);
}

fn check_on(data: &Data, settings: &[&str], net: fn(u64) -> Net) {
    let common = ["train.epochs=4", "train.batch_size=32", "train.log_every=2", "checkpoint.every_steps=4"];
    let config = config(&[common.as_slice(), settings].concat());
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let whole = net(0);
    let mut none = End { after: 0, stop: None };
    let outcome = whole.fit(&config, data, Some((&folder, false)), None, vec![&mut none]).unwrap();
    let steps = outcome.steps;
    let per_epoch = steps.div_ceil(outcome.last.unwrap().epoch);
    // In the middle, at both sides of a checkpoint, around an epoch's end, twice at the same place, and at the very
    // end.
    let ends = [1, 3, 4, 5, per_epoch - 1, per_epoch, per_epoch + 1, per_epoch + 1, 2 * per_epoch, 2 * per_epoch + 2];
    let mut ends: Vec<u64> = ends.into_iter().filter(|&end| end < steps).chain([steps]).collect();
    ends.sort_unstable();
    let after_error = ends.clone();
    // What was reached politely is not made again.
    ends.dedup();
    for (ends, polite) in [(ends, true), (after_error, false)] {
        let (again, resumed) = ended(&config, data, net, &ends, polite);
        assert!(resumed.bits() == whole.bits(), "{settings:?}, polite {polite}");
        assert_eq!(metrics(again.path()), metrics(root.path()), "{settings:?}, polite {polite}");
        assert!(events(again.path()) == events(root.path()), "{settings:?}, polite {polite}");
        for file in ["model.safetensors", "checkpoints/best.safetensors"] {
            let same = fs::read(again.path().join(file)).unwrap() == fs::read(root.path().join(file)).unwrap();
            assert!(same, "{file}, {settings:?}, polite {polite}");
        }
    }
}

fn plain(seed: u64) -> Net {
    Net::plain(DType::F32, seed)
}

#[test]
fn sgd_with_nesterov_momentum() {
    check(&["optimizer.name=sgd", "optimizer.lr=0.05", "optimizer.momentum=0.9", "optimizer.nesterov=true"], plain);
}

#[test]
fn adam_under_a_schedule() {
    check(&["optimizer.lr=0.01", "schedule.name=one-cycle", "train.drop_last=true"], plain);
}

#[test]
fn muon_beside_adam_in_groups_one_of_which_is_over_early() {
    let groups = "groups=[{pattern=\"fc1.weight\", epochs=1.5, optimizer={name=\"muon\", lr=0.02}}, \
                  {pattern=\"*2.bias\", frozen=true}]";
    check(&[groups, "optimizer.lr=0.01", "schedule.name=linear"], plain);
}

/// What an earlier version wrote is said to be that: its sums are others.
#[test]
fn checkpoints_of_earlier_versions_are_refused() {
    let (data, config) = (Data::few(), config(&["train.epochs=2", "train.batch_size=32"]));
    let (root, stop) = (tempfile::tempdir().unwrap(), AtomicBool::new(false));
    let folder = RunFolder::create(root.path()).unwrap();
    let mut end = End { after: 3, stop: Some(&stop) };
    plain(0).fit(&config, &data, Some((&folder, true)), Some(&stop), vec![&mut end]).unwrap();
    let (tensors, note) = weights::read_noted("taper", folder.last(), &device()).unwrap();
    let note: serde_json::Value = serde_json::from_str(&note.unwrap()).unwrap();
    assert_eq!(note["version"], 3);
    for version in [1, 2, 4] {
        // Without what this version needs: the version is looked at first.
        let note = serde_json::json!({ "version": version, "progress": {} });
        weights::save_noted(&tensors, "taper", &note.to_string(), folder.last()).unwrap();
        let mut none = End { after: 0, stop: None };
        let failed = plain(99).fit(&config, &data, Some((&folder, true)), None, vec![&mut none]).unwrap_err();
        let due = format!(
            "last.safetensors: it is of version {version}, and this program reads version 3: the version of Taper that \
             began the run can finish it; remove it to start the run over"
        );
        assert!(failed.to_string().ends_with(&due), "{failed}");
    }
}

#[test]
fn lookahead_and_an_average_of_the_weights() {
    let lookahead = ["optimizer.name=sgd", "optimizer.lr=0.1", "optimizer.lookahead=5"];
    check(&[lookahead.as_slice(), &["train.ema=0.9"]].concat(), plain);
}

#[test]
fn a_plateau() {
    let plateau = ["schedule.name=plateau", "schedule.patience=0", "schedule.threshold=0.5", "schedule.gamma=0.5"];
    check(&[plateau.as_slice(), &["optimizer.name=adagrad", "optimizer.lr=0.01"]].concat(), plain);
}

/// An epoch has 9 batches, so that the last step of each has one.
#[test]
fn two_batches_a_step() {
    check(&["train.accumulate=2", "optimizer.lr=0.01", "checkpoint.every_steps=2"], plain);
}

#[test]
fn doubles_of_changed_pictures() {
    let shift = Translate { pixels: 1, fill: Fill::Zero };
    let few = Data::few();
    let train = Box::new(Augmented::new(few.train, vec![shift.into()], 5).unwrap());
    let settings = ["train.dtype=f64", "optimizer.lr=0.01", "data.workers=2"];
    check_on(&Data { train, ..few }, &settings, |seed| Net::plain(DType::F64, seed));
}

/// An epoch is 4 steps, and a pass over the data 9 batches: epochs end anywhere in a pass, and a run anywhere in an epoch.
#[test]
fn epochs_of_so_many_steps() {
    check(&["train.epoch_steps=4", "train.epochs=5", "optimizer.lr=0.01", "checkpoint.every_steps=3"], plain);
    // Twelve batches an epoch, of two passes.
    let two = ["train.epoch_steps=6", "train.accumulate=2", "train.epochs=2"];
    check(&[two.as_slice(), &["optimizer.lr=0.01", "schedule.name=cosine", "schedule.warmup=0.5"]].concat(), plain);
}

/// What is measured within an epoch is measured once, wherever the run was ended.
#[test]
fn measured_within_an_epoch() {
    check(&["train.measure_every=2", "train.epochs=2", "optimizer.lr=0.01", "train.ema=0.9"], plain);
}

#[test]
fn without_copies_of_the_weights() {
    check(&["train.keep=false", "train.epochs=2", "optimizer.lr=0.01"], plain);
}

#[test]
fn layers_that_draw_and_remember() {
    check(&["optimizer.lr=0.01", "train.ema=0.8"], |seed| Net::stochastic(DType::F32, seed));
}

#[test]
fn early_stopping() {
    let stopping = ["regularization.patience=1", "regularization.min_delta=0.3", "train.ema=0.9"];
    check(&[stopping.as_slice(), &["optimizer.lr=0.01"]].concat(), plain);
}

/// Paused after each epoch, as a search does, and once more where it was paused already.
#[test]
fn pauses() {
    let data = Data::few();
    let config = config(&["train.epochs=3", "train.batch_size=32", "optimizer.lr=0.01", "train.ema=0.9"]);
    let whole = plain(0);
    whole.fit(&config, &data, None, None, Vec::new()).unwrap();
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let fit = |net: &Net, pause| {
        let task = net.task();
        let fit = Fit::new(&config, &task, &net.params, &data.train).validation(&data.validation);
        fit.test(&data.test).folder(&folder).resume().pause_after(pause).run(&mut Silent).unwrap()
    };
    for pause in [1, 1, 2, 2, 1] {
        let outcome = fit(&plain(if folder.last().exists() { 9 } else { 0 }), pause);
        let epochs = outcome.last.unwrap().epoch;
        assert!(outcome.paused && epochs == pause.max(epochs) && outcome.test.is_none());
    }
    let resumed = plain(7);
    let outcome = fit(&resumed, 3);
    assert!(!outcome.paused && outcome.test.is_some() && resumed.bits() == whole.bits());
}

/// Stopped before the first step, which has pictures of its own in the events.
#[test]
fn a_stop_before_the_first_step() {
    let data = Data::few();
    let config = config(&["train.epochs=1", "train.batch_size=32"]);
    let run = |stops: u64| {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        for _ in 0..stops {
            let raised = AtomicBool::new(true);
            let outcome = plain(0).fit(&config, &data, Some((&folder, true)), Some(&raised), Vec::new()).unwrap();
            assert!(outcome.stopped && outcome.steps == 0);
        }
        let net = plain(0);
        net.fit(&config, &data, Some((&folder, true)), None, Vec::new()).unwrap();
        (net.bits(), metrics(root.path()), events(root.path()))
    };
    assert!(run(2) == run(0));
}

#[test]
fn what_cannot_be_resumed_is_told() {
    let data = Data::few();
    let settings = ["train.epochs=1", "train.batch_size=32", "checkpoint.every_steps=2", "train.log_every=1"];
    let settings = config(&settings);
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let mut end = End { after: 5, stop: None };
    plain(0).fit(&settings, &data, Some((&folder, false)), None, vec![&mut end]).unwrap_err();
    let resume = |config: &Config, net: &Net, hooked: bool| {
        let mut end = End { after: 0, stop: None };
        let hooks: Vec<&mut dyn Hook> = if hooked { vec![&mut end] } else { Vec::new() };
        net.fit(config, &data, Some((&folder, true)), None, hooks).map_err(|error| error.to_string())
    };
    let text = resume(&settings, &plain(0), false).unwrap_err();
    assert!(text.contains("saved with 1 hooks, the run now has 0"), "{text}");
    let mut other = settings.clone();
    other.optimizer.set("lr", 0.5);
    let text = resume(&other, &plain(0), true).unwrap_err();
    let detail = "optimizer.lr is 0.001 in this run, and cannot become 0.5: resume with the configuration that it \
                  began with, but for train.epochs, which may grow, data.workers, data.ahead and [device]; or start a \
                  new run";
    assert_eq!(text, detail);
    // What was computed is what the checkpoint says, whatever its folder's configuration is edited to.
    let own = fs::read_to_string(folder.config()).unwrap();
    let edited = own.replace("[optimizer]", "[optimizer]\nlr = 0.5");
    assert_ne!(edited, own);
    fs::write(folder.config(), edited).unwrap();
    let text = resume(&other, &plain(0), true).unwrap_err();
    assert!(text.starts_with("optimizer.lr is 0.001 in this run's checkpoint, and cannot become 0.5"), "{text}");
    fs::write(folder.config(), own).unwrap();
    let more = Data { train: Data::all().train, ..Data::few() };
    let text = plain(0).fit(&settings, &more, Some((&folder, true)), None, vec![&mut end]).unwrap_err().to_string();
    assert!(text.contains("the checkpoint is of a run of 9 steps, 9 an epoch, and this one has 41, 41"), "{text}");
    let text = resume(&settings, &Net::stochastic(DType::F32, 0), true).unwrap_err();
    assert!(text.contains("the checkpoint has no weights called bn."), "{text}");
    let text = resume(&settings, &Net::plain(DType::F64, 0), true).unwrap_err();
    assert!(text.contains("f64") && text.contains("f32"), "{text}");

    let cut = |path: &std::path::Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        bytes
    };
    let bytes = cut(&folder.metrics());
    let text = resume(&settings, &plain(0), true).map(|_| ()).unwrap_err();
    assert!(text.contains("metrics.jsonl: expected ") && text.contains("or start a new run"), "{text}");
    fs::write(folder.metrics(), bytes).unwrap();
    let bytes = cut(&folder.last());
    let text = resume(&settings, &plain(0), true).unwrap_err();
    assert!(text.contains("last.safetensors is no whole safetensors file") && text.contains("remove it"), "{text}");
    fs::write(folder.last(), bytes).unwrap();
    // What changes no number may be another.
    let mut other = settings;
    (other.device.threads, other.data.workers, other.data.ahead) = (3, 0, 1);
    resume(&other, &plain(0), true).unwrap();
}

/// Where nothing was reached yet, the run begins with what it is set to now, and can be resumed with that.
#[test]
fn without_a_checkpoint_settings_may_be_others() {
    let data = Data::few();
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    folder.write_config(&config(&["train.epochs=9"]), None).unwrap();
    let settings = config(&["train.epochs=1"]);
    for _ in 0..2 {
        plain(0).fit(&settings, &data, Some((&folder, true)), None, Vec::new()).unwrap();
        assert_eq!(folder.read_config().unwrap().0, settings);
    }
}

/// With no time between two checkpoints there is one after each step, the last of an epoch apart.
#[test]
fn checkpoints_are_saved_by_time() {
    struct Began(u64);
    impl Hook for Began {
        fn before_run(&mut self, run: &RunView<'_>) -> Result<()> {
            self.0 = run.step;
            Ok(())
        }
    }
    let data = Data::few();
    for (minutes, expected) in [("0", 0), ("1e-12", 4), ("1e6", 0)] {
        let minutes = format!("checkpoint.every_minutes={minutes}");
        let settings = config(&["train.epochs=1", "train.batch_size=32", &minutes]);
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        let mut end = End { after: 5, stop: None };
        plain(0).fit(&settings, &data, Some((&folder, true)), None, vec![&mut end]).unwrap_err();
        let mut began = Began(99);
        plain(0).fit(&settings, &data, Some((&folder, true)), None, vec![&mut began]).unwrap();
        assert_eq!(began.0, expected, "{minutes}");
    }
}

/// A run that was stopped in its test says so, and when it is resumed it is the one that was not.
#[test]
fn a_stop_in_the_test_is_told() {
    struct StopInTest<'a>(&'a AtomicBool);
    impl Reporter for StopInTest<'_> {
        fn evaluating(&mut self, split: Split, _done: usize, _of: usize) {
            self.0.fetch_or(split == Split::Test, Ordering::Relaxed);
        }
    }
    let data = Data::few();
    let settings = config(&["train.epochs=1", "train.eval_batch_size=5"]);
    let root = tempfile::tempdir().unwrap();
    let [whole, stopped] = ["whole", "stopped"].map(|name| RunFolder::create(root.path().join(name)).unwrap());
    plain(0).fit(&settings, &data, Some((&whole, false)), None, Vec::new()).unwrap();
    let (net, stop) = (plain(0), AtomicBool::new(false));
    let task = net.task();
    let fit = Fit::new(&settings, &task, &net.params, &data.train).validation(&data.validation);
    let outcome = fit.test(&data.test).folder(&stopped).stop(&stop).run(&mut StopInTest(&stop)).unwrap();
    assert!(outcome.stopped && outcome.test.is_none());
    assert_eq!(metrics(stopped.path()).last().unwrap(), &serde_json::json!({ "stopped": true }));
    plain(0).fit(&settings, &data, Some((&stopped, true)), None, Vec::new()).unwrap();
    assert_eq!(metrics(stopped.path()), metrics(whole.path()));
}

/// The file that a run began with is not asked for again: the checkpoint has what became of its weights.
#[test]
fn first_weights_are_read_once() {
    let root = tempfile::tempdir().unwrap();
    let init = root.path().join("first.safetensors");
    weights::save(&plain(3).params.all(), &init).unwrap();
    let mut settings = config(&["train.epochs=2", "data.train_samples=200"]);
    settings.init.file = init.display().to_string();
    let run = |name: &str, pause_after, settings: &Config| {
        let stop = false.into();
        let options = TrainOptions { pause_after, ..options(&root.path().join(name), &stop) };
        train(&Digits("digits"), settings, &device(), options, &mut Silent)
            .map(|(folder, ..)| fs::read(folder.model()).unwrap_or_default())
            .map_err(|error| error.to_string())
    };
    let whole = run("whole", None, &settings).unwrap();
    run("paused", Some(1), &settings).unwrap();
    fs::remove_file(&init).unwrap();
    let text = run("other", None, &settings).unwrap_err();
    assert!(text.contains("first.safetensors"), "{text}");
    // Nor may anything else be another, though the folder's settings are written anew.
    let mut other = settings.clone();
    other.train.epochs = 1;
    let text = run("paused", None, &other).unwrap_err();
    assert!(text.contains("train.epochs is 2 in this run, and cannot become 1; it may only grow"), "{text}");
    assert!(run("paused", None, &settings).unwrap() == whole);
}

/// Tries to resume the run that is under way, from another place, after each step.
struct Twice<'a>(&'a Config, &'a Data, &'a RunFolder);

impl Hook for Twice<'_> {
    fn after_step(&mut self, _run: &RunView<'_>, _step: &StepView<'_>) -> Result<Flow> {
        let text = plain(0).fit(self.0, self.1, Some((self.2, true)), None, Vec::new()).unwrap_err().to_string();
        assert!(text.contains("this run is being trained already"), "{text}");
        Ok(Flow::Continue)
    }
}

#[test]
fn one_trains_a_run_at_a_time() {
    let data = Data::few();
    let settings = config(&["train.epochs=1", "train.batch_size=32", "optimizer.lr=0.01"]);
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let (disturbed, whole) = (plain(0), plain(0));
    let mut twice = Twice(&settings, &data, &folder);
    disturbed.fit(&settings, &data, Some((&folder, false)), None, vec![&mut twice]).unwrap();
    whole.fit(&settings, &data, None, None, Vec::new()).unwrap();
    assert!(disturbed.bits() == whole.bits());
    // When it has ended, the folder is free.
    let mut end = End { after: 0, stop: None };
    plain(1).fit(&settings, &data, Some((&folder, true)), None, vec![&mut end]).unwrap();
}

/// What a resumed run puts back when a loss becomes NaN are the weights that it began with, and it says after how many
/// steps.
#[test]
fn good_weights_are_counted_from_the_checkpoint() {
    let data = Data::few();
    let settings = config(&["train.epochs=2", "train.batch_size=32"]);
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let first = plain(0);
    let task = first.task();
    let fit = Fit::new(&settings, &task, &first.params, &data.train).folder(&folder);
    assert!(fit.pause_after(1).run(&mut Silent).unwrap().paused);
    let second = plain(1);
    let nan = |y: &taper_nn::Tensor, _: &taper_nn::Tensor| y.sum_all()?.mul_scalar(f64::NAN);
    let task = second.task_of(&nan);
    let fit = Fit::new(&settings, &task, &second.params, &data.train).folder(&folder);
    let failed = fit.resume().run(&mut Silent).unwrap_err();
    assert!(matches!(failed, Error::NotFinite { step: 10, kept: Some(9), .. }), "{failed:?}");
    assert!(second.bits() == first.bits());
}
