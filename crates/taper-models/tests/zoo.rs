//! The networks with batch norm beside PyTorch's: names, shapes, a training step with its gradients, evaluation before and
//! after it. And how airbench begins.

use serde_json::Value;
use taper_models::{Airbench, InputSpec, build, model};
use taper_nn::{Context, CrossEntropy, DType, Device, Init, Module, Param, Params, RandomKey, Reduction, Tensor};

const NETWORKS: [&str; 2] = ["airbench", "resnet18"];
const CIFAR: InputSpec = InputSpec { shape: [3, 32, 32], classes: 10 };

fn device() -> Device {
    Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap())
}

/// `tests/data/torch_zoo.json`, written by `tests/peers/torch_zoo.py`.
fn recorded(name: &str) -> Value {
    let record: Value = serde_json::from_str(include_str!("data/torch_zoo.json")).unwrap();
    record[name].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The formula of torch_zoo.py.
fn formula(param: &Param, p: usize) -> Vec<f64> {
    let scale = if param.tensor().shape().rank() == 1 { 1.0 } else { 16.0 };
    let at = |i: usize| (((7919 * i + 104_729 * p) % 1009) as f64 / 504.0 - 1.0) / scale;
    (0..param.tensor().count()).map(at).collect()
}

fn pictures(n: usize, device: &Device) -> Tensor {
    let values: Vec<f64> = (0..n * 3 * 32 * 32).map(|i| (31 * i % 257) as f64 / 257.0).collect();
    Tensor::from_vec(values, [n, 3, 32, 32], device).unwrap()
}

/// ‖a − b‖ ≤ `bound` · ‖b‖.
fn assert_near(what: &str, ours: &[f64], theirs: &[f64], bound: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut ours.iter().zip(theirs).map(|(a, b)| a - b)) / norm(&mut theirs.iter().copied());
    assert!(error <= bound, "{what}: {error:e}");
}

/// The network in f64 with the formula's weights, and its parameters without batch norm's statistics.
fn with_formula(name: &str, device: &Device) -> (Box<dyn Module>, Vec<Param>) {
    let params = Params::new(device, DType::F64, RandomKey::new(0));
    let model = build(name, &CIFAR, &params).unwrap();
    let statistic = |param: &Param| param.name().contains("running_") || param.name().ends_with("num_batches_tracked");
    let weights: Vec<Param> = params.all().into_iter().filter(|param| !statistic(param)).collect();
    for (p, param) in weights.iter().enumerate() {
        let value = Tensor::from_vec(formula(param, p), param.tensor().shape().clone(), device).unwrap();
        param.set(&value).unwrap();
    }
    (model, weights)
}

