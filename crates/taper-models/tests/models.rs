//! The models beside PyTorch's: names, shapes, outputs; and that they learn.

use serde_json::Value;
use taper_config::Named;
use taper_models::{InputSpec, Mlp, build, models};
use taper_nn::{Adam, AdamConfig, Context, CrossEntropy, DType, Device, Module, Optimizer, Params, RandomKey, Tensor};

fn device() -> Device {
    Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap())
}

/// `tests/data/torch_models.json`, written by `tests/peers/torch_nn.py`.
fn recorded() -> Value {
    serde_json::from_str(include_str!("data/torch_models.json")).unwrap()
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect()
}

fn state_dict(value: &Value) -> Vec<(String, Vec<usize>)> {
    value.as_array().unwrap().iter().map(|pair| (pair[0].as_str().unwrap().to_owned(), sizes(&pair[1]))).collect()
}

fn ours(params: &Params) -> Vec<(String, Vec<usize>)> {
    params.all().iter().map(|param| (param.name().to_owned(), param.tensor().shape().to_vec())).collect()
}

#[test]
fn the_seed_cnns_state_dict_is_pytorchs() {
    let params = Params::new(&device(), DType::F32, RandomKey::new(0));
    build("seed-cnn", &InputSpec { shape: [3, 32, 32], classes: 10 }, &params).unwrap();
    assert_eq!(ours(&params), state_dict(&recorded()["seed-cnn on CIFAR-10"]));
    assert_eq!(params.count(), 4_275_594);
}

#[test]
fn outputs_are_pytorchs() {
    let (device, record) = (device(), recorded());
    let of_models = record.as_object().unwrap().iter().filter(|(_, expected)| expected.is_object());
    for (name, expected) in of_models {
        let [channels, height, width] = sizes(&expected["input"])[..] else { panic!() };
        let input =
            InputSpec { shape: [channels, height, width], classes: expected["classes"].as_u64().unwrap() as usize };
        let params = Params::new(&device, DType::F64, RandomKey::new(0));
        let model = build(name.as_str(), &input, &params).unwrap();
        assert_eq!(ours(&params), state_dict(&expected["state_dict"]), "{}", name);
        // The formula of torch_nn.py's `model`.
        for (p, param) in params.trainable().iter().enumerate() {
            let (p, shape) = (p as u64, param.tensor().shape().clone());
            let value = |i: u64| (((7919 * i + 104_729 * p) % 1009) as f64 / 504.0 - 1.0) / 16.0;
            let values: Vec<f64> = (0..shape.count() as u64).map(value).collect();
            param.set(&Tensor::from_vec(values, shape, &device).unwrap()).unwrap();
        }
        let count = 2 * (channels * height * width) as u64;
        let x: Vec<f64> = (0..count).map(|i| (31 * i % 257) as f64 / 257.0).collect();
        let x = Tensor::from_vec(x, [2, channels, height, width], &device).unwrap();
        let y = model.forward(&x, &Context::eval()).unwrap();
        assert_eq!(y.shape().to_vec(), sizes(&expected["y"]["shape"]), "{}", name);
        let y = y.to_vec::<f64>().unwrap();
        for (ours, theirs) in y.iter().zip(expected["y"]["data"].as_array().unwrap()) {
            let theirs = theirs.as_f64().unwrap();
            // f64 over sums of at most 1152 products.
            assert!((ours - theirs).abs() <= 1e-12, "{}: {ours} {theirs}", name);
        }
    }
}

#[test]
fn an_mlp_learns_what_no_linear_model_can() {
    let device = device();
    let input = InputSpec { shape: [1, 1, 2], classes: 2 };
    // Exclusive or, with a little noise: 64 points around the corners of a square.
    let key = RandomKey::new(3);
    let corner = |i: u64| [(i & 1) as f32, (i >> 1 & 1) as f32];
    let x: Vec<f32> = (0..64)
        .flat_map(|i| [0, 1].map(|side| corner(i)[side as usize] + 0.1 * key.normal(2 * i + side) as f32))
        .collect();
    let classes: Vec<i64> = (0..64).map(|i| (corner(i)[0] != corner(i)[1]) as i64).collect();
    let x = Tensor::from_vec(x, [64, 1, 1, 2], &device).unwrap();
    let target = Tensor::from_vec(classes, [64], &device).unwrap();
    let train = |hidden: &[usize]| -> Vec<f64> {
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let model = Mlp::with_hidden(&input, hidden, &params).unwrap();
        let mut adam = Adam::new(params.trainable(), AdamConfig { lr: 0.02, ..AdamConfig::default() }).unwrap();
        let step = |step| {
            let logits = model.forward(&x, &Context::train(0, 0, step)).unwrap();
            let loss = CrossEntropy::default().forward(&logits, &target).unwrap();
            assert!(adam.step(&loss.backward().unwrap()).unwrap().taken().unwrap());
            loss.item().unwrap()
        };
        (0..100).map(step).collect()
    };
    let losses = train(&[16, 16]);
    assert!(losses[99] < 0.1 && losses[99] < losses[0], "{losses:?}");
    // Without hidden layers the loss stays about log 2.
    let linear = train(&[]);
    assert!(linear[99] > 0.6, "{linear:?}");
    // The same again, to the bit.
    assert_eq!(train(&[16, 16]), losses);
}

