//! The backward pass: a walk over the tape from an output back to its leaves.

use super::node::{Fused, Node, Rule, Step};
use super::open::{Open, Total};
use super::{Gradients, with_grad};
use crate::Tensor;
use crate::check;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use taper_backend::profile::{Phase, phase};
use taper_backend::{Error, Result};

/// Options of [`grad`].
#[derive(Debug, Clone, Copy, Default)]
pub struct GradOptions {
    /// Whether to record the computation of the gradients on the tape, so that they can be differentiated again.
    /// Retains the graph too.
    pub create_graph: bool,
    /// Whether to retain the graph for another backward pass. Otherwise the pass frees each node's rule, and the values
    /// saved for it, once it has used them.
    pub retain_graph: bool,
}

impl Tensor {
    /// The gradients of this tensor, which must have one element, with respect to every leaf that it depends on. Frees
    /// the graph: a second backward pass through it is an error.
    ///
    /// # Errors
    /// When there is not exactly one element, nothing that it depends on requires a gradient, the graph was freed, or a
    /// parameter was overwritten after the forward pass.
    pub fn backward(&self) -> Result<Gradients> {
        if self.count() != 1 {
            let detail = format!(
                "the gradient of a tensor of shape {} is not defined: reduce it to one number, or use grad with a cotangent",
                self.shape()
            );
            return Err(Error::shape("backward", detail));
        }
        let Some(node) = self.node() else {
            return Err(Error::Tape(
                "backward: nothing here requires a gradient (no leaf or parameter led to this tensor, or it was made under no_grad)"
                    .into(),
            ));
        };
        let seed = Tensor::ones(self.shape(), self.dtype(), self.device())?;
        self.buffer()?;
        let mut leaves = HashMap::new();
        Walk { targets: None, options: GradOptions::default() }.run(node, seed, |node, gradient| {
            if let Some((variable, _)) = &node.leaf {
                leaves.insert(variable.id, gradient);
            }
        })?;
        Ok(Gradients(leaves))
    }
}

/// The gradients of ⟨`y`, `cotangent`⟩ with respect to `inputs`, which may be leaves or intermediate values.
/// `cotangent` has `y`'s shape, dtype and device; ones when `None`. The result has a gradient for each input, `None`
/// where `y` does not depend on it.
///
/// # Errors
/// When the cotangent does not match, an input tracks no gradient, the graph was freed, or a parameter was overwritten
/// after the forward pass.
pub fn grad(
    y: &Tensor,
    inputs: &[&Tensor],
    cotangent: Option<&Tensor>,
    options: GradOptions,
) -> Result<Vec<Option<Tensor>>> {
    let seed = match cotangent {
        None => Tensor::ones(y.shape(), y.dtype(), y.device())?,
        Some(given) if given.shape() == y.shape() => {
            check::same("grad", &["the output", "the cotangent"], &[y, given])?;
            given.clone()
        }
        Some(given) => {
            let detail = format!("the cotangent has shape {}, the output {}", given.shape(), y.shape());
            return Err(Error::shape("grad", detail));
        }
    };
    let mut targets = HashSet::new();
    for (i, input) in inputs.iter().enumerate() {
        let node = input.node().ok_or_else(|| {
            Error::Tape(format!("grad: input {i} tracks no gradient: make it a leaf with requires_grad"))
        })?;
        targets.insert(node.id);
    }
    let mut found = HashMap::new();
    if let Some(node) = y.node() {
        y.buffer()?;
        Walk { targets: Some(&targets), options }.run(node, seed, |node, gradient| {
            if targets.contains(&node.id) {
                found.insert(node.id, gradient);
            }
        })?;
    }
    Ok(inputs.iter().map(|input| input.node().and_then(|node| found.get(&node.id).cloned())).collect())
}

struct Walk<'a> {
    /// The nodes whose gradients are wanted; `None` for every leaf.
    targets: Option<&'a HashSet<u64>>,
    options: GradOptions,
}

