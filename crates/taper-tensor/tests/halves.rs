//! Halves: what is composed of sums, squares and differences is computed in f32 and rounded once, in the value, in the gradient
//! and in the gradient's gradient.

use taper_tensor::{
    Activation, Conv1dSpec, Conv2dSpec, ConvTranspose2dSpec, CrossEntropyOptions, DType, Device, Distribution,
    GradOptions, Interpolation, NllOptions, Pool2dSpec, RandomKey, Reduction, Result, Tensor, UnfoldSpec, grad,
};

const HALVES: [(DType, i32); 2] = [(DType::F16, 11), (DType::BF16, 8)];

fn device() -> Result<Device> {
    Ok(Device::new(taper_cpu::CpuBackend::with_threads(2)?))
}

#[test]
fn squares_and_sums_larger_than_a_half_can_be() -> Result<()> {
    let device = device()?;
    let x: Vec<f32> = (0..2000).map(|i| if i % 2 == 0 { 10.0 } else { -10.0 }).collect();
    let x = Tensor::from_vec(x, [2000], &device)?;
    for (dtype, digits) in HALVES {
        assert_eq!(x.cast(dtype)?.var(&[], 0, false)?.item()?, 100.0, "{dtype}");
        let wide = Tensor::full(300.0, [1000], dtype, &device)?.narrow(0, 0, 500)?;
        let wide = Tensor::concat(&[&wide, &wide.neg()?], 0)?;
        let one = wide.reshape([1, 1000])?.layer_norm(1, None, None, 0.0)?;
        assert!(one.cast(DType::F64)?.to_vec::<f64>()?.iter().all(|y| y.abs() == 1.0), "{dtype}: {one:?}");
        // 70,000 probabilities of 1 / 70,000; each is off by half a step of f16 below its normal numbers, or of bf16.
        let zeros = Tensor::zeros([70_000], dtype, &device)?;
        let sum = zeros.softmax(0)?.cast(DType::F64)?.sum_all()?.item()?;
        assert!((sum - 1.0).abs() < 3e-3, "{dtype}: {sum}");
        let exact = 70_000f64.ln();
        let near = |y: f64| (y / exact - 1.0).abs() <= 0.5f64.powi(digits);
        assert!(near(-zeros.log_softmax(0)?.narrow(0, 0, 1)?.item()?), "{dtype}");
        assert!(near(zeros.logsumexp(&[], false)?.item()?), "{dtype}");
        // A mean over more rows than f16 has numbers, of one class or weighted.
        let target = Tensor::zeros([70_000], DType::I64, &device)?;
        let rows = Tensor::zeros([70_000, 2], dtype, &device)?;
        for weight in [None, Some(Tensor::ones([2], dtype, &device)?)] {
            let options = CrossEntropyOptions { weight, ..Default::default() };
            let loss = rows.cross_entropy(&target, &options)?.item()?;
            assert!((loss / 2f64.ln() - 1.0).abs() <= 0.5f64.powi(digits), "{dtype}: {loss}");
        }
    }
    Ok(())
}

/// An operation of one tensor beside constants of its dtype.
type Op = fn(&Tensor, &dyn Fn(&str, &[usize]) -> Result<Tensor>) -> Result<Tensor>;

