//! Dropout: element `i` in row-major order is `x / (1 − p)` where word `i` of the random key
//! is at least `p · 2³²`, else 0.

use super::launch::{Grid, Launch, Scalar};
use super::number::{Number, Real, for_float};
use super::source::{FLOATS, Kernel};
use candle_core::{Result, Tensor};
use taper_backend::RandomKey;

pub(crate) const KERNEL: Kernel =
    Kernel { name: "dropout", text: include_str!("dropout.cu"), dtypes: FLOATS, entries: &["dropout"] };

/// `x` with each element set to 0 with probability `p`, and divided by 1 − `p` otherwise.
pub(crate) fn apply(x: &Tensor, p: f64, key: RandomKey) -> Result<Tensor> {
    let n = x.elem_count();
    // Words are integers, so that word ≥ p · 2³² means the same as word ≥ ⌈p · 2³²⌉.
    let threshold = (p * 4_294_967_296.0).ceil() as u64;
    let [seed, stream] = key.words();
    let word = |x: u64| Scalar::Int(x as i64);
    let launch = Launch {
        kernel: &KERNEL,
        entry: "dropout",
        dtype: x.dtype(),
        inputs: &[Some(x)],
        scalars: &[Scalar::count(n), word(threshold), word(seed), word(stream), Scalar::Real(1.0 - p)],
        grid: Grid::Pieces(n.div_ceil(4)),
    };
    for_float!("dropout", x.dtype(), T => launch.run::<T>(x.shape(), |host, y| {
        let keep = <<T as Number>::Wide as Real>::of(1.0 - p);
        for ((block, y), x) in y.chunks_mut(4).enumerate().zip(host.get::<T>(0)?.chunks(4)) {
            for ((y, x), word) in y.iter_mut().zip(x).zip(key.block(block as u64)) {
                *y = if u64::from(word) >= threshold { T::narrow(x.wide() / keep) } else { T::default() };
            }
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_words_decide_in_row_major_order() -> Result<()> {
        let key = RandomKey::new(3).child("dropout");
        let x = Tensor::arange(1f32, 36.0, &Device::Cpu)?.reshape((5, 7))?.t()?;
        let y = apply(&x, 0.25, key)?.flatten_all()?.to_vec1::<f32>()?;
        for (i, (y, x)) in y.into_iter().zip(x.flatten_all()?.to_vec1::<f32>()?).enumerate() {
            assert_eq!(y, if key.word(i as u64) >= 1 << 30 { x / 0.75 } else { 0.0 }, "element {i}");
        }
        Ok(())
    }
}
