//! The fused layers against what they are made of.

mod common;

use common::{ExactSum, bound, exact_sum, fused, gradients, on_each, operand, poison, same_bits, sum_distance};
use proptest::prelude::*;
use taper_backend::{Activation, Backend, Buffer, Conv2dSpec, DType, FusedOp, HostData, Pool2dSpec, Shape};
use taper_cpu::CpuBackend;

fn values(cpu: &CpuBackend, x: &Buffer) -> Vec<f64> {
    cpu.download(x).unwrap().to_f64()
}

/// Pools `x: [N, C, H, W]` over windows side by side: the largest of each, and where it was.
fn max_pool(x: &[f64], shape: &Shape, window: [usize; 2]) -> (Vec<f64>, Vec<usize>) {
    let (h, w) = (shape[2], shape[3]);
    let mut result = (Vec::new(), Vec::new());
    for plane in 0..shape[0] * shape[1] {
        for cell in 0..(h / window[0]) * (w / window[1]) {
            let (i, j) = (cell / (w / window[1]) * window[0], cell % (w / window[1]) * window[1]);
            let mut best = (plane * h + i) * w + j;
            for place in 0..window[0] * window[1] {
                let at = (plane * h + i + place / window[1]) * w + j + place % window[1];
                if x[at] > x[best] {
                    best = at;
                }
            }
            result.0.push(x[best]);
            result.1.push(best);
        }
    }
    result
}

/// Multiples of a quarter, so that results meet often.
fn coarse(cpu: &CpuBackend, shape: &Shape, dtype: DType, seed: u64) -> Buffer {
    let values: Vec<f64> = common::normal(shape.count(), seed).iter().map(|x| (x * 2.0).round() / 2.0).collect();
    cpu.upload(&HostData::from_f64(&values, dtype), shape).unwrap()
}

#[derive(Debug, Clone)]
struct Case {
    x: [usize; 4],
    channels: usize,
    kernel: usize,
    spec: Conv2dSpec,
    relu: bool,
    bias: bool,
    window: Option<[usize; 2]>,
}

