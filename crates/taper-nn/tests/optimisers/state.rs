//! What optimisers remember, and how they go on from it.

use crate::{draw, every, gradients, param, said, values};
use taper_nn::{
    Adam, AdamConfig, Groups, Optimizer, OptimizerState, Param, Rmsprop, RmspropConfig, Sgd, SgdConfig, Tensor,
};

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_host().unwrap().to_f64()
}

fn take(optimizer: &mut dyn Optimizer, param: &Param, steps: std::ops::Range<usize>) {
    for step in steps {
        assert!(optimizer.step(&gradients(param, &draw(step, 6))).unwrap().taken().unwrap());
    }
}

#[test]
fn a_loaded_state_goes_on_bit_for_bit() {
    let (first, second) = (param("fc.weight", [2, 3]), param("fc.weight", [2, 3]));
    let start = first.tensor().detach();
    for ((name, mut whole), (_, mut resumed)) in every(&[&first]).into_iter().zip(every(&[&second])) {
        first.set(&start).unwrap();
        take(&mut *whole, &first, 0..3);
        let (weights, state) = (first.tensor().detach(), whole.state());
        assert!(state.tensors.iter().all(|(name, _)| name.starts_with("fc.weight.")));
        assert_eq!(state.count("fc.weight.step").unwrap(), Some(3), "{name}");
        take(&mut *whole, &first, 3..6);
        // The state is that of the third step still.
        second.set(&weights).unwrap();
        resumed.load_state(&state).unwrap();
        take(&mut *resumed, &second, 3..6);
        assert_eq!(values(&first), values(&second), "{name}");
        let all = |state: OptimizerState| -> Vec<Vec<f64>> {
            state.tensors.iter().map(|(_, tensor)| numbers(tensor)).collect()
        };
        assert_eq!(all(whole.state()), all(resumed.state()), "{name}");
    }
}

#[test]
fn every_optimiser_skips_a_step_that_is_not_finite() {
    let param = param("p", [2, 3]);
    for (name, mut optimizer) in every(&[&param]) {
        take(&mut *optimizer, &param, 0..1);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let (old, state) = (values(&param), optimizer.state());
            let mut g = draw(1, 6);
            g[4] = bad;
            assert!(!optimizer.step(&gradients(&param, &g)).unwrap().taken().unwrap());
            assert_eq!(values(&param), old, "{name}");
            for ((name, old), (_, now)) in state.tensors.iter().zip(optimizer.state().tensors) {
                assert_eq!(numbers(old), numbers(&now), "{name}");
            }
        }
        let old = values(&param);
        take(&mut *optimizer, &param, 1..2);
        assert_ne!(values(&param), old, "{name}");
        assert!(values(&param).iter().all(|value| value.is_finite()), "{name}");
    }
}

/// The device alone knows of it, and counts: in bias corrections, as the first step, between two of slow weights.
#[test]
fn a_skipped_step_is_as_if_it_had_never_been() {
    let skipping = param("p", [2, 3]);
    let start = skipping.tensor().detach();
    let dampened = SgdConfig { momentum: 0.9, dampening: 0.5, ..Default::default() };
    let sgd = || Box::new(Sgd::new(vec![skipping.clone()], dampened).unwrap()) as Box<dyn Optimizer>;
    let all = || every(&[&skipping]).into_iter().chain([("dampened sgd", sgd())]);
    for ((name, mut skips), (_, mut plain)) in all().zip(all()) {
        let run = |optimizer: &mut dyn Optimizer, skipped: &[usize]| {
            skipping.set(&start).unwrap();
            for step in 0..5 {
                for _ in skipped.iter().filter(|&&at| at == step) {
                    let outcome = optimizer.step(&gradients(&skipping, &[f64::NAN; 6])).unwrap();
                    assert!(!outcome.taken().unwrap());
                }
                take(optimizer, &skipping, step..step + 1);
            }
            let state = optimizer.state().tensors.into_iter();
            (values(&skipping), state.map(|(name, tensor)| (name, numbers(&tensor))).collect::<Vec<_>>())
        };
        assert_eq!(run(&mut *skips, &[0, 0, 0, 1, 3, 4]), run(&mut *plain, &[]), "{name}");
    }
}

