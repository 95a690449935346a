//! The gated recurrent unit (Cho et al. 2014), with the reset gate after the product.

use super::rnn::single;
use super::stack::Stack;
use super::{RecurrentConfig, RecurrentInput};
use crate::gradcheck::of_params;
use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{RecurrentCell, Result, Tensor};

/// Maps `[T, N, input]` to `[T, N, directions · H]`, as PyTorch's `nn.GRU`.
///
/// Parameters of layer k, with `_reverse` appended in the second direction: `weight_ih_lk: [3 · H, input]`
/// (`[3 · H, directions · H]` from layer 1 on), `weight_hh_lk: [3 · H, H]`, `bias_ih_lk: [3 · H]`, `bias_hh_lk: [3 · H]`; their rows
/// are those of the gates r, z and n, in this order.
#[derive(Debug, Clone)]
pub struct Gru(Stack);

impl Gru {
    /// Creates the parameters in `params`. An error when a size is 0 or the dropout is no probability.
    pub fn new(config: RecurrentConfig, params: &Params) -> Result<Self> {
        Ok(Self(Stack::new(RecurrentCell::Gru, config, params)?))
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

/// Starts from the state 0 and takes all steps of all samples.
impl Module for Gru {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        Ok(self.forward_with(x, RecurrentInput::default(), context)?.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let function = |x: &[Tensor], params: &Params| {
        let gru = Gru::new(RecurrentConfig::new(2, 2).bidirectional(true), params)?;
        let input = RecurrentInput { state: Some(&x[1]), lengths: Some(&[1, 3]) };
        let (y, h) = gru.forward_with(&x[0], input, &Context::eval())?;
        y.mul(&y)?.sum_all()?.add(&h.sum_all()?)
    };
    let one = |case: Case| case.input([6, 2]).input([6, 2]).input([6]).input([6]);
    vec![one(one(of_params("GRU, both directions, a state, lengths", function, 2).input([3, 2, 2]).input([2, 2, 2])))]
}
