//! The test cases of the kernels: every entry for every dtype, over several blocks, with edge cases and views among the
//! inputs.

use super::super::source::FLOATS;
use super::super::{activation, adam, arithmetic, batch_norm, dropout, finite, max_pool, sgd};
use super::recorder::{Recorded, record};
use candle_core::{DType, Device, Result, Tensor};
use half::{bf16, f16};
use taper_backend::{Activation, AdamSpec, BinaryOp, Pool2dSpec, RandomKey, SgdSpec, UnaryOp};

/// Recorded launches, each with whether its results must be equal bit by bit.
type Cases = Vec<(bool, Recorded)>;

pub(super) fn cases() -> Result<Cases> {
    let mut cases = Cases::new();
    let mut add = |exact: bool, f: &dyn Fn() -> Result<()>| -> Result<()> {
        cases.extend(record(f)?.into_iter().map(|launch| (exact, launch)));
        Ok(())
    };
    add(true, &integers)?;
    for &dtype in FLOATS {
        add(true, &|| arithmetic_on(dtype))?;
        add(false, &|| powers(dtype))?;
        add(false, &|| activations(dtype))?;
        add(false, &|| optimisers(dtype))?;
        add(false, &|| batch_norms(dtype))?;
        add(true, &|| max_pools(dtype))?;
        add(true, &|| dropouts(dtype))?;
        add(true, &|| finites(dtype))?;
    }
    Ok(cases)
}

const EDGES: [f64; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    -2.0,
    3.0,
    -3.0,
    7.0,
    1e-8,
    -1e-3,
    20.5,
    -20.5,
    -100.0,
    6e4,
    1e30,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

/// Uniform random numbers in −2..2.
fn random(shape: &[usize], key: u64, dtype: DType) -> Result<Tensor> {
    let n = shape.iter().product::<usize>() as u64;
    let key = RandomKey::new(key);
    Tensor::from_iter((0..n).map(|i| key.uniform(i) * 4.0 - 2.0), &Device::Cpu)?.reshape(shape)?.to_dtype(dtype)
}

/// All pairs of [`EDGES`] as two square matrices, both non-contiguous views.
fn edge_pairs(dtype: DType) -> Result<[Tensor; 2]> {
    let edges = Tensor::new(&EDGES, &Device::Cpu)?.to_dtype(dtype)?;
    let square = edges.broadcast_as((EDGES.len(), EDGES.len()))?;
    Ok([square.clone(), square.t()?])
}

/// Numbers of random bits, so that every exponent, subnormals and NaNs occur.
fn any_bits(n: u64, key: u64, dtype: DType) -> Result<Tensor> {
    let key = RandomKey::new(key);
    let words = (0..n).map(|i| key.word(i));
    match dtype {
        DType::F16 => Tensor::from_iter(words.map(|x| f16::from_bits(x as u16)), &Device::Cpu),
        DType::BF16 => Tensor::from_iter(words.map(|x| bf16::from_bits(x as u16)), &Device::Cpu),
        DType::F64 => Tensor::from_iter(words.map(|x| f64::from_bits(u64::from(x) << 32 | 1)), &Device::Cpu),
        _ => Tensor::from_iter(words.map(f32::from_bits), &Device::Cpu),
    }
}

const BINARY: [BinaryOp; 6] =
    [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Maximum, BinaryOp::Minimum];

fn integers() -> Result<()> {
    let edges = [0, 1, -1, 2, -7, 1 << 40, i64::MAX, i64::MIN, i64::MIN + 1, 10];
    let edges = Tensor::new(&edges, &Device::Cpu)?.broadcast_as((60, 10))?;
    let others = edges.reshape((10, 60))?.t()?.narrow(1, 0, 10)?;
    for op in BINARY {
        arithmetic::binary(op, &edges, &others)?;
    }
    for op in [UnaryOp::Neg, UnaryOp::Abs, UnaryOp::Sign] {
        arithmetic::unary_i64(op, &others)?;
    }
    Ok(())
}

fn arithmetic_on(dtype: DType) -> Result<()> {
    let [a, b] = edge_pairs(dtype)?;
    let (c, d) = (any_bits(20_000, 1, dtype)?, any_bits(20_000, 2, dtype)?);
    for op in BINARY {
        arithmetic::binary(op, &a, &b)?;
        arithmetic::binary(op, &c, &d)?;
    }
    // Every value of a half, loaded and stored.
    let all: Vec<u16> = (0..=u16::MAX).collect();
    match dtype {
        DType::F16 => {
            let x = Tensor::from_iter(all.into_iter().map(f16::from_bits), &Device::Cpu)?;
            activation::forward(Activation::Identity, &x)?;
        }
        DType::BF16 => {
            let x = Tensor::from_iter(all.into_iter().map(bf16::from_bits), &Device::Cpu)?;
            activation::forward(Activation::Identity, &x)?;
        }
        _ => {}
    }
    Ok(())
}

fn powers(dtype: DType) -> Result<()> {
    // One edge at a time: errors are measured against the largest result of a launch.
    let [a, b] = edge_pairs(dtype)?;
    for i in 0..EDGES.len() {
        arithmetic::binary(BinaryOp::Pow, &a.get(i)?, &b.get(i)?)?;
    }
    arithmetic::binary(BinaryOp::Pow, &random(&[500], 3, dtype)?.abs()?, &random(&[500], 4, dtype)?)?;
    Ok(())
}

fn activations(dtype: DType) -> Result<()> {
    let all = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu { negative_slope: 0.1 },
        Activation::Elu { alpha: 1.5 },
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softplus { beta: 2.0, threshold: 3.0 },
        Activation::Hardswish,
    ];
    let [x, g] = edge_pairs(dtype)?;
    let near = (random(&[700], 5, dtype)? * 3.0)?;
    for f in all {
        for i in 0..EDGES.len() {
            activation::forward(f, &x.get(0)?.narrow(0, i, 1)?)?;
            activation::backward(f, &x.get(i)?, &g.get(i)?)?;
        }
        activation::forward(f, &near)?;
        activation::backward(f, &near, &random(&[700], 6, dtype)?)?;
    }
    for op in [UnaryOp::Expm1, UnaryOp::ExpNegSquare, UnaryOp::NormalCdf, UnaryOp::NormalPdf, UnaryOp::Atan] {
        for i in 0..EDGES.len() {
            activation::unary(op, &x.get(0)?.narrow(0, i, 1)?)?;
        }
        activation::unary(op, &near)?;
    }
    Ok(())
}

