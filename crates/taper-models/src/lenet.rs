//! LeNet-5 (LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proceedings of the
//! IEEE 86, 1998, figure 2), as it is taught: every map of the third layer sees every map of the second, where the paper's
//! table I leaves some out; subsampling is an average without weights; the output is linear instead of radial basis
//! functions. For MNIST it has 61,706 parameters.

use crate::{InputSpec, NoKeys, ZooModel, input};
use taper_nn::{Context, Conv2d, Conv2dConfig, Linear, LinearConfig, Module, Params, Pass, Pool2dSpec, Result, Tensor};

/// conv 5 × 5 to 6 channels, tanh, average pool; conv 5 × 5 to 16 channels, tanh, average pool; linear layers of 120 and 84
/// with tanh, and of the classes. The paper's 32 × 32 pictures are 28 × 28 digits with a border, which is the padding here.
#[derive(Debug, Clone)]
pub struct LeNet5 {
    path: String,
    input: InputSpec,
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl LeNet5 {
    /// For pictures of at least 12 × 12.
    pub fn new(input: &InputSpec, params: &Params) -> Result<Self> {
        input.at_least("lenet5", [12, 12])?;
        let [channels, height, width] = input.shape;
        // 28 → 14 → 10 → 5 on both sides.
        let [height, width] = [height, width].map(|side| (side / 2 - 4) / 2);
        let linear = |from, to, name| Linear::new(LinearConfig::new(from, to), &params.sub(name));
        Ok(Self {
            path: params.path().to_owned(),
            input: *input,
            conv1: Conv2d::new(Conv2dConfig::new(channels, 6, 5).padding(2), &params.sub("conv1"))?,
            conv2: Conv2d::new(Conv2dConfig::new(6, 16, 5), &params.sub("conv2"))?,
            fc1: linear(height.saturating_mul(width).saturating_mul(16), 120, "fc1")?,
            fc2: linear(120, 84, "fc2")?,
            fc3: linear(84, input.classes, "fc3")?,
        })
    }
}

impl ZooModel for LeNet5 {
    type Config = NoKeys;

    fn build(_: &NoKeys, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::new(input, params)
    }
}

impl Module for LeNet5 {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            input::exactly("lenet5", x, &self.input)?;
            let halves = Pool2dSpec::square(2);
            let x = x.pass(&self.conv1, context)?.tanh()?.avg_pool2d(halves)?; //           [N, 6, 14, 14]
            let x = x.pass(&self.conv2, context)?.tanh()?.avg_pool2d(halves)?.flatten(1)?; // [N, 400]
            let x = x.pass(&self.fc1, context)?.tanh()?; //                                 [N, 120]
            let x = x.pass(&self.fc2, context)?.tanh()?; //                                 [N, 84]
            x.pass(&self.fc3, context) //                                                   [N, 10]
        })
    }
}
