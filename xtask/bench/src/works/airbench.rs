//! `airbench`: the network of airbench94, from the zoo.

use super::classifier::{SGD_LR, training};
use super::{Measured, Work};
use crate::flop;
use taper::models::{Airbench, InputSpec};
use taper::nn::{Sgd, SgdConfig};

const BATCH: usize = 500;
const CLASSES: usize = 10;
/// Of the whitening, and of each group.
const CHANNELS: [usize; 4] = [24, 64, 256, 256];
/// The side of a group's input: 32 − 1 behind the whitening, halved by each group's pooling.
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

/// The whitening, which goes forward only: its weight is not trained, and nobody asks for the pictures' gradient.
fn whiten() -> f64 {
    flop::conv(BATCH, [3, CHANNELS[0]], 2, SIDES[0])
}

/// The other layers, forward; each goes again for its weight's gradient and for its input's, which the whitening's bias
/// needs of the first too.
fn trained() -> f64 {
    let pairs = CHANNELS.windows(2).zip(SIDES.windows(2));
    let group = |(pair, sides): (&[usize], &[usize])| {
        flop::conv(BATCH, [pair[0], pair[1]], 3, sides[0]) + flop::conv(BATCH, [pair[1], pair[1]], 3, sides[1])
    };
    pairs.map(group).sum::<f64>() + flop::product([BATCH, CHANNELS[3], CLASSES])
}
