//! Pooling, norms, softmax, losses and optimisers against obvious loops in f64.

mod common;

use common::{distance, fused, gradients, normal, on_each, poison, same_bits};
use proptest::prelude::*;
use taper_backend::{
    AdamSpec, Backend, Buffer, CrossEntropySpec, DType, FusedOp, HostData, Pool2dSpec, RandomKey, ReduceOp, Saved,
    SgdSpec, Shape,
};
use taper_cpu::CpuBackend;

/// Random values of `shape` as `dtype` holds them, channels last in memory if asked and possible.
fn operand(cpu: &CpuBackend, shape: &[usize], dtype: DType, seed: u64, last: bool) -> (Buffer, Vec<f64>) {
    let data = HostData::from_f64(&normal(shape.iter().product(), seed), dtype);
    let values = data.to_f64();
    let x = cpu.upload(&data, &shape.into()).unwrap();
    if !last || shape.len() != 4 {
        return (x, values);
    }
    // Written in the other order by way of a view that cannot be flattened without a copy.
    let moved = cpu.permute(&x, &[0, 2, 3, 1]).unwrap();
    let dense = cpu.reshape(&moved, &[x.count()].into()).unwrap();
    let dims = [shape[0], shape[2], shape[3], shape[1]];
    (cpu.permute(&cpu.reshape(&dense, &dims.into()).unwrap(), &[0, 3, 1, 2]).unwrap(), values)
}

fn get(cpu: &CpuBackend, x: &Buffer) -> HostData {
    cpu.download(x).unwrap()
}

/// Rounding of results made of some ten operations, measured as norms.
fn few(dtype: DType) -> f64 {
    if dtype == DType::F32 { 6e-7 } else { 2e-15 }
}

fn float() -> impl Strategy<Value = DType> {
    prop_oneof![Just(DType::F32), Just(DType::F64)]
}

fn pooling() -> impl Strategy<Value = ([usize; 4], Pool2dSpec)> {
    let spec = ([1usize..4, 1..4], [1usize..4, 1..4], [0usize..2, 0..2], any::<bool>(), any::<bool>());
    ([1usize..4, 1..20, 3..10, 3..10], spec).prop_map(|(x, (kernel_size, stride, padding, ceil_mode, pad))| {
        let padding = [padding[0].min(kernel_size[0] / 2), padding[1].min(kernel_size[1] / 2)];
        (x, Pool2dSpec { kernel_size, stride, padding, ceil_mode, count_include_pad: pad })
    })
}

