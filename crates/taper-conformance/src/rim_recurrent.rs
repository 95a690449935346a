//! Cases of recurrent layers of more samples, units and steps than a gradient check has, so that kernels split them into
//! tasks, vectors and blocks: against the version that the reference backend composes.

use super::Run;
use super::operations::beside_composed;
use taper_tensor::gradcheck::Case;
use taper_tensor::{RecurrentCell, RecurrentOptions, RecurrentWeights, Result, Tensor};

pub fn cases(run: &mut Run) {
    use RecurrentCell::{Gru, Lstm, Relu, Tanh};
    for (i, cell) in [Tanh, Relu, Lstm, Gru].into_iter().enumerate() {
        let sizes = [[3, 17, 5, 19], [1, 3, 2, 16], [3, 1, 1, 1], [2, 9, 3, 57], [4, 4, 3, 8]];
        for (j, [steps, batch, input, hidden]) in sizes.into_iter().enumerate() {
            let (reverse, lengths) = ((i + j) % 2 == 1, j % 3 != 1);
            let lengths = lengths.then(|| (0..batch).map(|sample| sample * 7 % steps + 1).collect::<Vec<_>>());
            let of = case(cell, [steps, batch, input, hidden], (j % 2 == 0, j != 4), lengths, reverse);
            beside_composed(run, "recurrent", &of);
        }
    }
}

/// A layer of `[T, N, input, H]` with biases and a state or not: its output and last states, joined.
fn case(
    cell: RecurrentCell,
    [steps, batch, input, hidden]: [usize; 4],
    (biases, state): (bool, bool),
    lengths: Option<Vec<usize>>,
    reverse: bool,
) -> Case {
    let rows = cell.gates() * hidden;
    let name = format!(
        "{cell:?} [{steps}, {batch}, {input}] to {hidden}, biases {biases}, state {state}, reverse {reverse}, \
         lengths {}",
        lengths.is_some()
    );
    let function = move |x: &[Tensor]| {
        let (given, rest) = x.split_at(3);
        let (of_bias, of_state) = rest.split_at(if biases { 2 } else { 0 });
        let biases = if let [ih, hh] = of_bias { Some([ih, hh]) } else { None };
        let weights = RecurrentWeights { ih: &given[1], hh: &given[2], biases };
        let options = RecurrentOptions { state: of_state, lengths: lengths.as_deref(), reverse };
        let output = given[0].recurrent(cell, weights, options)?;
        let last = output.state.iter().map(|state| state.unsqueeze(0)).collect::<Result<Vec<_>>>()?;
        Tensor::concat(&std::iter::once(&output.y).chain(&last).collect::<Vec<_>>(), 0)
    };
    // Weights of the size that layers draw, so that gates are not all at their ends.
    let bound = 1.0 / (hidden as f64).sqrt();
    let mut case = Case::new(name, function).input([steps, batch, input]);
    case = case.input_in([rows, input], -bound, bound).input_in([rows, hidden], -bound, bound);
    for _ in 0..if biases { 2 } else { 0 } {
        case = case.input_in([rows], -bound, bound);
    }
    for _ in 0..if state { cell.states() } else { 0 } {
        case = case.input([batch, hidden]);
    }
    case
}
