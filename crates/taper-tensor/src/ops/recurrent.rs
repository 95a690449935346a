//! One direction of a recurrent layer over all steps: h_t = cell(x_t, h_{t−1}) for the cells of [`RecurrentCell`] (Elman
//! 1990; Hochreiter and Schmidhuber 1997; Cho et al. 2014), with PyTorch's gates, weights and two biases.
//!
//! Samples may have lengths of their own, as PyTorch's packed sequences have: padding changes nothing, neither the
//! states nor a gradient, and the backward direction starts at each sample's own end.

use super::shorthand::{all_f32, fused, is_half, optional};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, FusedOp, RecurrentCell, Result};

/// The weights of one direction of a recurrent layer; the order of their rows is told at [`RecurrentCell`].
#[derive(Debug, Clone, Copy)]
pub struct RecurrentWeights<'a> {
    /// The weight of the input, `[gates · H, input]`.
    pub ih: &'a Tensor,
    /// The weight of the state, `[gates · H, H]`.
    pub hh: &'a Tensor,
    /// The biases of the input's and of the state's product, each `[gates · H]`.
    pub biases: Option<[&'a Tensor; 2]>,
}

/// What a recurrent layer is given beside input and weights. The default: the state 0, all steps of all samples, from
/// the first to the last.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecurrentOptions<'a> {
    /// The state before the first step, `[N, H]`: h, or h and c for LSTM.
    pub state: &'a [Tensor],
    /// The number of steps of each sample, 1 to T. What follows is padding.
    pub lengths: Option<&'a [usize]>,
    /// Whether the steps are taken from the last to the first.
    pub reverse: bool,
}

/// What a recurrent layer gives.
#[derive(Debug, Clone)]
pub struct RecurrentOutput {
    /// h after each step, `[T, N, H]`; 0 at padding.
    pub y: Tensor,
    /// The state after each sample's last step, `[N, H]`: h, or h and c for LSTM.
    pub state: Vec<Tensor>,
}

impl Tensor {
    /// One direction of a recurrent layer over this input, `[T, N, input]`: the states h of all steps, and the last.
    ///
    /// # Errors
    /// When there is no step, shapes do not match, there are too few or too many states, or a length is 0 or over T.
    pub fn recurrent(
        &self,
        cell: RecurrentCell,
        weights: RecurrentWeights,
        options: RecurrentOptions,
    ) -> Result<RecurrentOutput> {
        let [steps, batch, hidden] = checked(self, cell, &weights, &options)?;
        let mask = options.lengths.map(|lengths| Mask::new(self, lengths)).transpose()?;
        let x = match &mask {
            // Whatever stands at padding, NaN included, is multiplied with gradients of 0.
            Some(mask) => &mask.steps.select(self, &self.scalar_like(0.0)?)?,
            None => self,
        };
        let parts = Parts {
            cell,
            reverse: options.reverse,
            biases: weights.biases.is_some(),
            state: !options.state.is_empty(),
            lengths: mask.is_some(),
        };
        let mut operands = vec![x, weights.ih, weights.hh];
        operands.extend(weights.biases.into_iter().flatten());
        operands.extend(options.state);
        operands.extend(mask.as_ref().map(|mask| &mask.lengths));
        let steps_mask = mask.as_ref().map(|mask| mask.steps.clone());
        let all = fused(
            "recurrent",
            &operands,
            move |all| parts.op(all),
            move |all| composed(parts, steps_mask.as_ref(), all),
        )?;
        let sizes = [vec![steps], vec![1; cell.states()]].concat();
        let mut parts = all.split_with_sizes(&sizes, 0)?.into_iter();
        let y = parts.next().unwrap_or(all);
        let state = parts.map(|state| state.reshape([batch, hidden])).collect::<Result<_>>()?;
        Ok(RecurrentOutput { y, state })
    }
}

