//! Long short-term memory (Hochreiter and Schmidhuber 1997), with a forget gate (Gers, Schmidhuber and Cummins 2000).

use super::rnn::exactly;
use super::stack::Stack;
use super::{RecurrentConfig, RecurrentInput};
use crate::gradcheck::of_params;
use crate::{Context, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{RecurrentCell, Result, Tensor};

/// Maps `[T, N, input]` to `[T, N, directions · H]`, as PyTorch's `nn.LSTM` without projections.
///
/// Parameters of layer k, with `_reverse` appended in the second direction: `weight_ih_lk: [4 · H, input]`
/// (`[4 · H, directions · H]` from layer 1 on), `weight_hh_lk: [4 · H, H]`, `bias_ih_lk: [4 · H]`, `bias_hh_lk: [4 · H]`; their rows
/// are those of the gates i, f, g and o, in this order.
#[derive(Debug, Clone)]
pub struct Lstm(Stack);

impl Lstm {
    /// Creates the parameters in `params`. An error when a size is 0 or the dropout is no probability.
    pub fn new(config: RecurrentConfig, params: &Params) -> Result<Self> {
        Ok(Self(Stack::new(RecurrentCell::Lstm, config, params)?))
    }

    /// The configuration.
    pub fn config(&self) -> &RecurrentConfig {
        self.0.config()
    }

    /// The output, and h and c after each sample's last step, each `[layers · directions, N, H]`.
    ///
    /// # Errors
    /// When a shape is not that of the configuration, or a length is 0 or over the padded length.
    pub fn forward_with(
        &self,
        x: &Tensor,
        input: RecurrentInput<[Tensor; 2]>,
        context: &Context,
    ) -> Result<(Tensor, [Tensor; 2])> {
        let states: Vec<&Tensor> = input.state.into_iter().flatten().collect();
        let (y, last) = self.0.run(x, &states, input.lengths, context)?;
        Ok((y, exactly(last)?))
    }
}

/// Starts from the state 0 and takes all steps of all samples.
impl Module for Lstm {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        Ok(self.forward_with(x, RecurrentInput::default(), context)?.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let with = |name: &str, config: RecurrentConfig, others, lengths: Option<&'static [usize]>| {
        let function = move |x: &[Tensor], params: &Params| {
            let lstm = Lstm::new(config, params)?;
            let state = (others == 3).then(|| [x[1].clone(), x[2].clone()]);
            let input = RecurrentInput { state: state.as_ref(), lengths };
            let (y, [h, c]) = lstm.forward_with(&x[0], input, &Context::train(0, 0, 0))?;
            y.mul(&y)?.sum_all()?.add(&h.mul(&c)?.sum_all()?)
        };
        of_params(name, function, others)
    };
    let layers = RecurrentConfig::new(2, 2).layers(2).dropout(0.5).batch_first(true);
    let one = |case: Case| case.input([8, 2]).input([8, 2]).input([8]).input([8]);
    vec![
        one(one(with("LSTM, two layers, dropout, a state", layers, 3, None)
            .input([2, 3, 2])
            .input([2, 2, 2])
            .input([2, 2, 2]))),
        with(
            "LSTM, both directions, lengths, no bias",
            RecurrentConfig::new(2, 1).bidirectional(true).bias(false),
            1,
            Some(&[3, 1]),
        )
        .input([3, 2, 2])
        .input([4, 2])
        .input([4, 1])
        .input([4, 2])
        .input([4, 1]),
    ]
}
