//! A recurrent language model (T. Mikolov et al., "Recurrent neural network based language model", Interspeech 2010; with LSTM
//! M. Sundermeyer, R. Schlüter and H. Ney, "LSTM neural networks for language modeling", Interspeech 2012): an embedding of each
//! token, recurrent layers, and logits of the token that follows. With `predicts = "last"` it is a classifier of sequences.

use crate::SampledModel;
use taper_config::table;
use taper_nn::taper_tensor::no_grad;
use taper_nn::{
    Context, DType, Device, Embedding, EmbeddingConfig, Error, Gru, Linear, LinearConfig, Lstm, Module, Params, Pass,
    RecurrentConfig, RecurrentInput, Result, Rnn, RnnActivation, Tensor,
};

table! {
    /// The sizes of a [`RecurrentLm`].
    pub struct RecurrentLmConfig {
        /// Tokens of the vocabulary.
        vocabulary: usize = 256, at_least(1);
        /// Classes that it tells apart; 0 stands for the tokens of the vocabulary.
        classes: usize = 0, at_least(0);
        /// The length of a token's embedding.
        embedding: usize = 128, at_least(1);
        /// Units of each recurrent layer.
        hidden: usize = 256, at_least(1);
        /// Recurrent layers.
        layers: usize = 1, at_least(1);
        /// The recurrent cell: `lstm`, `gru` or `rnn`.
        cell: String = "lstm".to_owned(), one_of(&["lstm", "gru", "rnn"]);
        /// The dropout behind the embedding and between layers.
        dropout: f64 = 0.0, number(0.0..=1.0);
        /// What is predicted: what follows `every` token, or the `last` one alone.
        predicts: String = "every".to_owned(), one_of(&["every", "last"]);
    }
}

/// The recurrent layers.
#[derive(Debug, Clone)]
enum Layers {
    Lstm(Lstm),
    Gru(Gru),
    Rnn(Rnn),
}

/// Layers `embedding`, `rnn` and `fc`: tokens `[N, T]` (i64) to logits of what follows each, `[N, classes, T]`, or of what
/// follows the last alone, `[N, classes]`.
#[derive(Debug, Clone)]
pub struct RecurrentLm {
    path: String,
    last: bool,
    embedding: Embedding,
    dropout: taper_nn::Dropout,
    layers: Layers,
    fc: Linear,
}

/// The state of a [`RecurrentLm`] after some tokens, from which it goes on: h, and for LSTM c, each `[layers, N, hidden]`.
pub type LmState = Vec<Tensor>;

impl RecurrentLm {
    /// Creates the layers in `params`. An error when a size is 0, or a name is unknown.
    pub fn new(config: &RecurrentLmConfig, params: &Params) -> Result<Self> {
        let RecurrentLmConfig { vocabulary, classes, embedding, hidden, layers, dropout, .. } = *config;
        let recurrent = RecurrentConfig::new(embedding, hidden).layers(layers).dropout(dropout);
        let of_layers = params.sub("rnn");
        let layers = match config.cell.as_str() {
            "lstm" => Layers::Lstm(Lstm::new(recurrent, &of_layers)?),
            "gru" => Layers::Gru(Gru::new(recurrent, &of_layers)?),
            "rnn" => Layers::Rnn(Rnn::new(recurrent, RnnActivation::Tanh, &of_layers)?),
            other => {
                let detail = format!("the cell must be lstm, gru or rnn, came as {other}");
                return Err(Error::argument("recurrent_lm", detail));
            }
        };
        let classes = if classes == 0 { vocabulary } else { classes };
        Ok(Self {
            path: params.path().to_owned(),
            last: config.predicts == "last",
            embedding: Embedding::new(EmbeddingConfig::new(vocabulary, embedding), &params.sub("embedding"))?,
            dropout: taper_nn::Dropout::new(dropout, &params.sub("dropout"))?,
            layers,
            fc: Linear::new(LinearConfig::new(hidden, classes), &params.sub("fc"))?,
        })
    }

