//! Whether all elements are finite, which decides whether an optimiser skips a step. The answer stays on the device.

use super::launch::{Grid, Launch, Scalar};
use super::number::{Number, for_float};
use super::source::{FLOATS, Kernel};
use candle_core::{DType, Result, Tensor, bail};
use num_traits::Float;

pub(crate) const KERNEL: Kernel =
    Kernel { name: "finite", text: include_str!("finite.cu"), dtypes: FLOATS, entries: &["all_finite"] };

/// Elements that one thread checks.
const EACH: usize = 8;

/// A u8 scalar: 1 if every element of every tensor is finite, else 0. Integers always are.
pub(crate) fn all_finite(xs: &[&Tensor]) -> Result<Tensor> {
    let Some(first) = xs.first() else { bail!("all_finite needs a tensor, to know the device") };
    let flag = Tensor::ones((), DType::U8, first.device())?;
    for x in xs.iter().filter(|x| x.dtype().is_float() && x.elem_count() > 0) {
        let n = x.elem_count();
        let launch = Launch {
            kernel: &KERNEL,
            entry: "all_finite",
            dtype: x.dtype(),
            inputs: &[Some(x)],
            scalars: &[Scalar::count(n)],
            grid: Grid::Pieces(n.div_ceil(EACH)),
        };
        for_float!("all_finite", x.dtype(), T => launch.run_in::<u8>(&flag, |host, flag| {
            if !host.get::<T>(0)?.iter().all(|x| Float::is_finite(x.wide())) {
                flag[0] = 0;
            }
            Ok(())
        }))?;
    }
    Ok(flag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn one_bad_element_of_one_tensor_is_seen() -> Result<()> {
        let good = Tensor::new(&[1.0, f64::MAX, f64::MIN_POSITIVE], &Device::Cpu)?;
        let whole = Tensor::new(&[i64::MAX], &Device::Cpu)?;
        for (bad, flag) in [(f64::NAN, 0), (f64::INFINITY, 0), (f64::NEG_INFINITY, 0), (0.0, 1)] {
            for dtype in FLOATS {
                let bad = Tensor::new(&[[0.0, 1.0], [bad, 2.0]], &Device::Cpu)?.to_dtype(*dtype)?.t()?;
                for xs in [vec![&bad, &good, &whole], vec![&good, &bad], vec![&bad]] {
                    assert_eq!(all_finite(&xs)?.to_scalar::<u8>()?, flag);
                }
            }
        }
        Ok(())
    }
}
