//! A step of a cell for one sample, after the products: forward, and backward from the gradients of h′ and c′ to those of
//! the gates before their functions. Each loop writes few arrays and has no branch, so that it vectorises.
//!
//! The derivatives of σ and tanh are taken from their values, σ (1 − σ) and 1 − tanh²: within a rounding of 1, not of
//! themselves, which is what the sums over units and steps that they enter keep.

use crate::activation::gate;
use crate::isa::multiversion;
use crate::math::Float;

multiversion! {
    /// z = W_i x + W_h h + biases becomes f(z) = h′, with f the hyperbolic tangent or ReLU.
    pub(super) fn simple<T: Float>(relu: bool, z: &mut [T], h: &mut [T], y: &mut [T]) {
        if relu {
            for z in z.iter_mut() {
                // NaN stays NaN: it is not below 0.
                *z = if *z < T::ZERO { T::ZERO } else { *z };
            }
        } else {
            for z in z.iter_mut() {
                *z = z.tanh();
            }
        }
        h.copy_from_slice(z);
        y.copy_from_slice(z);
    }
}

multiversion! {
    /// The gradient of z; `y` is h′ and `dh` its gradient.
    pub(super) fn simple_grad<T: Float>(relu: bool, y: &[T], dh: &[T], dz: &mut [T]) {
        if relu {
            for ((dz, &dh), &y) in dz.iter_mut().zip(dh).zip(y) {
                *dz = gate(y, dh, T::ZERO);
            }
        } else {
            for ((dz, &dh), &y) in dz.iter_mut().zip(dh).zip(y) {
                *dz = dh * (T::ONE - y * y);
            }
        }
    }
}

multiversion! {
    /// z = W_i x + W_h h + biases becomes the gates i, f, g, o; c becomes c′, which `kept` gets too.
    pub(super) fn lstm<T: Float>(z: &mut [T], c: &mut [T], kept: &mut [T], h: &mut [T], y: &mut [T]) {
        let n = h.len();
        for z in z[..2 * n].iter_mut() {
            *z = z.sigmoid();
        }
        for z in z[2 * n..3 * n].iter_mut() {
            *z = z.tanh();
        }
        for z in z[3 * n..4 * n].iter_mut() {
            *z = z.sigmoid();
        }
        let (i, f, g, o) = (&z[..n], &z[n..2 * n], &z[2 * n..3 * n], &z[3 * n..4 * n]);
        let (c, kept, y) = (&mut c[..n], &mut kept[..n], &mut y[..n]);
        for j in 0..n {
            let new = f[j] * c[j] + i[j] * g[j];
            c[j] = new;
            kept[j] = new;
            h[j] = o[j] * new.tanh();
        }
        y.copy_from_slice(h);
    }
}

multiversion! {
    /// The gradients of z from `dh`; `dc`, that of c′, becomes that of c. `gates` are the gates, `new` is c′ and `old` c.
    pub(super) fn lstm_grad<T: Float>(gates: &[T], new: &[T], old: &[T], dh: &[T], dc: &mut [T], dz: &mut [T]) {
        let n = dc.len();
        let (i, f, g, o) = (&gates[..n], &gates[n..2 * n], &gates[2 * n..3 * n], &gates[3 * n..4 * n]);
        let (new, old, dh) = (&new[..n], &old[..n], &dh[..n]);
        let (of_i, rest) = dz.split_at_mut(n);
        let (of_f, rest) = rest.split_at_mut(n);
        let (of_g, of_o) = rest.split_at_mut(n);
        let of_o = &mut of_o[..n];
        for j in 0..n {
            let t = new[j].tanh();
            dc[j] += dh[j] * o[j] * (T::ONE - t * t);
            of_o[j] = dh[j] * t * (o[j] * (T::ONE - o[j]));
        }
        for j in 0..n {
            of_i[j] = dc[j] * g[j] * (i[j] * (T::ONE - i[j]));
        }
        for j in 0..n {
            of_f[j] = dc[j] * old[j] * (f[j] * (T::ONE - f[j]));
        }
        for j in 0..n {
            of_g[j] = dc[j] * i[j] * (T::ONE - g[j] * g[j]);
        }
        for j in 0..n {
            dc[j] = dc[j] * f[j];
        }
    }
}

multiversion! {
    /// z = W_i x + biases (that of n's state apart) becomes the gates r, z, n; `state` is W_h h, and with the bias in n's
    /// part, which `kept` gets.
    pub(super) fn gru<T: Float>(z: &mut [T], state: &[T], kept: &mut [T], h: &mut [T], y: &mut [T]) {
        let n = h.len();
        let (rz, new) = z.split_at_mut(2 * n);
        for (rz, &state) in rz.iter_mut().zip(&state[..2 * n]) {
            *rz = (*rz + state).sigmoid();
        }
        let (r, update) = (&rz[..n], &rz[n..2 * n]);
        let (new, state) = (&mut new[..n], &state[2 * n..3 * n]);
        for j in 0..n {
            new[j] = (new[j] + r[j] * state[j]).tanh();
        }
        for j in 0..n {
            h[j] = new[j] + update[j] * (h[j] - new[j]);
        }
        kept[..n].copy_from_slice(state);
        y.copy_from_slice(h);
    }
}

multiversion! {
    /// The gradients of z from `dh`; `of_state` is that of n's W_h h + b_h, and `old` that of h on the way that bypasses
    /// the products. `gates` are the gates, `kept` n's W_h h + b_h, `h` the state before the step.
    pub(super) fn gru_grad<T: Float>(
        gates: &[T],
        kept: &[T],
        h: &[T],
        dh: &[T],
        old: &mut [T],
        dz: &mut [T],
        of_state: &mut [T],
    ) {
        let n = old.len();
        let (r, z, new) = (&gates[..n], &gates[n..2 * n], &gates[2 * n..3 * n]);
        let (kept, h, dh, of_state) = (&kept[..n], &h[..n], &dh[..n], &mut of_state[..n]);
        let (of_r, rest) = dz.split_at_mut(n);
        let (of_z, of_new) = rest.split_at_mut(n);
        let of_new = &mut of_new[..n];
        for j in 0..n {
            of_new[j] = dh[j] * (T::ONE - z[j]) * (T::ONE - new[j] * new[j]);
        }
        for j in 0..n {
            of_z[j] = dh[j] * (h[j] - new[j]) * (z[j] * (T::ONE - z[j]));
        }
        for j in 0..n {
            of_state[j] = of_new[j] * r[j];
        }
        for j in 0..n {
            of_r[j] = of_new[j] * kept[j] * (r[j] * (T::ONE - r[j]));
        }
        for j in 0..n {
            old[j] = dh[j] * z[j];
        }
    }
}
