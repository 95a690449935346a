//! `conv → relu → max_pool` and `linear → relu` may be one kernel. That shows in nothing but speed: the same values and
//! gradients as step by step, whatever is read in between, and for gradients of gradients.

mod common;

use common::{apart, device};
use taper_tensor::{
    Activation, Conv2dSpec, DType, Device, Distribution, GradOptions, Pool2dSpec, RandomKey, Result, Tensor, grad,
};

const SPEC: Conv2dSpec = Conv2dSpec { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };
/// Sums of about a hundred products in f32 by two algorithms.
const BOUND: f64 = 1e-5;

struct Net {
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
}

/// The values on the way, and the loss.
struct Run {
    conv: Tensor,
    relu: Tensor,
    pool: Tensor,
    loss: Tensor,
}

impl Net {
    fn new(device: &Device) -> Result<Self> {
        let draw = |name: &str, shape: &[usize]| {
            let distribution = Distribution::Uniform { low: -1.0, high: 1.0 };
            Ok(Tensor::random(distribution, RandomKey::new(3).child(name), shape, DType::F32, device)?.requires_grad())
        };
        Ok(Self { x: draw("x", &[2, 3, 8, 6])?, weight: draw("weight", &[5, 3, 3, 3])?, bias: draw("bias", &[5])? })
    }

    /// With `read`, every value is read as soon as it is there, so that nothing can be fused.
    fn run(&self, read: bool) -> Result<Run> {
        let force = |y: Tensor| -> Result<Tensor> {
            if read {
                y.buffer()?;
            }
            Ok(y)
        };
        let conv = force(self.x.conv2d(&self.weight, Some(&self.bias), SPEC)?)?;
        let relu = force(conv.relu()?)?;
        let pool = force(relu.max_pool2d(Pool2dSpec::square(2))?)?;
        let loss = pool.mul(&pool)?.sum_all()?;
        Ok(Run { conv, relu, pool, loss })
    }

    fn leaves(&self) -> [&Tensor; 3] {
        [&self.x, &self.weight, &self.bias]
    }
}

fn assert_same(what: &str, found: &[Option<Tensor>], expected: &[Option<Tensor>]) {
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let host = |x: &Option<Tensor>| x.as_ref().expect("a gradient").to_host().expect("readable").to_f64();
        let error = apart(&host(found), &host(expected));
        assert!(error <= BOUND, "{what}, gradient {i}: apart by {error:e}");
        assert!(host(expected).iter().any(|&x| x != 0.0), "{what}, gradient {i} is zero everywhere");
    }
}

#[test]
fn the_same_as_step_by_step() -> Result<()> {
    let device = device();
    let net = Net::new(&device)?;
    let expected = net.run(true)?;
    let fused = net.run(false)?;
    let error = apart(&fused.pool.to_host()?.to_f64(), &expected.pool.to_host()?.to_f64());
    assert!(error <= BOUND, "values apart by {error:e}");
    let options = GradOptions::default();
    let expected = grad(&expected.loss, &net.leaves(), None, options)?;
    assert_same("fused", &grad(&fused.loss, &net.leaves(), None, options)?, &expected);
    Ok(())
}

#[test]
fn a_value_in_the_middle_read_later() -> Result<()> {
    let device = device();
    let net = Net::new(&device)?;
    let (steps, fused) = (net.run(true)?, net.run(false)?);
    fused.loss.item()?;
    for (name, fused, expected) in [("conv", &fused.conv, &steps.conv), ("relu", &fused.relu, &steps.relu)] {
        let error = apart(&fused.to_host()?.to_f64(), &expected.to_host()?.to_f64());
        assert!(error <= BOUND, "{name}: apart by {error:e}");
    }
    // It takes part in the loss too: both ways of the gradient add up.
    let also = |run: &Run| run.loss.add(&run.conv.mul(&run.conv)?.sum_all()?)?.add(&run.relu.sum_all()?);
    let expected = grad(&also(&steps)?, &net.leaves(), None, GradOptions::default())?;
    assert_same("read too", &grad(&also(&fused)?, &net.leaves(), None, GradOptions::default())?, &expected);
    Ok(())
}

