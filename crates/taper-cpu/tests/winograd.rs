//! Winograd's algorithm beside direct evaluation where operands are not finite, or of very different magnitudes.

mod common;

use common::{Case, by_convolution, fused, normal, on_all, poison};
use proptest::prelude::*;
use std::cell::RefCell;
use taper_backend::{Activation, Backend, Buffer, Conv2dSpec, DType, FusedOp, HostData, Pool2dSpec, Shape};
use taper_cpu::{Convolution, CpuBackend};

const PADDED: Conv2dSpec = Conv2dSpec { stride: [1; 2], padding: [1; 2], dilation: [1; 2], groups: 1 };

fn upload(cpu: &CpuBackend, values: &[f64], shape: &Shape) -> Buffer {
    cpu.upload(&HostData::from_f64(values, DType::F32), shape).unwrap()
}

fn download(cpu: &CpuBackend, x: &Buffer) -> Vec<f64> {
    cpu.download(x).unwrap().to_f64()
}

/// Output, input gradient and weight gradient.
fn three(cpu: &CpuBackend, case: &Case, [x, w, g]: [&[f64]; 3]) -> [Buffer; 3] {
    let [xs, ws, ys] = case.shapes();
    let (x, w, g) = (upload(cpu, x, &xs), upload(cpu, w, &ws), upload(cpu, g, &ys));
    poison(cpu, ys.count().max(xs.count()).max(ws.count()), DType::F32);
    [
        cpu.conv2d(&x, &w, &case.spec).unwrap(),
        cpu.conv2d_input_grad(&g, &w, &case.spec, &xs).unwrap(),
        cpu.conv2d_weight_grad(&x, &g, &case.spec, &ws).unwrap(),
    ]
}

/// Pairs of backends of one instruction set: direct evaluation, and Winograd's where it pays.
fn pairs() -> impl Iterator<Item = [&'static CpuBackend; 2]> {
    by_convolution().chunks(4).map(|ways| [&ways[0], &ways[2]])
}

/// Whether `a` and `b` are the same number, or both none.
fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// One pixel reaches the nine outputs a channel that see it, and the tiles that hold it have direct evaluation's bits.
#[test]
fn one_pixel_reaches_what_sees_it() {
    let case = Case { n: 1, channels: [32, 32], size: [16, 16], kernel: [3, 3], spec: PADDED };
    let [xs, ws, ys] = case.shapes();
    let (x, w, g) = (normal(xs.count(), 1), normal(ws.count(), 2), normal(ys.count(), 3));
    let pixel = 5 * 16 + 6; // channel 0, row 5, column 6
    for [direct, auto] in pairs() {
        for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 3e38, 1e30, -1e20, 1e6] {
            let with = |values: &[f64]| {
                let mut values = values.to_vec();
                values[pixel] = value;
                values
            };
            // The pixel is in the input for the output, in the output's gradient for the input's.
            let of = |cpu: &CpuBackend| {
                let [y, ..] = three(cpu, &case, [&with(&x), &w, &g]);
                let [_, gx, _] = three(cpu, &case, [&x, &w, &with(&g)]);
                [download(cpu, &y), download(cpu, &gx)]
            };
            let (expected, found, clean) =
                (of(direct), of(auto), three(direct, &case, [&x, &w, &g]).map(|y| download(direct, &y)));
            for (i, name) in ["output", "input gradient"].into_iter().enumerate() {
                let (found, expected, clean) = (&found[i], &expected[i], &clean[i]);
                if !value.is_finite() {
                    assert_eq!(found.iter().filter(|y| !y.is_finite()).count(), 9 * 32, "{auto:?} {value} {name}");
                }
                let mut differing = 0;
                for (k, (&a, &b)) in found.iter().zip(expected).enumerate() {
                    let (row, column) = (k / 16 % 16, k % 16);
                    if (4..8).contains(&row) && (4..8).contains(&column) {
                        assert!(same(a, b), "{auto:?} {value} {name}, row {row}, column {column}: {a}, directly {b}");
                    } else {
                        differing += usize::from(a != b);
                    }
                    if !(4..7).contains(&row) || !(5..8).contains(&column) {
                        // Tiles further off are still Winograd's.
                        assert!((a - clean[k]).abs() < 1e-3, "{auto:?} {value} {name}: {a} instead of {}", clean[k]);
                    }
                }
                assert!(differing > 1000, "{auto:?} {name}: Winograd's algorithm is not taken");
            }
        }
    }
}