fn optimisers(dtype: DType) -> Result<()> {
    // Views that start inside their storage.
    let x = |key| random(&[4, 50, 13], key, dtype)?.narrow(0, 1, 2);
    let (p, m, v, g) = (x(7)?, x(8)?, x(9)?.sqr()?, x(10)?);
    let (up, down) = (Tensor::ones((), DType::U8, &Device::Cpu)?, Tensor::zeros((), DType::U8, &Device::Cpu)?);
    for (i, apply) in [None, Some(&up), Some(&down)].into_iter().enumerate() {
        for decoupled in [false, true] {
            let spec = AdamSpec { lr: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-4, weight_decay: 0.1, decoupled };
            adam::step([&p, &m, &v], &g, (&Tensor::new(2 + i as i64, &Device::Cpu)?, apply), &spec)?;
        }
        for (momentum, nesterov, first) in
            [(0.0, false, true), (0.9, false, false), (0.9, true, false), (0.8, true, true)]
        {
            let spec = SgdSpec { lr: 0.1, momentum, dampening: 0.25, weight_decay: 0.01, nesterov };
            let taken = Tensor::new(i64::from(!first), &Device::Cpu)?;
            sgd::step(&p, (momentum > 0.0).then_some(&m), &g, (&taken, apply), &spec)?;
        }
    }
    Ok(())
}

fn batch_norms(dtype: DType) -> Result<()> {
    for (i, shape) in [&[5, 3][..], &[3, 2, 7, 5], &[700, 2, 9], &[2, 3, 3000], &[1, 1, 1]].into_iter().enumerate() {
        let channels = [shape[1]];
        let x = (random(shape, 11 + i as u64, dtype)? + 3.0)?;
        let (w, b) = (random(&channels, 20, dtype)?, random(&channels, 21, dtype)?);
        let (w, b) = ((i != 1).then_some(&w), (i != 2).then_some(&b));
        let (_, _, _, stats) = batch_norm::forward(&x, w, b, 1e-3)?;
        batch_norm::backward(&random(shape, 22, dtype)?, &x, w, &stats, [true, true, true])?;
    }
    Ok(())
}

fn max_pools(dtype: DType) -> Result<()> {
    let specs = [
        Pool2dSpec::square(2),
        Pool2dSpec { stride: [2, 1], padding: [1, 0], ceil_mode: true, ..Pool2dSpec::square(3) },
        Pool2dSpec { kernel_size: [2, 4], stride: [3, 3], padding: [1, 2], ..Pool2dSpec::square(3) },
        Pool2dSpec { kernel_size: [5, 1], stride: [1, 2], padding: [2, 0], ceil_mode: true, ..Pool2dSpec::square(1) },
    ];
    for shape in [[2, 3, 9, 11], [1, 2, 6, 7], [0, 2, 6, 7]] {
        // Few values, so that there are ties; some are NaN.
        let coarse = (random(&shape, 30, DType::F32)? * 2.0)?.round()?;
        let nan = Tensor::full(f32::NAN, &shape, &Device::Cpu)?;
        let x = random(&shape, 31, DType::F32)?.ge(1.8)?.where_cond(&nan, &coarse)?.to_dtype(dtype)?;
        for spec in &specs {
            let (values, index) = max_pool::forward(&x.transpose(2, 3)?, spec)?;
            max_pool::backward(
                &random(values.dims(), 32, dtype)?,
                &index,
                spec,
                [shape[0], shape[1], shape[3], shape[2]],
            )?;
        }
    }
    Ok(())
}

fn dropouts(dtype: DType) -> Result<()> {
    for (n, p) in [(1, 0.5), (4, 0.1), (2051, 0.3), (1030, 1.0), (7, 0.0)] {
        dropout::apply(&random(&[n], 40, dtype)?, p, RandomKey::new(u64::MAX - 5).child("dropout").index(3))?;
    }
    Ok(())
}

fn finites(dtype: DType) -> Result<()> {
    let good = random(&[5000], 50, dtype)?;
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let bad = Tensor::full(bad, 1, &Device::Cpu)?.to_dtype(dtype)?;
        let bad = Tensor::cat(&[good.narrow(0, 0, 4321)?, bad, good.narrow(0, 0, 10)?], 0)?;
        finite::all_finite(&[&good, &bad, &good])?;
    }
    Ok(())
}
