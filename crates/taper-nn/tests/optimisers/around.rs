//! What is made around optimisers: groups, frozen parameters, averages, slow weights, clipping, sums over
//! micro-batches.

use crate::{draw, every, gradients, param, said, values};
use taper_nn::{
    Accumulator, Adam, AdamConfig, DType, Ema, Gradients, Groups, Lookahead, LookaheadConfig, Muon, MuonConfig,
    Optimizer, Param, Sgd, SgdConfig, Tensor, clip_grad_norm, clip_grad_value, matches,
};

fn sgd(params: &[&Param], lr: f64) -> Box<dyn Optimizer> {
    Box::new(Sgd::new(params.iter().copied().cloned().collect(), SgdConfig { lr, ..Default::default() }).unwrap())
}

fn both(a: &Param, of_a: &[f64], b: &Param, of_b: &[f64]) -> Gradients {
    let mut found = gradients(a, of_a);
    found.set_param(b, gradients(b, of_b).of_param(b).unwrap().clone());
    found
}

#[test]
fn groups_are_one_optimiser() {
    let (a, b) = (param("a", [2]), param("b", [2]));
    let (old_a, old_b) = (values(&a), values(&b));
    let mut groups = Groups::new(vec![sgd(&[&a], 0.1), sgd(&[&b], 0.2)]).unwrap();
    assert_eq!(groups.params().iter().map(Param::name).collect::<Vec<_>>(), ["a", "b"]);
    // What is not finite in one part skips the other too.
    let outcome = groups.step(&both(&a, &[1.0, 1.0], &b, &[1.0, f64::NAN])).unwrap();
    assert!(!outcome.taken().unwrap());
    assert_eq!((values(&a), values(&b)), (old_a.clone(), old_b.clone()));
    // A factor is on each part's own rate, and the base rates stay.
    groups.set_lr_factor(0.5).unwrap();
    let _ = groups.step(&both(&a, &[1.0, 1.0], &b, &[1.0, 1.0])).unwrap();
    assert!((old_a[0] - values(&a)[0] - 0.05).abs() < 1e-15 && (old_b[1] - values(&b)[1] - 0.1).abs() < 1e-15);
    assert_eq!((groups.lr(), groups.parts_mut()[1].lr()), (0.1, 0.2));
    groups.parts_mut()[1].set_lr(0.7).unwrap();
    assert_eq!((groups.lr(), groups.parts_mut()[1].lr()), (0.1, 0.7));
    groups.set_lr(0.4).unwrap();
    assert_eq!((groups.lr(), groups.parts_mut()[1].lr()), (0.4, 0.4));
    assert_eq!(said(groups.set_lr_factor(-1.0)), "sgd: lr_factor must be a number of at least 0, came as -1");

    assert_eq!(said(Groups::new(vec![])), "groups: expected at least one optimiser, none came");
    let twice = Groups::new(vec![sgd(&[&a], 0.1), sgd(&[&b, &a], 0.1)]);
    assert_eq!(said(twice), "groups: a came twice: give each parameter once");
    assert_eq!(said(Sgd::new(vec![a.clone(), a], SgdConfig::default())), "sgd: a came twice: give each parameter once");
}

