//! The tape: what a walk gives, what it uses up, what it refuses.

mod common;

use common::{assert_close, device, f64s, is_tape_error, text, wave};
use taper_tensor::{DType, GradOptions, Gradients, Param, Result, Tensor, grad, grad_enabled, no_grad};

const AGAIN: GradOptions = GradOptions { create_graph: true, retain_graph: true };
const KEEP: GradOptions = GradOptions { create_graph: false, retain_graph: true };

#[test]
fn a_tensor_may_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Tensor>();
    crosses::<Param>();
    crosses::<Gradients>();
}

#[test]
fn threads_share_a_graph() -> Result<()> {
    let x = wave([8], 1.0, &device()).requires_grad();
    let y = x.mul(&x)?.sum_all()?;
    let walk = || -> Result<Vec<f64>> {
        let gradient = grad(&y, &[&x], None, KEEP)?.remove(0).expect("y depends on x");
        gradient.to_vec()
    };
    let expected = walk()?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(walk)).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic").expect("a gradient"), expected);
        }
    });
    Ok(())
}

#[test]
fn derivatives_of_a_cube() -> Result<()> {
    let x = f64s([1.0, -2.0, 3.0], &device()).requires_grad();
    let y = x.mul(&x)?.mul(&x)?.sum_all()?;
    let first = grad(&y, &[&x], None, AGAIN)?.remove(0).expect("3x²");
    assert_close("3x²", &first, &[3.0, 12.0, 27.0], 1e-15);
    let second = grad(&first.sum_all()?, &[&x], None, AGAIN)?.remove(0).expect("6x");
    assert_close("6x", &second, &[6.0, -12.0, 18.0], 1e-15);
    let third = grad(&second.sum_all()?, &[&x], None, AGAIN)?.remove(0).expect("6");
    assert_close("6", &third, &[6.0, 6.0, 6.0], 1e-15);
    Ok(())
}

#[test]
fn values_in_between_and_inputs_without_influence() -> Result<()> {
    let device = device();
    let (a, b) = (f64s([1.0, 2.0], &device).requires_grad(), f64s([3.0, 4.0], &device).requires_grad());
    let h = a.mul_scalar(10.0)?;
    let y = h.mul(&h)?.sum_all()?;
    let found = grad(&y, &[&h, &a, &b, &y], None, KEEP)?;
    assert_close("dy/dh", found[0].as_ref().expect("y depends on h"), &[20.0, 40.0], 1e-15);
    assert_close("dy/da", found[1].as_ref().expect("y depends on a"), &[200.0, 400.0], 1e-15);
    assert!(found[2].is_none(), "y does not depend on b");
    assert_close("dy/dy", found[3].as_ref().expect("y depends on itself"), &[1.0], 0.0);
    let gradients = y.backward()?;
    assert!(gradients.of(&b).is_none() && gradients.of(&h).is_none());
    assert_close("dy/da", gradients.of(&a).expect("a is a leaf"), &[200.0, 400.0], 1e-15);
    Ok(())
}

#[test]
fn a_used_up_graph_is_an_error() -> Result<()> {
    let x = f64s([1.0, 2.0], &device()).requires_grad();
    let h = x.mul(&x)?;
    let y = h.sum_all()?;
    y.backward()?;
    let message = "the graph through reshape was used up by an earlier backward; keep it with retain_graph";
    assert!(text(y.backward()).contains(message), "{}", text(y.backward()));
    // A new path that leads into the used-up part: never a silent "does not depend".
    let z = h.mul_scalar(2.0)?.sum_all()?;
    let message = "the graph through mul was used up by an earlier backward; keep it with retain_graph";
    let found = text(grad(&z, &[&x], None, KEEP));
    assert!(found.contains(message), "{found}");
    assert!(text(z.backward()).contains(message));
    // What lies before that part is still there.
    let z = h.mul_scalar(2.0)?.sum_all()?;
    assert_close("dz/dh", grad(&z, &[&h], None, KEEP)?[0].as_ref().expect("z depends on h"), &[2.0, 2.0], 0.0);
    Ok(())
}

#[test]
fn a_kept_graph_can_be_walked_again() -> Result<()> {
    let x = f64s([1.0, 2.0], &device()).requires_grad();
    let y = x.exp()?.sum_all()?;
    let first = grad(&y, &[&x], None, KEEP)?.remove(0).expect("a gradient").to_vec::<f64>()?;
    let again = grad(&y, &[&x], None, GradOptions::default())?.remove(0).expect("a gradient").to_vec::<f64>()?;
    assert_eq!(first, again);
    assert!(is_tape_error(&grad(&y, &[&x], None, KEEP)));
    Ok(())
}

#[test]
fn an_overwritten_parameter_is_an_error() -> Result<()> {
    let device = device();
    let weight = Param::new("fc1.weight", &f64s([1.0, 2.0], &device));
    let loss = || weight.tensor().mul(&weight.tensor())?.sum_all();
    let stale = loss()?;
    weight.set(&f64s([5.0, 6.0], &device))?;
    let found = text(stale.backward());
    assert!(
        found.contains("fc1.weight was overwritten (version 1) after this graph was recorded (version 0)")
            && found.contains("run the forward pass again"),
        "{found}"
    );
    assert_close("on the new value", loss()?.backward()?.of_param(&weight).expect("a gradient"), &[10.0, 12.0], 1e-15);
    assert_eq!((weight.version(), weight.name(), weight.trainable()), (1, "fc1.weight", true));
    let found = text(weight.set(&f64s([1.0], &device)));
    assert_eq!(found, "fc1.weight: expected f64 [2], came f64 [1]");
    Ok(())
}

