//! The training loop on the digits: the weights that are kept, stopping, and that seldom reading changes no result.

mod common;

use common::{Classify, Net, accuracy, config, cross_entropy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use taper_data::{Splits, digits};
use taper_nn::{Context, DType, Module, Params, Tensor};
use taper_train::{Config, EpochReport, Error, Fit, Outcome, Reporter, Result, Silent, StepReport};

/// Trains the digits' model with a changed configuration; returns the outcome and the weights.
fn fit(change: impl FnOnce(&mut Config), reporter: &mut dyn Reporter, stop: &AtomicBool) -> (Result<Outcome>, Params) {
    fit_with(change, |_, logits| Ok(logits), reporter, stop)
}

/// The same, with the logits of each training step (counted from 1) changed by `logits`.
fn fit_with(
    change: impl FnOnce(&mut Config),
    logits: impl Fn(u64, Tensor) -> taper_nn::Result<Tensor> + Send + Sync,
    reporter: &mut dyn Reporter,
    stop: &AtomicBool,
) -> (Result<Outcome>, Params) {
    let mut config = config(&["train.epochs=20"]);
    change(&mut config);
    let Splits { train, test: validation } = digits().unwrap();
    let net = Net::plain(DType::F32, 0);
    let model = Changed { model: net.model.clone(), logits, step: AtomicU64::new(0) };
    let task = Classify { model: Arc::new(model), loss: &cross_entropy };
    let fit = Fit::new(&config, &task, &net.params, &train).validation(&validation).stop(stop);
    (fit.run(reporter), net.params)
}

struct Changed<F> {
    model: Arc<dyn Module>,
    logits: F,
    step: AtomicU64,
}

impl<F: Fn(u64, Tensor) -> taper_nn::Result<Tensor> + Send + Sync> Module for Changed<F> {
    fn forward(&self, x: &Tensor, context: &Context) -> taper_nn::Result<Tensor> {
        let logits = self.model.forward(x, context)?;
        if !context.is_training() {
            return Ok(logits);
        }
        (self.logits)(self.step.fetch_add(1, Ordering::Relaxed) + 1, logits)
    }
}

/// The weights after so many steps.
fn after(steps: u64) -> Vec<Vec<f32>> {
    let change = |config: &mut Config| match steps {
        0 => config.optimizer.set("lr", 1e-300), // too little to change any
        _ => config.train.max_steps = steps,
    };
    values(&fit(change, &mut Silent, &GO).1)
}

fn values(params: &Params) -> Vec<Vec<f32>> {
    params.all().iter().map(|param| param.tensor().to_vec::<f32>().unwrap()).collect()
}

static GO: AtomicBool = AtomicBool::new(false);

#[test]
fn a_loss_that_is_not_finite_puts_the_last_good_weights_back() {
    let mut steps = Vec::new();
    for log_every in [1, 10, 1000] {
        let change = |config: &mut Config| {
            config.optimizer.set("lr", 1e30);
            config.train.log_every = log_every;
        };
        let (failed, params) = fit(change, &mut Silent, &GO);
        let Err(Error::NotFinite { step, kept: Some(kept), saved: None, .. }) = failed else { panic!("{failed:?}") };
        assert!(step >= 2, "the first loss is that of the first weights");
        assert_eq!(kept, 0);
        assert!(values(&params) == after(0));
        steps.push(step);
    }
    assert_eq!(steps, [steps[0]; 3]);
}

/// However seldom losses are read, the bad step is named, and weights are kept whose loss was seen to be finite.
#[test]
fn what_is_kept_is_old_by_so_many_steps_at_most() {
    // An epoch has 23 steps, and losses are read at its end too. A snapshot is taken after 20 steps, and then every 20
    // steps, or once the loss of the one before was read.
    for (log_every, bad, due) in
        [(1, 21, 0), (1, 22, 20), (1, 41, 20), (1, 42, 40), (10, 21, 0), (10, 33, 20), (1000, 47, 40)]
    {
        let nan = |step, logits: Tensor| if step == bad { logits.mul_scalar(f64::NAN) } else { Ok(logits) };
        let mut told = Told::default();
        let (failed, params) = fit_with(|config| config.train.log_every = log_every, nan, &mut told, &GO);
        let Err(Error::NotFinite { what: "the loss", step, kept, .. }) = failed else { panic!("{failed:?}") };
        assert_eq!((step, kept), (bad, Some(due)), "read every {log_every}");
        assert!(values(&params) == after(due), "read every {log_every}, bad at {bad}");
        assert_eq!(told.steps.len() as u64, bad - 1, "the good steps are told of");
    }
}

/// A gradient that is not finite although the loss is: the weights before it are good if no step has changed them
/// since.
#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    for (log_every, due) in [(1, 32), (33, 32), (10, 20)] {
        // √0 adds nothing to a logit, but an infinity times 0 to its gradient.
        let bad = |step, logits: Tensor| match step {
            33 => logits.add(&logits.mul_scalar(0.0)?.abs()?.sqrt()?),
            _ => Ok(logits),
        };
        let (failed, params) = fit_with(|config| config.train.log_every = log_every, bad, &mut Silent, &GO);
        let Err(Error::NotFinite { what: "a gradient", step: 33, kept, .. }) = failed else { panic!("{failed:?}") };
        assert_eq!(kept, Some(due), "read every {log_every}");
        assert!(values(&params) == after(due), "read every {log_every}");
    }
}

