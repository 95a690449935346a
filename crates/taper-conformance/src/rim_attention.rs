//! Cases of the rim's attention.

use super::case::Expected;
use super::fused::{both, of_present};
use super::{Bound, DType, Form, Run, WIDE};
use taper_backend::FusedOp;

/// N, H, T, S, D and Dv: of one element, of odd sizes, of several blocks of any kernel, with fewer and with more queries
/// than keys.
const SIZES: [[usize; 6]; 9] = [
    [1, 1, 1, 1, 1, 1],
    [2, 3, 5, 5, 4, 4],
    [1, 2, 7, 9, 8, 5],
    [2, 2, 33, 33, 16, 16],
    [3, 1, 6, 4, 3, 7],
    [1, 2, 70, 200, 40, 24],
    [1, 1, 130, 130, 32, 32],
    [2, 1, 1, 40, 8, 8],
    [1, 1, 150, 300, 17, 65],
];

/// Which operands need a gradient: q, k, v.
const NEEDS: [[bool; 3]; 4] = [[true, true, true], [true, false, false], [false, false, true], [false, true, true]];

/// The mask of a case.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Hides {
    /// None.
    Nothing,
    /// Numbers are added.
    Added,
    /// Some keys are hidden, for all queries of a sample's head, once all of them.
    Keys,
}

pub fn cases(run: &mut Run) {
    for dtype in WIDE {
        for (i, sizes) in SIZES.into_iter().enumerate() {
            for (j, causal) in [false, true].into_iter().enumerate() {
                for (m, hides) in [Hides::Nothing, Hides::Added, Hides::Keys].into_iter().enumerate() {
                    let form = if m == 0 && j == 0 { Form::Plain } else { Form::nth(i + j + m) };
                    attention(run, dtype, sizes, causal, hides, NEEDS[(i + j + m) % NEEDS.len()], form);
                }
            }
        }
    }
}

fn attention(
    run: &mut Run,
    dtype: DType,
    [n, h, t, s, d, dv]: [usize; 6],
    causal: bool,
    hides: Hides,
    needs: [bool; 3],
    form: Form,
) {
    let label = format!("{n}x{h} {t}x{s} of {d}, {dv} causal {causal} {hides:?} needs {needs:?} {form:?}");
    run.case("attention", dtype, label, |case| {
        let q = case.uniform([n, h, t, d], -2.0, 2.0).form(form);
        let k = case.uniform([n, h, s, d], -2.0, 2.0).form(Form::nth(t));
        let v = case.biased([n, h, s, dv]).form(form);
        let mut mask = case.uniform([n, h, t, s], -1.0, 1.0).form(if causal { form } else { Form::Plain });
        if hides == Hides::Keys {
            // The same for all queries: a view, broadcast along them.
            let hidden = |i: usize| (i / s).is_multiple_of(3) && i / s > 0 || i % 3 == 1;
            let of_heads = (0..n * h * s).map(|i| if hidden(i) { f64::NEG_INFINITY } else { 0.0 });
            let of_heads: Vec<f64> = of_heads.collect();
            let all: Vec<f64> = (0..n * h * t * s).map(|i| of_heads[i / (t * s) * s + i % s]).collect();
            mask = super::Value::new([n, h, t, s], &all, dtype);
        }
        let g = case.uniform([n, h, t, dv], -1.0, 1.0).form(Form::nth(s));
        let scale = 0.8 / (d as f64).sqrt();
        let operands = [&q, &k, &v, &g].map(|x| x.f64());
        let added = (hides != Hides::Nothing).then(|| mask.f64());
        let expected = definition([n * h, t, s, d, dv], operands, added, causal, scale);
        let [y, dq, dk, dv_] = expected;
        let mut wanted = vec![Expected::new([n, h, t, dv], y.0)];
        let of = [([n, h, t, d], dq), ([n, h, s, d], dk), ([n, h, s, dv], dv_)];
        let needed = of.into_iter().zip(needs).filter(|(_, need)| *need);
        wanted.extend(needed.map(|((shape, (values, terms)), _)| Expected::new(shape, values).against(terms)));
        case.check_rim(Bound::Sum(s + t + d + dv + 64), &[q, k, v, mask, g], wanted, |device, x| {
            let there = hides != Hides::Nothing;
            let mask = there.then_some(&x[3]);
            let op = FusedOp::Attention { q: &x[0], k: &x[1], v: &x[2], mask, causal, scale };
            let [of_q, of_k, of_v] = needs;
            both(device, &op, &x[4], &of_present([true, true, true, there], [of_q, of_k, of_v, false]))
        });
    });
}

/// Values, and the sizes of the terms that each is a sum of.
type Terms = (Vec<f64>, Vec<f64>);

/// The output, and the gradients of q, k and v: row by row, as the formulas stand.
fn definition(
    [heads, t, s, d, dv]: [usize; 5],
    [q, k, v, g]: [Vec<f64>; 4],
    mask: Option<Vec<f64>>,
    causal: bool,
    scale: f64,
) -> [Terms; 4] {
    let zeros = |rows: usize, width: usize| (vec![0.0; heads * rows * width], vec![0.0; heads * rows * width]);
    let [mut y, mut dq, mut dk, mut dv_] = [zeros(t, dv), zeros(t, d), zeros(s, d), zeros(s, dv)];
    let add = |to: &mut Terms, at: usize, term: f64| {
        to.0[at] += term;
        to.1[at] += term.abs();
    };
    for (head, i) in (0..heads).flat_map(|head| (0..t).map(move |i| (head, i))) {
        let row = head * t + i;
        let score = |j: usize| {
            let added = mask.as_ref().map_or(0.0, |mask| mask[row * s + j]);
            let hidden = causal && j + t > i + s;
            if hidden {
                f64::NEG_INFINITY
            } else {
                (0..d).map(|c| q[row * d + c] * k[(head * s + j) * d + c]).sum::<f64>() * scale + added
            }
        };
        let scores: Vec<f64> = (0..s).map(score).collect();
        let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if top == f64::NEG_INFINITY {
            continue;
        }
        let sum: f64 = scores.iter().map(|score| (score - top).exp()).sum();
        let p: Vec<f64> = scores.iter().map(|score| (score - top).exp() / sum).collect();
        let dp: Vec<f64> =
            (0..s).map(|j| (0..dv).map(|c| g[row * dv + c] * v[(head * s + j) * dv + c]).sum()).collect();
        let mean: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
        for j in 0..s {
            let (key, slope) = (head * s + j, p[j] * (dp[j] - mean) * scale);
            for c in 0..dv {
                add(&mut y, row * dv + c, p[j] * v[key * dv + c]);
                add(&mut dv_, key * dv + c, p[j] * g[row * dv + c]);
            }
            for c in 0..d {
                add(&mut dq, row * d + c, slope * k[key * d + c]);
                add(&mut dk, key * d + c, slope * q[row * d + c]);
            }
        }
    }
    [y, dq, dk, dv_]
}
