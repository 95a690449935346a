//! The layers beyond the first ones: what they refuse, and what they give at their edges. Their values beside PyTorch's are
//! in the workspace's tests.

mod common;

use common::{device, params};
use taper_nn::{
    AdaptiveAvgPool1d, Apl, ArcFace, ArcFaceConfig, BagMode, Context, Conv1d, Conv1dConfig, ConvTranspose1d,
    ConvTranspose1dConfig, ConvTranspose2d, ConvTranspose2dConfig, DType, Device, Embedding, EmbeddingBag,
    EmbeddingBagConfig, EmbeddingConfig, FaceMargin, Flatten, GroupNorm, GroupNormConfig, Init, InstanceNorm1d,
    InstanceNorm2d, InstanceNormConfig, LocalResponseNorm, Maxout, Module, Optimizer, PRelu, Pau, Result, RmsNorm,
    RmsNormConfig, Sgd, SgdConfig, Tensor, Upsample, ZeroPad2d,
};

fn said<T>(result: Result<T>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

fn zeros(shape: &[usize], device: &Device) -> Tensor {
    Tensor::zeros(shape, DType::F32, device).unwrap()
}

#[test]
fn configurations_out_of_range_are_refused() {
    let root = params(&device(), DType::F32);
    let at = |name: &str| root.sub(name);
    let conv = |config| said(Conv1d::new(config, &at("c")));
    assert_eq!(conv(Conv1dConfig::new(3, 4, 0)), "conv1d: kernel_size must be at least 1, came as 0 (in layer c)");
    assert_eq!(
        conv(Conv1dConfig::new(3, 4, 1).groups(2)),
        "conv1d: groups 2 must divide 3 input and 4 output channels (in layer c)"
    );
    let up = |config| said(ConvTranspose2d::new(config, &at("up")));
    assert_eq!(
        up(ConvTranspose2dConfig::new(3, 4, 2).stride([2, 1]).output_padding([1, 1])),
        "conv_transpose2d: output_padding 1 must be less than stride 1 or dilation 1 (in layer up)"
    );
    assert_eq!(
        up(ConvTranspose2dConfig::new(3, 4, 2).groups(3)),
        "conv_transpose2d: groups 3 must divide 3 input and 4 output channels (in layer up)"
    );
    assert_eq!(
        said(ConvTranspose1d::new(ConvTranspose1dConfig::new(3, 4, 2).stride(0), &at("up"))),
        "conv_transpose1d: stride must be at least 1, came as 0 (in layer up)"
    );
    assert_eq!(
        said(GroupNorm::new(GroupNormConfig::new(4, 6), &at("n"))),
        "group_norm: num_groups 4 must divide the 6 channels (in layer n)"
    );
    assert_eq!(
        said(GroupNorm::new(GroupNormConfig::new(0, 6), &at("n"))),
        "group_norm: num_groups must be at least 1, came as 0 (in layer n)"
    );
    assert_eq!(
        said(InstanceNorm2d::new(InstanceNormConfig::new(3).momentum(-0.5), &at("n"))),
        "instance_norm2d: momentum must be from 0 to 1, came as -0.5 (in layer n)"
    );
    assert_eq!(
        said(RmsNorm::new(RmsNormConfig::new([2, 0]), &at("n"))),
        "rms_norm: normalized_shape must have dimensions of at least 1, came as [2, 0] (in layer n)"
    );
    assert_eq!(said(PRelu::new(0, &at("p"))), "prelu: num_parameters must be at least 1, came as 0 (in layer p)");
    assert_eq!(said(Apl::new(0, 1, &at("p"))), "apl: hinges must be at least 1, came as 0 (in layer p)");
    assert_eq!(
        said(Embedding::new(EmbeddingConfig::new(4, 3).padding_idx(4), &at("e"))),
        "embedding: padding_idx 4 must be one of the 4 rows (in layer e)"
    );
    assert_eq!(
        said(EmbeddingBag::new(EmbeddingBagConfig::new(0, 3), &at("e"))),
        "embedding_bag: num_embeddings must be at least 1, came as 0 (in layer e)"
    );
    let face = |config| said(ArcFace::new(config, &at("face")));
    assert_eq!(face(ArcFaceConfig::new(4, 3).scale(0.0)), "arc_face: scale must be over 0, came as 0 (in layer face)");
    assert_eq!(
        face(ArcFaceConfig::new(4, 3).margin(FaceMargin::Angle(4.0))),
        "arc_face: the margin must be an angle from 0 to π, came as 4 (in layer face)"
    );
    assert_eq!(
        face(ArcFaceConfig::new(4, 3).margin(FaceMargin::Cosine(f64::NAN))),
        "arc_face: the margin must be at least 0, came as NaN (in layer face)"
    );
    assert!(root.all().is_empty());
    assert_eq!(said(root.get("w", [3], Init::Values(&[1.0, 2.0]))), "init: 2 values came for a parameter of shape [3]");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let device = device();
    let root = params(&device, DType::F32);
    let at = |name: &str| root.sub(name);
    let forward =
        |layer: &dyn Module, shape: &[usize]| said(layer.forward(&zeros(shape, &device), &Context::train(0, 0, 0)));
    let conv = Conv1d::new(Conv1dConfig::new(2, 3, 3), &at("conv")).unwrap();
    assert_eq!(forward(&conv, &[2, 5]), "conv1d: input must be [N, C, L], came as [2, 5] (in layer conv)");
    assert_eq!(
        forward(&AdaptiveAvgPool1d::new(2), &[2, 5]),
        "adaptive_avg_pool1d: input must be [N, C, L], came as [2, 5]"
    );
    let up = ConvTranspose2d::new(ConvTranspose2dConfig::new(2, 3, 3), &at("up")).unwrap();
    assert_eq!(
        forward(&up, &[1, 4, 2, 2]),
        "conv_transpose2d: weight expects 2 input channels (dim 0 of [2, 3, 3, 3]), input has 4 (dim 1 of [1, 4, 2, \
         2]) (in layer up)"
    );
    assert_eq!(
        forward(&Upsample::new(f64::NAN), &[1, 2, 3]),
        "interpolate: the factor NaN must be a positive number, and what it gives countable"
    );
    let group = GroupNorm::new(GroupNormConfig::new(2, 4), &at("group")).unwrap();
    assert_eq!(
        forward(&group, &[2, 3, 5]),
        "group_norm: expected [N, C, …] with C = 4 (dim 1), the input came as [2, 3, 5] (in layer group)"
    );
    let instance = InstanceNorm1d::new(InstanceNormConfig::new(3), &at("instance")).unwrap();
    assert_eq!(
        forward(&instance, &[2, 3, 5, 5]),
        "instance_norm1d: expected [N, C, L] with C = 3 (dim 1), the input came as [2, 3, 5, 5] (in layer instance)"
    );
    assert_eq!(
        forward(&instance, &[2, 3, 1]),
        "instance_norm1d: the variance needs more than one position in each channel, the input is [2, 3, 1] (in layer \
         instance)"
    );
    let rms = RmsNorm::new(RmsNormConfig::new([3]), &at("rms")).unwrap();
    assert_eq!(
        forward(&rms, &[3, 2]),
        "rms_norm: the input's last dimensions must be [3], it came as [3, 2] (in layer rms)"
    );
    assert_eq!(
        forward(&LocalResponseNorm::new(5), &[2, 3]),
        "local_response_norm: expected [N, C, L], [N, C, H, W] or more, the input came as [2, 3]"
    );
    assert_eq!(
        forward(&LocalResponseNorm::new(5).k(0.0), &[2, 3, 4]),
        "local_response_norm: size must be at least 1, alpha and beta at least 0, k over 0: came as 5, 0.0001, 0.75, 0"
    );
    let prelu = PRelu::new(3, &at("prelu")).unwrap();
    assert_eq!(
        forward(&prelu, &[2, 4]),
        "prelu: expected [N, C, …] with C = 3 (dim 1), the input came as [2, 4] (in layer prelu)"
    );
    let apl = Apl::new(2, 3, &at("apl")).unwrap();
    assert_eq!(forward(&apl, &[3]), "apl: expected [N, C, …] with C = 3 (dim 1), the input came as [3] (in layer apl)");
    assert_eq!(
        forward(&Maxout(3), &[2, 4]),
        "maxout: expected [N, C·k, …] with k = 3 (dim 1), the input came as [2, 4]"
    );
    assert_eq!(forward(&ZeroPad2d::new(1), &[2, 4]), "zero_pad2d: input must be [N, C, H, W], came as [2, 4]");
    assert_eq!(
        forward(&Flatten::dims(2, 1), &[2, 4, 3]),
        "flatten: dim 2 of [2, 4, 3] comes after dim 1: start must not"
    );
    assert_eq!(
        forward(&Flatten::dims(0, 3), &[2, 4, 3]),
        "flatten: axis 3 is out of range for shape [2, 4, 3] of 3 dimensions"
    );
    let face = ArcFace::new(ArcFaceConfig::new(4, 3), &at("face")).unwrap();
    assert_eq!(
        forward(&face, &[2, 3]),
        "arc_face: expected embeddings [N, 4], the input came as [2, 3] (in layer face)"
    );
    let target = zeros(&[2], &device);
    assert_eq!(
        said(face.with_target(&zeros(&[2, 4], &device), &target, &Context::eval())),
        "arc_face: expected classes [N] in i64 for the input [2, 4], came f32 [2] (in layer face)"
    );
}

#[test]
fn bags_that_do_not_fit_are_refused() {
    let device = device();
    let root = params(&device, DType::F32);
    let bag = EmbeddingBag::new(EmbeddingBagConfig::new(4, 3), &root.sub("bag")).unwrap();
    let index = Tensor::from_vec(vec![0i64, 1, 2], [3], &device).unwrap();
    let of = |offsets: &[usize], weights: Option<&Tensor>| said(bag.bags(&index, offsets, weights, &Context::eval()));
    let error = |text: &str| format!("embedding_bag: {text} (in layer bag)");
    assert_eq!(of(&[1, 2], None), error("the first bag must begin at 0, the offsets are [1, 2]"));
    assert_eq!(of(&[], None), error("the first bag must begin at 0, the offsets are []"));
    assert_eq!(of(&[0, 2, 1], None), error("offsets must not decrease: offset 1 is 2, the next 1"));
    assert_eq!(of(&[0, 4], None), error("offset 4 is over the number of indices, 3"));
    let weights = zeros(&[3], &device);
    assert_eq!(of(&[0], Some(&weights)), error("weights are for sums, the mode is Mean"));
    let bag = EmbeddingBag::new(EmbeddingBagConfig::new(4, 3).mode(BagMode::Sum), &root.sub("sum")).unwrap();
    assert_eq!(
        said(bag.bags(&index, &[0], Some(&zeros(&[2], &device)), &Context::eval())),
        "embedding_bag: the weights must be [3], as the indices, came as [2] (in layer sum)"
    );
    assert_eq!(
        said(bag.bags(&index.reshape([3, 1]).unwrap(), &[0], None, &Context::eval())),
        "embedding_bag: the indices of bags must be [L], came as [3, 1] (in layer sum)"
    );
    assert_eq!(
        said(bag.forward(&index, &Context::eval())),
        "embedding_bag: expected indices [B, L], or offsets with [L], came [3] (in layer sum)"
    );
}

/// Of no index, and of padding alone, a bag is 0 in every mode; in halves too.
#[test]
fn empty_bags_are_zero() -> Result<()> {
    let device = device();
    for dtype in [DType::F32, DType::F16] {
        for mode in [BagMode::Sum, BagMode::Mean, BagMode::Max] {
            let root = params(&device, dtype);
            let bag = EmbeddingBag::new(EmbeddingBagConfig::new(4, 2).mode(mode).padding_idx(1), &root)?;
            let table = Tensor::from_vec(vec![-1f32, -2.0, 9.0, 9.0, -3.0, -4.0, 0.5, -8.0], [4, 2], &device)?;
            bag.weight().set(&table.cast(dtype)?)?;
            let run = |index: Vec<i64>, offsets: &[usize]| -> Result<Vec<f64>> {
                let count = index.len();
                let y = bag.bags(&Tensor::from_vec(index, [count], &device)?, offsets, None, &Context::eval())?;
                assert_eq!(y.shape().dims(), [offsets.len(), 2]);
                y.cast(DType::F64)?.to_vec()
            };
            assert_eq!(run(vec![], &[0, 0])?, [0.0; 4]);
            assert_eq!(run(vec![], &[])?, [0.0; 0]);
            let of_two = match mode {
                BagMode::Sum => [-4.0, -6.0],
                BagMode::Mean => [-2.0, -3.0],
                BagMode::Max => [-1.0, -2.0],
            };
            let expected = [&of_two[..], &[0.0; 4], &[-3.0, -4.0]].concat();
            assert_eq!(run(vec![0, 1, 2, 1, 1, 2], &[0, 3, 5, 5])?, expected, "{mode:?}");
        }
    }
    Ok(())
}

#[test]
fn the_row_of_padding_starts_and_stays_at_zero() -> Result<()> {
    let device = device();
    let root = params(&device, DType::F32);
    let table = Embedding::new(EmbeddingConfig::new(3, 4).padding_idx(1), &root)?;
    let rows = || table.weight().tensor().to_vec::<f32>();
    let before = rows()?;
    assert_eq!(before[4..8], [0.0; 4]);
    assert!(before.iter().filter(|value| **value != 0.0).count() == 8, "{before:?}");
    let index = Tensor::from_vec(vec![1i64, 0, 1], [3], &device)?;
    let loss = table.forward(&index, &Context::train(0, 0, 0))?.add_scalar(1.0)?.sum_all()?;
    let mut sgd = Sgd::new(root.trainable(), SgdConfig { lr: 0.5, ..SgdConfig::default() })?;
    assert!(sgd.step(&loss.backward()?)?.taken()?);
    let after = rows()?;
    assert_eq!(after[4..8], [0.0; 4]);
    assert!(after[..4].iter().zip(&before).all(|(after, before)| (after - (before - 0.5)).abs() < 1e-6), "{after:?}");
    Ok(())
}

/// The coefficients that training starts from are those of the leaky ReLU with slope 0.01; the figure is the authors'
/// best approximation's, whose largest error is at 0.
#[test]
fn pau_starts_as_a_leaky_relu() -> Result<()> {
    let device = device();
    let pau = Pau::new(&params(&device, DType::F64))?;
    let x: Vec<f64> = (-300..=300).map(|i| f64::from(i) / 100.0).collect();
    let y = pau.forward(&Tensor::from_vec(x.clone(), [x.len()], &device)?, &Context::eval())?.to_vec::<f64>()?;
    let apart = x.iter().zip(&y).map(|(x, y)| (y - if *x > 0.0 { *x } else { 0.01 * x }).abs()).fold(0.0, f64::max);
    assert!(apart < 0.0298, "{apart}");
    Ok(())
}

/// Where an embedding has its class's direction, or the opposite one, and where it has none.
#[test]
fn arc_face_is_finite_at_the_ends() -> Result<()> {
    let device = device();
    for (dtype, tolerance) in [(DType::F64, 1e-7), (DType::F32, 1e-3)] {
        let root = params(&device, dtype);
        let head = ArcFace::new(ArcFaceConfig::new(3, 2).scale(1.0), &root)?;
        let weight = vec![0.3, -0.4, 0.7, 0.1, 0.2, -0.5];
        head.weight().set(&Tensor::from_vec(weight, [2, 3], &device)?.cast(dtype)?)?;
        let x = vec![0.6, -0.8, 1.4, -0.9, 1.2, -2.1, 0.0, 0.0, 0.0];
        let x = Tensor::from_vec(x, [3, 3], &device)?.cast(dtype)?.requires_grad();
        let target = Tensor::from_vec(vec![0i64, 0, 0], [3], &device)?;
        let y = head.with_target(&x, &target, &Context::train(0, 0, 0))?;
        let found = y.cast(DType::F64)?.to_vec::<f64>()?;
        // θ is 0, π (where θ + m is over π) and, for the embedding of zeros, what has a cosine of 0.
        let due = [0.5f64.cos(), -1.0 - 0.5 * 0.5f64.sin(), -(0.5f64.sin())];
        for (i, due) in due.into_iter().enumerate() {
            assert!((found[2 * i] - due).abs() < tolerance, "{dtype}: {found:?}, not {due}");
        }
        let gradients = y.sum_all()?.backward()?;
        let weight = &root.all()[0];
        for gradient in [gradients.of(&x), gradients.of_param(weight)] {
            let gradient = gradient.expect("a gradient").narrow(0, 0, 2)?.cast(DType::F64)?.to_vec::<f64>()?;
            assert!(gradient.iter().all(|g| g.abs() < 10.0), "{dtype}: {gradient:?}");
        }
    }
    Ok(())
}

#[test]
fn instance_norm_keeps_frozen_statistics_and_needs_none() -> Result<()> {
    let device = device();
    let root = params(&device, DType::F64);
    let norm = InstanceNorm2d::new(InstanceNormConfig::new(2).track_running_stats(true), &root)?;
    let names: Vec<String> = root.all().iter().map(|param| param.name().to_owned()).collect();
    assert_eq!(names, ["running_mean", "running_var", "num_batches_tracked"]);
    let x = Tensor::from_vec((0..16).map(|i| f64::from(i * i)).collect(), [2, 2, 2, 2], &device)?;
    let run = |norm: &dyn Module, context: Context| norm.forward(&x, &context)?.to_vec::<f64>();
    let statistics = || root.all().iter().map(|param| param.tensor().to_host()).collect::<Result<Vec<_>>>();
    run(&norm, Context::train(0, 0, 0))?;
    let (before, evaluated) = (statistics()?, run(&norm, Context::eval())?);
    root.all()[1].freeze();
    assert_eq!(run(&norm, Context::train(0, 0, 1))?, evaluated);
    assert_eq!(statistics()?, before);
    // Without them, evaluation is as training.
    let plain = InstanceNorm2d::new(InstanceNormConfig::new(2), &root.sub("plain"))?;
    let trained = run(&plain, Context::train(0, 0, 0))?;
    assert_eq!(trained, run(&plain, Context::eval())?);
    assert_ne!(trained, evaluated);
    Ok(())
}