/// Another error stops the run before the NaN was read: the saved weights are good all the same.
#[test]
fn another_error_leaves_good_weights_too() {
    let bad = |step, logits: Tensor| match step {
        25 => logits.mul_scalar(f64::NAN),
        28 => Err(taper_nn::Error::Device("unplugged".into())),
        _ => Ok(logits),
    };
    let (failed, params) = fit_with(|_| (), bad, &mut Silent, &GO);
    assert_eq!(failed.unwrap_err().to_string(), "unplugged");
    assert!(values(&params) == after(20));
}

/// What a run reported, bit by bit, without times.
#[derive(Default, PartialEq, Debug)]
struct Told {
    steps: Vec<[u64; 6]>,
    epochs: Vec<(u64, [f64; 3])>,
}

impl Reporter for Told {
    fn step(&mut self, step: &StepReport<'_>) {
        let StepReport { epoch, step, step_in_epoch, loss, train, .. } = *step;
        let bits = [loss, train.loss(), accuracy(train)].map(f64::to_bits);
        self.steps.push([epoch, step, step_in_epoch, bits[0], bits[1], bits[2]]);
    }

    fn epoch(&mut self, epoch: &EpochReport) {
        let validation = epoch.validation.as_ref().unwrap();
        self.epochs.push((epoch.steps, [epoch.train.loss(), validation.loss(), accuracy(validation)]));
    }
}

#[test]
fn reading_seldom_changes_no_number() {
    let run = |log_every| {
        let mut told = Told::default();
        let change = |config: &mut Config| (config.train.epochs, config.train.log_every) = (2, log_every);
        let (outcome, params) = fit(change, &mut told, &GO);
        assert_eq!(outcome.unwrap().steps, 46);
        (told, values(&params))
    };
    let each = run(1);
    assert_eq!((each.0.steps.len(), each.0.epochs.len()), (46, 2));
    for log_every in [7, 10, 1000] {
        assert!(run(log_every) == each, "{log_every}");
    }
}

/// Steps are reported when they are read, and their time is measured then.
#[test]
fn steps_are_told_of_in_groups() {
    #[derive(Default)]
    struct Groups(Vec<(u64, u64)>);
    impl Reporter for Groups {
        fn step(&mut self, step: &StepReport<'_>) {
            assert!(step.samples_per_s > 0.0 && step.samples_per_s.is_finite());
            self.0.push((step.step, step.made));
        }
    }
    let mut groups = Groups::default();
    let (outcome, _) = fit(|config| config.train.max_steps = 25, &mut groups, &GO);
    assert_eq!(outcome.unwrap().steps, 25);
    let made = |step| [10, 20, 23, 25].into_iter().find(|&made| made >= step).unwrap();
    assert_eq!(groups.0, (1..=25).map(|step| (step, made(step))).collect::<Vec<_>>());
}

/// Raises a flag after some steps, and records their losses.
struct StopAfter<'a>(u64, &'a AtomicBool, Vec<f64>);

