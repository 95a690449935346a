//! Hooks: when they are called, what they may end, what is kept for them.

mod common;

use common::{Data, Net, config};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;
use taper_nn::DType;
use taper_train::{Config, EpochReport, Error, Flow, Hook, Outcome, Result, RunFolder, RunView, StepView};

/// Writes down every call, as `NAME.CALL NUMBER`, and does something at one of them.
#[derive(Default)]
struct Scribe {
    name: &'static str,
    calls: Vec<String>,
    stop_at: &'static str,
    fail_at: &'static str,
    loaded: Vec<Value>,
}

impl Scribe {
    fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    fn note(&mut self, call: &str) -> Result<Flow> {
        self.calls.push(format!("{}.{call}", self.name));
        if call == self.fail_at {
            return Err(Error::Usage(format!("{call} does not like it")));
        }
        Ok(if call == self.stop_at { Flow::Stop } else { Flow::Continue })
    }
}

impl Hook for Scribe {
    fn before_run(&mut self, run: &RunView<'_>) -> Result<()> {
        self.note(&format!("before_run {}", run.step)).map(|_| ())
    }

    fn before_epoch(&mut self, _run: &RunView<'_>, epoch: u64) -> Result<()> {
        self.note(&format!("before_epoch {epoch}")).map(|_| ())
    }

    fn before_step(&mut self, run: &RunView<'_>, step: u64) -> Result<()> {
        assert_eq!((run.step, run.steps), (step - 1, 10));
        assert_eq!(run.lr, 0.5 * 0.1_f64.powi(((step - 1) / 5) as i32), "the rate of the step that begins");
        self.note(&format!("before_step {step}")).map(|_| ())
    }

    fn after_step(&mut self, run: &RunView<'_>, step: &StepView<'_>) -> Result<Flow> {
        assert_eq!((run.step, step.epoch), (step.step, step.step.div_ceil(5)));
        assert!(step.loss.item().unwrap().is_finite());
        assert!(run.params.all().iter().all(|param| step.gradients.of_param(param).is_some()));
        self.note(&format!("after_step {}", step.step))
    }

    fn after_epoch(&mut self, _run: &RunView<'_>, report: &EpochReport) -> Result<Flow> {
        assert!(report.validation.is_some());
        self.note(&format!("after_epoch {}", report.epoch))
    }

    fn after_run(&mut self, _run: &RunView<'_>, outcome: &Outcome) -> Result<()> {
        self.note(&format!("after_run {}", outcome.steps)).map(|_| ())
    }

    fn state(&self) -> Value {
        json!({ "calls": self.calls.len() })
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.loaded.push(state.clone());
        Ok(())
    }
}

/// Two epochs of five steps; the rate falls to a tenth after the first.
fn two_epochs() -> Config {
    let sizes = ["train.epochs=2", "train.batch_size=64", "optimizer.lr=0.5", "optimizer.name=sgd"];
    config(&[sizes.as_slice(), &["schedule.name=step", "checkpoint.every_steps=2", "train.log_every=1"]].concat())
}

fn run(hooks: Vec<&mut dyn Hook>, folder: Option<&RunFolder>) -> Result<Outcome> {
    Net::plain(DType::F32, 0).fit(&two_epochs(), &Data::few(), folder.map(|folder| (folder, true)), None, hooks)
}

#[test]
fn every_call_in_its_order() {
    let (mut a, mut b) = (Scribe::new("a"), Scribe::new("a"));
    let outcome = run(vec![&mut a, &mut b], None).unwrap();
    assert_eq!(outcome.steps, 10);
    let mut expected = vec!["a.before_run 0".to_string()];
    for epoch in 1..=2 {
        expected.push(format!("a.before_epoch {epoch}"));
        for step in 5 * epoch - 4..=5 * epoch {
            expected.extend([format!("a.before_step {step}"), format!("a.after_step {step}")]);
        }
        expected.push(format!("a.after_epoch {epoch}"));
    }
    expected.push("a.after_run 10".into());
    assert_eq!(a.calls, expected);
    assert_eq!(b.calls, expected);
}

/// The first hook is called first, and its stop keeps nothing from the second.
#[test]
fn hooks_are_called_in_the_order_given() {
    use std::cell::RefCell;
    struct Named<'a>(u8, &'a RefCell<Vec<u8>>);
    impl Hook for Named<'_> {
        fn after_step(&mut self, _run: &RunView<'_>, _step: &StepView<'_>) -> Result<Flow> {
            self.1.borrow_mut().push(self.0);
            Ok(if self.0 == 1 { Flow::Stop } else { Flow::Continue })
        }
    }
    let calls = RefCell::default();
    let outcome = run(vec![&mut Named(1, &calls), &mut Named(2, &calls)], None).unwrap();
    assert_eq!((outcome.steps, calls.into_inner()), (1, vec![1, 2]));
}

