//! `batch_norm → add → activation` may be one kernel. That shows in nothing but speed: the same values and gradients as
//! step by step, whatever is added and read, and for gradients of gradients.

mod common;

use common::{apart, device};
use taper_tensor::{Activation, DType, Distribution, GradOptions, RandomKey, Result, Tensor, grad};

/// Sums of fifty numbers in f64 in another order.
const BOUND: f64 = 1e-12;
/// More channels than a kernel takes at a time, and a rest.
const SHAPE: [usize; 4] = [2, 37, 5, 5];

#[derive(Clone, Copy, PartialEq)]
enum Added {
    Nothing,
    Other,
    /// The other way round.
    ToOther,
    /// A second batch norm of the same input, pending as well.
    Norm,
    Itself,
}

struct Net {
    leaves: Vec<Tensor>,
}

impl Net {
    fn new() -> Result<Self> {
        let device = device();
        let draw = |name: &str, shape: &[usize]| {
            let normal = Distribution::Normal { mean: 0.5, std: 1.0 };
            let x = Tensor::random(normal, RandomKey::new(5).child(name), shape, DType::F64, &device)?;
            Ok(x.requires_grad())
        };
        let leaves = vec![draw("x", &SHAPE)?, draw("w", &SHAPE[1..2])?, draw("b", &SHAPE[1..2])?, draw("r", &SHAPE)?];
        Ok(Self { leaves })
    }

    /// The norm, what `f` is given, and the result. With `read`, every value is read as soon as it is there, so that
    /// nothing can be fused.
    fn run(&self, added: Added, f: Activation, read: bool) -> Result<[Tensor; 3]> {
        let force = |y: Tensor| -> Result<Tensor> {
            if read {
                y.buffer()?;
            }
            Ok(y)
        };
        let [x, w, b, r] = &self.leaves[..] else { unreachable!("four leaves are drawn") };
        let norm = force(x.batch_norm(Some(w), Some(b), 1e-3)?.0)?;
        let sum = match added {
            Added::Nothing => norm.clone(),
            Added::Other => norm.add(r)?,
            Added::ToOther => r.add(&norm)?,
            Added::Norm => norm.add(&force(x.batch_norm(None, None, 1e-3)?.0)?)?,
            Added::Itself => norm.add(&norm)?,
        };
        let y = force(sum.clone())?.activation(f)?;
        Ok([norm, sum, force(y)?])
    }

    /// Leaves that `y` depends on.
    fn wanted(&self, added: Added) -> Vec<&Tensor> {
        let other = matches!(added, Added::Other | Added::ToOther);
        self.leaves.iter().take(if other { 4 } else { 3 }).collect()
    }
}

fn host(x: &Tensor) -> Vec<f64> {
    x.to_host().expect("readable").to_f64()
}

fn assert_same(what: &str, found: &[Option<Tensor>], expected: &[Option<Tensor>]) {
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = (host(found.as_ref().expect("found")), host(expected.as_ref().expect("expected")));
        let error = apart(&found, &expected);
        assert!(error <= BOUND, "{what}, gradient {i}: apart by {error:e}");
        assert!(expected.iter().any(|&x| x != 0.0), "{what}, gradient {i} is zero everywhere");
    }
}

/// (y + 1)³, whose slope is not 0 where a ReLU's result is.
fn loss(y: &Tensor) -> Result<Tensor> {
    y.add_scalar(1.0)?.pow_scalar(3.0)?.sum_all()
}

fn each(test: impl Fn(&Net, Added, Activation, &str) -> Result<()>) -> Result<()> {
    let net = Net::new()?;
    for (i, added) in [Added::Nothing, Added::Other, Added::ToOther, Added::Norm, Added::Itself].into_iter().enumerate()
    {
        for f in [Activation::Identity, Activation::Relu, Activation::Gelu] {
            test(&net, added, f, &format!("added {i}, {f:?}"))?;
        }
    }
    Ok(())
}

#[test]
fn the_same_as_step_by_step() -> Result<()> {
    each(|net, added, f, what| {
        let [_, _, expected] = net.run(added, f, true)?;
        let [_, _, fused] = net.run(added, f, false)?;
        let error = apart(&host(&fused), &host(&expected));
        assert!(error <= BOUND, "{what}: values apart by {error:e}");
        let wanted = net.wanted(added);
        let expected = grad(&loss(&expected)?, &wanted, None, GradOptions::default())?;
        assert_same(what, &grad(&loss(&fused)?, &wanted, None, GradOptions::default())?, &expected);
        // Not every gradient, so that the kernel leaves some out.
        for leaf in 0..wanted.len() {
            let [_, _, fused] = net.run(added, f, false)?;
            let found = grad(&loss(&fused)?, &wanted[leaf..=leaf], None, GradOptions::default())?;
            assert_same(&format!("{what}, leaf {leaf} alone"), &found, &expected[leaf..=leaf]);
        }
        Ok(())
    })
}

#[test]
fn values_in_the_middle() -> Result<()> {
    each(|net, added, f, what| {
        let (steps, fused) = (net.run(added, f, true)?, net.run(added, f, false)?);
        fused[2].buffer()?;
        for (fused, expected) in fused.iter().zip(&steps) {
            let error = apart(&host(fused), &host(expected));
            assert!(error <= BOUND, "{what}: values apart by {error:e}");
        }
        // Read later, part of the loss, and a target.
        let all = |[norm, sum, y]: &[Tensor; 3]| {
            let mut wanted = net.wanted(added);
            wanted.extend([norm, sum]);
            let both = loss(y)?.add(&norm.mul(norm)?.sum_all()?)?;
            grad(&both, &wanted, None, GradOptions::default())
        };
        assert_same(what, &all(&fused)?, &all(&steps)?);
        Ok(())
    })
}

#[test]
fn gradients_of_gradients() -> Result<()> {
    each(|net, added, f, what| {
        let twice = |y: &Tensor| {
            let options = GradOptions { create_graph: true, retain_graph: true };
            let x = &net.leaves[0];
            let first = grad(&loss(y)?, &[x], None, options)?.remove(0).expect("depends on x");
            grad(&first.mul(&first)?.sum_all()?, &[x], None, GradOptions::default())
        };
        let (steps, fused) = (net.run(added, f, true)?, net.run(added, f, false)?);
        assert_same(what, &twice(&fused[2])?, &twice(&steps[2])?);
        Ok(())
    })
}
