//! Layers: what they make, what they compute, what they refuse.

mod common;

use common::{assert_close, device, floats, params, recorded};
use taper_nn::{
    Activation, AdaptiveAvgPool2d, AvgPool2d, BatchNorm1d, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig,
    DType, Dropout, Embedding, EmbeddingConfig, Flatten, Init, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    MaxPool2d, Module, Params, RandomKey, Sequential, Tensor,
};

fn names(params: &Params) -> Vec<String> {
    params.all().iter().map(|param| format!("{} {}", param.name(), param.tensor().shape())).collect()
}

#[test]
fn names_and_shapes_are_pytorchs() {
    let root = params(&device(), DType::F32);
    Conv2d::new(Conv2dConfig::new(4, 6, [3, 5]).groups(2).bias(false), &root.sub("features").sub("0")).unwrap();
    BatchNorm2d::new(BatchNormConfig::new(6), &root.sub("features.1")).unwrap();
    Linear::new(LinearConfig::new(6, 3), &root.sub("fc")).unwrap();
    Embedding::new(EmbeddingConfig::new(7, 2), &root.sub("wte")).unwrap();
    LayerNorm::new(LayerNormConfig::new([2, 3]), &root.sub("ln")).unwrap();
    let expected = [
        "features.0.weight [6, 2, 3, 5]",
        "features.1.weight [6]",
        "features.1.bias [6]",
        "features.1.running_mean [6]",
        "features.1.running_var [6]",
        "features.1.num_batches_tracked []",
        "fc.weight [3, 6]",
        "fc.bias [3]",
        "wte.weight [7, 2]",
        "ln.weight [2, 3]",
        "ln.bias [2, 3]",
    ];
    assert_eq!(names(&root), expected);
    assert_eq!(root.trainable().len(), expected.len() - 3);
    assert_eq!(root.count(), 180 + 12 + 21 + 14 + 12);
}

#[test]
fn a_name_made_twice_is_an_error() {
    let root = params(&device(), DType::F32);
    Linear::new(LinearConfig::new(2, 3), &root.sub("fc")).unwrap();
    let error = Linear::new(LinearConfig::new(2, 3), &root.sub("fc")).unwrap_err().to_string();
    assert_eq!(error, "there already is a parameter called fc.weight: give each layer its own sub()");
}

#[test]
fn a_layer_more_changes_no_other() {
    let device = device();
    let weights = |with_another: bool| {
        let root = params(&device, DType::F32);
        if with_another {
            Linear::new(LinearConfig::new(9, 9), &root.sub("another")).unwrap();
        }
        let fc = Linear::new(LinearConfig::new(5, 4), &root.sub("fc")).unwrap();
        fc.weight().tensor().to_vec::<f32>().unwrap()
    };
    assert_eq!(weights(false), weights(true));
    // Another seed or another name gives other numbers.
    let root = Params::new(&device, DType::F32, RandomKey::new(1));
    let other = Linear::new(LinearConfig::new(5, 4), &root.sub("fc")).unwrap();
    assert_ne!(other.weight().tensor().to_vec::<f32>().unwrap(), weights(false));
    let root = params(&device, DType::F32);
    let twin = Linear::new(LinearConfig::new(5, 4), &root.sub("twin")).unwrap();
    assert_ne!(twin.weight().tensor().to_vec::<f32>().unwrap(), weights(false));
}

