//! Convolutions against a plain twin in f64, for every instruction set that the machine has.

mod common;

use common::{ExactSum, backends, bound, by_convolution, on_all, operand, poison, same_bits, sum_distance};
use proptest::prelude::*;
use std::cell::RefCell;
use taper_backend::{Backend, Conv2dSpec, DType, Shape};
use taper_cpu::{Convolution, CpuBackend};

/// A convolution's sizes.
#[derive(Debug, Clone)]
struct Case {
    n: usize,
    /// Input and output channels of a group.
    channels: [usize; 2],
    size: [usize; 2],
    kernel: [usize; 2],
    spec: Conv2dSpec,
}

impl Case {
    fn shapes(&self) -> [Shape; 3] {
        let x = Shape::from([self.n, self.channels[0] * self.spec.groups, self.size[0], self.size[1]]);
        let w = Shape::from([self.channels[1] * self.spec.groups, self.channels[0], self.kernel[0], self.kernel[1]]);
        let y = self.spec.output_shape(&x, &w).unwrap();
        [x, w, y]
    }

    /// Adds `a[i] · b[j]` to the result at `k` for every product of the convolution, for `[i, j, k]` chosen from the
    /// indices of input, weight and output.
    fn twin(&self, a: &[f64], b: &[f64], count: usize, choose: fn([usize; 3]) -> [usize; 3]) -> Vec<ExactSum> {
        let [x, w, y] = self.shapes();
        let mut sums = vec![ExactSum::default(); count];
        for o in 0..y.count() {
            let [n, co] = [o / (y[1] * y[2] * y[3]), o / (y[2] * y[3]) % y[1]];
            let [i, j] = [o / y[3] % y[2], o % y[3]];
            for e in 0..w[1] * w[2] * w[3] {
                let [ci, p, q] = [e / (w[2] * w[3]), e / w[3] % w[2], e % w[3]];
                let row = (i * self.spec.stride[0] + p * self.spec.dilation[0]).wrapping_sub(self.spec.padding[0]);
                let column = (j * self.spec.stride[1] + q * self.spec.dilation[1]).wrapping_sub(self.spec.padding[1]);
                if row < x[2] && column < x[3] {
                    let plane = n * x[1] + co / self.channels[1] * w[1] + ci;
                    let [i, j, k] = choose([(plane * x[2] + row) * x[3] + column, co * w[1] * w[2] * w[3] + e, o]);
                    sums[k].add(a[i] * b[j]);
                }
            }
        }
        sums
    }

