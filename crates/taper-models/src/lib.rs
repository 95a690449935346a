//! The model zoo: one model per file, with PyTorch's names and shapes for weights.
//!
//! A model is used directly, or by its name in [`models`], as the command line does.
//!
//! ```
//! use taper_models::{InputSpec, SeedCnn};
//! use taper_nn::{Context, DType, Device, Module, Params, RandomKey, Tensor};
//!
//! # fn main() -> taper_nn::Result<()> {
//! let device = Device::new(taper_cpu::CpuBackend::new()?);
//! let params = Params::new(&device, DType::F32, RandomKey::new(0));
//! let model = SeedCnn::new(&InputSpec { shape: [3, 32, 32], classes: 10 }, &params)?;
//! let pictures = Tensor::zeros([2, 3, 32, 32], DType::F32, &device)?;
//! let logits = model.forward(&pictures, &Context::eval())?;
//! assert_eq!(logits.shape().dims(), [2, 10]);
//! # Ok(())
//! # }
//! ```

mod airbench;
mod alexnet;
mod autoencoder;
mod char_mlp;
mod dbn;
mod detector;
mod dlinear;
mod fcos;
mod forecasters;
mod googlenet;
mod gpt2;
mod input;
mod lenet;
mod lstm_forecaster;
mod mask_tcn;
mod mel_cnn;
mod mel_crnn;
mod mel_speaker;
mod mf;
mod mlp;
mod nbeats;
mod neumf;
mod nlinear;
mod rbm;
mod recommenders;
mod recurrent_lm;
mod registry;
mod resnet;
mod resnet_cifar;
mod seed_cnn;
mod summary;
mod transformer;
mod unet;
mod vae;
mod vgg;
mod vit;
mod whiten;
mod width;

pub use airbench::Airbench;
pub use alexnet::{AlexNet, AlexNetConfig};
pub use autoencoder::Autoencoder;
pub use char_mlp::{CharMlp, CharMlpConfig};
pub use dbn::Dbn;
pub use detector::{Detector, DetectorConfig};
pub use dlinear::{DLinear, DLinearConfig};
pub use fcos::{
    Detection, DetectionOptions, Fcos, FcosConfig, FcosLoss, FcosOutput, FcosTargets, Object, box_iou, nms,
};
pub use forecasters::{ForecastSizes, forecast_sizes, forecaster, forecasters};
pub use googlenet::{GoogLeNet, GoogLeNetConfig};
pub use gpt2::{Gpt2, Gpt2Cache, Gpt2Config};
pub use lenet::LeNet5;
pub use lstm_forecaster::{LstmForecaster, LstmForecasterConfig};
pub use mask_tcn::{MaskTcn, MaskTcnConfig};
pub use mel_cnn::{MelCnn, MelCnnConfig};
pub use mel_crnn::{MelCrnn, MelCrnnConfig};
pub use mel_speaker::{MelSpeaker, MelSpeakerConfig};
pub use mf::{MatrixFactorization, MatrixFactorizationConfig};
pub use mlp::{Mlp, MlpConfig, Perceptron};
pub use nbeats::{NBeats, NBeatsConfig};
pub use neumf::{NeuMf, NeuMfConfig};
pub use nlinear::{NLinear, NLinearConfig};
pub use rbm::{Rbm, bernoulli};
pub use recommenders::{PairModel, Pairs, recommender, recommenders};
pub use recurrent_lm::{LmState, RecurrentLm, RecurrentLmConfig};
pub use registry::{
    Build, CIFAR10, ForwardSample, IMAGENET, InputSpec, Kind, MNIST, ModelInfo, NoKeys, Prepare, Sample, Sampled,
    SampledModel, ZooModel, build, family, model, models,
};
pub use resnet::{ResNet, ResNetConfig};
pub use resnet_cifar::{CifarResNet, CifarResNetConfig};
pub use seed_cnn::SeedCnn;
pub use summary::{LayerSummary, Summary, summary};
pub use transformer::{Transformer, TransformerConfig};
pub use unet::{UNet, UNetConfig};
pub use vae::{Vae, VaeConfig, VaeLoss, VaeOutput, reparameterised};
pub use vgg::{Vgg, VggConfig};
pub use vit::{Vit, VitConfig, interpolate_positions};

use resnet::resnet;
use resnet_cifar::cifar_resnet;
use taper_config::Schema;
use vgg::vgg;

