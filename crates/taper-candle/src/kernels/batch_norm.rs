//! Batch norm in training (Ioffe and Szegedy 2015) of `x: [N, C, …]`, and its gradients: `y = x̂ · weight + bias` with
//! `x̂ = (x − μ) / √(σ² + ε)`, each channel's mean μ and biased variance σ² over M elements, and `dx = (g − Σg / M − x̂
//! · Σgx̂ / M) · weight / √(σ² + ε)`.

use super::launch::{Grid, Host, Launch, Scalar};
use super::number::{Number, Real, for_float};
use super::source::{FLOATS, Kernel};
use candle_core::{Result, Tensor, WithDType, bail};
use num_traits::{Float, One, Zero};

pub(crate) const KERNEL: Kernel = Kernel {
    name: "batch_norm",
    text: include_str!("batch_norm.cu"),
    dtypes: FLOATS,
    entries: &["batch_norm_moments", "batch_norm_stats", "batch_norm_apply", "batch_norm_grad_sums", "batch_norm_grad"],
};

/// The least elements of a chunk, which one block sums, and the most chunks of a channel. The split depends on the
/// sizes alone, so that the results do not depend on the device's parallelism.
const CHUNK: usize = 4096;
const CHUNKS: usize = 64;

/// How the sums over each channel of `x: [N, C, …]` are split into chunks.
#[derive(Clone, Copy)]
struct ChannelSplit {
    /// Elements of `x`.
    n: usize,
    /// C.
    channels: usize,
    /// Elements behind each channel of a sample: the product of the dimensions after C.
    plane: usize,
    /// Elements of a channel in all samples, N · `plane`.
    per: usize,
    /// Chunks of a channel.
    chunks: usize,
    /// Elements of a chunk; the last may have fewer.
    chunk: usize,
}

impl ChannelSplit {
    fn new(x: &Tensor) -> Result<Self> {
        let n = x.elem_count();
        let &[_, channels, ref inner @ ..] = x.dims() else { bail!("batch_norm: x must be [N, C, …]") };
        if n == 0 {
            bail!("batch_norm: x has no elements");
        }
        let per = n / channels;
        let chunk = per.div_ceil(CHUNKS).max(CHUNK);
        Ok(Self { n, channels, plane: inner.iter().product(), per, chunks: per.div_ceil(chunk), chunk })
    }

    /// The scalar arguments of the kernels that sum over chunks.
    fn sums(&self) -> [Scalar; 5] {
        [self.channels, self.plane, self.per, self.chunks, self.chunk].map(Scalar::count)
    }

    fn blocks(&self) -> Grid {
        Grid::Blocks(self.channels * self.chunks)
    }

    /// The row-major positions in `x` of the elements of chunk `s` of channel `c`.
    fn positions(self, c: usize, s: usize) -> impl Iterator<Item = usize> + Clone {
        (s * self.chunk..self.per.min((s + 1) * self.chunk))
            .map(move |k| (k / self.plane * self.channels + c) * self.plane + k % self.plane)
    }

    /// The number of elements in chunk `s`.
    fn count(&self, s: usize) -> f64 {
        self.chunk.min(self.per - s * self.chunk) as f64
    }

    /// Fills `out: [2, chunks, C]` with `f(channel, chunk)`, in any order.
    fn fill<A: Real>(&self, out: &mut [A], f: impl Fn(usize, usize) -> [f64; 2]) {
        for s in 0..self.chunks {
            for c in 0..self.channels {
                let [a, b] = f(c, s);
                out[s * self.channels + c] = A::of(a);
                out[(self.chunks + s) * self.channels + c] = A::of(b);
            }
        }
    }
}

/// Input `i`, stored as `A`, in f64, in which the kernels' CPU versions sum.
fn f64s<A: WithDType>(host: &Host<'_>, i: usize) -> Result<Vec<f64>> {
    Ok(host.get::<A>(i)?.iter().map(|x| x.to_f64()).collect())
}

