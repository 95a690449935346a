//! `airbench`: a training step of the network of airbench94, [`Airbench`].

use super::classifier::{SGD_LR, training};
use super::{Measured, Work};
use crate::flop;
use taper::models::{Airbench, InputSpec};
use taper::nn::{Sgd, SgdConfig};

const BATCH: usize = 500;
const CLASSES: usize = 10;
/// The output channels of the whitening convolution and of each of the three groups.
const CHANNELS: [usize; 4] = [24, 64, 256, 256];
/// The side of each group's input, and of the last group's output: 32 − 1 after the whitening, halved by each group's
/// pooling.
const SIDES: [usize; 4] = [31, 15, 7, 3];

pub fn works() -> Vec<Work> {
    vec![Work {
        name: "airbench".into(),
        timed: "training step, batch 500, SGD with Nesterov's momentum",
        measured: Measured::Time,
        family: None,
        threads: 2,
        flop: whiten() + 3.0 * trained(),
        bytes: None,
        make: Box::new(|device| {
            let model = |params: &_| Airbench::new(&InputSpec { shape: [3, 32, 32], classes: CLASSES }, params);
            training(device, [BATCH, 3, 32, 32], CLASSES, model, |params| {
                let config = SgdConfig { lr: SGD_LR, momentum: 0.85, nesterov: true, ..SgdConfig::default() };
                Sgd::new(params.trainable(), config)
            })
        }),
    }]
}

/// Operations of the whitening convolution's forward pass. It has no backward pass: its weight is not trained, and the
/// gradient with respect to the samples is not computed.
fn whiten() -> f64 {
    flop::conv(BATCH, [3, CHANNELS[0]], 2, SIDES[0])
}

/// Operations of the other layers' forward pass. The backward pass takes as many for the gradient of each weight, and
/// as many for the gradient of each input, the first layer's too, since the bias of the whitening is trained.
fn trained() -> f64 {
    let pairs = CHANNELS.windows(2).zip(SIDES.windows(2));
    let group = |(pair, sides): (&[usize], &[usize])| {
        flop::conv(BATCH, [pair[0], pair[1]], 3, sides[0]) + flop::conv(BATCH, [pair[1], pair[1]], 3, sides[1])
    };
    pairs.map(group).sum::<f64>() + flop::product([BATCH, CHANNELS[3], CLASSES])
}
