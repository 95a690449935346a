//! `vgg11`: a training step of VGG-11 for ImageNet's pictures, [`Vgg`].

use super::classifier::{SGD_LR, training};
use super::{Measured, Work};
use crate::flop;
use taper::models::{IMAGENET, Vgg, VggConfig};
use taper::nn::{Sgd, SgdConfig};

const BATCH: usize = 8;
/// The inputs and outputs of each convolution, and the side of its output.
const CONVS: [([usize; 2], usize); 8] = [
    ([3, 64], 224),
    ([64, 128], 112),
    ([128, 256], 56),
    ([256, 256], 56),
    ([256, 512], 28),
    ([512, 512], 28),
    ([512, 512], 14),
    ([512, 512], 14),
];

pub fn works() -> Vec<Work> {
    vec![Work {
        name: "vgg11".into(),
        timed: "training step at 224 px, batch 8, SGD with momentum",
        measured: Measured::Time,
        family: None,
        threads: 2,
        flop: flop::step(&forward()),
        bytes: None,
        make: Box::new(|device| {
            let model = |params: &_| Vgg::new(11, false, &VggConfig::default(), &IMAGENET, params);
            training(device, [BATCH, 3, 224, 224], IMAGENET.classes, model, |params| {
                Sgd::new(params.trainable(), SgdConfig { lr: SGD_LR, momentum: 0.9, ..SgdConfig::default() })
            })
        }),
    }]
}

fn forward() -> Vec<f64> {
    let convs = CONVS.into_iter().map(|(channels, side)| flop::conv(BATCH, channels, 3, side));
    let linear = [[25_088, 4096], [4096, 4096], [4096, 1000]].map(|[from, to]| flop::product([BATCH, from, to]));
    convs.chain(linear).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torchvision tells of 7.61 G multiply-adds a sample.
    #[test]
    fn it_is_the_network_that_is_meant() {
        let products = forward().iter().sum::<f64>() / (2.0 * BATCH as f64);
        assert!((products / 7.61e9 - 1.0).abs() < 2e-3, "{products}");
        let all = taper::models::summary("vgg11", None).unwrap().flop() as f64 / 2.0;
        assert!((products / all - 1.0).abs() < 2e-3, "{products} {all}");
    }
}