/// y, each channel's mean and biased variance, both `[C]` in x's dtype, and the statistics that the backward pass
/// needs: `[4, C]` with the rows mean, rounding error of the mean, 1 / √(σ² + ε) and σ², in f64 if x is f64 and in f32
/// otherwise.
pub(crate) fn forward(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<(Tensor, Tensor, Tensor, Tensor)> {
    let x = &x.contiguous()?;
    let (y, stats) = for_float!("batch_norm", x.dtype(), T => normalise::<T>(x, weight, bias, eps))?;
    let (mean, variance) = (stats.get(0)?.to_dtype(x.dtype())?, stats.get(3)?.to_dtype(x.dtype())?);
    Ok((y, mean, variance, stats))
}

fn normalise<T: Number>(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<(Tensor, Tensor)> {
    let split = ChannelSplit::new(x)?;
    let ChannelSplit { n, channels, plane, per, chunks, .. } = split;
    let (kernel, dtype) = (&KERNEL, x.dtype());

    let (inputs, scalars) = ([Some(x)], split.sums());
    let sum =
        Launch { kernel, entry: "batch_norm_moments", dtype, inputs: &inputs, scalars: &scalars, grid: split.blocks() };
    let moments = sum.run::<T::Wide>((2, chunks, channels), |host, out| {
        let x = host.get::<T>(0)?;
        split.fill(out, |c, s| {
            let shift = x[c * plane].to_f64();
            let d = split.positions(c, s).map(|i| x[i].to_f64() - shift);
            let mean = d.clone().sum::<f64>() / split.count(s);
            [mean, d.map(|d| (d - mean) * (d - mean)).sum()]
        });
        Ok(())
    })?;

    let (inputs, mut scalars) = ([Some(x), Some(&moments)], split.sums().to_vec());
    scalars.push(Scalar::Real(eps));
    let grid = Grid::Pieces(channels);
    let join = Launch { kernel, entry: "batch_norm_stats", dtype, inputs: &inputs, scalars: &scalars, grid };
    let stats = join.run::<T::Wide>((4, channels), |host, out| {
        let (x, moments) = (host.get::<T>(0)?, host.get::<T::Wide>(1)?);
        let (means, squares) = moments.split_at(chunks * channels);
        let (zero, one, all) = (T::Wide::zero(), T::Wide::one(), <T::Wide as Real>::of(per as f64));
        let count = |s: usize| <T::Wide as Real>::of(split.count(s));
        for c in 0..channels {
            let d = (0..chunks).fold(zero, |d, s| d + means[s * channels + c] * (count(s) / all));
            let squares = (0..chunks).fold(zero, |sum, s| {
                let apart = means[s * channels + c] - d;
                sum + (squares[s * channels + c] + count(s) * apart * apart)
            });
            // shift + d as an exact sum of two numbers (Knuth's TwoSum).
            let (shift, variance) = (x[c * plane].wide(), squares / all);
            let high = shift + d;
            let back = high - shift;
            let low = (shift - (high - back)) + (d - back);
            let inverse = one / (variance + Real::of(eps)).sqrt();
            [high, low, inverse, variance].iter().enumerate().for_each(|(k, &x)| out[k * channels + c] = x);
        }
        Ok(())
    })?;

    let (inputs, scalars) = ([Some(x), Some(&stats), weight, bias], [n, channels, plane].map(Scalar::count));
    let grid = Grid::Pieces(n);
    let apply = Launch { kernel, entry: "batch_norm_apply", dtype, inputs: &inputs, scalars: &scalars, grid };
    let y = apply.run::<T>(x.shape(), |host, y| {
        let (x, stats) = (host.get::<T>(0)?, host.get::<T::Wide>(1)?);
        let (weight, bias) = (host.maybe::<T>(2)?, host.maybe::<T>(3)?);
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            let c = i / plane % channels;
            let normal = (x.wide() - stats[c] - stats[channels + c]) * stats[2 * channels + c];
            let scaled = weight.map_or(normal, |w| normal * w[c].wide());
            *y = T::narrow(bias.map_or(scaled, |b| scaled + b[c].wide()));
        }
        Ok(())
    })?;
    Ok((y, stats))
}

/// The gradients with respect to x, weight and bias, each if `needs` says so; `stats` is the last result of
/// [`forward`].
pub(crate) fn backward(
    g: &Tensor,
    x: &Tensor,
    weight: Option<&Tensor>,
    stats: &Tensor,
    needs: [bool; 3],
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let x = &x.contiguous()?;
    for_float!("batch_norm_grad", x.dtype(), T => gradients::<T>(g, x, weight, stats, needs))
}

fn gradients<T: Number>(
    g: &Tensor,
    x: &Tensor,
    weight: Option<&Tensor>,
    stats: &Tensor,
    [need_x, need_weight, need_bias]: [bool; 3],
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let split = ChannelSplit::new(x)?;
    let ChannelSplit { n, channels, plane, per, chunks, .. } = split;
    let (kernel, dtype) = (&KERNEL, x.dtype());

    let (inputs, scalars) = ([Some(x), Some(g), Some(stats)], split.sums());
    let sum = Launch {
        kernel,
        entry: "batch_norm_grad_sums",
        dtype,
        inputs: &inputs,
        scalars: &scalars,
        grid: split.blocks(),
    };
    let parts = sum.run::<T::Wide>((2, chunks, channels), |host, out| {
        let (x, g, stats) = (host.get::<T>(0)?, host.get::<T>(1)?, f64s::<T::Wide>(host, 2)?);
        split.fill(out, |c, s| {
            let centred = |i: usize| x[i].to_f64() - stats[c] - stats[channels + c];
            let sum = split.positions(c, s).map(|i| g[i].to_f64()).sum();
            let product: f64 = split.positions(c, s).map(|i| g[i].to_f64() * centred(i)).sum();
            [sum, product * stats[2 * channels + c]]
        });
        Ok(())
    })?;
    let sums = &parts.sum(1)?;

    let grad = || {
        let inputs = [Some(x), Some(g), Some(stats), Some(sums), weight];
        let (scalars, grid) = ([n, channels, plane, per].map(Scalar::count), Grid::Pieces(n));
        let launch = Launch { kernel, entry: "batch_norm_grad", dtype, inputs: &inputs, scalars: &scalars, grid };
        launch.run::<T>(x.shape(), |host, dx| {
            let (x, g, weight) = (host.get::<T>(0)?, host.get::<T>(1)?, host.maybe::<T>(4)?);
            let (stats, sums) = (host.get::<T::Wide>(2)?, host.get::<T::Wide>(3)?);
            let per = <T::Wide as Real>::of(per as f64);
            for (i, (dx, (x, g))) in dx.iter_mut().zip(x.iter().zip(g)).enumerate() {
                let c = i / plane % channels;
                let inverse = stats[2 * channels + c];
                let normal = (x.wide() - stats[c] - stats[channels + c]) * inverse;
                let d = g.wide() - sums[c] / per - normal * (sums[channels + c] / per);
                *dx = T::narrow(d * weight.map_or(inverse, |w| w[c].wide() * inverse));
            }
            Ok(())
        })
    };
    let narrow = |i: usize| sums.get(i)?.to_dtype(dtype);
    Ok((
        need_x.then(grad).transpose()?,
        need_weight.then(|| narrow(1)).transpose()?,
        need_bias.then(|| narrow(0)).transpose()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    /// A mean far larger than the deviation costs no digits: y and the variance are those of the same numbers around 0.
    #[test]
    fn a_distant_mean() -> Result<()> {
        let near: Vec<f32> = (0..9000).map(|i| ((i * 7919) % 1024) as f32 / 1024.0 - 0.5).collect();
        let far: Vec<f32> = near.iter().map(|x| x + 8192.0).collect();
        let of = |x: Vec<f32>| forward(&Tensor::from_vec(x, (9, 1, 1000), &Device::Cpu)?, None, None, 1e-5);
        let ((near, near_mean, a, _), (far, far_mean, b, _)) = (of(near)?, of(far)?);
        let most = |x: Tensor| x.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
        assert!(most((&near - &far)?)? < 2e-6 && most((a - b)?)? < 1e-7);
        assert!(most(((far_mean - 8192.0)? - near_mean)?)? < 1e-3);
        Ok(())
    }

    /// The gradient's projection removes constants and multiples of x̂: for these g, dx is 0.
    #[test]
    fn what_the_gradient_takes_away() -> Result<()> {
        let x = Tensor::arange(0f64, 24.0, &Device::Cpu)?.reshape((3, 2, 4))?.sqr()?;
        let (normal, _, _, stats) = forward(&x, None, None, 0.0)?;
        for g in [Tensor::ones((3, 2, 4), DType::F64, &Device::Cpu)?, normal] {
            let (dx, dw, db) = backward(&g, &x, None, &stats, [true, true, false])?;
            assert!(dx.is_some_and(|dx| {
                dx.to_vec3::<f64>().is_ok_and(|dx| dx.concat().concat().iter().all(|x| x.abs() < 1e-12))
            }));
            assert!(dw.is_some() && db.is_none());
        }
        Ok(())
    }
}