/// Calls `f(output, element, inside the padded picture)` for every place of every window; `element` is `None` in padding.
fn windows(xs: &[usize; 4], spec: &Pool2dSpec, mut f: impl FnMut(usize, Option<usize>, bool)) -> Shape {
    let ys = spec.output_shape("test", &Shape::from(*xs)).unwrap();
    for o in 0..ys.count() {
        let (plane, i, j) = (o / (ys[2] * ys[3]), o / ys[3] % ys[2], o % ys[3]);
        for p in 0..spec.kernel_size[0] {
            for q in 0..spec.kernel_size[1] {
                let row = (i * spec.stride[0] + p) as isize - spec.padding[0] as isize;
                let column = (j * spec.stride[1] + q) as isize - spec.padding[1] as isize;
                let inside = |at: isize, size: usize, pad: usize| at >= -(pad as isize) && at < (size + pad) as isize;
                let padded = inside(row, xs[2], spec.padding[0]) && inside(column, xs[3], spec.padding[1]);
                let real = inside(row, xs[2], 0) && inside(column, xs[3], 0);
                f(o, real.then(|| (plane * xs[2] + row as usize) * xs[3] + column as usize), padded);
            }
        }
    }
    ys
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn max_pool((xs, spec) in pooling(), dtype in float(), last in any::<bool>(), last_g in any::<bool>()) {
        // Few different values, so that many are equal: the first counts.
        on_each(|cpu| {
            let (x, _) = operand(cpu, &xs, dtype, 1, last);
            let x = cpu.unary(taper_backend::UnaryOp::Floor, &x).unwrap();
            let (y, index) = cpu.max_pool2d(&x, &spec).unwrap();
            poison(cpu, x.count(), dtype);
            let op = FusedOp::MaxPool2d { x: &x, spec };
            let output = fused(cpu, &op);
            let (g, _) = operand(cpu, y.shape(), dtype, 2, last_g);
            let grad = gradients(cpu, &op, &g, &output.saved);
            assert!(same_bits(&get(cpu, &y), &get(cpu, &output.y)));
            vec![get(cpu, &y), get(cpu, &index), get(cpu, &grad[0]), get(cpu, &x), get(cpu, &g)]
        }, |_, found| {
            let (x, g) = (found[3].to_f64(), found[4].to_f64());
            let mut best: Vec<Option<usize>> = vec![None; found[0].len()];
            windows(&xs, &spec, |o, at, _| if let Some(at) = at && best[o].is_none_or(|b| x[at] > x[b]) { best[o] = Some(at) });
            let best: Vec<usize> = best.into_iter().map(Option::unwrap).collect();
            let mut grad = vec![0.0; x.len()];
            best.iter().zip(&g).for_each(|(&b, g)| grad[b] += g);
            assert_eq!(found[0].to_f64(), best.iter().map(|&b| x[b]).collect::<Vec<_>>());
            assert_eq!(found[1].to_f64(), best.iter().map(|&b| (b % (xs[2] * xs[3])) as f64).collect::<Vec<_>>());
            assert!(distance(&found[2].to_f64(), &grad) < few(dtype));
        });
    }

    #[test]
    fn avg_pool((xs, spec) in pooling(), dtype in float(), last in any::<bool>(), last_g in any::<bool>()) {
        on_each(|cpu| {
            let (x, _) = operand(cpu, &xs, dtype, 1, last);
            poison(cpu, x.count(), dtype);
            let y = cpu.avg_pool2d(&x, &spec).unwrap();
            let (g, _) = operand(cpu, y.shape(), dtype, 2, last_g);
            let grad = cpu.avg_pool2d_grad(&g, &spec, x.shape()).unwrap();
            [&y, &grad, &x, &g].map(|b| get(cpu, b)).to_vec()
        }, |_, found| {
            let (x, g) = (found[2].to_f64(), found[3].to_f64());
            let mut counts = vec![0.0; g.len()];
            windows(&xs, &spec, |o, at, padded| if at.is_some() || (padded && spec.count_include_pad) { counts[o] += 1.0 });
            let (mut y, mut grad) = (vec![0.0; g.len()], vec![0.0; x.len()]);
            windows(&xs, &spec, |o, at, _| if let Some(at) = at {
                y[o] += x[at] / counts[o];
                grad[at] += g[o] / counts[o];
            });
            // Terms of a mean cancel: nine of them leave up to three times the rounding.
            assert!(distance(&found[0].to_f64(), &y) < 3.0 * few(dtype));
            assert!(distance(&found[1].to_f64(), &grad) < 3.0 * few(dtype));
        });
    }

    #[test]
    fn softmax(shape in prop::collection::vec(1usize..40, 1..4), axis in 0usize..3, dtype in float(), log in any::<bool>()) {
        let axis = axis % shape.len();
        let (outer, n): (usize, usize) = (shape[..axis].iter().product(), shape[axis]);
        let inner: usize = shape[axis + 1..].iter().product();
        on_each(|cpu| {
            let (x, _) = operand(cpu, &shape, dtype, 1, false);
            let (g, _) = operand(cpu, &shape, dtype, 2, false);
            poison(cpu, x.count(), dtype);
            let op = FusedOp::Softmax { x: &x, axis, log };
            let output = fused(cpu, &op);
            let grad = gradients(cpu, &op, &g, &output.saved);
            [&output.y, &grad[0], &x, &g].map(|b| get(cpu, b)).to_vec()
        }, |_, found| {
            let (x, g) = (found[2].to_f64(), found[3].to_f64());
            let (mut y, mut grad) = (x.clone(), x.clone());
            for o in 0..outer {
                for i in 0..inner {
                    let at = |j: usize| (o * n + j) * inner + i;
                    let sum: f64 = (0..n).map(|j| x[at(j)].exp()).sum();
                    let p: Vec<f64> = (0..n).map(|j| x[at(j)].exp() / sum).collect();
                    let total: f64 = (0..n).map(|j| if log { g[at(j)] } else { g[at(j)] * p[j] }).sum();
                    for j in 0..n {
                        y[at(j)] = if log { p[j].ln() } else { p[j] };
                        grad[at(j)] = if log { g[at(j)] - p[j] * total } else { p[j] * (g[at(j)] - total) };
                    }
                }
            }
            let tiny = |x: &[f64]| x.iter().all(|x| x.abs() < 1e-6); // one class: all but rounding cancels
            let close = |a: &HostData, b: &[f64]| tiny(b) && tiny(&a.to_f64()) || distance(&a.to_f64(), b) < 2.0 * few(dtype);
            assert!(close(&found[0], &y) && close(&found[1], &grad));
        });
    }

    #[test]
    fn cross_entropy(rows in 1usize..50, classes in 1usize..40, dtype in float(), smoothing in prop_oneof![Just(0.0), Just(0.1)]) {
        let target: Vec<i64> = (0..rows).map(|i| if i % 5 == 3 { -100 } else { ((i * 7) % classes) as i64 }).collect();
        let spec = CrossEntropySpec { label_smoothing: smoothing, ignore_index: -100 };
        on_each(|cpu| {
            let (x, _) = operand(cpu, &[rows, classes], dtype, 1, false);
            let labels = cpu.upload(&HostData::I64(target.clone()), &[rows].into()).unwrap();
            poison(cpu, x.count(), dtype);
            let op = FusedOp::CrossEntropy { logits: &x, target: &labels, spec };
            let output = fused(cpu, &op);
            let g = cpu.fill(&Shape::scalar(), dtype, 1.5).unwrap();
            let grad = gradients(cpu, &op, &g, &output.saved);
            [&output.y, &grad[0], &x].map(|b| get(cpu, b)).to_vec()
        }, |_, found| {
            let x = found[2].to_f64();
            let counted = target.iter().filter(|&&t| t >= 0).count() as f64;
            let (mut loss, mut grad) = (0.0, vec![0.0; x.len()]);
            for (i, &t) in target.iter().enumerate().filter(|&(_, &t)| t >= 0) {
                let row = &x[i * classes..(i + 1) * classes];
                let sum: f64 = row.iter().map(|x| x.exp()).sum();
                for (j, x) in row.iter().enumerate() {
                    let wanted = smoothing / classes as f64 + if j as i64 == t { 1.0 - smoothing } else { 0.0 };
                    loss -= wanted * (x - sum.ln()) / counted;
                    grad[i * classes + j] = 1.5 * (x.exp() / sum - wanted) / counted;
                }
            }
            // With one class, all cancels but rounding of numbers of size one.
            assert!((found[0].to_f64()[0] - loss).abs() < few(dtype) * (1.0 + loss));
            let error = found[1].to_f64().iter().zip(&grad).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            assert!(error < few(dtype) * 2.0, "{error}");
        });
    }

    #[test]
    fn norms(xs in [1usize..6, 1usize..20, 1usize..6, 2usize..6], dtype in float(), last in any::<bool>(), batch in any::<bool>()) {
        const EPS: f64 = 1e-5;
        // What has one mean: for batch norm a channel, for layer norm the last three dimensions of a sample.
        let plane = xs[2] * xs[3];
        let group = |i: usize| if batch { i / plane % xs[1] } else { i / (plane * xs[1]) };
        let groups = if batch { xs[1] } else { xs[0] };
        let affine = |i: usize| if batch { i / plane % xs[1] } else { i % (plane * xs[1]) };
        let parameters = if batch { vec![xs[1]] } else { xs[1..].to_vec() };
        on_each(|cpu| {
            let (x, _) = operand(cpu, &xs, dtype, 1, last);
            // A mean far from 0: formulas that subtract squares would show.
            let ten = cpu.fill(&Shape::scalar(), dtype, 10.0).unwrap();
            let x = cpu.binary(taper_backend::BinaryOp::Add, &x, &ten).unwrap();
            let (g, _) = operand(cpu, &xs, dtype, 2, !last);
            let (w, _) = operand(cpu, &parameters, dtype, 3, false);
            let (b, _) = operand(cpu, &parameters, dtype, 4, false);
            poison(cpu, x.count(), dtype);
            let op = if batch {
                FusedOp::BatchNorm { x: &x, weight: Some(&w), bias: Some(&b), eps: EPS }
            } else {
                FusedOp::LayerNorm { x: &x, weight: Some(&w), bias: Some(&b), dims: 3, eps: EPS }
            };
            let output = fused(cpu, &op);
            let grads = gradients(cpu, &op, &g, &output.saved);
            [&output.y, &grads[0], &grads[1], &grads[2], &x, &g, &w, &b].map(|b| get(cpu, b)).to_vec()
        }, |_, found| {
            let [x, g, w, b] = [4, 5, 6, 7].map(|i| found[i].to_f64());
            let mean_of = |f: &dyn Fn(usize) -> f64| {
                let (mut sums, mut counts) = (vec![0.0; groups], vec![0.0; groups]);
                (0..x.len()).for_each(|i| { sums[group(i)] += f(i); counts[group(i)] += 1.0 });
                sums.iter().zip(&counts).map(|(s, c)| s / c).collect::<Vec<f64>>()
            };
            let mean = mean_of(&|i| x[i]);
            let variance = mean_of(&|i| (x[i] - mean[group(i)]).powi(2));
            let hat = |i: usize| (x[i] - mean[group(i)]) / (variance[group(i)] + EPS).sqrt();
            let (h, hx) = (mean_of(&|i| g[i] * w[affine(i)]), mean_of(&|i| g[i] * w[affine(i)] * hat(i)));
            let y: Vec<f64> = (0..x.len()).map(|i| hat(i) * w[affine(i)] + b[affine(i)]).collect();
            let dx: Vec<f64> = (0..x.len())
                .map(|i| (g[i] * w[affine(i)] - h[group(i)] - hat(i) * hx[group(i)]) / (variance[group(i)] + EPS).sqrt())
                .collect();
            let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; w.len()]);
            (0..x.len()).for_each(|i| { dw[affine(i)] += g[i] * hat(i); db[affine(i)] += g[i] });
            // A group of two elements has a gradient that nearly cancels: measured against what it is made of.
            let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
            let smallest = variance.iter().fold(f64::INFINITY, |a, &b| a.min(b));
            let scale = norm(&g) * norm(&w).max(1.0) / (smallest + EPS).sqrt();
            // A deviation from the mean of 10 carries the rounding of 10.
            let loss = 10.0 * few(dtype) / (smallest + EPS).sqrt().min(1.0);
            for (i, expected, scale) in [(0, &y, norm(&y)), (1, &dx, scale), (2, &dw, scale), (3, &db, norm(&g))] {
                let difference: Vec<f64> = found[i].to_f64().iter().zip(expected).map(|(a, b)| a - b).collect();
                assert!(norm(&difference) <= loss * scale, "result {i}: {} over {}", norm(&difference), loss * scale);
            }
        });
    }
}