/// Where everything is so small that values on the way would lose digits to underflow, direct evaluation's bits come
/// out: subnormal inputs times large weights are ordinary numbers.
#[test]
fn subnormal_operands_keep_their_digits() {
    let case = Case { n: 1, channels: [32, 32], size: [8, 8], kernel: [3, 3], spec: PADDED };
    let shapes = case.shapes();
    let scaled = |i: usize, scale: f64| -> Vec<f64> {
        normal(shapes[i].count(), i as u64 + 1).iter().map(|x| x * scale).collect()
    };
    let (x, w, g) = (scaled(0, 1e-41), scaled(1, 1e10), scaled(2, 1e-41));
    for [direct, auto] in pairs() {
        let of = |cpu: &CpuBackend| three(cpu, &case, [&x, &w, &g]).map(|x| download(cpu, &x));
        let [expected, found] = [of(direct), of(auto)];
        for i in 0..2 {
            assert_eq!(found[i], expected[i], "{auto:?}, result {i}");
            assert!(expected[i].iter().all(|x| x.abs() > 1e-37), "{auto:?}");
        }
        // And the weight gradient, beside an ordinary gradient of the output.
        let of = |cpu: &CpuBackend| {
            let [.., gw] = three(cpu, &case, [&x, &w, &scaled(2, 1e10)]);
            download(cpu, &gw)
        };
        let [expected, found] = [of(direct), of(auto)];
        let error = common::distance(&found, &expected);
        assert!(error < 1e-6, "{auto:?}: {error:e}");
    }
}

/// What an operand holds beside ordinary values.
#[derive(Debug, Clone)]
struct Special {
    /// Input, weight or the output's gradient.
    operand: usize,
    /// Where, as a part of its elements.
    at: f64,
    value: f64,
}

/// By which input, weight and the output's gradient are multiplied.
const SCALES: [[f64; 3]; 7] = [
    [1.0; 3],
    [1.0; 3],
    [1.0, 1e30, 1.0],
    [1e-39, 1e10, 1e10],
    [1e-20, 1e-15, 1e-18],
    [1e19, 1e18, 1e19],
    [1.0, 1e-40, 1e30],
];

fn specials() -> impl Strategy<Value = Vec<Special>> {
    let values = [
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::from(f32::MAX),
        f64::from(f32::MIN),
        1e36,
        -1e30,
        1e20,
        -1e10,
        1e5,
        1e-20,
        1e-38,
        -1e-42,
        0.0,
    ];
    let one = (0_usize..3, 0.0..1.0, prop::sample::select(values.to_vec()));
    prop::collection::vec(one.prop_map(|(operand, at, value)| Special { operand, at, value }), 0..4)
}

/// For each result the largest error that its bound allows. With u = 2⁻²⁴ it is 64 roundings, relative to the largest
/// element that the result's window sees in any channel and the sum of the weights' magnitudes, of direct evaluation;
/// and 1024 times that where Winograd's algorithm may be taken. 64 is no worst case, but the random operands of this
/// test stay far below it.
fn most(case: &Case, [x, w, g]: [&[f64]; 3]) -> [Vec<f64>; 3] {
    let [xs, ws, ys] = case.shapes();
    let unit = 64.0 * 2f64.powi(-24) * 1024.0;
    // What underflow may take of each product.
    let least = 2f64.powi(-149) * (9 * case.channels[0].max(case.channels[1])) as f64;
    let larger = |most: &mut f64, x: f64| *most = f64::max(*most, x.abs());
    let (mut seen, mut seen_g) = (vec![0.0; ys.count()], vec![0.0; xs.count()]);
    let (mut of_output, mut of_input) = (vec![0.0; ws[0]], vec![0.0; xs[1]]);
    let mut products = vec![0.0; ws.count()];
    let per = ws[1] * 9;
    let input_channel = |e: usize| e / per / case.channels[1] * ws[1] + e / 9 % ws[1];
    // A finite result has not seen the others.
    for (e, w) in w.iter().enumerate().filter(|(_, w)| w.is_finite()) {
        of_output[e / per] += w.abs();
        of_input[input_channel(e)] += w.abs();
    }
    case.each(|[i, e, o]| {
        larger(&mut seen[o], x[i]);
        larger(&mut seen_g[i], g[o]);
        products[e] += (x[i] * g[o]).abs();
    });
    // Of the windows of all channels at a place, those of its group.
    let over = |seen: &[f64], shape: &Shape, group: usize| -> Vec<f64> {
        let area = shape[2] * shape[3];
        (0..seen.len())
            .map(|k| {
                let (n, c) = (k / area / shape[1], k / area % shape[1]);
                let channels = c / group * group..(c / group + 1) * group;
                channels.map(|c| seen[(n * shape[1] + c) * area + k % area]).fold(0.0, f64::max)
            })
            .collect()
    };
    let (seen, seen_g) = (over(&seen, &ys, case.channels[1]), over(&seen_g, &xs, case.channels[0]));
    let area = |shape: &Shape| shape[2] * shape[3];
    let y = seen.iter().enumerate().map(|(o, x)| unit * x * of_output[o / area(&ys) % ys[1]] + least).collect();
    let gx = seen_g.iter().enumerate().map(|(i, g)| unit * g * of_input[i / area(&xs) % xs[1]] + least).collect();
    let least = least * (ys.count() as f64);
    let gw = (0..ws.count()).map(|e| {
        let row = &products[e / per * per..][..per];
        unit * row.iter().copied().fold(0.0, f64::max) + least
    });
    [y, gx, gw.collect()]
}

