//! Products against a plain twin in f64, for every instruction set that the machine has.

mod common;

use common::{ExactSum, backends, bound, exact_sum, on_each, operand, poison, sum_distance};
use proptest::prelude::*;
use taper_backend::{Backend, Buffer, DType, Shape};

/// `[batch, m, k] × [batch, k, n]`, row-major.
fn twin(a: &[f64], b: &[f64], [batch, m, k, n]: [usize; 4], ta: bool, tb: bool) -> Vec<ExactSum> {
    let mut c = Vec::with_capacity(batch * m * n);
    for t in 0..batch {
        for i in 0..m {
            for j in 0..n {
                let a = |p: usize| a[t * m * k + if ta { p * m + i } else { i * k + p }];
                let b = |p: usize| b[t * k * n + if tb { j * k + p } else { p * n + j }];
                c.push(exact_sum((0..k).map(|p| a(p) * b(p))));
            }
        }
    }
    c
}

fn check(batch: &[usize], m: usize, k: usize, n: usize, [ta, tb]: [bool; 2], dtype: DType, sliced: bool) {
    let shape = |last: [usize; 2]| [batch, &last].concat();
    let (a_shape, b_shape) = (shape(if ta { [k, m] } else { [m, k] }), shape(if tb { [n, k] } else { [k, n] }));
    let count: usize = batch.iter().product();
    let values = |shape: &[usize], seed| operand(&backends()[0], shape, dtype, seed, sliced).1;
    let expected = twin(&values(&a_shape, 1), &values(&b_shape, 2), [count, m, k, n], ta, tb);
    on_each(
        |cpu| {
            let (a, _) = operand(cpu, &a_shape, dtype, 1, sliced);
            let (b, _) = operand(cpu, &b_shape, dtype, 2, sliced);
            poison(cpu, count * m * n, dtype);
            let c = cpu.matmul(&a, &b, ta, tb).unwrap();
            assert_eq!(c.shape(), &Shape::from(shape([m, n])));
            vec![cpu.download(&c).unwrap()]
        },
        |cpu, results| {
            let error = sum_distance(&results[0].to_f64(), &expected);
            assert!(error <= bound(dtype), "{cpu:?} {batch:?} {m} {k} {n} {ta} {tb} {dtype}: {error:e}");
        },
    );
}

fn dtypes() -> impl Strategy<Value = DType> {
    prop::sample::select(vec![DType::F32, DType::F64])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small(m in 0_usize..40, k in 0_usize..40, n in 0_usize..70, ta: bool, tb: bool, dtype in dtypes(), sliced: bool) {
        check(&[], m, k, n, [ta, tb], dtype, sliced);
    }

    #[test]
    fn batches(batch in prop::collection::vec(0_usize..4, 1..3), m in 1_usize..20, k in 0_usize..40, n in 1_usize..40,
        ta: bool, tb: bool, dtype in dtypes(), sliced: bool) {
        check(&batch, m, k, n, [ta, tb], dtype, sliced);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn middle(m in 1_usize..300, k in 1_usize..500, n in 1_usize..300, ta: bool, tb: bool, dtype in dtypes()) {
        check(&[], m, k, n, [ta, tb], dtype, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn few_rows(m in 1_usize..10, k in 1_usize..700, n in 1_usize..300, ta: bool, tb: bool, dtype in dtypes(),
        sliced: bool) {
        check(&[], m, k, n, [ta, tb], dtype, sliced);
        check(&[], n, k, m, [ta, tb], dtype, sliced);
    }
}

/// Few rows of long sums and of short ones, in one task and in several.
#[test]
fn few_rows_of_each_kind() {
    for dtype in [DType::F32, DType::F64] {
        for [m, k, n] in [[1, 9001, 33], [2, 4097, 130], [3, 129, 1100], [7, 300, 513], [8, 17, 1025]] {
            for (ta, tb) in [(false, false), (false, true), (true, true)] {
                check(&[], m, k, n, [ta, tb], dtype, m == 7);
                check(&[], n, k, m, [ta, tb], dtype, false);
            }
        }
    }
}

/// Sizes that reach each way of cutting a product: rows, columns, long sums, either operand the larger.
#[test]
fn each_way_of_cutting() {
    for dtype in [DType::F32, DType::F64] {
        for tb in [false, true] {
            check(&[], 1000, 27, 65, [false, tb], dtype, false);
            check(&[], 33, 700, 500, [false, tb], dtype, false);
            check(&[], 31, 9000, 17, [true, tb], dtype, false);
            check(&[], 3, 5000, 150, [false, tb], dtype, true);
            check(&[5], 130, 170, 200, [tb, tb], dtype, false);
            // Several blocks of both operands: packed by the tasks, or as a whole where the sums are long.
            check(&[], 310, 90, 280, [tb, tb], dtype, false);
            check(&[], 190, 90, 300, [tb, tb], dtype, false);
            check(&[], 180, 800, 270, [tb, tb], dtype, false);
        }
    }
}

/// A batch whose right operand is one matrix, repeated.
#[test]
fn broadcast_operands() {
    for cpu in backends() {
        let (a, a_values) = operand(cpu, &[2, 3, 50, 40], DType::F32, 1, false);
        let (b, b_values) = operand(cpu, &[40, 30], DType::F32, 2, false);
        let wide = cpu.broadcast(&b, &[2, 3, 40, 30].into()).unwrap();
        let c = cpu.download(&cpu.matmul(&a, &wide, false, false).unwrap()).unwrap().to_f64();
        let expected = twin(&a_values, &b_values, [1, 300, 40, 30], false, false);
        assert!(sum_distance(&c, &expected) <= bound(DType::F32));
        // The left one repeated instead, and transposed.
        let c = cpu.download(&cpu.matmul(&wide, &a, true, true).unwrap()).unwrap().to_f64();
        let expected: Vec<ExactSum> =
            a_values.chunks(50 * 40).flat_map(|a| twin(&b_values, a, [1, 30, 40, 50], true, true)).collect();
        assert!(sum_distance(&c, &expected) <= bound(DType::F32));
    }
}

/// Halves are multiplied and added as f32, and rounded once.
#[test]
fn halves_are_rounded_once() {
    for cpu in backends() {
        let (a, _) = operand(cpu, &[5, 300], DType::F32, 1, false);
        let (b, _) = operand(cpu, &[300, 7], DType::F32, 2, false);
        for dtype in [DType::F16, DType::BF16] {
            let half = |x: &Buffer| cpu.cast(x, dtype).unwrap();
            let wide = |x: &Buffer| cpu.cast(x, DType::F32).unwrap();
            let (a, b) = (half(&a), half(&b));
            let c = cpu.matmul(&a, &b, false, false).unwrap();
            assert_eq!(c.dtype(), dtype);
            let due = half(&cpu.matmul(&wide(&a), &wide(&b), false, false).unwrap());
            assert_eq!(cpu.download(&c).unwrap(), cpu.download(&due).unwrap());
        }
    }
}