/// The first steps of PyTorch's `Adam` and `AdamW`, by hand.
#[test]
fn adam() {
    for (decoupled, weight_decay, dtype) in
        [(false, 0.0, DType::F32), (false, 0.1, DType::F64), (true, 0.1, DType::F32)]
    {
        let n = 40_000;
        let start = HostData::from_f64(&normal(n, 1), dtype).to_f64();
        let (mut p, mut m, mut v) = (start.clone(), vec![0.0; n], vec![0.0; n]);
        let gradient = |step: u64| HostData::from_f64(&normal(n, 10 + step), dtype);
        let spec = AdamSpec { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay, decoupled };
        for step in 1..=3u64 {
            for (i, g) in gradient(step).to_f64().into_iter().enumerate() {
                let g = if decoupled { g } else { g + weight_decay * p[i] };
                p[i] *= if decoupled { 1.0 - 0.01 * weight_decay } else { 1.0 };
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let t = step as i32;
                let root = v[i].sqrt() / (1.0 - 0.999f64.powi(t)).sqrt() + 1e-8;
                p[i] -= 0.01 / (1.0 - 0.9f64.powi(t)) * m[i] / root;
            }
        }
        on_each(
            |cpu| {
                let shape = Shape::from([n / 100, 100]);
                let mut buffer = cpu.upload(&HostData::from_f64(&start, dtype), &shape).unwrap();
                let mut zeros = [0; 2].map(|_| cpu.fill(&shape, dtype, 0.0).unwrap());
                let shared = buffer.clone();
                for step in 1..=3 {
                    let g = cpu.upload(&gradient(step), &shape).unwrap();
                    let [m, v] = &mut zeros;
                    let taken = cpu.fill(&Shape::scalar(), DType::I64, step as f64 - 1.0).unwrap();
                    cpu.adam_step(&mut buffer, m, v, &g, &taken, None, &spec).unwrap().unwrap();
                }
                assert_eq!(get(cpu, &shared).to_f64(), start, "what shared the parameter keeps the old values");
                vec![get(cpu, &buffer), get(cpu, &zeros[0]), get(cpu, &zeros[1])]
            },
            |_, found| {
                for (found, expected) in found.iter().zip([&p, &m, &v]) {
                    assert!(distance(&found.to_f64(), expected) < 2.0 * few(dtype));
                }
            },
        );
    }
}