impl Walk<'_> {
    /// Calls `done` with each node and its complete gradient, from the output towards the leaves.
    fn run(&self, root: &Arc<Node>, seed: Tensor, mut done: impl FnMut(&Node, Tensor)) -> Result<()> {
        let _backward = phase(Phase::Backward);
        let needed = self.targets.map(|targets| self.leading_to(root, targets));
        let is_needed = |node: &Node| needed.as_ref().is_none_or(|needed| needed.contains(&node.id));
        let mut open = Open::default();
        if is_needed(root) {
            self.quietly(|| open.add(root, &seed))?;
        }
        let oldest = self.oldest_target();
        while let Some((node, total)) = open.pop() {
            let needs = |parents: &[Option<Arc<Node>>]| -> Vec<bool> {
                parents.iter().map(|parent| parent.as_ref().is_some_and(|parent| is_needed(parent))).collect()
            };
            let mut add = |parents: &[Option<Arc<Node>>], gradients: Vec<Option<Tensor>>| -> Result<()> {
                let found =
                    parents.iter().zip(gradients).filter_map(|(parent, gradient)| parent.as_ref().zip(gradient));
                self.quietly(|| found.into_iter().try_for_each(|(parent, gradient)| open.add(parent, &gradient)))
            };
            let gradient = match total {
                Total::Tensor(gradient) => gradient,
                Total::Outputs(gradients) => {
                    let step = self.step(&node)?;
                    let needs = needs(&step.parents);
                    if let (Rule::Outputs(backward), true) = (&step.rule, needs.contains(&true)) {
                        add(&step.parents, self.quietly(|| backward(&gradients, &needs))?)?;
                    }
                    continue;
                }
            };
            if node.leaf.is_none() && node.id <= oldest {
                // An intermediate value that is a target; no target is further back.
                done(&node, gradient);
                continue;
            }
            if let Some((variable, version)) = &node.leaf {
                let now = variable.version.load(Ordering::Acquire);
                if now != *version {
                    return Err(Error::Tape(format!(
                        "backward: {} was overwritten (version {now}) after this graph was recorded (version {version}): \
                         run the forward pass again",
                        variable.name
                    )));
                }
            } else if let Some(fused) = self.fused(&node) {
                let needs = needs(&fused.parents);
                let gradients = self.quietly(|| (fused.backward)(&gradient, &needs))?;
                add(&fused.parents, gradients)?;
            } else {
                let step = self.step(&node)?;
                let needs = needs(&step.parents);
                match (&step.rule, step.parents.first()) {
                    _ if !needs.contains(&true) => {}
                    (&Rule::Output { index, count }, Some(Some(operation))) => {
                        open.set_output(operation, index, count, gradient.clone());
                    }
                    (rule, _) => add(&step.parents, self.apply(rule, &gradient, &needs)?)?,
                }
            }
            done(&node, gradient);
        }
        Ok(())
    }

    /// Applies the rule of one operation. Where the backend has no kernel, and for gradients of gradients, it
    /// differentiates the composed version.
    fn apply(&self, rule: &Rule, gradient: &Tensor, needs: &[bool]) -> Result<Vec<Option<Tensor>>> {
        let (inputs, composed) = match rule {
            Rule::Tensors(backward) => return self.quietly(|| backward(gradient, needs)),
            Rule::Kernel { backward, inputs, composed } => {
                if !self.options.create_graph
                    && let Some(gradients) = self.quietly(|| backward(gradient, needs))?
                {
                    return Ok(gradients);
                }
                (inputs, composed)
            }
            // The walk passes these itself.
            Rule::Outputs(_) | Rule::Output { .. } => return Ok(vec![None; needs.len()]),
        };
        // Each input is copied to a new node above its own: the inner backward pass stops there, a later one passes
        // through.
        let stand_ins: Vec<Tensor> = inputs.iter().map(stand_in).collect::<Result<_>>()?;
        let y = with_grad(true, || composed(&stand_ins))?;
        let wanted: Vec<&Tensor> =
            stand_ins.iter().zip(needs).filter(|&(_, &need)| need).map(|(input, _)| input).collect();
        let mut gradients = grad(&y, &wanted, Some(gradient), self.options)?.into_iter();
        Ok(needs.iter().map(|&need| if need { gradients.next().flatten() } else { None }).collect())
    }

    /// Runs `f`, recording only when gradients of gradients were asked for.
    fn quietly<R>(&self, f: impl FnOnce() -> R) -> R {
        with_grad(self.options.create_graph, f)
    }

    /// The smallest id among the targets; 0 when every leaf is a target. A parent's id is smaller than its child's, so
    /// that nodes with smaller ids need no visit.
    fn oldest_target(&self) -> u64 {
        self.targets.map_or(0, |targets| targets.iter().min().copied().unwrap_or(u64::MAX))
    }

    /// Whether the graph is retained.
    fn keeps(&self) -> bool {
        self.options.create_graph || self.options.retain_graph
    }

    /// Whether the fused rule of a node may be used: not for gradients of gradients, and not when a step that it skips
    /// is itself a target.
    fn may_fuse(&self, fused: &Fused) -> bool {
        !self.options.create_graph
            && self.targets.is_none_or(|targets| fused.skipped.iter().all(|id| !targets.contains(id)))
    }

    /// The fused rule of `node`, if it has one that may be used.
    fn fused<'n>(&self, node: &'n Node) -> Option<Held<'n, Fused>> {
        let slot = lock(node.fused.get()?);
        if !self.may_fuse(slot.as_ref()?) {
            return None;
        }
        let held = Held::of(slot, self.keeps());
        if !self.keeps() {
            *lock(&node.step) = None;
        }
        held
    }

    /// The parents and rule of `node`.
    fn step<'n>(&self, node: &'n Node) -> Result<Held<'n, Step>> {
        let held = Held::of(lock(&node.step), self.keeps()).ok_or_else(|| {
            Error::Tape(format!(
                "backward: the graph through {} was used up by an earlier backward; keep it with retain_graph",
                node.op
            ))
        })?;
        if let (false, Some(fused)) = (self.keeps(), node.fused.get()) {
            *lock(fused) = None;
        }
        Ok(held)
    }

    /// The nodes from which a target can be reached. Nodes that were freed are included, because a target might have
    /// been reached through them: the backward pass then returns an error.
    fn leading_to(&self, root: &Arc<Node>, targets: &HashSet<u64>) -> HashSet<u64> {
        let mut leading = HashSet::new();
        let mut parents_of: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let oldest = self.oldest_target();
        let mut open = vec![root.clone()];
        while let Some(node) = open.pop() {
            if node.id < oldest || parents_of.contains_key(&node.id) {
                continue;
            }
            let fused = node.fused.get().map(lock);
            let step = lock(&node.step);
            let parents: Vec<Arc<Node>> = match fused.as_deref() {
                Some(Some(fused)) if self.may_fuse(fused) => fused.parents.iter().flatten().cloned().collect(),
                _ => step.iter().flat_map(|step| step.parents.iter().flatten().cloned()).collect(),
            };
            if step.is_none() && node.leaf.is_none() && node.id > oldest {
                leading.insert(node.id);
            }
            parents_of.insert(node.id, parents.iter().map(|parent| parent.id).collect());
            open.extend(parents);
        }
        // Parents come first in the order of ids, so that one pass suffices.
        for (&id, parents) in &parents_of {
            if targets.contains(&id) || parents.iter().any(|parent| leading.contains(parent)) {
                leading.insert(id);
            }
        }
        leading
    }
}

/// The same value with a new node above the node of `x`, through which gradients pass unchanged.
fn stand_in(x: &Tensor) -> Result<Tensor> {
    let value = x.buffer()?.clone();
    Ok(with_grad(true, || Tensor::record("stand_in", value, &[x], || Rule::tensors(|g, _| Ok(vec![Some(g.clone())])))))
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A rule in use: borrowed from its node when the graph is kept, taken out of it (and dropped after use) when not.
enum Held<'n, T> {
    Kept(MutexGuard<'n, Option<T>>),
    Taken(T),
}

impl<'n, T> Held<'n, T> {
    fn of(mut slot: MutexGuard<'n, Option<T>>, keep: bool) -> Option<Self> {
        if !keep {
            return slot.take().map(Self::Taken);
        }
        slot.is_some().then_some(Self::Kept(slot))
    }
}

impl<T> std::ops::Deref for Held<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        match self {
            // `of` makes `Kept` only of a full slot, and the guard keeps others from emptying it.
            Self::Kept(slot) => slot.as_ref().unwrap_or_else(|| unreachable!("an empty slot is never held")),
            Self::Taken(value) => value,
        }
    }
}
