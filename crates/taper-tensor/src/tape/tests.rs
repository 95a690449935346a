//! Dropped tensors free their tape: no reference cycle keeps a node, a rule or a saved value alive. Tested with the
//! cases of every operation.

use super::{GradOptions, Node, grad};
use crate::{Device, Error, RandomKey, Result, Tensor, ops};
use std::collections::HashSet;
use std::sync::{Arc, Weak};

/// Every node that can be reached from `y`.
fn nodes(y: &Tensor) -> Vec<Weak<Node>> {
    let (mut seen, mut open) = (HashSet::new(), Vec::from_iter(y.node().cloned()));
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        if !seen.insert(node.id) {
            continue;
        }
        found.push(Arc::downgrade(&node));
        if let Some(fused) = node.fused.get()
            && let Some(fused) = fused.lock().expect("no panic before").as_ref()
        {
            open.extend(fused.parents.iter().flatten().cloned());
        }
        if let Some(step) = node.step.lock().expect("no panic before").as_ref() {
            open.extend(step.parents.iter().flatten().cloned());
        }
    }
    found
}

fn each_case(work: impl Fn(&[Tensor], &Tensor) -> Result<()>) -> Result<()> {
    let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
    for (op, cases) in ops::registry() {
        for case in cases {
            let leaves = case.draw(RandomKey::new(1), &device)?.iter().map(Tensor::requires_grad).collect::<Vec<_>>();
            let y = case.call(&leaves)?;
            y.buffer()?;
            let nodes = nodes(&y);
            work(&leaves, &y)?;
            drop((leaves, y));
            let alive = nodes.iter().filter_map(Weak::upgrade).map(|node| node.op).collect::<Vec<_>>();
            assert!(alive.is_empty(), "{op}, {}: {alive:?} are still alive", case.name());
        }
    }
    Ok(())
}

#[test]
fn dropped_without_a_walk() -> Result<()> {
    each_case(|_, _| Ok(()))
}

#[test]
fn dropped_after_a_walk() -> Result<()> {
    each_case(|leaves, y| {
        grad(y, &leaves.iter().collect::<Vec<_>>(), None, GradOptions::default())?;
        Ok(())
    })
}

#[test]
fn dropped_after_gradients_of_gradients() -> Result<()> {
    each_case(|leaves, y| {
        let (wanted, options) =
            (leaves.iter().collect::<Vec<_>>(), GradOptions { create_graph: true, retain_graph: true });
        for first in grad(y, &wanted, None, options)?.into_iter().flatten() {
            grad(&first, &wanted, None, options)?;
        }
        Ok(())
    })
}

#[test]
fn a_walk_drops_what_it_passes() -> Result<()> {
    let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
    let x = Tensor::from_vec(vec![1.0, 2.0], [2], &device)?.requires_grad();
    let y = x.exp()?.sum_all()?;
    let inside = nodes(&y);
    let before = inside.iter().filter(|node| node.strong_count() > 0).count();
    y.backward()?;
    // Leaf, exp, sum, reshape. The first and the last are held by their tensors; those between, and all that their rules
    // saved, are gone.
    let after = inside.iter().filter(|node| node.strong_count() > 0).count();
    assert_eq!((before, after), (4, 2));
    Ok(())
}

#[test]
fn a_chain_is_fused_where_the_backend_can_and_nothing_reads_it() -> Result<()> {
    let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
    let x = Tensor::ones([1, 2, 4, 4], crate::DType::F32, &device)?;
    let weight = Tensor::ones([3, 2, 3, 3], crate::DType::F32, &device)?.requires_grad();
    let fused = |read: bool| -> Result<Option<usize>> {
        let relu = x.conv2d(&weight, None, Default::default())?.relu()?;
        if read {
            relu.buffer()?;
        }
        let y = relu.max_pool2d(crate::Pool2dSpec::square(2))?;
        y.buffer()?;
        let node = y.node().ok_or_else(|| Error::Tape("not recorded".into()))?;
        Ok(node.fused.get().map(|fused| fused.lock().expect("no panic before").as_ref().map_or(0, |f| f.skipped.len())))
    };
    assert_eq!(fused(false)?, Some(2), "the pooling's rule should skip the convolution and the ReLU");
    assert_eq!(fused(true)?, None, "a value that has been read is there: nothing can be fused over it");
    Ok(())
}