/// `[T, N, H]`.
fn checked(
    x: &Tensor,
    cell: RecurrentCell,
    weights: &RecurrentWeights,
    options: &RecurrentOptions,
) -> Result<[usize; 3]> {
    let op = cell.name();
    check::float(op, x)?;
    let wrong = |what: &str, expected: String, came: &Tensor| {
        Err(Error::shape(op, format!("{what} must be {expected}, came as {}", came.shape())))
    };
    let &[steps, batch, input] = &x.shape()[..] else {
        return wrong("the input", "[steps, samples, input]".into(), x);
    };
    if steps == 0 {
        return wrong("the input", "[steps, samples, input] with at least one step".into(), x);
    }
    let gates = cell.gates();
    let rows = weights.hh.shape().first().copied().unwrap_or(0);
    let hidden = rows / gates;
    if weights.hh.shape()[..] != [gates * hidden, hidden] {
        return wrong("weight_hh", format!("[{gates} · hidden, hidden]"), weights.hh);
    }
    if weights.ih.shape()[..] != [rows, input] {
        let detail = format!("[{rows}, {input}], for the input {} and {hidden} hidden units", x.shape());
        return wrong("weight_ih", detail, weights.ih);
    }
    check::same(op, &["the input", "weight_ih", "weight_hh"], &[x, weights.ih, weights.hh])?;
    for (name, bias) in ["bias_ih", "bias_hh"].into_iter().zip(weights.biases.into_iter().flatten()) {
        check::same(op, &["the input", name], &[x, bias])?;
        if bias.shape()[..] != [rows] {
            return wrong(name, format!("[{rows}]"), bias);
        }
    }
    if !options.state.is_empty() && options.state.len() != cell.states() {
        let detail = format!("the state is {} tensors, expected {}", options.state.len(), cell.states());
        return Err(Error::argument(op, detail));
    }
    for (name, state) in ["h_0", "c_0"].into_iter().zip(options.state) {
        check::same(op, &["the input", name], &[x, state])?;
        if state.shape()[..] != [batch, hidden] {
            return wrong(name, format!("[{batch}, {hidden}] (samples, hidden)"), state);
        }
    }
    let lengths = options.lengths.unwrap_or_default();
    if options.lengths.is_some() && lengths.len() != batch {
        let detail = format!("{} lengths for {batch} samples, expected one for each", lengths.len());
        return Err(Error::argument(op, detail));
    }
    if let Some(i) = lengths.iter().position(|length| !(1..=steps).contains(length)) {
        let detail = format!("the length of sample {i} is {}, expected 1 to {steps}, the padded length", lengths[i]);
        return Err(Error::argument(op, detail));
    }
    Ok([steps, batch, hidden])
}

/// Which steps of which samples are not padding.
struct Mask {
    /// i64 `[N]`.
    lengths: Tensor,
    /// u8 `[T, N, 1]`.
    steps: Tensor,
}

impl Mask {
    fn new(x: &Tensor, lengths: &[usize]) -> Result<Self> {
        let (steps, batch) = (x.shape()[0], lengths.len());
        let within = (0..steps).flat_map(|t| lengths.iter().map(move |&length| u8::from(t < length)));
        Ok(Self {
            steps: Tensor::from_vec(within.collect(), [steps, batch, 1], x.device())?,
            lengths: Tensor::from_vec(lengths.iter().map(|&length| length as i64).collect(), [batch], x.device())?,
        })
    }
}

/// Which operands are present, and the attributes.
#[derive(Clone, Copy)]
struct Parts {
    cell: RecurrentCell,
    reverse: bool,
    biases: bool,
    state: bool,
    lengths: bool,
}

impl Parts {
    /// The optional operands b_i, b_h, h_0, c_0 and the lengths among `all`, which are those that are present.
    fn optional(self, all: &[Tensor]) -> [Option<&Tensor>; 5] {
        let mut rest = all.iter().skip(3);
        let c_0 = self.state && self.cell == RecurrentCell::Lstm;
        [self.biases, self.biases, self.state, c_0, self.lengths]
            .map(|present| if present { rest.next() } else { None })
    }

    fn op(self, all: &[Tensor]) -> Result<FusedOp<'_>> {
        let [bias_ih, bias_hh, h_0, c_0, lengths] = self.optional(all);
        Ok(FusedOp::Recurrent {
            x: all[0].buffer()?,
            weight_ih: all[1].buffer()?,
            weight_hh: all[2].buffer()?,
            bias_ih: optional(bias_ih)?,
            bias_hh: optional(bias_hh)?,
            h_0: optional(h_0)?,
            c_0: optional(c_0)?,
            lengths: optional(lengths)?,
            cell: self.cell,
            reverse: self.reverse,
        })
    }
}

