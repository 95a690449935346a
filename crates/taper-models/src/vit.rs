//! The Vision Transformer (Dosovitskiy et al., "An image is worth 16x16 words: Transformers for image recognition at scale",
//! ICLR 2021, section 3.1 and table 1), with torchvision's names: pictures are cut into patches, a class token is put
//! before them, positions are added, and an encoder with layer norm before each part follows. Layer norm's ε is 1e-6.
//!
//! ViT-B/16 for 224 × 224 pictures in 1,000 classes: 86,567,656 parameters.

use crate::{InputSpec, ZooModel};
use taper_config::table;
use taper_nn::{
    Activation, Context, Conv2d, Conv2dConfig, Dropout, Error, Init, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    Module, MultiheadAttention, MultiheadAttentionConfig, Param, Params, Pass, Result, Tensor,
};

const EPS: f64 = 1e-6;

table! {
    /// `[model]` of a [`Vit`]. The defaults suit pictures of 32 × 32.
    #[derive(Copy)]
    pub struct VitConfig {
        /// Height and width of a patch.
        patch: usize = 4, at_least(1);
        /// Features, E.
        hidden: usize = 192, at_least(1);
        /// Blocks of the encoder.
        layers: usize = 6, at_least(1);
        /// Heads of attention, which divide the features.
        heads: usize = 3, at_least(1);
        /// Units of a block's feed-forward network.
        mlp: usize = 768, at_least(1);
        /// The probability of dropout.
        dropout: f64 = 0.0, fraction();
    }
}

impl VitConfig {
    /// ViT-B/16: patches of 16 × 16, 12 blocks of 768 features and 12 heads.
    pub fn b16() -> Self {
        Self { patch: 16, hidden: 768, layers: 12, heads: 12, mlp: 3072, dropout: 0.0 }
    }
}

/// Pictures `[N, C, H, W]` to logits `[N, classes]`. H and W are multiples of the patch; where they are not those that the
/// model was built for, its positions are interpolated.
#[derive(Debug, Clone)]
pub struct Vit {
    path: String,
    class_token: Param,
    conv_proj: Conv2d,
    encoder: Encoder,
    head: Linear,
    /// Rows and columns of the patches that positions were made for.
    grid: [usize; 2],
    patch: usize,
}

/// Positions, blocks and layer norm.
#[derive(Debug, Clone)]
struct Encoder {
    path: String,
    pos_embedding: Param,
    dropout: Dropout,
    layers: Vec<Block>,
    ln: LayerNorm,
}

/// x + attention(ln_1(x)), then x + mlp(ln_2(x)).
#[derive(Debug, Clone)]
struct Block {
    path: String,
    ln_1: LayerNorm,
    self_attention: MultiheadAttention,
    dropout: Dropout,
    ln_2: LayerNorm,
    mlp: Mlp,
}

/// Linear, GELU, linear, with dropout after each.
#[derive(Debug, Clone)]
struct Mlp {
    path: String,
    linear_1: Linear,
    dropout_1: Dropout,
    linear_2: Linear,
    dropout_2: Dropout,
}

impl Vit {
    /// For pictures of this shape, whose sides are multiples of the patch; initialised as torchvision's, the head with
    /// zeros.
    ///
    /// # Errors
    /// Pictures that do not divide into patches, heads that do not divide the features.
    pub fn new(config: VitConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        let ([channels, height, width], size) = (input.shape, config.hidden);
        let grid = grid([height, width], config.patch)?;
        let std = (1.0 / (channels * config.patch * config.patch).max(1) as f64).sqrt();
        let init = Init::TruncatedNormal { mean: 0.0, std, low: -2.0, high: 2.0 };
        let conv = Conv2dConfig::new(channels, size, config.patch).stride(config.patch).init(init);
        Ok(Self {
            path: params.path().to_owned(),
            class_token: params.get("class_token", [1, 1, size], Init::Zeros)?,
            conv_proj: Conv2d::new(conv, &params.sub("conv_proj"))?,
            encoder: Encoder::new(config, grid, &params.sub("encoder"))?,
            head: Linear::new(
                LinearConfig::new(size, input.classes).init(Init::Zeros).bias_init(Init::Zeros),
                &params.sub("heads.head"),
            )?,
            grid,
            patch: config.patch,
        })
    }
}