/// Names, shapes of the input, and operations. Inputs reach ±300 where squares are to be larger than f16 can be.
const OPS: &[(&str, &[usize], f64, Op)] = &[
    ("mean", &[40, 60], 300.0, |x, _| x.mean(&[1], false)),
    ("var", &[40, 60], 300.0, |x, _| x.var(&[1], 1, false)),
    ("std", &[40, 60], 300.0, |x, _| x.std(&[1], 1, false)),
    ("norm", &[40, 60], 300.0, |x, _| x.norm(2.0, &[1], false)),
    ("norm, p = 1", &[40, 60], 300.0, |x, _| x.norm(1.0, &[1], false)),
    ("norm, p = 3", &[40, 60], 300.0, |x, _| x.norm(3.0, &[1], false)),
    ("cumsum", &[9, 200], 1.0, |x, _| x.cumsum(1)),
    ("cumprod", &[9, 12], 1.5, |x, _| x.cumprod(1)),
    ("prod", &[9, 12], 1.5, |x, _| x.prod(&[1], false)),
    ("tan", &[200], 1.2, |x, _| x.tan()),
    ("rsqrt", &[200], 4.0, |x, _| x.abs()?.clamp(Some(0.25), None)?.rsqrt()),
    ("atan2", &[200], 4.0, |x, c| x.atan2(&c("x", &[200])?)),
    ("elu", &[200], 4.0, |x, _| x.activation(Activation::Elu { alpha: 1.0 })),
    ("gelu", &[200], 4.0, |x, _| x.activation(Activation::Gelu)),
    ("gelu_tanh", &[200], 4.0, |x, _| x.activation(Activation::GeluTanh)),
    ("silu", &[200], 4.0, |x, _| x.activation(Activation::Silu)),
    ("softplus", &[200], 4.0, |x, _| x.activation(Activation::Softplus { beta: 3.0, threshold: 20.0 })),
    ("hardswish", &[200], 4.0, |x, _| x.activation(Activation::Hardswish)),
    ("index_select", &[5, 3], 1.0, |x, _| {
        x.index_select(0, &Tensor::from_vec((0..900).map(|i| i % 4).collect::<Vec<i64>>(), [900], x.device())?)
    }),
    ("softmax", &[20, 70], 4.0, |x, _| x.softmax(1)),
    ("log_softmax", &[20, 70], 4.0, |x, _| x.log_softmax(1)),
    ("logsumexp", &[20, 70], 4.0, |x, _| x.logsumexp(&[1], false)),
    ("layer_norm", &[20, 70], 300.0, |x, c| x.layer_norm(1, Some(&c("w", &[70])?), Some(&c("b", &[70])?), 1e-5)),
    ("batch_norm", &[30, 3, 2, 2], 300.0, |x, c| Ok(x.batch_norm(Some(&c("w", &[3])?), Some(&c("b", &[3])?), 1e-5)?.0)),
    ("batch_norm_eval", &[30, 3, 2, 2], 300.0, |x, c| {
        let var = c("var", &[3])?.abs()?.mul_scalar(256.0)?;
        x.batch_norm_eval(&c("mean", &[3])?.mul_scalar(256.0)?, &var, Some(&c("w", &[3])?), Some(&c("b", &[3])?), 1.0)
    }),
    ("cross_entropy", &[50, 7], 4.0, |x, c| {
        let target = Tensor::from_vec((0..50).map(|i| i % 7).collect::<Vec<i64>>(), [50], x.device())?;
        let weight = Some(c("w", &[7])?.abs()?);
        x.cross_entropy(&target, &CrossEntropyOptions { weight, label_smoothing: 0.1, ..Default::default() })
    }),
    ("cross_entropy of each", &[5, 7, 3], 4.0, |x, _| {
        let target = Tensor::from_vec((0..15).map(|i| i % 7).collect::<Vec<i64>>(), [5, 3], x.device())?;
        x.cross_entropy(&target, &CrossEntropyOptions { reduction: Reduction::None, ..Default::default() })
    }),
    ("cross_entropy with distributions", &[50, 7], 4.0, |x, c| {
        x.cross_entropy(&c("target", &[50, 7])?.abs()?, &CrossEntropyOptions::default())
    }),
    ("nll_loss", &[50, 7], 300.0, |x, _| {
        let target = Tensor::from_vec((0..50).map(|i| i % 7).collect::<Vec<i64>>(), [50], x.device())?;
        x.nll_loss(&target, &NllOptions::default())
    }),
    ("avg_pool2d", &[2, 3, 9, 9], 300.0, |x, _| {
        x.avg_pool2d(Pool2dSpec { kernel_size: [7, 7], stride: [1, 1], ..Pool2dSpec::square(1) })
    }),
    ("adaptive_avg_pool2d", &[2, 3, 10, 7], 300.0, |x, _| x.adaptive_avg_pool2d([3, 2])),
    ("matmul", &[9, 200], 1.0, |x, c| x.matmul(&c("w", &[200, 4])?)),
    ("linear", &[9, 200], 1.0, |x, c| x.linear(&c("w", &[4, 200])?, Some(&c("b", &[4])?))),
    ("conv2d", &[2, 8, 6, 6], 1.0, |x, c| {
        x.conv2d(&c("w", &[4, 8, 3, 3])?, Some(&c("b", &[4])?), Conv2dSpec::default())
    }),
    ("conv1d", &[2, 8, 9], 1.0, |x, c| x.conv1d(&c("w", &[4, 8, 3])?, Some(&c("b", &[4])?), Conv1dSpec::default())),
    ("conv_transpose2d", &[2, 4, 6, 6], 1.0, |x, c| {
        x.conv_transpose2d(&c("w", &[4, 8, 3, 3])?, Some(&c("b", &[8])?), ConvTranspose2dSpec::default())
    }),
    ("interpolate", &[2, 3, 5, 7], 300.0, |x, _| {
        x.interpolate(&[8, 4], Interpolation::Linear { align_corners: false })
    }),
    ("interpolate to the nearest", &[2, 3, 4], 1.0, |x, _| x.interpolate(&[9], Interpolation::Nearest)),
    ("unfold", &[2, 3, 7, 7], 300.0, |x, _| x.unfold(UnfoldSpec::of([3, 3]))),
    ("fold", &[2, 27, 25], 300.0, |x, _| x.fold([7, 7], UnfoldSpec::of([3, 3]))),
    ("group_norm", &[9, 8, 10], 300.0, |x, c| x.group_norm(2, Some(&c("w", &[8])?), Some(&c("b", &[8])?), 1e-5)),
    ("instance_norm", &[5, 3, 40], 300.0, |x, c| x.instance_norm(Some(&c("w", &[3])?), Some(&c("b", &[3])?), 1e-5)),
    ("einsum of two", &[9, 200], 1.0, |x, c| Tensor::einsum("ij,jk->ki", &[x, &c("w", &[200, 4])?])),
    ("einsum of three", &[9, 20], 1.0, |x, c| {
        Tensor::einsum("ij,jk,ijk->k", &[x, &c("w", &[20, 4])?, &c("v", &[9, 20, 4])?])
    }),
    ("einsum with a sum before", &[9, 200], 1.0, |x, c| Tensor::einsum("ij,kl->ik", &[x, &c("w", &[4, 30])?])),
    ("sort", &[7, 30], 4.0, |x, _| Ok(x.sort(1, true)?.0)),
    ("max_with_index", &[7, 30], 4.0, |x, _| Ok(x.max_with_index(1, false)?.0)),
    ("embedding", &[5, 3], 1.0, |x, _| {
        x.embedding(&Tensor::from_vec((0..900).map(|i| i % 4).collect::<Vec<i64>>(), [900], x.device())?)
    }),
    ("scatter_add", &[900], 1.0, |x, _| {
        let index = Tensor::from_vec((0..900).map(|i| i % 4).collect::<Vec<i64>>(), [900], x.device())?;
        Tensor::zeros([5], x.dtype(), x.device())?.scatter_add(0, &index, x)
    }),
];

