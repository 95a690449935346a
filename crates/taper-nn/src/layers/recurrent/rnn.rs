//! The simple recurrent network (Elman 1990): h′ = tanh(W_i x + b_i + W_h h + b_h), or ReLU in its place.

use super::stack::Stack;
use super::{RecurrentConfig, RecurrentInput};
use crate::gradcheck::of_params;
use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, RecurrentCell, Result, Tensor};

/// The activation of [`Rnn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RnnActivation {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// ReLU.
    Relu,
}

impl RnnActivation {
    pub(super) fn cell(self) -> RecurrentCell {
        match self {
            Self::Tanh => RecurrentCell::Tanh,
            Self::Relu => RecurrentCell::Relu,
        }
    }
}

/// Maps `[T, N, input]` to `[T, N, directions · H]`, as PyTorch's `nn.RNN`.
///
/// Parameters of layer k, with `_reverse` appended in the second direction: `weight_ih_lk: [H, input]` (`[H, directions · H]`
/// from layer 1 on), `weight_hh_lk: [H, H]`, `bias_ih_lk: [H]`, `bias_hh_lk: [H]`.
#[derive(Debug, Clone)]
pub struct Rnn(Stack);

impl Rnn {
    /// Creates the parameters in `params`. An error when a size is 0 or the dropout is no probability.
    pub fn new(config: RecurrentConfig, activation: RnnActivation, params: &Params) -> Result<Self> {
        Ok(Self(Stack::new(activation.cell(), config, params)?))
    }

    /// The configuration.
    pub fn config(&self) -> &RecurrentConfig {
        self.0.config()
    }

    /// The output, and the state after each sample's last step, `[layers · directions, N, H]`.
    ///
    /// # Errors
    /// When a shape is not that of the configuration, or a length is 0 or over the padded length.
    pub fn forward_with(
        &self,
        x: &Tensor,
        input: RecurrentInput<Tensor>,
        context: &Context,
    ) -> Result<(Tensor, Tensor)> {
        let states: Vec<&Tensor> = input.state.into_iter().collect();
        let (y, last) = self.0.run(x, &states, input.lengths, context)?;
        Ok((y, single(last)?))
    }
}

/// The only one of `states`.
pub(super) fn single(states: Vec<Tensor>) -> Result<Tensor> {
    let [state] = exactly(states)?;
    Ok(state)
}

/// `states`, of which there are `N`.
pub(super) fn exactly<const N: usize>(states: Vec<Tensor>) -> Result<[Tensor; N]> {
    states.try_into().map_err(|states: Vec<Tensor>| {
        Error::argument("recurrent", format!("{} states came back, expected {N}", states.len()))
    })
}

/// Starts from the state 0 and takes all steps of all samples.
impl Module for Rnn {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        Ok(self.forward_with(x, RecurrentInput::default(), context)?.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let with = |name: &str, config: RecurrentConfig, activation| {
        let function = move |x: &[Tensor], params: &Params| {
            let rnn = Rnn::new(config, activation, params)?;
            let input = RecurrentInput { state: Some(&x[1]), lengths: Some(&[1, 3]) };
            let (y, h) = rnn.forward_with(&x[0], input, &Context::eval())?;
            y.sum(&[0], false)?.mul(&h.sum(&[0], false)?)
        };
        of_params(name, function, 2)
    };
    let config = RecurrentConfig::new(2, 2);
    let both = |case: Case| case.input([2, 2]).input([2, 2]).input([2]).input([2]);
    vec![
        both(with("RNN, a state, lengths", config, RnnActivation::Tanh).input([3, 2, 2]).input([1, 2, 2])),
        both(with("RNN with ReLU", config, RnnActivation::Relu).input([3, 2, 2]).input([1, 2, 2])),
    ]
}