#[test]
fn initial_values_have_their_spread() {
    let device = device();
    // [out 64, in 32 · 3 · 3]: fan_in 288, fan_out 576.
    let shape = [64, 32, 3, 3];
    let spread = |init: Init| {
        let values = params(&device, DType::F64).get("w", shape, init).unwrap().tensor().to_vec::<f64>().unwrap();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64).sqrt();
        // 18,432 values: the mean's own deviation is 1/136 of theirs; 4 of it.
        assert!(mean.abs() <= 4.0 / 135.0 * deviation, "{init:?}: mean {mean}");
        (deviation, values.iter().fold(0f64, |largest, x| largest.max(x.abs())))
    };
    // (init, standard deviation, bound)
    let uniform = |bound: f64| (bound / 3f64.sqrt(), bound);
    let normal = |std: f64| (std, f64::INFINITY);
    for (init, (std, bound)) in [
        (Init::layer_weight(), uniform(1.0 / 288f64.sqrt())),
        (Init::KaimingUniform { a: 0.0 }, uniform((6.0 / 288.0f64).sqrt())),
        (Init::KaimingNormal { a: 0.0 }, normal((2.0 / 288.0f64).sqrt())),
        (Init::XavierUniform { gain: 1.0 }, uniform((6.0 / (288.0f64 + 576.0)).sqrt())),
        (Init::XavierNormal { gain: 2.0 }, normal(2.0 * (2.0 / (288.0f64 + 576.0)).sqrt())),
        (Init::Uniform { bound: 0.3 }, uniform(0.3)),
        (Init::Normal { std: 0.2 }, normal(0.2)),
    ] {
        let (found, largest) = spread(init);
        // The deviation's own relative deviation is at most 1/√(2 · 18,432) = 0.5%; 4 of it.
        assert!((found / std - 1.0).abs() < 0.02, "{init:?}: {found}, expected {std}");
        assert!(largest <= bound, "{init:?}: {largest} over {bound}");
        assert!(bound.is_infinite() || largest > 0.99 * bound, "{init:?}: {largest} far below {bound}");
    }
    assert_eq!(
        params(&device, DType::F64).get("w", [2], Init::Ones).unwrap().tensor().to_vec::<f64>().unwrap(),
        [1.0; 2]
    );
    let constant = params(&device, DType::F32).get("w", [2], Init::Constant(0.5)).unwrap();
    assert_eq!(constant.tensor().to_vec::<f32>().unwrap(), [0.5; 2]);
    let error = params(&device, DType::F32).get("b", [3], Init::layer_weight()).unwrap_err().to_string();
    assert_eq!(error, "init: Kaiming and Xavier need a weight of at least two dimensions, the shape is [3]");
}

#[test]
fn batch_norm_is_pytorchs_over_steps() {
    let (device, record) = (device(), recorded());
    let runs = record["batch_norm"].as_array().unwrap();
    assert_eq!(runs.len(), 3);
    for run in runs {
        let root = params(&device, DType::F64);
        let x = floats(&run["x"], &device);
        let config = BatchNormConfig::new(x.shape()[1])
            .eps(run["eps"].as_f64().unwrap())
            .momentum(run["momentum"].as_f64())
            .affine(run["params"].get("weight").is_some());
        let layer: Box<dyn Module> = match x.shape().rank() {
            4 => Box::new(BatchNorm2d::new(config, &root).unwrap()),
            _ => Box::new(BatchNorm1d::new(config, &root).unwrap()),
        };
        let param = |name: &str| root.all().into_iter().find(|param| param.name() == name).unwrap();
        for (name, value) in run["params"].as_object().unwrap() {
            param(name).set(&floats(value, &device)).unwrap();
        }
        for (i, step) in run["steps"].as_array().unwrap().iter().enumerate() {
            let y = layer.forward(&floats(&step["x"], &device), &Context::train(0, 0, i as u64)).unwrap();
            assert_close("y", &y, &step["y"], 1e-12);
            assert_close("running_mean", &param("running_mean").tensor(), &step["mean"], 1e-12);
            assert_close("running_var", &param("running_var").tensor(), &step["var"], 1e-12);
        }
        assert_close("eval", &layer.forward(&x, &Context::eval()).unwrap(), &run["y"], 1e-12);
        assert_eq!(param("num_batches_tracked").tensor().item().unwrap(), run["batches"].as_f64().unwrap());
    }
}

