//! Boltzmann machines beside their definition: sums over all states of tiny ones.

use std::sync::OnceLock;
use taper_models::{Dbn, InputSpec, Mlp, Rbm};
use taper_nn::{DType, Device, Params, RandomKey, Tensor};

const VISIBLE: usize = 3;
const CLASSES: usize = 2;
const HIDDEN: usize = 2;

/// One device for all tensors.
fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap())).clone()
}

/// A machine in f64 whose parameters are all of the order of 1, and the parameters by name.
fn machine() -> (Rbm, impl Fn(&str) -> Vec<f64>) {
    let params = Params::new(&device(), DType::F64, RandomKey::new(0));
    let rbm = Rbm::with_labels(VISIBLE, CLASSES, HIDDEN, &params).unwrap();
    for param in params.all() {
        let (key, shape) = (RandomKey::new(1).child(param.name()), param.tensor().shape().clone());
        let values = (0..shape.count() as u64).map(|i| key.normal(i)).collect();
        param.set(&Tensor::from_vec(values, shape, &device()).unwrap()).unwrap();
    }
    let all = params.all();
    (rbm, move |name| all.iter().find(|param| param.name() == name).unwrap().tensor().to_vec().unwrap())
}

/// All states of the visible units: binary ones, then the label as one of its units.
fn states() -> Vec<Vec<f64>> {
    let bits = |i: usize| (0..VISIBLE).map(move |bit| (i >> bit & 1) as f64);
    let label = |class: usize| (0..CLASSES).map(move |c| f64::from(u8::from(c == class)));
    (0..1 << VISIBLE).flat_map(|i| (0..CLASSES).map(move |class| bits(i).chain(label(class)).collect())).collect()
}

fn hidden_states() -> Vec<Vec<f64>> {
    (0..1 << HIDDEN).map(|i| (0..HIDDEN).map(|bit| (i >> bit & 1) as f64).collect()).collect()
}

/// −vᵀa − hᵀb − hᵀWv.
fn energy(get: &impl Fn(&str) -> Vec<f64>, v: &[f64], h: &[f64]) -> f64 {
    let (units, label) = v.split_at(VISIBLE);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let [weight, label_weight] = [get("weight"), get("label_weight")];
    let pairs = (0..HIDDEN).map(|j| {
        let row = |weight: &[f64], size: usize, x: &[f64]| dot(&weight[j * size..(j + 1) * size], x);
        h[j] * (row(&weight, VISIBLE, units) + row(&label_weight, CLASSES, label))
    });
    -dot(units, &get("visible_bias")) - dot(label, &get("label_bias")) - dot(h, &get("bias")) - pairs.sum::<f64>()
}

fn tensor(rows: &[Vec<f64>]) -> Tensor {
    Tensor::from_vec(rows.concat(), [rows.len(), rows[0].len()], &device()).unwrap()
}

fn near(found: &Tensor, due: &[f64]) {
    let found = found.to_vec::<f64>().unwrap();
    assert_eq!(found.len(), due.len());
    assert!(found.iter().zip(due).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}, not {due:?}");
}

#[test]
fn free_energies_and_probabilities_are_sums_over_states() {
    let (rbm, get) = machine();
    let (visible, hidden) = (states(), hidden_states());
    let likely = |v: &[f64]| hidden.iter().map(|h| (-energy(&get, v, h)).exp()).sum::<f64>();

    let free: Vec<f64> = visible.iter().map(|v| -likely(v).ln()).collect();
    near(&rbm.free_energy(&tensor(&visible)).unwrap(), &free);

    let on = |v: &[f64], j: usize| {
        hidden.iter().filter(|h| h[j] == 1.0).map(|h| (-energy(&get, v, h)).exp()).sum::<f64>() / likely(v)
    };
    let due: Vec<f64> = visible.iter().flat_map(|v| [on(v, 0), on(v, 1)]).collect();
    near(&rbm.hidden(&tensor(&visible)).unwrap(), &due);

    let mut due = Vec::new();
    for h in &hidden {
        let weight: Vec<f64> = visible.iter().map(|v| (-energy(&get, v, h)).exp()).collect();
        let all: f64 = weight.iter().sum();
        for unit in 0..VISIBLE + CLASSES {
            due.push(visible.iter().zip(&weight).filter(|(v, _)| v[unit] == 1.0).map(|(_, w)| w).sum::<f64>() / all);
        }
    }
    near(&rbm.visible(&tensor(&hidden)).unwrap(), &due);
}

