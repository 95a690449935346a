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
    key("data.train_samples", "an integer, 0 or more", "Learn from only the first so many samples; 0 for all"),
    key("data.test_samples", "an integer, 0 or more", "Measure on only the first so many samples; 0 for all"),
    key("data.validation", "a number, 0 or more and below 1", "Share of the training samples held out for validation"),
    key("data.augment", "a list such as [{kind = \"flip\"}]", "Changes to pictures on their way to a step"),
    key("data.workers", "an integer from 0 to 64", "Threads that make batches ahead; results do not depend on it"),
    key("data.ahead", "an integer from 1 to 1024", "Batches that may wait for their step"),
    key("train.epochs", "an integer, 1 or more", "Passes over the training data"),
    key("train.batch_size", "an integer, 1 or more", "Pictures a batch"),
    key("train.accumulate", "an integer, 1 or more", "Batches a step, as if they were one"),
    key("train.seed", "an integer from 0 to 2^63 - 1", "Seed of first weights, shuffle, augmentation and dropout"),
    key("train.max_steps", "an integer, 0 or more", "Stop after so many steps; 0 for no such limit"),
    key("train.shuffle", "true or false", "Go through the data in a new order each epoch"),
    key("train.drop_last", "true or false", "Leave out an epoch's last batch when it is smaller"),
    key("train.dtype", "f32 or f64", "Number format of weights, inputs and everything between"),
    key("train.reduction", "mean or sum", "How the losses of a batch make one"),
    key("train.log_every", "an integer, 1 or more", "Read and show the losses, and write one, every so many steps"),
    key("train.eval_batch_size", "an integer, 1 or more", "Pictures at a time when measuring"),
    key("train.views", "one, mirror or six", "Views of each picture when measuring at the end"),
    key("train.init", "a path, or empty", "A .safetensors file to start from"),
    key("train.init_partial", "true or false", "Start from as much of that file as fits"),
    key("train.ema", "a number, 0 or more and below 1", "Decay of a moving average of the weights; 0 for none"),
    key("regularization.label_smoothing", "a number from 0 to 1", "Share of the target that goes to all classes"),
    key("regularization.mixup", "0 or a number from 1e-37 to 1e37", "Mixup's alpha; 0 for none"),
    key("regularization.cutmix", "0 or a number from 1e-37 to 1e37", "CutMix's alpha; 0 for none"),
    key("regularization.clip_norm", "0 or a number from 1e-37 to 1e37", "Largest norm of all gradients; 0 for any"),
    key("regularization.clip_value", "0 or a number from 1e-37 to 1e37", "Largest element of a gradient; 0 for any"),
    key("regularization.patience", "an integer, 0 or more", "Epochs without a better one before stopping; 0 for all"),
    key("regularization.min_delta", "0 or a number from 1e-37 to 1e37", "By how much a better epoch is better"),
    key("optimizer.name", "the name of an optimiser", "adam, adamw, sgd, rmsprop, adagrad, lion, lamb or muon"),
    key("optimizer.lr", "a number from 1e-37 to 1e37", "The learning rate"),
    key("optimizer.betas", "two numbers, 0 or more and below 1", "Decays of the first and second moment"),
    key("optimizer.eps", "0 or a number from 1e-37 to 1e37", "Added to a root, against a division by zero"),
    key("optimizer.momentum", "a number, 0 or more and below 1", "Decay of the velocity"),
    key(
        "optimizer.dampening",
        "a number from -1e37 to 1e37",
        "How much of the gradient is held back from the velocity",
    ),
    key("optimizer.nesterov", "true or false", "Nesterov's look-ahead"),
    key("optimizer.alpha", "a number, 0 or more and below 1", "Decay of RMSprop's mean square"),
    key("optimizer.centered", "true or false", "Whether RMSprop takes the mean off"),
    key("optimizer.lr_decay", "0 or a number from 1e-37 to 1e37", "How fast Adagrad's rate falls"),
    key("optimizer.ns_steps", "an integer from 1 to 99", "Muon's Newton-Schulz steps"),
    key("optimizer.normalize_weights", "true or false", "Whether Muon scales each weight first, as airbench does"),
    key("optimizer.weight_decay", "0 or a number from 1e-37 to 1e37", "L2 penalty"),
    key("optimizer.decoupled", "true or false", "Whether weight decay shrinks the weights itself, as AdamW's"),
    key("optimizer.l1", "0 or a number from 1e-37 to 1e37", "L1 penalty"),
    key("optimizer.lookahead", "an integer from 1 to 2^32", "Steps between two meetings with Lookahead's slow weights"),
    key(
        "groups",
        "a list such as [{pattern = \"*.bias\", optimizer = {weight_decay = 0}}]",
        "Weights changed otherwise",
    ),
    key(
        "schedule.name",
        "the name of a schedule",
        "constant, step, multi-step, exponential, cosine, cosine-restarts, linear, polynomial, one-cycle or plateau",
    ),
    key("schedule.warmup", "0 or a number from 1e-37 to 1e37", "Epochs of linear warm-up in front"),
    key(
        "schedule.min",
        "0 or a number from 1e-37 to 1e37",
        "Factor on the rate that cosine, linear and plateau go down to",
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
        "Factor of one change of step, multi-step, exponential, plateau",
    ),
    key("schedule.power", "a number from 1e-37 to 1e37", "Exponent of polynomial"),
    key(
        "schedule.first",
        "a number from 1e-37 to 1e37",
        "Epochs of the first cycle of cosine-restarts, from the end of warm-up",
    ),
    key("schedule.multiply", "an integer, 1 or more", "How much longer its later cycles are"),
    key(
        "schedule.warm_fraction",
        "a number between 0 and 1",
        "Share of the steps after warm-up in which one-cycle rises",
    ),
    key("schedule.start_div", "a number from 1 to 1e37", "one-cycle begins at the rate over this"),
    key("schedule.end_div", "a number from 1 to 1e37", "one-cycle ends at its first rate over this"),
    key("schedule.patience", "an integer, 0 or more", "Epochs without a better validation loss before plateau acts"),
    key("schedule.threshold", "a number from 0 to 1", "By what share a loss must be lower to be better"),
    key("checkpoint.every_steps", "an integer, 0 or more", "Also save a checkpoint every so many steps"),
    key("checkpoint.every_minutes", "0 or a number from 1e-37 to 1e37", "Also save a checkpoint every so many minutes"),
    key("checkpoint.monitor", "accuracy or loss", "What tells the best epoch, on the validation split"),
    key("log.tensorboard", "true or false", "Write TensorBoard's event file"),
    key("log.report", "true or false", "Write report.html at the end"),
    key("log.gradients", "true or false", "Watch the norms of each layer's gradients"),
    key("device.name", "the name of a device", "Where to compute: cpu, candle, cuda, cuda:N"),
    key("device.threads", "an integer from 0 to 1024", "CPU threads; 0 for one a core; results do not depend on it"),
    key("device.isa", "auto, avx512, avx2 or portable", "CPU instruction set; auto for the best of this machine"),
    key("device.conv", "auto or direct", "CPU convolutions: as defined, or by Winograd's algorithm where it pays"),
];
