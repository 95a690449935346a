//! Norms whose squares f32 does not hold.

use crate::device;
use taper_nn::{
    DType, Gradients, Lamb, LambConfig, Muon, MuonConfig, Optimizer, Param, Tensor, clip_grad_norm, clip_grad_value,
};

fn of(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_vec(values.to_vec(), shape, &device()).unwrap()
}

fn f32s(param: &Param) -> Vec<f32> {
    param.tensor().to_vec().unwrap()
}

/// What is left of the gradient `g` in f32, and its norm.
fn clipped(g: &[f32], max_norm: f64) -> (f64, Vec<f32>) {
    let p = Param::new("p", &of(&vec![0.0; g.len()], &[g.len()]));
    let mut gradients = Gradients::default();
    gradients.set_param(&p, of(g, &[g.len()]));
    let norm = clip_grad_norm(&mut gradients, std::slice::from_ref(&p), max_norm).unwrap();
    assert_eq!(norm.dtype(), DType::F64);
    (norm.item().unwrap(), gradients.of_param(&p).unwrap().to_vec().unwrap())
}

#[test]
fn gradients_of_any_size_are_clipped() {
    assert_eq!(clipped(&[2e19; 4], 1.0), (f64::from(4e19f32), vec![0.5; 4]));
    assert_eq!(clipped(&[3e38; 4], 1.0), (2.0 * f64::from(3e38f32), vec![0.5; 4]));
    assert_eq!(clipped(&[2e30; 4], 1e-20).1, [0.5e-20f32; 4]);
    assert_eq!(clipped(&[3e38, -1e-30, 0.0], 2.0).1, [2.0, 0.0, 0.0]);
    assert_eq!(clipped(&[3e19, -4e19], 1.0).1, [0.6, -0.8]);
    // Not clipped: not a bit changes.
    assert_eq!(clipped(&[1e-25, 3e-25], 1.0).1, [1e-25, 3e-25]);
    assert!((clipped(&[3e-25, 4e-25], 1.0).0 / 5e-25 - 1.0).abs() < 1e-6);
    assert_eq!(clipped(&[2e19, 3e38], f64::INFINITY).1, [2e19, 3e38]);
    assert_eq!(clipped(&[0.0, 0.0], 1.0), (0.0, vec![0.0, 0.0]));
    assert_eq!(clipped(&[0.0, 3.0], 0.0).1, [0.0, 0.0]);
    assert!(clipped(&[1.0, f32::INFINITY], 1.0).1.iter().any(|g| !g.is_finite()));
    // Bounds that halves do not hold bound nothing.
    let p = Param::new("p", &Tensor::zeros([2], DType::F16, &device()).unwrap());
    let mut gradients = Gradients::default();
    gradients.set_param(&p, of(&[6e4, -2.0], &[2]).cast(DType::F16).unwrap());
    clip_grad_value(&mut gradients, std::slice::from_ref(&p), 1e6).unwrap();
    assert_eq!(gradients.of_param(&p).unwrap().to_host().unwrap().to_f64(), [6e4, -2.0]);
}

/// The step is lr · ‖p‖ along a direction of norm 1.
#[test]
fn lamb_scales_with_weights_of_any_size() {
    for scale in [1.0f32, 1e20, 1e-25, 1e37] {
        let p = Param::new("p", &of(&[scale; 4], &[4]));
        let mut lamb = Lamb::new(vec![p.clone()], LambConfig { lr: 0.1, ..Default::default() }).unwrap();
        let mut gradients = Gradients::default();
        gradients.set_param(&p, of(&[1.0, 1.0, -1.0, -1.0], &[4]));
        assert!(lamb.step(&gradients).unwrap().taken().unwrap());
        for (found, due) in f32s(&p).iter().zip([0.9, 0.9, 1.1, 1.1]) {
            assert!((found / scale - due).abs() < 1e-5, "{scale}: {found}");
        }
    }
}

/// The step does not depend on how large the gradient is.
#[test]
fn muon_makes_gradients_of_any_size_orthogonal() {
    let step = |scale: f32, normalize_weights: bool, weight: f32| -> Vec<f32> {
        let p = Param::new("p", &of(&[weight, 0.0, 0.0, weight], &[2, 2]));
        let config = MuonConfig { lr: 0.1, eps: 0.0, weight_decay: 0.0, normalize_weights, ..Default::default() };
        let mut muon = Muon::new(vec![p.clone()], config).unwrap();
        let mut gradients = Gradients::default();
        gradients.set_param(&p, of(&[scale, 0.0, 0.5 * scale, 2.0 * scale], &[2, 2]));
        assert!(muon.step(&gradients).unwrap().taken().unwrap());
        f32s(&p)
    };
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    for (normalize_weights, weight) in [(false, 1.0), (true, 1.0), (true, 1e25), (true, 1e-25)] {
        let due = step(1.0, normalize_weights, 1.0);
        assert!((due[0] - 1.0).abs() > 0.05, "{due:?}");
        for scale in [1.0, 1e20, 1e-25, 5e37] {
            let found = step(scale, normalize_weights, weight);
            assert!(near(&found, &due), "{scale} {weight}: {found:?} {due:?}");
        }
    }
}
