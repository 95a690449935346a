//! What crosses between host and device in a training step: inputs and labels, and nothing back.

use std::sync::Arc;
use taper::data::ImageDataset;
use taper::tasks::{Classification, experiment};
use taper::train::{Fit, Reporter, StepReport};
use taper_conformance::toy::ToyBackend;
use taper_cpu::CpuBackend;
use taper_models::{InputSpec, SeedCnn};
use taper_nn::{
    Activation, Adagrad, AdagradConfig, Adam, AdamConfig, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig,
    CrossEntropy, DType, Device, Dropout, Ema, Flatten, Lamb, LambConfig, Linear, LinearConfig, Lookahead,
    LookaheadConfig, MaxPool2d, Module, Optimizer, Params, RandomKey, Result, Sequential, Sgd, SgdConfig, Tensor,
};
use taper_tests::counting::Transfers;
use taper_tests::hash;

/// Every device, counted, and whether it has the rim's dropout: the composed one uploads a mask.
fn devices() -> Vec<(Device, Arc<Transfers>, bool)> {
    [
        (Device::new(CpuBackend::with_threads(1).expect("a pool of threads")), true),
        (ToyBackend::device(), false), // nothing but composed versions
        #[cfg(feature = "candle")]
        (Device::new(taper_candle::CandleBackend::cpu()), true),
    ]
    .into_iter()
    .map(|(inner, dropout)| {
        let (device, transfers) = Transfers::of(inner);
        (device, transfers, dropout)
    })
    .collect()
}

/// `count` pictures of 4 × 4.
fn pictures(count: usize) -> ImageDataset {
    let labels = hash::labels(count);
    let classes = (0..10).map(|class| class.to_string()).collect();
    let bytes = hash::pictures(count).into_iter().take(count * 48).collect();
    ImageDataset::new(bytes, labels, [3, 4, 4], classes, 255).expect("pictures and as many labels")
}

/// Counts what crossed before each group of steps was told of.
struct Groups<'a>(&'a Transfers, Vec<(u64, [usize; 2])>);

impl Reporter for Groups<'_> {
    fn step(&mut self, step: &StepReport<'_>) {
        if step.step == step.made {
            self.1.push((step.step, self.0.take()));
        }
    }
}

#[test]
fn a_run_reads_where_it_shows() {
    let (train, test) = (pictures(23), pictures(13)); // 12 batches of 2, 13 of 1
    let mut config = experiment("cifar").unwrap().config();
    (config.train.epochs, config.train.batch_size, config.train.eval_batch_size) = (2, 2, 1);
    config.train.log_every = 5;
    for (device, transfers, _) in devices() {
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let model = SeedCnn::new(&InputSpec { shape: [3, 4, 4], classes: 10 }, &params).unwrap();
        transfers.take();
        let mut groups = Groups(&transfers, Vec::new());
        let task = Classification::new(model, train.classes().iter().cloned());
        let outcome = Fit::new(&config, &task, &params, &train).validation(&test).run(&mut groups).unwrap();
        assert_eq!(outcome.steps, 24);
        // Before the first step the model is tried on one sample, since the last batch has no more: one batch up.
        // Measuring, between the epochs: 13 batches up, two readings.
        let expected =
            [(5, [2 + 10, 1]), (10, [10, 1]), (12, [4, 1]), (15, [2 * 13 + 6, 2 + 1]), (20, [10, 1]), (24, [8, 1])];
        assert_eq!(groups.1, expected, "{device}");
        assert_eq!(transfers.take(), [2 * 13, 2], "{device}");
    }
}

/// Everything that is different in training: batch norm with either kind of mean, dropout.
fn model(params: &Params) -> Result<Sequential> {
    let plain_mean = BatchNormConfig::new(4).momentum(None);
    Ok(Sequential::new()
        .then(Conv2d::new(Conv2dConfig::new(3, 4, 3).padding(1), &params.sub("conv1"))?)
        .then(BatchNorm2d::new(BatchNormConfig::new(4), &params.sub("norm1"))?)
        .then(Activation::Relu)
        .then(MaxPool2d::new(2))
        .then(Conv2d::new(Conv2dConfig::new(4, 4, 3).padding(1), &params.sub("conv2"))?)
        .then(BatchNorm2d::new(plain_mean, &params.sub("norm2"))?)
        .then(Flatten)
        .then(Dropout::new(0.25, &params.sub("dropout"))?)
        .then(Linear::new(LinearConfig::new(16, 10), &params.sub("fc"))?))
}