#[test]
fn dropout_keeps_its_share_and_its_stream() {
    let device = device();
    let root = params(&device, DType::F32);
    let (a, b) = (Dropout::new(0.25, &root.sub("a")).unwrap(), Dropout::new(0.25, &root.sub("b")).unwrap());
    assert!(root.all().is_empty());
    let x = Tensor::ones([100, 100], DType::F32, &device).unwrap();
    let run = |layer: &Dropout, context: Context| layer.forward(&x, &context).unwrap().to_vec::<f32>().unwrap();
    let y = run(&a, Context::train(0, 0, 0));
    assert!(y.iter().all(|&y| y == 0.0 || y == 1.0 / 0.75));
    let kept = y.iter().filter(|&&y| y != 0.0).count();
    // Binomial(10,000, 3/4): deviation 43; 5 of it.
    assert!((7283..=7717).contains(&kept), "{kept}");
    assert_eq!(y, run(&a, Context::train(0, 0, 0)));
    assert_ne!(y, run(&a, Context::train(0, 0, 1)));
    assert_ne!(y, run(&b, Context::train(0, 0, 0)));
    assert_eq!(run(&a, Context::eval()), [1.0; 10_000]);
    // Another layer at the same place, and a second use in the same step, draw their own.
    let twin = Dropout::new(0.25, &root.sub("a")).unwrap();
    let context = Context::train(0, 0, 0);
    let drawn = [run(&a, context.clone()), run(&twin, context.clone()), run(&a, context.clone()), run(&twin, context)];
    assert_eq!(drawn[0], y);
    for (i, drawn_now) in drawn.iter().enumerate() {
        assert!(!drawn[..i].contains(drawn_now), "{i}");
        // Independent: 9/16 are kept by both, of 10,000, with a deviation of 50.
        let both = |other: &Vec<f32>| drawn_now.iter().zip(other).filter(|(a, b)| **a != 0.0 && **b != 0.0).count();
        assert!(drawn[..i].iter().map(both).all(|both| (5375..=5875).contains(&both)), "{i}");
    }
    let error = Dropout::new(1.5, &root.sub("head.drop")).unwrap_err().to_string();
    assert_eq!(error, "dropout: the probability p must be from 0 to 1, came as 1.5 (in layer head.drop)");
}

#[test]
fn layers_without_parameters_in_a_row() {
    let device = device();
    let x: Vec<f64> = (0..16).map(|i| f64::from(i) - 8.0).collect();
    let x = Tensor::from_vec(x, [1, 1, 4, 4], &device).unwrap();
    let run = |module: Sequential| module.forward(&x, &Context::eval()).unwrap();
    assert_eq!(run(Sequential::new()).to_vec::<f64>().unwrap(), x.to_vec::<f64>().unwrap());
    let y = run(Sequential::new().then(Activation::Relu).then(MaxPool2d::new(2)).then(Flatten));
    assert_eq!((y.shape().dims(), y.to_vec::<f64>().unwrap()), (&[1, 4][..], vec![0.0, 0.0, 5.0, 7.0]));
    let y = run(Sequential::new().then(AvgPool2d::new(2).stride([2, 1])));
    assert_eq!(y.to_vec::<f64>().unwrap(), [-5.5, -4.5, -3.5, 2.5, 3.5, 4.5]);
    let y = run(Sequential::new().then(AvgPool2d::new(3).stride(3).padding(1).count_include_pad(false)));
    assert_eq!(y.to_vec::<f64>().unwrap()[0], -5.5);
    let y = run(Sequential::new().then(MaxPool2d::new(3).padding(1).ceil_mode(true)));
    assert_eq!(y.to_vec::<f64>().unwrap(), [-3.0, -1.0, 5.0, 7.0]);
    let y = run(Sequential::new().then(AdaptiveAvgPool2d::new([1, 2])));
    assert_eq!(y.to_vec::<f64>().unwrap(), [-1.5, 0.5]);
}

