//! RMS norm (Zhang and Sennrich 2019): y = x / √(mean(x²) + ε) · w, with the mean over the last dimensions of each sample.

use super::shorthand::{Affine, all_f32, fused, in_f32, is_half, optional};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::no_grad;
use taper_backend::{DType, Error, FusedOp, Result};

const OP: &str = "rms_norm";

impl Tensor {
    /// Divides by the root of the mean square over the last `dims` dimensions (1 to rank) and multiplies with `weight`, of
    /// the shape of those dimensions. `eps`, at least 0, is added to the mean square; `None` stands for the
    /// machine epsilon of the dtype, of f32 for halves, as in PyTorch. No square overflows where y would not.
    pub fn rms_norm(&self, dims: usize, weight: Option<&Tensor>, eps: Option<f64>) -> Result<Tensor> {
        check::float(OP, self)?;
        let (rank, eps) = (self.shape().rank(), eps.unwrap_or_else(|| epsilon(self.dtype())));
        if dims == 0 || dims > rank {
            let detail = format!("dims is {dims}, expected 1 to {rank} for an input of shape {}", self.shape());
            return Err(Error::argument(OP, detail));
        }
        if eps.is_nan() || eps < 0.0 {
            return Err(Error::argument(OP, format!("eps must be at least 0, came as {eps}")));
        }
        if let Some(weight) = weight {
            check::same(OP, &["input", "weight"], &[self, weight])?;
            if weight.shape()[..] != self.shape()[rank - dims..] {
                let detail = format!(
                    "weight of shape {} must match the last {dims} dimensions of {}",
                    weight.shape(),
                    self.shape()
                );
                return Err(Error::shape(OP, detail));
            }
        }
        let affine = Affine::of(weight, None);
        fused(
            OP,
            &affine.inputs(self, weight, None),
            move |all| Ok(FusedOp::RmsNorm { x: all[0].buffer()?, weight: optional(all.get(1))?, dims, eps }),
            move |all| composed(&all[0], all.get(1), dims, eps),
        )
    }
}

/// The machine epsilon of the dtype that `dtype` is computed in.
fn epsilon(dtype: DType) -> f64 {
    if dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) }
}