#[test]
fn what_does_not_fit_is_said() {
    let device = device();
    let params = || Params::new(&device, DType::F32, RandomKey::new(0));
    let cifar = InputSpec { shape: [3, 32, 32], classes: 10 };
    let said = |name: &str, input: &InputSpec| build(name, input, &params()).err().unwrap().to_string();
    let unknown = said("seed-cmm", &cifar);
    let known = "model: unknown model `seed-cmm`; did you mean seed-cnn? (known: airbench, ";
    assert!(unknown.starts_with(known) && unknown.contains(", seed-cnn"), "{unknown}");
    assert_eq!(
        said("seed-cnn", &InputSpec { shape: [3, 3, 32], ..cifar }),
        "linear: in_features must be at least 1, came as 0 (in layer fc1)"
    );
    assert_eq!(
        said("mlp", &InputSpec { classes: 0, ..cifar }),
        "linear: out_features must be at least 1, came as 0 (in layer fc3)"
    );
    let error = said("seed-cnn", &InputSpec { shape: [3, usize::MAX, usize::MAX], ..cifar });
    assert!(error.starts_with("fc1.weight: shape [512, ") && error.ends_with("is too large for any memory"), "{error}");
    let forward = |name: &str, shape: &[usize]| {
        let x = Tensor::zeros(shape, DType::F32, &device).unwrap();
        build(name, &cifar, &params()).unwrap().forward(&x, &Context::eval()).unwrap_err().to_string()
    };
    assert_eq!(
        forward("seed-cnn", &[2, 1, 32, 32]),
        "conv2d: weight expects 3 input channels (dim 1 of [64, 3, 3, 3]), input has 1 (dim 1 of [2, 1, 32, 32]) (in layer \
         conv1)"
    );
    let error = forward("seed-cnn", &[2, 3, 16, 16]);
    let parts = ["linear", "[512, 8192]", "dim 1", "[2, 2048]", "in layer fc1"];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn the_list_is_in_order() {
    let names: Vec<&str> = models().iter().map(|info| info.name).collect();
    assert!(names.is_sorted() && names.contains(&"seed-cnn"), "{names:?}");
    assert!(models().iter().all(|info| !info.summary.is_empty() && !info.source.is_empty()));
}

#[test]
fn a_model_is_built_of_the_keys_of_its_table() {
    let params = Params::new(&device(), DType::F32, RandomKey::new(0));
    let named = Named::new("mlp").with("hidden", vec![7, 5]);
    build(&named, &InputSpec { shape: [1, 2, 2], classes: 3 }, &params).unwrap();
    let shapes: Vec<String> = params.all().iter().map(|param| param.tensor().shape().to_string()).collect();
    assert_eq!(shapes, ["[7, 4]", "[7]", "[5, 7]", "[5]", "[3, 5]", "[3]"]);
    let told = |named: Named| {
        let params = Params::new(&device(), DType::F32, RandomKey::new(0));
        build(named, &InputSpec { shape: [1, 8, 8], classes: 3 }, &params).map(drop).unwrap_err().to_string()
    };
    assert_eq!(
        told(Named::new("mlp").with("hiden", 3)),
        "model: model.hiden: unknown key of the model mlp; did you mean hidden? (its keys: hidden)"
    );
    assert_eq!(
        told(Named::new("mlp").with("hidden", vec![0])),
        "model: model.hidden: expected a list of integers, 1 or more, found 0"
    );
    assert_eq!(
        told(Named::new("seed-cnn").with("hidden", vec![8])),
        "model: model.hidden: unknown key of the model seed-cnn; it has none"
    );
}
