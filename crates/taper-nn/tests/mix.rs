//! Mixup, CutMix and stochastic depth by their definitions, and cross entropy of mixed targets beside PyTorch's.

mod common;

use common::{assert_close, floats, params};
use serde_json::Value;
use std::sync::LazyLock;
use taper_nn::{
    Context, CrossEntropy, CutMix, DType, Device, Mixup, Module, RandomKey, Reduction, Result, StochasticDepth, Tensor,
};

const CLASSES: [i64; 6] = [0, 3, 1, 1, 2, 4];

/// One for all tensors of a test, since those of two do not mix.
fn device() -> Device {
    static DEVICE: LazyLock<Device> = LazyLock::new(common::device);
    DEVICE.clone()
}

fn classes() -> Tensor {
    Tensor::from_vec(CLASSES.to_vec(), [6], &device()).unwrap()
}

/// Pictures [6, 2, H, W], each of a number of its own: example i is i everywhere.
fn pictures(height: usize, width: usize) -> Tensor {
    let data = (0..6).flat_map(|i| vec![i as f64; 2 * height * width]).collect();
    Tensor::from_vec(data, [6, 2, height, width], &device()).unwrap()
}

/// Example i's share and partner by its targets, None where they do not tell them apart (the same class).
fn told(targets: &[f64], i: usize, share: f64) -> Option<usize> {
    let row = &targets[i * 5..(i + 1) * 5];
    let other = row.iter().enumerate().find(|(c, t)| *c as i64 != CLASSES[i] && **t > 0.0)?.0;
    assert!((row[CLASSES[i] as usize] - share).abs() < 1e-12 && (row[other] - (1.0 - share)).abs() < 1e-12, "{row:?}");
    Some(other)
}

fn sums_to_one(targets: &[f64]) {
    for row in targets.chunks(5) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-15 && row.iter().all(|t| *t >= 0.0), "{row:?}");
    }
}

#[test]
fn mixup_mixes_examples_and_classes_alike() {
    let mut shares = Vec::new();
    for seed in 0..40 {
        let (x, t) = Mixup { alpha: 1.0 }.apply(&pictures(1, 3), &classes(), 5, RandomKey::new(seed)).unwrap();
        assert_eq!((&x.shape()[..], &t.shape()[..], t.dtype()), (&[6, 2, 1, 3][..], &[6, 5][..], DType::F64));
        let (x, t) = (x.to_vec::<f64>().unwrap(), t.to_vec::<f64>().unwrap());
        sums_to_one(&t);
        // Of the first example, which alone has class 0.
        let share = t[0];
        let mut partners = Vec::new();
        for i in 0..6 {
            let values = &x[i * 6..(i + 1) * 6];
            let due = |partner: usize| share * i as f64 + (1.0 - share) * partner as f64;
            let is = |partner: &usize| values.iter().all(|v| (v - due(*partner)).abs() < 1e-12);
            if share < 1.0 {
                let partner = (0..6).find(is).unwrap_or_else(|| panic!("seed {seed}: {i}: {values:?}"));
                if let Some(class) = told(&t, i, share) {
                    assert_eq!(class as i64, CLASSES[partner], "seed {seed}: {i}");
                }
                partners.push(partner);
            }
        }
        // Each example is a partner once. A seed in which the first is its own has no share to be read.
        partners.sort_unstable();
        assert!(share == 1.0 || partners == [0, 1, 2, 3, 4, 5], "seed {seed}: {partners:?}");
        shares.push(share);
    }
    let apart = shares.iter().filter(|share| **share < 1.0).count();
    assert!(apart > 25 && shares.iter().any(|share| *share < 0.2), "{shares:?}");
    // The same key mixes the same way, another otherwise.
    let once = |seed| Mixup { alpha: 1.0 }.apply(&pictures(2, 2), &classes(), 5, RandomKey::new(seed)).unwrap();
    let host = |(x, t): (Tensor, Tensor)| (x.to_vec::<f64>().unwrap(), t.to_vec::<f64>().unwrap());
    assert_eq!(host(once(1)), host(once(1)));
    assert_ne!(host(once(1)), host(once(2)));
}

