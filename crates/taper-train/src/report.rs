//! Reporters: how a run reports its progress. The library itself prints nothing.

use crate::lr_finder::LrPoint;
use crate::{Evaluation, Metric};
use serde::{Deserialize, Serialize};
use std::path::Path;
use taper_data::Event;

/// Receives the progress of a run, to draw a progress bar, print or plot it. Every method has a default that does
/// nothing.
pub trait Reporter {
    /// Called while data are being fetched.
    fn fetching(&mut self, _event: Event<'_>) {}

    /// Called when data that may have been fetched were found, or a stand-in was generated, with what the user should read:
    /// where they are from and, if they were fetched, whom to cite.
    fn found(&mut self, _notice: &str) {}

    /// Called with a text that the user should read.
    fn note(&mut self, _text: &str) {}

    /// Called before the first step.
    fn start(&mut self, _start: &Start<'_>) {}

    /// Called for each training step, in order. Steps are reported in groups, when their losses are read from the
    /// device: every `train.log_every` steps and at the end of an epoch.
    fn step(&mut self, _step: &StepReport<'_>) {}

    /// Called after a measurement on the validation split within an epoch, every `train.measure_every` steps.
    fn measured(&mut self, _step: u64, _found: &Evaluation) {}

    /// Called after a step of the learning-rate finder: `done` of its `total` steps are made, the last of them `point`.
    fn rate(&mut self, _point: &LrPoint, _done: u64, _total: u64) {}

    /// Called every ten batches of an evaluation: `done` of the `total` samples of `split` are evaluated.
    fn evaluating(&mut self, _split: Split, _done: usize, _total: usize) {}

    /// Called after each epoch, when it was evaluated on the validation split, if there is one.
    fn epoch(&mut self, _epoch: &EpochReport) {}
}

/// A reporter that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {}

/// The run that is about to start.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The run's folder, if it has one.
    pub folder: Option<&'a Path>,
    /// The metrics of the task; the first is the loss.
    pub metrics: &'a [Metric],
    /// The name of the metric that selects the best epoch.
    pub monitor: &'a str,
    /// The number of trainable parameters.
    pub parameters: usize,
    /// The number of training samples.
    pub train: usize,
    /// The number of validation samples.
    pub validation: usize,
    /// The number of test samples.
    pub test: usize,
    /// Steps made before, if the run is resumed.
    pub resumed: u64,
    /// Epochs of the run, the last of which `train.max_steps` may cut short.
    pub epochs: u64,
    /// Steps of the whole run.
    pub steps: u64,
}

/// The state of training after a step.
#[derive(Debug, Clone, Copy)]
pub struct StepReport<'a> {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Epochs of the whole run.
    pub epochs: u64,
    /// The step, from 1 over the whole run.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps made by now: the steps up to this one are reported as one group.
    pub made: u64,
    /// The step of this epoch, from 1.
    pub step_in_epoch: u64,
    /// Steps of this epoch.
    pub steps_in_epoch: u64,
    /// The mean loss of this step's batches, before its update; NaN if none of their samples counts.
    pub loss: f64,
    /// The metrics over this epoch so far, each sample before the step that trained on it.
    pub train: &'a Evaluation,
    /// Training samples per second in this epoch so far, without evaluation.
    pub samples_per_s: f64,
}

/// A split of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The training split.
    Train,
    /// The validation split, held out of the training samples.
    Validation,
    /// The test split, evaluated once at the end.
    Test,
}

impl Split {
    /// `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// The results of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Epochs of the whole run.
    pub epochs: u64,
    /// Steps made since the start of the run.
    pub steps: u64,
    /// The metrics over the epoch's training samples, each before the step that trained on it.
    pub train: Evaluation,
    /// The evaluation on the validation split, if there is one.
    pub validation: Option<Evaluation>,
    /// The learning rate of the epoch's last step.
    pub lr: f64,
    /// Training samples per second, without evaluation.
    pub samples_per_s: f64,
    /// Seconds in which steps waited for their batches.
    pub idle: f64,
    /// Wall time of the epoch in seconds, evaluation included.
    pub seconds: f64,
}
