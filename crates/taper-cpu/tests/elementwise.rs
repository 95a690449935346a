//! Views, element by element work and reductions against obvious loops in f64, in every layout.

mod common;

use common::{ExactSum, distance, exact_sum, fused, gradients, normal, on_each, poison, sum_distance};
use proptest::prelude::*;
use taper_backend::{
    Activation, Backend, BinaryOp, Buffer, CompareOp, DType, FusedOp, HostData, PadAmount, ReduceOp, Saved, Shape,
    SliceRange, UnaryOp,
};
use taper_cpu::CpuBackend;

/// A tensor as the tests compute with it.
#[derive(Debug, Clone)]
struct Plain {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Plain {
    fn random(shape: &[usize], dtype: DType, seed: u64) -> Self {
        let values = HostData::from_f64(&normal(shape.iter().product(), seed), dtype).to_f64();
        Self { shape: shape.to_vec(), values }
    }

    /// The element that `index`, of a shape that this broadcasts to, shows.
    fn at(&self, index: &[usize]) -> f64 {
        let missing = index.len() - self.shape.len();
        let place = self.shape.iter().zip(&index[missing..]);
        self.values[place.fold(0, |at, (&size, &i)| at * size + if size == 1 { 0 } else { i })]
    }

    /// The tensor on `cpu`, its dimensions lying in memory in the order that `layout` chooses.
    fn place(&self, cpu: &CpuBackend, dtype: DType, layout: usize) -> Buffer {
        let rank = self.shape.len();
        let mut order: Vec<usize> = (0..rank).collect();
        match layout {
            1 => order.reverse(),
            2 if rank > 1 => order[1..].rotate_left(1), // channels last
            _ => {}
        }
        let moved: Vec<usize> = order.iter().map(|&i| self.shape[i]).collect();
        let values: Vec<f64> = indices(&moved)
            .map(|index| {
                let mut original = vec![0; rank];
                order.iter().zip(&index).for_each(|(&axis, &i)| original[axis] = i);
                self.at(&original)
            })
            .collect();
        let x = cpu.upload(&HostData::from_f64(&values, dtype), &moved.into()).unwrap();
        let back: Vec<usize> = (0..rank).map(|i| order.iter().position(|&o| o == i).unwrap()).collect();
        cpu.permute(&x, &back).unwrap()
    }
}

/// All indices into `shape`, in row-major order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..shape.iter().product()).map(|mut number: usize| {
        let mut index = vec![0; shape.len()];
        for (i, &size) in shape.iter().enumerate().rev() {
            index[i] = number % size;
            number /= size;
        }
        index
    })
}

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    // Small ones of any rank, one with long rows, and one large enough for several tasks.
    prop_oneof![
        6 => prop::collection::vec(1usize..7, 0..5),
        1 => Just(vec![3, 700]),
        1 => Just(vec![4, 16, 32, 48]),
    ]
}

/// Some dimensions made 1, some in front left away.
fn narrowed(shape: &[usize], mask: u64) -> Vec<usize> {
    let kept = shape.iter().enumerate().map(|(i, &size)| if mask >> i & 1 == 1 { 1 } else { size });
    kept.skip((mask >> 8) as usize % (shape.len() + 1)).collect()
}