#[test]
fn embedding_takes_rows_and_layer_norm_normalises() {
    let device = device();
    let root = params(&device, DType::F64);
    let table = Embedding::new(EmbeddingConfig::new(3, 2), &root.sub("wte")).unwrap();
    table.weight().set(&Tensor::from_vec(vec![0.0, 1.0, 2.0, 3.0, 4.0, 8.0], [3, 2], &device).unwrap()).unwrap();
    let index = Tensor::from_vec(vec![2i64, 0, 2], [1, 3], &device).unwrap();
    let y = table.forward(&index, &Context::eval()).unwrap();
    assert_eq!((y.shape().dims(), y.to_vec::<f64>().unwrap()), (&[1, 3, 2][..], vec![4.0, 8.0, 0.0, 1.0, 4.0, 8.0]));
    let norm = LayerNorm::new(LayerNormConfig::new([2]).eps(0.0), &root.sub("ln")).unwrap();
    let y = norm.forward(&y, &Context::eval()).unwrap().to_vec::<f64>().unwrap();
    assert!(y.iter().zip([-1.0, 1.0].iter().cycle()).all(|(y, expected)| (y - expected).abs() < 1e-12), "{y:?}");
}

/// Of nothing there is no mean, and one that was remembered would stay NaN for ever.
#[test]
fn an_empty_batch_leaves_running_statistics() {
    let device = device();
    for momentum in [Some(0.1), None] {
        let root = params(&device, DType::F32);
        let config = BatchNormConfig::new(3).momentum(momentum);
        let pictures = BatchNorm2d::new(config, &root.sub("a")).unwrap();
        let rows = BatchNorm1d::new(config, &root.sub("b")).unwrap();
        let before: Vec<_> = root.all().iter().map(|param| param.tensor().to_host().unwrap()).collect();
        let layers: [(&dyn Module, &[usize]); 4] =
            [(&pictures, &[0, 3, 2, 2]), (&pictures, &[2, 3, 0, 2]), (&rows, &[0, 3]), (&rows, &[0, 3, 5])];
        for (layer, shape) in layers {
            let x = Tensor::zeros(shape, DType::F32, &device).unwrap().requires_grad();
            let y = layer.forward(&x, &Context::train(0, 0, 0)).unwrap();
            assert_eq!(y.shape().dims(), shape);
            let gradients = y.sum_all().unwrap().backward().unwrap();
            assert_eq!(gradients.of(&x).unwrap().shape().dims(), shape);
            let found = root.all().into_iter().filter_map(|param| gradients.of_param(&param).cloned());
            assert!(found.flat_map(|g| g.to_vec::<f32>().unwrap()).all(|g| g == 0.0), "{shape:?}");
            assert_eq!(root.all().iter().map(|param| param.tensor().to_host().unwrap()).collect::<Vec<_>>(), before);
        }
    }
}

#[test]
fn a_frozen_batch_norm_uses_and_keeps_its_statistics() {
    let device = device();
    let root = params(&device, DType::F64);
    let norm = BatchNorm1d::new(BatchNormConfig::new(2), &root).unwrap();
    let batch =
        |shift: f64| Tensor::from_vec((0..8).map(|i| shift + f64::from(i * i)).collect(), [4, 2], &device).unwrap();
    norm.forward(&batch(0.0), &Context::train(0, 0, 0)).unwrap();
    let statistics = || root.all().iter().skip(2).map(|param| param.tensor().to_host().unwrap()).collect::<Vec<_>>();
    let run = |context: Context| norm.forward(&batch(3.0), &context).unwrap().to_vec::<f64>().unwrap();
    let (before, evaluated) = (statistics(), run(Context::eval()));
    for name in ["running_mean", "running_var"] {
        let all = root.all();
        let buffer = all.iter().find(|param| param.name() == name).unwrap();
        buffer.freeze();
        assert_eq!(run(Context::train(0, 0, 1)), evaluated);
        assert_eq!(statistics(), before);
        buffer.unfreeze();
    }
    assert_ne!(run(Context::train(0, 0, 1)), evaluated);
    assert_ne!(statistics(), before);
}

