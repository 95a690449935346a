//! airbench (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498, 2024; the network of its
//! `airbench94_muon`): a whitening of 2 × 2 patches that is not trained, three groups of two convolutions, and a scaled
//! linear head.

use crate::{InputSpec, NoKeys, ZooModel, whiten};
use taper_nn::{
    Activation, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, Error, Init, Linear, LinearConfig, Module,
    Param, Params, Pass, Pool2dSpec, RandomKey, Result, Tensor, no_grad,
};

/// The output channels of the groups.
const WIDTHS: [usize; 3] = [64, 256, 256];
/// The height and width of a whitened patch.
const PATCH: usize = 2;
/// ε, added to the eigenvalues of the patches' second moment.
const WHITEN_EPS: f64 = 5e-4;

/// conv 2 × 2 (whitening, frozen weight), GELU; groups of 64, 256, 256 channels; max pool 3; linear without bias, divided
/// by its number of inputs.
///
/// A group: conv 3 × 3, max pool 2, batch norm, GELU, conv 3 × 3, batch norm, GELU. Its convolutions have no bias, and
/// its batch norms no trained weight. [`Airbench::prepare`] sets the whitening weight, which otherwise keeps PyTorch's
/// random initialisation.
#[derive(Debug, Clone)]
pub struct Airbench {
    path: String,
    whiten: Conv2d,
    groups: Vec<Group>,
    head: Linear,
    features: usize,
}

#[derive(Debug, Clone)]
struct Group {
    path: String,
    conv1: Conv2d,
    norm1: BatchNorm2d,
    conv2: Conv2d,
    norm2: BatchNorm2d,
}

impl Airbench {
    /// For images of at least 25 × 25.
    pub fn new(input: &InputSpec, params: &Params) -> Result<Self> {
        let [channels, height, width] = input.shape;
        // 32 → 31 → 15 → 7 → 3 → 1
        let [height, width] = [height, width].map(|side| side.saturating_sub(PATCH - 1) / 8 / 3);
        if height == 0 || width == 0 || channels == 0 {
            let detail = format!("expected pictures of at least [1, 25, 25], came {:?}", input.shape);
            return Err(Error::argument("airbench", detail));
        }
        let whitened = whitened(channels);
        let whiten = Conv2dConfig::new(channels, whitened, PATCH).train_weight(false);
        let whiten = Conv2d::new(whiten, &params.sub("whiten"))?;
        let (mut groups, mut inputs) = (Vec::new(), whitened);
        for (i, outputs) in WIDTHS.into_iter().enumerate() {
            // Index 0 is the first GELU: the names are those of airbench's nn.Sequential.
            groups.push(Group::new([inputs, outputs], &params.sub(format!("layers.{}", i + 1)))?);
            inputs = outputs;
        }
        let features = height.saturating_mul(width).saturating_mul(inputs);
        // A standard deviation of 1.
        let head = LinearConfig::new(features, input.classes).bias(false).init(Init::Uniform { bound: 3f64.sqrt() });
        let head = Linear::new(head, &params.sub("head"))?;
        Ok(Self { path: params.path().to_owned(), whiten, groups, head, features })
    }

