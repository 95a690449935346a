//! One step of SGD in one pass over memory, with PyTorch's formulas: g ← g + λp, u ← μu + (1 − dampening) g (g itself
//! on the first step), p ← p − lr · u, or p − lr (g + μu) with Nesterov momentum. The results are written to new
//! memory, as in [`adam`](super::adam).

use super::launch::{Grid, Launch, Scalar};
use super::number::{Number, Real, for_float};
use super::source::{FLOATS, Kernel};
use candle_core::{Result, Tensor, bail};
use taper_backend::SgdSpec;

pub(crate) const KERNEL: Kernel =
    Kernel { name: "sgd", text: include_str!("sgd.cu"), dtypes: FLOATS, entries: &["sgd"] };

/// The new parameter and velocity after one step; the i64 scalar `taken` is the number of steps before it. Without
/// momentum the velocity stays as it is. If the u8 scalar `apply` is 0, the results are the old values.
///
/// # Errors
/// Momentum without a velocity.
pub(crate) fn step(
    p: &Tensor,
    velocity: Option<&Tensor>,
    g: &Tensor,
    (taken, apply): (&Tensor, Option<&Tensor>),
    spec: &SgdSpec,
) -> Result<(Tensor, Option<Tensor>)> {
    let n = p.elem_count();
    let used = velocity.filter(|_| spec.momentum != 0.0);
    if used.is_none() && spec.momentum != 0.0 {
        bail!("sgd_step: momentum {} needs a velocity", spec.momentum);
    }
    let (shared, nesterov) = ([spec.lr, spec.weight_decay, spec.momentum, 1.0 - spec.dampening], spec.nesterov);
    let mut scalars = vec![Scalar::count(n), Scalar::Int(i64::from(nesterov))];
    scalars.extend(shared.map(Scalar::Real));
    let launch = Launch {
        kernel: &KERNEL,
        entry: "sgd",
        dtype: p.dtype(),
        inputs: &[Some(p), used, Some(g), Some(taken), apply],
        scalars: &scalars,
        grid: Grid::Pieces(n),
    };
    let parts = if used.is_some() { 2 } else { 1 };
    let out = for_float!("sgd_step", p.dtype(), T => launch.run::<T>((parts, n), |host, out| {
        let (p, old) = (host.get::<T>(0)?, host.maybe::<T>(1)?);
        let skip = host.maybe::<u8>(4)?.is_some_and(|apply| apply[0] == 0);
        let first = host.get::<i64>(3)?[0] == 0;
        let [lr, decay, momentum, fresh] = shared.map(<<T as Number>::Wide as Real>::of);
        for (i, g) in host.get::<T>(2)?.iter().enumerate() {
            if skip {
                out[i] = p[i];
                old.iter().for_each(|old| out[n + i] = old[i]);
                continue;
            }
            let mut g = g.wide() + decay * p[i].wide();
            if let Some(old) = old {
                let v = if first { g } else { momentum * old[i].wide() + fresh * g };
                out[n + i] = T::narrow(v);
                g = if nesterov { g + momentum * v } else { v };
            }
            out[i] = T::narrow(p[i].wide() - lr * g);
        }
        Ok(())
    }))?;
    let part = |i: usize| out.get(i)?.reshape(p.shape());
    // Without momentum the given velocity, if any, is returned unchanged.
    Ok((part(0)?, if used.is_some() { Some(part(1)?) } else { velocity.cloned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Two steps computed by hand, with weight decay, momentum, dampening and Nesterov.
    #[test]
    fn two_steps() -> Result<()> {
        let spec = SgdSpec { lr: 0.5, momentum: 0.5, dampening: 0.25, weight_decay: 0.25, nesterov: true };
        let [none, one] = [0i64, 1].map(|taken| Tensor::new(taken, &Device::Cpu));
        let (none, one) = (none?, one?);
        let x = |value: f64| Tensor::new(&[value], &Device::Cpu);
        // g = 1 + ¼ · 4 = 2, u = 2, p = 4 − ½ (2 + ½ · 2)
        let (p, u) = step(&x(4.0)?, Some(&x(9.0)?), &x(1.0)?, (&none, None), &spec)?;
        assert_eq!((p.to_vec1::<f64>()?, u.map(|u| u.to_vec1::<f64>()).transpose()?), (vec![2.5], Some(vec![2.0])));
        // g = 3 + ¼ · 4 = 4, u = ½ · 2 + ¾ · 4 = 4, p = 4 − ½ (4 + ½ · 4)
        let (p, u) = step(&x(4.0)?, Some(&x(2.0)?), &x(3.0)?, (&one, None), &spec)?;
        assert_eq!((p.to_vec1::<f64>()?, u.map(|u| u.to_vec1::<f64>()).transpose()?), (vec![1.0], Some(vec![4.0])));
        assert!(step(&x(4.0)?, None, &x(3.0)?, (&one, None), &spec).is_err_and(|e| e.to_string().contains("velocity")));
        Ok(())
    }
}
