//! Every operation that sums, over as many terms as there may reasonably be (10⁷, or what fits into a test), and how far its
//! result is from the same sum in f64.
//!
//! Errors are in units of u = 2⁻²⁴, the most that one rounding to f32 takes away. The terms are positive, so that nothing
//! cancels: a bound on the relative error is then a bound on how often a term was rounded.

use std::sync::OnceLock;
use taper_tensor::{
    Conv2dSpec, CrossEntropyOptions, DType, Device, Error, GradOptions, Pool2dSpec, Result, Tensor, grad,
};

/// 10⁷, and a square.
const SIDE: usize = 3162;
const N: usize = SIDE * SIDE;

/// What is summed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Terms {
    /// 0.1, rounded to f32: its sum's rounding errors all have one sign.
    Constant,
    /// Between 0 and 1.
    Random,
}

impl Terms {
    pub const ALL: [Self; 2] = [Self::Constant, Self::Random];

    fn values(self) -> &'static [f32] {
        static VALUES: [OnceLock<Vec<f32>>; 2] = [const { OnceLock::new() }; 2];
        VALUES[self as usize].get_or_init(|| match self {
            Self::Constant => vec![0.1; N],
            Self::Random => {
                let mut state = 1u64;
                let mut next = || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 40) as f32 / (1 << 24) as f32
                };
                (0..N).map(|_| next()).collect()
            }
        })
    }

    fn tensor(self, shape: &[usize], device: &Device) -> Result<Tensor> {
        Tensor::from_vec(self.values()[..shape.iter().product()].to_vec(), shape, device)
    }
}

/// An operation and how it sums.
pub struct Op {
    pub name: &'static str,
    /// Terms of one sum.
    pub terms: usize,
    /// The largest error that the way of summing allows, in u.
    pub bound: f64,
    /// The error found, in u.
    pub error: fn(Terms, &Device) -> Result<f64>,
}

/// The largest error of `found` beside `exact`, in u.
fn worst(found: &Tensor, exact: &[f64]) -> Result<f64> {
    let found: Vec<f32> = found.to_vec()?;
    assert_eq!(found.len(), exact.len());
    let error = |(&a, &b): (&f32, &f64)| (f64::from(a) / b - 1.0).abs() * 2f64.powi(24);
    Ok(found.iter().zip(exact).map(error).fold(0.0, f64::max))
}

fn wide(x: &[f32]) -> impl Iterator<Item = f64> + '_ {
    x.iter().map(|&x| f64::from(x))
}

fn total(x: &[f32]) -> f64 {
    wide(x).sum()
}

/// The gradient of Σ y · g with respect to `x`.
fn gradient(y: &Tensor, g: &Tensor, x: &Tensor) -> Result<Tensor> {
    grad(y, &[x], Some(g), GradOptions::default())?.swap_remove(0).ok_or_else(|| Error::argument("grad", "none"))
}

/// The terms of every `step`-th element from `start` on.
fn every(x: &[f32], start: usize, step: usize) -> Vec<f64> {
    x[start..].iter().step_by(step).map(|&x| f64::from(x)).collect()
}

/// Mean, and mean square about it.
fn moments(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (mean, x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / x.len() as f64)
}

const fn op(name: &'static str, terms: usize, bound: f64, error: fn(Terms, &Device) -> Result<f64>) -> Op {
    Op { name, terms, bound, error }
}

/// In f64, rounded once.
const F64: f64 = 1.01;
/// 32 terms in f32, then f64.
const RUNS: f64 = 34.0;
/// A product's: 208 terms in a register, 64 of those in f32, then f64.
const PRODUCT: f64 = 276.0;
/// A convolution's, of whose sums over channels and places no more than a register's worth are added in f32 at a time.
const LONG: f64 = 580.0;

