//! Checks before the first step, for mistakes that would otherwise fail in the middle of a run or go unnoticed.

use super::Fit;
use crate::evaluate::nothing_counts;
use crate::{DeviceBatch, Error, Reporter, Result, Split};
use taper_data::{Batch, BatchLoader, Dataset, LoaderOptions};
use taper_nn::{Context, no_grad};

/// Samples that are asked together whether they count.
const ASKED: usize = 256;

impl Fit<'_> {
    /// Checks a run of `steps` steps, `per_epoch` per epoch. Errs, or tells the reporter, what cannot be intended.
    pub(super) fn before_the_first_step(&self, steps: u64, per_epoch: u64, reporter: &mut dyn Reporter) -> Result<()> {
        self.check_new()?;
        self.check_counted()?;
        self.check_warmup(steps, per_epoch, reporter)?;
        self.check_lone_sample()
    }

    /// Errs when a new run would overwrite the run in its folder.
    fn check_new(&self) -> Result<()> {
        let Some(folder) = self.folder.filter(|_| !self.resume) else { return Ok(()) };
        let begun = folder.metrics().metadata().is_ok_and(|found| found.len() > 0) || folder.has_checkpoint();
        let detail = "a run has begun here already, which a new one would overwrite: resume it, or name another folder";
        if begun { Err(Error::RunFolder { path: folder.path().into(), detail: detail.into() }) } else { Ok(()) }
    }

    /// Errs when no sample of a split counts, which would show only when all of it has been gone through. Mostly the first
    /// sample counts, and no other is read.
    fn check_counted(&self) -> Result<()> {
        let splits = [(Split::Train, Some(self.train)), (Split::Validation, self.validation), (Split::Test, self.test)];
        for (split, data) in splits {
            // That a split is empty is said where its batches are made.
            let Some(data) = data.filter(|data| !data.is_empty()) else { continue };
            if !self.any_counts(data, 1, 1)? && !self.any_counts(data, ASKED, usize::MAX)? {
                return Err(nothing_counts(split.name(), data.len()));
            }
        }
        Ok(())
    }

    /// Whether a sample counts in the first `batches` batches of `batch_size`.
    fn any_counts(&self, data: &dyn Dataset, batch_size: usize, batches: usize) -> Result<bool> {
        let mut loader = BatchLoader::new(data, LoaderOptions { batch_size, shuffle: None, drop_last: false })?;
        let mut batch = Batch::default();
        while loader.position() < batches && loader.next_into(&mut batch)? {
            if self.learner.task.counted(&batch) > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Errs when the warm-up is as long as the run or the group's training, so that the full learning rate would never
    /// be reached. A run that `train.max_steps` cuts short, as a trial run, only gets a note.
    fn check_warmup(&self, steps: u64, per_epoch: u64, reporter: &mut dyn Reporter) -> Result<()> {
        let (config, warmup) = (self.config(), self.config().schedule.warmup_steps(per_epoch));
        if warmup == 0 {
            return Ok(());
        }
        let epochs = config.schedule.warmup();
        let of = |what: &str, length: u64, change: &str| {
            format!(
                "schedule.warmup: {epochs} epochs of {per_epoch} steps are {warmup} steps, and {what} has {length}: \
                 the learning rate would never get to where it is to rise; {change}"
            )
        };
        for group in config.groups.iter().filter(|group| !group.frozen && group.epochs > 0.0) {
            let until = group.until(per_epoch);
            if warmup >= until {
                let what = format!("the group {:?}, by its epochs = {},", group.pattern, group.epochs);
                return Err(Error::Usage(of(&what, until, "make the warm-up shorter, or the group's epochs more")));
            }
        }
        if warmup < steps {
            return Ok(());
        }
        let whole = config.train.epochs.saturating_mul(per_epoch);
        if warmup < whole {
            reporter.note(&of(&format!("the run, by train.max_steps = {steps},"), steps, "all of it is warm-up"));
            return Ok(());
        }
        let what = format!("the run, by train.epochs = {},", config.train.epochs);
        Err(Error::Usage(of(&what, whole, "make the warm-up shorter, or train.epochs more")))
    }

    /// Some models need more than one sample per batch: batch norm does, where it has one value per channel. If an
    /// epoch will have a batch of one sample, the model is tried on one; its parameters and buffers are restored
    /// afterwards.
    fn check_lone_sample(&self) -> Result<()> {
        let (train, samples) = (&self.config().train, self.train.len());
        let size = train.batch_size.min(samples);
        let last = if train.drop_last || samples.is_multiple_of(size) { size } else { samples % size };
        if last != 1 {
            return Ok(());
        }
        let loader = LoaderOptions { batch_size: 1, shuffle: None, drop_last: false };
        let mut batch = Batch::default();
        BatchLoader::new(self.train, loader)?.next_into(&mut batch)?;
        if self.learner.task.counted(&batch) == 0 {
            return Ok(()); // it is not shown to the model
        }
        let params = self.params();
        // A forward pass changes buffers alone.
        let buffers: Vec<_> = params.all().into_iter().filter(|param| !param.trainable()).collect();
        let before: Vec<_> = buffers.iter().map(|param| param.tensor().detach()).collect();
        let shown = no_grad(|| -> Result<()> {
            let batch = DeviceBatch::new(&batch, params, Split::Train, [train.seed, 0, 0]);
            self.learner.task.train(&batch, &Context::train(train.seed, 0, 0))?;
            // The unbiased variance of one value is NaN.
            for param in buffers.iter().filter(|param| param.tensor().dtype().is_float()) {
                if param.tensor().to_host()?.to_f64().iter().any(|value| value.is_nan()) {
                    let error = taper_nn::Error::argument("batch of one", format!("{} would be NaN", param.name()));
                    return Err(error.into());
                }
            }
            Ok(())
        });
        buffers.iter().zip(&before).try_for_each(|(param, value)| param.set(value))?;
        let Err(error) = shown else { return Ok(()) };
        let how = if size == 1 {
            format!("train.batch_size is {}: make it 2 or more", train.batch_size)
        } else {
            format!(
                "{samples} samples in batches of train.batch_size = {size} leave one alone at the end of an epoch: set \
                 train.drop_last = true, or another train.batch_size"
            )
        };
        Err(Error::Usage(format!(
            "the model cannot be trained on a batch of one sample ({error}), and one comes: {how}"
        )))
    }
}
