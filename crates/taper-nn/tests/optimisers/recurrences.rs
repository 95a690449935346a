//! The papers' recurrences, written out for one number after the other, in f64.

use crate::{draw, gradients, param, values};
use taper_nn::{
    Adagrad, AdagradConfig, Adam, AdamConfig, Lamb, LambConfig, Lion, LionConfig, Muon, MuonConfig, Optimizer, Param,
    Rmsprop, RmspropConfig, Sgd, SgdConfig,
};

const LR: f64 = 0.05;
const DECAY: f64 = 0.1;

/// Five steps beside `step(t, p, g, memory)`, which changes all of p; each of three memories starts as zeros.
#[track_caller]
fn assert_recurrence<O: Optimizer>(
    shape: &[usize],
    make: impl Fn(Vec<Param>) -> taper_nn::Result<O>,
    step: impl Fn(i32, &mut [f64], &[f64], &mut [Vec<f64>; 3]),
) {
    let param = param("p", shape);
    let mut optimizer = make(vec![param.clone()]).unwrap();
    let mut p = values(&param);
    let start = p.clone();
    let mut memory = [0; 3].map(|_| vec![0.0; p.len()]);
    for t in 1..=5 {
        let g = draw(t, p.len());
        let _ = optimizer.step(&gradients(&param, &g)).unwrap();
        step(t as i32, &mut p, &g, &mut memory);
        let (apart, size) = (distance(&values(&param), &p), norm(&p));
        assert!(apart <= 1e-13 * size, "step {t}: {apart:.1e} apart");
    }
    assert!(distance(&p, &start) > 1e-3);
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

/// Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.
#[test]
fn adam() {
    for decoupled in [false, true] {
        let config = AdamConfig { lr: LR, betas: [0.8, 0.95], eps: 1e-3, weight_decay: DECAY, decoupled, l1: 0.0 };
        assert_recurrence(
            &[7],
            |params| Adam::new(params, config),
            |t, p, g, [m, v, _]| {
                for i in 0..p.len() {
                    let g = if decoupled { g[i] } else { g[i] + DECAY * p[i] };
                    m[i] = 0.8 * m[i] + (1.0 - 0.8) * g;
                    v[i] = 0.95 * v[i] + (1.0 - 0.95) * g * g;
                    let (m_hat, v_hat) = (m[i] / (1.0 - 0.8f64.powi(t)), v[i] / (1.0 - 0.95f64.powi(t)));
                    let shrink = if decoupled { LR * DECAY * p[i] } else { 0.0 };
                    p[i] -= LR * m_hat / (v_hat.sqrt() + 1e-3) + shrink;
                }
            },
        );
    }
}

/// Sutskever et al. 2013 in PyTorch's form, and Loshchilov and Hutter 2019, algorithm 1; with L1.
#[test]
fn sgd() {
    for (decoupled, nesterov) in [(false, false), (false, true), (true, true)] {
        let config =
            SgdConfig { lr: LR, momentum: 0.9, dampening: 0.0, weight_decay: DECAY, decoupled, l1: 0.2, nesterov };
        assert_recurrence(
            &[7],
            |params| Sgd::new(params, config),
            |_, p, g, [u, _, _]| {
                for i in 0..p.len() {
                    let mut g = g[i] + 0.2 * p[i].signum();
                    if decoupled {
                        p[i] -= LR * DECAY * p[i];
                    } else {
                        g += DECAY * p[i];
                    }
                    u[i] = 0.9 * u[i] + g;
                    p[i] -= LR * if nesterov { g + 0.9 * u[i] } else { u[i] };
                }
            },
        );
    }
}

/// Hinton 2012, lecture 6e; centred: Graves 2013, equations 38 to 41.
#[test]
fn rmsprop() {
    for centered in [false, true] {
        let config =
            RmspropConfig { lr: LR, alpha: 0.9, eps: 1e-3, momentum: 0.8, centered, weight_decay: DECAY, l1: 0.0 };
        assert_recurrence(
            &[7],
            |params| Rmsprop::new(params, config),
            |_, p, g, [n, mean, u]| {
                for i in 0..p.len() {
                    let g = g[i] + DECAY * p[i];
                    n[i] = 0.9 * n[i] + (1.0 - 0.9) * g * g;
                    mean[i] = if centered { 0.9 * mean[i] + (1.0 - 0.9) * g } else { 0.0 };
                    u[i] = 0.8 * u[i] + g / ((n[i] - mean[i] * mean[i]).sqrt() + 1e-3);
                    p[i] -= LR * u[i];
                }
            },
        );
    }
}

/// Duchi, Hazan and Singer 2011, figure 1.
#[test]
fn adagrad() {
    let config = AdagradConfig { lr: LR, lr_decay: 0.5, initial: 0.25, eps: 1e-3, weight_decay: DECAY, l1: 0.0 };
    assert_recurrence(
        &[7],
        |params| Adagrad::new(params, config),
        |t, p, g, [sum, _, _]| {
            for i in 0..p.len() {
                let g = g[i] + DECAY * p[i];
                sum[i] += g * g;
                p[i] -= LR / (1.0 + f64::from(t - 1) * 0.5) * g / ((0.25 + sum[i]).sqrt() + 1e-3);
            }
        },
    );
}

/// Chen et al. 2023, algorithm 2.
#[test]
fn lion() {
    let config = LionConfig { lr: LR, betas: [0.8, 0.95], weight_decay: DECAY, l1: 0.0 };
    assert_recurrence(
        &[7],
        |params| Lion::new(params, config),
        |_, p, g, [m, _, _]| {
            for i in 0..p.len() {
                let c = 0.8 * m[i] + (1.0 - 0.8) * g[i];
                p[i] -= LR * (c.signum() + DECAY * p[i]);
                m[i] = 0.95 * m[i] + (1.0 - 0.95) * g[i];
            }
        },
    );
}

/// You et al. 2020, algorithm 2.
#[test]
fn lamb() {
    let config = LambConfig { lr: LR, betas: [0.8, 0.95], eps: 1e-3, weight_decay: DECAY, l1: 0.0 };
    assert_recurrence(
        &[7],
        |params| Lamb::new(params, config),
        |t, p, g, [m, v, _]| {
            let mut r = vec![0.0; p.len()];
            for i in 0..p.len() {
                m[i] = 0.8 * m[i] + (1.0 - 0.8) * g[i];
                v[i] = 0.95 * v[i] + (1.0 - 0.95) * g[i] * g[i];
                let (m_hat, v_hat) = (m[i] / (1.0 - 0.8f64.powi(t)), v[i] / (1.0 - 0.95f64.powi(t)));
                r[i] = m_hat / (v_hat.sqrt() + 1e-3) + DECAY * p[i];
            }
            let ratio = norm(p) / norm(&r);
            p.iter_mut().zip(r).for_each(|(p, r)| *p -= LR * ratio * r);
        },
    );
}

/// [m, k] × [k, n], each given by its element.
fn product([m, k, n]: [usize; 3], a: impl Fn(usize, usize) -> f64, b: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..m * n).map(|at| (0..k).map(|j| a(at / n, j) * b(j, at % n)).sum()).collect()
}