fn float() -> impl Strategy<Value = DType> {
    prop_oneof![Just(DType::F32), Just(DType::F64)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// One IEEE operation is exact up to its rounding, for any layouts and any broadcast.
    #[test]
    fn binary(
        shape in shapes(), dtype in float(), masks in any::<[u16; 2]>(), layouts in [0usize..3, 0..3],
        op in prop_oneof![Just(BinaryOp::Add), Just(BinaryOp::Sub), Just(BinaryOp::Mul), Just(BinaryOp::Maximum)],
    ) {
        let a = Plain::random(&narrowed(&shape, u64::from(masks[0])), dtype, 1);
        let b = Plain::random(&narrowed(&shape, u64::from(masks[1])), dtype, 2);
        let target = Shape::from(&a.shape[..]).broadcast_with(&Shape::from(&b.shape[..]), "test").unwrap();
        let expected: Vec<f64> = indices(&target).map(|index| {
            let (a, b) = (a.at(&index), b.at(&index));
            match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                _ => a.max(b),
            }
        }).collect();
        let expected = HostData::from_f64(&expected, dtype);
        on_each(|cpu| {
            let (a, b) = (a.place(cpu, dtype, layouts[0]), b.place(cpu, dtype, layouts[1]));
            poison(cpu, target.count(), dtype);
            vec![cpu.download(&cpu.binary(op, &a, &b).unwrap()).unwrap()]
        }, |_, found| assert_eq!(found[0], expected));
    }

    #[test]
    fn compare_and_select(shape in shapes(), masks in any::<[u16; 3]>(), layouts in [0usize..3, 0..3, 0..3]) {
        let dtype = DType::F32;
        let parts: Vec<Plain> =
            (0..3).map(|i| Plain::random(&narrowed(&shape, u64::from(masks[i])), dtype, i as u64)).collect();
        on_each(|cpu| {
            let x: Vec<Buffer> = parts.iter().zip(layouts).map(|(p, layout)| p.place(cpu, dtype, layout)).collect();
            let smaller = cpu.compare(CompareOp::Lt, &x[0], &x[1]).unwrap();
            let chosen = cpu.select(&smaller, &x[1], &x[2]).unwrap();
            vec![cpu.download(&chosen).unwrap()]
        }, |_, found| {
            let target = parts.iter().fold(Shape::scalar(), |s, p| s.broadcast_with(&p.shape[..].into(), "test").unwrap());
            let expected: Vec<f64> = indices(&target)
                .map(|i| if parts[0].at(&i) < parts[1].at(&i) { parts[1].at(&i) } else { parts[2].at(&i) })
                .collect();
            assert_eq!(found[0].to_f64(), expected);
        });
    }

    /// A sum in f64 of f32 is exact but for the last rounding, 2⁻²⁴; of f64, short runs keep it
    /// within a few of its own.
    #[test]
    fn reduce(shape in shapes(), dtype in float(), set in any::<u8>(), layout in 0usize..3) {
        let x = Plain::random(&shape, dtype, 3);
        let axes: Vec<usize> = (0..shape.len()).filter(|i| set >> i & 1 == 1).collect();
        let target = Shape::from(&shape[..]).reduced(&axes);
        let mut sums: Vec<ExactSum> = (0..target.count()).map(|_| ExactSum::new()).collect();
        let mut tops = vec![f64::NEG_INFINITY; target.count()];
        for index in indices(&shape) {
            let place = index.iter().zip(&target[..]).fold(0, |at, (&i, &size)| at * size + if size == 1 { 0 } else { i });
            sums[place].add(x.at(&index));
            tops[place] = tops[place].max(x.at(&index));
        }
        let sums: Vec<f64> = sums.iter().map(ExactSum::value).collect();
        // Against the norm of what is added: the terms cancel.
        let scale = x.values.iter().map(|x| x * x).sum::<f64>().sqrt() / sums.iter().map(|x| x * x).sum::<f64>().sqrt();
        on_each(|cpu| {
            let x = x.place(cpu, dtype, layout);
            poison(cpu, target.count(), dtype);
            let results = [ReduceOp::Sum, ReduceOp::Max].map(|op| cpu.reduce(op, &x, &axes).unwrap());
            results.iter().map(|y| { assert_eq!(*y.shape(), target); cpu.download(y).unwrap() }).collect()
        }, |_, found| {
            let bound = if dtype == DType::F32 { 6e-8 } else { 4e-16 * scale.max(1.0) * 4.0 };
            assert!(distance(&found[0].to_f64(), &sums) <= bound, "{}", distance(&found[0].to_f64(), &sums));
            assert_eq!(found[1].to_f64(), tops);
        });
    }

    /// Moves of elements are exact, whatever the layout.
    #[test]
    fn moves(shape in prop::collection::vec(1usize..6, 1..5), layout in 0usize..3, at in any::<[u8; 4]>()) {
        let dtype = DType::F32;
        let x = Plain::random(&shape, dtype, 4);
        let ranges: Vec<SliceRange> = shape.iter().zip(at).map(|(&size, at)| {
            let start = usize::from(at) % size;
            SliceRange { start, end: size, step: 1 + usize::from(at >> 6) }
        }).collect();
        let amounts: Vec<PadAmount> = at.iter().take(shape.len())
            .map(|&at| PadAmount { low: usize::from(at & 1), high: usize::from(at >> 1 & 1), interior: usize::from(at >> 2 & 1) })
            .collect();
        on_each(|cpu| {
            let x = x.place(cpu, dtype, layout);
            let flat = cpu.reshape(&x, &[x.count()].into()).unwrap();
            let cut = cpu.slice(&x, &ranges).unwrap();
            let padded = cpu.pad(&x, &amounts, 7.0).unwrap();
            // Cut in two along some axis and joined again.
            let axis = usize::from(at[0]) % shape.len();
            let half = |start, end| {
                let mut ranges: Vec<SliceRange> = shape.iter().map(|&size| SliceRange::new(0, size)).collect();
                ranges[axis] = SliceRange::new(start, end);
                cpu.slice(&x, &ranges).unwrap()
            };
            let middle = usize::from(at[1]) % shape[axis];
            let joined = cpu.concat(&[&half(0, middle), &half(middle, shape[axis])], axis).unwrap();
            [flat, cut, padded, joined].iter().map(|y| cpu.download(y).unwrap()).collect()
        }, |_, found| {
            assert_eq!(found[0].to_f64(), x.values);
            assert_eq!(found[3].to_f64(), x.values);
            let counts: Vec<usize> = ranges.iter().map(SliceRange::count).collect();
            let cut: Vec<f64> = indices(&counts).map(|index| {
                x.at(&index.iter().zip(&ranges).map(|(i, r)| r.start + i * r.step).collect::<Vec<_>>())
            }).collect();
            assert_eq!(found[1].to_f64(), cut);
            let sizes: Vec<usize> = shape.iter().zip(&amounts).map(|(&size, a)| a.padded(size)).collect();
            let padded: Vec<f64> = indices(&sizes).map(|index| {
                let source: Option<Vec<usize>> = index.iter().zip(&amounts).zip(&shape).map(|((&i, a), &size)| {
                    let i = i.checked_sub(a.low)?;
                    (i % (a.interior + 1) == 0 && i / (a.interior + 1) < size).then_some(i / (a.interior + 1))
                }).collect();
                source.map_or(7.0, |index| x.at(&index))
            }).collect();
            assert_eq!(found[2].to_f64(), padded);
        });
    }
}

