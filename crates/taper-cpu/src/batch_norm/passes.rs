//! The loops over rows of the backward pass. They recompute a ReLU's argument z = (x − m) · a + b + r, and g passes
//! where z > 0. z is rounded as in the forward pass, so that both agree on every element, and takes no memory.

use super::{TILE, tile};
use crate::activation::gate;
use crate::isa::multiversion;
use crate::math::Float;

/// h, the gradient with respect to z, from g = dL/dy.
pub(super) trait Gate<T> {
    fn pass(g: T, z: T) -> T;
}

/// No activation: y = z, h = g.
pub(super) struct NoGate;
/// ReLU: y = max(z, 0), h = g where z > 0, else 0.
pub(super) struct ReluGate;

impl<T: Float> Gate<T> for NoGate {
    #[inline(always)]
    fn pass(g: T, _z: T) -> T {
        g
    }
}

impl<T: Float> Gate<T> for ReluGate {
    #[inline(always)]
    fn pass(g: T, z: T) -> T {
        gate(z, g, T::ZERO)
    }
}

multiversion! {
    /// Adds each row's h to `sum`, and h · (x − m) to `product`, for each channel.
    pub(super) fn add_products<T: Float, G: Gate<T>>(
        g: &[T], x: &[T], m: &[T], a: &[T], b: &[T], sum: &mut [T], product: &mut [T],
    ) {
        let width = m.len();
        let whole = width - width % TILE;
        for (g, x) in g.chunks_exact(width).zip(x.chunks_exact(width)) {
            for left in (0..whole).step_by(TILE) {
                let (g, x, m) = (tile(g, left), tile(x, left), tile(m, left));
                let (a, b) = (tile(a, left), tile(b, left));
                let (mut acc, mut products) = (tile(sum, left), tile(product, left));
                for i in 0..TILE {
                    let d = x[i] - m[i];
                    let h = G::pass(g[i], d * a[i] + b[i]);
                    acc[i] += h;
                    products[i] += h * d;
                }
                sum[left..left + TILE].copy_from_slice(&acc);
                product[left..left + TILE].copy_from_slice(&products);
            }
            for i in whole..width {
                let d = x[i] - m[i];
                let h = G::pass(g[i], d * a[i] + b[i]);
                sum[i] += h;
                product[i] += h * d;
            }
        }
    }
}

multiversion! {
    /// As [`add_products`], for a ReLU after a residual `r`; also stores h, which is the residual's gradient.
    pub(super) fn add_products_and_keep<T: Float>(
        g: &[T], x: &[T], r: &[T], m: &[T], a: &[T], b: &[T], h: &mut [T], sum: &mut [T], product: &mut [T],
    ) {
        let width = m.len();
        let whole = width - width % TILE;
        let given = g.chunks_exact(width).zip(x.chunks_exact(width)).zip(r.chunks_exact(width));
        for (((g, x), r), h) in given.zip(h.chunks_exact_mut(width)) {
            for left in (0..whole).step_by(TILE) {
                let (g, x, r, m) = (tile(g, left), tile(x, left), tile(r, left), tile(m, left));
                let (a, b, h) = (tile(a, left), tile(b, left), &mut h[left..left + TILE]);
                let (mut acc, mut products) = (tile(sum, left), tile(product, left));
                for i in 0..TILE {
                    let d = x[i] - m[i];
                    h[i] = ReluGate::pass(g[i], d * a[i] + b[i] + r[i]);
                    acc[i] += h[i];
                    products[i] += h[i] * d;
                }
                sum[left..left + TILE].copy_from_slice(&acc);
                product[left..left + TILE].copy_from_slice(&products);
            }
            for i in whole..width {
                let d = x[i] - m[i];
                h[i] = ReluGate::pass(g[i], d * a[i] + b[i] + r[i]);
                sum[i] += h[i];
                product[i] += h[i] * d;
            }
        }
    }
}

multiversion! {
    /// dL/dx = (h − q − (x − m) · p) · a for each row.
    pub(super) fn input_grad<T: Float, G: Gate<T>>(
        g: &[T], x: &[T], m: &[T], a: &[T], b: &[T], p: &[T], q: &[T], out: &mut [T],
    ) {
        let width = m.len();
        let whole = width - width % TILE;
        for ((g, x), out) in g.chunks_exact(width).zip(x.chunks_exact(width)).zip(out.chunks_exact_mut(width)) {
            for left in (0..whole).step_by(TILE) {
                let (g, x, m, a) = (tile(g, left), tile(x, left), tile(m, left), tile(a, left));
                let (b, p, q, out) = (tile(b, left), tile(p, left), tile(q, left), &mut out[left..left + TILE]);
                for i in 0..TILE {
                    let d = x[i] - m[i];
                    out[i] = (G::pass(g[i], d * a[i] + b[i]) - q[i] - d * p[i]) * a[i];
                }
            }
            for i in whole..width {
                let d = x[i] - m[i];
                out[i] = (G::pass(g[i], d * a[i] + b[i]) - q[i] - d * p[i]) * a[i];
            }
        }
    }
}
