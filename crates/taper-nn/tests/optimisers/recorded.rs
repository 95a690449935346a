//! What `tests/peers/torch_optim.py` recorded.

use crate::common::{assert_close, floats, numbers, shape};
use crate::{device, gradients};
use serde_json::Value;
use taper_nn::{
    Adagrad, AdagradConfig, Adam, AdamConfig, AdjustLr, DType, Ema, Gradients, Lamb, LambConfig, Lion, LionConfig,
    Lookahead, LookaheadConfig, Muon, MuonConfig, Optimizer, Param, Rmsprop, RmspropConfig, Sgd, SgdConfig, Tensor,
    clip_grad_norm, clip_grad_value,
};

fn record() -> Value {
    serde_json::from_str(include_str!("../data/torch_optim.json")).unwrap()
}

fn optimizer(kind: &str, params: &Value, param: &Param) -> Box<dyn Optimizer> {
    let number = |name: &str, default: f64| params.get(name).map_or(default, |value| value.as_f64().unwrap());
    let yes = |name: &str| params.get(name).is_some_and(|value| value.as_bool().unwrap());
    let betas =
        |default: [f64; 2]| params.get("betas").map_or(default, |betas| [0, 1].map(|i| betas[i].as_f64().unwrap()));
    let (lr, l1, weight_decay) = (number("lr", f64::NAN), number("l1", 0.0), number("weight_decay", 0.0));
    let (momentum, all) = (number("momentum", 0.0), vec![param.clone()]);
    match kind {
        "adam" | "adamw" => {
            let config = AdamConfig { lr, l1, weight_decay, decoupled: kind == "adamw", ..Default::default() };
            Box::new(Adam::new(all, config).unwrap())
        }
        "sgd" | "sgdw" => {
            let config = SgdConfig { lr, l1, momentum, weight_decay, decoupled: kind == "sgdw", ..Default::default() };
            Box::new(Sgd::new(all, config).unwrap())
        }
        "rmsprop" => {
            let (alpha, eps) = (number("alpha", 0.99), number("eps", 1e-8));
            let config = RmspropConfig { lr, l1, alpha, eps, momentum, weight_decay, centered: yes("centered") };
            Box::new(Rmsprop::new(all, config).unwrap())
        }
        "adagrad" => {
            let (initial, eps) = (number("initial_accumulator_value", 0.0), number("eps", 1e-10));
            let config = AdagradConfig { lr, l1, lr_decay: number("lr_decay", 0.0), initial, eps, weight_decay };
            Box::new(Adagrad::new(all, config).unwrap())
        }
        "lion" => Box::new(Lion::new(all, LionConfig { lr, l1, betas: betas([0.0; 2]), weight_decay }).unwrap()),
        "lamb" => {
            let config = LambConfig { lr, l1, betas: betas([0.0; 2]), eps: number("eps", f64::NAN), weight_decay };
            Box::new(Lamb::new(all, config).unwrap())
        }
        _ => {
            let config = MuonConfig {
                lr,
                l1,
                momentum,
                weight_decay,
                nesterov: params.get("nesterov").is_none_or(|value| value.as_bool().unwrap()),
                ns_steps: number("ns_steps", f64::NAN) as usize,
                eps: number("eps", 1e-7),
                normalize_weights: yes("normalize_weights"),
                adjust_lr: match params.get("adjust_lr_fn").and_then(Value::as_str) {
                    _ if kind == "airbench_muon" => AdjustLr::None,
                    Some("match_rms_adamw") => AdjustLr::MatchRmsAdamw,
                    Some("spectral_unclamped") => AdjustLr::SpectralUnclamped,
                    other => {
                        assert_eq!((kind, other), ("muon", None));
                        AdjustLr::Original
                    }
                },
                ..MuonConfig::default()
            };
            Box::new(Muon::new(all, config).unwrap())
        }
    }
}