/// Jordan et al. 2024, as in airbench94_muon: a wide matrix, a tall one, and a convolution's weight.
#[test]
fn muon() {
    for shape in [&[3, 5][..], &[5, 3], &[4, 3, 1, 2]] {
        let config = MuonConfig { lr: LR, momentum: 0.6, ..MuonConfig::airbench() };
        let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
        assert_recurrence(
            shape,
            |params| Muon::new(params, config),
            |_, p, g, [u, _, _]| {
                u.iter_mut().zip(g).for_each(|(u, g)| *u = 0.6 * *u + g);
                let scale = (rows as f64).sqrt() / norm(p);
                p.iter_mut().for_each(|p| *p *= scale);
                let mut x: Vec<f64> = g.iter().zip(&*u).map(|(g, u)| g + 0.6 * u).collect();
                let size = norm(&x) + 1e-7;
                x.iter_mut().for_each(|x| *x /= size);
                for _ in 0..3 {
                    // X Xᵀ X and X Xᵀ X Xᵀ X are the same whether X or Xᵀ is iterated.
                    let at = |x: &[f64], i, j| x[i * columns + j];
                    let gram = product([rows, columns, rows], |i, j| at(&x, i, j), |i, j| at(&x, j, i));
                    let cube = product([rows, rows, columns], |i, j| gram[i * rows + j], |i, j| at(&x, i, j));
                    let fifth = product([rows, rows, columns], |i, j| gram[i * rows + j], |i, j| at(&cube, i, j));
                    for i in 0..x.len() {
                        x[i] = 3.4445 * x[i] - 4.7750 * cube[i] + 2.0315 * fifth[i];
                    }
                }
                p.iter_mut().zip(x).for_each(|(p, x)| *p -= LR * x);
            },
        );
    }
}