/// `[T + states, N, H]`, step by step. `mask` is 0 at padding, `[T, N, 1]`.
fn composed(parts: Parts, mask: Option<&Tensor>, all: &[Tensor]) -> Result<Tensor> {
    let [bias_ih, bias_hh, h_0, c_0, _] = parts.optional(all);
    let (x, weight_ih, weight_hh) = (&all[0], &all[1], &all[2]);
    if is_half(x) {
        // Every step in f32, and the results rounded once.
        let wide = all_f32([Some(x), Some(weight_ih), Some(weight_hh), bias_ih, bias_hh, h_0, c_0])?;
        let wide: Vec<Tensor> = wide.into_iter().flatten().collect();
        return composed(parts, mask, &wide)?.cast(x.dtype());
    }
    let hidden = weight_hh.shape()[1];
    let zero = || Tensor::zeros([x.shape()[1], hidden], x.dtype(), x.device());
    let mut h = h_0.cloned().map_or_else(zero, Ok)?;
    let mut c = c_0.cloned().map_or_else(zero, Ok)?;
    let inputs = x.linear(weight_ih, bias_ih)?.unbind(0)?;
    let masks = mask.map(|mask| mask.unbind(0)).transpose()?;
    let mut outputs = Vec::with_capacity(inputs.len());
    let order: Vec<usize> = if parts.reverse { (0..inputs.len()).rev().collect() } else { (0..inputs.len()).collect() };
    for t in order {
        let [new_h, new_c] = step(parts.cell, &inputs[t], &h.linear(weight_hh, bias_hh)?, &h, &c)?;
        let Some(masks) = &masks else {
            (h, c) = (new_h, new_c);
            outputs.push(h.clone());
            continue;
        };
        outputs.push(masks[t].select(&new_h, &h.scalar_like(0.0)?)?);
        (h, c) = (masks[t].select(&new_h, &h)?, masks[t].select(&new_c, &c)?);
    }
    if parts.reverse {
        outputs.reverse();
    }
    outputs.push(h);
    if parts.cell == RecurrentCell::Lstm {
        outputs.push(c);
    }
    Tensor::stack(&outputs.iter().collect::<Vec<_>>(), 0)
}

/// h′ and c′ (c unless the cell is LSTM's), of the step's input W_i x + b_i, `state` = W_h h + b_h, h and c.
fn step(cell: RecurrentCell, input: &Tensor, state: &Tensor, h: &Tensor, c: &Tensor) -> Result<[Tensor; 2]> {
    let hidden = h.shape()[1];
    let part = |of: &[Tensor], i: usize| {
        of.get(i).cloned().ok_or_else(|| Error::argument(cell.name(), format!("gate {i} is missing")))
    };
    match cell {
        RecurrentCell::Tanh => Ok([input.add(state)?.tanh()?, c.clone()]),
        RecurrentCell::Relu => Ok([input.add(state)?.relu()?, c.clone()]),
        RecurrentCell::Lstm => {
            let gates = input.add(state)?.split(hidden, 1)?;
            let (i, f) = (part(&gates, 0)?.sigmoid()?, part(&gates, 1)?.sigmoid()?);
            let (g, o) = (part(&gates, 2)?.tanh()?, part(&gates, 3)?.sigmoid()?);
            let c = f.mul(c)?.add(&i.mul(&g)?)?;
            Ok([o.mul(&c.tanh()?)?, c])
        }
        RecurrentCell::Gru => {
            let (input, state) = (input.split(hidden, 1)?, state.split(hidden, 1)?);
            let gate = |i| part(&input, i)?.add(&part(&state, i)?)?.sigmoid();
            let (r, z) = (gate(0)?, gate(1)?);
            let n = part(&input, 2)?.add(&r.mul(&part(&state, 2)?)?)?.tanh()?;
            Ok([n.add(&z.mul(&h.sub(&n)?)?)?, c.clone()])
        }
    }
}

