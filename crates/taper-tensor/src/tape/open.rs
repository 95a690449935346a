//! The gradients that a backward pass has found so far.

use super::Node;
use crate::Tensor;
use std::collections::BTreeMap;
use std::sync::Arc;
use taper_backend::Result;

/// The nodes that a backward pass has reached and not yet passed, each with the sum of its gradients so far. A child's
/// id is larger than its parents', so that the sum of the node with the largest id is complete.
#[derive(Default)]
pub(super) struct Open(BTreeMap<u64, (Arc<Node>, Total)>);

/// The gradient of a node.
pub(super) enum Total {
    /// That of the node's tensor.
    Tensor(Tensor),
    /// For the node of an operation with several outputs, those of the outputs.
    Outputs(Vec<Option<Tensor>>),
}

impl Open {
    /// Removes the node with the largest id, whose gradient is complete.
    pub(super) fn pop(&mut self) -> Option<(Arc<Node>, Total)> {
        self.0.pop_last().map(|(_, reached)| reached)
    }

    /// Adds `gradient`, summed to the node's shape, to the gradient of `node`.
    pub(super) fn add(&mut self, node: &Arc<Node>, gradient: &Tensor) -> Result<()> {
        let gradient = gradient.sum_to(&node.shape)?;
        let total = match self.0.remove(&node.id) {
            Some((_, Total::Tensor(so_far))) => so_far.add(&gradient)?,
            _ => gradient,
        };
        self.0.insert(node.id, (node.clone(), Total::Tensor(total)));
        Ok(())
    }

    /// Sets the complete gradient of output `index` of the `count` outputs of `operation`.
    pub(super) fn set_output(&mut self, operation: &Arc<Node>, index: usize, count: usize, gradient: Tensor) {
        let new = || (operation.clone(), Total::Outputs(vec![None; count]));
        if let (_, Total::Outputs(outputs)) = self.0.entry(operation.id).or_insert_with(new) {
            outputs[index] = Some(gradient);
        }
    }
}
