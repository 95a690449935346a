//! The backward pass of T slices of one tensor, with each slice taken by itself and with all from `unbind`: milliseconds
//! and bytes.
//!
//!     cargo run --release -p taper-tensor --example slices

use std::time::Instant;
use taper_backend::profile::{Phase, Profiler, WARM_UP, step};
use taper_cpu::CpuBackend;
use taper_tensor::{Device, GradOptions, RandomKey, Result, Tensor, grad};

const ROUNDS: u64 = 7;

type Slices = fn(&Tensor, usize) -> Result<Vec<Tensor>>;

/// Σ tanh(slice · weight) over the slices of `x`.
fn forward(slices: Slices, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let steps = x.shape()[1];
    let outputs = slices(x, steps)?.iter().map(|slice| slice.mul(weight)?.tanh()).collect::<Result<Vec<_>>>()?;
    outputs.iter().try_fold(Tensor::zeros([], x.dtype(), x.device())?, |sum, y| sum.add(&y.sum_all()?))
}

/// Median milliseconds and bytes of the backward pass; with `second` of a gradient's gradient.
fn measure(slices: Slices, steps: usize, second: bool) -> Result<(f64, f64)> {
    let (device, profiler) = Profiler::device(Device::new(CpuBackend::new()?));
    let draw = |shape: &[usize], key| {
        let normal = taper_tensor::Distribution::Normal { mean: 0.0, std: 1.0 };
        Tensor::random(normal, RandomKey::new(key), shape, taper_tensor::DType::F32, &device)
    };
    let (x, weight) = (draw(&[32, steps, 64], 1)?.requires_grad(), draw(&[32, 64], 2)?);
    let mut times = Vec::new();
    for number in 1..=WARM_UP + ROUNDS {
        let _step = step(number);
        let mut y = forward(slices, &x, &weight)?;
        if second {
            let options = GradOptions { create_graph: true, ..GradOptions::default() };
            let first = grad(&y, &[&x], None, options)?.remove(0).expect("y depends on x");
            y = first.mul(&first)?.sum_all()?;
        }
        let begun = Instant::now();
        y.backward()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let mut times = times.split_off(WARM_UP as usize);
    times.sort_by(f64::total_cmp);
    let profile = profiler.profile();
    let backward = profile.rows.iter().filter(|row| row.phase == Phase::Backward);
    let bytes: u64 = backward.map(|row| row.bytes * row.calls).sum();
    Ok((times[times.len() / 2], bytes as f64 / ROUNDS as f64))
}

fn main() -> Result<()> {
    let each: Slices =
        |x, steps| (0..steps).map(|t| x.narrow(1, t, 1)?.reshape([x.shape()[0], x.shape()[2]])).collect();
    let all: Slices = |x, _| x.unbind(1);
    println!(
        "x: f32[32, T, 64]. The backward pass of T slices of it, median of {ROUNDS}; of second order, that of |dy/dx|²"
    );
    println!("with the first order's");
    println!("{:<22}{:>6}{:>12}{:>12}{:>14}", "slices", "T", "order", "ms", "MB");
    for (name, slices) in [("narrow, each by itself", each), ("unbind", all)] {
        for second in [false, true] {
            for steps in [64, 256, 1024] {
                // Its graph holds T gradients of the whole size.
                if second && name != "unbind" && steps == 1024 {
                    continue;
                }
                let (ms, bytes) = measure(slices, steps, second)?;
                println!("{name:<22}{steps:>6}{:>12}{ms:>12.2}{:>14.1}", if second { 2 } else { 1 }, bytes / 1e6);
            }
        }
    }
    Ok(())
}
