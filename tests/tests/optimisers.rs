//! Optimisers on every device: a step reads nothing back, and makes of the weights what it makes on the CPU.

use std::sync::Arc;
use taper_conformance::toy::ToyBackend;
use taper_cpu::CpuBackend;
use taper_nn::{
    Adagrad, AdagradConfig, DType, Device, Ema, Gradients, Groups, Lamb, LambConfig, Lion, LionConfig, Lookahead,
    LookaheadConfig, Muon, MuonConfig, Optimizer, Param, RandomKey, Result, Rmsprop, RmspropConfig, Sgd, SgdConfig,
    Tensor, clip_grad_norm, clip_grad_value,
};
use taper_tensor::Distribution;
use taper_tests::counting::Transfers;

/// Every device, counted; the CPU first.
fn devices() -> Vec<(Device, Arc<Transfers>)> {
    [
        Device::new(CpuBackend::with_threads(1).expect("a pool of threads")),
        ToyBackend::device(), // nothing but composed versions
        #[cfg(feature = "candle")]
        Device::new(taper_candle::CandleBackend::cpu()),
    ]
    .into_iter()
    .map(Transfers::of)
    .collect()
}

type Make = fn(Vec<Param>) -> Result<Box<dyn Optimizer>>;

/// Those without a kernel. Adam and SGD have theirs in the conformance suite, and in `transfers.rs`.
const OPTIMIZERS: [(&str, Make); 6] = [
    ("RMSprop", |params| {
        let config = RmspropConfig { momentum: 0.9, centered: true, eps: 1e-3, l1: 1e-3, ..RmspropConfig::default() };
        Ok(Box::new(Rmsprop::new(params, config)?))
    }),
    ("Adagrad", |params| Ok(Box::new(Adagrad::new(params, AdagradConfig::default())?))),
    ("Lion", |params| Ok(Box::new(Lion::new(params, LionConfig { lr: 1e-2, ..LionConfig::default() })?))),
    ("LAMB", |params| Ok(Box::new(Lamb::new(params, LambConfig { weight_decay: 0.1, ..LambConfig::default() })?))),
    ("Lookahead", |params| {
        let config = SgdConfig { lr: 0.1, momentum: 0.9, decoupled: true, weight_decay: 0.1, ..SgdConfig::default() };
        let inner = Box::new(Sgd::new(params, config)?);
        Ok(Box::new(Lookahead::new(inner, LookaheadConfig { every: 2, alpha: 0.5 })?))
    }),
    ("Muon and SGD", |params| {
        let (matrices, others) = params.into_iter().partition(|param| param.tensor().shape().rank() > 1);
        let muon = Box::new(Muon::new(matrices, MuonConfig::airbench())?);
        Ok(Box::new(Groups::new(vec![muon, Box::new(Sgd::new(others, SgdConfig::default())?)])?))
    }),
];

fn draw(name: &str, index: u64, shape: &[usize], device: &Device) -> Result<Tensor> {
    let key = RandomKey::new(5).child(name).index(index);
    Tensor::random(Distribution::Normal { mean: 0.0, std: 1.0 }, key, shape.to_vec(), DType::F32, device)
}

/// Three steps with clipped gradients, and an average beside them: the weights, and the average of the first.
fn steps(make: Make, device: &Device, transfers: &Transfers) -> Result<Vec<Vec<f32>>> {
    let shapes: [(&str, &[usize]); 3] = [("conv.weight", &[6, 3, 2, 2]), ("fc.weight", &[20, 6]), ("fc.bias", &[20])];
    let params = shapes.map(|(name, shape)| Ok(Param::new(name, &draw(name, 0, shape, device)?)));
    let params = params.into_iter().collect::<Result<Vec<_>>>()?;
    let (mut optimizer, mut ema) = (make(params.clone())?, Ema::new(params.clone(), 0.5)?);
    let gradients = |step| -> Result<Gradients> {
        let mut gradients = Gradients::default();
        for param in &params {
            gradients.set_param(param, draw(param.name(), step, param.tensor().shape(), device)?);
        }
        Ok(gradients)
    };
    let gradients = (1..=3).map(gradients).collect::<Result<Vec<_>>>()?;
    transfers.take();
    for mut gradients in gradients {
        clip_grad_norm(&mut gradients, &params, 5.0)?;
        clip_grad_value(&mut gradients, &params, 0.4)?;
        let _ = optimizer.step(&gradients)?;
        ema.update()?;
    }
    assert_eq!(transfers.take(), [0, 0], "{device}");
    let average = ema.state().tensors.swap_remove(0).1;
    params.iter().map(Param::tensor).chain([average]).map(|tensor| tensor.to_vec()).collect()
}

#[test]
fn steps_are_the_cpus_and_read_nothing() -> Result<()> {
    let devices = devices();
    for (name, make) in OPTIMIZERS {
        let (cpu, transfers) = &devices[0];
        let due = steps(make, cpu, transfers)?;
        for (device, transfers) in &devices[1..] {
            for (found, due) in steps(make, device, transfers)?.iter().zip(&due) {
                // Twice the rounding of some sums of 120 numbers; Newton–Schulz makes it up to 3.4445³ times as large.
                let close = found.iter().zip(due).all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(1.0));
                assert!(close, "{name} on {device}: {found:?} {due:?}");
            }
        }
    }
    Ok(())
}
