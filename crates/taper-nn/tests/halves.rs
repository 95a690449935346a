//! Halves: losses and what optimisers remember are computed in f32, rounded once.

use std::sync::OnceLock;
use taper_nn::{
    Accumulator, Adam, AdamConfig, BceWithLogits, BoxIou, Contrastive, Dice, Focal, Hinge, Huber, KlDiv, L1,
    MarginRanking, Mse, MultiMargin, NtXent, Optimizer, Quantile, Reduction, SmoothL1, TripletMargin, l2_penalty,
};
use taper_tensor::{DType, Device, Distribution, Param, RandomKey, Result, Tensor};

const HALVES: [(DType, i32); 2] = [(DType::F16, 11), (DType::BF16, 8)];

fn device() -> Result<Device> {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let made = Device::new(taper_cpu::CpuBackend::with_threads(2)?);
    Ok(DEVICE.get_or_init(|| made).clone())
}

/// Numbers of 8 bits, the same in every dtype.
fn drawn(name: &str, shape: &[usize], [low, high]: [f64; 2], dtype: DType) -> Result<Tensor> {
    let uniform = Distribution::Uniform { low, high };
    Tensor::random(uniform, RandomKey::new(3).child(name), shape, DType::BF16, &device()?)?.cast(dtype)
}

type Loss = fn(&Tensor, &Tensor) -> Result<Tensor>;

/// Names, the ranges of input and target, and losses.
const LOSSES: &[(&str, [f64; 2], [f64; 2], Loss)] = &[
    ("mse", [-300.0, 300.0], [-30.0, 30.0], |x, t| Mse::default().forward(&x.mul_scalar(0.25)?, t)),
    ("l1", [-300.0, 300.0], [-300.0, 300.0], |x, t| L1::default().forward(x, t)),
    ("huber", [-300.0, 300.0], [-300.0, 300.0], |x, t| Huber { delta: 50.0, ..Default::default() }.forward(x, t)),
    ("hinge", [-3.0, 3.0], [-1.0, 1.0], |x, t| Hinge::default().forward(x, t)),
    ("bce", [-9.0, 9.0], [0.0, 1.0], |x, t| BceWithLogits::default().forward(x, t)),
    ("kl_div", [-9.0, -1.0], [0.1, 0.9], |x, t| KlDiv::default().forward(x, t)),
    ("smooth_l1", [-300.0, 300.0], [-300.0, 300.0], |x, t| SmoothL1 { beta: 50.0, ..Default::default() }.forward(x, t)),
    ("focal", [-9.0, 9.0], [0.0, 1.0], |x, t| Focal::default().forward(x, t)),
    ("quantile", [-300.0, 300.0], [-300.0, 300.0], |x, t| {
        Quantile::new([0.1, 0.5]).forward(&Tensor::stack(&[x, &x.mul_scalar(0.5)?], 2)?, t)
    }),
    ("dice", [0.0, 1.0], [0.0, 1.0], |x, t| Dice::default().forward(&x.unsqueeze(1)?, &t.unsqueeze(1)?)),
    ("triplet", [-300.0, 300.0], [-300.0, 300.0], |x, t| TripletMargin::default().forward(x, t, &t.neg()?)),
    ("contrastive", [-9.0, 9.0], [0.0, 1.0], |x, t| {
        Contrastive::default().forward(x, t, &t.narrow(1, 0, 1)?.squeeze(1)?)
    }),
    ("nt_xent", [-300.0, 300.0], [-300.0, 300.0], |x, t| NtXent::default().forward(x, t)),
    ("margin_ranking", [-300.0, 300.0], [-1.0, 1.0], |x, t| {
        MarginRanking::default().forward(x, &x.mul_scalar(0.5)?, t)
    }),
    ("box_iou", [0.0, 0.5], [0.5, 1.0], |x, t| {
        let boxes = |low: &Tensor, high: &Tensor| Tensor::concat(&[&low.narrow(1, 0, 2)?, &high.narrow(1, 0, 2)?], 1);
        BoxIou::default().forward(&boxes(x, t)?, &boxes(&x.mul_scalar(0.5)?.detach(), t)?)
    }),
];

