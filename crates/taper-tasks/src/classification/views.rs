//! Test-time augmentation: logits averaged over several views of each image (airbench's "TTA level 2": Jordan, "94% on
//! CIFAR-10 in 3.29 seconds on a single GPU", 2024, section 3).

use crate::Views;
use taper_nn::{Context, Error, Module, Result, Tensor};

/// The logits `[N, classes]` of `model` for `x: [N, C, H, W]`, averaged over `views`. The images stay on the device.
///
/// # Errors
/// `x` does not have four dimensions although the views need them, or is smaller than 2 × 2 although the views are
/// shifted; the errors of the model.
pub fn logits(model: &dyn Module, x: &Tensor, context: &Context, views: Views) -> Result<Tensor> {
    if views != Views::One {
        check(x, views)?;
    }
    let mirror = |x: &Tensor| model.forward(x, context)?.add(&model.forward(&mirrored(x)?, context)?)?.mul_scalar(0.5);
    match views {
        Views::One => model.forward(x, context),
        Views::Mirror => mirror(x),
        Views::Six => {
            let shifts = [Shift::Back, Shift::Forth].map(|by| mirror(&shifted(&shifted(x, 2, by)?, 3, by)?));
            let [back, forth] = shifts;
            mirror(x)?.mul_scalar(0.5)?.add(&back?.add(&forth?)?.mul_scalar(0.25)?)
        }
    }
}

fn check(x: &Tensor, views: Views) -> Result<()> {
    let least = if views == Views::Six { 2 } else { 1 };
    match x.shape().dims() {
        [_, _, height, width] if *height.min(width) >= least => Ok(()),
        _ => {
            let detail = format!("expected pictures [N, C, H, W] of at least {least} × {least}, came {}", x.shape());
            Err(Error::shape("views", detail))
        }
    }
}

/// Mirrors horizontally.
fn mirrored(x: &Tensor) -> Result<Tensor> {
    let width = x.shape()[3];
    let index = Tensor::from_vec((0..width as i64).rev().collect(), [1, 1, 1, width], x.device())?;
    x.gather(3, &index.broadcast_to(x.shape())?)
}

#[derive(Clone, Copy)]
enum Shift {
    /// Element i comes from i − 1, the first from the reflected edge: 1, 0, 1, …, n − 2.
    Back,
    /// Element i comes from i + 1, the last from the reflected edge: 1, …, n − 1, n − 2.
    Forth,
}

/// Shifts by one element along `axis`, of at least two elements, with the edge reflected.
fn shifted(x: &Tensor, axis: isize, by: Shift) -> Result<Tensor> {
    let size = x.shape()[axis as usize];
    match by {
        Shift::Back => Tensor::concat(&[&x.narrow(axis, 1, 1)?, &x.narrow(axis, 0, size - 1)?], axis),
        Shift::Forth => Tensor::concat(&[&x.narrow(axis, 1, size - 1)?, &x.narrow(axis, size - 2, 1)?], axis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{Device, RandomKey, no_grad};

    /// A test model: two sums over the image with fixed weights, of the values and of their squares, which every view
    /// changes.
    struct Sums;

    /// The weight of element `at` of an image.
    fn weight(class: usize, at: usize) -> f64 {
        RandomKey::new(7).index(class as u64).normal(at as u64)
    }

    impl Module for Sums {
        fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
            let size = x.count() / x.shape()[0];
            let of = |class| (0..size).map(|at| weight(class, at)).collect::<Vec<f64>>();
            let (first, second) = (Tensor::from_vec(of(0), [1, size], x.device())?, of(1));
            let second = Tensor::from_vec(second, [1, size], x.device())?;
            let x = x.flatten(1)?;
            let parts = [x.linear(&first, None)?, x.mul(&x)?.linear(&second, None)?];
            Tensor::concat(&[&parts[0], &parts[1]], 1)
        }
    }

    /// A slow reference: each view made element by element on the host, by the definition in [`Views`].
    fn twin(x: &[f64], [n, c, h, w]: [usize; 4], views: Views) -> Vec<f64> {
        let shown: &[(i64, bool, f64)] = match views {
            Views::One => &[(0, false, 1.0)],
            Views::Mirror => &[(0, false, 0.5), (0, true, 0.5)],
            Views::Six => &[
                (0, false, 0.25),
                (0, true, 0.25),
                (-1, false, 0.125),
                (-1, true, 0.125),
                (1, false, 0.125),
                (1, true, 0.125),
            ],
        };
        let reflect = |i: i64, size: usize| {
            let last = size as i64 - 1;
            (if i < 0 {
                -i
            } else if i > last {
                2 * last - i
            } else {
                i
            }) as usize
        };
        let mut y = vec![0.0; n * 2];
        for &(shift, mirror, share) in shown {
            for at in 0..n * c * h * w {
                let (row, column) = (at / w % h, at % w);
                let column = if mirror { w - 1 - column } else { column };
                let from = [reflect(row as i64 + shift, h), reflect(column as i64 + shift, w)];
                let value = x[at / (h * w) * h * w + from[0] * w + from[1]];
                let (picture, inside) = (at / (c * h * w), at % (c * h * w));
                y[picture * 2] += share * weight(0, inside) * value;
                y[picture * 2 + 1] += share * weight(1, inside) * value * value;
            }
        }
        y
    }

    fn device() -> Device {
        Device::new(taper_cpu::CpuBackend::with_threads(2).unwrap())
    }

    #[test]
    fn views_are_those_of_the_slow_twin() {
        let device = device();
        for shape in [[3, 2, 5, 4], [1, 1, 2, 2], [2, 3, 2, 7], [2, 3, 32, 32]] {
            let count = shape.iter().product::<usize>();
            let x: Vec<f64> = (0..count).map(|i| RandomKey::new(2).normal(i as u64)).collect();
            let on_device = Tensor::from_vec(x.clone(), shape, &device).unwrap();
            for views in [Views::One, Views::Mirror, Views::Six] {
                let y = no_grad(|| logits(&Sums, &on_device, &Context::eval(), views)).unwrap();
                let (y, expected) = (y.to_vec::<f64>().unwrap(), twin(&x, shape, views));
                let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
                let error =
                    norm(&mut y.iter().zip(&expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied());
                // f64, with sums of at most 6 · 3072 products.
                assert!(error <= 1e-13, "{views:?} of {shape:?}: {error:e}");
            }
        }
    }

    #[test]
    fn pictures_without_views_are_said() {
        let said = |shape: &[usize], views| {
            let x = Tensor::zeros(shape, taper_nn::DType::F64, &device()).unwrap();
            logits(&Sums, &x, &Context::eval(), views).map(|y| y.count()).map_err(|e| e.to_string())
        };
        let of = |size: usize, came: &str| {
            Err(format!("views: expected pictures [N, C, H, W] of at least {size} × {size}, came {came}"))
        };
        assert_eq!(said(&[2, 8], Views::Mirror), of(1, "[2, 8]"));
        assert_eq!(said(&[2, 1, 1, 8], Views::Six), of(2, "[2, 1, 1, 8]"));
        assert_eq!(said(&[2, 1, 1, 8], Views::Mirror), Ok(4));
        assert_eq!(said(&[2, 8], Views::One), Ok(4));
    }
}