/// Sums of f64 in long columns, against the size of their terms: a running sum of n random terms is off by about 0.3 u √n,
/// u = 2⁻⁵³, so one of 20 000 by 40u; runs of 256, and some eighty of them joined, by 5u and 3u.
#[test]
fn long_columns_are_summed_in_short_runs() {
    for width in [1, 3, 40] {
        let x = Plain::random(&[60_000, width], DType::F64, 5);
        let sums: Vec<ExactSum> =
            (0..width).map(|i| exact_sum(x.values.iter().skip(i).step_by(width).copied())).collect();
        on_each(
            |cpu| vec![cpu.download(&cpu.reduce(ReduceOp::Sum, &x.place(cpu, DType::F64, 0), &[0]).unwrap()).unwrap()],
            |cpu, found| {
                let error = sum_distance(&found[0].to_f64(), &sums);
                assert!(error <= 1.6e-15, "{width} columns on {cpu:?}: {error}");
            },
        );
    }
}

/// Every function over a range of arguments: within a few units in the last place of f32 of the f64 value, as norms.
#[test]
fn functions_in_f32_agree_with_f64() {
    let shape = Shape::from([5000]);
    let values: Vec<f64> = (0..5000).map(|i| f64::from((i as f32 - 2500.0) / 250.0 + 1e-3)).collect();
    let of = |cpu: &CpuBackend, dtype, f: &dyn Fn(&CpuBackend, &Buffer) -> Buffer| {
        let x = cpu.upload(&HostData::from_f64(&values, dtype), &shape).unwrap();
        poison(cpu, 5000, dtype);
        cpu.download(&f(cpu, &x)).unwrap()
    };
    type Job = (String, Box<dyn Fn(&CpuBackend, &Buffer) -> Buffer>);
    let mut jobs: Vec<Job> = Vec::new();
    use UnaryOp::{Abs, Cos, Erf, Exp, Floor, Log, Log1p, Neg, Recip, Sign, Sin, Sqrt};
    for op in [Neg, Abs, Sign, Exp, Recip, Sin, Cos, UnaryOp::Tanh, UnaryOp::Sigmoid, Erf, Floor] {
        jobs.push((format!("{op:?}"), Box::new(move |cpu, x| cpu.unary(op, x).unwrap())));
    }
    for op in [Log, Log1p, Sqrt] {
        let positive = move |cpu: &CpuBackend, x: &Buffer| cpu.unary(op, &cpu.unary(Abs, x).unwrap()).unwrap();
        jobs.push((format!("{op:?}"), Box::new(positive)));
    }
    use Activation::*;
    let softplus = Softplus { beta: 1.5, threshold: 12.0 };
    let (leaky, elu) = (LeakyRelu { negative_slope: 0.1 }, Elu { alpha: 0.7 });
    for f in [Relu, leaky, elu, Gelu, GeluTanh, Silu, Sigmoid, Tanh, softplus, Hardswish] {
        jobs.push((format!("{f:?}"), Box::new(move |cpu, x| fused(cpu, &FusedOp::Activation { x, f }).y)));
        jobs.push((format!("{f:?}'"), Box::new(move |cpu, x| slope(cpu, f, x, x))));
    }
    let wide = CpuBackend::with_threads(1).unwrap();
    for (name, f) in jobs {
        let truth = of(&wide, DType::F64, &f).to_f64();
        on_each(
            |cpu| vec![of(cpu, DType::F32, &f)],
            |cpu, found| {
                let error = distance(&found[0].to_f64(), &truth);
                assert!(error < 4e-7, "{name} on {cpu:?}: {error}");
            },
        );
    }
}