fn check_block(case: &Case, dtype: DType) {
    let xs = Shape::from(case.x);
    let groups = case.spec.groups;
    let ws = Shape::from([case.channels * groups, case.x[1] / groups, case.kernel, case.kernel]);
    let ys = case.spec.output_shape(&xs, &ws).unwrap();
    let f = if case.relu { Activation::Relu } else { Activation::Identity };
    let pool = case.window.map(|window| Pool2dSpec { kernel_size: window, stride: window, ..Pool2dSpec::square(1) });
    on_each(
        |cpu| {
            let (x, w) = (coarse(cpu, &xs, dtype, 1), coarse(cpu, &ws, dtype, 2));
            let b = case.bias.then(|| coarse(cpu, &[ws[0]].into(), dtype, 3));
            poison(cpu, ys.count(), dtype);
            let op = FusedOp::Conv2dBlock { x: &x, weight: &w, bias: b.as_ref(), spec: case.spec, f, pool };
            let output = fused(cpu, &op);
            let g = operand(cpu, output.y.shape(), dtype, 4, false).0;
            let grads = gradients(cpu, &op, &g, &output.saved);

            // The same from its parts. All values are multiples of 1/16 and small, so sums are exact.
            let mut z = values(cpu, &cpu.conv2d(&x, &w, &case.spec).unwrap());
            let plane = ys[2] * ys[3];
            let bias = b.as_ref().map_or(vec![0.0; ws[0]], |b| values(cpu, b));
            for (i, z) in z.iter_mut().enumerate() {
                *z += bias[i / plane % ws[0]];
            }
            let a: Vec<f64> = z.iter().map(|&z| if case.relu { z.max(0.0) } else { z }).collect();
            let (expected, places) = match case.window {
                Some(window) => max_pool(&a, &ys, window),
                None => (a, (0..ys.count()).collect()),
            };
            assert_eq!(values(cpu, &output.y), expected, "{cpu:?} {case:?} {dtype}");
            let mut gz = vec![0.0; ys.count()];
            for (&place, &g) in places.iter().zip(&values(cpu, &g)) {
                gz[place] += if case.relu && z[place] <= 0.0 { 0.0 } else { g };
            }
            let mut sums = vec![ExactSum::default(); ws[0]];
            gz.iter().enumerate().for_each(|(i, &g)| sums[i / plane % ws[0]].add(g));
            let gz = cpu.upload(&HostData::from_f64(&gz, dtype), &ys).unwrap();
            let gx = cpu.conv2d_input_grad(&gz, &w, &case.spec, &xs).unwrap();
            let gw = cpu.conv2d_weight_grad(&x, &gz, &case.spec, &ws).unwrap();
            for (fused, composed) in [(&grads[0], gx), (&grads[1], gw)] {
                let (fused, composed) = (cpu.download(fused).unwrap(), cpu.download(&composed).unwrap());
                assert!(same_bits(&fused, &composed), "{cpu:?} {case:?} {dtype}");
            }
            let gb: Vec<HostData> = grads[2..].iter().map(|gb| cpu.download(gb).unwrap()).collect();
            assert_eq!(gb.len(), usize::from(case.bias));
            for gb in &gb {
                let error = sum_distance(&gb.to_f64(), &sums);
                assert!(error <= bound(dtype), "{cpu:?} {case:?} {dtype}: {error:e}");
            }
            gb
        },
        |_, _| (),
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_equal_their_parts(
        n in 1_usize..4, channels in prop::sample::select(vec![1_usize, 3, 17, 33]), size in [3_usize..20, 3_usize..36],
        (kernel, stride, padding) in (1_usize..4, 1_usize..3, 0_usize..2), groups in 1_usize..3, depthwise: bool,
        relu: bool, bias: bool, double: bool,
        window in prop::option::of([1_usize..4, 1_usize..4]),
    ) {
        let groups = if depthwise { 5 } else { groups };
        let spec = Conv2dSpec { stride: [stride; 2], padding: [padding; 2], dilation: [1; 2], groups };
        let inner = if depthwise { 1 } else { 2 };
        let x = [n, inner * groups, size[0], size[1]];
        let channels = if depthwise { 1 } else { channels };
        let case = Case { x, channels, kernel, spec, relu, bias, window };
        let fits = |i: usize| {
            let out = (size[i] + 2 * padding - kernel) / stride + 1;
            window.is_none_or(|window| window[i] <= out)
        };
        prop_assume!(fits(0) && fits(1));
        check_block(&case, if double { DType::F64 } else { DType::F32 });
    }

    #[test]
    fn linear_equals_its_parts(
        n in prop_oneof![0_usize..100, 1_usize..9], inputs in 0_usize..300, outputs in 0_usize..100, relu: bool,
        bias: bool, double: bool, sliced: bool,
    ) {
        let dtype = if double { DType::F64 } else { DType::F32 };
        let f = if relu { Activation::Relu } else { Activation::Identity };
        on_each(
            |cpu| {
                let (x, xv) = operand(cpu, &[n, inputs], dtype, 1, sliced);
                let (w, wv) = operand(cpu, &[outputs, inputs], dtype, 2, sliced);
                let (b, bv) = operand(cpu, &[outputs], dtype, 3, sliced);
                let (g, gv) = operand(cpu, &[n, outputs], dtype, 4, sliced);
                poison(cpu, n * inputs + outputs * inputs + n * outputs, dtype);
                let op = FusedOp::Linear { x: &x, weight: &w, bias: bias.then_some(&b), f };
                let output = fused(cpu, &op);
                let mut grads = gradients(cpu, &op, &g, &output.saved).into_iter().map(|x| values(cpu, &x));
                let y = values(cpu, &output.y);
                let mut gz = gv;
                let mut z = Vec::new();
                for i in 0..n * outputs {
                    let (row, column) = (i / outputs, i % outputs);
                    let mut sum = exact_sum((0..inputs).map(|k| xv[row * inputs + k] * wv[column * inputs + k]));
                    sum.add(if bias { bv[column] } else { 0.0 });
                    if relu && sum.value() < 0.0 {
                        // Whatever is left of it, the output is 0.
                        sum.add(-sum.value());
                    }
                    z.push(sum);
                    if relu && y[i] <= 0.0 {
                        gz[i] = 0.0;
                    }
                }
                let (gz, z) = (&gz, &z);
                let product = |rows: usize, columns: usize, depth: usize, f: &dyn Fn(usize, usize, usize) -> f64| {
                    let sum = |i: usize| exact_sum((0..depth).map(|k| f(i / columns, i % columns, k)));
                    (0..rows * columns).map(sum).collect::<Vec<_>>()
                };
                let gx = product(n, inputs, outputs, &|i, j, k| gz[i * outputs + k] * wv[k * inputs + j]);
                let gw = product(outputs, inputs, n, &|i, j, k| gz[k * outputs + i] * xv[k * inputs + j]);
                let gb = product(1, outputs, n, &|_, j, k| gz[k * outputs + j]);
                let due = [(z, "y"), (&gx, "gx"), (&gw, "gw"), (&gb, "gb")];
                for (expected, name) in due.into_iter().take(if bias { 4 } else { 3 }) {
                    let got = if name == "y" { y.clone() } else { grads.next().unwrap() };
                    let error = sum_distance(&got, expected);
                    assert!(error <= bound(dtype), "{cpu:?} {n} {inputs} {outputs} {dtype} {name}: {error:e}");
                }
                Vec::new()
            },
            |_, _| (),
        );
    }
}

/// What the backend leaves to the composed version.
#[test]
fn others_are_declined() {
    let cpu = &common::backends()[0];
    let x = cpu.fill(&[1, 2, 6, 6].into(), DType::F32, 1.0).unwrap();
    let w = cpu.fill(&[2, 2, 3, 3].into(), DType::F32, 1.0).unwrap();
    let spec = Conv2dSpec::default();
    let block = |f, pool| {
        let op = FusedOp::Conv2dBlock { x: &x, weight: &w, bias: None, spec, f, pool };
        cpu.fused(&op).unwrap().is_some()
    };
    assert!(!block(Activation::Relu, Some(Pool2dSpec { stride: [1, 1], ..Pool2dSpec::square(2) })), "overlapping");
    assert!(!block(Activation::Relu, Some(Pool2dSpec { padding: [1, 1], ..Pool2dSpec::square(2) })), "padded");
    assert!(!block(Activation::Tanh, None));
    assert!(block(Activation::Relu, Some(Pool2dSpec::square(2))));
    let two = cpu.fill(&[2, 2].into(), DType::F32, 1.0).unwrap();
    let op = FusedOp::Linear { x: &two, weight: &two, bias: None, f: Activation::Tanh };
    assert!(cpu.fused(&op).unwrap().is_none());
}
