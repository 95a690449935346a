//! Adam and SGD beside PyTorch's, step by step; what all steps have in common; ranges.

use crate::common::{floats, numbers, recorded};
use crate::{device, every, gradients, param, said, values};
use serde_json::Value;
use taper_nn::{
    Adagrad, AdagradConfig, Adam, AdamConfig, DType, Groups, Lamb, LambConfig, Lion, LionConfig, Muon, MuonConfig,
    Optimizer, Param, Rmsprop, RmspropConfig, Sgd, SgdConfig, Tensor,
};

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
                assert!(tensor.to_host().unwrap().to_f64().iter().all(|&x| x == 0.0), "{name}");
            }
            assert!(optimizer.step(&gradients(&first, &[1.0, 1.0])).unwrap().taken().unwrap());
            assert_ne!(first.tensor().to_host().unwrap(), old_first);
            // It had no gradient in this step.
            assert_eq!(second.tensor().to_host().unwrap(), old_second);
        }
    }
}

/// Whatever was set in a gradient's place: nothing moves, and the parameter is as it was.
#[test]
fn a_gradient_unlike_its_parameter_is_told() {
    let (first, second) = (param("first", [1, 2]), param("second", [7, 1]));
    let mut optimizers = every(&[&first, &second]);
    let inner: Vec<Box<dyn Optimizer>> = vec![
        Box::new(Sgd::new(vec![first.clone()], SgdConfig::default()).unwrap()),
        Box::new(Adam::new(vec![second.clone()], AdamConfig::default()).unwrap()),
    ];
    optimizers.push(("groups", Box::new(Groups::new(inner).unwrap())));
    let like = |shape: &[usize], dtype| Tensor::ones(shape, dtype, &device()).unwrap();
    let elsewhere = Tensor::ones([7, 1], DType::F64, &crate::common::device()).unwrap();
    let [ours, theirs] = device().told_apart(elsewhere.device());
    assert!(theirs.starts_with("another cpu ("), "{theirs}");
    let moved = format!(" is on {theirs}, it is on {ours}: move it there");
    for (name, mut optimizer) in optimizers {
        let op = match name {
            "adamw" => "adam",
            "lookahead" => "sgd",
            name => name,
        };
        for (wrong, text) in [
            (like(&[1], DType::F64), ": expected f64 [7, 1], came f64 [1]"),
            (like(&[7, 2], DType::F64), ": expected f64 [7, 1], came f64 [7, 2]"),
            (like(&[7, 1], DType::F32), ": expected f64 [7, 1], came f32 [7, 1]"),
            (elsewhere.clone(), &moved),
        ] {
            let mut found = gradients(&first, &[1.0, 1.0]);
            found.set_param(&second, wrong);
            let (before, flag) = ((values(&first), values(&second)), like(&[], DType::U8));
            for apply in [None, Some(&flag)] {
                let error = said(optimizer.step_where(&found, apply));
                assert!(error.ends_with(&format!("{op}: the gradient of second{text}")), "{name}: {error}");
            }
            assert_eq!((values(&first), values(&second)), before, "{name}");
            let state = optimizer.state();
            for step in ["first.step", "second.step"] {
                assert_eq!(state.count(step).unwrap(), Some(0), "{name}");
            }
        }
        let mut found = gradients(&first, &[1.0, 1.0]);
        found.set_param(&second, like(&[7, 1], DType::F64));
        assert!(optimizer.step(&found).unwrap().taken().unwrap(), "{name}");
    }
}

