//! Nothing recurses as deep as a user's chain is long: all of this runs on a stack of 256 KiB.

mod common;

use common::device;
use std::cell::RefCell;
use taper_tensor::{Activation, Conv2dSpec, DType, Device, GradOptions, Result, Tensor, grad};

const LENGTH: usize = 100_000;

fn on_a_small_stack(work: impl FnOnce() -> Result<()> + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(work).expect("a thread");
    thread.join().expect("no panic").expect("no error");
}

/// A convolution whose value is pending.
fn pending(device: &Device) -> Result<Tensor> {
    let weight = Tensor::ones([1, 1, 1, 1], DType::F32, device)?.requires_grad();
    Tensor::ones([1, 1, 4, 4], DType::F32, device)?.conv2d(&weight, None, Conv2dSpec::default())
}

#[test]
fn handles_on_a_pending_value() {
    on_a_small_stack(|| {
        let device = device();
        for read in [false, true] {
            let mut y = pending(&device)?;
            (0..LENGTH).for_each(|i| y = if i % 2 == 0 { y.requires_grad() } else { y.detach() });
            if read {
                assert_eq!(y.requires_grad().sum_all()?.item()?, 16.0);
            }
        }
        // Every handle is kept, and the last is read first.
        let mut kept = vec![pending(&device)?];
        for i in 0..LENGTH {
            kept.push(kept[i].requires_grad());
        }
        for y in [&kept[LENGTH], &kept[1], &kept[LENGTH / 2]] {
            assert_eq!(y.sum_all()?.item()?, 16.0);
        }
        Ok(())
    });
}

#[test]
fn pending_values_one_after_the_other() {
    on_a_small_stack(|| {
        let device = device();
        let weight = Tensor::ones([1, 1], DType::F32, &device)?.requires_grad();
        for backward in [false, true] {
            let mut y = Tensor::ones([1, 1], DType::F32, &device)?;
            for _ in 0..LENGTH / 10 {
                y = y.linear(&weight, None)?.relu()?.activation(Activation::Identity)?;
            }
            if backward {
                let found = y.sum_all()?.backward()?;
                assert_eq!(found.of(&weight).expect("a gradient").item()?, (LENGTH / 10) as f64);
            }
        }
        Ok(())
    });
}

#[test]
fn gradients_of_gradients_of_a_long_chain() {
    on_a_small_stack(|| {
        let x = Tensor::from_vec(vec![0.5], [1], &device())?.requires_grad();
        let mut y = x.mul(&x)?;
        for i in 0..LENGTH / 10 {
            y = if i % 2 == 0 { y.mul_scalar(2.0)? } else { y.softmax(0)?.mul(&y)?.div_scalar(2.0)? };
        }
        let options = GradOptions { create_graph: true, retain_graph: true };
        let first = grad(&y, &[&x], None, options)?[0].clone().expect("a gradient");
        assert_eq!(first.item()?, 1.0);
        let second = grad(&first, &[&x], None, options)?[0].clone().expect("a gradient");
        assert_eq!(second.item()?, 2.0);
        Ok(())
    });
}

/// A local of the thread keeps a tape, and is dropped when the tape's own locals may be gone.
#[test]
fn a_tape_that_ends_with_its_thread() {
    thread_local! {
        static KEPT: RefCell<Option<Tensor>> = const { RefCell::new(None) };
    }
    for first in [true, false] {
        on_a_small_stack(move || {
            // Registers its destructor before or after the tape's locals are used: locals go in an order not promised.
            if first {
                KEPT.with(|kept| kept.replace(None));
            }
            let mut y = Tensor::from_vec(vec![1.0], [1], &device())?.requires_grad();
            for _ in 0..LENGTH {
                y = y.neg()?;
            }
            drop(y.neg()?);
            KEPT.with(|kept| kept.replace(Some(y)));
            Ok(())
        });
    }
}
