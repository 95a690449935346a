//! Attention: memory in proportion to the context, long rows, rows of which every key is hidden, and NaN. (The conformance
//! suite compares it with its definition.)

mod common;

use common::{distance, fused, gradients, on_each, operand};
use taper_backend::{Backend, Buffer, DType, FusedOp, HostData, Shape};
use taper_cpu::CpuBackend;

/// q, k, v and the output's gradient.
fn operands(cpu: &CpuBackend, [n, h, t, s, d, dv]: [usize; 6], dtype: DType) -> [Buffer; 4] {
    let shapes = [[n, h, t, d], [n, h, s, d], [n, h, s, dv], [n, h, t, dv]];
    let mut seed = 0;
    shapes.map(|shape| {
        seed += 1;
        operand(cpu, &shape, dtype, seed, false).0
    })
}

/// The output, and the gradients of q, k and v.
fn results(cpu: &CpuBackend, [q, k, v, g]: &[Buffer; 4], causal: bool) -> Vec<HostData> {
    let op = FusedOp::Attention { q, k, v, mask: None, causal, scale: 0.125 };
    let output = fused(cpu, &op);
    let all = std::iter::once(output.y.clone()).chain(gradients(cpu, &op, g, &output.saved));
    all.map(|x| cpu.download(&x).unwrap()).collect()
}

/// In f32 beside f64, with several blocks of queries and keys: errors do not grow with the context.
#[test]
fn long_rows_are_precise() {
    for (sizes, causal) in [([1, 2, 700, 700, 24, 24], true), ([1, 1, 90, 1500, 64, 40], false)] {
        let cpu = CpuBackend::with_threads(2).unwrap();
        let wide = operands(&cpu, sizes, DType::F32).map(|x| cpu.cast(&x, DType::F64).unwrap());
        let due = results(&cpu, &wide, causal);
        on_each(
            |cpu| results(cpu, &operands(cpu, sizes, DType::F32), causal),
            |cpu, found| {
                for (i, (found, due)) in found.iter().zip(&due).enumerate() {
                    let error = distance(&found.to_f64(), &due.to_f64());
                    assert!(error < 1e-6, "{cpu:?}, result {i} of {sizes:?}: {error:e}");
                }
            },
        );
    }
}

/// The bytes that the pool has handed out at once, at most: it keeps all that comes back.
fn bytes(t: usize, causal: bool) -> [usize; 2] {
    let cpu = CpuBackend::with_threads(1).unwrap();
    let all = operands(&cpu, [1, 4, t, t, 32, 32], DType::F32);
    let [q, k, v, g] = &all;
    let op = FusedOp::Attention { q, k, v, mask: None, causal, scale: 0.2 };
    let output = fused(&cpu, &op);
    let forward = cpu.pool().retained_bytes();
    drop(gradients(&cpu, &op, g, &output.saved));
    drop((output, all));
    [forward, cpu.pool().retained_bytes()]
}

#[test]
fn memory_is_linear_in_the_context() {
    for causal in [false, true] {
        let (short, long) = (bytes(1024, causal), bytes(2048, causal));
        for (short, long) in short.into_iter().zip(long) {
            let ratio = long as f64 / short as f64;
            assert!(ratio < 2.3, "twice the context takes {ratio:.2} times the memory: {short}, {long} bytes");
        }
        // The scores alone would take 4 heads of 2048² elements.
        assert!(long[1] < 4 * 2048 * 2048 * 4 / 4, "{long:?} bytes");
    }
}

/// A query that sees no key has the output 0, and gives and gets no gradient.
#[test]
fn rows_without_keys_are_zero() {
    let cpu = CpuBackend::with_threads(2).unwrap();
    let (t, s) = (150, 140);
    let [q, k, v, g] = operands(&cpu, [1, 1, t, s, 8, 8], DType::F32);
    // With ten more queries than keys the first ten see none; of the others, the mask hides all from every seventh.
    let mask: Vec<f64> = (0..t * s).map(|i| if (i / s).is_multiple_of(7) { f64::NEG_INFINITY } else { 0.0 }).collect();
    let mask = cpu.upload(&HostData::from_f64(&mask, DType::F32), &Shape::from([1, 1, t, s])).unwrap();
    let op = FusedOp::Attention { q: &q, k: &k, v: &v, mask: Some(&mask), causal: true, scale: 1.0 };
    let output = fused(&cpu, &op);
    let found = cpu.fused_grad(&op, &g, &output.saved, &[true, true, true, false]).unwrap().unwrap();
    for (what, x) in [("y", &output.y), ("dq", found[0].as_ref().unwrap())] {
        let x = cpu.download(x).unwrap().to_f64();
        for (row, x) in x.chunks_exact(8).enumerate() {
            let hidden = row < 10 || row % 7 == 0;
            assert!(x.iter().all(|x| x.is_finite() && (*x == 0.0) == hidden), "{what} {row}: {x:?}");
        }
    }
    for x in &found[1..3] {
        assert!(cpu.download(x.as_ref().unwrap()).unwrap().to_f64().iter().all(|x| x.is_finite()));
    }
}

/// A NaN in a query is in its output and in no other's; one in a key is in all that see it.
#[test]
fn nan_stays_where_it_is_seen() {
    let cpu = CpuBackend::with_threads(2).unwrap();
    let sizes = [1, 1, 200, 200, 8, 8];
    for (of, place) in [(0, 150), (1, 150)] {
        let mut all = operands(&cpu, sizes, DType::F32);
        let mut values = cpu.download(&all[of]).unwrap().to_f64();
        values[place * 8 + 3] = f64::NAN;
        all[of] = cpu.upload(&HostData::from_f64(&values, DType::F32), all[of].shape()).unwrap();
        let [q, k, v, _] = &all;
        let y = fused(&cpu, &FusedOp::Attention { q, k, v, mask: None, causal: true, scale: 1.0 }).y;
        for (row, y) in cpu.download(&y).unwrap().to_f64().chunks_exact(8).enumerate() {
            let due = if of == 0 { row == place } else { row >= place };
            assert!(y.iter().all(|y| y.is_nan() == due), "operand {of}, row {row}: {y:?}");
        }
    }
}