/// Adam's first step is of size lr, whatever came before it.
#[test]
fn the_first_step_that_is_taken_is_the_first() {
    let param = Param::new("p", &Tensor::from_vec(vec![1.0], [1], &device()).unwrap());
    let mut adam = Adam::new(vec![param.clone()], AdamConfig { lr: 0.1, ..Default::default() }).unwrap();
    for g in [f64::INFINITY, f64::INFINITY, f64::NAN, 3.0] {
        let _ = adam.step(&gradients(&param, &[g])).unwrap();
    }
    let moved = 1.0 - param.tensor().item().unwrap();
    assert!((moved - 0.1).abs() < 1e-8, "{moved}");
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
    let adam = |config| said(Adam::new(vec![], config));
    let default = AdamConfig::default();
    assert_eq!(adam(AdamConfig { lr: -1.0, ..default }), "adam: lr must be a number of at least 0, came as -1");
    assert_eq!(adam(AdamConfig { eps: f64::NAN, ..default }), "adam: eps must be a number of at least 0, came as NaN");
    assert_eq!(
        adam(AdamConfig { betas: [0.9, 1.0], ..default }),
        "adam: betas must be at least 0 and less than 1, one came as 1"
    );
    let sgd = SgdConfig { nesterov: true, ..Default::default() };
    assert_eq!(said(Sgd::new(vec![], sgd)), "sgd: nesterov needs a momentum over 0 and a dampening of 0");
    let mut sgd = Sgd::new(vec![], SgdConfig::default()).unwrap();
    assert_eq!(said(sgd.set_lr(f64::INFINITY)), "sgd: lr must be a number of at least 0, came as inf");
    assert_eq!(sgd.lr(), 1e-3);
    assert_eq!(said(sgd.set_lr_factor(f64::NAN)), "sgd: lr_factor must be a number of at least 0, came as NaN");

    // What all have.
    let l1 = SgdConfig { l1: -0.5, ..Default::default() };
    assert_eq!(said(Sgd::new(vec![], l1)), "sgd: l1 must be a number of at least 0, came as -0.5");
    let decay = LionConfig { weight_decay: -1.0, ..Default::default() };
    assert_eq!(said(Lion::new(vec![], decay)), "lion: weight_decay must be a number of at least 0, came as -1");

    let rmsprop = |config| said(Rmsprop::new(vec![], config));
    let default = RmspropConfig::default();
    assert_eq!(
        rmsprop(RmspropConfig { alpha: -0.1, ..default }),
        "rmsprop: alpha must be at least 0 and less than 1, one came as -0.1"
    );
    assert!(rmsprop(RmspropConfig { eps: -1.0, ..default }).starts_with("rmsprop: eps must be"));
    assert!(rmsprop(RmspropConfig { momentum: -1.0, ..default }).starts_with("rmsprop: momentum must be"));
    let adagrad = |config| said(Adagrad::new(vec![], config));
    let default = AdagradConfig::default();
    assert!(adagrad(AdagradConfig { lr_decay: -1.0, ..default }).starts_with("adagrad: lr_decay must be"));
    assert!(adagrad(AdagradConfig { initial: f64::NAN, ..default }).starts_with("adagrad: initial must be"));
    assert!(adagrad(AdagradConfig { eps: -1.0, ..default }).starts_with("adagrad: eps must be"));
    let lion = LionConfig { betas: [1.5, 0.9], ..Default::default() };
    assert!(said(Lion::new(vec![], lion)).starts_with("lion: betas must be"));
    let lamb = |config| said(Lamb::new(vec![], config));
    let default = LambConfig::default();
    assert!(lamb(LambConfig { eps: -1.0, ..default }).starts_with("lamb: eps must be"));
    assert!(lamb(LambConfig { weight_decay: -1.0, ..default }).starts_with("lamb: weight_decay must be"));
    assert!(lamb(LambConfig { betas: [0.9, f64::NAN], ..default }).starts_with("lamb: betas must be"));
    let muon = |config| said(Muon::new(vec![], config));
    let default = MuonConfig::default();
    assert!(muon(MuonConfig { momentum: 1.0, ..default }).starts_with("muon: momentum must be"));
    assert!(muon(MuonConfig { eps: -1.0, ..default }).starts_with("muon: eps must be"));
    assert_eq!(muon(MuonConfig { ns_steps: 0, ..default }), "muon: ns_steps must be 1 to 99, came as 0");
    assert_eq!(
        muon(MuonConfig { ns_coefficients: [1.0, f64::INFINITY, 0.0], ..default }),
        "muon: ns_coefficients must be numbers, one came as inf"
    );
    assert_eq!(
        muon(MuonConfig { normalize_weights: true, ..default }),
        "muon: normalize_weights undoes weight_decay: set one of the two"
    );
}
