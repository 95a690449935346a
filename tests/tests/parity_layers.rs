//! Layers and losses beside PyTorch's, recorded by `tests/peers/parity_layers.py`: values, gradients of inputs and
//! parameters.

use taper_cpu::CpuBackend;
use taper_nn::taper_tensor::{Conv1dSpec, GradOptions, grad};
use taper_nn::{
    AdaptiveAvgPool1d, Apl, ArcFace, ArcFaceConfig, AvgPool1d, BagMode, BoxIou, Context, Contrastive, Conv1d,
    Conv1dConfig, ConvTranspose1d, ConvTranspose1dConfig, ConvTranspose2d, ConvTranspose2dConfig, CosineEmbedding,
    DType, Device, Dice, Embedding, EmbeddingBag, EmbeddingBagConfig, EmbeddingConfig, FaceMargin, Flatten, Focal,
    GroupNorm, GroupNormConfig, InstanceNorm1d, InstanceNorm2d, InstanceNormConfig, LocalResponseNorm, MarginRanking,
    MaxPool1d, MaxPool2d, Maxout, Module, NtXent, Overlap, PRelu, Param, Params, Pau, PixelShuffle, PixelUnshuffle,
    RandomKey, Reduction, Result, RmsNorm, RmsNormConfig, SmoothL1, Tensor, TripletMargin, Upsample, ZeroPad2d,
};
use taper_tests::parity::Parity;

/// The dtypes, with the tolerances of outputs and gradients.
const DTYPES: [(DType, f64, f64); 2] = [(DType::F64, 1e-10, 1e-10), (DType::F32, 1e-5, 1e-4)];

fn device() -> Result<Device> {
    Ok(Device::new(CpuBackend::with_threads(2)?))
}

/// ArcFace with its targets, as a function of its input.
struct WithTarget(ArcFace);

impl Module for WithTarget {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.0.with_target(x, &Tensor::from_vec(vec![4i64, 0, 2], [3], x.device())?, context)
    }
}