    /// Sets `whiten.weight`, in the `params` that the model was created in, from the patches of
    /// `pictures: [N, C, H, W]`: training images (airbench takes the first 5,000), normalised as in training.
    ///
    /// # Errors
    /// When `params` hold no airbench, or another model's weight of that name; when the images have another number of
    /// channels, are smaller than 2 × 2, or hold values that are not finite.
    pub fn prepare(params: &Params, pictures: &Tensor) -> Result<()> {
        let name = params.sub("whiten.weight").path().to_owned();
        let Some(weight) = params.all().into_iter().find(|param| param.name() == name) else {
            return Err(Error::Parameter(format!("airbench: there is no parameter {name} to set")));
        };
        let current = weight.tensor();
        let channels = match current.shape().dims() {
            &[whitened, channels, PATCH, PATCH] if whitened == self::whitened(channels) => channels,
            _ => {
                let shape = current.shape();
                let detail = format!(
                    "airbench: {name} is {shape}, expected [8·C, C, {PATCH}, {PATCH}] for pictures of C channels: \
                     it is another model's"
                );
                return Err(Error::Parameter(detail));
            }
        };
        if pictures.shape().rank() == 4 && pictures.shape()[1] != channels {
            let detail = format!("expected pictures with {channels} channels, came {}", pictures.shape());
            return Err(Error::shape("whitening", detail));
        }
        let filters = whiten::filters(pictures, [PATCH, PATCH], WHITEN_EPS)?;
        let filters = Tensor::from_vec(filters, current.shape().clone(), params.device())?;
        weight.set(&no_grad(|| filters.cast(current.dtype()))?)
    }
}

/// The number of whitening filters for images with this many channels: each eigenvector and its negative.
fn whitened(channels: usize) -> usize {
    channels.saturating_mul(2 * PATCH * PATCH)
}

impl Group {
    fn new([inputs, outputs]: [usize; 2], params: &Params) -> Result<Self> {
        let conv = |inputs, name| -> Result<Conv2d> {
            let config = Conv2dConfig::new(inputs, outputs, 3).padding(1).bias(false);
            let conv = Conv2d::new(config, &params.sub(name))?;
            pass_through(conv.weight())?;
            Ok(conv)
        };
        // PyTorch's momentum is the weight of the new batch: 0.6 of the old statistics are kept.
        let config = BatchNormConfig::new(outputs).momentum(Some(0.4)).eps(1e-12).train_weight(false);
        let norm = |name| BatchNorm2d::new(config, &params.sub(name));
        let (conv1, norm1) = (conv(inputs, "conv1")?, norm("norm1")?);
        let (conv2, norm2) = (conv(outputs, "conv2")?, norm("norm2")?);
        Ok(Self { path: params.path().to_owned(), conv1, norm1, conv2, norm2 })
    }
}

/// Makes the first min(C_in, C_out) filters of `weight: [C_out, C_in, K, K]` pass their input on: filter i is 1 at the
/// centre of input channel i and 0 elsewhere (`torch.nn.init.dirac_(w[:C_in])`). The others stay unchanged.
fn pass_through(weight: &Param) -> Result<()> {
    let current = weight.tensor();
    let &[outputs, inputs, down, across] = current.shape().dims() else { return Ok(()) };
    let count = inputs.min(outputs);
    let first = [count, inputs, down, across].into();
    // A Dirac initialisation draws nothing: any key will do.
    let first = Init::Dirac { groups: 1 }.tensor(&first, current.dtype(), current.device(), RandomKey::new(0))?;
    let value = no_grad(|| Tensor::concat(&[&first, &current.narrow(0, count, outputs - count)?], 0))?;
    drop(current);
    weight.set(&value)
}

impl ZooModel for Airbench {
    type Config = NoKeys;

    fn build(_: &NoKeys, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::new(input, params)
    }
}

impl Module for Airbench {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.pass(&self.whiten, context)?.activation(Activation::Gelu)?; //        [N, 24, 31, 31]
            let x = self.groups.iter().try_fold(x, |x, group| x.pass(group, context))?; //  [N, 256, 3, 3]
            let x = x.max_pool2d(Pool2dSpec::square(3))?.flatten(1)?; //                    [N, 256]
            x.pass(&self.head, context)?.mul_scalar(1.0 / self.features as f64) //          [N, 10]
        })
    }
}

impl Module for Group {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.pass(&self.conv1, context)?.max_pool2d(Pool2dSpec::square(2))?; // halves both sides
            let x = x.pass(&self.norm1, context)?.activation(Activation::Gelu)?;
            x.pass(&self.conv2, context)?.pass(&self.norm2, context)?.activation(Activation::Gelu)
        })
    }
}
