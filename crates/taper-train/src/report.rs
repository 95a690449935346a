//! What a run tells while it runs. The library itself prints nothing.

use crate::Evaluation;
use crate::lr_finder::LrPoint;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::Path;
use taper_data::{Event, Located};

/// Is told how a run goes: to draw a bar, to print lines, to plot.
pub trait Reporter {
    /// Data are being fetched.
    fn fetching(&mut self, _event: Event<'_>) {}

    /// Data were found, or a stand-in taken.
    fn found(&mut self, _located: &Located) {}

    /// Something the user should read.
    fn note(&mut self, _text: &str) {}

    /// The first step is about to begin.
    fn start(&mut self, _start: &Start<'_>) {}

    /// A step of training was made. Steps are told of in order, some at a time: when their losses are read from the
    /// device, every `train.log_every` steps and at the end of an epoch.
    fn step(&mut self, _step: &StepReport) {}

    /// The learning-rate finder made `done` of its `total` steps, the last of them `point`.
    fn rate(&mut self, _point: &LrPoint, _done: u64, _total: u64) {}

    /// `done` of `total` samples of `split` were measured: told every ten batches.
    fn evaluating(&mut self, _split: Split, _done: usize, _total: usize) {}

    /// An epoch has ended, and was measured if there is a validation split.
    fn epoch(&mut self, _epoch: &EpochReport) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {}

/// What is about to be trained.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The run's folder.
    pub folder: Option<&'a Path>,
    /// Trainable parameters.
    pub parameters: usize,
    /// Samples to learn from.
    pub train: usize,
    /// Samples to measure on after each epoch.
    pub validation: usize,
    /// Samples to measure on at the end.
    pub test: usize,
    /// Steps made before, by the run that is resumed.
    pub resumed: u64,
    /// Epochs, the last of which may be cut.
    pub epochs: u64,
    /// Steps in all.
    pub steps: u64,
}

/// How training stands after a step.
#[derive(Debug, Clone, Copy)]
pub struct StepReport {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// The step, from 1, of the whole run.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps made by now: up to here they are told of at once.
    pub made: u64,
    /// The step, from 1, of this epoch.
    pub step_in_epoch: u64,
    /// Steps of this epoch.
    pub steps_in_epoch: u64,
    /// The loss of this step's batch, before the step; NaN where none of its samples has a label, and no step was made.
    pub loss: f64,
    /// The mean loss over this epoch's samples with a label so far; NaN before the first.
    pub mean_loss: f64,
    /// The fraction of them that were classified rightly, each before it was learned from.
    pub accuracy: f64,
    /// Samples a second over this epoch so far, training steps alone.
    pub images_per_s: f64,
}

/// What is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// What is held out of the training samples, for decisions.
    Validation,
    /// What is looked at once, at the end.
    Test,
}

impl Split {
    /// `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// JSON has no NaN: it is written as `null`.
fn or_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

/// An epoch's result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Epochs in all.
    pub epochs: u64,
    /// Steps made since the run began.
    pub steps: u64,
    /// The mean loss over the epoch's samples with a label, each before it was learned from; NaN if it had none.
    #[serde(deserialize_with = "or_nan")]
    pub train_loss: f64,
    /// The fraction of them that were classified rightly, each before it was learned from; NaN if it had none.
    #[serde(deserialize_with = "or_nan")]
    pub train_accuracy: f64,
    /// On the validation split, if there is one.
    pub validation: Option<Evaluation>,
    /// The learning rate of its last step.
    pub lr: f64,
    /// Samples a second, training steps alone.
    pub images_per_s: f64,
    /// Seconds in which steps waited for their batches.
    pub idle: f64,
    /// Wall time of the epoch, measuring included.
    pub seconds: f64,
}