#[test]
fn losses_are_rounded_once() -> Result<()> {
    for &(name, inputs, targets, loss) in LOSSES {
        let of = |dtype: DType| -> Result<(f64, Vec<f64>)> {
            let x = drawn("x", &[50, 40], inputs, dtype)?.requires_grad();
            let y = loss(&x, &drawn("t", &[50, 40], targets, dtype)?)?;
            let g = y.backward()?.of(&x).map_or(Ok(vec![]), |g| g.cast(DType::F64)?.to_vec())?;
            Ok((y.item()?, g))
        };
        let exact = of(DType::F64)?;
        let largest = exact.1.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        for (dtype, digits) in HALVES {
            let u = 0.5f64.powi(digits);
            let (y, g) = of(dtype)?;
            assert!((y / exact.0 - 1.0).abs() <= 1.01 * u, "{name} {dtype}: {y} beside {}", exact.0);
            for (a, b) in g.iter().zip(&exact.1) {
                assert!((a - b).abs() <= 2.01 * u * b.abs() + 1e-6 * largest + 6e-8, "{name} {dtype}: {a} beside {b}");
            }
        }
    }
    Ok(())
}

#[test]
fn squares_larger_than_a_half_can_be_have_a_mean() -> Result<()> {
    let mut x = vec![0f32; 1000];
    x[0] = 300.0;
    let x = Tensor::from_vec(x, [1000], &device()?)?.cast(DType::F16)?;
    assert_eq!(Mse::default().forward(&x, &x.mul_scalar(0.0)?)?.item()?, 90.0);
    let scores = x.narrow(0, 0, 10)?.reshape([1, 10])?.mul_scalar(-100.0)?;
    let target = Tensor::zeros([1], DType::I64, &device()?)?;
    // Nine rivals, each 30,001 ahead: a sum of 270,009.
    let loss = MultiMargin { reduction: Reduction::Mean, ..Default::default() }.forward(&scores, &target)?;
    assert_eq!(loss.item()?, 27_008.0); // f16 has steps of 16 there
    let w = Param::new("w", &Tensor::full(100.0, [1000], DType::F16, &device()?)?);
    assert_eq!(l2_penalty(&[w], 1e-4)?.item()?, 500.0);
    Ok(())
}

#[test]
fn adam_moves_halves_by_its_rate_however_small_the_gradient() -> Result<()> {
    for (dtype, _) in HALVES {
        let p = Param::new("p", &Tensor::ones([3], dtype, &device()?)?);
        // The square of the gradient, and eps, are 0 in f16.
        let mut adam = Adam::new(vec![p.clone()], AdamConfig { lr: 0.25, ..Default::default() })?;
        for moved in [0.75, 0.5] {
            let gradients = p.tensor().mul_scalar(1e-4)?.sum_all()?.backward()?;
            let _ = adam.step(&gradients)?;
            let now = p.tensor().cast(DType::F64)?.to_vec::<f64>()?;
            assert!(now.iter().all(|p| (p - moved).abs() < 4e-3), "{dtype}: {now:?}, expected {moved}");
        }
        assert!(adam.state().tensors.iter().all(|(_, tensor)| tensor.dtype() != dtype));
        assert_eq!(p.tensor().dtype(), dtype);
    }
    Ok(())
}

#[test]
fn gradients_of_many_small_batches_add_up() -> Result<()> {
    let p = Param::new("p", &Tensor::ones([1], DType::BF16, &device()?)?);
    let mut sums = Accumulator::new(vec![p.clone()]);
    for _ in 0..1000 {
        sums.add(&p.tensor().sum_all()?.backward()?)?;
    }
    let gradients = sums.take(1e-3)?;
    let mean = gradients.of_param(&p).map_or(Ok(0.0), |g| g.item())?;
    assert_eq!(mean, 1.0);
    Ok(())
}
