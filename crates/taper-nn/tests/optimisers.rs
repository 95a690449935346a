//! Optimisers beside PyTorch's, step by step.

mod common;

use common::{device, floats, numbers, recorded};
use serde_json::Value;
use taper_nn::{Adam, AdamConfig, DType, Gradients, Optimizer, Param, Sgd, SgdConfig, Tensor};

fn optimizer(kind: &str, params: &Value, param: &Param) -> Box<dyn Optimizer> {
    let number = |name: &str, default: f64| params.get(name).map_or(default, |value| value.as_f64().unwrap());
    let lr = number("lr", f64::NAN);
    let params_to_change = vec![param.clone()];
    if kind == "sgd" {
        let config = SgdConfig {
            lr,
            momentum: number("momentum", 0.0),
            dampening: number("dampening", 0.0),
            weight_decay: number("weight_decay", 0.0),
            nesterov: params.get("nesterov").is_some_and(|value| value.as_bool().unwrap()),
            ..SgdConfig::default()
        };
        return Box::new(Sgd::new(params_to_change, config).unwrap());
    }
    let default = if kind == "adamw" { AdamConfig::adamw() } else { AdamConfig::default() };
    let betas = match params.get("betas") {
        Some(betas) => [betas[0].as_f64().unwrap(), betas[1].as_f64().unwrap()],
        None => default.betas,
    };
    let config = AdamConfig {
        lr,
        betas,
        eps: number("eps", default.eps),
        weight_decay: number("weight_decay", default.weight_decay),
        ..default
    };
    Box::new(Adam::new(params_to_change, config).unwrap())
}

/// Gradients of which that of `param` is `g`: those of Σ g · p.
fn gradients(param: &Param, g: &[f64]) -> Gradients {
    let p = param.tensor();
    let g = Tensor::from_vec(g.to_vec(), p.shape(), p.device()).unwrap();
    p.mul(&g).unwrap().sum_all().unwrap().backward().unwrap()
}

#[test]
fn five_steps_are_pytorchs() {
    let (device, record) = (device(), recorded());
    let runs = record["optimisers"].as_array().unwrap();
    assert_eq!(runs.len(), 8);
    for run in runs {
        let (kind, name) = (run["kind"].as_str().unwrap(), format!("{} {}", run["kind"], run["params"]));
        let param = Param::new("p", &floats(&run["p"], &device));
        let mut optimizer = optimizer(kind, &run["params"], &param);
        let (g, after) = (numbers(&run["g"]), numbers(&run["after"]));
        for (step, (g, after)) in g.chunks(7).zip(after.chunks(7)).enumerate() {
            if step == 4 {
                optimizer.set_lr(optimizer.lr() * 0.1).unwrap();
            }
            assert!(optimizer.step(&gradients(&param, g)).unwrap().taken().unwrap());
            for (ours, theirs) in param.tensor().to_vec::<f64>().unwrap().iter().zip(after) {
                assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0), "{name}, step {step}: {ours} {theirs}");
            }
        }
    }
}

#[test]
fn a_step_that_is_not_finite_is_skipped() {
    let device = device();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let first = Param::new("first", &Tensor::from_vec(vec![1.0, 2.0], [2], &device).unwrap());
        let second = Param::new("second", &Tensor::from_vec(vec![3.0, 4.0], [2], &device).unwrap());
        let all = vec![first.clone(), second.clone()];
        let optimizers: [Box<dyn Optimizer>; 2] = [
            Box::new(Adam::new(all.clone(), AdamConfig::default()).unwrap()),
            Box::new(Sgd::new(all, SgdConfig { momentum: 0.9, ..Default::default() }).unwrap()),
        ];
        for mut optimizer in optimizers {
            let (old_first, old_second) = (first.tensor().to_host().unwrap(), second.tensor().to_host().unwrap());
            let mut found = gradients(&first, &[1.0, 1.0]);
            found.set_param(&second, Tensor::from_vec(vec![0.5, bad], [2], &device).unwrap());
            assert!(!optimizer.step(&found).unwrap().taken().unwrap());
            // The parameter whose own gradient was finite stays as well, and so does what is remembered.
            assert_eq!(first.tensor().to_host().unwrap(), old_first);
            assert_eq!(second.tensor().to_host().unwrap(), old_second);
            for (name, tensor) in optimizer.state().tensors {
                assert_eq!(tensor.to_vec::<f64>().unwrap(), [0.0, 0.0], "{name}");
            }
            assert!(optimizer.step(&gradients(&first, &[1.0, 1.0])).unwrap().taken().unwrap());
            assert_ne!(first.tensor().to_host().unwrap(), old_first);
            // It had no gradient in this step.
            assert_eq!(second.tensor().to_host().unwrap(), old_second);
        }
    }
}

