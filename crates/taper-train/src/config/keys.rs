//! The keys of the configuration, for error messages, `--set` and `--help`.

/// A key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The dotted name, such as `train.epochs`.
    pub name: &'static str,
    /// The values that the key takes, as error messages show them after "expected".
    pub range: &'static str,
    /// What the key sets, in a few words.
    pub help: &'static str,
}

const fn key(name: &'static str, range: &'static str, help: &'static str) -> Key {
    Key { name, range, help }
}

/// Every key of [`Config`](crate::Config).
pub const KEYS: &[Key] = &[
    key("model", "the name of a model", "The model"),
    key("data.name", "the name of a dataset", "The dataset"),
    key("data.train_samples", "an integer, 0 or more", "Train on the first so many samples only; 0 for all"),
    key("data.test_samples", "an integer, 0 or more", "Test on the first so many samples only; 0 for all"),
    key("data.validation", "a number, 0 or more and below 1", "Fraction of training samples held out for validation"),
    key("data.augment", "a list such as [{kind = \"flip\"}]", "Augmentations of the training images, in order"),
    key("data.workers", "an integer from 0 to 64", "Threads that prepare batches; results do not depend on it"),
    key("data.ahead", "an integer from 1 to 1024", "Prepared batches that may wait for the training loop"),
    key("train.epochs", "an integer, 1 or more", "Epochs: passes over the training data"),
    key("train.batch_size", "an integer, 1 or more", "Samples per batch"),
    key("train.accumulate", "an integer, 1 or more", "Gradient accumulation: batches per step"),
    key("train.seed", "an integer from 0 to 2^63 - 1", "Seed of initial weights, shuffling, augmentation, dropout"),
    key("train.max_steps", "an integer, 0 or more", "Stop after so many steps; 0 for no limit"),
    key("train.shuffle", "true or false", "Shuffle the samples anew for each epoch"),
    key("train.drop_last", "true or false", "Leave out an epoch's last batch when it is smaller"),
    key("train.dtype", "f32 or f64", "Dtype of weights, inputs and all computed from them"),
    key("train.reduction", "mean or sum", "How the losses of a batch are reduced to one"),
    key("train.log_every", "an integer, 1 or more", "Read and report losses, and log one, every so many steps"),
    key("train.eval_batch_size", "an integer, 1 or more", "Samples per batch in evaluation"),
    key("train.views", "one, mirror or six", "Views per image for test-time augmentation"),
    key("train.init", "a path, or empty", "A .safetensors file of initial weights"),
    key("train.init_partial", "true or false", "Load only the tensors of that file that match the model"),
    key("train.ema", "a number, 0 or more and below 1", "Decay of the weights' moving average (EMA); 0 for none"),
    key("regularization.label_smoothing", "a number from 0 to 1", "Part of the target spread over all classes"),
    key("regularization.mixup", "0 or a number from 1e-37 to 1e37", "Mixup's alpha; 0 for none"),
    key("regularization.cutmix", "0 or a number from 1e-37 to 1e37", "CutMix's alpha; 0 for none"),
    key(
        "regularization.clip_norm",
        "0 or a number from 1e-37 to 1e37",
        "Clip the norm of all gradients; 0 for no limit",
    ),
    key("regularization.clip_value", "0 or a number from 1e-37 to 1e37", "Clip each gradient element; 0 for no limit"),
    key("regularization.patience", "an integer, 0 or more", "Early stopping: epochs without improvement; 0 for none"),
    key(
        "regularization.min_delta",
        "0 or a number from 1e-37 to 1e37",
        "Smallest improvement that makes an epoch better",
    ),
    key("optimizer.name", "the name of an optimiser", "adam, adamw, sgd, rmsprop, adagrad, lion, lamb or muon"),
    key("optimizer.lr", "a number from 1e-37 to 1e37", "The learning rate"),
    key("optimizer.betas", "two numbers, 0 or more and below 1", "Decay rates of the first and second moment"),
    key("optimizer.eps", "0 or a number from 1e-37 to 1e37", "Added to the denominator to avoid a division by zero"),
    key("optimizer.momentum", "a number, 0 or more and below 1", "Momentum: decay rate of the velocity"),
    key(
        "optimizer.dampening",
        "a number from -1e37 to 1e37",
        "Dampening of momentum: the velocity takes the gradient times 1 - this",
    ),
    key("optimizer.nesterov", "true or false", "Whether momentum is Nesterov's"),
    key("optimizer.alpha", "a number, 0 or more and below 1", "Decay rate of RMSprop's mean square"),
    key("optimizer.centered", "true or false", "Whether RMSprop is centred"),
    key("optimizer.lr_decay", "0 or a number from 1e-37 to 1e37", "Adagrad's learning-rate decay"),
    key("optimizer.ns_steps", "an integer from 1 to 99", "Newton-Schulz iterations of Muon"),
    key("optimizer.normalize_weights", "true or false", "Whether Muon scales each weight first, as airbench does"),
    key("optimizer.weight_decay", "0 or a number from 1e-37 to 1e37", "Weight decay (L2 penalty)"),
    key("optimizer.decoupled", "true or false", "Whether weight decay is decoupled, as in AdamW"),
    key("optimizer.l1", "0 or a number from 1e-37 to 1e37", "L1 penalty"),
    key("optimizer.lookahead", "an integer from 1 to 2^32", "Steps between updates of Lookahead's slow weights"),
    key(
        "groups",
        "a list such as [{pattern = \"*.bias\", optimizer = {weight_decay = 0}}]",
        "Parameter groups with optimiser settings of their own, or frozen",
    ),
    key(
        "schedule.name",
        "the name of a schedule",
        "constant, step, multi-step, exponential, cosine, cosine-restarts, linear, polynomial, one-cycle or plateau",
    ),
    key("schedule.warmup", "0 or a number from 1e-37 to 1e37", "Epochs of linear warm-up before the schedule"),
    key(
        "schedule.min",
        "0 or a number from 1e-37 to 1e37",
        "Lowest factor on the rate: of cosine, cosine-restarts, linear, plateau",
    ),
    key(
        "schedule.every",
        "a number from 1e-37 to 1e37",
        "Epochs between changes of step and exponential, from the end of warm-up",
    ),
    key(
        "schedule.milestones",
        "epochs in rising order",
        "Epochs, from the end of warm-up, at which multi-step changes",
    ),
    key(
        "schedule.gamma",
        "a number above 0 and at most 1",
        "Factor of one change of the rate: of step, multi-step, exponential, plateau",
    ),
    key("schedule.power", "a number from 1e-37 to 1e37", "Exponent of polynomial"),
    key(
        "schedule.first",
        "a number from 1e-37 to 1e37",
        "Epochs of the first cycle of cosine-restarts, from the end of warm-up",
    ),
    key(
        "schedule.multiply",
        "an integer, 1 or more",
        "Factor by which each cycle of cosine-restarts is longer than the last",
    ),
    key(
        "schedule.warm_fraction",
        "a number between 0 and 1",
        "Fraction of the steps after warm-up in which the rate of one-cycle rises",
    ),
    key("schedule.start_div", "a number from 1 to 1e37", "one-cycle starts at the rate divided by this"),
    key("schedule.end_div", "a number from 1 to 1e37", "one-cycle ends at its starting rate divided by this"),
    key(
        "schedule.patience",
        "an integer, 0 or more",
        "Epochs without a better validation loss before plateau lowers the rate",
    ),
    key("schedule.threshold", "a number from 0 to 1", "Smallest relative improvement of the loss, for plateau"),
    key("checkpoint.every_steps", "an integer, 0 or more", "Also save a checkpoint every so many steps"),
    key("checkpoint.every_minutes", "0 or a number from 1e-37 to 1e37", "Also save a checkpoint every so many minutes"),
    key("checkpoint.monitor", "accuracy or loss", "Validation metric that selects the best epoch"),
    key("log.tensorboard", "true or false", "Write TensorBoard's event file"),
    key("log.report", "true or false", "Write report.html at the end"),
    key("log.gradients", "true or false", "Monitor the gradient norm of each layer"),
    key("device.name", "the name of a device", "Device to compute on: cpu, candle, cuda, cuda:N"),
    key("device.threads", "an integer from 0 to 1024", "CPU threads; 0 for one a core; results do not depend on it"),
    key("device.isa", "auto, avx512, avx2 or portable", "CPU instruction set; auto for the best of this machine"),
    key("device.conv", "auto or direct", "CPU convolutions: as defined, or by Winograd's algorithm where it pays"),
];
