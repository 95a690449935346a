//! A benchmark: GFLOP/s of matrix products and of the seed CNN's layers, next to the machine's peak.
//!
//!     cargo run --release -p taper-cpu --example gemm_speed -- [threads] [f32|f64] [products|few|layers|peak|bandwidth]
//!
//! Each line shows the median and the best of the calls. On a machine that does other work too, only the best is
//! meaningful.

use std::time::Instant;
use taper_backend::{
    Activation, Backend, Buffer, Conv2dSpec, DType, Distribution, FusedOp, FusedOutput, Pool2dSpec, RandomKey, Result,
    Shape,
};
use taper_cpu::CpuBackend;

/// The median and the shortest time of a call, in seconds.
fn times(mut f: impl FnMut() -> Result<()>) -> Result<[f64; 2]> {
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < 7 || (begin.elapsed().as_secs_f64() < 0.4 && times.len() < 400) {
        let start = Instant::now();
        f()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok([times[times.len() / 2], times[0]])
}

fn random(cpu: &CpuBackend, shape: &[usize], dtype: DType, name: &str) -> Result<Buffer> {
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    cpu.random(&Shape::from(shape), dtype, normal, RandomKey::new(1).child(name))
}

fn report(name: &str, multiplications: usize, [median, best]: [f64; 2]) {
    let rate = |seconds: f64| 2e-9 * multiplications as f64 / seconds;
    println!(
        "{name:<46} {:>8.3} ms {:>7.1} GFLOP/s, best {:>8.3} ms {:>7.1} GFLOP/s",
        median * 1e3,
        rate(median),
        best * 1e3,
        rate(best)
    );
}

fn products(cpu: &CpuBackend, dtype: DType) -> Result<()> {
    let shapes = [
        [65536, 27, 64],
        [16384, 576, 128],
        [16384, 64, 128],
        [64, 8192, 512],
        [128, 1024, 1024],
        [128, 128, 128],
        [256, 256, 256],
        [512, 512, 512],
        [1024, 1024, 1024],
        [2048, 2048, 2048],
    ];
    for [m, k, n] in shapes {
        for transposed in [false, true] {
            let a = random(cpu, &[m, k], dtype, "a")?;
            let b = random(cpu, &if transposed { [n, k] } else { [k, n] }, dtype, "b")?;
            let seconds = times(|| cpu.matmul(&a, &b, false, transposed).map(drop))?;
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
    let seconds = times(|| cpu.matmul(&g, &w, false, false).map(drop))?;
    report(&format!("matmul {dtype} 64 × 512 × 8192"), 64 * 512 * 8192, seconds);
    let seconds = times(|| cpu.matmul(&g, &x, true, false).map(drop))?;
    report(&format!("matmul {dtype} 512 × 64 × 8192 (A transposed)"), 64 * 512 * 8192, seconds);
    Ok(())
}

/// Products of few rows, whose time is that of reading the larger operand: `w: [n, k]`, then `w: [k, n]`.
fn few(cpu: &CpuBackend, dtype: DType) -> Result<()> {
    for rows in [1, 2, 4, 8] {
        for [k, n] in [[8192, 512], [512, 8192], [4096, 4096]] {
            for transposed in [true, false] {
                let x = random(cpu, &[rows, k], dtype, "x")?;
                let w = random(cpu, &if transposed { [n, k] } else { [k, n] }, dtype, "w")?;
                let [median, best] = times(|| cpu.matmul(&x, &w, false, transposed).map(drop))?;
                let name = format!("{dtype} {rows} × {k} × {n}{}", if transposed { " (w transposed)" } else { "" });
                report_bytes(&name, w.shape().count() * dtype.size(), [median, best]);
            }
        }
    }
    Ok(())
}

fn report_bytes(name: &str, bytes: usize, [median, best]: [f64; 2]) {
    let rate = |seconds: f64| 1e-9 * bytes as f64 / seconds;
    println!(
        "{name:<46} {:>8.3} ms {:>7.1} GB/s,    best {:>8.3} ms {:>7.1} GB/s",
        median * 1e3,
        rate(median),
        best * 1e3,
        rate(best)
    );
}

/// Memory bandwidth: each thread sums its part of a block. The first block is as large as the seed CNN's largest
/// weight, which may fit the last-level cache; the last fits no cache.
fn bandwidth(threads: usize) -> Result<()> {
    const LANES: usize = 64;
    for bytes in [16 << 20, 64 << 20, 512 << 20] {
        let data = vec![1.0_f32; bytes / 4];
        let part = data.len() / threads / LANES * LANES;
        let seconds = std::thread::scope(|scope| {
            let (tell, go): (Vec<_>, Vec<_>) = (1..threads)
                .map(|i| {
                    let (tell, told) = std::sync::mpsc::channel::<()>();
                    let (done, wait) = std::sync::mpsc::channel::<()>();
                    let part = &data[i * part..(i + 1) * part];
                    scope.spawn(move || {
                        while told.recv().is_ok() {
                            std::hint::black_box(sum::<LANES>(part));
                            if done.send(()).is_err() {
                                break;
                            }
                        }
                    });
                    (tell, wait)
                })
                .unzip();
            times(|| {
                tell.iter().for_each(|tell| tell.send(()).unwrap_or_default());
                std::hint::black_box(sum::<LANES>(&data[..part]));
                go.iter().for_each(|go| go.recv().unwrap_or_default());
                Ok(())
            })
        })?;
        report_bytes(&format!("reading {} MiB, {threads} threads", bytes >> 20), bytes, seconds);
    }
    Ok(())
}

/// The sum of `data` in `L` lanes.
fn sum<const L: usize>(data: &[f32]) -> [f32; L] {
    let mut sums = [0.0; L];
    for chunk in data.chunks_exact(L) {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += x;
        }
    }
    sums
}

/// The seed CNN's layers, forward and backward, batch 64.
fn layers(cpu: &CpuBackend, dtype: DType) -> Result<()> {
    let spec = Conv2dSpec { padding: [1, 1], ..Conv2dSpec::default() };
    let pool = Pool2dSpec::square(2);
    let mut total = [[0.0; 2]; 2];
    let mut work = 0;
    for (name, [n, c, h, w], outputs) in [("conv1", [64, 3, 32, 32], 64), ("conv2", [64, 64, 16, 16], 128)] {
        let ones = cpu.fill(&[c, 1, 1, 1].into(), dtype, 1.0)?;
        // A depthwise convolution with the weight 1 gives the same image channels-last, as the output of an earlier
        // layer would be.
        let x = cpu.conv2d(
            &random(cpu, &[n, c, h, w], dtype, "x")?,
            &ones,
            &Conv2dSpec { groups: c, ..Conv2dSpec::default() },
        )?;
        let weight = random(cpu, &[outputs, c, 3, 3], dtype, "weight")?;
        let bias = random(cpu, &[outputs], dtype, "bias")?;
        let g = random(cpu, &[n, outputs, h, w], dtype, "g")?;
        let pooled = random(cpu, &[n, outputs, h / 2, w / 2], dtype, "pooled")?;
        let size = n * h * w * c * 9 * outputs;
        let plain = |name: &str, f: &mut dyn FnMut() -> Result<()>| -> Result<()> {
            report(name, size, times(f)?);
            Ok(())
        };
        plain(&format!("{name} {dtype} forward"), &mut || cpu.conv2d(&x, &weight, &spec).map(drop))?;
        plain(&format!("{name} {dtype} weight gradient"), &mut || {
            cpu.conv2d_weight_grad(&x, &g, &spec, weight.shape()).map(drop)
        })?;
        plain(&format!("{name} {dtype} input gradient"), &mut || {
            cpu.conv2d_input_grad(&g, &weight, &spec, x.shape()).map(drop)
        })?;
        let (f, bias) = (Activation::Relu, Some(&bias));
        let op = FusedOp::Conv2dBlock { x: &x, weight: &weight, bias, spec, f, pool: Some(pool) };
        let forward = || cpu.fused(&op);
        let seconds = times(|| forward().map(drop))?;
        report(&format!("{name} {dtype} block forward"), size, seconds);
        let Some(FusedOutput { saved, .. }) = forward()? else { continue };
        // The first layer's input needs no gradient.
        let needs = [name != "conv1", true, true];
        let back = times(|| cpu.fused_grad(&op, &pooled, &saved, &needs).map(drop))?;
        let back_size = size * if needs[0] { 2 } else { 1 };
        report(&format!("{name} {dtype} block backward"), back_size, back);
        for i in 0..2 {
            total[0][i] += seconds[i] + back[i];
        }
        work += size + back_size;
    }
    report(&format!("{dtype} convolutions of a training step"), work, total[0]);
    let (x, weight) = (random(cpu, &[64, 8192], dtype, "x")?, random(cpu, &[512, 8192], dtype, "w")?);
    let (bias, g) = (random(cpu, &[512], dtype, "bias")?, random(cpu, &[64, 512], dtype, "g")?);
    let op = FusedOp::Linear { x: &x, weight: &weight, bias: Some(&bias), f: Activation::Relu };
    let forward = || cpu.fused(&op);
    report(&format!("fc1 {dtype} forward"), 64 * 8192 * 512, times(|| forward().map(drop))?);
    if let Some(FusedOutput { saved, .. }) = forward()? {
        let back = times(|| cpu.fused_grad(&op, &g, &saved, &[true; 3]).map(drop))?;
        report(&format!("fc1 {dtype} backward"), 2 * 64 * 8192 * 512, back);
    }
    Ok(())
}

/// The machine's peak: many independent fused multiply-adds on registers alone.
#[cfg(target_arch = "x86_64")]
fn peak(threads: usize) -> Result<()> {
    use std::arch::x86_64::*;
    use taper_cpu::Isa;
    const COUNT: usize = 2_000_000;
    macro_rules! kernel {
        ($name:ident, $features:literal, $vectors:literal, $vector:ty, $set:ident, $fmadd:ident) => {
            #[target_feature(enable = $features)]
            fn $name() -> $vector {
                let (x, y) = ($set(0.999), $set(0.5));
                let mut sums = [y; $vectors];
                for _ in 0..COUNT {
                    for sum in &mut sums {
                        *sum = $fmadd(*sum, x, y);
                    }
                }
                sums.into_iter().fold(y, |total, sum| $fmadd(total, x, sum))
            }
        };
    }
    kernel!(wide, "avx512f", 24, __m512, _mm512_set1_ps, _mm512_fmadd_ps);
    kernel!(narrow, "avx2,fma", 12, __m256, _mm256_set1_ps, _mm256_fmadd_ps);
    for isa in Isa::available() {
        let lanes = match isa {
            Isa::Avx512 => 24 * 16,
            Isa::Avx2 => 12 * 8,
            Isa::Portable => continue,
        };
        let seconds = times(|| {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        // SAFETY: the machine has the instructions, as `Isa::available` says.
                        unsafe {
                            if isa == Isa::Avx512 {
                                std::hint::black_box(wide());
                            } else {
                                std::hint::black_box(narrow());
                            }
                        }
                    });
                }
            });
            Ok(())
        })?;
        report(&format!("peak f32 {isa:?}, {threads} threads"), COUNT * lanes * threads, seconds);
    }
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn peak(_: usize) -> Result<()> {
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let threads = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(2);
    let wants = |name: &str, among: &[&str]| {
        arguments.iter().any(|a| a == name) || !arguments.iter().any(|a| among.contains(&a.as_str()))
    };
    let parts = ["peak", "bandwidth", "products", "few", "layers"];
    let cpu = CpuBackend::with_threads(threads)?;
    println!("{cpu:?}");
    if wants("peak", &parts) {
        peak(threads)?;
    }
    if wants("bandwidth", &parts) {
        bandwidth(threads)?;
    }
    for (name, dtype) in [("f32", DType::F32), ("f64", DType::F64)] {
        if wants(name, &["f32", "f64"]) {
            if wants("products", &parts) {
                products(&cpu, dtype)?;
            }
            if wants("few", &parts) {
                few(&cpu, dtype)?;
            }
            if wants("layers", &parts) {
                layers(&cpu, dtype)?;
            }
        }
    }
    Ok(())
}
