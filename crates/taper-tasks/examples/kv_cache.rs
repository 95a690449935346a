//! How much faster a GPT writes with a cache of keys and values than without: the model of the experiment `text` with a window
//! of 256 characters. `cargo run --release -p taper-tasks --example kv_cache [CHARACTERS]` writes 256 of them if none are named.

use std::ops::ControlFlow;
use std::time::Instant;
use taper_models::{Gpt2, Gpt2Config};
use taper_nn::{DType, Device, Params, RandomKey};
use taper_tasks::{Sampling, continued};
use taper_train::Result;

/// Times that each is measured, in turn.
const ROUNDS: usize = 5;

/// The median seconds for `count` characters with and without the cache, and whether they were the same.
pub(crate) fn run(count: usize, rounds: usize) -> Result<([f64; 2], bool)> {
    let device = Device::new(taper_cpu::CpuBackend::new()?);
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let (vocab_size, n_positions) = (80, 256);
    let config =
        Gpt2Config { vocab_size, n_positions, n_embd: 128, n_layer: 4, n_head: 4, dropout: 0.0, ..Gpt2Config::small() };
    let model = Gpt2::new(config, &params)?;
    let sampling = Sampling { key: RandomKey::new(1), ..Sampling::default() };
    let mut seconds = [Vec::new(), Vec::new()];
    let mut written = Vec::new();
    for _ in 0..rounds {
        for (cached, seconds) in [true, false].into_iter().zip(&mut seconds) {
            let begun = Instant::now();
            let mut each = |_: &[i64]| ControlFlow::Continue(());
            written.push(continued(&model, &[vec![1]], count, cached, &sampling, &device, &mut each)?);
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    let median = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Ok((seconds.map(median), written.windows(2).all(|two| two[0] == two[1])))
}

#[allow(dead_code, reason = "a test runs what is above")]
fn main() -> Result<()> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(256);
    let ([cached, anew], same) = run(count, ROUNDS)?;
    let each = |seconds: f64| 1e3 * seconds / count as f64;
    println!("{count} characters: {:.2} ms each with the cache, {:.2} ms without", each(cached), each(anew));
    println!("{:.1} times as fast, the {} characters", anew / cached, if same { "same" } else { "NOT THE SAME" });
    Ok(())
}
