//! `transformer`: a training step of the paper's encoder and decoder, at a fraction of its size.

use super::classifier::ADAM_LR;
use super::{Iteration, Measured, Work};
use crate::flop;
use taper::models::{Transformer, TransformerConfig};
use taper::nn::{Adam, AdamConfig, Context, CrossEntropy, Optimizer, Params};
use taper::{DType, Device, RandomKey, Result, Tensor};

const SAMPLES: usize = 16;
/// Tokens of a source, and of a target.
const TOKENS: usize = 64;
const LAYERS: usize = 3;
const WIDTH: usize = 256;
const HEADS: usize = 4;
const UNITS: usize = 1024;
const VOCABULARY: usize = 1000;

pub fn works() -> Vec<Work> {
    let rows = SAMPLES * TOKENS;
    let product = |inputs, outputs| flop::product([rows, inputs, outputs]);
    let attention = 4.0 * product(WIDTH, WIDTH) + 2.0 * product(TOKENS, WIDTH);
    let ahead = 2.0 * product(WIDTH, UNITS);
    let forward = LAYERS as f64 * (3.0 * attention + 2.0 * ahead) + product(WIDTH, VOCABULARY);
    vec![Work {
        name: "transformer".into(),
        timed: "encoder-decoder training step, 3 + 3 × 256 with 4 heads, 16 × 64 to 64 tokens, Adam",
        measured: Measured::Time,
        family: None,
        threads: 2,
        flop: 3.0 * forward,
        bytes: None,
        make: Box::new(training),
    }]
}

fn training(device: &Device) -> Result<Iteration> {
    let params = Params::new(device, DType::F32, RandomKey::new(0));
    let config = TransformerConfig {
        source: VOCABULARY,
        target: VOCABULARY,
        longest: TOKENS,
        d_model: WIDTH,
        nhead: HEADS,
        encoder_layers: LAYERS,
        decoder_layers: LAYERS,
        dim_feedforward: UNITS,
        dropout: 0.0,
        norm_first: false,
    };
    let model = Transformer::new(config, &params)?;
    let mut optimizer = Adam::new(params.trainable(), AdamConfig { lr: ADAM_LR, ..AdamConfig::default() })?;
    let draw = |name: &str| {
        let key = RandomKey::new(1).child(name);
        let tokens = (0..(SAMPLES * TOKENS) as u64).map(|i| key.below(i, VOCABULARY) as i64);
        Tensor::from_vec(tokens.collect(), [SAMPLES, TOKENS], device)
    };
    let (source, target, next) = (draw("source")?, draw("target")?, draw("next")?.flatten(0)?);
    let mut step = 0;
    Ok(Box::new(move || {
        let logits = model.forward(&source, &target, None, &Context::train(0, 0, step))?;
        let loss = CrossEntropy::default().forward(&logits.reshape([SAMPLES * TOKENS, VOCABULARY])?, &next)?;
        // Whether the step was taken is not read: that would wait for the device.
        let _outcome = optimizer.step(&loss.backward()?)?;
        step += 1;
        Ok(loss)
    }))
}