/// The models by name, in alphabetical order. To add one, add a file beside this one, and its lines here: its name, what
/// it is, its source, and the sizes that it is listed with.
const ALL: &[ModelInfo] = &[
    ModelInfo::of::<Airbench>(
        "airbench",
        "whitening, six convolutions, a linear head",
        "Jordan 2024, airbench94_muon",
        CIFAR10,
    )
    .prepared_by(Airbench::prepare),
    ModelInfo::of::<AlexNet>(
        "alexnet",
        "five convolutions, three linear layers",
        "Krizhevsky 2014, one weird trick",
        IMAGENET,
    ),
    ModelInfo::sampled::<Detector>(
        "detector",
        "a small residual backbone under the head of FCOS: boxes at every eighth pixel",
        "Tian et al. 2019; Lin et al. 2017, section 3",
    ),
    ModelInfo::sampled::<DLinear>(
        "dlinear",
        "a forecaster: a linear layer each for the trend and the season of the past",
        "Zeng et al. 2023, section 4",
    ),
    ModelInfo::sampled::<Fcos>(
        "fcos",
        "the head of a detector without anchors, on any backbone's features",
        "Tian et al. 2019, figure 2",
    ),
    ModelInfo::of::<GoogLeNet>(
        "googlenet",
        "nine inception blocks, auxiliary heads in training",
        "Szegedy et al. 2015, table 1",
        IMAGENET,
    ),
    ModelInfo::sampled::<Gpt2>("gpt2", "GPT-2 small, its head tied to the embedding", "Radford et al. 2019, table 2"),
    ModelInfo::of::<LeNet5>(
        "lenet5",
        "two convolutions, three linear layers, tanh",
        "LeCun et al. 1998, figure 2",
        MNIST,
    ),
    ModelInfo::sampled::<LstmForecaster>(
        "lstm",
        "a forecaster: an LSTM over the past, all quantiles of all steps at once",
        "Wen et al. 2017",
    ),
    ModelInfo::sampled::<MatrixFactorization>(
        "mf",
        "a rating of a thing by a user: factors of both multiplied, and biases",
        "Koren et al. 2009, equation 4",
    ),
    ModelInfo::of::<Mlp>(
        "mlp",
        "linear layers with ReLU between them, two hidden ones of 128 by default",
        "Rumelhart et al. 1986",
        MNIST,
    ),
    ModelInfo::sampled::<NBeats>(
        "nbeats",
        "a forecaster: blocks that explain a part of the past each, the generic architecture",
        "Oreshkin et al. 2020, section 3",
    ),
    ModelInfo::sampled::<NeuMf>(
        "neumf",
        "neural collaborative filtering: factors multiplied, beside layers that see others",
        "He et al. 2017, section 3.4",
    ),
    ModelInfo::sampled::<NLinear>(
        "nlinear",
        "a forecaster: one linear layer, relative to the last value",
        "Zeng et al. 2023, section 4",
    ),
    ModelInfo::of::<Perceptron>("perceptron", "one linear layer", "Rosenblatt 1958", MNIST),
    ModelInfo::sampled::<RecurrentLm>(
        "recurrent-lm",
        "an embedding, recurrent layers (LSTM by default), logits of the next token",
        "Mikolov et al. 2010; Sundermeyer et al. 2012",
    ),
    resnet::<101>("resnet101", "ResNet-101: bottleneck blocks"),
    cifar_resnet::<110>("resnet110", "ResNet-110 for small pictures"),
    resnet::<152>("resnet152", "ResNet-152: bottleneck blocks"),
    resnet::<18>("resnet18", "ResNet-18: basic blocks; with a 3 × 3 stem for pictures up to 64 × 64"),
    cifar_resnet::<20>("resnet20", "ResNet-20 for small pictures"),
    cifar_resnet::<32>("resnet32", "ResNet-32 for small pictures"),
    resnet::<34>("resnet34", "ResNet-34: basic blocks"),
    resnet::<50>("resnet50", "ResNet-50: bottleneck blocks"),
    cifar_resnet::<56>("resnet56", "ResNet-56 for small pictures"),
    ModelInfo::of::<SeedCnn>(
        "seed-cnn",
        "two convolutions, two linear layers",
        "this project's first network",
        CIFAR10,
    ),
    ModelInfo::sampled::<Transformer>(
        "transformer",
        "an encoder and a decoder, for translation",
        "Vaswani et al. 2017, table 3, base",
    ),
    ModelInfo::sampled::<UNet>(
        "unet",
        "a label for each pixel, by contracting and expanding convolutions",
        "Ronneberger et al. 2015, figure 1",
    ),
    ModelInfo::sampled::<Vae>("vae", "a variational autoencoder", "Kingma and Welling 2014, appendix C"),
    vgg::<11, false>("vgg11", "VGG-11", "Simonyan and Zisserman 2015, A"),
    vgg::<11, true>("vgg11_bn", "VGG-11 with batch norm", "Simonyan and Zisserman 2015, A"),
    vgg::<13, false>("vgg13", "VGG-13", "Simonyan and Zisserman 2015, B"),
    vgg::<13, true>("vgg13_bn", "VGG-13 with batch norm", "Simonyan and Zisserman 2015, B"),
    vgg::<16, false>("vgg16", "VGG-16", "Simonyan and Zisserman 2015, D"),
    vgg::<16, true>("vgg16_bn", "VGG-16 with batch norm", "Simonyan and Zisserman 2015, D"),
    vgg::<19, false>("vgg19", "VGG-19", "Simonyan and Zisserman 2015, E"),
    vgg::<19, true>("vgg19_bn", "VGG-19 with batch norm", "Simonyan and Zisserman 2015, E"),
    ModelInfo::of::<Vit>(
        "vit",
        "the Vision Transformer, small: patches of 4 × 4, six blocks of 192 features",
        "Dosovitskiy et al. 2021, section 3.1",
        CIFAR10,
    ),
    ModelInfo::built(
        "vit_b_16",
        "ViT-B/16: patches of 16 × 16, twelve blocks of 768 features",
        "Dosovitskiy et al. 2021, table 1",
        IMAGENET,
        Schema::of::<NoKeys>(),
        vit::build_b16,
    ),
];

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
