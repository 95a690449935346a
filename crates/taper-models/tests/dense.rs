//! U-Net, the variational autoencoder and FCOS: sizes, what they refuse, and that they learn. Their values beside PyTorch's
//! are in the workspace's tests.

use std::sync::OnceLock;
use taper_models::{
    Detection, DetectionOptions, Fcos, FcosConfig, FcosTargets, Object, UNet, UNetConfig, Vae, VaeConfig, VaeOutput,
    box_iou, nms,
};
use taper_nn::{
    Activation, Adam, AdamConfig, Context, Conv2d, Conv2dConfig, CrossEntropy, DType, Device, Module, Optimizer,
    Params, RandomKey, Result, Sequential, Tensor,
};

fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap())).clone()
}

fn params(dtype: DType) -> Params {
    Params::new(&device(), dtype, RandomKey::new(0))
}

fn said<T>(result: Result<T>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

/// The paper's channels; 31,037,633 is what its most used implementation has for three channels and one class.
#[test]
fn unet_has_as_many_parameters() -> Result<()> {
    for (channels, classes, norm, count) in
        [(1, 2, "batch", 31_036_546), (3, 1, "batch", 31_037_633), (1, 2, "none", 31_030_658)]
    {
        let params = params(DType::BF16);
        UNet::new(&UNetConfig { channels, classes, norm: norm.into(), ..UNetConfig::default() }, &params)?;
        assert_eq!(params.count(), count, "{channels} {classes} {norm}");
    }
    let params = params(DType::F32);
    Vae::new(&VaeConfig::default(), &params)?;
    assert_eq!(params.count(), 815_824);
    Ok(())
}

#[test]
fn unet_keeps_every_size() -> Result<()> {
    let config =
        UNetConfig { channels: 1, classes: 3, width: 2, depth: 3, norm: "group".into(), ..UNetConfig::default() };
    let model = UNet::new(&config, &params(DType::F32))?;
    for (height, width) in [(8, 8), (13, 21), (7, 9), (1, 6), (1, 1)] {
        let x = Tensor::ones([2, 1, height, width], DType::F32, &device())?;
        let y = model.forward(&x, &Context::train(0, 0, 0))?;
        assert_eq!(y.shape().dims(), [2, 3, height, width]);
        assert!(y.to_vec::<f32>()?.iter().all(|y| y.is_finite()));
    }
    // On smaller maps the answer is as large.
    let strided = UNet::new(&UNetConfig { stride: 2, ..config.clone() }, &params(DType::F32))?;
    for (height, width) in [(16, 16), (13, 21), (1, 6)] {
        let x = Tensor::ones([2, 1, height, width], DType::F32, &device())?;
        let y = strided.forward(&x, &Context::train(0, 0, 0))?;
        assert_eq!(y.shape().dims(), [2, 3, height, width]);
    }
    let deep = UNetConfig { depth: 63, ..config.clone() };
    assert_eq!(
        said(UNet::new(&deep, &params(DType::F32))),
        "unet: 2 channels doubled 63 times are more than can be counted"
    );
    let error = said(model.forward(&Tensor::ones([2, 4, 8, 8], DType::F32, &device())?, &Context::eval()));
    assert!(error.ends_with("(in layer inc.double_conv.0)") && error.contains("1 input channels"), "{error}");
    Ok(())
}

/// Bright squares on dark ground.
#[test]
fn unet_finds_a_square() -> Result<()> {
    let config = UNetConfig { width: 4, depth: 2, ..UNetConfig::default() };
    let params = params(DType::F32);
    let model = UNet::new(&config, &params)?;
    let inside = |i: usize| usize::from((3..8).contains(&(i / 16 % 16)) && (5..11).contains(&(i % 16)));
    let pixels = (0..256).map(|i| inside(i) as f32 + ((7919 * i) % 101) as f32 / 303.0).collect();
    let x = Tensor::from_vec(pixels, [1, 1, 16, 16], &device())?;
    let labels: Vec<i64> = (0..256).map(|i| inside(i) as i64).collect();
    let target = Tensor::from_vec(labels.clone(), [1, 16, 16], &device())?;
    let mut adam = Adam::new(params.trainable(), AdamConfig { lr: 0.01, ..AdamConfig::default() })?;
    for step in 0..30 {
        let loss = CrossEntropy::default().forward(&model.forward(&x, &Context::train(0, 0, step))?, &target)?;
        assert!(adam.step(&loss.backward()?)?.taken()?);
    }
    let found = model.forward(&x, &Context::train(0, 0, 0))?.argmax(1, false)?.to_vec::<i64>()?;
    let wrong = found.iter().zip(&labels).filter(|(found, label)| found != label).count();
    assert!(wrong <= 8, "{wrong} of 256 pixels");
    Ok(())
}

#[test]
fn the_noise_of_a_vae_is_that_of_its_step() -> Result<()> {
    let params = params(DType::F64);
    let vae = Vae::new(&VaeConfig { inputs: 6, hidden: 5, code: 3 }, &params)?;
    let x = Tensor::from_vec((0..12).map(|i| f64::from(i) / 12.0).collect(), [2, 2, 3], &device())?;
    let run = |context: Context| -> Result<Vec<f64>> { vae.forward(&x, &context)?.logits.to_vec() };
    let first = run(Context::train(1, 0, 0))?;
    assert_eq!(first, run(Context::train(1, 0, 0))?);
    let others = [run(Context::train(1, 0, 1))?, run(Context::train(2, 0, 0))?, run(Context::eval())?];
    assert!(others.iter().all(|other| *other != first));
    assert_eq!(others[2], run(Context::eval())?);
    // The error of a layer inside, and of a target of other features.
    let error = said(vae.forward(&Tensor::ones([2, 5], DType::F64, &device())?, &Context::eval()));
    assert!(error.ends_with("(in layer encoder)"), "{error}");
    let output = vae.forward(&x, &Context::eval())?;
    assert_eq!(
        said(output.loss(&x.narrow(2, 0, 2)?)),
        "vae: the target must be [N, …] with the elements of [2, 6], came as [2, 2, 2]"
    );
    Ok(())
}

/// A standard normal code costs nothing; any other more, however near: the divergence is exact there.
#[test]
fn the_divergence_is_zero_at_the_prior() -> Result<()> {
    let of = |mean: f64, log_var: f64| {
        let full = |value| Tensor::full(value, [2, 3], DType::F64, &device());
        let output = VaeOutput { logits: full(0.0)?, mean: full(mean)?, log_var: full(log_var)? };
        output.loss(&full(0.5)?)?.divergence.item()
    };
    assert_eq!(of(0.0, 0.0)?, 0.0);
    // ½ · 3 · (μ² + ½ (log σ²)²) to second order.
    for (mean, log_var, due) in [(1e-3, 0.0, 1.5e-6), (0.0, 1e-6, 0.75e-12), (2.0, 0.0, 6.0)] {
        let found = of(mean, log_var)?;
        assert!((found / due - 1.0).abs() < 1e-3, "{found}, not {due}");
    }
    Ok(())
}

#[test]
fn a_vae_learns_to_reconstruct() -> Result<()> {
    let params = params(DType::F32);
    let vae = Vae::new(&VaeConfig { inputs: 8, hidden: 16, code: 2 }, &params)?;
    // Four patterns.
    let pattern = |i: usize| f32::from(u8::from((i / 8) % 4 == (i % 8) / 2));
    let x = Tensor::from_vec((0..128).map(pattern).collect(), [16, 8], &device())?;
    let mut adam = Adam::new(params.trainable(), AdamConfig { lr: 0.02, ..AdamConfig::default() })?;
    let mut losses = Vec::new();
    for step in 0..150 {
        let loss = vae.forward(&x, &Context::train(0, 0, step))?.loss(&x)?.total()?;
        assert!(adam.step(&loss.backward()?)?.taken()?);
        losses.push(loss.item()?);
    }
    // A code that says nothing leaves 8 · H(1/4) = 4.5 nats; one of four patterns takes log 4 = 1.39.
    let last = losses[140..].iter().sum::<f64>() / 10.0;
    assert!(last < 3.0, "{last} from {}", losses[0]);
    Ok(())
}

#[test]
fn fcos_says_what_does_not_fit() -> Result<()> {
    let params = params(DType::F32);
    assert_eq!(said(Fcos::new(FcosConfig::new(32, 3, 0), &params)), "fcos: stride must be at least 1, came as 0");
    assert_eq!(
        said(Fcos::new(FcosConfig::new(20, 3, 8), &params.sub("head"))),
        "group_norm: num_groups 32 must divide the 20 channels (in layer head.classification_head.conv.1)"
    );
    let head = Fcos::new(FcosConfig::new(8, 3, 8).groups(4).convs(1), &params.sub("found"))?;
    let targets = |bounds, class| {
        FcosTargets::new(&[vec![Object { bounds, class }]], [2, 2], &head, DType::F32, &device()).map(drop)
    };
    assert_eq!(
        said(targets([1.0, 1.0, 1.0, 5.0], 0)),
        "fcos: a box must be x₁ < x₂ and y₁ < y₂, finite, came as [1.0, 1.0, 1.0, 5.0]"
    );
    assert_eq!(said(targets([1.0, 1.0, 9.0, 5.0], 3)), "fcos: class 3 must be one of the head's 3");
    let mut output = head.forward(&Tensor::ones([1, 8, 2, 3], DType::F32, &device())?, &Context::eval())?;
    let others = FcosTargets::new(&[vec![], vec![]], [2, 3], &head, DType::F32, &device())?;
    assert_eq!(
        said(others.loss(&output)),
        "focal: the input has shape [1, 6, 3], the target [2, 6, 3]: expected the same"
    );
    output.grid = [2, 2];
    assert_eq!(
        said(head.detections(&output, [16, 24], &DetectionOptions::default())),
        "fcos: the outputs are [1, 6, 3], [1, 6, 4] and [1, 6], on a grid of [2, 2]: expected [N, h·w, classes], [N, h·w, 4] \
         and [N, h·w]"
    );
    assert_eq!(said(nms(&[[0.0; 4]], &[], 0.5)), "nms: 1 boxes came with 0 scores");
    Ok(())
}

#[test]
fn boxes_without_area_and_scores_that_are_nan() -> Result<()> {
    assert_eq!(box_iou([0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]), 1.0 / 3.0);
    assert_eq!(box_iou([1.0; 4], [1.0; 4]), 0.0);
    let boxes = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 3.0]];
    assert_eq!(nms(&boxes, &[f64::NAN, 0.1, 0.2, 0.2], 0.5)?, [2, 3, 1]);
    Ok(())
}