#[test]
fn names_and_shapes_are_pytorchs() {
    for name in NETWORKS {
        let params = Params::new(&device(), DType::F32, RandomKey::new(0));
        build(name, &CIFAR, &params).unwrap();
        let ours: Vec<(String, Vec<f64>)> = params
            .all()
            .iter()
            .map(|p| (p.name().to_owned(), p.tensor().shape().iter().map(|&size| size as f64).collect()))
            .collect();
        let record = recorded(name);
        let theirs = record["state_dict"].as_array().unwrap().iter();
        let theirs: Vec<_> = theirs.map(|pair| (pair[0].as_str().unwrap().to_owned(), numbers(&pair[1]))).collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

/// f64; a gradient passes through up to 20 layers of sums over at most 4608 products, and through batch norms that divide
/// by small deviations.
#[test]
fn a_training_step_and_evaluation_are_pytorchs() {
    const BOUND: f64 = 1e-10;
    let device = device();
    for name in NETWORKS {
        let (record, (model, weights)) = (recorded(name), with_formula(name, &device));
        let logits = |x: &Tensor, context: &Context| model.forward(x, context).unwrap();
        let y = logits(&pictures(2, &device), &Context::eval());
        assert_near(name, &y.to_vec::<f64>().unwrap(), &numbers(&record["y"]["data"]), BOUND);

        let (x, step) = (pictures(4, &device), &record["step"]);
        let y = logits(&x, &Context::train(0, 0, 0));
        assert_near(name, &y.to_vec::<f64>().unwrap(), &numbers(&step["logits"]["data"]), BOUND);
        let labels = Tensor::from_vec(vec![0_i64, 1, 2, 3], [4], &device).unwrap();
        let loss = CrossEntropy { label_smoothing: 0.2, reduction: Reduction::Sum, ..CrossEntropy::default() };
        let loss = loss.forward(&y, &labels).unwrap();
        assert_near(name, &[loss.item().unwrap()], &[step["loss"].as_f64().unwrap()], BOUND);

        let gradients = loss.backward().unwrap();
        let mut theirs = step["gradients"].as_array().unwrap().iter();
        for (p, param) in weights.iter().enumerate() {
            let Some(gradient) = gradients.of_param(param) else {
                assert!(!param.trainable(), "{} has no gradient", param.name());
                continue;
            };
            let row = theirs.next().unwrap();
            assert_eq!(param.name(), row[0].as_str().unwrap());
            let theirs: Vec<f64> = (1..4).map(|i| row[i].as_f64().unwrap()).collect();
            let g = gradient.to_vec::<f64>().unwrap();
            let norm = g.iter().map(|x| x * x).sum::<f64>().sqrt();
            let with_next = formula(param, p + 1).iter().zip(&g).map(|(a, b)| a * b).sum();
            // Sum and product may nearly cancel: they are compared on the norm's scale.
            assert_near(param.name(), &[g.iter().sum(), norm, with_next], &theirs, BOUND);
        }
        assert!(theirs.next().is_none(), "{name}: fewer gradients than PyTorch's");
        let y = logits(&x, &Context::eval());
        assert_near(name, &y.to_vec::<f64>().unwrap(), &numbers(&step["after"]["data"]), BOUND);
    }
}

#[test]
fn parameters_are_as_many_as_is_told() {
    let count = |name| {
        let params = Params::new(&device(), DType::F32, RandomKey::new(0));
        build(name, &CIFAR, &params).unwrap();
        params.count()
    };
    assert_eq!(count("resnet18"), 11_173_962);
    let convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256);
    assert_eq!(count("airbench"), 24 + convolutions + 2 * (64 + 256 + 256) + 2560);
}

/// torchvision's `kaiming_normal_(mode="fan_out", nonlinearity="relu")`: variance 2 / (C_out · K²).
#[test]
fn resnet18s_convolutions_begin_as_torchvisions() {
    let params = Params::new(&device(), DType::F32, RandomKey::new(0));
    build("resnet18", &CIFAR, &params).unwrap();
    for (name, fan_out) in [("layer1.0.conv1.weight", 64 * 9), ("layer2.0.downsample.0.weight", 128)] {
        let param = params.all().into_iter().find(|param| param.name() == name).unwrap();
        let weight = param.tensor().to_vec::<f32>().unwrap();
        let variance = weight.iter().map(|w| w * w).sum::<f32>() / weight.len() as f32;
        // At least 8192 weights: the variance of a sample is off by √(2 / 8192), 1.6%.
        assert!((variance * fan_out as f32 / 2.0 - 1.0).abs() < 0.06, "{name}: {variance}");
    }
}

#[test]
fn airbench_begins_by_passing_on() {
    let params = Params::new(&device(), DType::F32, RandomKey::new(0));
    build("airbench", &CIFAR, &params).unwrap();
    let value = |name: &str| {
        let param = params.all().into_iter().find(|param| param.name() == name).unwrap();
        (param.tensor().to_vec::<f32>().unwrap(), param.trainable())
    };
    let (weight, trained) = value("layers.1.conv1.weight"); // [64, 24, 3, 3]
    assert!(trained);
    let (first, rest) = weight.split_at(24 * 24 * 9);
    for (i, filter) in first.chunks_exact(24 * 9).enumerate() {
        assert!(filter.iter().enumerate().all(|(at, &w)| w == f32::from(u8::from(at == i * 9 + 4))), "filter {i}");
    }
    // PyTorch's default: uniform over ±1/√216.
    let bound = 1.0 / 216f32.sqrt();
    assert!(rest.iter().all(|w| w.abs() <= bound) && rest.iter().any(|w| w.abs() > 0.99 * bound));
    let (head, _) = value("head.weight");
    let variance = head.iter().map(|w| w * w).sum::<f32>() / head.len() as f32;
    assert!((variance - 1.0).abs() < 0.05, "{variance}");
    for name in ["whiten.weight", "layers.1.norm1.weight", "layers.3.norm2.weight"] {
        assert!(!value(name).1, "{name} is trained");
    }
    assert!(value("whiten.bias").1 && value("layers.2.norm1.bias").1);
}

#[test]
fn airbench_is_prepared_to_whiten() {
    let device = device();
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let info = model("airbench").unwrap();
    build(info.name, &CIFAR, &params.sub("net")).unwrap();
    // Neighbours are alike, as in pictures.
    let (key, mut values, mut at) = (RandomKey::new(1), vec![0.0_f32; 8 * 3 * 32 * 32], 0.0);
    for (i, value) in values.iter_mut().enumerate() {
        at = 0.8 * at + 0.6 * key.normal(i as u64);
        *value = at as f32;
    }
    let x = Tensor::from_vec(values, [8, 3, 32, 32], &device).unwrap();
    info.prepare.unwrap()(&params.sub("net"), &x).unwrap();
    let weight = params.all().into_iter().find(|param| param.name() == "net.whiten.weight").unwrap().tensor();
    // The answers of the first twelve filters have mean square λ / (λ + ε), about 1, and no correlation.
    let y = x.conv2d(&weight.narrow(0, 0, 12).unwrap(), None, Default::default()).unwrap();
    let y = y.permute(&[1, 0, 2, 3]).unwrap().flatten(1).unwrap();
    let products = y.matmul_t(&y, [false, true]).unwrap().mul_scalar(1.0 / (8.0 * 31.0 * 31.0)).unwrap();
    for (at, product) in products.to_vec::<f32>().unwrap().into_iter().enumerate() {
        let expected = f32::from(u8::from(at / 12 == at % 12));
        // ε = 5e-4 beside eigenvalues of at least 0.03; f32 sums of 7688 products.
        assert!((product - expected).abs() < 0.02, "{at}: {product}");
    }
    // To the bit the same again.
    let first = weight.to_vec::<f32>().unwrap();
    info.prepare.unwrap()(&params.sub("net"), &x).unwrap();
    assert!(model("resnet18").unwrap().prepare.is_none());
    let again = params.all().into_iter().find(|param| param.name() == "net.whiten.weight").unwrap();
    assert_eq!(again.tensor().to_vec::<f32>().unwrap(), first);
}

#[test]
fn what_does_not_fit_is_said() {
    let device = device();
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let small = InputSpec { shape: [3, 24, 32], classes: 10 };
    let said = Airbench::new(&small, &params).unwrap_err().to_string();
    assert_eq!(said, "airbench: expected pictures of at least [1, 25, 25], came [3, 24, 32]");
    let pictures = |channels| Tensor::zeros([2, channels, 32, 32], DType::F32, &device).unwrap();
    let said = Airbench::prepare(&params, &pictures(3)).unwrap_err().to_string();
    assert_eq!(said, "airbench: there is no parameter whiten.weight to set");
    // Other models' parameters of that name.
    for (shape, told) in [(&[7][..], "[7]"), (&[24, 3, 3, 3], "[24, 3, 3, 3]"), (&[12, 3, 2, 2], "[12, 3, 2, 2]")] {
        let others = Params::new(&device, DType::F32, RandomKey::new(0));
        others.sub("whiten").get("weight", shape, Init::Zeros).unwrap();
        let said = Airbench::prepare(&others, &pictures(3)).unwrap_err().to_string();
        let expected = "expected [8·C, C, 2, 2] for pictures of C channels: it is another model's";
        assert_eq!(said, format!("airbench: whiten.weight is {told}, {expected}"));
    }
    Airbench::new(&CIFAR, &params).unwrap();
    let said = Airbench::prepare(&params, &pictures(1)).unwrap_err().to_string();
    assert_eq!(said, "whitening: expected pictures with 3 channels, came [2, 1, 32, 32]");
}