#[test]
fn cutmix_replaces_a_box_and_counts_its_pixels() {
    let (height, width) = (8, 11);
    let (mut clipped, mut kept_all, mut mixed) = (0, 0, 0);
    for seed in 0..200 {
        let key = RandomKey::new(seed);
        let (x, t) = CutMix { alpha: 1.0 }.apply(&pictures(height, width), &classes(), 5, key).unwrap();
        let (x, t) = (x.to_vec::<f64>().unwrap(), t.to_vec::<f64>().unwrap());
        sums_to_one(&t);
        let mut boxes = Vec::new();
        for i in 0..6 {
            let picture = &x[i * 2 * height * width..][..2 * height * width];
            assert_eq!(picture[..height * width], picture[height * width..], "both channels alike");
            let other: Vec<usize> = (0..height * width).filter(|&at| picture[at] != i as f64).collect();
            if let (Some(&first), Some(&last)) = (other.first(), other.last()) {
                let partner = picture[first];
                assert!(other.iter().all(|&at| picture[at] == partner), "of one partner");
                let (rows, columns) = (first / width..=last / width, first % width..=last % width);
                let inside = |at: &usize| rows.contains(&(at / width)) && columns.contains(&(at % width));
                assert_eq!(other, (0..height * width).filter(inside).collect::<Vec<_>>(), "a box");
                let kept = 1.0 - other.len() as f64 / (height * width) as f64;
                let class = told(&t, i, kept);
                assert!(class.is_none_or(|class| class as i64 == CLASSES[partner as usize]), "seed {seed}: {i}");
                boxes.push((rows, columns, other.len()));
            }
        }
        boxes.dedup();
        assert!(boxes.len() <= 1, "one box for the batch");
        match boxes.pop() {
            Some((rows, columns, _)) => {
                mixed += 1;
                let even = |range: std::ops::RangeInclusive<usize>| range.count().is_multiple_of(2);
                // A box that is not cut has even sides.
                clipped += usize::from(!even(rows) || !even(columns));
            }
            None => kept_all += 1,
        }
    }
    assert!(mixed > 150 && clipped > 20 && kept_all > 0, "{mixed} mixed, {clipped} clipped, {kept_all} kept");
}

#[test]
fn targets_come_in_the_dtype_of_the_input() {
    let x = pictures(4, 4).cast(DType::F32).unwrap();
    for (mixed, t) in [
        Mixup { alpha: 0.4 }.apply(&x, &classes(), 5, RandomKey::new(3)).unwrap(),
        CutMix { alpha: 1.0 }.apply(&x, &classes(), 5, RandomKey::new(3)).unwrap(),
    ] {
        assert_eq!((mixed.dtype(), t.dtype()), (DType::F32, DType::F32));
        let loss = CrossEntropy::default().forward(&Tensor::zeros([6, 5], DType::F32, &device()).unwrap(), &t).unwrap();
        // Equal logits: ln 5, whatever the targets, if they sum to 1.
        assert!((loss.item().unwrap() - 5f64.ln()).abs() < 1e-6);
    }
}

#[test]
fn what_cannot_be_mixed_is_said() {
    let key = RandomKey::new(0);
    let said = |result: Result<(Tensor, Tensor)>| result.unwrap_err().to_string();
    let x = pictures(2, 2);
    let zero = said(Mixup { alpha: 0.0 }.apply(&x, &classes(), 5, key));
    assert_eq!(zero, "mixup: alpha must be a finite number over 0, came as 0");
    let nan = said(CutMix { alpha: f64::NAN }.apply(&x, &classes(), 5, key));
    assert_eq!(nan, "cutmix: alpha must be a finite number over 0, came as NaN");
    let mixup = Mixup { alpha: 1.0 };
    let five = classes().narrow(0, 0, 5).unwrap();
    assert_eq!(
        said(mixup.apply(&x, &five, 5, key)),
        "mixup: expected an input [B, …] and classes [B], came [6, 2, 2, 2] and [5]"
    );
    assert_eq!(said(mixup.apply(&x, &classes(), 0, key)), "mixup: num_classes must be at least 1, came as 0");
    assert_eq!(
        said(mixup.apply(&classes(), &classes(), 5, key)),
        "mixup: the input must hold floats to be mixed, it is i64"
    );
    let floats = classes().cast(DType::F64).unwrap();
    assert_eq!(said(mixup.apply(&x, &floats, 5, key)), "mixup: classes must be i64, they are f64");
    assert!(said(mixup.apply(&x, &classes(), 4, key)).contains('4'), "class 4 of 4");
    let flat = x.reshape([6, 8]).unwrap();
    assert_eq!(
        said(CutMix { alpha: 1.0 }.apply(&flat, &classes(), 5, key)),
        "cutmix: expected pictures [B, C, H, W], the input is [6, 8]"
    );
}

