//! Models of pairs, a user and a thing, by name: what they share, and the list of them.

use crate::{MatrixFactorization, MatrixFactorizationConfig, NeuMf, NeuMfConfig};
use taper_config::{Named, Schema, unknown};
use taper_nn::{Context, DType, Device, Error, LayerOutput, Params, Result, Tensor};

/// A model that says how much a user likes things.
pub trait PairModel: Send + Sync {
    /// The scores of the things `items`, i64 `[N, K]`, for the users `users`, i64 `[N]`.
    ///
    /// # Errors
    /// Other shapes; a user or thing past the end.
    fn score(&self, users: &Tensor, items: &Tensor, context: &Context) -> Result<Pairs>;
}

/// What a [`PairModel`] gives.
#[derive(Debug, Clone)]
pub struct Pairs {
    /// The scores, `[N, K]`.
    pub scores: Tensor,
    /// The mean over the pairs of the sum of squares of all that stands for the user and the thing: what regularisation
    /// keeps small.
    pub squares: Tensor,
}

impl LayerOutput for Pairs {
    fn output(&self) -> &Tensor {
        &self.scores
    }
}

/// The models of pairs by name, with their keys.
pub fn recommenders() -> Vec<(&'static str, Schema)> {
    vec![("mf", Schema::of::<MatrixFactorizationConfig>()), ("neumf", Schema::of::<NeuMfConfig>())]
}

/// Builds the model of pairs that `named` names for `[users, items]`, with its parameters in `params`; `mean` is added to
/// every score.
///
/// # Errors
/// An unknown name, a key that the model does not have, a value out of range, other numbers of users and things than the table
/// says.
pub fn recommender(named: &Named, sizes: [usize; 2], mean: f64, params: &Params) -> Result<Box<dyn PairModel>> {
    let wrong = |error: taper_config::Error| Error::argument("model", error.to_string());
    let fits = |told: [usize; 2]| {
        let other = told.iter().zip(sizes).any(|(&told, size)| told != 0 && told != size);
        let detail = format!(
            "the table says {} users and {} items, the data have {} and {}",
            told[0], told[1], sizes[0], sizes[1]
        );
        if other { Err(Error::argument("model", detail)) } else { Ok(()) }
    };
    Ok(match named.name.as_str() {
        "mf" => {
            let config: MatrixFactorizationConfig = named.parse("model").map_err(wrong)?;
            fits([config.users, config.items])?;
            Box::new(MatrixFactorization::new(&config, sizes, mean, params)?)
        }
        "neumf" => {
            let config: NeuMfConfig = named.parse("model").map_err(wrong)?;
            fits([config.users, config.items])?;
            Box::new(NeuMf::new(&config, sizes, mean, params)?)
        }
        name => {
            let known: Vec<&str> = recommenders().iter().map(|(name, _)| *name).collect();
            return Err(Error::argument("model", unknown("model of pairs", name, &known)));
        }
    })
}

/// The numbers of users and things with which a model is listed where its table does not say them: MovieLens' first set.
pub(crate) fn listed([users, items]: [usize; 2]) -> [usize; 2] {
    [if users == 0 { 943 } else { users }, if items == 0 { 1682 } else { items }]
}

/// Errs unless users are `[N]` and items `[N, K]`.
pub(crate) fn check_pairs(model: &'static str, users: &Tensor, items: &Tensor) -> Result<()> {
    match (users.shape().dims(), items.shape().dims()) {
        ([n], [m, _]) if n == m => Ok(()),
        _ => {
            let detail =
                format!("expected users [N] and items [N, K], they came as {} and {}", users.shape(), items.shape());
            Err(Error::shape(model, detail))
        }
    }
}

/// A forward pass of the first user and the first thing.
pub(crate) fn sample(model: &dyn PairModel, device: &Device, context: &Context) -> Result<Vec<Tensor>> {
    let of = |shape: &[usize]| Tensor::zeros(shape, DType::I64, device);
    Ok(vec![model.score(&of(&[1])?, &of(&[1, 1])?, context)?.scores])
}
