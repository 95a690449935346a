//! Schedules beside PyTorch's recorded factors, and what they refuse.

use serde_json::Value;
use taper_nn::Result;
use taper_nn::schedule::{
    Constant, Cosine, CosineRestarts, Exponential, Linear, MultiStep, OneCycle, Plateau, Polynomial, Schedule,
    StepDecay, WarmUp,
};

/// The schedule that a record names.
fn make(name: &str, params: &Value) -> Result<Box<dyn Schedule>> {
    let number = |name: &str| params[name].as_f64().unwrap();
    let count = |name: &str| params[name].as_u64().unwrap();
    Ok(match name {
        "step_decay" => Box::new(StepDecay::new(count("every"), number("gamma"))?),
        "multi_step" => {
            let milestones = params["milestones"].as_array().unwrap().iter().map(|step| step.as_u64().unwrap());
            Box::new(MultiStep::new(milestones.collect(), number("gamma"))?)
        }
        "exponential" => Box::new(Exponential::new(number("gamma"), count("every"))?),
        "cosine" => Box::new(Cosine::new(count("steps"), number("min"))?),
        "cosine_restarts" => Box::new(CosineRestarts::new(count("first"), count("multiply"), number("min"))?),
        "linear" => Box::new(Linear::new(count("steps"), number("from"), number("to"))?),
        "polynomial" => Box::new(Polynomial::new(count("steps"), number("power"))?),
        "one_cycle" => {
            let (warm, start, end) = (number("warm_fraction"), number("start_div"), number("end_div"));
            Box::new(OneCycle::new(count("steps"), warm, start, end)?)
        }
        "plateau" => {
            let (factor, threshold, min) = (number("factor"), number("threshold"), number("min"));
            Box::new(Plateau::new(factor, count("patience"), threshold, min)?)
        }
        "warm_up" => {
            let inner = make(params["inner"].as_str().unwrap(), &params["params"])?;
            Box::new(WarmUp::new(count("steps"), number("from"), inner)?)
        }
        other => panic!("{other}"),
    })
}

fn recorded() -> Vec<Value> {
    // Written by `tests/peers/torch_schedules.py`.
    let record: Value = serde_json::from_str(include_str!("data/torch_schedules.json")).unwrap();
    record["schedules"].as_array().unwrap().clone()
}

#[test]
fn factors_are_pytorchs() {
    let cases = recorded();
    assert_eq!(cases.len(), 19);
    for case in cases {
        let name = format!("{} {}", case["schedule"], case["params"]);
        let mut schedule = make(case["schedule"].as_str().unwrap(), &case["params"]).unwrap();
        for (step, due) in case["factors"].as_array().unwrap().iter().enumerate() {
            let (found, due) = (schedule.factor(step as u64), due.as_f64().unwrap());
            // PyTorch multiplies step by step, which rounds as often.
            assert!((found - due).abs() <= 1e-12, "{name}, step {step}: {found} is not {due}");
            if let Some(losses) = case.get("losses") {
                schedule.observe(losses[step].as_f64().unwrap_or(f64::NAN));
            }
        }
    }
}

/// Where PyTorch refuses, or does otherwise.
#[test]
fn behind_the_end_the_last_factor_stays() {
    let late = |schedule: &dyn Schedule| (schedule.factor(1000), schedule.factor(u64::MAX));
    assert_eq!(late(&Constant), (1.0, 1.0));
    assert_eq!(late(&Cosine::new(30, 0.25).unwrap()), (0.25, 0.25));
    assert_eq!(late(&Polynomial::new(30, 2.0).unwrap()), (0.0, 0.0));
    assert_eq!(late(&Linear::new(30, 0.0, 0.5).unwrap()), (0.5, 0.5));
    let (a, b) = late(&OneCycle::new(30, 0.3, 25.0, 4.0).unwrap());
    assert!((a - 0.01).abs() < 1e-15 && a == b, "{a}");
    assert_eq!(OneCycle::new(10, 0.1, 25.0, 4.0).unwrap().factor(0), 1.0, "the way up has no length");
    assert_eq!(OneCycle::new(1, 0.0, 1.0, 1.0).unwrap().factor(0), 1.0);
    for multiply in [1, 2, u64::MAX] {
        let factor = CosineRestarts::new(3, multiply, 0.0).unwrap().factor(u64::MAX);
        assert!((0.0..=1.0).contains(&factor), "{factor}");
    }
}

#[test]
fn exponential_decays_between_epochs_too() {
    let schedule = Exponential::new(0.25, 10).unwrap();
    assert_eq!((schedule.factor(5), schedule.factor(20)), (0.5, 0.0625));
}

/// As PyTorch's, which counts its milestones.
#[test]
fn a_milestone_that_comes_twice_counts_twice() {
    let schedule = MultiStep::new(vec![1, 3, 3], 0.5).unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(|step| schedule.factor(step)), [1.0, 0.5, 0.5, 0.125, 0.125]);
}

#[test]
fn a_warm_up_leads_to_where_the_inner_schedule_begins() {
    let schedule = WarmUp::new(4, 0.0, Box::new(Linear::new(10, 0.5, 0.0).unwrap())).unwrap();
    let factors: Vec<f64> = (0..6).map(|step| schedule.factor(step)).collect();
    assert_eq!(factors, [0.0, 0.125, 0.25, 0.375, 0.5, 0.45]);
    assert_eq!(WarmUp::new(0, 0.0, Box::new(Constant)).unwrap().factor(0), 1.0);
}

