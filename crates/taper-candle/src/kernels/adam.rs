//! One step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) in one pass over memory, with PyTorch's
//! formulas:
//!
//! m ← m + (1 − β₁)(g − m), v ← β₂ v + (1 − β₂) g², p ← p (1 − lr · λ) − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε),
//!
//! where plain Adam adds λp to g instead. The results are written to new memory, since candle does not tell whether
//! storage is shared.

use super::launch::{Grid, Launch, Scalar};
use super::number::{Number, Real, for_float};
use super::source::{FLOATS, Kernel};
use candle_core::{Result, Tensor};
use taper_backend::AdamSpec;

pub(crate) const KERNEL: Kernel =
    Kernel { name: "adam", text: include_str!("adam.cu"), dtypes: FLOATS, entries: &["adam"] };

/// The numbers that all elements of a step share, in the order of the kernel's arguments.
fn shared(spec: &AdamSpec) -> [f64; 9] {
    let (joined, decoupled) = if spec.decoupled { (0.0, spec.weight_decay) } else { (spec.weight_decay, 0.0) };
    [
        1.0 - spec.lr * decoupled,
        joined,
        1.0 - spec.beta1,
        spec.beta2,
        1.0 - spec.beta2,
        spec.beta1.ln(),
        spec.beta2.ln(),
        spec.eps,
        spec.lr,
    ]
}

/// Step number `t`, from 1, on one element: the new parameter and moments. 1 − βᵗ is computed as −expm1(t ln β),
/// without cancellation.
fn update<A: Real>(shared: [A; 9], t: A, [p, m, v, g]: [A; 4]) -> [A; 3] {
    let [shrink, decay, rate1, beta2, rate2, ln_beta1, ln_beta2, eps, lr] = shared;
    let (root, step) = ((-(t * ln_beta2).exp_m1()).sqrt(), lr / -(t * ln_beta1).exp_m1());
    let g = g + decay * p;
    let m = m + (g - m) * rate1;
    let v = beta2 * v + rate2 * g * g;
    let denominator = v.sqrt() / root + eps;
    [p * shrink - step * m / denominator, m, v]
}

/// The new parameter, first and second moment after one step; the i64 scalar `taken` is the number of steps before it.
/// If the u8 scalar `apply` is 0, the results are the old values.
pub(crate) fn step(
    [p, m, v]: [&Tensor; 3],
    g: &Tensor,
    (taken, apply): (&Tensor, Option<&Tensor>),
    spec: &AdamSpec,
) -> Result<[Tensor; 3]> {
    let n = p.elem_count();
    let shared = shared(spec);
    let mut scalars = vec![Scalar::count(n)];
    scalars.extend(shared.map(Scalar::Real));
    let launch = Launch {
        kernel: &KERNEL,
        entry: "adam",
        dtype: p.dtype(),
        inputs: &[Some(p), Some(m), Some(v), Some(g), Some(taken), apply],
        scalars: &scalars,
        grid: Grid::Pieces(n),
    };
    let out = for_float!("adam_step", p.dtype(), T => launch.run::<T>((3, n), |host, out| {
        let old = [host.get::<T>(0)?, host.get::<T>(1)?, host.get::<T>(2)?];
        if host.maybe::<u8>(5)?.is_some_and(|apply| apply[0] == 0) {
            old.iter().enumerate().for_each(|(i, old)| out[i * n..][..n].copy_from_slice(old));
            return Ok(());
        }
        let (shared, t) = (shared.map(Real::of), Real::of(host.get::<i64>(4)?[0] as f64 + 1.0));
        for (i, g) in host.get::<T>(3)?.iter().enumerate() {
            let old = [old[0][i].wide(), old[1][i].wide(), old[2][i].wide(), g.wide()];
            let new = update::<<T as Number>::Wide>(shared, t, old);
            new.iter().enumerate().for_each(|(k, &new)| out[k * n + i] = T::narrow(new));
        }
        Ok(())
    }))?;
    let part = |i: usize| out.get(i)?.reshape(p.shape());
    Ok([part(0)?, part(1)?, part(2)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    const SPEC: AdamSpec = AdamSpec { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 0.0, weight_decay: 0.0, decoupled: false };

    /// The first step of Adam goes by lr against the gradient's sign, whatever its size.
    #[test]
    fn first_step() -> Result<()> {
        let x = |values: &[f64]| Tensor::new(values, &Device::Cpu);
        let (p, zero, g) = (x(&[1.0, -2.0])?, x(&[0.0, 0.0])?, x(&[0.03, -500.0])?);
        let none = Tensor::zeros((), DType::I64, &Device::Cpu)?;
        let [p, m, v] = step([&p, &zero, &zero], &g, (&none, None), &SPEC)?;
        for (found, expected) in [(&p, [0.9, -1.9]), (&m, [0.003, -50.0]), (&v, [9e-6, 2500.0])] {
            let found = found.to_vec1::<f64>()?;
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs()),
                "{found:?} {expected:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_flag_that_is_down_keeps_everything() -> Result<()> {
        let x = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?;
        let down = Tensor::zeros((), DType::U8, &Device::Cpu)?;
        let none = Tensor::zeros((), DType::I64, &Device::Cpu)?;
        for new in step([&x; 3], &x.t()?, (&none, Some(&down)), &SPEC)? {
            assert_eq!(new.to_vec2::<f32>()?, x.to_vec2::<f32>()?);
        }
        let up = Tensor::ones((), DType::U8, &Device::Cpu)?;
        assert_ne!(step([&x; 3], &x, (&none, Some(&up)), &SPEC)?[0].to_vec2::<f32>()?, x.to_vec2::<f32>()?);
        Ok(())
    }
}
