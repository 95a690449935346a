//! `[train]`: the training loop. `[regularization]`: regularisation against overfitting.

use taper_config::table;

table! {
    /// `[train]`: the training loop.
    pub struct TrainConfig {
        /// Epochs: passes over the training data.
        epochs: u64 = 1, at_least(1);
        /// Samples per batch.
        batch_size: usize = 64, at_least(1);
        /// Gradient accumulation: batches per step.
        ///
        /// The step is that of one large batch.
        accumulate: u64 = 1, at_least(1);
        /// Seed of initial weights, shuffling, augmentation, dropout.
        seed: u64 = 0, integer(0..=i64::MAX as u64);
        /// Stop after so many steps; 0 for no limit.
        max_steps: u64 = 0, at_least(0);
        /// Steps that make an epoch; 0 for one pass over the data.
        epoch_steps: u64 = 0, at_least(0);
        /// Steps between measurements on the validation split within an epoch; 0 for the end of the epoch only.
        measure_every: u64 = 0, at_least(0);
        /// Keep copies of the last good weights in memory.
        ///
        /// They are restored when a loss or a gradient is not finite.
        keep: bool = true, flag();
        /// Shuffle the samples anew for each epoch.
        shuffle: bool = true, flag();
        /// Leave out an epoch's last batch when it is smaller.
        drop_last: bool = false, flag();
        /// Dtype of weights, inputs and all computed from them.
        dtype: String = "f32".into(), one_of(&["f32", "f64"]);
        /// Read and report losses, and log one, every so many steps.
        ///
        /// Losses are then read from the device and checked, and one is written to `metrics.jsonl`. They are read at
        /// the end of an epoch too.
        log_every: u64 = 10, at_least(1);
        /// Samples per batch in evaluation.
        eval_batch_size: usize = 250, at_least(1);
        /// Decay of the weights' moving average (EMA); 0 for none.
        ///
        /// The average then is what is evaluated and saved. The decay warms up: after t steps it is at most
        /// (1 + t) / (10 + t).
        ema: f64 = 0.0, fraction();
    }
}

table! {
    /// `[regularization]`: regularisation against overfitting, beside weight decay (`[optimizer]`) and augmentation
    /// (`[data]`).
    #[derive(Copy)]
    pub struct RegularizationConfig {
        /// Clip the norm of all gradients; 0 for no limit.
        clip_norm: f64 = 0.0, ordinary_or_zero();
        /// Clip each gradient element; 0 for no limit.
        clip_value: f64 = 0.0, ordinary_or_zero();
        /// Early stopping: epochs without improvement; 0 for none.
        ///
        /// Training ends after so many epochs without an improvement on the validation split, and the best weights are
        /// restored.
        patience: u64 = 0, at_least(0);
        /// Smallest improvement that makes an epoch better.
        min_delta: f64 = 0.0, ordinary_or_zero();
    }
}