/// A loss may be a log-density: no better is no better, whatever its sign.
#[test]
fn a_plateau_of_negative_losses() {
    for shift in [-1.0, 0.0, 1.0] {
        let mut plateau = Plateau::new(0.1, 1, 1e-4, 0.0).unwrap();
        plateau.observe(shift);
        // Better by more than the threshold, and by less.
        plateau.observe(shift - 2e-4);
        plateau.observe(shift - 2e-4 - if shift == 0.0 { 1e-8 } else { 5e-5 });
        assert_eq!((plateau.factor(0), plateau.state()[1]), (1.0, 1.0), "{shift}");
        plateau.observe(shift);
        assert_eq!(plateau.factor(0), 0.1, "{shift}");
    }
}

#[test]
fn a_plateau_continues_from_its_state() {
    let losses = [3.0, 2.0, 2.0, 2.5, f64::NAN, 2.0, 1.0, 1.0, f64::INFINITY, 1.0, 1.0];
    let new = || WarmUp::new(2, 0.1, Box::new(Plateau::new(0.5, 1, 0.01, 0.0).unwrap())).unwrap();
    for cut in 0..losses.len() {
        let mut whole = new();
        losses[..cut].iter().for_each(|&loss| whole.observe(loss));
        assert!(whole.state().iter().all(|x| x.is_finite()), "{:?}", whole.state());
        let mut continued = new();
        continued.load_state(&whole.state()).unwrap();
        for &loss in &losses[cut..] {
            whole.observe(loss);
            continued.observe(loss);
            assert_eq!(whole.factor(0), continued.factor(0), "cut at {cut}");
            assert_eq!(whole.state(), continued.state(), "cut at {cut}");
        }
        assert_eq!(whole.factor(9), 0.0625, "four times in all");
    }
}

#[test]
fn a_foreign_state_is_refused_and_changes_nothing() {
    let mut plateau = Plateau::new(0.5, 3, 0.0, 0.1).unwrap();
    plateau.observe(1.0);
    let before = plateau.clone();
    let mut said = |state: &[f64]| plateau.load_state(state).unwrap_err().to_string();
    assert_eq!(said(&[]), "plateau: a state holds 2 or 3 numbers, 0 came: was it made by another?");
    assert_eq!(said(&[0.05, 0.0]), "plateau: a state's factor must be from min (0.1) to 1, came as 0.05");
    assert_eq!(said(&[0.5, 4.0]), "plateau: a state's losses in a row must be from 0 to patience (3), came as 4");
    assert!(said(&[0.5, 0.5]).ends_with("came as 0.5"));
    assert!(said(&[f64::NAN, 0.0]).ends_with("came as NaN"));
    assert_eq!(said(&[0.5, 0.0, f64::INFINITY]), "plateau: a state's best loss must be finite, came as inf");
    assert_eq!(plateau, before);
    let error = Constant.load_state(&[1.0]).unwrap_err().to_string();
    assert_eq!(error, "schedule: this schedule keeps no state, 1 numbers came: was it made by another?");
    Constant.load_state(&Constant.state()).unwrap();
}

#[test]
fn what_is_out_of_range_is_said() {
    fn said<T: std::fmt::Debug>(made: Result<T>) -> String {
        made.unwrap_err().to_string()
    }
    let nan = f64::NAN;
    assert_eq!(said(StepDecay::new(0, 0.1)), "step_decay: every must be at least 1, came as 0");
    assert_eq!(said(StepDecay::new(1, 0.0)), "step_decay: gamma must be over 0 and at most 1, came as 0");
    assert_eq!(said(MultiStep::new(vec![], 0.1)), "multi_step: milestones must hold at least one step, came empty");
    assert_eq!(said(MultiStep::new(vec![3, 2], 0.1)), "multi_step: milestones must ascend, 3 came before 2");
    assert!(said(MultiStep::new(vec![3], 1.5)).contains("gamma"));
    assert_eq!(said(Exponential::new(nan, 1)), "exponential: gamma must be over 0 and at most 1, came as NaN");
    assert!(said(Exponential::new(0.5, 0)).contains("every"));
    assert!(said(Cosine::new(0, 0.0)).contains("steps"));
    assert_eq!(said(Cosine::new(1, -0.1)), "cosine: min must be from 0 to 1, came as -0.1");
    assert!(said(CosineRestarts::new(0, 1, 0.0)).contains("first"));
    assert!(said(CosineRestarts::new(1, 0, 0.0)).contains("multiply"));
    assert!(said(CosineRestarts::new(1, 1, nan)).contains("min"));
    assert!(said(Linear::new(0, 0.0, 1.0)).contains("steps"));
    let below = "linear: from must be a finite number of at least 0, came as -1";
    assert_eq!(said(Linear::new(1, -1.0, 1.0)), below);
    assert!(said(Linear::new(1, 0.0, f64::INFINITY)).contains("to must"));
    assert!(said(Polynomial::new(0, 1.0)).contains("steps"));
    assert_eq!(said(Polynomial::new(1, 0.0)), "polynomial: power must be a finite number over 0, came as 0");
    assert!(said(OneCycle::new(0, 0.3, 25.0, 1e4)).contains("steps"));
    assert!(said(OneCycle::new(1, 1.1, 25.0, 1e4)).contains("warm_fraction"));
    assert!(said(OneCycle::new(1, 0.3, 0.5, 1e4)).contains("start_div"));
    assert!(said(OneCycle::new(1, 0.3, 25.0, nan)).contains("end_div"));
    assert!(said(Plateau::new(1.0, 0, 0.0, 0.0)).contains("factor must be below 1"));
    assert!(said(Plateau::new(nan, 0, 0.0, 0.0)).contains("factor"));
    assert!(said(Plateau::new(0.5, 0, 2.0, 0.0)).contains("threshold"));
    assert!(said(Plateau::new(0.5, 0, 0.0, 2.0)).contains("min"));
    assert_eq!(said(WarmUp::new(1, 1.5, Box::new(Constant))), "warm_up: from must be from 0 to 1, came as 1.5");
}
