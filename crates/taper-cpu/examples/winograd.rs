//! A benchmark of Winograd's convolution against direct evaluation: their times, and their errors against f64.
//!
//!     cargo run --release -p taper-cpu --example winograd -- [threads] [avx512|avx2|portable]
//!
//! Layers of the seed CNN and of ResNet-18 for images of 32 × 32, batch 64, channels last. Times are the shortest of 20
//! alternating calls; errors are ‖a − b‖ / ‖b‖ for standard normal operands, `b` computed in f64.

use std::time::Instant;
use taper_backend::{Backend, Buffer, Conv2dSpec, DType, Distribution, RandomKey, Result, Shape};
use taper_cpu::{Convolution, CpuBackend, CpuOptions};

/// The batch size.
const BATCH: usize = 64;
const SPEC: Conv2dSpec = Conv2dSpec { stride: [1; 2], padding: [1; 2], dilation: [1; 2], groups: 1 };

/// The operands of one layer: the input, the weight, and the output's gradient.
struct Layer {
    x: Buffer,
    weight: Buffer,
    g: Buffer,
}

impl Layer {
    fn new(cpu: &CpuBackend, dtype: DType, [inputs, outputs, side]: [usize; 3]) -> Result<Self> {
        let random = |shape: &[usize], name| {
            let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
            let x = cpu.random(&Shape::from(shape), DType::F32, normal, RandomKey::new(1).child(name))?;
            cpu.cast(&x, dtype)
        };
        let image = |channels, name| {
            let ones = cpu.fill(&[channels, 1, 1, 1].into(), dtype, 1.0)?;
            // A depthwise convolution with the weight 1 gives the same image channels-last, as the output of an earlier
            // layer would be.
            let spec = Conv2dSpec { groups: channels, ..Conv2dSpec::default() };
            cpu.conv2d(&random(&[BATCH, channels, side, side], name)?, &ones, &spec)
        };
        let weight = random(&[outputs, inputs, 3, 3], "weight")?;
        Ok(Self { x: image(inputs, "x")?, weight, g: image(outputs, "g")? })
    }

    /// The output (`which` is 0), the input gradient (1) or the weight gradient (2).
    fn compute(&self, cpu: &CpuBackend, which: usize) -> Result<Buffer> {
        match which {
            0 => cpu.conv2d(&self.x, &self.weight, &SPEC),
            1 => cpu.conv2d_input_grad(&self.g, &self.weight, &SPEC, self.x.shape()),
            _ => cpu.conv2d_weight_grad(&self.x, &self.g, &SPEC, self.weight.shape()),
        }
    }
}

/// ‖a − b‖ / ‖b‖.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(a, b)| square(a - b)).sum();
    (difference / b.iter().map(|&b| square(b)).sum::<f64>()).sqrt()
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let threads = args.first().and_then(|word| word.parse().ok()).unwrap_or(0);
    let isa = args.get(1).map(|word| word.parse()).transpose()?;
    let backend = |convolution| CpuBackend::with_options(CpuOptions { threads, isa, convolution });
    let (auto, direct) = (backend(Convolution::Auto)?, backend(Convolution::Direct)?);
    println!("{auto:?}");
    println!(
        "{:<34}{:>10}{:>10}{:>8}{:>10}{:>11}{:>11}{:>8}",
        "", "direct ms", "ms", "ratio", "GFLOP/s", "error", "direct's", "ratio"
    );
    let mut total = [0.0; 2];
    for sizes @ [inputs, outputs, side] in [[64, 128, 16], [64, 64, 32], [128, 128, 16], [256, 256, 8], [512, 512, 4]] {
        for (which, name) in ["forward", "input gradient", "weight gradient"].into_iter().enumerate() {
            let layer = Layer::new(&auto, DType::F32, sizes)?;
            let exact = Layer::new(&direct, DType::F64, sizes)?.compute(&direct, which)?;
            let exact = direct.download(&exact)?.to_f64();
            let error = |cpu: &CpuBackend| -> Result<f64> {
                Ok(distance(&cpu.download(&layer.compute(cpu, which)?)?.to_f64(), &exact))
            };
            let errors = [error(&direct)?, error(&auto)?];
            let mut best = [f64::INFINITY; 2];
            for _ in 0..20 {
                for (best, cpu) in best.iter_mut().zip([&direct, &auto]) {
                    let start = Instant::now();
                    layer.compute(cpu, which)?;
                    *best = best.min(start.elapsed().as_secs_f64() * 1e3);
                }
            }
            let flop = (2 * BATCH * side * side * 9 * inputs * outputs) as f64;
            println!(
                "{:<34}{:>10.3}{:>10.3}{:>8.2}{:>10.0}{:>11.2e}{:>11.2e}{:>8.2}",
                format!("{inputs} → {outputs}, {side} × {side}, {name}"),
                best[0],
                best[1],
                best[0] / best[1],
                flop / best[1] * 1e-6,
                errors[1],
                errors[0],
                errors[1] / errors[0]
            );
            total.iter_mut().zip(best).for_each(|(total, best)| *total += best);
        }
    }
    println!("{:<34}{:>10.3}{:>10.3}{:>8.2}", "all", total[0], total[1], total[0] / total[1]);
    Ok(())
}