#[test]
fn patterns_are_names_with_gaps() {
    for (pattern, name) in [
        ("*", ""),
        ("", ""),
        ("*.bias", "fc1.bias"),
        ("group?.conv*", "group3.conv2.weight"),
        ("*conv*.weight", "a.conv.conv1.weight"),
        ("a*b*c", "abbbcxbc"),
        ("**?", "é"),
        ("layer[1-4]", "layer3"),
        ("[abx-z]*[!0-9]", "y7é"),
        ("[-a]", "-"),
        ("a[1", "a[1"),
        ("*[2]*[1]", "a21b2c1"),
    ] {
        assert!(matches(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in [
        ("", "a"),
        ("?", ""),
        ("*.bias", "bias"),
        ("fc1", "fc1.weight"),
        ("group?.conv*", "group12.conv1"),
        ("a*b*c", "abbbcxb"),
        ("*.weigh", "fc.weight"),
        ("FC*", "fc1"),
        ("layer[1-4]", "layer5"),
        ("layer[1-4]", "layer1.0"),
        ("[!a]", "a"),
        ("[]", "a"),
        ("[b-a]", "a"),
        ("a[1", "a1"),
    ] {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
}

#[test]
fn a_frozen_parameter_stays() {
    let (frozen, free) = (param("frozen", [2, 3]), param("free", [2, 3]));
    let sum = |a: &Param, b: &Param| a.tensor().mul(&b.tensor()).unwrap().sum_all().unwrap();
    for (name, mut optimizer) in every(&[&frozen, &free]) {
        let before = sum(&frozen, &free).backward().unwrap();
        frozen.freeze();
        assert!(!frozen.trainable() && !frozen.tensor().tracks_grad());
        let found = sum(&frozen, &free).backward().unwrap();
        assert!(found.of_param(&frozen).is_none() && found.of_param(&free).is_some());
        let (old, old_free) = (values(&frozen), values(&free));
        // Not even by a gradient from before it was frozen.
        for gradients in [before, found] {
            assert!(optimizer.step(&gradients).unwrap().taken().unwrap());
        }
        assert_eq!(values(&frozen), old, "{name}");
        assert_ne!(values(&free), old_free, "{name}");
        frozen.unfreeze();
        let _ = optimizer.step(&sum(&frozen, &free).backward().unwrap()).unwrap();
        assert_ne!(values(&frozen), old, "{name}");
    }
    // A buffer is none to unfreeze.
    let mean = Param::buffer("mean", &free.tensor());
    mean.unfreeze();
    assert!(!mean.trainable() && !mean.tensor().tracks_grad());
}

#[test]
fn averages_change_places_with_the_weights() {
    let device = crate::device();
    let half = Param::new("half", &Tensor::full(256.0, [1], DType::BF16, &device).unwrap());
    let seen = Param::buffer("seen", &Tensor::from_vec(vec![1i64], [1], &device).unwrap());
    let mut ema = Ema::new(vec![half.clone(), seen.clone()], 0.75).unwrap();
    half.set(&Tensor::full(258.0, [1], DType::BF16, &device).unwrap()).unwrap();
    seen.set(&Tensor::from_vec(vec![5i64], [1], &device).unwrap()).unwrap();
    ema.update().unwrap();
    // In f32: bfloat16 has no 257.8, a tenth of the way from the new weights. What is no float is copied.
    let average = |ema: &Ema| ema.state().tensor("half.ema").unwrap().to_vec::<f32>().unwrap();
    assert_eq!(average(&ema), [256.0 + 0.9 * 2.0]);
    assert_eq!(ema.state().tensor("seen.ema").unwrap().to_vec::<i64>().unwrap(), [5]);
    ema.swap().unwrap();
    assert_eq!((half.tensor().item().unwrap(), half.tensor().dtype()), (258.0, DType::BF16));
    half.set(&Tensor::full(1.0, [1], DType::BF16, &device).unwrap()).unwrap();
    assert_eq!(average(&ema), [256.0 + 0.9 * 2.0]);
    let text = "ema: the averages are in the model now: swap back before the next update";
    assert_eq!(said(ema.update()), text);
    assert!(said(ema.load_state(&ema.state())).contains("swap back"));
    ema.swap().unwrap();
    assert_eq!(half.tensor().item().unwrap(), 258.0);

    let mut other = Ema::new(vec![half.clone(), seen.clone()], 0.75).unwrap();
    other.load_state(&ema.state()).unwrap();
    for ema in [&mut ema, &mut other] {
        ema.update().unwrap();
        assert_eq!(average(ema), [257.8 + (9.0 / 11.0) * 0.2]);
    }
    assert!(said(other.load_state(&Default::default())).contains("ema: the state has no half.ema: expected f32 [1]"));
    assert_eq!(said(Ema::new(vec![], 1.5)), "ema: decay must be 0 to 1, came as 1.5");
}

/// min(d, (1 + t) / (10 + t)) after t steps: the first weights are forgotten in a run that is short beside 1 / (1 − d).
#[test]
fn the_average_warms_up_by_the_steps_that_were_taken() {
    let p = param("p", [3]);
    for decay in [0.3, 0.9999] {
        let (start, mut ema) = (values(&p), Ema::new(vec![p.clone()], decay).unwrap());
        let (mut due, mut optimizer) = (start, sgd(&[&p], 0.1));
        for (t, bad) in [(1, true), (1, false), (2, true), (2, false), (3, false)] {
            let mut g = draw(t, 3);
            g[1] = if bad { f64::NAN } else { g[1] };
            let outcome = optimizer.step(&gradients(&p, &g)).unwrap();
            ema.update_where(outcome.flag()).unwrap();
            if !bad {
                let t = t as f64 - 1.0;
                let d = decay.min((1.0 + t) / (10.0 + t));
                due.iter_mut().zip(values(&p)).for_each(|(a, p)| *a = d * *a + (1.0 - d) * p);
            }
            let found = ema.state().tensor("p.ema").unwrap().to_vec::<f64>().unwrap();
            assert!(found.iter().zip(&due).all(|(a, b)| (a - b).abs() < 1e-14), "{decay} {t}: {found:?} {due:?}");
        }
        assert_eq!(ema.state().count("n_averaged").unwrap(), Some(3));
    }
}

#[test]
fn lookahead_says_its_ranges() {
    let made = |every, alpha| Lookahead::new(sgd(&[&param("p", [2])], 0.1), LookaheadConfig { every, alpha });
    assert_eq!(said(made(0, 0.5)), "lookahead: every must be at least 1, came as 0");
    assert_eq!(said(made(5, 0.0)), "lookahead: alpha must be over 0 and at most 1, came as 0");
    let mut lookahead = made(5, 0.5).unwrap();
    lookahead.set_lr(0.3).unwrap();
    assert_eq!((lookahead.lr(), lookahead.params().len()), (0.3, 1));
    let text = said(lookahead.load_state(&sgd(&[&param("p", [2])], 0.1).state()));
    assert!(
        text.ends_with("lookahead: the state has no p.slow: expected f64 [2]; is it another optimiser's?"),
        "{text}"
    );
}

#[test]
fn clipping_keeps_what_is_not_finite_in_sight() {
    let (p, without) = (param("p", [2]), param("without", [2]));
    let params = [p.clone(), without];
    let mut found = gradients(&p, &[3.0, f64::NAN]);
    assert!(clip_grad_norm(&mut found, &params, 1.0).unwrap().item().unwrap().is_nan());
    assert!(!sgd(&[&p, &params[1]], 0.1).step(&found).unwrap().taken().unwrap());
    // An infinite bound measures.
    let mut found = gradients(&p, &[3.0, -4.0]);
    assert_eq!(clip_grad_norm(&mut found, &params, f64::INFINITY).unwrap().item().unwrap(), 5.0);
    assert_eq!(found.of_param(&p).unwrap().to_vec::<f64>().unwrap(), [3.0, -4.0]);
    assert_eq!(clip_grad_norm(&mut Gradients::default(), &params, 1.0).unwrap().item().unwrap(), 0.0);

    assert_eq!(
        said(clip_grad_norm(&mut found, &params, f64::NAN)),
        "clip_grad_norm: max_norm must be at least 0, came as NaN"
    );
    assert_eq!(
        said(clip_grad_norm(&mut found, &[], 1.0)),
        "clip_grad_norm: expected at least one parameter, none came"
    );
    assert_eq!(said(clip_grad_value(&mut found, &params, -1.0)), "clip_grad_value: max must be at least 0, came as -1");
    // Squares of half precision would be infinite.
    let half = Param::new("half", &Tensor::zeros([2], DType::F16, &crate::device()).unwrap());
    let mut found = Gradients::default();
    found.set_param(&half, Tensor::full(3e4, [2], DType::F16, &crate::device()).unwrap());
    let norm = clip_grad_norm(&mut found, std::slice::from_ref(&half), 1.0).unwrap().item().unwrap();
    assert!((norm / (3e4 * 2f64.sqrt()) - 1.0).abs() < 1e-3, "{norm}");
    let clipped = found.of_param(&half).unwrap().to_host().unwrap().to_f64();
    assert!((clipped[0] - 0.5f64.sqrt()).abs() < 1e-3, "{clipped:?}");
}

#[test]
fn micro_batches_add_up_to_their_batch() {
    let (a, b) = (param("a", [2]), param("b", [2]));
    let mut sums = Accumulator::new(vec![a.clone(), b.clone()]);
    sums.add(&gradients(&a, &[1.0, 2.0])).unwrap();
    sums.add(&both(&a, &[10.0, 20.0], &b, &[5.0, 6.0])).unwrap();
    let found = sums.take(0.5).unwrap();
    assert_eq!(found.of_param(&a).unwrap().to_vec::<f64>().unwrap(), [5.5, 11.0]);
    assert_eq!(found.of_param(&b).unwrap().to_vec::<f64>().unwrap(), [2.5, 3.0]);
    // It starts anew.
    sums.add(&gradients(&a, &[1.0, 2.0])).unwrap();
    let found = sums.take(1.0).unwrap();
    assert_eq!(found.of_param(&a).unwrap().to_vec::<f64>().unwrap(), [1.0, 2.0]);
    assert!(found.of_param(&b).is_none());
}

#[test]
fn zeros_can_be_trained() {
    // LAMB's ratio and Muon's rescaling divide by a norm that is 0 here.
    let zeros = Tensor::zeros([2, 3], DType::F64, &crate::device()).unwrap();
    let p = Param::new("p", &zeros);
    for (name, mut optimizer) in every(&[&p]) {
        p.set(&zeros).unwrap();
        let _ = optimizer.step(&gradients(&p, &[0.0; 6])).unwrap();
        assert_eq!(values(&p), [0.0; 6], "{name}");
        let _ = optimizer.step(&gradients(&p, &draw(0, 6))).unwrap();
        assert!(values(&p).iter().all(|value| value.is_finite() && *value != 0.0), "{name}: {:?}", values(&p));
    }
}

#[test]
fn muon_and_adam_share_a_model() {
    let (weight, bias) = (param("conv.weight", [2, 3]), param("conv.bias", [2]));
    assert_eq!(
        said(Muon::new(vec![weight.clone(), bias.clone()], MuonConfig::default())),
        "muon: conv.bias is [2], expected two dimensions or more: give it another optimiser"
    );
    let muon = Muon::new(vec![weight.clone()], MuonConfig::airbench()).unwrap();
    let adam = Adam::new(vec![bias.clone()], AdamConfig::default()).unwrap();
    let mut groups = Groups::new(vec![Box::new(muon), Box::new(adam)]).unwrap();
    let old = (values(&weight), values(&bias));
    let _ = groups.step(&both(&weight, &draw(0, 6), &bias, &[1.0, 2.0])).unwrap();
    assert!(values(&weight) != old.0 && values(&bias) != old.1);
}
