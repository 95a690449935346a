//! The slow twin and the rim's definitions against numbers recorded from PyTorch in f64
//! (`tests/peers/torch_ops.py`): what the conformance suite measures with is itself measured.

use serde_json::Value;
use std::collections::BTreeMap;
use taper_backend::{
    Activation, AdamSpec, Buffer, Conv2dSpec, CrossEntropySpec, Device, HostData, Pool2dSpec, SgdSpec, Shape,
};
use taper_conformance::definition as by_definition;
use taper_conformance::toy::{ToyBackend, erf};

/// ‖a − b‖ / ‖b‖ allowed: both sides in f64, sums of a few dozen terms.
const BOUND: f64 = 1e-14;

struct Case<'a> {
    json: &'a Value,
    op: &'a str,
}

impl Case<'_> {
    fn number(&self, name: &str) -> f64 {
        self.json["params"][name].as_f64().unwrap_or(0.0)
    }

    fn flag(&self, name: &str) -> bool {
        self.json["params"][name].as_bool().unwrap_or(false)
    }

    fn pair(&self, name: &str) -> [usize; 2] {
        [0, 1].map(|i| self.json["params"][name][i].as_u64().expect("a pair of numbers") as usize)
    }

    fn values(&self, side: &str, name: &str) -> Vec<f64> {
        let data = self.json[side][name]["data"].as_array().unwrap_or_else(|| panic!("{} has no {name}", self.op));
        data.iter().map(|x| x.as_f64().expect("a number")).collect()
    }

    fn input(&self, name: &str) -> Vec<f64> {
        self.values("inputs", name)
    }

    fn shape(&self, side: &str, name: &str) -> Shape {
        let dims = self.json[side][name]["shape"].as_array().expect("a shape");
        dims.iter().map(|d| d.as_u64().expect("a size") as usize).collect::<Vec<_>>().into()
    }

    fn buffer(&self, toy: &Device, name: &str) -> Buffer {
        toy.upload(&HostData::F64(self.input(name)), &self.shape("inputs", name)).expect("an upload")
    }

    /// Holds `found` to the recorded output `name`.
    fn agrees(&self, name: &str, found: &[f64]) {
        let due = self.values("outputs", name);
        assert_eq!(found.len(), due.len(), "{} {name}", self.op);
        let difference: f64 = found.iter().zip(&due).map(|(a, b)| (a - b).powi(2)).sum();
        let norm: f64 = due.iter().map(|b| b * b).sum();
        let error = if difference == 0.0 { 0.0 } else { (difference / norm).sqrt() };
        assert!(
            error <= BOUND,
            "{} {name}: {error:e}\n{}\nfound {found:?}\ndue   {due:?}",
            self.op,
            self.json["params"]
        );
    }

    fn agrees_buffer(&self, toy: &Device, name: &str, found: &Buffer) {
        assert_eq!(*found.shape(), self.shape("outputs", name), "{} {name}", self.op);
        self.agrees(name, &toy.download(found).expect("a download").to_f64());
    }
}

fn convolution(case: &Case, toy: &Device) -> taper_backend::Result<()> {
    let [stride, padding, dilation] = ["stride", "padding", "dilation"].map(|name| case.pair(name));
    let spec = Conv2dSpec { stride, padding, dilation, groups: case.number("groups") as usize };
    let [x, weight, g] = ["x", "weight", "g"].map(|name| case.buffer(toy, name));
    case.agrees_buffer(toy, "y", &toy.conv2d(&x, &weight, &spec)?);
    case.agrees_buffer(toy, "dx", &toy.conv2d_input_grad(&g, &weight, &spec, x.shape())?);
    case.agrees_buffer(toy, "dweight", &toy.conv2d_weight_grad(&x, &g, &spec, weight.shape())?);
    Ok(())
}

fn pooling(case: &Case, toy: &Device) -> taper_backend::Result<()> {
    let [kernel_size, stride, padding] = ["kernel_size", "stride", "padding"].map(|name| case.pair(name));
    let count_include_pad = case.flag("count_include_pad");
    let spec = Pool2dSpec { kernel_size, stride, padding, ceil_mode: case.flag("ceil_mode"), count_include_pad };
    let x = case.buffer(toy, "x");
    if case.op == "max_pool2d" {
        let (y, index) = toy.max_pool2d(&x, &spec)?;
        case.agrees_buffer(toy, "y", &y);
        case.agrees_buffer(toy, "index", &index);
    } else {
        case.agrees_buffer(toy, "y", &toy.avg_pool2d(&x, &spec)?);
        case.agrees_buffer(toy, "dx", &toy.avg_pool2d_grad(&case.buffer(toy, "g"), &spec, x.shape())?);
    }
    Ok(())
}

fn activation(case: &Case, f: Activation) {
    let (x, g) = (case.input("x"), case.input("g"));
    case.agrees("y", &x.iter().map(|&x| by_definition::activation(f, x)).collect::<Vec<_>>());
    let dx: Vec<f64> = x.iter().zip(g).map(|(&x, g)| g * by_definition::derivative(f, x)).collect();
    case.agrees("dx", &dx);
}

