//! What optimisers remember, and how they go on from it.

use crate::{draw, every, gradients, param, said, values};
use taper_nn::{
    Adam, AdamConfig, Groups, Optimizer, OptimizerState, Param, Rmsprop, RmspropConfig, Sgd, SgdConfig, Tensor,
};

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
        assert!(state.count("fc.weight.step") == Some(3), "{name}: {:?}", state.counts);
        take(&mut *whole, &first, 3..6);
        // The state is that of the third step still.
        second.set(&weights).unwrap();
        resumed.load_state(&state).unwrap();
        take(&mut *resumed, &second, 3..6);
        assert_eq!(values(&first), values(&second), "{name}");
        let all = |state: OptimizerState| -> Vec<Vec<f64>> {
            state.tensors.iter().map(|(_, tensor)| tensor.to_vec().unwrap()).collect()
        };
        assert_eq!(all(whole.state()), all(resumed.state()), "{name}");
        assert_eq!(whole.state().counts, resumed.state().counts, "{name}");
    }
}

#[test]
fn every_optimiser_skips_a_step_that_is_not_finite() {
    let param = param("p", [2, 3]);
    for (name, mut optimizer) in every(&[&param]) {
        take(&mut *optimizer, &param, 0..1);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            // A lookahead of every second step makes one of them of its own.
            let (old, state) = (values(&param), optimizer.state());
            let mut g = draw(1, 6);
            g[4] = bad;
            assert!(!optimizer.step(&gradients(&param, &g)).unwrap().taken().unwrap());
            assert_eq!(values(&param), old, "{name}");
            for ((name, old), (_, now)) in state.tensors.iter().zip(optimizer.state().tensors) {
                assert_eq!(old.to_vec::<f64>().unwrap(), now.to_vec::<f64>().unwrap(), "{name}");
            }
        }
        let old = values(&param);
        take(&mut *optimizer, &param, 1..2);
        assert_ne!(values(&param), old, "{name}");
        assert!(values(&param).iter().all(|value| value.is_finite()), "{name}");
    }
}

#[test]
fn what_is_remembered_has_names() {
    let param = param("w", [2, 3]);
    let names = |optimizer: &dyn Optimizer| -> Vec<String> {
        optimizer.state().tensors.into_iter().map(|(name, _)| name).collect()
    };
    let due: [&[&str]; 9] = [
        &["w.exp_avg", "w.exp_avg_sq"],
        &["w.exp_avg", "w.exp_avg_sq"],
        &["w.momentum_buffer"],
        &["w.square_avg", "w.grad_avg", "w.momentum_buffer"],
        &["w.sum"],
        &["w.exp_avg"],
        &["w.exp_avg", "w.exp_avg_sq"],
        &["w.momentum_buffer"],
        &["w.momentum_buffer", "w.slow"],
    ];
    for ((name, optimizer), due) in every(&[&param]).into_iter().zip(due) {
        assert_eq!(names(&*optimizer), due, "{name}");
    }
    // Only what the configuration needs.
    assert!(names(&Sgd::new(vec![param.clone()], SgdConfig::default()).unwrap()).is_empty());
    let rmsprop = Rmsprop::new(vec![param], RmspropConfig { momentum: 0.5, ..Default::default() }).unwrap();
    assert_eq!(names(&rmsprop), ["w.square_avg", "w.momentum_buffer"]);
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() {
    let (a, b) = (param("a", [2]), param("b", [3]));
    let adam = |param: &Param| Adam::new(vec![param.clone()], AdamConfig::default()).unwrap();
    let mut groups = Groups::new(vec![Box::new(adam(&a)), Box::new(adam(&b))]).unwrap();
    let zeros = groups.state();
    let _ = groups.step(&gradients(&a, &[1.0, 2.0])).unwrap();
    let good = groups.state();
    assert_eq!((good.count("a.step"), good.count("b.step")), (Some(1), Some(0)));
    let same = |groups: &Groups| {
        for (name, tensor) in groups.state().tensors {
            assert_eq!(tensor.to_vec::<f64>().unwrap(), good.tensor(&name).unwrap().to_vec::<f64>().unwrap(), "{name}");
        }
        assert_eq!(groups.state().counts, good.counts);
    };
    let without = |name: &str| {
        let mut state = zeros.clone();
        state.tensors.retain(|(found, _)| found != name);
        state.counts.retain(|(found, _)| found != name);
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
    other.tensors[3].1 = Tensor::from_vec(vec![0f32; 2], [2], &crate::device()).unwrap();
    let text = said(groups.load_state(&other));
    assert!(text.ends_with("adam: b.exp_avg_sq: expected f64 [3], the state has f32 [2]"), "{text}");
    same(&groups);
    groups.load_state(&zeros).unwrap();
    assert_eq!(groups.state().count("a.step"), Some(0));
}