/// The layers of the script, by its names.
fn layers(params: &Params) -> Result<Vec<(&'static str, Box<dyn Module>)>> {
    let at = |name: &str| params.sub(name);
    let face = |name, margin| -> Result<Box<dyn Module>> {
        Ok(Box::new(WithTarget(ArcFace::new(ArcFaceConfig::new(4, 5).scale(16.0).margin(margin), &at(name))?)))
    };
    let transposed =
        |name, config| -> Result<Box<dyn Module>> { Ok(Box::new(ConvTranspose2d::new(config, &at(name))?)) };
    let conv = Conv1dConfig::new(4, 6, 3);
    let spec = Conv1dSpec { stride: 2, padding: 2, dilation: 2, groups: 2 };
    let instance = InstanceNormConfig::new(3);
    let response = LocalResponseNorm::new(5).alpha(0.7).k(2.0);
    Ok(vec![
        ("conv1d", Box::new(Conv1d::new(Conv1dConfig { spec, ..conv }, &at("conv1d"))?)),
        ("conv1d_plain", Box::new(Conv1d::new(Conv1dConfig::new(3, 2, 5).bias(false), &at("conv1d_plain"))?)),
        ("max_pool1d", Box::new(MaxPool1d::new(3).stride(2).padding(1).ceil_mode(true))),
        ("avg_pool1d", Box::new(AvgPool1d::new(3).stride(2).padding(1).ceil_mode(true).count_include_pad(false))),
        ("adaptive_avg_pool1d", Box::new(AdaptiveAvgPool1d::new(3))),
        (
            "conv_transpose2d",
            transposed(
                "conv_transpose2d",
                ConvTranspose2dConfig::new(4, 6, [3, 2]).stride([2, 3]).padding(1).output_padding([1, 2]).groups(2),
            )?,
        ),
        (
            "conv_transpose2d_dilated",
            transposed(
                "conv_transpose2d_dilated",
                ConvTranspose2dConfig::new(2, 3, 3).stride(2).dilation(3).output_padding(2).bias(false),
            )?,
        ),
        (
            "conv_transpose1d",
            Box::new(ConvTranspose1d::new(
                ConvTranspose1dConfig::new(4, 2, 4).stride(2).padding(1).output_padding(1).groups(2),
                &at("conv_transpose1d"),
            )?),
        ),
        ("nearest", Box::new(Upsample::new(2.0))),
        ("nearest_size", Box::new(Upsample::to([5, 3]))),
        ("bilinear", Box::new(Upsample::new(2.0).linear(false))),
        ("bilinear_aligned", Box::new(Upsample::by([1.7, 2.4]).linear(true))),
        ("linear_up", Box::new(Upsample::to([9]).linear(false))),
        ("group_norm", Box::new(GroupNorm::new(GroupNormConfig::new(3, 6), &at("group_norm"))?)),
        (
            "group_norm_plain",
            Box::new(GroupNorm::new(GroupNormConfig::new(2, 4).eps(1e-3).affine(false), &at("group_norm_plain"))?),
        ),
        (
            "instance_norm2d",
            Box::new(InstanceNorm2d::new(
                instance.affine(true).track_running_stats(true).momentum(0.3),
                &at("instance_norm2d"),
            )?),
        ),
        ("instance_norm1d", Box::new(InstanceNorm1d::new(instance, &at("instance_norm1d"))?)),
        ("rms_norm", Box::new(RmsNorm::new(RmsNormConfig::new([3, 4]).eps(1e-3), &at("rms_norm"))?)),
        // Without an ε, PyTorch's is that of the dtype: of f64 in the record.
        ("rms_norm_plain", Box::new(RmsNorm::new(RmsNormConfig::new([6]).affine(false), &at("rms_norm_plain"))?)),
        ("local_response_norm", Box::new(response)),
        ("local_response_norm_even", Box::new(LocalResponseNorm::new(4).alpha(0.9))),
        ("prelu", Box::new(PRelu::new(1, &at("prelu"))?)),
        ("prelu_channels", Box::new(PRelu::new(4, &at("prelu_channels"))?)),
        ("max_pool2d", Box::new(MaxPool2d::new(3).stride(2).ceil_mode(true))),
        ("flatten", Box::new(Flatten::dims(2, 3))),
        ("pixel_shuffle", Box::new(PixelShuffle(2))),
        ("pixel_unshuffle", Box::new(PixelUnshuffle(2))),
        ("zero_pad2d", Box::new(ZeroPad2d { left: 1, right: 2, top: 0, bottom: 3 })),
        ("maxout", Box::new(Maxout(3))),
        ("apl", Box::new(Apl::new(3, 4, &at("apl"))?)),
        ("pau", Box::new(Pau::new(&at("pau"))?)),
        ("arc_face", face("arc_face", FaceMargin::Angle(0.5))?),
        ("arc_face_wide", face("arc_face_wide", FaceMargin::Angle(2.0))?),
        ("cos_face", face("cos_face", FaceMargin::Cosine(0.35))?),
    ])
}