/// A backbone of three convolutions and the head learn to find squares, and which of two kinds they are.
#[test]
fn fcos_learns_to_find_squares() -> Result<()> {
    let params = params(DType::F32);
    let conv = |name: &str, from, to, stride| {
        Conv2d::new(Conv2dConfig::new(from, to, 3).stride(stride).padding(1), &params.sub("backbone").sub(name))
    };
    let backbone = Sequential::new()
        .then(conv("0", 1, 8, 2)?)
        .then(Activation::Relu)
        .then(conv("1", 8, 16, 2)?)
        .then(Activation::Relu)
        .then(conv("2", 16, 16, 1)?)
        .then(Activation::Relu);
    let head = Fcos::new(FcosConfig::new(16, 2, 4).convs(1).groups(4), &params.sub("head"))?;
    // Bright ones of 8 pixels are of class 0, dim ones of 10 of class 1; each picture has one of both.
    let objects: Vec<Vec<Object>> = (0..8)
        .map(|i| {
            let (a, b) = ((i % 4) as f64, (i / 2) as f64);
            let first = [1.0 + a, 2.0 + b, 9.0 + a, 10.0 + b];
            let second = [18.0 - b, 19.0 - a, 28.0 - b, 29.0 - a];
            vec![Object { bounds: first, class: 0 }, Object { bounds: second, class: 1 }]
        })
        .collect();
    let mut pixels = vec![0f32; 8 * 32 * 32];
    for (picture, objects) in objects.iter().enumerate() {
        for Object { bounds, class } in objects {
            for y in bounds[1] as usize..bounds[3] as usize {
                for x in bounds[0] as usize..bounds[2] as usize {
                    pixels[(picture * 32 + y) * 32 + x] = [1.0, 0.5][*class];
                }
            }
        }
    }
    let x = Tensor::from_vec(pixels, [8, 1, 32, 32], &device())?;
    let targets = FcosTargets::new(&objects, [8, 8], &head, DType::F32, &device())?;
    let mut adam = Adam::new(params.trainable(), AdamConfig { lr: 0.01, ..AdamConfig::default() })?;
    let run = |context: &Context| head.forward(&backbone.forward(&x, context)?, context);
    for step in 0..120 {
        let loss = targets.loss(&run(&Context::train(0, 0, step))?)?.total()?;
        assert!(adam.step(&loss.backward()?)?.taken()?);
    }
    let found = head.detections(&run(&Context::eval())?, [32, 32], &DetectionOptions::default())?;
    let hit = |object: &Object, found: &[Detection]| {
        found.iter().any(|one| one.class == object.class && box_iou(one.bounds, object.bounds) > 0.5)
    };
    // The best two of each picture are its objects.
    let best = |found: &[Detection]| found.iter().take(2).copied().collect::<Vec<_>>();
    let hits = objects.iter().zip(&found).flat_map(|(objects, found)| objects.iter().map(|o| hit(o, &best(found))));
    let hits = hits.filter(|hit| *hit).count();
    assert!(hits >= 15, "{hits} of 16: {found:?}");
    Ok(())
}
