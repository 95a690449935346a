//! A tour of the CPU backend: threads and instruction set, a computation with broadcasting, and memory reuse by the
//! pool.
//!
//!     cargo run --release -p taper-cpu --example tour

use std::time::Instant;
use taper_backend::{Activation, Backend, BinaryOp, DType, Distribution, FusedOp, RandomKey, ReduceOp, Result};
use taper_cpu::{CpuBackend, Isa};

fn main() -> Result<()> {
    let cpu = CpuBackend::new()?;
    println!("{cpu:?}; this machine has {:?}", Isa::available());

    // y = relu(x w + b), and the sum of each column: x [512, 256], w [256, 128], b [128].
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    let draw =
        |name: &str, shape: &[usize]| cpu.random(&shape.into(), DType::F32, normal, RandomKey::new(1).child(name));
    let (x, w, b) = (draw("x", &[512, 256])?, draw("w", &[256, 128])?, draw("b", &[128])?);
    let step = || -> Result<f64> {
        let product = cpu.matmul(&x, &w, false, false)?;
        let shifted = cpu.binary(BinaryOp::Add, &product, &b)?;
        // A backend may decline a fused operation; this one is offered for f32.
        let relu = cpu.fused(&FusedOp::Activation { x: &shifted, f: Activation::Relu })?;
        let y = relu.map_or(shifted, |output| output.y);
        let sums = cpu.reduce(ReduceOp::Sum, &y, &[0])?;
        Ok(cpu.download(&sums)?.to_f64()[0])
    };
    println!("first column sums to {:.4}", step()?);

    let misses = cpu.pool().misses();
    let start = Instant::now();
    for _ in 0..100 {
        step()?;
    }
    println!("{:?} a step, {:?}, {} new blocks", start.elapsed() / 100, cpu.pool(), cpu.pool().misses() - misses);
    Ok(())
}