#[test]
fn a_loop_of_ones_own_reads_nothing() {
    const STEPS: u64 = 3;
    for (device, transfers, dropout) in devices() {
        for (name, make) in OPTIMIZERS {
            let params = Params::new(&device, DType::F32, RandomKey::new(0));
            let model = model(&params).unwrap();
            let mut optimizer = make(params.trainable()).unwrap();
            let mut ema = Ema::new(params.trainable(), 0.99).unwrap();
            let x: Vec<f32> = hash::pictures(1).into_iter().take(2 * 48).map(|x| f32::from(x) / 255.0).collect();
            let x = Tensor::from_vec(x, [2, 3, 4, 4], &device).unwrap();
            let classes = Tensor::from_vec(hash::labels(2), [2], &device).unwrap();
            let before = params.trainable()[0].tensor().to_host().unwrap();
            transfers.take();
            let step = |step| -> Result<_> {
                let logits = model.forward(&x, &Context::train(0, 0, step))?;
                let loss = CrossEntropy::default().forward(&logits, &classes)?;
                let outcome = optimizer.step(&loss.backward()?)?;
                ema.update_where(outcome.flag())?;
                Ok((outcome, loss))
            };
            let made: Vec<_> = (0..STEPS).map(step).collect::<Result<_>>().unwrap();
            let masks = if dropout { 0 } else { STEPS as usize };
            assert_eq!(transfers.take(), [masks, 0], "{name} on {device}");
            // And they were steps.
            assert!(made.iter().all(|(outcome, loss)| outcome.taken().unwrap() && loss.item().unwrap().is_finite()));
            assert_eq!(transfers.take(), [0, 2 * STEPS as usize]);
            assert_ne!(params.trainable()[0].tensor().to_host().unwrap(), before, "{name} on {device}");
        }
    }
}

/// What the contract cannot see: a backend that asks its device by itself, for an index out of range, say.
#[test]
#[cfg(feature = "candle")]
fn candle_asks_nothing_by_itself() -> Result<()> {
    use taper_candle::{CandleBackend, Transfers};
    let backend = CandleBackend::cpu();
    let device = Device::new(backend.clone());
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let model = model(&params)?;
    let mut optimizer = Adam::new(params.trainable(), AdamConfig::default())?;
    let x: Vec<f32> = hash::pictures(1).into_iter().take(2 * 48).map(|x| f32::from(x) / 255.0).collect();
    let x = Tensor::from_vec(x, [2, 3, 4, 4], &device)?;
    let classes = Tensor::from_vec(hash::labels(2), [2], &device)?;
    let mut made = Vec::new();
    for step in 0..3 {
        let before = backend.transfers();
        let logits = model.forward(&x, &Context::train(0, 0, step))?;
        let loss = CrossEntropy::default().forward(&logits, &classes)?;
        let right = logits.argmax(-1, false)?.eq(&classes)?;
        made.push((optimizer.step(&loss.backward()?)?, loss, right));
        if step > 0 {
            // The first step moves what is kept from then on: how a kernel is flipped, the numbers of the classes.
            assert_eq!(backend.transfers(), before);
        }
    }
    assert_eq!(backend.transfers().downloads, 0);
    // The loss, and with it whether any class was none.
    made[2].1.item()?;
    assert_eq!(backend.transfers(), Transfers { downloads: 2, ..backend.transfers() });
    assert!(made[2].0.taken()?);
    assert_eq!(made[2].2.shape()[..], [2]);
    // And where one is, that reading says so.
    let wrong = Tensor::from_vec(vec![3i64, 10], [2], &device)?;
    let loss = CrossEntropy::default().forward(&model.forward(&x, &Context::eval())?, &wrong)?;
    let text = loss.item().expect_err("class 10 of 10").to_string();
    assert!(text.contains("expected 0 to 9"), "{text}");
    Ok(())
}

type Make = fn(Vec<taper_nn::Param>) -> Result<Box<dyn Optimizer>>;

const OPTIMIZERS: [(&str, Make); 6] = [
    ("Adam", |params| Ok(Box::new(Adam::new(params, AdamConfig::default())?))),
    ("AdamW", |params| Ok(Box::new(Adam::new(params, AdamConfig::adamw())?))),
    ("SGD", |params| {
        Ok(Box::new(Sgd::new(params, SgdConfig { momentum: 0.9, nesterov: true, ..SgdConfig::default() })?))
    }),
    ("LAMB", |params| Ok(Box::new(Lamb::new(params, LambConfig::default())?))),
    ("Adagrad", |params| {
        Ok(Box::new(Adagrad::new(params, AdagradConfig { lr_decay: 0.1, ..AdagradConfig::default() })?))
    }),
    ("dampened SGD with Lookahead", |params| {
        let config = SgdConfig { momentum: 0.9, dampening: 0.5, ..SgdConfig::default() };
        let inner = Box::new(Sgd::new(params, config)?);
        Ok(Box::new(Lookahead::new(inner, LookaheadConfig { every: 2, ..LookaheadConfig::default() })?))
    }),
];