    /// The logits for tokens `[N, T]` after what led to `state` (nothing, where there is none), and the state after them.
    /// With `lengths`, each sample has as many tokens, and the last is its own last.
    ///
    /// # Errors
    /// Tokens outside the vocabulary, a state of other sizes, a length of 0 or over T.
    pub fn forward_with(
        &self,
        tokens: &Tensor,
        state: Option<&LmState>,
        lengths: Option<&[usize]>,
        context: &Context,
    ) -> Result<(Tensor, LmState)> {
        context.layer(&self.path, |context| {
            if tokens.shape().rank() != 2 {
                let detail = format!("tokens must be [samples, tokens], came as {}", tokens.shape());
                return Err(Error::shape("recurrent_lm", detail));
            }
            let x = tokens.transpose(0, 1)?; // [T, N]
            let x = x.pass(&self.embedding, context)?.pass(&self.dropout, context)?; // [T, N, embedding]
            let (x, state) = self.steps(&x, state, lengths, context)?; // [T, N, hidden], [layers, N, hidden] each
            if self.last {
                let h = state.first().ok_or_else(|| Error::argument("recurrent_lm", "there is no state"))?;
                let h = h.narrow(0, h.shape()[0] - 1, 1)?.squeeze(0)?; // [N, hidden], of the last layer
                return Ok((h.pass(&self.fc, context)?, state)); // [N, classes]
            }
            let logits = x.pass(&self.fc, context)?; // [T, N, classes]
            Ok((logits.permute(&[1, 2, 0])?, state)) // [N, classes, T]
        })
    }

    /// Continues the prompt `[N, T]` (T at least 1) by `count` tokens: `[N, T + count]`. `choose` takes the logits `[N, V]` of
    /// the next token, and gives it, `[N]`. The model has seen all tokens from the first on. With `cached` its state goes on
    /// from token to token; without, all is computed anew for each.
    ///
    /// # Errors
    /// An empty prompt; those of `choose`.
    pub fn generate(
        &self,
        prompt: &Tensor,
        count: usize,
        cached: bool,
        mut choose: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        if prompt.shape().rank() != 2 || prompt.shape()[1] == 0 {
            let detail = format!("the prompt must be [N, T] with T at least 1, came as {}", prompt.shape());
            return Err(Error::shape("generate", detail));
        }
        let context = Context::eval();
        no_grad(|| {
            let (mut all, mut seen, mut state) = (prompt.clone(), 0, None);
            for _ in 0..count {
                let new = all.narrow(1, seen, all.shape()[1] - seen)?;
                let (logits, after) = self.forward_with(&new, state.as_ref(), None, &context)?;
                if cached {
                    (seen, state) = (all.shape()[1], Some(after));
                }
                // [N, V], or [N, V, seen] of which the last counts.
                let logits = match logits.shape().dims() {
                    [.., length] if !self.last => logits.narrow(2, length - 1, 1)?.squeeze(2)?,
                    _ => logits,
                };
                all = Tensor::concat(&[&all, &choose(&logits)?.unsqueeze(1)?], 1)?;
            }
            Ok(all)
        })
    }

    fn steps(
        &self,
        x: &Tensor,
        state: Option<&LmState>,
        lengths: Option<&[usize]>,
        context: &Context,
    ) -> Result<(Tensor, LmState)> {
        let due = if matches!(self.layers, Layers::Lstm(_)) { 2 } else { 1 };
        if let Some(state) = state.filter(|state| state.len() != due) {
            let detail = format!("the state is {} tensors, expected {due}", state.len());
            return Err(Error::argument("recurrent_lm", detail));
        }
        let one = RecurrentInput { state: state.and_then(|state| state.first()), lengths };
        match &self.layers {
            Layers::Gru(layers) => layers.forward_with(x, one, context).map(|(y, h)| (y, vec![h])),
            Layers::Rnn(layers) => layers.forward_with(x, one, context).map(|(y, h)| (y, vec![h])),
            Layers::Lstm(layers) => {
                let state = state.and_then(|state| <[Tensor; 2]>::try_from(state.clone()).ok());
                let input = RecurrentInput { state: state.as_ref(), lengths };
                layers.forward_with(x, input, context).map(|(y, last)| (y, last.to_vec()))
            }
        }
    }
}

/// From the state 0, over all tokens.
impl Module for RecurrentLm {
    fn forward(&self, tokens: &Tensor, context: &Context) -> Result<Tensor> {
        Ok(self.forward_with(tokens, None, None, context)?.0)
    }
}

/// The tokens of the sample by which it is listed.
const LISTED: usize = 64;

impl SampledModel for RecurrentLm {
    type Config = RecurrentLmConfig;

    fn build(config: &RecurrentLmConfig, params: &Params) -> Result<Self> {
        Self::new(config, params)
    }

    fn sample(config: &RecurrentLmConfig) -> String {
        format!("{LISTED} tokens of {}", config.vocabulary)
    }

    fn forward_sample(
        &self,
        _config: &RecurrentLmConfig,
        _dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        let tokens = Tensor::zeros([1, LISTED], DType::I64, device)?;
        Ok(vec![self.forward(&tokens, context)?])
    }
}