/// All of them.
pub const OPS: &[Op] = &[
    op("sum", N, F64, |terms, d| worst(&terms.tensor(&[N], d)?.sum_all()?, &[total(terms.values())])),
    op("sum, down columns", N / 4, F64, |terms, d| {
        let exact: Vec<f64> = (0..4).map(|i| every(terms.values(), i, 4).iter().sum()).collect();
        worst(&terms.tensor(&[N / 4, 4], d)?.sum(&[0], false)?, &exact)
    }),
    op("mean", N, 2.01, |terms, d| worst(&terms.tensor(&[N], d)?.mean_all()?, &[total(terms.values()) / N as f64])),
    // Differences, squares, their sum, its quotient; a constant's is 0.
    op("var", N, 6.0, |_, d| {
        let values: Vec<f64> = wide(Terms::Random.values()).collect();
        worst(&Terms::Random.tensor(&[N], d)?.var(&[], 0, false)?, &[moments(&values).1])
    }),
    op("norm (√ Σ x²)", N, 4.0, |terms, d| {
        let x = terms.tensor(&[N], d)?;
        worst(&x.mul(&x)?.sum_all()?.sqrt()?, &[wide(terms.values()).map(|x| x * x).sum::<f64>().sqrt()])
    }),
    op("avg_pool2d, one window", N, F64, |terms, d| {
        let y = terms.tensor(&[1, 1, SIDE, SIDE], d)?.adaptive_avg_pool2d([1, 1])?;
        worst(&y, &[total(terms.values()) / N as f64])
    }),
    op("avg_pool2d, one window, channels last", N / 4, RUNS, |terms, d| {
        let x = terms.tensor(&[1, SIDE / 2, SIDE / 2, 4], d)?.permute(&[0, 3, 1, 2])?;
        let exact: Vec<f64> = (0..4).map(|i| moments(&every(terms.values(), i, 4)).0).collect();
        worst(&x.adaptive_avg_pool2d([1, 1])?, &exact)
    }),
    op("avg_pool2d's gradient", 4001, F64, |terms, d| {
        let x = Tensor::zeros([1, 1, 1, 8001], DType::F32, d)?.requires_grad();
        let spec = Pool2dSpec { kernel_size: [1, 4001], stride: [1, 1], ..Pool2dSpec::square(1) };
        let y = x.avg_pool2d(spec)?;
        let g = terms.tensor(y.shape(), d)?;
        let found = gradient(&y, &g, &x)?.narrow(3, 4000, 1)?;
        worst(&found, &[total(&terms.values()[..4001]) / 4001.0])
    }),
    op("avg_pool2d's gradient, channels last", 2001, F64, |terms, d| {
        let x = Tensor::zeros([1, 1, 4001, 2], DType::F32, d)?.permute(&[0, 3, 1, 2])?.requires_grad();
        let spec = Pool2dSpec { kernel_size: [1, 2001], stride: [1, 1], ..Pool2dSpec::square(1) };
        let y = x.avg_pool2d(spec)?;
        let g = terms.tensor(&[1, 1, 2001, 2], d)?.permute(&[0, 3, 1, 2])?;
        let found = gradient(&y, &g, &x)?.narrow(3, 2000, 1)?;
        let exact = [0, 1].map(|c| moments(&every(&terms.values()[..4002], c, 2)).0);
        worst(&found, &exact)
    }),
    op("max_pool2d's gradient", 4001, F64, |terms, d| {
        let x: Vec<f32> = (0..8001).map(|i| if i == 4000 { 1.0 } else { 0.0 }).collect();
        let x = Tensor::from_vec(x, [1, 1, 1, 8001], d)?.requires_grad();
        let spec = Pool2dSpec { kernel_size: [1, 4001], stride: [1, 1], ..Pool2dSpec::square(1) };
        let y = x.max_pool2d(spec)?;
        let g = terms.tensor(y.shape(), d)?;
        worst(&gradient(&y, &g, &x)?.narrow(3, 4000, 1)?, &[total(&terms.values()[..4001])])
    }),
    // Two products; 1 / n is rounded for each.
    op("adaptive_avg_pool2d, uneven", (SIDE - 1) * (SIDE - 1) / 4, 2.0 * PRODUCT + 2.0, |terms, d| {
        let (x, side) = (terms.tensor(&[1, 1, SIDE - 1, SIDE - 1], d)?, SIDE - 1);
        let half = side.div_ceil(2);
        let exact = |i: usize, j: usize| {
            let (top, left) = (i * (side - half), j * (side - half));
            let rows = (top..top + half).map(|r| total(&terms.values()[r * side + left..][..half]));
            rows.sum::<f64>() / (half * half) as f64
        };
        let exact: Vec<f64> = (0..2).flat_map(|i| (0..2).map(move |j| exact(i, j))).collect();
        worst(&x.adaptive_avg_pool2d([2, 2])?, &exact)
    }),
    op("embedding's gradient", N, RUNS, |terms, d| {
        let table = Tensor::zeros([3, 1], DType::F32, d)?.requires_grad();
        let y = table.embedding(&Tensor::full(1.0, [N], DType::I64, d)?)?;
        let found = gradient(&y, &terms.tensor(&[N, 1], d)?, &table)?.narrow(0, 1, 1)?;
        worst(&found, &[total(terms.values())])
    }),
    op("scatter_add", N, F64, |terms, d| {
        let (index, source) = (Tensor::full(1.0, [N], DType::I64, d)?, terms.tensor(&[N], d)?);
        let y = Tensor::zeros([3], DType::F32, d)?.scatter_add(0, &index, &source)?;
        worst(&y.narrow(0, 1, 1)?, &[total(terms.values())])
    }),
    // e^x to two units in the last place, 1 / Σ and the product.
    op("softmax", N, 8.0, |terms, d| {
        let y = terms.tensor(&[N], d)?.softmax(0)?.narrow(0, 0, 4)?;
        let sum: f64 = wide(terms.values()).map(f64::exp).sum();
        worst(&y, &wide(&terms.values()[..4]).map(|x| x.exp() / sum).collect::<Vec<_>>())
    }),
    op("log_softmax", N, 4.0, |terms, d| {
        let y = terms.tensor(&[N], d)?.log_softmax(0)?.narrow(0, 0, 4)?;
        let sum: f64 = wide(terms.values()).map(f64::exp).sum();
        worst(&y, &wide(&terms.values()[..4]).map(|x| x - sum.ln()).collect::<Vec<_>>())
    }),
    op("logsumexp", N, 4.0, |terms, d| {
        let sum: f64 = wide(terms.values()).map(f64::exp).sum();
        worst(&terms.tensor(&[N], d)?.logsumexp(&[], false)?, &[sum.ln()])
    }),
    op("cross_entropy, over classes", N, 4.0, |terms, d| {
        let target = Tensor::from_vec(vec![7i64], [1], d)?;
        let loss = terms.tensor(&[1, N], d)?.cross_entropy(&target, &CrossEntropyOptions::default())?;
        let sum: f64 = wide(terms.values()).map(f64::exp).sum();
        worst(&loss, &[sum.ln() - f64::from(terms.values()[7])])
    }),
    op("cross_entropy, over rows", N / 2, 8.0, |terms, d| {
        let target = Tensor::zeros([N / 2], DType::I64, d)?;
        let loss = terms.tensor(&[N / 2, 2], d)?.cross_entropy(&target, &CrossEntropyOptions::default())?;
        let rows = terms.values().as_chunks::<2>().0.iter();
        let exact: f64 = rows.map(|&[a, b]| f64::from(b - a).exp().ln_1p()).sum();
        worst(&loss, &[exact / (N / 2) as f64])
    }),
    op("layer_norm", N, 8.0, |_, d| {
        let values = Terms::Random.values();
        let (mean, var) = moments(&wide(values).collect::<Vec<_>>());
        let far = values.iter().position(|&x| x > 0.9).unwrap_or(0);
        let y = Terms::Random.tensor(&[1, N], d)?.layer_norm(1, None, None, 1e-5)?.narrow(1, far, 1)?;
        worst(&y, &[(f64::from(values[far]) - mean) / (var + 1e-5).sqrt()])
    }),
    op("layer_norm's gradient of the bias", N / 4, F64, |terms, d| {
        let bias = Tensor::zeros([4], DType::F32, d)?.requires_grad();
        let y = Terms::Random.tensor(&[N / 4, 4], d)?.layer_norm(1, None, Some(&bias), 1e-5)?;
        let exact: Vec<f64> = (0..4).map(|i| every(terms.values(), i, 4).iter().sum()).collect();
        worst(&gradient(&y, &terms.tensor(&[N / 4, 4], d)?, &bias)?, &exact)
    }),
    op("batch_norm's mean", N / 4, RUNS, |terms, d| {
        let (_, stats) = terms.tensor(&[N / 4, 4], d)?.batch_norm(None, None, 1e-5)?;
        worst(&stats.mean, &(0..4).map(|i| moments(&every(terms.values(), i, 4)).0).collect::<Vec<_>>())
    }),
    op("batch_norm's variance", N / 4, RUNS + 4.0, |_, d| {
        let (_, stats) = Terms::Random.tensor(&[N / 4, 4], d)?.batch_norm(None, None, 1e-5)?;
        let exact: Vec<f64> = (0..4).map(|i| moments(&every(Terms::Random.values(), i, 4)).1).collect();
        worst(&stats.var, &exact)
    }),
    op("batch_norm's gradient of the bias", N / 4, RUNS, |terms, d| {
        let bias = Tensor::zeros([4], DType::F32, d)?.requires_grad();
        let (y, _) = Terms::Random.tensor(&[N / 4, 4], d)?.batch_norm(None, Some(&bias), 1e-5)?;
        let exact: Vec<f64> = (0..4).map(|i| every(terms.values(), i, 4).iter().sum()).collect();
        worst(&gradient(&y, &terms.tensor(&[N / 4, 4], d)?, &bias)?, &exact)
    }),
    op("matmul, one row by one column", N, PRODUCT + 32.0, |terms, d| {
        let y = terms.tensor(&[1, N], d)?.matmul(&Terms::Random.tensor(&[N, 1], d)?)?;
        let products = wide(terms.values()).zip(wide(Terms::Random.values())).map(|(a, b)| a * b);
        worst(&y, &[products.sum()])
    }),
    op("matmul, few rows", N / 2, PRODUCT + 32.0, |terms, d| {
        let y = terms.tensor(&[1, N / 2], d)?.matmul(&Terms::Random.tensor(&[N / 2, 2], d)?)?;
        let exact = [0, 1].map(|j| {
            let b = every(Terms::Random.values(), j, 2);
            wide(terms.values()).zip(b).map(|(a, b)| a * b).sum()
        });
        worst(&y, &exact)
    }),
    op("matmul, more rows", N / 12, PRODUCT, |terms, d| {
        const K: usize = N / 12;
        let y = terms.tensor(&[12, K], d)?.matmul_t(&Terms::Random.tensor(&[12, K], d)?, [false, true])?;
        let row = |x: Terms, i: usize| wide(&x.values()[i * K..][..K]);
        let exact = |i, j| row(terms, i).zip(row(Terms::Random, j)).map(|(a, b)| a * b).sum::<f64>();
        let exact: Vec<f64> = (0..12).flat_map(|i| (0..12).map(move |j| exact(i, j))).collect();
        worst(&y, &exact)
    }),
    op("linear's gradient of the bias", N / 2, RUNS, |terms, d| {
        let (w, b) = (Tensor::ones([2, 1], DType::F32, d)?, Tensor::zeros([2], DType::F32, d)?.requires_grad());
        let y = terms.tensor(&[N / 2, 1], d)?.linear(&w, Some(&b))?;
        let exact = [0, 1].map(|j| every(terms.values(), j, 2).iter().sum());
        worst(&gradient(&y, &terms.tensor(&[N / 2, 2], d)?, &b)?, &exact)
    }),
    op("conv2d, over a large kernel", 1_000_000, LONG, |terms, d| {
        const SIZE: [usize; 4] = [1, 1, 1000, 1000];
        let y = terms.tensor(&SIZE, d)?.conv2d(&Terms::Random.tensor(&SIZE, d)?, None, Conv2dSpec::default())?;
        let products = wide(terms.values()).zip(wide(Terms::Random.values())).map(|(a, b)| a * b);
        worst(&y, &[products.take(1_000_000).sum()])
    }),
    op("conv2d's gradient of weight and bias", SIDE * SIDE, LONG, |terms, d| {
        conv_gradients(terms, [1, 1, SIDE, SIDE], 1, d)
    }),
    op("conv2d's gradient of weight and bias, one long row", N, LONG, |terms, d| {
        conv_gradients(terms, [1, 1, 1, N], 1, d)
    }),
    op("depthwise conv2d's gradient of weight and bias", N / 2, LONG, |terms, d| {
        conv_gradients(terms, [1, 2, SIDE, SIDE / 2], 2, d)
    }),
    op("depthwise conv2d's gradient of weight and bias, one long row", N / 2, LONG, |terms, d| {
        conv_gradients(terms, [1, 2, 1, N / 2], 2, d)
    }),
    // By Winograd's transforms, which take a decimal digit.
    op("3 × 3 conv2d's gradient of weight", N / 16, LONG, |terms, d| {
        let (size, x) = ([1, 16, SIDE / 4, SIDE / 4], terms.tensor(&[1, 16, SIDE / 4, SIDE / 4], d)?);
        let w = Tensor::zeros([16, 16, 3, 3], DType::F32, d)?.requires_grad();
        let y = x.conv2d(&w, None, Conv2dSpec { padding: [1, 1], ..Conv2dSpec::default() })?;
        let g = Terms::Random.tensor(&size, d)?;
        // The middle of each kernel: what meets no padding.
        let found = gradient(&y, &g, &w)?.narrow(2, 1, 1)?.narrow(3, 1, 1)?;
        let plane = (SIDE / 4) * (SIDE / 4);
        let of = |x: Terms, c: usize| wide(&x.values()[c * plane..][..plane]);
        let exact = |o, i| of(Terms::Random, o).zip(of(terms, i)).map(|(g, x)| g * x).sum::<f64>();
        worst(&found, &(0..16).flat_map(|o| (0..16).map(move |i| exact(o, i))).collect::<Vec<_>>())
    }),
];

/// The gradients of a weight of one place for each channel of `x` and of its bias.
fn conv_gradients(terms: Terms, x: [usize; 4], groups: usize, d: &Device) -> Result<f64> {
    let w = Tensor::zeros([x[1], 1, 1, 1], DType::F32, d)?.requires_grad();
    let b = Tensor::zeros([x[1]], DType::F32, d)?.requires_grad();
    let g = Terms::Random.tensor(&x, d)?;
    let y = terms.tensor(&x, d)?.conv2d(&w, Some(&b), Conv2dSpec { groups, ..Conv2dSpec::default() })?;
    let found: Vec<_> = grad(&y, &[&w, &b], Some(&g), GradOptions::default())?.into_iter().flatten().collect();
    let plane = x[2] * x[3];
    let of = |x: Terms, c: usize| wide(&x.values()[c * plane..][..plane]);
    let weight: Vec<f64> =
        (0..x[1]).map(|c| of(Terms::Random, c).zip(of(terms, c)).map(|(g, x)| g * x).sum()).collect();
    let bias: Vec<f64> = (0..x[1]).map(|c| of(Terms::Random, c).sum()).collect();
    Ok(worst(&found[0], &weight)?.max(worst(&found[1], &bias)?))
}