    fn check(&self, dtype: DType, sliced: bool, channels_last: bool) {
        let [xs, ws, ys] = self.shapes();
        let reference = &backends()[0];
        let values = |shape: &Shape, seed| operand(reference, shape, dtype, seed, sliced).1;
        let (x, w, g) = (values(&xs, 1), values(&ws, 2), values(&ys, 3));
        let expected = [
            self.twin(&x, &w, ys.count(), |[x, w, y]| [x, w, y]),
            self.twin(&g, &w, xs.count(), |[x, w, y]| [y, w, x]),
            self.twin(&x, &g, ws.count(), |[x, w, y]| [x, y, w]),
        ];
        // What direct evaluation got wrong with the instruction set in turn; Winograd's may be ten times that.
        let direct = RefCell::new([0.0; 3]);
        on_all(
            by_convolution(),
            |cpu| {
                let picture = |shape: &Shape, seed| {
                    let x = operand(cpu, shape, dtype, seed, sliced).0;
                    // A convolution by one leaves the picture as it is, but channels last.
                    let spec = Conv2dSpec { groups: shape[1], ..Conv2dSpec::default() };
                    let ones = cpu.fill(&[shape[1], 1, 1, 1].into(), dtype, 1.0).unwrap();
                    if channels_last { cpu.conv2d(&x, &ones, &spec).unwrap() } else { x }
                };
                let (x, g) = (picture(&xs, 1), picture(&ys, 3));
                let w = operand(cpu, &ws, dtype, 2, sliced).0;
                poison(cpu, ys.count().max(xs.count()).max(ws.count()), dtype);
                let y = cpu.conv2d(&x, &w, &self.spec).unwrap();
                let gx = cpu.conv2d_input_grad(&g, &w, &self.spec, &xs).unwrap();
                let gw = cpu.conv2d_weight_grad(&x, &g, &self.spec, &ws).unwrap();
                assert_eq!([y.shape(), gx.shape(), gw.shape()], [&ys, &xs, &ws]);
                [y, gx, gw].iter().map(|x| cpu.download(x).unwrap()).collect()
            },
            |cpu, results| {
                for (i, name) in ["y", "gx", "gw"].into_iter().enumerate() {
                    let error = sum_distance(&results[i].to_f64(), &expected[i]);
                    let mut most = bound(dtype);
                    if cpu.convolution() == Convolution::Direct {
                        direct.borrow_mut()[i] = error;
                    } else {
                        most = most.max(10.0 * direct.borrow()[i]);
                    }
                    assert!(error <= most, "{cpu:?} {self:?} {dtype} {name}: {error:e} of {most:e}");
                }
            },
        );
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let channel = || prop::sample::select(vec![1_usize, 2, 3, 5, 17, 24]);
    let side = || prop::sample::select(vec![1_usize, 2, 5, 7, 16, 33]);
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    (
        1_usize..4,
        [channel(), channel()],
        [side(), side()],
        pair(1..4),
        (pair(1..4), pair(0..3), pair(1..3), prop::sample::select(vec![1_usize, 1, 1, 2, 3, 9])),
    )
        .prop_map(|(n, channels, size, kernel, (stride, padding, dilation, groups))| {
            let spec = Conv2dSpec { stride, padding, dilation, groups };
            Case { n, channels, size, kernel, spec }
        })
        .prop_filter("the window fits and the twin is quick", |case| {
            let reach = |i: usize| (case.kernel[i] - 1) * case.spec.dilation[i] + 1;
            (0..2).all(|i| reach(i) <= case.size[i] + 2 * case.spec.padding[i]) && {
                let [_, w, y] = case.shapes();
                y.count() * w[1] * w[2] * w[3] < 4_000_000
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_convolution(case in cases(), double: bool, sliced: bool, channels_last: bool) {
        case.check(if double { DType::F64 } else { DType::F32 }, sliced, channels_last);
    }

    /// What Winograd's algorithm takes.
    #[test]
    fn square_windows(
        n in 1_usize..4,
        channels in [prop::sample::select(vec![5_usize, 17, 24, 40]), prop::sample::select(vec![5_usize, 17, 24, 70])],
        size in [1_usize..20, 3_usize..20],
        padding in [0_usize..3, 0_usize..3],
        groups in 1_usize..3,
        sliced: bool,
        channels_last: bool,
    ) {
        prop_assume!((0..2).all(|i| size[i] + 2 * padding[i] >= 3));
        let spec = Conv2dSpec { padding, groups, ..Conv2dSpec::default() };
        Case { n, channels, size, kernel: [3, 3], spec }.check(DType::F32, sliced, channels_last);
    }

    #[test]
    fn depthwise(case in cases(), groups in 2_usize..70, double: bool, channels_last: bool) {
        let spec = Conv2dSpec { groups, ..case.spec };
        let case = Case { channels: [1, 1], size: case.size.map(|size| size.min(16)), spec, ..case };
        prop_assume!((0..2).all(|i| (case.kernel[i] - 1) * spec.dilation[i] < case.size[i] + 2 * spec.padding[i]));
        case.check(if double { DType::F64 } else { DType::F32 }, false, channels_last);
    }
}

/// The shapes that networks use, and those that reach each way of cutting the work.
#[test]
fn known_shapes() {
    let spec = |stride, padding| Conv2dSpec { stride: [stride; 2], padding: [padding; 2], ..Conv2dSpec::default() };
    let case = |n, channels, side, kernel, spec| Case { n, channels, size: [side; 2], kernel: [kernel; 2], spec };
    for dtype in [DType::F32, DType::F64] {
        case(3, [3, 64], 32, 3, spec(1, 1)).check(dtype, false, false);
        case(1, [3, 20], 33, 7, spec(2, 3)).check(dtype, false, false);
        case(2, [48, 40], 9, 1, spec(1, 0)).check(dtype, false, true);
        case(2, [20, 17], 9, 1, spec(2, 0)).check(dtype, false, true);
        case(5, [250, 140], 8, 3, spec(1, 1)).check(dtype, false, true);
        case(20, [40, 70], 4, 3, spec(1, 1)).check(dtype, false, true);
        case(30, [24, 33], 2, 3, spec(1, 1)).check(dtype, false, true);
        case(1, [130, 100], 3, 3, spec(1, 1)).check(dtype, false, true);
        case(1, [350, 5], 3, 1, spec(1, 0)).check(dtype, false, true);
        case(2, [3, 4], 2, 2, spec(3, 4)).check(dtype, false, false);
    }
}

#[test]
fn winograd_is_taken_where_it_pays() {
    let differ = |channels: [usize; 2], side: usize, kernel: usize, spec: Conv2dSpec, dtype| {
        let of = |cpu: &CpuBackend| {
            let x = operand(cpu, &[2, channels[0], side, side], dtype, 1, false).0;
            let w = operand(cpu, &[channels[1], channels[0], kernel, kernel], dtype, 2, false).0;
            cpu.download(&cpu.conv2d(&x, &w, &spec).unwrap()).unwrap()
        };
        let [direct, _, auto, _] = &by_convolution()[..4] else { panic!("four for each instruction set") };
        !same_bits(&of(direct), &of(auto))
    };
    let padded = Conv2dSpec { padding: [1; 2], ..Conv2dSpec::default() };
    assert!(differ([32, 32], 8, 3, padded, DType::F32));
    assert!(differ([32, 32], 12, 3, Conv2dSpec::default(), DType::F32));
    assert!(!differ([32, 32], 8, 3, padded, DType::F64), "f64 checks the rest");
    assert!(!differ([3, 32], 8, 3, padded, DType::F32), "few channels");
    assert!(!differ([32, 32], 2, 3, padded, DType::F32), "a tile that is mostly margin");
    assert!(!differ([32, 32], 8, 1, Conv2dSpec::default(), DType::F32));
    assert!(!differ([32, 32], 8, 3, Conv2dSpec { stride: [2; 2], ..padded }, DType::F32));
    assert!(!differ([32, 32], 8, 3, Conv2dSpec { dilation: [2; 2], ..padded }, DType::F32));
}

#[test]
fn nothing_to_sum() {
    for cpu in backends() {
        for dims in [[0, 3, 4, 4], [2, 0, 4, 4]] {
            let x = cpu.fill(&dims.into(), DType::F32, 1.0).unwrap();
            let w = cpu.fill(&[5, dims[1], 3, 3].into(), DType::F32, 1.0).unwrap();
            poison(cpu, 200, DType::F32);
            let y = cpu.conv2d(&x, &w, &Conv2dSpec::default()).unwrap();
            assert_eq!(y.shape(), &Shape::from([dims[0], 5, 2, 2]));
            assert!(cpu.download(&y).unwrap().to_f64().iter().all(|&y| y == 0.0));
            let gx = cpu.conv2d_input_grad(&y, &w, &Conv2dSpec::default(), x.shape()).unwrap();
            assert_eq!(gx.shape(), x.shape());
            let gw = cpu.conv2d_weight_grad(&x, &y, &Conv2dSpec::default(), w.shape()).unwrap();
            assert!(cpu.download(&gw).unwrap().to_f64().iter().all(|&y| y == 0.0));
            let none = cpu.fill(&[0, dims[1], 3, 3].into(), DType::F32, 1.0).unwrap();
            let y = cpu.conv2d(&x, &none, &Conv2dSpec::default()).unwrap();
            assert_eq!(y.count(), 0);
            let gx = cpu.conv2d_input_grad(&y, &none, &Conv2dSpec::default(), x.shape()).unwrap();
            assert!(cpu.download(&gx).unwrap().to_f64().iter().all(|&y| y == 0.0));
        }
    }
}