#[test]
fn a_gradient_with_respect_to_a_value_in_the_middle() -> Result<()> {
    let device = device();
    let net = Net::new(&device)?;
    let (steps, fused) = (net.run(true)?, net.run(false)?);
    let all = |run: &Run| {
        let wanted = [&run.conv, &net.x, &run.relu, &net.weight, &run.pool, &net.bias];
        grad(&run.loss, &wanted, None, GradOptions::default())
    };
    assert_same("in the middle", &all(&fused)?, &all(&steps)?);
    Ok(())
}

#[test]
fn gradients_of_gradients() -> Result<()> {
    let device = device();
    let net = Net::new(&device)?;
    let second = |run: &Run| -> Result<Vec<Option<Tensor>>> {
        let options = GradOptions { create_graph: true, retain_graph: true };
        let mut total = Tensor::zeros([], DType::F32, &device)?;
        for gradient in grad(&run.loss, &net.leaves(), None, options)?.into_iter().flatten() {
            total = total.add(&gradient.mul(&gradient)?.sum_all()?)?;
        }
        grad(&total, &net.leaves(), None, GradOptions::default())
    };
    assert_same("second", &second(&net.run(false)?)?, &second(&net.run(true)?)?);
    Ok(())
}

#[test]
fn only_some_gradients_wanted() -> Result<()> {
    let device = device();
    let net = Net::new(&device)?;
    let expected = grad(&net.run(true)?.loss, &[&net.weight], None, GradOptions::default())?;
    let found = grad(&net.run(false)?.loss, &[&net.weight], None, GradOptions::default())?;
    assert_same("weight alone", &found, &expected);
    // A picture that needs none, as in training.
    let plain = Net { x: net.x.detach(), weight: net.weight.clone(), bias: net.bias.clone() };
    let gradients = plain.run(false)?.loss.backward()?;
    assert_same("no picture", &[gradients.of(&net.weight).cloned()], &expected);
    assert!(gradients.of(&net.x).is_none());
    Ok(())
}

#[test]
fn detached_in_the_middle_no_gradient_passes() -> Result<()> {
    let device = device();
    let net = Net::new(&device)?;
    let conv = net.x.conv2d(&net.weight, Some(&net.bias), SPEC)?;
    assert!(!conv.detach().relu()?.tracks_grad());
    let leaf = conv.detach().requires_grad();
    let gradients = leaf.relu()?.sum_all()?.backward()?;
    assert!(gradients.of(&leaf).is_some() && gradients.of(&net.weight).is_none());
    Ok(())
}

#[test]
fn linear_and_every_activation() -> Result<()> {
    let device = device();
    let net = Net::new(&device)?;
    let (x, weight) =
        (net.x.reshape([6, 48])?.detach().requires_grad(), net.x.reshape([6, 48])?.detach().requires_grad());
    let bias = Tensor::ones([6], DType::F32, &device)?.requires_grad();
    for f in [
        Activation::Relu,
        Activation::LeakyRelu { negative_slope: 0.1 },
        Activation::Elu { alpha: 1.0 },
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softplus { beta: 1.0, threshold: 20.0 },
        Activation::Hardswish,
    ] {
        let gradients = |read: bool| -> Result<Vec<Option<Tensor>>> {
            let y = x.linear(&weight, Some(&bias))?.mul_scalar(0.1)?;
            let y = y.linear(&weight.narrow(1, 0, 6)?, Some(&bias))?;
            if read {
                y.buffer()?;
            }
            grad(&y.activation(f)?.sum_all()?, &[&x, &weight, &bias], None, GradOptions::default())
        };
        assert_same(&format!("{f:?}"), &gradients(false)?, &gradients(true)?);
    }
    Ok(())
}