/// Rows and columns of patches.
fn grid([height, width]: [usize; 2], patch: usize) -> Result<[usize; 2]> {
    if height == 0 || width == 0 || !height.is_multiple_of(patch) || !width.is_multiple_of(patch) {
        let detail = format!("pictures of {height} × {width} do not divide into patches of {patch} × {patch}");
        return Err(Error::argument("vit", detail));
    }
    Ok([height / patch, width / patch])
}

impl Module for Vit {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            if x.shape().rank() != 4 {
                return Err(Error::shape("vit", format!("expected pictures [N, C, H, W], came {}", x.shape())));
            }
            let [n, _, height, width] = x.dims()?;
            let grid = grid([height, width], self.patch)?;
            let x = x.pass(&self.conv_proj, context)?.flatten(2)?.transpose(1, 2)?; // [N, patches, E]
            let token = self.class_token.tensor().cast(x.dtype())?.broadcast_to([n, 1, x.shape()[2]])?;
            let x = Tensor::concat(&[&token, &x], 1)?; // [N, 1 + patches, E]
            let x = self.encoder.forward(&x, (self.grid, grid), context)?;
            x.narrow(1, 0, 1)?.squeeze(1)?.pass(&self.head, context) // [N, classes]
        })
    }
}

impl Encoder {
    fn new(config: VitConfig, grid: [usize; 2], params: &Params) -> Result<Self> {
        let shape = [1, 1 + grid[0] * grid[1], config.hidden];
        let layers = params.sub("layers");
        let blocks = (0..config.layers).map(|i| Block::new(config, &layers.sub(format!("encoder_layer_{i}"))));
        Ok(Self {
            path: params.path().to_owned(),
            pos_embedding: params.get("pos_embedding", shape, Init::Normal { std: 0.02 })?,
            dropout: Dropout::new(config.dropout, &params.sub("dropout"))?,
            layers: blocks.collect::<Result<_>>()?,
            ln: norm(config, &params.sub("ln"))?,
        })
    }

    fn forward(&self, x: &Tensor, (built, grid): ([usize; 2], [usize; 2]), context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let positions = interpolate_positions(&self.pos_embedding.tensor(), built, grid)?.cast(x.dtype())?;
            let x = x.add(&positions)?.pass(&self.dropout, context)?;
            self.layers.iter().try_fold(x, |x, block| x.pass(block, context))?.pass(&self.ln, context)
        })
    }
}

fn norm(config: VitConfig, params: &Params) -> Result<LayerNorm> {
    LayerNorm::new(LayerNormConfig::new([config.hidden]).eps(EPS), params)
}

impl Block {
    fn new(config: VitConfig, params: &Params) -> Result<Self> {
        let attention = MultiheadAttentionConfig::new(config.hidden, config.heads).dropout(config.dropout);
        Ok(Self {
            path: params.path().to_owned(),
            ln_1: norm(config, &params.sub("ln_1"))?,
            self_attention: MultiheadAttention::new(attention, &params.sub("self_attention"))?,
            dropout: Dropout::new(config.dropout, &params.sub("dropout"))?,
            ln_2: norm(config, &params.sub("ln_2"))?,
            mlp: Mlp::new(config, &params.sub("mlp"))?,
        })
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let y = x.pass(&self.ln_1, context)?.pass(&self.self_attention, context)?;
            let x = x.add(&y.pass(&self.dropout, context)?)?;
            x.add(&x.pass(&self.ln_2, context)?.pass(&self.mlp, context)?)
        })
    }
}