#[test]
fn sgd() {
    let n = 5000;
    for (momentum, nesterov, weight_decay) in [(0.0, false, 0.1), (0.9, false, 0.0), (0.9, true, 0.1)] {
        let (mut p, mut v) = (normal(n, 1), vec![0.0; n]);
        for step in 0..3u64 {
            for (i, g) in normal(n, 10 + step).into_iter().enumerate() {
                let g = g + weight_decay * p[i];
                v[i] = if step == 0 { g } else { momentum * v[i] + 0.8 * g };
                p[i] -= 0.05
                    * if momentum == 0.0 {
                        g
                    } else if nesterov {
                        g + momentum * v[i]
                    } else {
                        v[i]
                    };
            }
        }
        on_each(
            |cpu| {
                let mut buffer = cpu.upload(&HostData::F64(normal(n, 1)), &[n].into()).unwrap();
                let mut velocity = cpu.fill(&[n].into(), DType::F64, f64::NAN).unwrap();
                for step in 0..3 {
                    let g = cpu.upload(&HostData::F64(normal(n, 10 + step)), &[n].into()).unwrap();
                    let taken = cpu.fill(&Shape::scalar(), DType::I64, step as f64).unwrap();
                    let spec = SgdSpec { lr: 0.05, momentum, dampening: 0.2, weight_decay, nesterov };
                    let velocity = (momentum != 0.0).then_some(&mut velocity);
                    cpu.sgd_step(&mut buffer, velocity, &g, &taken, None, &spec).unwrap().unwrap();
                }
                vec![get(cpu, &buffer)]
            },
            |_, found| assert!(distance(&found[0].to_f64(), &p) < few(DType::F64)),
        );
    }
}