#[test]
fn what_is_remembered_has_names() {
    let param = param("w", [2, 3]);
    let names = |optimizer: &dyn Optimizer| -> Vec<String> {
        optimizer.state().tensors.into_iter().map(|(name, _)| name).collect()
    };
    let due: [&[&str]; 9] = [
        &["w.exp_avg", "w.exp_avg_sq", "w.step"],
        &["w.exp_avg", "w.exp_avg_sq", "w.step"],
        &["w.momentum_buffer", "w.step"],
        &["w.square_avg", "w.grad_avg", "w.momentum_buffer", "w.step"],
        &["w.sum", "w.step"],
        &["w.exp_avg", "w.step"],
        &["w.exp_avg", "w.exp_avg_sq", "w.step"],
        &["w.momentum_buffer", "w.step"],
        &["w.momentum_buffer", "w.step", "w.slow", "w.slow_step"],
    ];
    for ((name, optimizer), due) in every(&[&param]).into_iter().zip(due) {
        assert_eq!(names(&*optimizer), due, "{name}");
    }
    // Only what the configuration needs.
    assert_eq!(names(&Sgd::new(vec![param.clone()], SgdConfig::default()).unwrap()), ["w.step"]);
    let rmsprop = Rmsprop::new(vec![param], RmspropConfig { momentum: 0.5, ..Default::default() }).unwrap();
    assert_eq!(names(&rmsprop), ["w.square_avg", "w.momentum_buffer", "w.step"]);
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() {
    let (a, b) = (param("a", [2]), param("b", [3]));
    let adam = |param: &Param| Adam::new(vec![param.clone()], AdamConfig::default()).unwrap();
    let mut groups = Groups::new(vec![Box::new(adam(&a)), Box::new(adam(&b))]).unwrap();
    let zeros = groups.state();
    let _ = groups.step(&gradients(&a, &[1.0, 2.0])).unwrap();
    let good = groups.state();
    assert_eq!((good.count("a.step").unwrap(), good.count("b.step").unwrap()), (Some(1), Some(0)));
    let same = |groups: &Groups| {
        for (name, tensor) in groups.state().tensors {
            assert_eq!(numbers(&tensor), numbers(good.tensor(&name).unwrap()), "{name}");
        }
    };
    let without = |name: &str| {
        let mut state = zeros.clone();
        state.tensors.retain(|(found, _)| found != name);
        state
    };
    let missing = "adam: the state has no b.exp_avg: expected f64 [3]; is it another optimiser's?";
    assert!(said(groups.load_state(&without("b.exp_avg"))).ends_with(missing));
    same(&groups); // the first part was loaded, and put back
    assert!(
        said(groups.load_state(&without("a.step")))
            .ends_with("adam: the state has no count a.step; is it another optimiser's?")
    );
    same(&groups);
    let mut other = zeros.clone();
    other.tensors[4].1 = Tensor::from_vec(vec![0f32; 2], [2], &crate::device()).unwrap();
    let text = said(groups.load_state(&other));
    assert!(text.ends_with("adam: b.exp_avg_sq: expected f64 [3], the state has f32 [2]"), "{text}");
    same(&groups);
    for (wrong, text) in [
        (Tensor::from_vec(vec![3f64], [], &crate::device()), "a.step: expected a count, an i64 scalar, came f64 []"),
        (Tensor::from_vec(vec![-3i64], [], &crate::device()), "a.step: expected a count of at least 0, came -3"),
    ] {
        let mut other = zeros.clone();
        other.tensors[2].1 = wrong.unwrap();
        let found = said(groups.load_state(&other));
        assert!(found.ends_with(text), "{found}");
        same(&groups);
    }
    groups.load_state(&zeros).unwrap();
    assert_eq!(groups.state().count("a.step").unwrap(), Some(0));
}
