//! The models beside PyTorch's: names, shapes, outputs; and that they learn.

use serde_json::Value;
use taper_config::Named;
use taper_models::{
    CifarResNet, CifarResNetConfig, IMAGENET, InputSpec, Mlp, ResNet, ResNetConfig, Vgg, VggConfig, build, models,
    summary,
};
use taper_nn::taper_tensor::meta::Meta;
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

/// What a network of pictures says of those that it does not take: when it is built, and when it is used.
#[test]
fn pictures_of_the_wrong_size_are_told() {
    let built = |name: &str, shape: [usize; 3]| {
        let params = Params::new(&Meta::device(), DType::F32, RandomKey::new(0));
        build(name, &InputSpec { shape, classes: 10 }, &params).err().unwrap().to_string()
    };
    let small = |model: &str, least: &str, came: &str| {
        format!(
            "{model}: expected pictures of at least {least}, came {came}: resize them, or take a model for small ones"
        )
    };
    assert_eq!(built("alexnet", [3, 62, 224]), small("alexnet", "1x63x63", "3x62x224"));
    assert_eq!(built("vgg16", [3, 31, 32]), small("vgg", "1x32x32", "3x31x32"));
    assert_eq!(built("googlenet", [3, 31, 30]), small("googlenet", "1x31x31", "3x31x30"));
    assert_eq!(built("lenet5", [1, 8, 28]), small("lenet5", "1x12x12", "1x8x28"));
    assert_eq!(built("resnet50", [3, 0, 8]), small("resnet", "1x1x1", "3x0x8"));
    assert_eq!(built("resnet20", [0, 8, 8]), small("cifar_resnet", "1x1x1", "0x8x8"));
    // The smallest that it takes.
    for (name, shape) in [
        ("alexnet", [3, 63, 63]),
        ("vgg19_bn", [3, 32, 32]),
        ("googlenet", [3, 31, 31]),
        ("lenet5", [1, 12, 12]),
        ("resnet152", [3, 1, 1]),
        ("resnet110", [3, 1, 1]),
    ] {
        let found = summary(name, Some(InputSpec { shape, classes: 7 })).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(found.outputs[0].dims(), [7], "{name}");
    }
    let used = |name: &str, shape: &[usize]| {
        let device = Meta::device();
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let model = build(name, &InputSpec { shape: [3, 64, 64], classes: 10 }, &params).unwrap();
        let x = Tensor::zeros(shape, DType::F32, &device).unwrap();
        model.forward(&x, &Context::eval()).unwrap_err().to_string()
    };
    assert_eq!(
        used("vgg11", &[2, 3, 64, 16]),
        "vgg: expected pictures [N, 3, H, W] with H of at least 32 and W of at least 32, came [2, 3, 64, 16]"
    );
    assert_eq!(
        used("resnet34", &[2, 1, 64, 64]),
        "resnet: expected pictures [N, 3, H, W] with H of at least 1 and W of at least 1, came [2, 1, 64, 64]"
    );
    assert_eq!(
        used("lenet5", &[2, 3, 32, 32]),
        "lenet5: expected pictures [N, 3, 64, 64], for which it was built, came [2, 3, 32, 32]"
    );
    let params = Params::new(&Meta::device(), DType::F32, RandomKey::new(0));
    let depth = |told: taper_nn::Result<()>| told.unwrap_err().to_string();
    assert_eq!(
        depth(ResNet::new(19, &ResNetConfig::default(), &IMAGENET, &params).map(drop)),
        "resnet: depth must be 18, 34, 50, 101 or 152, came as 19"
    );
    assert_eq!(
        depth(Vgg::new(12, true, &VggConfig::default(), &IMAGENET, &params).map(drop)),
        "vgg: depth must be 11, 13, 16 or 19, came as 12"
    );
    assert_eq!(
        depth(CifarResNet::new(21, &CifarResNetConfig::default(), &IMAGENET, &params).map(drop)),
        "cifar_resnet: depth must be 6n + 2, such as 20 or 110, came as 21"
    );
}

/// Which stem a ResNet has, unless it is set.
#[test]
fn small_pictures_have_a_small_stem() {
    let first = |side: usize, stem: &str| {
        let named = Named::new("resnet18").with("stem", stem);
        let input = InputSpec { shape: [3, side, side], classes: 10 };
        summary(named, Some(input)).unwrap().layers[0].output.as_ref().unwrap().dims()[1]
    };
    assert_eq!([first(64, "auto"), first(65, "auto"), first(224, "auto")], [64, 33, 112]);
    assert_eq!([first(224, "cifar"), first(32, "imagenet")], [224, 16]);
}

#[test]
fn a_model_starts_as_torchvisions() {
    let device = device();
    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let small = Named::new("vgg11").with("width", 0.125);
    build(small, &InputSpec { shape: [3, 32, 32], classes: 10 }, &params).unwrap();
    let value = |name: &str| {
        let param = params.all().into_iter().find(|param| param.name() == name).unwrap();
        param.tensor().to_vec::<f32>().unwrap()
    };
    assert!(value("features.0.bias").iter().chain(&value("classifier.3.bias")).all(|&b| b == 0.0));
    let deviation = |values: Vec<f32>| (values.iter().map(|w| w * w).sum::<f32>() / values.len() as f32).sqrt();
    // At least 9216 weights: a sample's deviation is off by 1 / √(2 · 9216), 0.7%.
    assert!((deviation(value("features.8.weight")) / (2.0f32 / (32.0 * 9.0)).sqrt() - 1.0).abs() < 0.03);
    assert!((deviation(value("classifier.3.weight")) / 0.01 - 1.0).abs() < 0.03);
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
        "model: model.hiden: unknown key of the model mlp; did you mean hidden? (its keys: hidden, activation)"
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
