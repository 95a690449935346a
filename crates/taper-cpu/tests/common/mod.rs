//! What the tests of products and convolutions share.
#![allow(dead_code)] // each test file uses its own part

use taper_backend::{
    Backend, Buffer, Conv2dSpec, DType, Element, FusedOp, FusedOutput, HostData, RandomKey, Saved, Shape, SliceRange,
};
use taper_cpu::{Convolution, CpuBackend, CpuOptions, Isa};

/// One backend for each instruction set that the machine has and each of several numbers of threads; those of one
/// instruction set follow each other.
pub fn backends() -> &'static [CpuBackend] {
    static BACKENDS: std::sync::OnceLock<Vec<CpuBackend>> = std::sync::OnceLock::new();
    BACKENDS.get_or_init(|| {
        Isa::available()
            .into_iter()
            .flat_map(|isa| [2, 1, 3].map(|threads| CpuBackend::with_isa(threads, isa).unwrap()))
            .collect()
    })
}

/// As [`backends`], but for each instruction set first those that evaluate convolutions directly.
pub fn by_convolution() -> &'static [CpuBackend] {
    static BACKENDS: std::sync::OnceLock<Vec<CpuBackend>> = std::sync::OnceLock::new();
    BACKENDS.get_or_init(|| {
        let ways = [(Convolution::Direct, 2), (Convolution::Direct, 1), (Convolution::Auto, 2), (Convolution::Auto, 1)];
        let make = |isa, (convolution, threads)| CpuOptions { isa: Some(isa), convolution, threads };
        let options = Isa::available().into_iter().flat_map(|isa| ways.map(|way| make(isa, way)));
        options.map(|options| CpuBackend::with_options(options).unwrap()).collect()
    })
}

pub fn normal(count: usize, seed: u64) -> Vec<f64> {
    (0..count as u64).map(|i| RandomKey::new(seed).normal(i)).collect()
}

/// ‖a − b‖ / ‖b‖, and NaN if anything is.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
    if difference == 0.0 { 0.0 } else { difference / norm(&mut b.iter().copied()) }
}

/// What was computed against the exact sums: ‖a − b‖ / ‖s‖, where `s` is the size that a sum of such terms has if their
/// signs are random, the root of the sum of their squares. ‖b‖ itself may be near 0 by chance when there are few sums,
/// and so may ‖a − b‖ be several times its expected size: an average of n squares spreads as 1/√n, and the result is
/// divided by 1 + 4/√n, four standard deviations and more. NaN if anything is.
pub fn sum_distance(a: &[f64], b: &[ExactSum]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference = a.iter().zip(b).map(|(a, b)| (a - b.value()).powi(2)).sum::<f64>().sqrt();
    let by_chance = 1.0 + 4.0 / (a.len() as f64).sqrt();
    if difference == 0.0 { 0.0 } else { difference / b.iter().map(|b| b.squares).sum::<f64>().sqrt() / by_chance }
}

/// A few roundings: of n random terms the sum grows as √n, the error of a running sum as n, and so their ratio as √n;
/// but a running sum is never longer than a panel is deep, a few hundred.
pub fn bound(dtype: DType) -> f64 {
    if dtype == DType::F32 { 6e-7 } else { 1e-15 }
}

/// Fills the pool with blocks of NaN, so that a result that nobody wrote shows.
pub fn poison(cpu: &CpuBackend, count: usize, dtype: DType) {
    let kept: Vec<Buffer> =
        [1, 2, 3, 1].map(|i| cpu.fill(&[count * i].into(), dtype, f64::NAN).unwrap()).into_iter().collect();
    drop(kept);
}

/// The result of `op`, which the backend does not decline.
pub fn fused(cpu: &CpuBackend, op: &FusedOp) -> FusedOutput {
    cpu.fused(op).unwrap().unwrap()
}

/// The gradients of all operands of `op` that are floats, in order.
pub fn gradients(cpu: &CpuBackend, op: &FusedOp, g: &Buffer, saved: &Saved) -> Vec<Buffer> {
    let needs: Vec<bool> = op.operands().iter().map(|operand| operand.dtype().is_float()).collect();
    let found = cpu.fused_grad(op, g, saved, &needs).unwrap().unwrap();
    let came: Vec<bool> = found.iter().map(Option::is_some).collect();
    assert_eq!(came, needs, "the gradients of {op:?}");
    found.into_iter().flatten().collect()
}

/// Random values of `shape` as `dtype` rounds them, as a buffer (in an odd place of memory if `sliced`), and as f64.
pub fn operand(cpu: &CpuBackend, shape: &[usize], dtype: DType, seed: u64, sliced: bool) -> (Buffer, Vec<f64>) {
    let mut outer = shape.to_vec();
    if sliced {
        outer.iter_mut().for_each(|size| *size += 1);
    }
    let data = HostData::from_f64(&normal(outer.iter().product(), seed), dtype);
    let whole = cpu.upload(&data, &outer.into()).unwrap();
    let ranges: Vec<SliceRange> =
        shape.iter().map(|&size| SliceRange::new(usize::from(sliced), size + usize::from(sliced))).collect();
    let x = cpu.slice(&whole, &ranges).unwrap();
    let values = cpu.download(&x).unwrap().to_f64();
    (x, values)
}