fn check(case: &Case, specials: &[Special], scales: [f64; 3]) {
    let shapes = case.shapes();
    let mut operands: [Vec<f64>; 3] =
        std::array::from_fn(|i| normal(shapes[i].count(), i as u64 + 1).iter().map(|x| x * scales[i]).collect());
    for special in specials {
        let operand = &mut operands[special.operand];
        let at = (special.at * operand.len() as f64) as usize;
        operand[at] = special.value;
    }
    // As they are rounded.
    let operands = operands.map(|values| HostData::from_f64(&values, DType::F32).to_f64());
    let [x, w, g] = [&operands[0][..], &operands[1], &operands[2]];
    let count = shapes.each_ref().map(Shape::count);
    let exact = [
        case.twin(x, w, count[2], |[x, w, y]| [x, w, y]),
        case.twin(g, w, count[0], |[x, w, y]| [y, w, x]),
        case.twin(x, g, count[1], |[x, w, y]| [x, y, w]),
    ];
    let most = most(case, [x, w, g]);
    let pool = Pool2dSpec::square(2);
    let pooled = (0..2).all(|i| shapes[2][i + 2] >= 2);
    let direct: RefCell<Vec<Vec<f64>>> = RefCell::default();
    on_all(
        by_convolution(),
        |cpu| {
            let mut results = three(cpu, case, [x, w, g]).map(|x| cpu.download(&x).unwrap()).to_vec();
            if pooled {
                let (x, w) = (upload(cpu, x, &shapes[0]), upload(cpu, w, &shapes[1]));
                let bias = upload(cpu, &normal(shapes[1][0], 4), &[shapes[1][0]].into());
                let (bias, spec, f) = (Some(&bias), case.spec, Activation::Relu);
                let op = FusedOp::Conv2dBlock { x: &x, weight: &w, bias, spec, f, pool: Some(pool) };
                results.push(cpu.download(&fused(cpu, &op).y).unwrap());
            }
            results
        },
        |cpu, results| {
            let results: Vec<Vec<f64>> = results.iter().map(HostData::to_f64).collect();
            if cpu.convolution() == Convolution::Direct {
                *direct.borrow_mut() = results;
                return;
            }
            for (i, name) in ["y", "gx", "gw", "pooled"].into_iter().enumerate().take(results.len()) {
                for (k, (&found, &direct)) in results[i].iter().zip(&direct.borrow()[i]).enumerate() {
                    let place = || format!("{cpu:?} {case:?} {specials:?} {scales:?} {name} {k}");
                    assert!(found.is_finite() == direct.is_finite(), "{}: {found}, directly {direct}", place());
                    if !direct.is_finite() {
                        assert!(same(found, direct), "{}: {found}, directly {direct}", place());
                        continue;
                    }
                    let most = if i < 3 {
                        let error = (found - exact[i][k].value()).abs();
                        assert!(error <= most[i][k], "{}: error {error:e} of {:e}", place(), most[i][k]);
                        most[i][k]
                    } else {
                        let [h, width] = [shapes[2][2], shapes[2][3]];
                        let (plane, at) = (k / (h / 2 * (width / 2)), k % (h / 2 * (width / 2)));
                        let first = plane * h * width + at / (width / 2) * 2 * width + at % (width / 2) * 2;
                        [0, 1, width, width + 1].map(|i| most[0][first + i]).into_iter().fold(0.0, f64::max) + 1e-6
                    };
                    assert!((found - direct).abs() <= 2.0 * most, "{}: {found}, directly {direct}", place());
                }
            }
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_ordinary_stays_where_it_is(
        n in 1_usize..3,
        channels in [prop::sample::select(vec![16_usize, 17, 33]), prop::sample::select(vec![16_usize, 24, 35])],
        size in [4_usize..14, 4_usize..14],
        padding in [0_usize..3, 0_usize..3],
        groups in 1_usize..3,
        specials in specials(),
        scale in 0..SCALES.len(),
    ) {
        let spec = Conv2dSpec { padding, groups, ..Conv2dSpec::default() };
        check(&Case { n, channels, size, kernel: [3, 3], spec }, &specials, SCALES[scale]);
    }
}
