//! Cases of matrix products: odd and empty sizes, every transpose, batches, and operands of every form.

use super::{Bound, DType, FLOATS, Form, Run};

const SIZES: [usize; 8] = [1, 2, 3, 5, 7, 17, 24, 33];

pub fn cases(run: &mut Run) {
    for dtype in FLOATS {
        let key = taper_backend::RandomKey::new(5).child("matmul sizes");
        for i in 0..48 {
            let size = |j| SIZES[key.below(4 * i + j, SIZES.len())];
            let batch: &[usize] = [&[][..], &[2], &[3, 2], &[1], &[5]][key.below(4 * i + 3, 5)];
            product(run, dtype, batch, [size(0), size(1), size(2)], i as usize);
        }
        for (i, size) in [[0, 3, 2], [3, 0, 2], [3, 2, 0], [0, 0, 0]].into_iter().enumerate() {
            product(run, dtype, &[], size, i);
            product(run, dtype, &[2], size, i + 1);
        }
        product(run, dtype, &[0], [3, 2, 4], 0);
    }
    for dtype in super::WIDE {
        // Larger than a kernel's blocks in each direction, with remainders.
        let large = [
            [65, 130, 97],
            [129, 257, 65],
            [1, 4099, 3],
            [3, 4099, 2],
            [515, 3, 7],
            [5, 7, 515],
            [1, 33, 300],
            [300, 33, 1],
        ];
        for (i, size) in large.into_iter().enumerate() {
            product(run, dtype, &[], size, i);
        }
        product(run, dtype, &[17], [31, 40, 25], 2);
    }
}

/// The cases of one size: all four combinations of transposed operands.
fn product(run: &mut Run, dtype: DType, batch: &[usize], [m, k, n]: [usize; 3], i: usize) {
    for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
        let shuffled = i + 2 * usize::from(transpose_a) + 3 * usize::from(transpose_b);
        for (f, g) in [(Form::Plain, Form::Plain), (Form::nth(shuffled), Form::nth(shuffled / 2 + 1))] {
            let label = format!("{batch:?} {m}x{k}x{n} transposed {transpose_a} {transpose_b} {f:?} {g:?} number {i}");
            run.case("matmul", dtype, label, |case| {
                let (a, b) = (if transpose_a { [k, m] } else { [m, k] }, if transpose_b { [n, k] } else { [k, n] });
                let a = case.biased([batch, &a].concat()).form(f);
                let b = case.biased([batch, &b].concat()).form(g);
                case.check(Bound::Sum(k), &[a, b], |d, x| {
                    Ok(vec![d.matmul(&x[0], &x[1], transpose_a, transpose_b)?])
                });
            });
        }
    }
}
