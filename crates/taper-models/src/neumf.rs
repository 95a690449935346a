//! Neural collaborative filtering (X. He, L. Liao, H. Zhang, L. Nie, X. Hu and T.-S. Chua, "Neural collaborative filtering",
//! WWW 2017, section 3.4), NeuMF: a generalised matrix factorisation, which multiplies the factors of user and thing one by one,
//! beside layers that are shown others of both, and one linear layer over what the two give.

use crate::SampledModel;
use crate::recommenders::{PairModel, Pairs, check_pairs};
use taper_config::table;
use taper_nn::{
    Context, DType, Device, Dropout, Embedding, EmbeddingConfig, Init, Linear, LinearConfig, Module, Param, Params,
    Pass, Result, Tensor,
};

table! {
    /// The sizes of a [`NeuMf`].
    pub struct NeuMfConfig {
        /// Users; 0 for those of the data.
        users: usize = 0, at_least(0);
        /// Things that they choose from; 0 for those of the data.
        items: usize = 0, at_least(0);
        /// Factors that are multiplied.
        factors: usize = 16, at_least(1);
        /// Units of each layer, from the first; the user and the thing have half of the first each, which is even.
        layers: Vec<usize> = vec![64, 32, 16], list("a list of integers above 0, the first one even", layers);
        /// The dropout before each layer.
        dropout: f64 = 0.0, number(0.0..=1.0);
        /// The standard deviation of the factors at the beginning.
        init_std: f64 = 0.05, number(0.0..=1.0);
    }
}

fn layers(sizes: &[usize]) -> bool {
    sizes.first().is_some_and(|first| first.is_multiple_of(2)) && sizes.iter().all(|size| *size > 0)
}

/// Layers `embed_user_GMF`, `embed_item_GMF`, `embed_user_MLP`, `embed_item_MLP`, `MLP_layers` and `predict_layer`, as in the
/// usual PyTorch code, and the buffer `mean`, which is added.
#[derive(Debug, Clone)]
pub struct NeuMf {
    path: String,
    /// Of user and thing.
    multiplied: [Embedding; 2],
    shown: [Embedding; 2],
    layers: Vec<(Dropout, Linear)>,
    predict: Linear,
    mean: Param,
}

impl NeuMf {
    /// Creates the layers in `params` for `[users, items]`; `mean` is added to every score. An error when a size is 0.
    pub fn new(config: &NeuMfConfig, [users, items]: [usize; 2], mean: f64, params: &Params) -> Result<Self> {
        let NeuMfConfig { factors, dropout, init_std: std, .. } = *config;
        let table = |rows, width, name: &str| {
            Embedding::new(EmbeddingConfig::new(rows, width).init(Init::Normal { std }), &params.sub(name))
        };
        let first = config.layers.first().copied().unwrap_or(0);
        let of_layers = params.sub("MLP_layers");
        // A dropout, a linear layer and a ReLU each.
        let layer = |(i, pair): (usize, &[usize])| {
            let at = |place: usize| of_layers.sub((3 * i + place).to_string());
            Ok((Dropout::new(dropout, &at(0))?, Linear::new(LinearConfig::new(pair[0], pair[1]), &at(1))?))
        };
        let last = config.layers.last().copied().unwrap_or(0);
        Ok(Self {
            path: params.path().to_owned(),
            multiplied: [table(users, factors, "embed_user_GMF")?, table(items, factors, "embed_item_GMF")?],
            shown: [table(users, first / 2, "embed_user_MLP")?, table(items, first / 2, "embed_item_MLP")?],
            layers: config.layers.windows(2).enumerate().map(layer).collect::<Result<_>>()?,
            predict: Linear::new(LinearConfig::new(factors + last, 1), &params.sub("predict_layer"))?,
            mean: params.buffer("mean", [1], params.dtype(), mean)?,
        })
    }
}

impl PairModel for NeuMf {
    fn score(&self, users: &Tensor, items: &Tensor, context: &Context) -> Result<Pairs> {
        context.layer(&self.path, |context| {
            check_pairs("neumf", users, items)?;
            let [n, k] = [items.shape()[0], items.shape()[1]];
            let both = |[user, item]: &[Embedding; 2]| {
                let p = user.forward(users, context)?.unsqueeze(1)?; // [N, 1, D]
                Ok::<_, taper_nn::Error>((p, item.forward(items, context)?)) // [N, K, D]
            };
            let ((p, q), (shown_p, shown_q)) = (both(&self.multiplied)?, both(&self.shown)?);
            let width = shown_q.shape()[2];
            let mut x = Tensor::concat(&[&shown_p.broadcast_to([n, k, width])?, &shown_q], 2)?;
            for (dropout, linear) in &self.layers {
                x = x.pass(dropout, context)?.pass(linear, context)?.relu()?;
            }
            let y = Tensor::concat(&[&q.mul(&p)?, &x], 2)?.pass(&self.predict, context)?; // [N, K, 1]
            let size = |x: &Tensor| x.mul(x)?.sum(&[2], false);
            let squares = size(&p)?.add(&size(&q)?)?.add(&size(&shown_p)?.add(&size(&shown_q)?)?)?;
            Ok(Pairs { scores: y.squeeze(2)?.add(&self.mean.tensor())?, squares: squares.mean_all()? })
        })
    }
}

impl SampledModel for NeuMf {
    type Config = NeuMfConfig;

    fn build(config: &NeuMfConfig, params: &Params) -> Result<Self> {
        Self::new(config, crate::recommenders::listed([config.users, config.items]), 0.0, params)
    }

    fn sample(config: &NeuMfConfig) -> String {
        let [users, items] = crate::recommenders::listed([config.users, config.items]);
        format!("one of {users} users and {items} things")
    }

    fn forward_sample(
        &self,
        _config: &NeuMfConfig,
        _dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        crate::recommenders::sample(self, device, context)
    }
}
