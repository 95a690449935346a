//! Matrix factorisation with biases (Y. Koren, R. Bell and C. Volinsky, "Matrix factorization techniques for recommender
//! systems", IEEE Computer 42, 2009, equation 4): r̂ᵤᵢ = μ + bᵤ + bᵢ + pᵤ · qᵢ.

use crate::SampledModel;
use crate::recommenders::{PairModel, Pairs, check_pairs};
use taper_config::table;
use taper_nn::{Context, DType, Device, Embedding, EmbeddingConfig, Init, Module, Param, Params, Result, Tensor};

table! {
    /// The sizes of a [`MatrixFactorization`].
    pub struct MatrixFactorizationConfig {
        /// Users; 0 for those of the data.
        users: usize = 0, at_least(0);
        /// Things that they choose from; 0 for those of the data.
        items: usize = 0, at_least(0);
        /// Factors of each user and thing.
        factors: usize = 64, at_least(1);
        /// The standard deviation of the factors at the beginning.
        init_std: f64 = 0.01, number(0.0..=1.0);
    }
}

/// Layers `user_factors`, `item_factors`, `user_biases` and `item_biases`, and the buffer `mean`.
#[derive(Debug, Clone)]
pub struct MatrixFactorization {
    path: String,
    user_factors: Embedding,
    item_factors: Embedding,
    user_biases: Embedding,
    item_biases: Embedding,
    mean: Param,
}

impl MatrixFactorization {
    /// Creates the layers in `params`, with biases of 0, for `[users, items]`; `mean` is μ. An error when a size is 0.
    pub fn new(
        config: &MatrixFactorizationConfig,
        [users, items]: [usize; 2],
        mean: f64,
        params: &Params,
    ) -> Result<Self> {
        let table = |rows, width, init, name: &str| {
            Embedding::new(EmbeddingConfig::new(rows, width).init(init), &params.sub(name))
        };
        let normal = Init::Normal { std: config.init_std };
        Ok(Self {
            path: params.path().to_owned(),
            user_factors: table(users, config.factors, normal, "user_factors")?,
            item_factors: table(items, config.factors, normal, "item_factors")?,
            user_biases: table(users, 1, Init::Zeros, "user_biases")?,
            item_biases: table(items, 1, Init::Zeros, "item_biases")?,
            mean: params.buffer("mean", [1], params.dtype(), mean)?,
        })
    }
}

impl PairModel for MatrixFactorization {
    fn score(&self, users: &Tensor, items: &Tensor, context: &Context) -> Result<Pairs> {
        context.layer(&self.path, |context| {
            check_pairs("matrix_factorization", users, items)?;
            let p = self.user_factors.forward(users, context)?.unsqueeze(1)?; // [N, 1, factors]
            let q = self.item_factors.forward(items, context)?; // [N, K, factors]
            let of_user = self.user_biases.forward(users, context)?; // [N, 1]
            let of_item = self.item_biases.forward(items, context)?.squeeze(2)?; // [N, K]
            let scores = q.mul(&p)?.sum(&[2], false)?.add(&of_user)?.add(&of_item)?.add(&self.mean.tensor())?;
            let size = |x: &Tensor, axes: &[isize]| x.mul(x)?.sum(axes, false);
            let of_pair = size(&q, &[2])?.add(&size(&p, &[2])?)?; // [N, K]
            let biases = of_item.mul(&of_item)?.add(&of_user.mul(&of_user)?)?;
            Ok(Pairs { scores, squares: of_pair.add(&biases)?.mean_all()? })
        })
    }
}

impl SampledModel for MatrixFactorization {
    type Config = MatrixFactorizationConfig;

    fn build(config: &MatrixFactorizationConfig, params: &Params) -> Result<Self> {
        Self::new(config, crate::recommenders::listed([config.users, config.items]), 0.0, params)
    }

    fn sample(config: &MatrixFactorizationConfig) -> String {
        let [users, items] = crate::recommenders::listed([config.users, config.items]);
        format!("one of {users} users and {items} things")
    }

    fn forward_sample(
        &self,
        _config: &MatrixFactorizationConfig,
        _dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        crate::recommenders::sample(self, device, context)
    }
}