/// A case of `cell` for sizes `[T, N, input, H]`: its output and last state, joined.
fn case(
    name: &str,
    cell: RecurrentCell,
    [steps, batch, input, hidden]: [usize; 4],
    with: (bool, bool),
    lengths: Option<&'static [usize]>,
    reverse: bool,
) -> Case {
    let (biases, state) = with;
    let rows = cell.gates() * hidden;
    let function = move |x: &[Tensor]| {
        let weights = RecurrentWeights { ih: &x[1], hh: &x[2], biases: biases.then(|| [&x[3], &x[4]]) };
        let state = if state { &x[if biases { 5 } else { 3 }..] } else { &[] };
        let output = x[0].recurrent(cell, weights, RecurrentOptions { state, lengths, reverse })?;
        let last = output.state.iter().map(|state| state.unsqueeze(0)).collect::<Result<Vec<_>>>()?;
        let parts: Vec<&Tensor> = std::iter::once(&output.y).chain(&last).collect();
        Tensor::concat(&parts, 0)
    };
    let mut case = Case::new(name, function).input([steps, batch, input]).input([rows, input]).input([rows, hidden]);
    for _ in 0..if biases { 2 } else { 0 } {
        case = case.input([rows]);
    }
    for _ in 0..if state { cell.states() } else { 0 } {
        case = case.input([batch, hidden]);
    }
    case
}

