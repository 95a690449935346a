//! A node of the tape: an operation, its parents, and the rule by which a gradient passes through.

use crate::Tensor;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use taper_backend::{Result, Shape};

/// A backward rule: computes the gradients of an operation's inputs from the gradient of its output.
pub(crate) enum Rule {
    /// A rule in tensor operations, which can be differentiated again.
    Tensors(Box<Backward>),
    /// A rule that calls an optional kernel of the backend. Where the backend has none, and for gradients of gradients,
    /// the backward pass differentiates `composed` instead: the same function of `inputs` in tensor operations.
    Kernel { backward: Box<KernelBackward>, inputs: Vec<Tensor>, composed: Box<Composed> },
    /// The rule of an operation with several outputs, in tensor operations. Its node is no tensor's: each output has a
    /// node of its own above it, with the rule [`Rule::Output`].
    Outputs(Box<OutputsBackward>),
    /// The rule of output `index` of the `count` outputs of an operation: its gradient is an entry in the list that the
    /// operation's rule takes.
    Output { index: usize, count: usize },
}

/// Takes the output's gradient, and for each input whether it needs one; gives a gradient or `None` for each input. A
/// gradient may have the shape that the input was broadcast to: the backward pass sums it to the input's shape.
pub(crate) type Backward = dyn Fn(&Tensor, &[bool]) -> Result<Vec<Option<Tensor>>> + Send + Sync;

/// As [`Backward`], by a kernel; `None` when the backend has none.
pub(crate) type KernelBackward = dyn Fn(&Tensor, &[bool]) -> Result<Option<Vec<Option<Tensor>>>> + Send + Sync;

/// As [`Backward`], for an operation with several outputs: takes their gradients, `None` for an output that nothing depends
/// on. At least one is there.
pub(crate) type OutputsBackward = dyn Fn(&[Option<Tensor>], &[bool]) -> Result<Vec<Option<Tensor>>> + Send + Sync;

/// An operation's function in tensor operations, the composed version of a kernel.
pub(crate) type Composed = dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync;

impl Rule {
    /// A rule in tensor operations.
    pub(crate) fn tensors(
        backward: impl Fn(&Tensor, &[bool]) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static,
    ) -> Self {
        Self::Tensors(Box::new(backward))
    }

    /// The rule of an operation with several outputs.
    pub(crate) fn outputs(
        backward: impl Fn(&[Option<Tensor>], &[bool]) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static,
    ) -> Self {
        Self::Outputs(Box::new(backward))
    }

    /// A rule that calls an optional kernel of the backend, with the composed version.
    pub(crate) fn kernel(
        backward: impl Fn(&Tensor, &[bool]) -> Result<Option<Vec<Option<Tensor>>>> + Send + Sync + 'static,
        inputs: &[&Tensor],
        composed: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    ) -> Self {
        let inputs = inputs.iter().map(|&input| input.clone()).collect();
        Self::Kernel { backward: Box::new(backward), inputs, composed: Box::new(composed) }
    }
}

/// The backward rule of a whole chain of operations that one fused kernel computed.
pub(crate) struct Fused {
    /// The nodes of the chain's inputs.
    pub(crate) parents: Vec<Option<Arc<Node>>>,
    /// The rule for the gradients of the chain's inputs.
    pub(crate) backward: Box<Backward>,
    /// The ids of the nodes in the middle of the chain, whose gradients this rule does not give.
    pub(crate) skipped: Vec<u64>,
}

impl Fused {
    /// The rule of a chain of `inputs` that skips the values `between` in the middle of the chain.
    pub(crate) fn new(
        inputs: &[&Tensor],
        between: &[Tensor],
        backward: impl Fn(&Tensor, &[bool]) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            parents: inputs.iter().map(|input| input.node().cloned()).collect(),
            backward: Box::new(backward),
            skipped: between.iter().filter_map(|step| step.node().map(|node| node.id)).collect(),
        }
    }
}

/// The identity of a leaf, with respect to which gradients are computed. A parameter keeps it when its value is
/// overwritten.
pub(crate) struct Variable {
    /// The key of its gradient in [`Gradients`](super::Gradients).
    pub(crate) id: u64,
    /// The parameter's name.
    pub(crate) name: String,
    /// The number of times that the value has been overwritten.
    pub(crate) version: AtomicU64,
}

impl Variable {
    pub(crate) fn new(name: String) -> Self {
        Self { id: next_id(), name, version: AtomicU64::new(0) }
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (version {})", self.name, self.version.load(Ordering::Acquire))
    }
}

/// A node of the tape. It holds no value of its own: a rule captures the values that it needs.
pub(crate) struct Node {
    /// Ids increase: a parent's id is smaller than its child's, which orders the backward pass.
    pub(crate) id: u64,
    pub(crate) op: &'static str,
    pub(crate) shape: Shape,
    /// A leaf's variable, and the version of it that the graph was recorded on.
    pub(crate) leaf: Option<(Arc<Variable>, u64)>,
    /// `None` for a leaf, and once a backward pass has freed the graph.
    pub(crate) step: Mutex<Option<Step>>,
    /// The rule of the fused chain that computed the value, if one did; `None` inside once a backward pass has freed
    /// it.
    pub(crate) fused: OnceLock<Mutex<Option<Fused>>>,
}

/// An operation's parents and rule.
pub(crate) struct Step {
    pub(crate) parents: Vec<Option<Arc<Node>>>,
    pub(crate) rule: Rule,
}

impl Node {
    pub(crate) fn new(op: &'static str, shape: Shape, parents: Vec<Option<Arc<Node>>>, rule: Rule) -> Arc<Self> {
        let step = Mutex::new(Some(Step { parents, rule }));
        Arc::new(Self { id: next_id(), op, shape, leaf: None, step, fused: OnceLock::new() })
    }

    pub(crate) fn leaf(shape: Shape, variable: Option<Arc<Variable>>) -> Arc<Self> {
        let variable = variable.unwrap_or_else(|| Arc::new(Variable::new("a leaf".into())));
        let version = variable.version.load(Ordering::Acquire);
        let leaf = Some((variable, version));
        Arc::new(Self { id: next_id(), op: "leaf", shape, leaf, step: Mutex::new(None), fused: OnceLock::new() })
    }

    pub(crate) fn set_fused(&self, fused: Fused) {
        // A value is computed once, so this is the first call; a second one would change nothing.
        let _ = self.fused.set(Mutex::new(Some(fused)));
    }
}

/// Rules and parents hold further nodes. Dropping these recursively would overflow the stack on a long tape, so each
/// node pushes its content to a queue that the outermost drop of the thread empties. The thread-locals have no
/// destructor, so that nodes dropped while a thread ends can still use them.
impl Drop for Node {
    fn drop(&mut self) {
        thread_local! {
            static DROPPING: Cell<bool> = const { Cell::new(false) };
            static QUEUE: ManuallyDrop<RefCell<Vec<Box<dyn Any>>>> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };
        }
        let step = self.step.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let fused =
            self.fused.take().and_then(|fused| fused.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()));
        if step.is_none() && fused.is_none() {
            return;
        }
        QUEUE.with(|queue| queue.borrow_mut().push(Box::new((step, fused))));
        if DROPPING.replace(true) {
            return;
        }
        while let Some(next) = QUEUE.with(|queue| queue.borrow_mut().pop()) {
            drop(next);
        }
        // The queue's memory is freed, because without a destructor a thread that ends would leak it.
        QUEUE.with(|queue| queue.take());
        DROPPING.set(false);
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