impl Reporter for StopAfter<'_> {
    fn step(&mut self, step: &StepReport<'_>) {
        self.2.push(step.loss);
        if step.step == self.0 {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_stop_ends_the_run_after_the_step_at_hand() {
    let stop = AtomicBool::new(false);
    let mut reporter = StopAfter(30, &stop, Vec::new());
    let (outcome, stopped) = fit(|_| (), &mut reporter, &stop);
    let outcome = outcome.unwrap();
    assert_eq!((outcome.steps, outcome.stopped, reporter.2.len()), (30, true, 30));
    assert_eq!(outcome.last.map(|epoch| (epoch.epoch, epoch.steps)), Some((1, 23)));
    // The same as a run that `max_steps` ends there.
    let (cut, params) = fit(|config| config.train.max_steps = 30, &mut Silent, &GO);
    assert_eq!(cut.unwrap().last.map(|epoch| (epoch.epoch, epoch.steps)), Some((2, 30)));
    assert!(values(&stopped) == values(&params));
}

/// Stopping between two readings.
#[test]
fn a_stop_does_not_wait_for_a_reading() {
    let stop = AtomicBool::new(false);
    let raise = |step, logits| {
        stop.fetch_or(step == 34, Ordering::Relaxed);
        Ok(logits)
    };
    let mut told = Told::default();
    let (outcome, stopped) = fit_with(|_| (), raise, &mut told, &stop);
    let outcome = outcome.unwrap();
    assert_eq!((outcome.steps, outcome.stopped, told.steps.len()), (34, true, 34));
    assert!(values(&stopped) == after(34));
}

/// Without copies the loop says that there is nothing to restore, and the weights are as the bad step left them.
#[test]
fn without_copies_nothing_is_restored() {
    let nan = |step, logits: Tensor| if step == 47 { logits.mul_scalar(f64::NAN) } else { Ok(logits) };
    let keep = |keep| move |config: &mut Config| (config.train.keep, config.train.log_every) = (keep, 1);
    let (failed, params) = fit_with(keep(false), nan, &mut Silent, &GO);
    let error = failed.unwrap_err();
    let Error::NotFinite { what: "the loss", step: 47, kept: None, saved: None } = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("; no good weights were kept (train.keep = false)"), "{error}");
    assert!(values(&params) == after(46), "the optimiser takes no step whose gradients are not finite");
    let (failed, params) = fit_with(keep(true), nan, &mut Silent, &GO);
    assert!(matches!(failed, Err(Error::NotFinite { step: 47, kept: Some(40), .. })), "{failed:?}");
    assert!(values(&params) == after(40));
}

/// In epochs of so many steps, an epoch ends after them, whatever pass over the data they are of.
#[test]
fn an_epoch_is_as_many_steps_as_asked_for() {
    // A pass has 23 steps.
    for (epoch_steps, ends) in [(5, vec![5, 10, 15, 20]), (23, vec![23, 46, 69, 92]), (40, vec![40, 80, 120, 160])] {
        let mut told = Told::default();
        let change = |config: &mut Config| (config.train.epochs, config.train.epoch_steps) = (4, epoch_steps);
        let (outcome, params) = fit(change, &mut told, &GO);
        assert_eq!(outcome.unwrap().steps, 4 * epoch_steps);
        assert_eq!(told.epochs.iter().map(|(steps, _)| *steps).collect::<Vec<_>>(), ends);
        // The batches are those of whole passes, one after the other.
        assert!(values(&params) == after(4 * epoch_steps), "{epoch_steps}");
    }
}

/// Within an epoch the validation split is measured every so many steps, which changes nothing else.
#[test]
fn the_validation_split_may_be_measured_within_an_epoch() {
    #[derive(Default)]
    struct Within(Vec<(u64, f64)>, Vec<f64>);
    impl Reporter for Within {
        fn measured(&mut self, step: u64, found: &taper_train::Evaluation) {
            self.0.push((step, found.loss()));
        }
        fn epoch(&mut self, epoch: &EpochReport) {
            self.1.push(epoch.validation.as_ref().unwrap().loss());
        }
    }
    let mut within = Within::default();
    let change = |config: &mut Config| (config.train.epochs, config.train.measure_every) = (2, 10);
    let (outcome, params) = fit(change, &mut within, &GO);
    // Step 46 ends the second epoch, and is measured as that.
    assert_eq!(within.0.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [10, 20, 30, 40]);
    assert!(values(&params) == after(46));
    // What is measured after a step is what a run that ends there measures.
    let cut = |steps| fit(|config| config.train.max_steps = steps, &mut Silent, &GO).0.unwrap();
    for &(step, loss) in &within.0 {
        assert_eq!(cut(step).last.unwrap().validation.unwrap().loss(), loss, "step {step}");
    }
    assert_eq!(outcome.unwrap().last.unwrap().validation.unwrap().loss(), within.1[1]);
}
