//! Single steps of recurrent layers, for loops of one's own: as PyTorch's `nn.RNNCell`, `nn.LSTMCell` and `nn.GRUCell`.

use super::RnnActivation;
use super::rnn::{exactly, single};
use super::stack::Direction;
use crate::gradcheck::of_params;
use crate::layers::at_least_one;
use crate::{Context, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, RecurrentCell, RecurrentOptions, Result, Tensor};

/// The parameters of a cell.
#[derive(Debug, Clone)]
struct Step {
    path: String,
    cell: RecurrentCell,
    weights: Direction,
}

impl Step {
    fn new(cell: RecurrentCell, [input_size, hidden_size]: [usize; 2], params: &Params) -> Result<Self> {
        let sizes = [("input_size", input_size), ("hidden_size", hidden_size)];
        at_least_one(cell.name(), params.path(), &sizes)?;
        let weights = Direction::new(cell, [input_size, hidden_size], true, "", params)?;
        Ok(Self { path: params.path().to_owned(), cell, weights })
    }

    /// The states after the step of x `[N, input]` from `state`.
    fn run(&self, x: &Tensor, state: &[Tensor], context: &Context) -> Result<Vec<Tensor>> {
        let run = |context: &crate::LayerContext| {
            if x.shape().rank() != 2 {
                let detail = format!("the input must be [samples, input], came as {}", x.shape());
                return Err(Error::shape(self.cell.name(), detail));
            }
            let state = state.iter().map(|state| context.operand(state)).collect::<Result<Vec<_>>>()?;
            let options = RecurrentOptions { state: &state, ..RecurrentOptions::default() };
            let (y, state) = self.weights.run(&x.unsqueeze(0)?, self.cell, options, context)?;
            Ok((y, state))
        };
        Ok(context.layer(&self.path, run)?.1)
    }
}

/// A step of [`Rnn`](super::Rnn): x `[N, input]` and h `[N, H]` to h′. Parameters are `weight_ih: [H, input]`,
/// `weight_hh: [H, H]`, `bias_ih: [H]` and `bias_hh: [H]`.
#[derive(Debug, Clone)]
pub struct RnnCell(Step);

impl RnnCell {
    /// Creates the parameters in `params`. An error when a size is 0.
    pub fn new(input_size: usize, hidden_size: usize, activation: RnnActivation, params: &Params) -> Result<Self> {
        Ok(Self(Step::new(activation.cell(), [input_size, hidden_size], params)?))
    }

    /// h′ from the input x and the state h; from 0 where there is none.
    pub fn forward_with(&self, x: &Tensor, h: Option<&Tensor>, context: &Context) -> Result<Tensor> {
        single(self.0.run(x, h.map_or(&[], std::slice::from_ref), context)?)
    }
}

/// A step of [`Gru`](super::Gru): x `[N, input]` and h `[N, H]` to h′. Parameters are `weight_ih: [3 · H, input]`,
/// `weight_hh: [3 · H, H]`, `bias_ih: [3 · H]` and `bias_hh: [3 · H]`.
#[derive(Debug, Clone)]
pub struct GruCell(Step);

impl GruCell {
    /// Creates the parameters in `params`. An error when a size is 0.
    pub fn new(input_size: usize, hidden_size: usize, params: &Params) -> Result<Self> {
        Ok(Self(Step::new(RecurrentCell::Gru, [input_size, hidden_size], params)?))
    }

    /// h′ from the input x and the state h; from 0 where there is none.
    pub fn forward_with(&self, x: &Tensor, h: Option<&Tensor>, context: &Context) -> Result<Tensor> {
        single(self.0.run(x, h.map_or(&[], std::slice::from_ref), context)?)
    }
}

/// A step of [`Lstm`](super::Lstm): x `[N, input]` and h and c, each `[N, H]`, to h′ and c′. Parameters are
/// `weight_ih: [4 · H, input]`, `weight_hh: [4 · H, H]`, `bias_ih: [4 · H]` and `bias_hh: [4 · H]`.
#[derive(Debug, Clone)]
pub struct LstmCell(Step);

impl LstmCell {
    /// Creates the parameters in `params`. An error when a size is 0.
    pub fn new(input_size: usize, hidden_size: usize, params: &Params) -> Result<Self> {
        Ok(Self(Step::new(RecurrentCell::Lstm, [input_size, hidden_size], params)?))
    }

    /// h′ and c′ from the input x and the state h and c; from 0 where there is none.
    pub fn forward_with(&self, x: &Tensor, state: Option<&[Tensor; 2]>, context: &Context) -> Result<[Tensor; 2]> {
        exactly(self.0.run(x, state.map_or(&[], |state| &state[..]), context)?)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let parameters = |case: Case, rows: usize| case.input([rows, 2]).input([rows, 3]).input([rows]).input([rows]);
    let rnn = |x: &[Tensor], params: &Params| {
        RnnCell::new(2, 3, RnnActivation::Tanh, params)?.forward_with(&x[0], Some(&x[1]), &Context::eval())
    };
    let gru =
        |x: &[Tensor], params: &Params| GruCell::new(2, 3, params)?.forward_with(&x[0], Some(&x[1]), &Context::eval());
    let lstm = |x: &[Tensor], params: &Params| {
        let state = [x[1].clone(), x[2].clone()];
        let [h, c] = LstmCell::new(2, 3, params)?.forward_with(&x[0], Some(&state), &Context::eval())?;
        h.mul(&c)
    };
    vec![
        parameters(of_params("RNN cell", rnn, 2).input([2, 2]).input([2, 3]), 3),
        parameters(of_params("GRU cell", gru, 2).input([2, 2]).input([2, 3]), 9),
        parameters(of_params("LSTM cell", lstm, 3).input([2, 2]).input([2, 3]).input([2, 3]), 12),
    ]
}