#[test]
fn dropout_draws_what_the_contract_says() {
    let (n, p, key) = (40_003, 0.3, RandomKey::new(5).child("dropout"));
    on_each(
        |cpu| {
            let x = cpu.fill(&[n].into(), DType::F32, 2.0).unwrap();
            poison(cpu, n, DType::F32);
            vec![get(cpu, &fused(cpu, &FusedOp::Dropout { x: &x, p, key }).y)]
        },
        |_, found| {
            for (i, y) in found[0].to_f64().into_iter().enumerate() {
                let kept = f64::from(key.word(i as u64)) >= p * 4_294_967_296.0;
                assert_eq!(y, if kept { f64::from(2.0f32 / 0.7f64 as f32) } else { 0.0 }, "element {i}");
            }
        },
    );
}

#[test]
fn indices_gather_and_scatter() {
    on_each(
        |cpu| {
            let (weight, _) = operand(cpu, &[7, 5], DType::F64, 1, false);
            let index = cpu.upload(&HostData::I64(vec![3, 0, 3, 6, 3, 1]), &[2, 3].into()).unwrap();
            let op = FusedOp::Embedding { weight: &weight, index: &index };
            let rows = fused(cpu, &op).y;
            assert_eq!(*rows.shape(), Shape::from([2, 3, 5]));
            let grad = gradients(cpu, &op, &rows, &Saved::nothing()).remove(0);
            // The same by way of the required methods.
            let flat = cpu.reshape(&index, &[6, 1].into()).unwrap();
            let wide = cpu.broadcast(&flat, &[6, 5].into()).unwrap();
            let gathered = cpu.gather(&weight, 0, &wide).unwrap();
            assert!(same_bits(&get(cpu, &gathered), &get(cpu, &rows)));
            let zeros = cpu.fill(&[7, 5].into(), DType::F64, 0.0).unwrap();
            let scattered = cpu.scatter_add(&zeros, 0, &wide, &gathered).unwrap();
            assert!(same_bits(&get(cpu, &scattered), &get(cpu, &grad)));
            vec![get(cpu, &weight), get(cpu, &grad)]
        },
        |_, found| {
            let (weight, grad) = (found[0].to_f64(), found[1].to_f64());
            let times = [1.0, 1.0, 0.0, 3.0, 0.0, 0.0, 1.0];
            for (i, g) in grad.iter().enumerate() {
                assert!((g - times[i / 5] * weight[i]).abs() < 1e-15, "element {i}");
            }
        },
    );
}

#[test]
fn all_finite() {
    let cpu = CpuBackend::with_threads(2).unwrap();
    let (a, _) = operand(&cpu, &[50_000], DType::F32, 1, false);
    let flag = |buffers: &[&Buffer]| get(&cpu, &cpu.all_finite(buffers).unwrap().unwrap());
    assert_eq!(flag(&[&a, &a]), HostData::U8(vec![1]));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = vec![0.5; 50_000];
        values[49_999] = bad;
        let b = cpu.upload(&HostData::F32(values), &[50_000].into()).unwrap();
        assert_eq!(flag(&[&a, &b]), HostData::U8(vec![0]), "{bad}");
    }
}

