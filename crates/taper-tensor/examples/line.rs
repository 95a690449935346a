//! Linear regression: fits y = w x + b to noisy points by gradient descent, with the update of each step written out.

use taper_cpu::CpuBackend;
use taper_tensor::{DType, Device, Distribution, RandomKey, Result, Tensor};

fn main() -> Result<()> {
    let device = Device::new(CpuBackend::new()?);
    let key = RandomKey::new(0);
    let draw = |name: &str, distribution| Tensor::random(distribution, key.child(name), [100], DType::F64, &device);

    // Points around y = 2x − 1.
    let x = draw("x", Distribution::Uniform { low: -1.0, high: 1.0 })?;
    let noise = draw("noise", Distribution::Normal { mean: 0.0, std: 0.1 })?;
    let y = x.mul_scalar(2.0)?.add_scalar(-1.0)?.add(&noise)?;

    let mut w = Tensor::zeros([], DType::F64, &device)?.requires_grad();
    let mut b = Tensor::zeros([], DType::F64, &device)?.requires_grad();
    for step in 0..=100 {
        let residual = x.mul(&w)?.add(&b)?.sub(&y)?; // [100]
        let loss = residual.mul(&residual)?.mean_all()?;
        if step % 20 == 0 {
            println!("step {step:3}: loss {:.4}, w {:+.3}, b {:+.3}", loss.item()?, w.item()?, b.item()?);
        }
        let gradients = loss.backward()?;
        for parameter in [&mut w, &mut b] {
            if let Some(gradient) = gradients.of(parameter) {
                *parameter = parameter.detach().sub(&gradient.mul_scalar(0.3)?)?.requires_grad();
            }
        }
    }
    Ok(())
}