/// A stop makes a run that is finished: measured, tested, and not to be resumed.
#[test]
fn a_stop_finishes_the_run() {
    for (at, steps, epochs) in [("after_step 3", 3, 1), ("after_step 7", 7, 2), ("after_epoch 1", 5, 1)] {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        let mut scribe = Scribe { stop_at: at, ..Scribe::new("a") };
        let outcome = run(vec![&mut scribe], Some(&folder)).unwrap();
        let last = outcome.last.unwrap();
        assert_eq!((outcome.steps, last.epoch), (steps, epochs), "{at}");
        assert!(!outcome.stopped && outcome.test.is_some() && last.validation.is_some(), "{at}");
        assert_eq!(scribe.calls.last().unwrap(), &format!("a.after_run {steps}"), "{at}");
        assert!(scribe.calls.contains(&format!("a.after_epoch {epochs}")), "{at}");
        // Asked to go on, it has nothing left to do but the test.
        let mut again = Scribe::new("a");
        let outcome = run(vec![&mut again], Some(&folder)).unwrap();
        assert_eq!(outcome.steps, steps);
        assert_eq!(again.calls, [format!("a.before_run {steps}"), format!("a.after_run {steps}")], "{at}");
    }
}

/// Stopped by a hook within an epoch, and killed while that is measured: it is measured then, not trained on.
#[test]
fn a_stop_outlives_a_kill_while_the_epoch_is_measured() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let mut scribe = Scribe { stop_at: "after_step 3", fail_at: "after_epoch 1", ..Scribe::new("a") };
    assert_eq!(run(vec![&mut scribe], Some(&folder)).unwrap_err().to_string(), "after_epoch 1 does not like it");
    let mut again = Scribe::new("a");
    let outcome = run(vec![&mut again], Some(&folder)).unwrap();
    assert_eq!((outcome.steps, outcome.test.is_some()), (3, true));
    assert_eq!(again.calls, ["a.before_run 3", "a.before_epoch 1", "a.after_epoch 1", "a.after_run 3"]);
}

#[test]
fn what_a_hook_remembers_is_kept_with_the_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    // The checkpoint is that after step 2, of which the hook was told: before_run, before_epoch, two steps.
    let (mut a, mut b) = (Scribe { fail_at: "before_step 4", ..Scribe::new("a") }, Scribe::new("b"));
    run(vec![&mut a, &mut b], Some(&folder)).unwrap_err();
    let (mut a, mut b) = (Scribe::new("a"), Scribe::new("b"));
    run(vec![&mut a, &mut b], Some(&folder)).unwrap();
    assert_eq!((a.loaded, b.loaded), (vec![json!({ "calls": 6 })], vec![json!({ "calls": 6 })]));
    assert_eq!(a.calls[..3], ["a.before_run 2", "a.before_epoch 1", "a.before_step 3"]);
}

#[test]
fn errors_are_handed_on_and_the_weights_are_kept() {
    for at in ["before_run 0", "before_epoch 1", "before_step 4", "after_step 4", "after_epoch 2", "after_run 10"] {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        let mut scribe = Scribe { fail_at: at, ..Scribe::new("a") };
        let error = run(vec![&mut scribe], Some(&folder)).unwrap_err();
        assert_eq!(error.to_string(), format!("{at} does not like it"));
        assert_eq!(scribe.calls.last().unwrap(), &format!("a.{at}"), "nothing is called after an error");
        assert_eq!(folder.model().is_file(), at != "before_run 0", "{at}");
    }
}

/// Stopped from outside, a run is told to its hooks as such.
#[test]
fn a_stop_from_outside_is_told() {
    struct Last(Option<Outcome>);
    impl Hook for Last {
        fn after_run(&mut self, _run: &RunView<'_>, outcome: &Outcome) -> Result<()> {
            self.0 = Some(outcome.clone());
            Ok(())
        }
    }
    let (mut last, raised) = (Last(None), AtomicBool::new(true));
    let net = Net::plain(DType::F32, 0);
    let outcome = net.fit(&two_epochs(), &Data::few(), None, Some(&raised), vec![&mut last]).unwrap();
    assert!(outcome.stopped);
    assert_eq!(last.0, Some(outcome));
}