/// What a user can cause with data, or with a number of threads, is told plainly.
#[test]
fn errors() {
    let cpu = CpuBackend::with_threads(1).unwrap();
    let x = cpu.fill(&[2, 3].into(), DType::F32, 0.0).unwrap();
    let bad = cpu.upload(&HostData::I64(vec![0, 3]), &[2].into()).unwrap();
    let spec = CrossEntropySpec { label_smoothing: 0.0, ignore_index: -100 };
    let foreign = Buffer::new([2, 3].into(), DType::F32, "another backend's");
    let empty = cpu.fill(&[0, 3].into(), DType::F32, 0.0).unwrap();
    let words = cpu.fill(&[2, 3].into(), DType::U8, 0.0).unwrap();
    let huge = Shape::from([usize::MAX / 2, 3]);
    let index = cpu.upload(&HostData::I64(vec![0, -1]), &[2].into()).unwrap();
    let two = cpu.fill(&[2].into(), DType::F32, 0.0).unwrap();
    let picture = cpu.fill(&[1, 1, 2, 2].into(), DType::F32, 0.0).unwrap();
    let window = Pool2dSpec { padding: [1 << 30; 2], ..Pool2dSpec::square(1 << 31) };
    let wrong_class = FusedOp::CrossEntropy { logits: &x, target: &bad, spec };
    for (text, error) in [
        ("is too large; at most", cpu.max_pool2d(&picture, &window).err()),
        ("target 3 (row 1) is neither in 0..3", cpu.fused(&wrong_class).err()),
        ("belongs to another backend", cpu.unary(taper_backend::UnaryOp::Neg, &foreign).err()),
        ("of no elements", cpu.reduce(ReduceOp::Max, &empty, &[0]).err()),
        ("does not offer it for u8", cpu.reduce(ReduceOp::Sum, &words, &[0]).err()),
        ("more elements than can be counted", cpu.fill(&huge, DType::F32, 0.0).err()),
        ("cpu: out of memory: asked for 4.0 EiB; ", cpu.fill(&[1 << 60].into(), DType::F32, 0.0).err()),
        ("index -1 (element 1 of [2]) is out of range 0..2", cpu.gather(&two, 0, &index).err()),
        ("1025 threads; give a number from 1 to 1024, or 0 for one a core", CpuBackend::with_threads(1025).err()),
    ] {
        let found = error.map(|e| e.to_string()).unwrap_or_default();
        assert!(found.contains(text), "expected \"{text}\" in \"{found}\"");
    }
}

/// Steps of one size stop asking the system for memory after the first, a smaller last batch included.
#[test]
fn steps_stop_missing() {
    let cpu = CpuBackend::with_threads(2).unwrap();
    let epoch = || {
        for rows in [64, 64, 16] {
            let (x, _) = operand(&cpu, &[rows, 8, 6, 6], DType::F32, 1, true);
            let op = FusedOp::MaxPool2d { x: &x, spec: Pool2dSpec::square(2) };
            let output = fused(&cpu, &op);
            gradients(&cpu, &op, &output.y, &output.saved);
            fused(&cpu, &FusedOp::Softmax { x: &x, axis: 1, log: false });
        }
    };
    epoch();
    let (misses, hits) = (cpu.pool().misses(), cpu.pool().hits());
    epoch();
    assert_eq!(cpu.pool().misses(), misses);
    assert!(cpu.pool().hits() > hits);
}

/// Halves go through f32.
#[test]
fn halves() {
    let cpu = CpuBackend::with_threads(1).unwrap();
    let values = [0.1, -2.5, 3.0, 1000.0];
    for dtype in [DType::F16, DType::BF16] {
        let x = cpu.upload(&HostData::from_f64(&values, dtype), &[4].into()).unwrap();
        let sum = cpu.reduce(ReduceOp::Sum, &x, &[0]).unwrap();
        let expected = HostData::from_f64(&[get(&cpu, &x).to_f64().iter().sum()], dtype);
        assert_eq!(get(&cpu, &sum), expected);
        assert_eq!(get(&cpu, &cpu.cast(&x, DType::I64).unwrap()), HostData::I64(vec![0, -2, 3, 1000]));
    }
}
