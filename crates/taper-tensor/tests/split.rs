//! Splitting: the parts, errors, and how much memory the backward pass of many slices moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use taper_backend::observed::{Call, Observed, Observer};
use taper_cpu::CpuBackend;
use taper_tensor::{Device, GradOptions, Result, Tensor, grad};

fn device() -> Result<Device> {
    Ok(Device::new(CpuBackend::with_threads(1)?))
}

fn numbers(count: usize, shape: &[usize], device: &Device) -> Result<Tensor> {
    Tensor::from_vec((0..count).map(|i| i as f64).collect(), shape, device)
}

fn shapes(parts: &[Tensor]) -> Vec<Vec<usize>> {
    parts.iter().map(|part| part.shape().to_vec()).collect()
}

#[test]
fn parts_are_pytorchs() -> Result<()> {
    let x = numbers(10, &[5, 2], &device()?)?;
    assert_eq!(shapes(&x.split(2, 0)?), [[2, 2], [2, 2], [1, 2]]);
    assert_eq!(x.split(2, 0)?[2].to_vec::<f64>()?, [8.0, 9.0]);
    assert_eq!(x.split(9, 0)?.len(), 1);
    assert_eq!(shapes(&x.split_with_sizes(&[1, 0, 4], 0)?), [[1, 2], [0, 2], [4, 2]]);
    // torch.zeros(5).chunk(4) has three parts.
    assert_eq!(shapes(&x.chunk(4, 0)?), [[2, 2], [2, 2], [1, 2]]);
    assert_eq!(shapes(&x.unbind(-1)?), [[5], [5]]);
    assert_eq!(x.unbind(-1)?[1].to_vec::<f64>()?, [1.0, 3.0, 5.0, 7.0, 9.0]);
    let empty = numbers(0, &[0, 3], &device()?)?;
    assert_eq!(shapes(&empty.split(2, 0)?), [[0, 3]]);
    assert_eq!(shapes(&empty.chunk(2, 0)?), [[0, 3], [0, 3]]);
    assert_eq!(empty.unbind(0)?.len(), 0);
    Ok(())
}

#[test]
fn what_cannot_be_split_is_told() -> Result<()> {
    let x = numbers(10, &[5, 2], &device()?)?;
    let scalar = numbers(1, &[], &device()?)?;
    let errors = [
        (x.split(0, 0).err(), "size of a part is 0"),
        (x.chunk(0, 0).err(), "0 chunks"),
        (x.split(1, 2).err(), "split"),
        (x.split_with_sizes(&[2, 2], 0).err(), "with the sum 5 of dim 0 of [5, 2]"),
        (x.split_with_sizes(&[], 0).err(), "at least one size"),
        (x.split_with_sizes(&[usize::MAX, 6], 0).err(), "with the sum 5"),
        (scalar.unbind(0).err(), "unbind"),
    ];
    for (error, text) in errors {
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(text), "{text}: {error}");
    }
    Ok(())
}

/// The bytes that the calls to a device read and write.
#[derive(Debug, Default)]
struct Traffic(AtomicU64);

impl Observer for Traffic {
    fn called(&self, call: &Call) {
        // Views move nothing.
        if !["reshape", "permute", "broadcast", "slice"].contains(&call.method) {
            let bytes = call.operands.iter().chain(&call.results).map(|operand| operand.bytes()).sum();
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// The bytes that the backward pass of `steps` slices of one tensor moves, in first and second order.
fn traffic(steps: usize) -> Result<[u64; 2]> {
    let traffic = Arc::new(Traffic::default());
    let device = Observed::device(device()?, traffic.clone());
    let x = numbers(8 * steps, &[4, steps, 2], &device)?.requires_grad();
    let states = x.unbind(1)?.iter().map(Tensor::tanh).collect::<Result<Vec<_>>>()?;
    let y = Tensor::stack(&states.iter().collect::<Vec<_>>(), 1)?.sum_all()?;
    traffic.0.store(0, Ordering::Relaxed);
    let options = GradOptions { create_graph: true, ..GradOptions::default() };
    let first = grad(&y, &[&x], None, options)?.remove(0).expect("y depends on x");
    let of_first = traffic.0.swap(0, Ordering::Relaxed);
    first.mul(&first)?.sum_all()?.backward()?;
    Ok([of_first, traffic.0.load(Ordering::Relaxed)])
}

#[test]
fn traffic_is_in_proportion_to_the_number_of_slices() -> Result<()> {
    let ([few, second_few], [many, second_many]) = (traffic(16)?, traffic(256)?);
    assert!(few > 0 && second_few > 0);
    assert!(many <= 17 * few, "16 times the slices take {many} bytes, {few} before");
    assert!(second_many <= 17 * second_few, "16 times the slices take {second_many} bytes, {second_few} before");
    Ok(())
}