#[test]
fn the_labels_scores_are_the_logits_of_its_probability() {
    let (rbm, get) = machine();
    let likely = |v: &[f64]| hidden_states().iter().map(|h| (-energy(&get, v, h)).exp()).sum::<f64>();
    let units: Vec<Vec<f64>> = states().iter().step_by(CLASSES).map(|v| v[..VISIBLE].to_vec()).collect();
    let due: Vec<f64> = states()
        .chunks(CLASSES)
        .flat_map(|labels| {
            let all: f64 = labels.iter().map(|v| likely(v)).sum();
            labels.iter().map(|v| likely(v) / all).collect::<Vec<_>>()
        })
        .collect();
    near(&rbm.label_scores(&tensor(&units)).unwrap().softmax(1).unwrap(), &due);
    let params = Params::new(&device(), DType::F64, RandomKey::new(0));
    let text = Rbm::new(VISIBLE, HIDDEN, &params).unwrap().label_scores(&tensor(&units)).unwrap_err().to_string();
    assert_eq!(text, "rbm: the machine has no labels");
}

#[test]
fn an_mlps_hidden_layers_have_its_parameters() {
    let [dbn, mlp] = [0; 2].map(|seed| Params::new(&device(), DType::F32, RandomKey::new(seed)));
    Dbn::new(12, &[7, 5], 3, &dbn).unwrap();
    Mlp::with_hidden(&InputSpec { shape: [1, 3, 4], classes: 3 }, &[7, 5], &mlp).unwrap();
    let named = |params: &Params| -> Vec<(String, Vec<usize>)> {
        params.all().iter().map(|param| (param.name().to_owned(), param.tensor().shape().to_vec())).collect()
    };
    let found = named(&dbn);
    let hidden: Vec<_> = named(&mlp).into_iter().filter(|(name, _)| !name.starts_with("fc3")).collect();
    assert_eq!(hidden.len(), 4);
    assert!(hidden.iter().all(|param| found.contains(param)), "{found:?}");
    let text = Dbn::new(12, &[], 3, &dbn).unwrap_err().to_string();
    assert_eq!(text, "dbn: expected a layer of hidden units at least, found none");
}

/// Through linear layers a field is what a unit's input changes by when an input does.
#[test]
fn samples_repeat_and_fields_are_products() {
    let params = Params::new(&device(), DType::F64, RandomKey::new(5));
    let dbn = Dbn::new(6, &[4, 3], 2, &params).unwrap();
    let [w1, w2] = [0, 1].map(|layer: usize| dbn.layers()[layer].weight().tensor().to_vec::<f64>().unwrap());
    let due: Vec<f64> = (0..3)
        .flat_map(|i| (0..6).map(move |j| (i, j)))
        .map(|(i, j)| (0..4).map(|k| w2[i * 4 + k] * w1[k * 6 + j]).sum())
        .collect();
    near(&dbn.fields(1).unwrap(), &due);
    near(&dbn.fields(0).unwrap(), &w1);

    let one_hot = tensor(&[vec![1.0, 0.0], vec![0.0, 1.0]]);
    let drawn = |seed| dbn.sample(&one_hot, 3, RandomKey::new(seed)).unwrap().to_vec::<f64>().unwrap();
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert!(drawn(1).len() == 12 && drawn(1).iter().all(|p| (0.0..=1.0).contains(p)));
}

#[test]
fn drawn_units_are_as_frequent_as_they_are_likely() {
    let (rbm, _) = machine();
    const N: usize = 4000;
    for h in hidden_states() {
        let p = rbm.visible(&tensor(std::slice::from_ref(&h))).unwrap().to_vec::<f64>().unwrap();
        let drawn = rbm.draw_visible(&tensor(&vec![h; N]), RandomKey::new(3)).unwrap();
        let all = drawn.to_vec::<f64>().unwrap();
        assert!(all.chunks(VISIBLE + CLASSES).all(|v| v[VISIBLE..].iter().sum::<f64>() == 1.0));
        let found = drawn.mean(&[0], false).unwrap().to_vec::<f64>().unwrap();
        // Five standard deviations of a frequency are at most 2.5 / √N.
        assert!(found.iter().zip(&p).all(|(a, b)| (a - b).abs() < 2.5 / (N as f64).sqrt()), "{found:?}, not {p:?}");
    }
}
