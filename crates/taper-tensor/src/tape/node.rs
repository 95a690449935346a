//! A node of the tape: which operation, which parents, how a gradient passes through.

use crate::Tensor;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use taper_backend::{Result, Shape};

/// How the gradient of an operation's output becomes those of its inputs.
pub(crate) enum Rule {
    /// Written in tensor operations: it can be differentiated again.
    Tensors(Box<Backward>),
    /// Computed by a kernel of the backend's rim, if it has one. Where it has none, and for gradients of gradients, the walk
    /// goes through `composed`: the same function of `inputs` in tensor operations.
    Kernel { backward: Box<KernelBackward>, inputs: Vec<Tensor>, composed: Box<Composed> },
}

/// Takes the output's gradient and which inputs need one; gives one gradient, or none, for each input. A gradient may
/// have the shape that the input was broadcast to: the walk sums it back.
pub(crate) type Backward = dyn Fn(&Tensor, &[bool]) -> Result<Vec<Option<Tensor>>> + Send + Sync;

/// The same by a kernel; `None` when the backend has none.
pub(crate) type KernelBackward = dyn Fn(&Tensor, &[bool]) -> Result<Option<Vec<Option<Tensor>>>> + Send + Sync;

/// The same function in tensor operations.
pub(crate) type Composed = dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync;

impl Rule {
    /// A rule in tensor operations.
    pub(crate) fn tensors(
        backward: impl Fn(&Tensor, &[bool]) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static,
    ) -> Self {
        Self::Tensors(Box::new(backward))
    }

    /// A rule in a kernel of the backend's rim, and the composed version.
    pub(crate) fn kernel(
        backward: impl Fn(&Tensor, &[bool]) -> Result<Option<Vec<Option<Tensor>>>> + Send + Sync + 'static,
        inputs: &[&Tensor],
        composed: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    ) -> Self {
        let inputs = inputs.iter().map(|&input| input.clone()).collect();
        Self::Kernel { backward: Box::new(backward), inputs, composed: Box::new(composed) }
    }
}

/// The rule of a whole chain that one kernel computed.
pub(crate) struct Fused {
    /// The chain's inputs.
    pub(crate) parents: Vec<Option<Arc<Node>>>,
    /// How the gradient reaches them.
    pub(crate) backward: Box<Backward>,
    /// The nodes of the steps in between, whose gradients this rule does not give.
    pub(crate) skipped: Vec<u64>,
}

impl Fused {
    /// The rule of a chain of `inputs` that skips the values `between`.
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

/// What is differentiated with respect to: stays the same while a parameter's value is overwritten.
pub(crate) struct Variable {
    /// What gradients are kept under.
    pub(crate) id: u64,
    /// The parameter's name.
    pub(crate) name: String,
    /// Counts overwrites.
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

/// A node. It holds no value of its own: what a rule needs, the rule captures.
pub(crate) struct Node {
    /// Counts up: a parent's is always smaller than its child's, which gives the walk its order.
    pub(crate) id: u64,
    pub(crate) op: &'static str,
    pub(crate) shape: Shape,
    /// A leaf's variable, and the version of it that the graph was recorded on.
    pub(crate) leaf: Option<(Arc<Variable>, u64)>,
    /// Gone once a walk has passed.
    pub(crate) step: Mutex<Option<Step>>,
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

/// Rules and parents lead to further nodes. Dropping them one inside the other would recurse as deep as the tape is long,
/// so that each node hands its content to the outermost drop of the thread, which takes them in turn. The thread's locals
/// have no destructor: what is dropped while a thread ends finds them still there.
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
        // Emptied, so that a thread that ends leaves no memory behind.
        QUEUE.with(|queue| queue.take());
        DROPPING.set(false);
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