/// The host counts steps and does not know which of them the device skipped.
#[test]
fn a_skipped_step_counts_in_the_bias_correction() {
    let device = device();
    let param = Param::new("p", &Tensor::from_vec(vec![1.0], [1], &device).unwrap());
    let AdamConfig { lr, betas: [beta1, beta2], eps, .. } = AdamConfig::default();
    let mut adam = Adam::new(vec![param.clone()], AdamConfig::default()).unwrap();
    for g in [f64::NAN, 3.0] {
        let _ = adam.step(&gradients(&param, &[g])).unwrap();
    }
    let (m, v) = ((1.0 - beta1) * 3.0, (1.0 - beta2) * 9.0);
    let due = 1.0 - lr * (m / (1.0 - beta1 * beta1)) / ((v / (1.0 - beta2 * beta2)).sqrt() + eps);
    let found = param.tensor().item().unwrap();
    assert!((found - due).abs() < 1e-15, "{found} {due}");
}

#[test]
fn without_gradients_there_is_no_flag() {
    let param = Param::new("p", &Tensor::zeros([2], DType::F32, &device()).unwrap());
    let other = Param::new("other", &param.tensor().detach());
    let sum = other.tensor().sum_all().unwrap();
    let mut sgd = Sgd::new(vec![param], SgdConfig::default()).unwrap();
    let outcome = sgd.step(&sum.backward().unwrap()).unwrap();
    assert!(outcome.flag().is_none() && outcome.taken().unwrap());
}

#[test]
fn values_out_of_range_are_refused() {
    let said = |result: taper_nn::Result<()>| result.unwrap_err().to_string();
    let adam = |config| said(Adam::new(vec![], config).map(drop));
    let default = AdamConfig::default();
    assert_eq!(adam(AdamConfig { lr: -1.0, ..default }), "adam: lr must be a number of at least 0, came as -1");
    assert_eq!(adam(AdamConfig { eps: f64::NAN, ..default }), "adam: eps must be a number of at least 0, came as NaN");
    assert_eq!(
        adam(AdamConfig { betas: [0.9, 1.0], ..default }),
        "adam: betas must be at least 0 and less than 1, one came as 1"
    );
    let sgd = SgdConfig { nesterov: true, ..Default::default() };
    assert_eq!(said(Sgd::new(vec![], sgd).map(drop)), "sgd: nesterov needs a momentum over 0 and a dampening of 0");
    let mut sgd = Sgd::new(vec![], SgdConfig::default()).unwrap();
    assert_eq!(said(sgd.set_lr(f64::INFINITY)), "sgd: lr must be a number of at least 0, came as inf");
    assert_eq!(sgd.lr(), 1e-3);
}

#[test]
fn what_is_remembered_has_names() {
    let param = Param::new("fc.weight", &Tensor::zeros([2], DType::F32, &device()).unwrap());
    let names = |optimizer: &dyn Optimizer| -> Vec<String> {
        optimizer.state().tensors.into_iter().map(|(name, _)| name).collect()
    };
    let adam = Adam::new(vec![param.clone()], AdamConfig::default()).unwrap();
    assert_eq!(names(&adam), ["fc.weight.exp_avg", "fc.weight.exp_avg_sq"]);
    let sgd = Sgd::new(vec![param], SgdConfig { momentum: 0.5, ..Default::default() }).unwrap();
    assert_eq!(names(&sgd), ["fc.weight.momentum_buffer"]);
}
