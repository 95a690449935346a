//! Recurrent layers: the same bits on any number of threads, and the steps of an obvious loop in f64.

mod common;

use common::{distance, fused, gradients, on_each, operand, poison};
use taper_backend::{Backend, Buffer, DType, FusedOp, HostData, RecurrentCell};

/// W x + b for each row of W.
fn product(weight: &[f64], x: &[f64], bias: &[f64]) -> Vec<f64> {
    let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    weight.chunks(x.len()).zip(bias).map(|(row, b)| dot(row) + b).collect()
}

/// The output of a layer, `[T + states, N, H]`.
fn steps(
    cell: RecurrentCell,
    [steps, batch, input, hidden]: [usize; 4],
    of: &[Vec<f64>],
    lengths: &[usize],
    reverse: bool,
) -> Vec<f64> {
    let [x, ih, hh, bias_ih, bias_hh, h_0] = [0, 1, 2, 3, 4, 5].map(|i| &of[i]);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut y = vec![0.0; (steps + cell.states()) * batch * hidden];
    for sample in 0..batch {
        let mut h = h_0[sample * hidden..(sample + 1) * hidden].to_vec();
        let mut c = of.get(6).map_or(Vec::new(), |c_0| c_0[sample * hidden..(sample + 1) * hidden].to_vec());
        for i in 0..lengths[sample] {
            let t = if reverse { lengths[sample] - 1 - i } else { i };
            let a = product(ih, &x[(t * batch + sample) * input..][..input], bias_ih);
            let b = product(hh, &h, bias_hh);
            for j in 0..hidden {
                let gate = |k: usize| a[k * hidden + j] + b[k * hidden + j];
                match cell {
                    RecurrentCell::Tanh => h[j] = gate(0).tanh(),
                    RecurrentCell::Relu => h[j] = gate(0).max(0.0),
                    RecurrentCell::Lstm => {
                        c[j] = sigmoid(gate(1)) * c[j] + sigmoid(gate(0)) * gate(2).tanh();
                        h[j] = sigmoid(gate(3)) * c[j].tanh();
                    }
                    RecurrentCell::Gru => {
                        let (r, z) = (sigmoid(gate(0)), sigmoid(gate(1)));
                        let n = (a[2 * hidden + j] + r * b[2 * hidden + j]).tanh();
                        h[j] = (1.0 - z) * n + z * h[j];
                    }
                }
            }
            y[(t * batch + sample) * hidden..][..hidden].copy_from_slice(&h);
        }
        y[(steps * batch + sample) * hidden..][..hidden].copy_from_slice(&h);
        if cell == RecurrentCell::Lstm {
            y[((steps + 1) * batch + sample) * hidden..][..hidden].copy_from_slice(&c);
        }
    }
    y
}

#[test]
fn the_steps_of_a_loop_on_any_number_of_threads() {
    use RecurrentCell::{Gru, Lstm, Relu, Tanh};
    for (i, cell) in [Tanh, Relu, Lstm, Gru].into_iter().enumerate() {
        for (sizes, dtype) in [([5, 37, 6, 70], DType::F32), ([3, 17, 2, 33], DType::F64), ([2, 1, 3, 5], DType::F32)] {
            let [t, batch, input, hidden] = sizes;
            let rows = cell.gates() * hidden;
            let lengths: Vec<usize> = (0..batch).map(|sample| sample * 3 % t + 1).collect();
            let reverse = (i + batch) % 2 == 0;
            let mut shapes = vec![vec![t, batch, input], vec![rows, input], vec![rows, hidden], vec![rows], vec![rows]];
            shapes.extend(vec![vec![batch, hidden]; cell.states()]);
            on_each(
                |cpu| {
                    let drawn: Vec<(Buffer, Vec<f64>)> = shapes
                        .iter()
                        .enumerate()
                        .map(|(i, shape)| {
                            // Weights of this size leave the gates between their ends.
                            let (x, _) = operand(cpu, shape, dtype, i as u64, i % 2 == 0);
                            let x = cpu.binary_scalar(taper_backend::BinaryOp::Mul, &x, 0.25, false).unwrap();
                            let values = cpu.download(&x).unwrap().to_f64();
                            (x, values)
                        })
                        .collect();
                    let x: Vec<&Buffer> = drawn.iter().map(|(x, _)| x).collect();
                    let given: Vec<i64> = lengths.iter().map(|&length| length as i64).collect();
                    let given = cpu.upload(&HostData::I64(given), &[batch].into()).unwrap();
                    let op = FusedOp::Recurrent {
                        x: x[0],
                        weight_ih: x[1],
                        weight_hh: x[2],
                        bias_ih: Some(x[3]),
                        bias_hh: Some(x[4]),
                        h_0: Some(x[5]),
                        c_0: x.get(6).copied(),
                        lengths: Some(&given),
                        cell,
                        reverse,
                    };
                    poison(cpu, t * batch * rows, dtype);
                    let output = fused(cpu, &op);
                    let (g, _) = operand(cpu, output.y.shape(), dtype, 9, true);
                    let grads = gradients(cpu, &op, &g, &output.saved);
                    let mut found = vec![cpu.download(&output.y).unwrap()];
                    found.extend(grads.iter().map(|grad| cpu.download(grad).unwrap()));
                    found.extend(drawn.into_iter().map(|(_, values)| HostData::F64(values)));
                    found
                },
                |cpu, found| {
                    let given: Vec<Vec<f64>> = found[1 + shapes.len()..].iter().map(HostData::to_f64).collect();
                    let due = steps(cell, sizes, &given, &lengths, reverse);
                    let apart = distance(&found[0].to_f64(), &due);
                    let bound = if dtype == DType::F32 { 1e-6 } else { 1e-14 };
                    assert!(apart <= bound, "{cpu:?} {cell:?} {sizes:?} {dtype}: {apart:.1e}");
                    for (i, gradient) in found[1..=shapes.len()].iter().enumerate() {
                        let gradient = gradient.to_f64();
                        assert!(gradient.iter().all(|x| x.is_finite()), "{cpu:?} {cell:?} {sizes:?}: operand {i}");
                        assert!(gradient.iter().any(|x| *x != 0.0), "{cpu:?} {cell:?} {sizes:?}: operand {i}");
                    }
                },
            );
        }
    }
}

#[test]
fn a_length_out_of_range_is_an_error() {
    let cpu = &common::backends()[0];
    let of = |shape: &[usize]| operand(cpu, shape, DType::F32, 1, false).0;
    let (x, weight_ih, weight_hh) = (of(&[3, 2, 4]), of(&[5, 4]), of(&[5, 5]));
    for wrong in [0, 4, -1, i64::MIN, i64::MAX] {
        let lengths = cpu.upload(&HostData::I64(vec![3, wrong]), &[2].into()).unwrap();
        let op = FusedOp::Recurrent {
            x: &x,
            weight_ih: &weight_ih,
            weight_hh: &weight_hh,
            bias_ih: None,
            bias_hh: None,
            h_0: None,
            c_0: None,
            lengths: Some(&lengths),
            cell: RecurrentCell::Tanh,
            reverse: false,
        };
        let found = cpu.fused(&op).err().map(|error| error.to_string());
        let due = format!("recurrent: the length of sample 1 is {wrong}, expected 1 to 3");
        assert_eq!(found, Some(due));
    }
}