impl Mlp {
    fn new(config: VitConfig, params: &Params) -> Result<Self> {
        let linear = |inputs, outputs, name| {
            let config = LinearConfig::new(inputs, outputs).init(Init::XavierUniform { gain: 1.0 });
            Linear::new(config.bias_init(Init::Normal { std: 1e-6 }), &params.sub(name))
        };
        Ok(Self {
            path: params.path().to_owned(),
            linear_1: linear(config.hidden, config.mlp, "0")?,
            dropout_1: Dropout::new(config.dropout, &params.sub("2"))?,
            linear_2: linear(config.mlp, config.hidden, "3")?,
            dropout_2: Dropout::new(config.dropout, &params.sub("4"))?,
        })
    }
}

impl Module for Mlp {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.pass(&self.linear_1, context)?.activation(Activation::Gelu)?.pass(&self.dropout_1, context)?;
            x.pass(&self.linear_2, context)?.pass(&self.dropout_2, context)
        })
    }
}

impl ZooModel for Vit {
    type Config = VitConfig;

    fn build(config: &VitConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::new(*config, input, params)
    }
}

/// ViT-B/16, for the registry.
pub(crate) fn build_b16(input: &InputSpec, _: &taper_config::toml::Table, params: &Params) -> Result<Box<dyn Module>> {
    Ok(Box::new(Vit::new(VitConfig::b16(), input, params)?))
}

/// Positions `[1, 1 + rows · columns, E]` of a class token and `from` rows and columns of patches, for `to` rows and columns:
/// those of the patches by bicubic interpolation between aligned corners (Keys 1981, a = −0.75), as torchvision's
/// `interpolate_embeddings`. Gradients flow through it.
///
/// # Errors
/// Positions of another number of patches.
pub fn interpolate_positions(positions: &Tensor, from: [usize; 2], to: [usize; 2]) -> Result<Tensor> {
    if from == to {
        return Ok(positions.clone());
    }
    let patches = from[0] * from[1];
    if positions.shape().rank() != 3 || positions.shape()[..2] != [1, 1 + patches] {
        let detail = format!("expected positions [1, {}, E], came {}", 1 + patches, positions.shape());
        return Err(Error::shape("interpolate_positions", detail));
    }
    let size = positions.shape()[2];
    let token = positions.narrow(1, 0, 1)?;
    let along = |from, to| -> Result<Tensor> {
        Tensor::from_vec(bicubic(from, to), [to, from], positions.device())?.cast(positions.dtype())
    };
    let table = positions.narrow(1, 1, patches)?.reshape([from[0], from[1] * size])?;
    let rows = along(from[0], to[0])?.matmul(&table)?.reshape([to[0], from[1], size])?;
    let all = along(from[1], to[1])?.matmul(&rows)?; // [rows, columns, E]
    Tensor::concat(&[&token, &all.reshape([1, to[0] * to[1], size])?], 1)
}

/// The matrix `[to, from]` of bicubic interpolation from `from` values to `to`, whose first and last are the same.
/// Neighbours beyond an end are the end.
fn bicubic(from: usize, to: usize) -> Vec<f64> {
    const A: f64 = -0.75;
    let near = |d: f64| ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
    let far = |d: f64| ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
    let mut weights = vec![0.0; to * from];
    for (i, row) in weights.chunks_exact_mut(from).enumerate() {
        let place = if to > 1 { i as f64 * (from - 1) as f64 / (to - 1) as f64 } else { 0.0 };
        let (first, d) = (place.floor(), place - place.floor());
        for (offset, weight) in [(-1.0, far(d + 1.0)), (0.0, near(d)), (1.0, near(1.0 - d)), (2.0, far(2.0 - d))] {
            row[(first + offset).clamp(0.0, (from - 1) as f64) as usize] += weight;
        }
    }
    weights
}
