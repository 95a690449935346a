//! `sgemm-MxKxN`: the matrix product A[M, K] · B[K, N] in f32. The first four are the shapes of the seed CNN's layers.

use super::classifier::normal;
use super::{Measured, Work};
use crate::flop;

const SHAPES: [[usize; 3]; 9] = [
    [65536, 27, 64],
    [16384, 576, 128],
    [16384, 64, 128],
    [64, 8192, 512],
    [128, 1024, 1024],
    [256, 256, 256],
    [512, 512, 512],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
];

pub fn works() -> Vec<Work> {
    let work = |[m, k, n]: [usize; 3]| Work {
        name: format!("sgemm-{m}x{k}x{n}"),
        timed: "matrix product M × K × N, f32",
        measured: Measured::Time,
        family: Some("sgemm"),
        threads: 2,
        flop: flop::product([m, k, n]),
        bytes: None,
        make: Box::new(move |device| {
            let (a, b) = (normal("a", [m, k], device)?, normal("b", [k, n], device)?);
            Ok(Box::new(move || {
                let product = a.matmul(&b)?;
                product.buffer()?;
                Ok(product)
            }))
        }),
    };
    SHAPES.map(work).into()
}