/// Computed of u = x / s, with a constant s for each row so that neither u² nor ε / s² is more than 1: y does not depend
/// on s.
fn composed(x: &Tensor, weight: Option<&Tensor>, dims: usize, eps: f64) -> Result<Tensor> {
    if is_half(x) {
        let [weight] = all_f32([weight])?;
        return in_f32(x, |x| x.rms_norm(dims, weight.as_ref(), Some(eps)));
    }
    let axes: Vec<isize> = (1..=dims as isize).map(|i| -i).collect();
    let y = if x.count() == 0 {
        x.clone()
    } else {
        let scale = no_grad(|| {
            let largest = x.detach().abs()?.max(&axes, true)?.maximum_scalar(eps.sqrt())?;
            let one = largest.scalar_like(1.0)?;
            let finite = largest.lt_scalar(f64::INFINITY)?.select(&largest, &one)?;
            largest.gt_scalar(0.0)?.select(&finite, &one)
        })?;
        let scaled = x.div(&scale)?;
        let offset = no_grad(|| scale.recip()?.mul_scalar(eps)?.div(&scale))?;
        scaled.div(&scaled.mul(&scaled)?.mean(&axes, true)?.add(&offset)?.sqrt()?)?
    };
    weight.map_or(Ok(y.clone()), |weight| y.mul(weight))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("the last dimension", |x| x[0].rms_norm(1, Some(&x[1]), Some(1e-5))).input([3, 4]).input([4]),
        Case::new("two dimensions", |x| x[0].rms_norm(2, Some(&x[1]), Some(1e-2))).input([2, 3, 4]).input([3, 4]),
        Case::new("no weight", |x| x[0].rms_norm(1, None, Some(0.1))).input([2, 5]),
        Case::new("longer than a vector", |x| x[0].rms_norm(1, Some(&x[1]), None)).input([2, 37]).input([37]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    fn cpu() -> Result<Device> {
        Ok(Device::new(taper_cpu::CpuBackend::with_threads(1)?))
    }

    /// PyTorch's `torch.nn.functional.rms_norm`, forward and backward.
    #[test]
    fn as_pytorch() -> Result<()> {
        let device = cpu()?;
        let close = |found: &Tensor, due: &[f64]| -> Result<()> {
            let found = found.to_vec::<f64>()?;
            let near = found.iter().zip(due).all(|(a, b)| (a - b).abs() < 1e-14);
            assert!(found.len() == due.len() && near, "{found:?}, not {due:?}");
            Ok(())
        };
        let x = Tensor::from_vec(vec![0.5, -1.25, 2.0, 3.0, 0.25, -0.75], [2, 3], &device)?.requires_grad();
        let w = Tensor::from_vec(vec![1.5, -0.5, 2.0], [3], &device)?.requires_grad();
        let g = Tensor::from_vec(vec![1.0, 2.0, -1.0, 0.5, -0.25, 3.0], [2, 3], &device)?;
        let y = x.rms_norm(1, Some(&w), Some(1e-3))?;
        close(
            &y,
            &[
                0.5386769106166215,
                0.4488974255138512,
                2.8729435232886478,
                2.5119159311572306,
                -0.0697754425321453,
                -0.8373053103857435,
            ],
        )?;
        let gradients = y.mul(&g)?.sum_all()?.backward()?;
        close(
            gradients.of(&x).expect("a gradient"),
            &[
                1.2008575407452646,
                -1.026995179602216,
                -0.9424568835962372,
                0.80456274190213,
                0.10193461642458349,
                3.2527437198656597,
            ],
        )?;
        close(gradients.of(&w).expect("a gradient"), &[1.1964232507968244, -1.8304774233214776, -2.6924297272229394])?;
        close(
            &x.rms_norm(2, None, None)?,
            &[
                0.31171460007967866,
                -0.7792865001991967,
                1.2468584003187146,
                1.870287600478072,
                0.15585730003983933,
                -0.467571900119518,
            ],
        )
    }

    /// Where squares leave the dtype's range the kernel and the composed version give what they give near 1, value and
    /// gradient, and with an eps that outweighs the squares x / √eps.
    #[test]
    fn no_square_overflows() -> Result<()> {
        let device = cpu()?;
        let wide = [0.5, -1.25, 2.0, 0.75];
        for (dtype, powers, tolerance) in
            [(DType::F32, [0, 126, 70, -70, -120], 3e-7), (DType::F64, [0, 1022, 600, -600, -1000], 1e-15)]
        {
            for power in powers {
                let values: Vec<f64> = wide.iter().map(|x| x * 2f64.powi(power - 1)).collect();
                let x = Tensor::from_vec(values, [4], &device)?.cast(dtype)?.requires_grad();
                let (kernel, composed) = (x.rms_norm(1, None, Some(0.0))?, composed(&x, None, 1, 0.0)?);
                let root = (wide.iter().map(|x| x * x).sum::<f64>() / 4.0).sqrt();
                for (what, y) in [("kernel", kernel), ("composed", composed)] {
                    let slope =
                        y.narrow(0, 0, 1)?.sum_all()?.backward()?.of(&x).expect("a gradient").narrow(0, 0, 1)?;
                    // dy₀/dx₀ = (1 − x̂₀² / 4) / rms, which is out of range for the smallest x of f32.
                    let due = (1.0 - (0.5 / root).powi(2) / 4.0) / (root * 2f64.powi(power - 1));
                    let slope = slope.cast(DType::F64)?.sum_all()?.item()?;
                    assert!(
                        (slope / due - 1.0).abs() < 10.0 * tolerance,
                        "{what} {dtype} 2^{power}: {slope}, not {due}"
                    );
                    let y = y.detach().cast(DType::F64)?.to_vec::<f64>()?;
                    let near = y.iter().zip(wide).all(|(y, x)| (y - x / root).abs() <= 2.0 * tolerance);
                    assert!(near, "{what} {dtype} 2^{power}: {y:?}");
                }
            }
            let small = Tensor::from_vec(vec![2f64.powi(-100); 3], [3], &device)?.cast(dtype)?;
            for y in [small.rms_norm(1, None, Some(0.25))?, composed(&small, None, 1, 0.25)?] {
                assert_eq!(y.cast(DType::F64)?.to_vec::<f64>()?, [2f64.powi(-99); 3]);
            }
        }
        Ok(())
    }

    #[test]
    fn errors_say_what_is_wrong() -> Result<()> {
        let x = Tensor::zeros([2, 3], DType::F32, &cpu()?)?;
        let says = |found: Result<Tensor>, text: &str| {
            let found = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(found, text);
        };
        says(x.rms_norm(3, None, None), "rms_norm: dims is 3, expected 1 to 2 for an input of shape [2, 3]");
        says(x.rms_norm(1, None, Some(-1.0)), "rms_norm: eps must be at least 0, came as -1");
        says(
            x.rms_norm(1, Some(&x), None),
            "rms_norm: weight of shape [2, 3] must match the last 1 dimensions of [2, 3]",
        );
        Ok(())
    }
}