/// g · f′(x).
fn slope(cpu: &CpuBackend, f: Activation, x: &Buffer, g: &Buffer) -> Buffer {
    gradients(cpu, &FusedOp::Activation { x, f }, g, &Saved::nothing()).remove(0)
}

/// f64 derivatives against central differences of f64 values, whose own error is about h² = 1e-10.
#[test]
fn derivatives_are_those_of_the_values() {
    use Activation::*;
    let cpu = CpuBackend::with_threads(2).unwrap();
    let softplus = Softplus { beta: 1.5, threshold: 50.0 };
    for f in [Gelu, GeluTanh, Silu, Sigmoid, Tanh, softplus, Elu { alpha: 0.7 }, Hardswish] {
        let x: Vec<f64> = (0..400).map(|i| (f64::from(i) - 200.5) / 41.3).collect();
        let h = 1e-5;
        let value = |d: f64| {
            let shifted = x.iter().map(|x| x + d).collect();
            let x = cpu.upload(&HostData::F64(shifted), &[400].into()).unwrap();
            cpu.download(&fused(&cpu, &FusedOp::Activation { x: &x, f }).y).unwrap().to_f64()
        };
        let numeric: Vec<f64> = value(h).iter().zip(value(-h)).map(|(a, b)| (a - b) / (2.0 * h)).collect();
        let one = cpu.fill(&[400].into(), DType::F64, 1.0).unwrap();
        let x = cpu.upload(&HostData::F64(x.clone()), &[400].into()).unwrap();
        let found = cpu.download(&slope(&cpu, f, &x, &one)).unwrap().to_f64();
        let error = distance(&found, &numeric);
        assert!(error < 1e-9, "{f:?}: {error}");
    }
}
