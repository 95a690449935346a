//! Layers and directions of one cell: what `Rnn`, `Lstm` and `Gru` have in common.

use super::RecurrentConfig;
use crate::layers::{Dropout, at_least_one};
use crate::{Context, Init, LayerContext, Module, Params};
use taper_tensor::{Error, Param, RecurrentCell, RecurrentOptions, RecurrentWeights, Result, Tensor};

/// The parameters of one direction of a layer.
#[derive(Debug, Clone)]
pub(super) struct Direction {
    weight_ih: Param,
    weight_hh: Param,
    biases: Option<[Param; 2]>,
}

impl Direction {
    /// Creates `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`, each followed by `suffix`, drawn uniformly from ±1/√H.
    pub(super) fn new(
        cell: RecurrentCell,
        [input, hidden]: [usize; 2],
        bias: bool,
        suffix: &str,
        params: &Params,
    ) -> Result<Self> {
        let rows = cell.gates().saturating_mul(hidden);
        let init = Init::Uniform { bound: 1.0 / (hidden as f64).sqrt() };
        let weight_ih = params.get(&format!("weight_ih{suffix}"), [rows, input], init)?;
        let weight_hh = params.get(&format!("weight_hh{suffix}"), [rows, hidden], init)?;
        let vector = |name: &str| params.get(&format!("{name}{suffix}"), [rows], init);
        let biases = if bias { Some([vector("bias_ih")?, vector("bias_hh")?]) } else { None };
        Ok(Self { weight_ih, weight_hh, biases })
    }

    /// The outputs and the last state of x `[T, N, input]`.
    pub(super) fn run(
        &self,
        x: &Tensor,
        cell: RecurrentCell,
        options: RecurrentOptions,
        context: &LayerContext,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let operand = |param: &Param| context.operand(&param.tensor());
        let (ih, hh) = (operand(&self.weight_ih)?, operand(&self.weight_hh)?);
        let biases = match &self.biases {
            Some([ih, hh]) => Some([operand(ih)?, operand(hh)?]),
            None => None,
        };
        let biases = biases.as_ref().map(|[ih, hh]| [ih, hh]);
        let output = context.operand(x)?.recurrent(cell, RecurrentWeights { ih: &ih, hh: &hh, biases }, options)?;
        Ok((output.y, output.state))
    }
}

/// Layers of one or two directions.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    path: String,
    cell: RecurrentCell,
    config: RecurrentConfig,
    layers: Vec<Vec<Direction>>,
    dropout: Dropout,
}

impl Stack {
    pub(super) fn new(cell: RecurrentCell, config: RecurrentConfig, params: &Params) -> Result<Self> {
        let RecurrentConfig { input_size, hidden_size, num_layers, bias, dropout, .. } = config;
        let sizes = [("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)];
        at_least_one(cell.name(), params.path(), &sizes)?;
        let mut layers = Vec::new();
        for layer in 0..num_layers {
            let input = if layer == 0 { input_size } else { config.output_size() };
            let direction = |suffix: String| Direction::new(cell, [input, hidden_size], bias, &suffix, params);
            let mut directions = vec![direction(format!("_l{layer}"))?];
            if config.bidirectional {
                directions.push(direction(format!("_l{layer}_reverse"))?);
            }
            layers.push(directions);
        }
        let dropout = Dropout::new(dropout, &params.sub("dropout"))?;
        Ok(Self { path: params.path().to_owned(), cell, config, layers, dropout })
    }

    pub(super) fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    /// The output, and the last states, each `[layers · directions, N, H]`. `states` are those before the first step, or
    /// none.
    pub(super) fn run(
        &self,
        x: &Tensor,
        states: &[&Tensor],
        lengths: Option<&[usize]>,
        context: &Context,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        context.layer(&self.path, |context| self.inside(x, states, lengths, context))
    }

    fn inside(
        &self,
        x: &Tensor,
        states: &[&Tensor],
        lengths: Option<&[usize]>,
        context: &LayerContext,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let config = self.config;
        self.checked(x, states)?;
        let mut x = if config.batch_first { x.transpose(0, 1)? } else { x.clone() };
        let states = states.iter().map(|state| context.operand(state)?.unbind(0)).collect::<Result<Vec<_>>>()?;
        let mut last: Vec<Vec<Tensor>> = vec![Vec::new(); self.cell.states()];
        for (layer, directions) in self.layers.iter().enumerate() {
            if layer > 0 {
                x = self.dropout.forward(&x, context)?;
            }
            let mut outputs = Vec::new();
            for (direction, weights) in directions.iter().enumerate() {
                let place = layer * config.directions() + direction;
                let state: Vec<Tensor> = states.iter().filter_map(|state| state.get(place).cloned()).collect();
                let options = RecurrentOptions { state: &state, lengths, reverse: direction == 1 };
                let (y, state) = weights.run(&x, self.cell, options, context)?;
                outputs.push(y);
                last.iter_mut().zip(state).for_each(|(last, state)| last.push(state));
            }
            x = match &outputs[..] {
                [one] => one.clone(),
                all => Tensor::concat(&all.iter().collect::<Vec<_>>(), 2)?,
            };
        }
        let join = |states: &Vec<Tensor>| Tensor::stack(&states.iter().collect::<Vec<_>>(), 0);
        let y = if config.batch_first { x.transpose(0, 1)? } else { x };
        Ok((y, last.iter().map(join).collect::<Result<_>>()?))
    }

    /// An error unless the input and the states before the first step have the shapes that are due.
    fn checked(&self, x: &Tensor, states: &[&Tensor]) -> Result<()> {
        let RecurrentConfig { input_size, hidden_size, num_layers, batch_first, .. } = self.config;
        let op = self.cell.name();
        let order = if batch_first { "samples, steps" } else { "steps, samples" };
        let samples = match x.shape()[..] {
            [first, second, width] if width == input_size => {
                if batch_first {
                    first
                } else {
                    second
                }
            }
            _ => {
                let detail = format!("the input must be [{order}, {input_size}], came as {}", x.shape());
                return Err(Error::shape(op, detail));
            }
        };
        let due = [num_layers * self.config.directions(), samples, hidden_size];
        for (name, state) in ["h_0", "c_0"].iter().zip(states) {
            if state.shape()[..] != due {
                let detail =
                    format!("{name} must be {due:?} (layers · directions, samples, hidden), came as {}", state.shape());
                return Err(Error::shape(op, detail));
            }
        }
        Ok(())
    }
}