pub(super) fn cases() -> Vec<Case> {
    use RecurrentCell::{Gru, Lstm, Relu, Tanh};
    let lengths: &'static [usize] = &[1, 3, 2];
    vec![
        case("RNN", Tanh, [3, 2, 2, 3], (true, true), None, false),
        case("RNN with ReLU", Relu, [3, 2, 2, 2], (true, true), None, false),
        case("RNN, reverse, lengths", Tanh, [3, 3, 2, 2], (true, true), Some(lengths), true),
        case("LSTM", Lstm, [3, 2, 2, 3], (true, true), None, false),
        case("LSTM, neither biases nor state", Lstm, [2, 3, 2, 2], (false, false), None, false),
        case("LSTM, reverse", Lstm, [3, 2, 2, 2], (true, true), None, true),
        case("LSTM, lengths", Lstm, [3, 3, 2, 2], (true, true), Some(lengths), false),
        case("LSTM, reverse, lengths", Lstm, [3, 3, 2, 2], (true, true), Some(lengths), true),
        case("GRU", Gru, [3, 2, 2, 3], (true, true), None, false),
        case("GRU, neither biases nor state", Gru, [2, 3, 2, 2], (false, false), None, true),
        case("GRU, lengths", Gru, [3, 3, 2, 2], (true, true), Some(lengths), false),
        case("GRU, reverse, lengths", Gru, [3, 3, 2, 2], (true, true), Some(lengths), true),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Device};

    fn cpu() -> Result<Device> {
        Ok(Device::new(taper_cpu::CpuBackend::with_threads(1)?))
    }

    #[test]
    fn errors_say_what_is_wrong() -> Result<()> {
        let device = cpu()?;
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &device);
        let (x, ih, hh, bias) = (zeros(&[4, 2, 3])?, zeros(&[20, 3])?, zeros(&[20, 5])?, zeros(&[20])?);
        let state = [zeros(&[2, 5])?, zeros(&[2, 5])?];
        let weights = RecurrentWeights { ih: &ih, hh: &hh, biases: Some([&bias, &bias]) };
        let none = RecurrentOptions::default();
        let says = |x: &Tensor, weights, options, text: &str| {
            let found = x.recurrent(RecurrentCell::Lstm, weights, options).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), Some(text));
        };
        x.recurrent(RecurrentCell::Lstm, weights, RecurrentOptions { state: &state, ..none })?;
        says(
            &zeros(&[0, 2, 3])?,
            weights,
            none,
            "lstm: the input must be [steps, samples, input] with at least one step, came as [0, 2, 3]",
        );
        says(&zeros(&[2, 3])?, weights, none, "lstm: the input must be [steps, samples, input], came as [2, 3]");
        says(
            &zeros(&[4, 2, 7])?,
            weights,
            none,
            "lstm: weight_ih must be [20, 7], for the input [4, 2, 7] and 5 hidden units, came as [20, 3]",
        );
        let hh_short = zeros(&[18, 5])?;
        says(
            &x,
            RecurrentWeights { hh: &hh_short, ..weights },
            none,
            "lstm: weight_hh must be [4 · hidden, hidden], came as [18, 5]",
        );
        says(
            &x,
            RecurrentWeights { biases: Some([&bias, &ih]), ..weights },
            none,
            "lstm: bias_hh must be [20], came as [20, 3]",
        );
        says(&x, weights, RecurrentOptions { state: &state[..1], ..none }, "lstm: the state is 1 tensors, expected 2");
        let other = [zeros(&[2, 5])?, zeros(&[3, 5])?];
        says(
            &x,
            weights,
            RecurrentOptions { state: &other, ..none },
            "lstm: c_0 must be [2, 5] (samples, hidden), came as [3, 5]",
        );
        for (lengths, text) in [
            (&[4, 0][..], "lstm: the length of sample 1 is 0, expected 1 to 4, the padded length"),
            (&[5, 1], "lstm: the length of sample 0 is 5, expected 1 to 4, the padded length"),
            (&[4], "lstm: 1 lengths for 2 samples, expected one for each"),
        ] {
            says(&x, weights, RecurrentOptions { lengths: Some(lengths), ..none }, text);
        }
        Ok(())
    }

    /// What stands at padding, NaN too, is neither in the outputs nor in a gradient.
    #[test]
    fn padding_changes_nothing() -> Result<()> {
        let device = cpu()?;
        let lengths = [2, 4, 1];
        for cell in [RecurrentCell::Tanh, RecurrentCell::Relu, RecurrentCell::Lstm, RecurrentCell::Gru] {
            for reverse in [false, true] {
                let rows = cell.gates() * 2;
                let numbers = |count: usize| (0..count).map(|i| ((i * 7 % 13) as f64 - 6.0) / 9.0);
                let weights: Vec<Tensor> = [vec![rows, 3], vec![rows, 2], vec![rows], vec![rows]]
                    .into_iter()
                    .map(|shape| {
                        let count = shape.iter().product();
                        Ok(Tensor::from_vec(numbers(count).collect(), shape, &device)?.requires_grad())
                    })
                    .collect::<Result<_>>()?;
                let run = |steps: usize, padding: f64| -> Result<Vec<Vec<f64>>> {
                    let mut x: Vec<f64> = numbers(steps * 3 * 3).collect();
                    for t in 0..steps {
                        for (sample, &length) in lengths.iter().enumerate().filter(|(_, length)| t >= **length) {
                            assert!(length < steps || steps == 4);
                            x[(t * 3 + sample) * 3..][..3].fill(padding);
                        }
                    }
                    let x = Tensor::from_vec(x, [steps, 3, 3], &device)?.requires_grad();
                    let given =
                        RecurrentWeights { ih: &weights[0], hh: &weights[1], biases: Some([&weights[2], &weights[3]]) };
                    let options = RecurrentOptions { lengths: Some(&lengths), reverse, ..Default::default() };
                    let output = x.recurrent(cell, given, options)?;
                    let y = output.y.narrow(0, 0, 4)?;
                    let sum = |x: &Tensor| x.mul(x)?.sum_all();
                    // The gradient of an output at padding is not 0, and is not meant.
                    let mut loss = sum(&output.y.add_scalar(1.0)?)?;
                    for state in &output.state {
                        loss = loss.add(&sum(state)?)?;
                    }
                    let gradients = loss.backward()?;
                    let of_x = gradients.of(&x).expect("a gradient").narrow(0, 0, 4)?;
                    let mut found = vec![y.to_vec()?, of_x.to_vec()?];
                    for tensor in output.state.iter() {
                        found.push(tensor.to_vec()?);
                    }
                    for weight in &weights {
                        found.push(gradients.of(weight).expect("a gradient").to_vec()?);
                    }
                    Ok(found)
                };
                let plain = run(4, 0.0)?;
                assert!(plain.iter().flatten().all(|x| x.is_finite()));
                for (steps, padding) in [(4, f64::NAN), (6, 9.0)] {
                    assert_eq!(run(steps, padding)?, plain, "{cell:?} {reverse} {steps} {padding}");
                }
                assert_eq!(plain[0][(3 * 3) * 2..][..2], [0.0; 2], "padding's output");
            }
        }
        Ok(())
    }
}