#[test]
fn what_holds_an_old_value_keeps_it() -> Result<()> {
    let device = device();
    let param = Param::new("w", &f64s([1.0, 2.0], &device));
    let old = param.tensor();
    param.update(|buffer| device.assign(buffer, f64s([7.0, 8.0], &device).buffer()?))?;
    assert_eq!(old.to_vec::<f64>()?, [1.0, 2.0]);
    assert_eq!(param.tensor().to_vec::<f64>()?, [7.0, 8.0]);
    let failed: Result<()> = param.update(|_| Err(taper_tensor::Error::Device("no".into())));
    assert_eq!(text(failed), "no");
    assert_eq!((param.tensor().to_vec::<f64>()?, param.version()), (vec![7.0, 8.0], 1));
    let mean = Param::buffer("bn.running_mean", &old);
    assert!(!mean.trainable() && !mean.tensor().tracks_grad());
    Ok(())
}

#[test]
fn a_frozen_parameter_is_a_constant() -> Result<()> {
    let device = device();
    let (frozen, free) = (Param::new("frozen", &f64s([2.0], &device)), Param::new("free", &f64s([3.0], &device)));
    let loss = || frozen.tensor().mul(&free.tensor())?.sum_all();
    frozen.freeze();
    assert!(!frozen.trainable() && !frozen.tensor().tracks_grad());
    // It can be set, and stays a constant.
    frozen.set(&f64s([5.0], &device))?;
    let found = loss()?.backward()?;
    assert!(found.of_param(&frozen).is_none());
    assert_close("of the other", found.of_param(&free).expect("a gradient"), &[5.0], 0.0);
    frozen.unfreeze();
    assert_eq!((frozen.trainable(), frozen.version()), (true, 1));
    assert_close("afterwards", loss()?.backward()?.of_param(&frozen).expect("a gradient"), &[3.0], 0.0);
    Ok(())
}

#[test]
fn nothing_to_differentiate_is_an_error() -> Result<()> {
    let device = device();
    let (x, constant) = (f64s([1.0], &device).requires_grad(), f64s([1.0], &device));
    assert!(text(constant.backward()).contains("nothing here requires a gradient"));
    assert!(text(no_grad(|| x.exp())?.backward()).contains("nothing here requires a gradient"));
    assert!(text(grad(&x.exp()?, &[&x, &constant], None, KEEP)).contains("input 1 tracks no gradient"));
    let several = wave([2, 3], 1.0, &device).requires_grad();
    let found = text(several.exp()?.backward());
    assert!(found.contains("the gradient of a tensor of shape [2, 3] is not defined"), "{found}");
    let found = text(grad(&several.exp()?, &[&several], Some(&x), KEEP));
    assert_eq!(found, "grad: the cotangent has shape [1], the output [2, 3]");
    let wrong = Tensor::ones([2, 3], DType::F32, &device)?;
    let found = text(grad(&several.exp()?, &[&several], Some(&wrong), KEEP));
    assert!(found.starts_with("grad: the output is f64, the cotangent is f32"), "{found}");
    Ok(())
}

#[test]
fn recording_stops_and_returns() -> Result<()> {
    let x = f64s([1.0], &device()).requires_grad();
    let inside = no_grad(|| (grad_enabled(), x.exp()));
    assert!(!inside.0 && !inside.1?.tracks_grad());
    assert!(grad_enabled() && x.exp()?.tracks_grad());
    let panicked = std::panic::catch_unwind(|| no_grad(|| panic!("on purpose")));
    assert!(panicked.is_err() && grad_enabled(), "the setting is put back after a panic too");
    assert!(!x.exp()?.detach().tracks_grad());
    Ok(())
}

/// A tape of 200,000 nodes, on a stack of 128 KiB that no recursion over it would fit.
fn on_a_small_stack(then: impl FnOnce(Tensor, Tensor) + Send + 'static) {
    let work = move || {
        let x = f64s([2.0], &device()).requires_grad();
        let mut y = x.clone();
        for _ in 0..100_000 {
            y = y.reshape([1, 1]).and_then(|y| y.reshape([1])).expect("a view");
        }
        then(x, y);
    };
    let thread = std::thread::Builder::new().stack_size(128 * 1024).spawn(work).expect("a thread");
    thread.join().expect("neither a panic nor an overflow");
}

#[test]
fn a_long_tape_is_dropped_without_recursion() {
    on_a_small_stack(|x, y| {
        drop(x);
        drop(y);
    });
}

#[test]
fn a_long_tape_is_walked_without_recursion() {
    on_a_small_stack(|x, y| {
        let found = grad(&y, &[&x], None, KEEP).expect("a gradient").remove(0).expect("y depends on x");
        assert_eq!(found.to_vec::<f64>().expect("readable"), [1.0]);
        assert_eq!(y.backward().expect("gradients").of(&x).expect("a leaf").item().expect("one"), 1.0);
    });
}
