//! `gpt`: a training step of a GPT-2 of 4 blocks. `attention-1024`: attention alone, forward and backward.

use super::classifier::{ADAM_LR, normal};
use super::{Iteration, Measured, Work};
use crate::flop;
use taper::models::{Gpt2, Gpt2Config};
use taper::nn::{Adam, AdamConfig, Context, CrossEntropy, Module, Optimizer, Params};
use taper::tensor::AttentionOptions;
use taper::{DType, Device, RandomKey, Result, Tensor};

/// Samples, and tokens of each.
const SAMPLES: usize = 16;
const TOKENS: usize = 128;
const LAYERS: usize = 4;
const WIDTH: usize = 256;
/// Heads of 64 features.
const HEADS: usize = 4;
/// The characters of a text.
const VOCABULARY: usize = 65;
/// The context, the heads and their size where attention is measured alone.
const ALONE: [usize; 3] = [1024, 12, 64];

pub fn works() -> Vec<Work> {
    let (rows, head) = (SAMPLES * TOKENS, WIDTH / HEADS);
    let product = |inputs, outputs| flop::product([rows, inputs, outputs]);
    // Half of the pairs of a query and a key are above the diagonal.
    let attention = |heads, tokens, head| flop::product([heads * tokens, head, tokens + 1]);
    let block = product(WIDTH, 3 * WIDTH) + product(WIDTH, WIDTH) + 2.0 * product(WIDTH, 4 * WIDTH);
    let forward = LAYERS as f64 * (block + attention(SAMPLES * HEADS, TOKENS, head)) + product(WIDTH, VOCABULARY);
    let [context, heads, alone] = ALONE;
    vec![
        Work {
            name: "gpt".into(),
            timed: "GPT training step, 4 × 256 with 4 heads, 16 × 128 tokens, AdamW",
            measured: Measured::Time,
            family: None,
            threads: 2,
            flop: 3.0 * forward,
            bytes: None,
            make: Box::new(training),
        },
        Work {
            name: "attention-1024".into(),
            timed: "causal attention forward and backward, 12 heads of 64, 1,024 tokens",
            measured: Measured::Time,
            family: None,
            threads: 2,
            flop: 3.0 * attention(heads, context, alone),
            bytes: None,
            make: Box::new(attention_alone),
        },
    ]
}

fn training(device: &Device) -> Result<Iteration> {
    let params = Params::new(device, DType::F32, RandomKey::new(0));
    let config = Gpt2Config {
        vocab_size: VOCABULARY,
        n_positions: TOKENS,
        n_embd: WIDTH,
        n_layer: LAYERS,
        n_head: HEADS,
        dropout: 0.0,
        ..Gpt2Config::small()
    };
    let model = Gpt2::new(config, &params)?;
    let mut optimizer = Adam::new(params.trainable(), AdamConfig { lr: ADAM_LR, ..AdamConfig::adamw() })?;
    let draw = |name: &str| {
        let key = RandomKey::new(1).child(name);
        let tokens = (0..(SAMPLES * TOKENS) as u64).map(|i| key.below(i, VOCABULARY) as i64);
        Tensor::from_vec(tokens.collect(), [SAMPLES, TOKENS], device)
    };
    let (tokens, targets) = (draw("tokens")?, draw("targets")?.flatten(0)?);
    let mut step = 0;
    Ok(Box::new(move || {
        let logits = model.forward(&tokens, &Context::train(0, 0, step))?;
        let loss = CrossEntropy::default().forward(&logits.reshape([SAMPLES * TOKENS, VOCABULARY])?, &targets)?;
        // Whether the step was taken is not read: that would wait for the device.
        let _outcome = optimizer.step(&loss.backward()?)?;
        step += 1;
        Ok(loss)
    }))
}

fn attention_alone(device: &Device) -> Result<Iteration> {
    let [context, heads, head] = ALONE;
    let draw = |name: &str| normal(name, [1, heads, context, head], device);
    let (q, k, v, g) = (draw("q")?, draw("k")?, draw("v")?, draw("g")?);
    let (q, k, v) = (q.requires_grad(), k.requires_grad(), v.requires_grad());
    Ok(Box::new(move || {
        let options = AttentionOptions { causal: true, ..AttentionOptions::default() };
        let y = q.scaled_dot_product_attention(&k, &v, &options)?;
        let sum = y.mul(&g)?.sum_all()?;
        let _gradients = sum.backward()?;
        Ok(sum)
    }))
}
