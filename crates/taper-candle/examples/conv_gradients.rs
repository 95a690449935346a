//! Convolution's two gradients as this crate computes them, and as candle's own backward pass does, on the shapes of the
//! seed CNN and a strided one: milliseconds, median of several. `cargo run --release -p taper-candle --example
//! conv_gradients [-- cuda]` (with `--features cuda`).

use candle_core::{Device, Tensor};
use std::time::Instant;
use taper_backend::{Backend, Conv2dSpec, DType, Distribution, RandomKey, Result, Shape};
use taper_candle::CandleBackend;

/// Batch, input channels, side, output channels, kernel, stride, padding.
const SHAPES: [[usize; 7]; 4] =
    [[64, 3, 32, 64, 3, 1, 1], [64, 64, 16, 128, 3, 1, 1], [64, 64, 16, 128, 3, 2, 1], [64, 128, 8, 128, 1, 1, 0]];

fn main() -> Result<()> {
    let backend = open()?;
    println!("{:<44}{:>10}{:>10}{:>10}{:>10}", "", "dx ours", "candle", "dw ours", "candle");
    for [n, c, side, out, kernel, stride, padding] in SHAPES {
        let spec = Conv2dSpec { stride: [stride; 2], padding: [padding; 2], ..Conv2dSpec::default() };
        let (x_shape, w_shape) = (Shape::from([n, c, side, side]), Shape::from([out, c, kernel, kernel]));
        let y_shape = spec.output_shape(&x_shape, &w_shape)?;
        let draw = |shape: &Shape, i: u64| {
            let uniform = Distribution::Uniform { low: -1.0, high: 1.0 };
            backend.random(shape, DType::F32, uniform, RandomKey::new(i))
        };
        let (x, w, g) = (draw(&x_shape, 0)?, draw(&w_shape, 1)?, draw(&y_shape, 2)?);
        let of = |buffer: &taper_backend::Buffer| buffer.data::<Tensor>().cloned().expect("this backend's buffer");
        let (xt, wt, gt) = (of(&x), of(&w), of(&g));
        // As in candle's backprop.rs.
        let rest = side + 2 * padding - (kernel + (y_shape[2] - 1) * stride);
        let times = [
            median(|| of(&backend.conv2d_input_grad(&g, &w, &spec, &x_shape).expect("a gradient"))),
            median(|| gt.conv_transpose2d(&wt, padding, rest, stride, 1).expect("a gradient")),
            median(|| of(&backend.conv2d_weight_grad(&x, &g, &spec, &w_shape).expect("a gradient"))),
            median(|| {
                let turned = |t: &Tensor| t.transpose(0, 1).and_then(|t| t.contiguous());
                turned(&xt)
                    .and_then(|x| x.conv2d(&turned(&gt)?, padding, 1, stride, 1)?.transpose(0, 1)?.contiguous())
                    .expect("a gradient")
            }),
        ];
        let label = format!("{x_shape} to {out}, {kernel}x{kernel}, stride {stride}");
        println!("{label:<44}{:>10.2}{:>10.2}{:>10.2}{:>10.2}", times[0], times[1], times[2], times[3]);
    }
    Ok(())
}

fn open() -> Result<CandleBackend> {
    #[cfg(feature = "cuda")]
    if std::env::args().any(|arg| arg == "cuda") {
        return CandleBackend::cuda(0);
    }
    Ok(CandleBackend::cpu())
}

/// Milliseconds of `f`, its result waited for.
fn median(f: impl Fn() -> Tensor) -> f64 {
    let timed = || {
        let start = Instant::now();
        let result = f();
        if let Device::Cuda(_) = result.device() {
            result.device().synchronize().expect("the card");
        }
        start.elapsed().as_secs_f64() * 1e3
    };
    timed();
    let mut times: Vec<f64> = (0..9).map(|_| timed()).collect();
    times.sort_by(f64::total_cmp);
    times[4]
}
