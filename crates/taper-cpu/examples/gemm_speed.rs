//! Achieved GFLOP/s of matrix products and of the seed CNN's convolutions, beside the machine's peak.
//!
//!     cargo run --release -p taper-cpu --example gemm_speed [threads]

use std::time::Instant;
use taper_backend::{Backend, Buffer, DType, Distribution, RandomKey, Result, Shape};
use taper_cpu::CpuBackend;

/// The median time of a call, in seconds.
fn median(mut f: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < 5 || (begin.elapsed().as_secs_f64() < 0.6 && times.len() < 200) {
        let start = Instant::now();
        f()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn random(cpu: &CpuBackend, shape: &[usize], dtype: DType, name: &str) -> Result<Buffer> {
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    cpu.random(&Shape::from(shape), dtype, normal, RandomKey::new(1).child(name))
}

fn report(name: &str, multiplications: usize, seconds: f64) {
    println!("{name:<44} {:>8.3} ms {:>8.1} GFLOP/s", seconds * 1e3, 2e-9 * multiplications as f64 / seconds);
}

fn products(cpu: &CpuBackend, dtype: DType) -> Result<()> {
    let shapes = [
        [65536, 27, 64],
        [16384, 576, 128],
        [16384, 64, 128],
        [64, 8192, 512],
        [128, 1024, 1024],
        [256, 256, 256],
        [512, 512, 512],
        [1024, 1024, 1024],
        [2048, 2048, 2048],
    ];
    for [m, k, n] in shapes {
        for transposed in [false, true] {
            let a = random(cpu, &[m, k], dtype, "a")?;
            let b = random(cpu, &if transposed { [n, k] } else { [k, n] }, dtype, "b")?;
            let seconds = median(|| cpu.matmul(&a, &b, false, transposed).map(drop))?;
            let name = format!("matmul {dtype} {m} × {k} × {n}{}", if transposed { " (B transposed)" } else { "" });
            report(&name, m * k * n, seconds);
        }
    }
    // The gradients of the seed CNN's large linear layer.
    let (g, w, x) = (
        random(cpu, &[64, 512], dtype, "g")?,
        random(cpu, &[512, 8192], dtype, "w")?,
        random(cpu, &[64, 8192], dtype, "x")?,
    );
    let seconds = median(|| cpu.matmul(&g, &w, false, false).map(drop))?;
    report(&format!("matmul {dtype} 64 × 512 × 8192"), 64 * 512 * 8192, seconds);
    let seconds = median(|| cpu.matmul(&g, &x, true, false).map(drop))?;
    report(&format!("matmul {dtype} 512 × 64 × 8192 (A transposed)"), 64 * 512 * 8192, seconds);
    Ok(())
}

fn main() -> Result<()> {
    let threads = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2);
    let cpu = CpuBackend::with_threads(threads)?;
    println!("{cpu:?}");
    for dtype in [DType::F32, DType::F64] {
        products(&cpu, dtype)?;
    }
    Ok(())
}