/// Softmax along dimension 1 of `[2, 4, 3]`.
fn softmax(case: &Case) {
    let (x, g, log) = (case.input("x"), case.input("g"), case.flag("log"));
    let (mut y, mut dx) = (vec![0.0; 24], vec![0.0; 24]);
    for start in [0, 1, 2, 12, 13, 14] {
        let at = [0, 1, 2, 3].map(|i| start + 3 * i);
        let row = by_definition::softmax(&at.map(|i| x[i]), log);
        let gradient = by_definition::softmax_grad(&at.map(|i| g[i]), &row, log);
        for (i, (row, gradient)) in at.into_iter().zip(row.into_iter().zip(gradient)) {
            (y[i], dx[i]) = (row, gradient);
        }
    }
    case.agrees("y", &y);
    case.agrees("dx", &dx);
}

fn norm(case: &Case) {
    let (x, weight, bias) = (case.input("x"), Some(case.input("weight")), Some(case.input("bias")));
    let norm = match case.op {
        "layer_norm" => by_definition::Norm::layer(&x, 12, weight, bias, case.number("eps")),
        _ => by_definition::Norm::batch(&x, 4, 6, weight, bias, case.number("eps")),
    };
    case.agrees("y", &norm.forward().y);
    let [dx, dw, db] = norm.backward(&case.input("g"));
    case.agrees("dx", &dx);
    case.agrees("dweight", &dw);
    case.agrees("dbias", &db);
}

fn cross_entropy(case: &Case) {
    let ignore_index = case.json["params"]["ignore_index"].as_i64().expect("a label");
    let spec = CrossEntropySpec { label_smoothing: case.number("label_smoothing"), ignore_index };
    let target: Vec<i64> = case.input("target").iter().map(|&t| t as i64).collect();
    let (loss, gradient) = by_definition::cross_entropy(&case.input("x"), 5, &target, &spec);
    case.agrees("y", &[loss]);
    case.agrees("dx", &gradient);
}

/// Three steps on seven parameters.
fn optimiser(case: &Case) {
    let (mut p, g) = (case.input("p"), case.input("g"));
    let (mut m, mut v, mut after) = (vec![0.0; 7], vec![0.0; 7], Vec::new());
    let (lr, weight_decay) = (case.number("lr"), case.number("weight_decay"));
    for (step, g) in g.chunks(7).enumerate() {
        for i in 0..7 {
            if case.op == "sgd" {
                let (momentum, dampening) = (case.number("momentum"), case.number("dampening"));
                let nesterov = case.flag("nesterov");
                let spec = SgdSpec { lr, momentum, dampening, weight_decay, nesterov };
                [p[i], m[i]] = by_definition::sgd(p[i], m[i], g[i], step == 0, &spec);
            } else {
                let beta = |i: usize| case.json["params"]["betas"][i].as_f64().expect("a number");
                let (beta1, beta2, eps) = (beta(0), beta(1), case.number("eps"));
                let (decoupled, step) = (case.op == "adamw", step as u64 + 1);
                let spec = AdamSpec { lr, beta1, beta2, eps, weight_decay, decoupled };
                [p[i], m[i], v[i]] = by_definition::adam(p[i], m[i], v[i], g[i], step, &spec);
            }
        }
        after.extend_from_slice(&p);
    }
    case.agrees("p", &after);
}

#[test]
fn as_pytorch_recorded() {
    let file: Value = serde_json::from_str(include_str!("../../tests/peers/torch_ops.json")).expect("valid JSON");
    let (toy, mut seen) = (ToyBackend::device(), BTreeMap::<&str, usize>::new());
    for json in file["cases"].as_array().expect("cases") {
        let op = json["op"].as_str().expect("a name");
        let case = Case { json, op };
        match op {
            "conv2d" => convolution(&case, &toy).expect("a convolution"),
            "max_pool2d" | "avg_pool2d" => pooling(&case, &toy).expect("a pooling"),
            "relu" => activation(&case, Activation::Relu),
            "leaky_relu" => activation(&case, Activation::LeakyRelu { negative_slope: case.number("negative_slope") }),
            "elu" => activation(&case, Activation::Elu { alpha: case.number("alpha") }),
            "gelu" => activation(&case, Activation::Gelu),
            "gelu_tanh" => activation(&case, Activation::GeluTanh),
            "silu" => activation(&case, Activation::Silu),
            "sigmoid" => activation(&case, Activation::Sigmoid),
            "tanh" => activation(&case, Activation::Tanh),
            "softplus" => {
                let (beta, threshold) = (case.number("beta"), case.number("threshold"));
                activation(&case, Activation::Softplus { beta, threshold });
            }
            "hardswish" => activation(&case, Activation::Hardswish),
            "erf" => case.agrees("y", &case.input("x").into_iter().map(erf).collect::<Vec<_>>()),
            "softmax" => softmax(&case),
            "layer_norm" | "batch_norm" => norm(&case),
            "cross_entropy" => cross_entropy(&case),
            "adam" | "adamw" | "sgd" => optimiser(&case),
            other => panic!("no check for {other}"),
        }
        *seen.entry(op).or_default() += 1;
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), 21, "{seen:?}");
}