#[test]
fn layers_are_pytorchs() -> Result<()> {
    let device = device()?;
    let record = Parity::read("layers", &device)?;
    let mut wrong = Vec::new();
    for (dtype, outputs, gradients) in DTYPES {
        let params = Params::new(&device, dtype, RandomKey::new(0));
        let all = layers(&params)?;
        record.fill(&params)?;
        let mut parameters = 0;
        for (name, layer) in &all {
            let [x, g] = ["x", "g"].map(|part| record.tensor(&format!("{name}.{part}"), dtype));
            let x = x?.requires_grad();
            let y = layer.forward(&x, &Context::train(0, 0, 0))?;
            wrong.extend(record.check(&format!("{name}.y"), &y, outputs).err());
            let found = y.mul(&g?)?.sum_all()?.backward()?;
            wrong.extend(record.check(&format!("{name}.dx"), found.of(&x).expect("a gradient"), gradients).err());
            for param in params.trainable().iter().filter(|param| param.name().starts_with(&format!("{name}."))) {
                let gradient = found.of_param(param).expect("a gradient");
                wrong.extend(record.check(&format!("grad.{}", param.name()), gradient, gradients).err());
                parameters += 1;
            }
        }
        assert_eq!((all.len(), parameters), (34, params.trainable().len()));
        let buffer = |name: &str| params.all().into_iter().find(|param| param.name().ends_with(name));
        for name in ["running_mean", "running_var"] {
            record.check(name, &buffer(name).expect("a buffer").tensor(), outputs)?;
        }
        let (_, norm) = all.iter().find(|(name, _)| *name == "instance_norm2d").expect("the layer");
        let y = norm.forward(&record.tensor("instance_norm2d.x", dtype)?, &Context::eval())?;
        record.check("evaluation", &y, outputs)?;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

#[test]
fn embeddings_and_bags_are_pytorchs() -> Result<()> {
    let device = device()?;
    let record = Parity::read("bags", &device)?;
    let index = record.tensor("index", DType::I64)?;
    let offsets: Vec<usize> =
        record.tensor("offsets", DType::I64)?.to_vec::<i64>()?.into_iter().map(|at| at as usize).collect();
    for (dtype, outputs, gradients) in DTYPES {
        let params = Params::new(&device, dtype, RandomKey::new(0));
        let config = EmbeddingBagConfig::new(5, 3);
        let bag = |name: &str, config| EmbeddingBag::new(config, &params.sub(name));
        let embedding = Embedding::new(EmbeddingConfig::new(5, 3).padding_idx(2), &params.sub("embedding"))?;
        let modes = [("sum", BagMode::Sum), ("mean", BagMode::Mean), ("max", BagMode::Max)];
        let mut all = Vec::new();
        for (name, mode) in modes {
            let padded = format!("{name}_padded");
            all.push((name.to_owned(), bag(name, config.mode(mode))?));
            all.push((padded.clone(), bag(&padded, config.mode(mode).padding_idx(3))?));
        }
        let (weighted, rows) = (bag("weighted", config.mode(BagMode::Sum))?, bag("rows", config)?);
        record.fill(&params)?;
        let context = Context::train(0, 0, 0);
        let weights = record.tensor("weights", dtype)?.requires_grad();
        let mut found = vec![
            ("embedding".to_owned(), embedding.forward(&index, &context)?),
            ("weighted".to_owned(), weighted.bags(&index, &offsets, Some(&weights), &context)?),
            ("rows".to_owned(), rows.forward(&index.reshape([2, 4])?, &context)?),
        ];
        for (name, layer) in all {
            found.push((name, layer.bags(&index, &offsets, None, &context)?));
        }
        assert_eq!(found.len(), params.trainable().len());
        for (name, y) in found {
            record.check(&format!("{name}.y"), &y, outputs)?;
            let gradient = y.mul(&record.tensor(&format!("{name}.g"), dtype)?)?.sum_all()?.backward()?;
            let of = |param: &Param| param.name() == format!("{name}.weight");
            let param = params.trainable().into_iter().find(of).expect("a table");
            record.check(
                &format!("grad.{}", param.name()),
                gradient.of_param(&param).expect("a gradient"),
                gradients,
            )?;
            if name == "weighted" {
                record.check("dweights", gradient.of(&weights).expect("a gradient"), gradients)?;
            }
        }
    }
    Ok(())
}

/// The losses of the script, by its names, of its inputs `a`, `b`, `c`.
fn loss(name: &str, x: &[Tensor], signs: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let classes = |values: Vec<i64>, shape: &[usize]| Tensor::from_vec(values, shape, x[0].device());
    let triplet = TripletMargin::default();
    let smooth = |beta, reduction| SmoothL1 { beta, reduction }.forward(&x[0], &x[1]);
    let overlap = |overlap, reduction| BoxIou { overlap, reduction, ..BoxIou::default() }.forward(&x[0], &x[1]);
    let dice = |batch| {
        let target = classes(vec![2, 0, 1, -100, 1, 1, 0, 0, -100, 1, 0, 0], &[2, 2, 3])?;
        Dice { smooth: 0.5, batch, ..Dice::default() }.forward(&x[0].abs()?, &target)
    };
    match name {
        "triplet" => triplet.forward(&x[0], &x[1], &x[2]),
        "triplet_swap" => {
            let loss = TripletMargin { margin: 0.5, p: 3.0, swap: true, reduction: Reduction::None, ..triplet };
            loss.forward(&x[0], &x[1], &x[2])
        }
        "triplet_p1" => {
            TripletMargin { margin: 2.0, p: 1.0, reduction: Reduction::Sum, ..triplet }.forward(&x[0], &x[1], &x[2])
        }
        "batch_hard" => {
            TripletMargin { margin: 0.4, ..triplet }.batch_hard(&x[0], &classes(vec![0, 1, 0, 2, 1, 1], &[6])?)
        }
        "contrastive" => {
            let similar = Tensor::from_vec(vec![1.0, 0.0, 0.0, 1.0, 0.0], [5], x[0].device())?.cast(x[0].dtype())?;
            Contrastive { margin: 1.2, ..Contrastive::default() }.forward(&x[0], &x[1], &similar)
        }
        "nt_xent" => NtXent { temperature: 0.2, ..NtXent::default() }.forward(&x[0], &x[1]),
        "cosine_embedding" => {
            CosineEmbedding { margin: 0.2, ..CosineEmbedding::default() }.forward(&x[0], &x[1], signs)
        }
        "margin_ranking" => MarginRanking { margin: 0.3, reduction: Reduction::Sum }.forward(&x[0], &x[1], signs),
        "smooth_l1" => smooth(0.7, Reduction::Mean),
        "smooth_l1_line" => smooth(0.0, Reduction::None),
        "focal" => Focal { reduction: Reduction::None, ..Focal::default() }.forward(&x[0], labels),
        "focal_unweighted" => Focal { alpha: None, gamma: 1.5, ..Focal::default() }.forward(&x[0], labels),
        "dice" => dice(false),
        "dice_batch" => dice(true),
        "giou" => overlap(Overlap::GIou, Reduction::None),
        "diou" => overlap(Overlap::DIou, Reduction::Mean),
        other => panic!("{other}"),
    }
}

#[test]
fn losses_are_pytorchs() -> Result<()> {
    const LOSSES: [(&str, usize); 16] = [
        ("triplet", 3),
        ("triplet_swap", 3),
        ("triplet_p1", 3),
        ("batch_hard", 1),
        ("contrastive", 2),
        ("nt_xent", 2),
        ("cosine_embedding", 2),
        ("margin_ranking", 2),
        ("smooth_l1", 2),
        ("smooth_l1_line", 2),
        ("focal", 1),
        ("focal_unweighted", 1),
        ("dice", 1),
        ("dice_batch", 1),
        ("giou", 2),
        ("diou", 2),
    ];
    let device = device()?;
    let record = Parity::read("losses", &device)?;
    let mut wrong = Vec::new();
    for (dtype, outputs, gradients) in DTYPES {
        let (signs, labels) = (record.tensor("signs", dtype)?, record.tensor("labels", dtype)?);
        for (name, inputs) in LOSSES {
            let of = |letter: &&str| record.tensor(&format!("{name}.{letter}"), dtype).map(|x| x.requires_grad());
            let letters = &["a", "b", "c"][..inputs];
            let x = letters.iter().map(of).collect::<Result<Vec<_>>>()?;
            let y = loss(name, &x, &signs, &labels)?;
            wrong.extend(record.check(&format!("{name}.y"), &y, outputs).err());
            let wanted: Vec<&Tensor> = x.iter().collect();
            let found = grad(&y.sum_all()?, &wanted, None, GradOptions::default())?;
            for (letter, gradient) in letters.iter().zip(found) {
                let gradient = gradient.expect("a gradient");
                wrong.extend(record.check(&format!("{name}.d{letter}"), &gradient, gradients).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