/// Numbers in f16 and bf16 alike, so that all dtypes are given the same: 8 bits.
fn constant(name: &str, shape: &[usize], scale: f64, dtype: DType, device: &Device) -> Result<Tensor> {
    let uniform = Distribution::Uniform { low: -scale, high: scale };
    let drawn = Tensor::random(uniform, RandomKey::new(3).child(name), shape, DType::BF16, device)?;
    drawn.cast(dtype)
}

/// The value, its gradient and that gradient's, of a dtype.
fn all_orders(op: &(&str, &[usize], f64, Op), dtype: DType, device: &Device) -> Result<[Vec<f64>; 3]> {
    let (name, shape, scale, f) = *op;
    let constants = |name: &str, shape: &[usize]| constant(name, shape, 1.0, dtype, device);
    let x = constant(name, shape, scale, dtype, device)?.requires_grad();
    let y = f(&x, &constants)?;
    let cotangent = constants("cotangent", y.shape())?.requires_grad();
    let options = GradOptions { create_graph: true, ..Default::default() };
    let zeros = Tensor::zeros(shape, dtype, device)?;
    let first = grad(&y, &[&x], Some(&cotangent), options)?.remove(0).unwrap_or(zeros.clone());
    let second = grad(&first, &[&x], Some(&constants("second", shape)?), GradOptions::default())?.remove(0);
    let values = |x: &Tensor| x.cast(DType::F64)?.to_vec::<f64>();
    Ok([values(&y)?, values(&first)?, values(&second.unwrap_or(zeros))?])
}

#[test]
fn values_and_gradients_are_rounded_once() -> Result<()> {
    let device = device()?;
    for op in OPS {
        let exact = all_orders(op, DType::F64, &device)?;
        for (dtype, digits) in HALVES {
            let found = all_orders(op, dtype, &device)?;
            for (order, (found, exact)) in found.iter().zip(&exact).enumerate() {
                let largest = exact.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
                for (i, (a, b)) in found.iter().zip(exact).enumerate() {
                    // One rounding, what f32 adds to it, and half the smallest step of f16.
                    let allowed = b.abs() * 0.5f64.powi(digits) + 2e-6 * largest + 3e-8;
                    assert!((a - b).abs() <= allowed, "{} {dtype}, order {order}, element {i}: {a} beside {b}", op.0);
                }
            }
        }
    }
    Ok(())
}
