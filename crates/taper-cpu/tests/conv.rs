//! Convolutions against a plain twin in f64, for every instruction set that the machine has.

mod common;

use common::{Case, backends, bound, by_convolution, on_all, operand, poison, same_bits, sum_distance};
use proptest::prelude::*;
use std::cell::RefCell;
use taper_backend::{Backend, Conv2dSpec, DType, HostData, Shape};
use taper_cpu::{Convolution, CpuBackend};

/// Every instruction set, both ways, against the twin.
fn check(case: &Case, dtype: DType, sliced: bool, channels_last: bool) {
    let [xs, ws, ys] = case.shapes();
    let reference = &backends()[0];
    let values = |shape: &Shape, seed| operand(reference, shape, dtype, seed, sliced).1;
    let (x, w, g) = (values(&xs, 1), values(&ws, 2), values(&ys, 3));
    let expected = [
        case.twin(&x, &w, ys.count(), |[x, w, y]| [x, w, y]),
        case.twin(&g, &w, xs.count(), |[x, w, y]| [y, w, x]),
        case.twin(&x, &g, ws.count(), |[x, w, y]| [x, y, w]),
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
            let y = cpu.conv2d(&x, &w, &case.spec).unwrap();
            let gx = cpu.conv2d_input_grad(&g, &w, &case.spec, &xs).unwrap();
            let gw = cpu.conv2d_weight_grad(&x, &g, &case.spec, &ws).unwrap();
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
                assert!(error <= most, "{cpu:?} {case:?} {dtype} {name}: {error:e} of {most:e}");
            }
        },
    );
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
        check(&case, if double { DType::F64 } else { DType::F32 }, sliced, channels_last);
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
        check(&Case { n, channels, size, kernel: [3, 3], spec }, DType::F32, sliced, channels_last);
    }

    #[test]
    fn depthwise(case in cases(), groups in 2_usize..70, double: bool, channels_last: bool) {
        let spec = Conv2dSpec { groups, ..case.spec };
        let case = Case { channels: [1, 1], size: case.size.map(|size| size.min(16)), spec, ..case };
        prop_assume!((0..2).all(|i| (case.kernel[i] - 1) * spec.dilation[i] < case.size[i] + 2 * spec.padding[i]));
        check(&case, if double { DType::F64 } else { DType::F32 }, false, channels_last);
    }
}

/// The shapes that networks use, and those that reach each way of cutting the work.
#[test]
fn known_shapes() {
    let spec = |stride, padding| Conv2dSpec { stride: [stride; 2], padding: [padding; 2], ..Conv2dSpec::default() };
    let case = |n, channels, side, kernel, spec| Case { n, channels, size: [side; 2], kernel: [kernel; 2], spec };
    for dtype in [DType::F32, DType::F64] {
        check(&case(3, [3, 64], 32, 3, spec(1, 1)), dtype, false, false);
        check(&case(1, [3, 20], 33, 7, spec(2, 3)), dtype, false, false);
        check(&case(2, [48, 40], 9, 1, spec(1, 0)), dtype, false, true);
        check(&case(2, [20, 17], 9, 1, spec(2, 0)), dtype, false, true);
        check(&case(5, [250, 140], 8, 3, spec(1, 1)), dtype, false, true);
        check(&case(20, [40, 70], 4, 3, spec(1, 1)), dtype, false, true);
        check(&case(30, [24, 33], 2, 3, spec(1, 1)), dtype, false, true);
        check(&case(1, [130, 100], 3, 3, spec(1, 1)), dtype, false, true);
        check(&case(1, [350, 5], 3, 1, spec(1, 0)), dtype, false, true);
        check(&case(2, [3, 4], 2, 2, spec(3, 4)), dtype, false, false);
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

/// An infinite weight reaches what it is multiplied with, and no more: outside the output's gradient there is nothing
/// that it could make NaN.
#[test]
fn an_infinite_weight_stays_inside_the_input_gradient() {
    let spec =
        |stride, padding, groups| Conv2dSpec { stride: [stride; 2], padding: [padding; 2], dilation: [1; 2], groups };
    let case = |channels, spec| Case { n: 2, channels, size: [9, 8], kernel: [3, 3], spec };
    for case in [
        case([4, 5], spec(1, 0, 1)),
        case([32, 32], spec(1, 1, 1)),
        case([4, 5], spec(2, 1, 2)),
        case([1, 1], spec(1, 0, 6)),
    ] {
        let [xs, ws, ys] = case.shapes();
        let mut w = common::normal(ws.count(), 2);
        (w[8], w[ws.count() - 9]) = (f64::INFINITY, f64::NAN);
        let mut reached = vec![false; xs.count()];
        case.each(|[x, w_at, _]| reached[x] |= !w[w_at].is_finite());
        for cpu in by_convolution() {
            let weight = cpu.upload(&HostData::from_f64(&w, DType::F32), &ws).unwrap();
            let g = cpu.fill(&ys, DType::F32, 1.0).unwrap();
            let gx = cpu.download(&cpu.conv2d_input_grad(&g, &weight, &case.spec, &xs).unwrap()).unwrap().to_f64();
            for (i, (gx, &reached)) in gx.iter().zip(&reached).enumerate() {
                assert_eq!(gx.is_finite(), !reached, "{cpu:?} {case:?} {i}: {gx}");
            }
        }
    }
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