/// The last of five steps is at a tenth of the rate.
#[test]
fn five_steps_are_the_recorded() {
    let (device, record) = (device(), record());
    let runs = record["optimisers"].as_array().unwrap();
    assert_eq!(runs.len(), 25);
    for run in runs {
        let (kind, name) = (run["kind"].as_str().unwrap(), format!("{} {}", run["kind"], run["params"]));
        let param = Param::new("p", &floats(&run["p"], &device));
        let count = param.tensor().count();
        let mut optimizer = optimizer(kind, &run["params"], &param);
        let (g, after) = (numbers(&run["g"]), numbers(&run["after"]));
        assert_eq!(after.len(), 5 * count);
        for (step, (g, after)) in g.chunks(count).zip(after.chunks(count)).enumerate() {
            if step == 4 {
                optimizer.set_lr_factor(0.1).unwrap();
            }
            assert!(optimizer.step(&gradients(&param, g)).unwrap().taken().unwrap());
            for (ours, theirs) in param.tensor().to_vec::<f64>().unwrap().iter().zip(after) {
                assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0), "{name}, step {step}: {ours} {theirs}");
            }
        }
    }
}

#[test]
fn lookahead_is_the_recorded() {
    let run = &record()["lookahead"];
    let param = Param::new("p", &floats(&run["p"], &device()));
    let sgd = Sgd::new(vec![param.clone()], SgdConfig { lr: 0.1, momentum: 0.9, ..Default::default() }).unwrap();
    let mut optimizer = Lookahead::new(Box::new(sgd), LookaheadConfig { every: 2, alpha: 0.3 }).unwrap();
    let (g, after) = (numbers(&run["g"]), numbers(&run["after"]));
    assert_eq!(after.len(), 35);
    for (g, after) in g.chunks(7).zip(after.chunks(7)) {
        let _ = optimizer.step(&gradients(&param, g)).unwrap();
        for (ours, theirs) in param.tensor().to_vec::<f64>().unwrap().iter().zip(after) {
            assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0), "{ours} {theirs}");
        }
    }
}

#[test]
fn an_average_is_pytorchs() {
    let run = &record()["ema"];
    let values = numbers(&run["values"]);
    let value = |i: usize| Tensor::from_vec(values[7 * i..7 * (i + 1)].to_vec(), [7], &device()).unwrap();
    let param = Param::new("p", &value(0));
    let mut ema = Ema::new(vec![param.clone()], 0.9).unwrap();
    // PyTorch's decay does not warm up: a state that does not tell of a warm-up is past it.
    let mut warm = ema.state();
    warm.tensors.retain(|(name, _)| name == "p.ema");
    ema.load_state(&warm).unwrap();
    for i in 1..5 {
        param.set(&value(i)).unwrap();
        ema.update().unwrap();
    }
    assert_close("the average", ema.state().tensor("p.ema").unwrap(), &run["average"], 1e-14);
}

#[test]
fn clipped_gradients_are_pytorchs() {
    let (device, record) = (device(), record());
    for run in record["clips"].as_array().unwrap() {
        let bound = run["bound"].as_f64().unwrap();
        let params = [0, 1].map(|i| {
            let zeros = Tensor::zeros(shape(&run["g"][i]), DType::F64, &device).unwrap();
            Param::new(["a", "b"][i], &zeros)
        });
        let made = || {
            let mut gradients = Gradients::default();
            for (i, param) in params.iter().enumerate() {
                gradients.set_param(param, floats(&run["g"][i], &device));
            }
            gradients
        };
        let (mut by_norm, mut by_value) = (made(), made());
        let norm = clip_grad_norm(&mut by_norm, &params, bound).unwrap().item().unwrap();
        assert!((norm - run["norm"].as_f64().unwrap()).abs() <= 1e-14 * norm, "{norm} {}", run["norm"]);
        clip_grad_value(&mut by_value, &params, bound).unwrap();
        for (i, param) in params.iter().enumerate() {
            assert_close("by norm", by_norm.of_param(param).unwrap(), &run["by_norm"][i], 1e-14);
            assert_close("by value", by_value.of_param(param).unwrap(), &run["by_value"][i], 0.0);
        }
    }
}