#[test]
fn errors_name_the_layer_the_dimension_and_both_shapes() {
    let device = device();
    let root = params(&device, DType::F32);
    let forward = |layer: &dyn Module, shape: &[usize]| {
        let x = Tensor::zeros(shape, DType::F32, &device).unwrap();
        layer.forward(&x, &Context::train(0, 0, 0)).unwrap_err().to_string()
    };
    let conv = Conv2d::new(Conv2dConfig::new(64, 128, 3), &root.sub("conv2")).unwrap();
    assert_eq!(
        forward(&conv, &[8, 32, 16, 16]),
        "conv2d: weight expects 64 input channels (dim 1 of [128, 64, 3, 3]), input has 32 (dim 1 of [8, 32, 16, 16]) \
         (in layer conv2)"
    );
    let fc = Linear::new(LinearConfig::new(8192, 512), &root.sub("fc1")).unwrap();
    let error = forward(&fc, &[2, 2048]);
    assert!(
        ["linear", "[512, 8192]", "dim 1", "[2, 2048]", "in layer fc1"].iter().all(|part| error.contains(part)),
        "{error}"
    );
    let norm = BatchNorm2d::new(BatchNormConfig::new(3), &root.sub("bn")).unwrap();
    assert_eq!(
        forward(&norm, &[2, 4, 5, 5]),
        "batch_norm2d: expected [N, C, H, W] with C = 3 (dim 1), the input came as [2, 4, 5, 5] (in layer bn)"
    );
    let error = forward(&norm, &[1, 3, 1, 1]);
    assert!(error.contains("one value for each channel") && error.contains("in layer bn"), "{error}");
    let norm = LayerNorm::new(LayerNormConfig::new([6]), &root.sub("ln")).unwrap();
    assert_eq!(
        forward(&norm, &[2, 5]),
        "layer_norm: the input's last dimensions must be [6], it came as [2, 5] (in layer ln)"
    );
}

#[test]
fn configurations_out_of_range_are_refused() {
    let root = params(&device(), DType::F32);
    let said = |result: taper_nn::Result<()>| result.unwrap_err().to_string();
    let conv = |config| said(Conv2d::new(config, &root.sub("c")).map(drop));
    assert_eq!(conv(Conv2dConfig::new(3, 4, 0)), "conv2d: kernel_size must be at least 1, came as 0 (in layer c)");
    assert_eq!(
        conv(Conv2dConfig::new(3, 4, 1).stride([1, 0])),
        "conv2d: stride must be at least 1, came as 0 (in layer c)"
    );
    assert_eq!(
        conv(Conv2dConfig::new(3, 4, 1).groups(2)),
        "conv2d: groups 2 must divide 3 input and 4 output channels (in layer c)"
    );
    let linear = |a, b| said(Linear::new(LinearConfig::new(a, b), &root.sub("l")).map(drop));
    assert_eq!(linear(0, 3), "linear: in_features must be at least 1, came as 0 (in layer l)");
    assert_eq!(linear(usize::MAX, 3), format!("l.weight: shape [3, {}] is too large for any memory", usize::MAX));
    let norm = |config| said(BatchNorm1d::new(config, &root.sub("n")).map(drop));
    assert_eq!(norm(BatchNormConfig::new(0)), "batch_norm1d: num_features must be at least 1, came as 0 (in layer n)");
    assert_eq!(
        norm(BatchNormConfig::new(2).momentum(Some(1.5))),
        "batch_norm1d: momentum must be from 0 to 1, came as 1.5 (in layer n)"
    );
    assert!(root.all().is_empty());
}

/// Nested, it would need a stack as deep as it is long.
#[test]
fn a_chain_of_sequentials_is_a_list() {
    let deep = std::thread::Builder::new().stack_size(256 * 1024).spawn(|| {
        let mut net = Sequential::new();
        for _ in 0..100_000 {
            net = Sequential::new().then(Box::new(net) as Box<dyn Module>).then(Flatten);
        }
        net = Sequential::new().then(Flatten).then(net);
        let y = net.forward(&Tensor::ones([1, 2, 3], DType::F32, &device()).unwrap(), &Context::eval()).unwrap();
        y.to_vec::<f32>().unwrap()
    });
    assert_eq!(deep.unwrap().join().unwrap(), [1.0; 6]);
}
