//! Batch norm's backward finds the gate of a ReLU again, and finds the one that the forward used: bit by bit.

mod common;

use common::{fused, gradients, normal, on_each, poison};
use taper_backend::{Activation, Backend, DType, FusedOp, HostData, Saved, Shape, UnaryOp};

/// Channels that kernels take together, and a rest; several tasks.
const SHAPE: [usize; 4] = [9, 45, 10, 11];

/// A residual that is minus the norm's own output makes every sum 0 exactly, where it is rounded as the forward rounds it;
/// otherwise about half of them would be above 0.
#[test]
fn nothing_passes_where_all_is_zero() {
    for dtype in [DType::F32, DType::F64] {
        on_each(
            |cpu| {
                let upload = |shape: Shape, seed| {
                    cpu.upload(&HostData::from_f64(&normal(shape.count(), seed), dtype), &shape).unwrap()
                };
                let (x, w, b) = (upload(SHAPE.into(), 1), upload([45].into(), 2), upload([45].into(), 3));
                let (weight, bias) = (Some(&w), Some(&b));
                let stats = &fused(cpu, &FusedOp::BatchNormStats { x: &x, eps: 1e-5 }).saved;
                let f = Activation::Identity;
                let op = FusedOp::BatchNormBlock { x: &x, weight, bias, residual: None, stats, f };
                let norm = fused(cpu, &op).y;
                let r = cpu.unary(UnaryOp::Neg, &norm).unwrap();
                let g = cpu.fill(&SHAPE.into(), dtype, 1.0).unwrap();
                poison(cpu, x.count(), dtype);
                let f = Activation::Relu;
                let op = FusedOp::BatchNormBlock { x: &x, weight, bias, residual: Some(&r), stats, f };
                let all = [vec![fused(cpu, &op).y], gradients(cpu, &op, &g, &Saved::nothing())].concat();
                assert_eq!(all.len(), 5);
                all.iter().map(|y| cpu.download(y).unwrap()).collect()
            },
            |cpu, found| {
                for (i, found) in found.iter().enumerate() {
                    assert!(found.to_f64().iter().all(|&y| y == 0.0), "result {i} in {dtype} on {cpu:?} is not 0");
                }
            },
        );
    }
}

/// With g = 1, dL/dbias counts the elements that the forward let pass, and the residual's gradient says which they are.
#[test]
fn what_passes_is_what_passed() {
    on_each(
        |cpu| {
            let draw = |seed| {
                let values = normal(SHAPE.iter().product(), seed);
                cpu.upload(&HostData::from_f64(&values, DType::F32), &SHAPE.into()).unwrap()
            };
            let (x, r) = (draw(1), draw(2));
            let g = cpu.fill(&SHAPE.into(), DType::F32, 1.0).unwrap();
            let b = cpu.fill(&[45].into(), DType::F32, 0.0).unwrap();
            let stats = &fused(cpu, &FusedOp::BatchNormStats { x: &x, eps: 1e-5 }).saved;
            let run = |residual| {
                let f = Activation::Relu;
                let op = FusedOp::BatchNormBlock { x: &x, weight: None, bias: Some(&b), residual, stats, f };
                (fused(cpu, &op).y, gradients(cpu, &op, &g, &Saved::nothing()))
            };
            let ((y, of), (added, with)) = (run(None), run(Some(&r)));
            // After the input's gradient come the bias's and the residual's.
            let all = [&y, &of[1], &added, &with[1], &with[2]];
            all.iter().map(|y| cpu.download(y).unwrap()).collect()
        },
        |_, found| {
            let found: Vec<Vec<f64>> = found.iter().map(HostData::to_f64).collect();
            for [y, bias] in [[0, 1], [2, 3]] {
                let mut counts = vec![0.0; 45];
                found[y].iter().enumerate().filter(|(_, y)| **y > 0.0).for_each(|(i, _)| counts[i / 110 % 45] += 1.0);
                assert_eq!(found[bias], counts);
            }
            let passed: Vec<f64> = found[2].iter().map(|&y| if y > 0.0 { 1.0 } else { 0.0 }).collect();
            assert_eq!(found[4], passed);
        },
    );
}