/// A sum whose error does not grow with its length (Kahan 1965).
#[derive(Debug, Clone, Copy, Default)]
pub struct ExactSum {
    sum: f64,
    rest: f64,
    /// The sum of the terms' squares.
    squares: f64,
}

impl ExactSum {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(&mut self, term: f64) {
        let corrected = term - self.rest;
        let next = self.sum + corrected;
        self.rest = (next - self.sum) - corrected;
        self.sum = next;
        self.squares += term * term;
    }

    pub fn value(&self) -> f64 {
        self.sum
    }
}

/// The sum of `terms`.
pub fn exact_sum(terms: impl Iterator<Item = f64>) -> ExactSum {
    let mut sum = ExactSum::default();
    terms.for_each(|term| sum.add(term));
    sum
}

pub fn same_bits(a: &HostData, b: &HostData) -> bool {
    fn bits<T: Element>(a: &HostData) -> Vec<u64> {
        T::unwrap(a.clone()).unwrap_or_default().into_iter().map(|x| x.to_f64().to_bits()).collect()
    }
    a.dtype() == b.dtype() && bits::<f32>(a) == bits::<f32>(b) && bits::<f64>(a) == bits::<f64>(b)
}

/// Runs `f` on every backend; results must be bitwise the same for one instruction set, and `close` to what is expected.
pub fn on_each(f: impl Fn(&CpuBackend) -> Vec<HostData>, close: impl Fn(&CpuBackend, &[HostData])) {
    on_all(backends(), f, close);
}

/// As [`on_each`], on `backends`, of which those of one instruction set and one way to compute convolutions follow each
/// other.
pub fn on_all(
    backends: &[CpuBackend],
    f: impl Fn(&CpuBackend) -> Vec<HostData>,
    close: impl Fn(&CpuBackend, &[HostData]),
) {
    let kind = |cpu: &CpuBackend| (cpu.isa(), cpu.convolution());
    let mut first: Option<(&CpuBackend, Vec<HostData>)> = None;
    for cpu in backends {
        let results = f(cpu);
        match &first {
            Some((other, expected)) if kind(other) == kind(cpu) => {
                assert_eq!(results.len(), expected.len());
                let same = results.iter().zip(expected).all(|(a, b)| same_bits(a, b));
                assert!(same, "{cpu:?} differs from one of another number of threads");
            }
            _ => {
                close(cpu, &results);
                first = Some((cpu, results));
            }
        }
    }
}

/// A convolution's sizes.
#[derive(Debug, Clone)]
pub struct Case {
    pub n: usize,
    /// Input and output channels of a group.
    pub channels: [usize; 2],
    pub size: [usize; 2],
    pub kernel: [usize; 2],
    pub spec: Conv2dSpec,
}

impl Case {
    pub fn shapes(&self) -> [Shape; 3] {
        let x = Shape::from([self.n, self.channels[0] * self.spec.groups, self.size[0], self.size[1]]);
        let w = Shape::from([self.channels[1] * self.spec.groups, self.channels[0], self.kernel[0], self.kernel[1]]);
        let y = self.spec.output_shape(&x, &w).unwrap();
        [x, w, y]
    }

    /// Calls `product` with the indices of input, weight and output of every product of the convolution.
    pub fn each(&self, mut product: impl FnMut([usize; 3])) {
        let [x, w, y] = self.shapes();
        for o in 0..y.count() {
            let [n, co] = [o / (y[1] * y[2] * y[3]), o / (y[2] * y[3]) % y[1]];
            let [i, j] = [o / y[3] % y[2], o % y[3]];
            for e in 0..w[1] * w[2] * w[3] {
                let [ci, p, q] = [e / (w[2] * w[3]), e / w[3] % w[2], e % w[3]];
                let row = (i * self.spec.stride[0] + p * self.spec.dilation[0]).wrapping_sub(self.spec.padding[0]);
                let column = (j * self.spec.stride[1] + q * self.spec.dilation[1]).wrapping_sub(self.spec.padding[1]);
                if row < x[2] && column < x[3] {
                    let plane = n * x[1] + co / self.channels[1] * w[1] + ci;
                    product([(plane * x[2] + row) * x[3] + column, co * w[1] * w[2] * w[3] + e, o]);
                }
            }
        }
    }

    /// Adds `a[i] · b[j]` to the result at `k` for every product of the convolution, for `[i, j, k]` chosen from the
    /// indices of input, weight and output.
    pub fn twin(&self, a: &[f64], b: &[f64], count: usize, choose: fn([usize; 3]) -> [usize; 3]) -> Vec<ExactSum> {
        let mut sums = vec![ExactSum::default(); count];
        self.each(|indices| {
            let [i, j, k] = choose(indices);
            sums[k].add(a[i] * b[j]);
        });
        sums
    }
}