#[test]
fn stochastic_depth_keeps_or_drops_whole_examples() {
    let (device, n) = (device(), 4000);
    let root = params(&device, DType::F64);
    let layer = StochasticDepth::new(0.2, &root.sub("drop")).unwrap();
    let x =
        Tensor::from_vec((1..=2 * n).map(f64::from).collect(), [n as usize, 1, 2], &device).unwrap().requires_grad();
    let y = layer.forward(&x, &Context::train(1, 0, 0)).unwrap();
    let (from, to) = (x.to_vec::<f64>().unwrap(), y.to_vec::<f64>().unwrap());
    let mut kept = 0;
    for (x, y) in from.chunks(2).zip(to.chunks(2)) {
        if y == [0.0, 0.0] {
            continue;
        }
        kept += 1;
        assert!(x.iter().zip(y).all(|(x, y)| (y - x / 0.8).abs() < 1e-12 * x), "{x:?} became {y:?}");
    }
    // 4 deviations of a binomial variable.
    let share = f64::from(kept) / f64::from(n);
    assert!((share - 0.8).abs() < 4.0 * (0.16 / f64::from(n)).sqrt(), "{share}");
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let gradient = gradients.of(&x).unwrap().to_vec::<f64>().unwrap();
    assert!(gradient.iter().zip(&to).all(|(g, y)| *g == if *y == 0.0 { 0.0 } else { 1.0 / 0.8 }));
    // Another step drops others, evaluation and p = 0 none, p = 1 all.
    let again = |step| layer.forward(&x, &Context::train(1, 0, step)).unwrap().to_vec::<f64>().unwrap();
    assert!(again(0) == to && again(1) != to);
    assert_eq!(layer.forward(&x, &Context::eval()).unwrap().to_vec::<f64>().unwrap(), from);
    let with = |p, name: &str| {
        let layer = StochasticDepth::new(p, &root.sub(name)).unwrap();
        layer.forward(&x, &Context::train(1, 0, 0)).unwrap().to_vec::<f64>().unwrap()
    };
    assert_eq!(with(0.0, "a"), from);
    assert!(with(1.0, "b").iter().all(|y| *y == 0.0));
    assert_ne!(with(0.2, "c"), to, "each layer has its own stream");
    let error = StochasticDepth::new(1.5, &root.sub("drop")).unwrap_err().to_string();
    assert_eq!(error, "stochastic_depth: the probability p must be from 0 to 1, came as 1.5 (in layer drop)");
    let scalar = Tensor::zeros([], DType::F64, &device).unwrap();
    let error = layer.forward(&scalar, &Context::train(0, 0, 0)).unwrap_err().to_string();
    assert_eq!(error, "stochastic_depth: expected [N, …], the input is a scalar (in layer drop)");
}

#[test]
fn cross_entropy_of_mixed_targets_is_pytorchs() {
    let record: Value = serde_json::from_str(include_str!("data/torch_soft_targets.json")).unwrap();
    let cases = record["cross_entropy"].as_array().unwrap();
    assert_eq!(cases.len(), 24);
    for case in cases {
        let (device, tensors, options) = (device(), &case["tensors"], &case["params"]);
        let name = format!("{options} {:?}", common::shape(&tensors["x"]));
        let [x, target] = ["x", "target"].map(|name| floats(&tensors[name], &device).requires_grad());
        let reduction = match options["reduction"].as_str().unwrap() {
            "mean" => Reduction::Mean,
            "sum" => Reduction::Sum,
            _ => Reduction::None,
        };
        let loss = CrossEntropy {
            weight: tensors.get("weight").map(|weight| floats(weight, &device)),
            label_smoothing: options["label_smoothing"].as_f64().unwrap(),
            reduction,
            ..Default::default()
        };
        let y = loss.forward(&x, &target).unwrap();
        // f64: what remains is the order of sums.
        assert_close(&name, &y, &tensors["y"], 1e-12);
        let gradients = y.sum_all().unwrap().backward().unwrap();
        assert_close(&name, gradients.of(&x).unwrap(), &tensors["dx"], 1e-12);
        assert_close(&name, gradients.of(&target).unwrap(), &tensors["dt"], 1e-12);
    }
}
