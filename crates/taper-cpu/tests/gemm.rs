//! Products against a plain twin in f64, for every instruction set that the machine has.

use proptest::prelude::*;
use taper_backend::{Backend, Buffer, DType, Element, HostData, RandomKey, Shape, SliceRange};
use taper_cpu::{CpuBackend, Isa};

/// One backend for each instruction set, and one for each of several numbers of threads.
fn backends() -> &'static [CpuBackend] {
    static BACKENDS: std::sync::OnceLock<Vec<CpuBackend>> = std::sync::OnceLock::new();
    BACKENDS.get_or_init(|| {
        Isa::available()
            .into_iter()
            .flat_map(|isa| [2, 1, 3].map(|threads| CpuBackend::with_isa(threads, isa).unwrap()))
            .collect()
    })
}

fn normal(count: usize, seed: u64) -> Vec<f64> {
    (0..count as u64).map(|i| RandomKey::new(seed).normal(i)).collect()
}

/// ‖a − b‖ / ‖b‖, and NaN if anything is.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
    if difference == 0.0 { 0.0 } else { difference / norm(&mut b.iter().copied()) }
}

/// A few roundings: of n random terms the sum grows as √n, the error of a running sum as n, and so their ratio as √n;
/// but a running sum is never longer than a panel is deep, a few hundred.
fn bound(dtype: DType) -> f64 {
    if dtype == DType::F32 { 6e-7 } else { 1e-15 }
}

/// Fills the pool with blocks of NaN, so that a result that nobody wrote shows.
fn poison(cpu: &CpuBackend, count: usize, dtype: DType) {
    let kept: Vec<Buffer> =
        [1, 2, 3, 1].map(|i| cpu.fill(&[count * i].into(), dtype, f64::NAN).unwrap()).into_iter().collect();
    drop(kept);
}

/// Random values of `shape` as `dtype` rounds them, as a buffer in an odd place of memory, and as f64.
fn operand(cpu: &CpuBackend, shape: &[usize], dtype: DType, seed: u64, sliced: bool) -> (Buffer, Vec<f64>) {
    let mut outer = shape.to_vec();
    if sliced {
        outer.iter_mut().for_each(|size| *size += 1);
    }
    let data = HostData::from_f64(&normal(outer.iter().product(), seed), dtype);
    let whole = cpu.upload(data, &outer.into()).unwrap();
    let ranges: Vec<SliceRange> =
        shape.iter().map(|&size| SliceRange::new(usize::from(sliced), size + usize::from(sliced))).collect();
    let x = cpu.slice(&whole, &ranges).unwrap();
    let values = cpu.download(&x).unwrap().to_f64();
    (x, values)
}

/// A sum whose error does not grow with its length (Kahan 1965).
fn exact_sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut rest) = (0.0, 0.0);
    for term in terms {
        let corrected = term - rest;
        let next: f64 = sum + corrected;
        rest = (next - sum) - corrected;
        sum = next;
    }
    sum
}

/// `[batch, m, k] × [batch, k, n]`, row-major.
fn twin(a: &[f64], b: &[f64], [batch, m, k, n]: [usize; 4], ta: bool, tb: bool) -> Vec<f64> {
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

fn check(batch: &[usize], m: usize, k: usize, n: usize, ta: bool, tb: bool, dtype: DType, sliced: bool) {
    let shape = |last: [usize; 2]| [batch, &last].concat();
    let (a_shape, b_shape) = (shape(if ta { [k, m] } else { [m, k] }), shape(if tb { [n, k] } else { [k, n] }));
    let mut first: Option<(Isa, HostData)> = None;
    let count: usize = batch.iter().product();
    for cpu in backends() {
        let (a, a_values) = operand(cpu, &a_shape, dtype, 1, sliced);
        let (b, b_values) = operand(cpu, &b_shape, dtype, 2, sliced);
        poison(cpu, count * m * n, dtype);
        let c = cpu.matmul(&a, &b, ta, tb).unwrap();
        assert_eq!(c.shape(), &Shape::from(shape([m, n])));
        let got = cpu.download(&c).unwrap();
        match &first {
            Some((isa, data)) if *isa == cpu.isa() => assert!(same_bits(data, &got), "{cpu:?} {m} {k} {n}"),
            _ => {
                let expected = twin(&a_values, &b_values, [count, m, k, n], ta, tb);
                let error = distance(&got.to_f64(), &expected);
                assert!(error <= bound(dtype), "{cpu:?} {batch:?} {m} {k} {n} {ta} {tb} {dtype}: {error:e}");
                first = Some((cpu.isa(), got));
            }
        }
    }
}

fn same_bits(a: &HostData, b: &HostData) -> bool {
    fn bits<T: Element>(a: &HostData) -> Vec<u64> {
        T::unwrap(a.clone()).unwrap_or_default().into_iter().map(|x| x.to_f64().to_bits()).collect()
    }
    bits::<f32>(a) == bits::<f32>(b) && bits::<f64>(a) == bits::<f64>(b)
}

fn dtypes() -> impl Strategy<Value = DType> {
    prop::sample::select(vec![DType::F32, DType::F64])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn small(m in 0_usize..40, k in 0_usize..40, n in 0_usize..70, ta: bool, tb: bool, dtype in dtypes(), sliced: bool) {
        check(&[], m, k, n, ta, tb, dtype, sliced);
    }

    #[test]
    fn batches(batch in prop::collection::vec(0_usize..4, 1..3), m in 1_usize..20, k in 0_usize..40, n in 1_usize..40,
        ta: bool, tb: bool, dtype in dtypes(), sliced: bool) {
        check(&batch, m, k, n, ta, tb, dtype, sliced);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn middle(m in 1_usize..300, k in 1_usize..500, n in 1_usize..300, ta: bool, tb: bool, dtype in dtypes()) {
        check(&[], m, k, n, ta, tb, dtype, false);
    }
}

/// Sizes that reach each way of cutting a product: rows, columns, long sums, either operand the larger.
#[test]
fn each_way_of_cutting() {
    for dtype in [DType::F32, DType::F64] {
        for tb in [false, true] {
            check(&[], 1000, 27, 65, false, tb, dtype, false);
            check(&[], 33, 700, 500, false, tb, dtype, false);
            check(&[], 31, 9000, 17, true, tb, dtype, false);
            check(&[], 3, 5000, 150, false, tb, dtype, true);
            check(&[5], 130, 170, 200, tb, tb, dtype, false);
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
        assert!(distance(&c, &expected) <= bound(DType::F32));
        // The left one repeated instead, and transposed.
        let c = cpu.download(&cpu.matmul(&wide, &a, true, true).unwrap()).unwrap().to_f64();
        let expected: Vec<f64> =
            a_values.chunks(50 * 40).flat_map(|a| twin(&b_values, a, [1, 30, 40, 50], true, true)).collect();
        assert!(distance(&c, &expected) <= bound(DType::F32));
    }
}

#[test]
fn half_precision_is_refused() {
    let cpu = &backends()[0];
    let x = cpu.fill(&[2, 2].into(), DType::F16, 1.0).unwrap();
    let error = cpu.matmul(&x, &x, false, false).unwrap_err().to_string();
    assert!(error.contains("matmul: backend cpu does not offer it for f16"), "{error}");
}
