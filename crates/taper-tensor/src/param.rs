//! Parameters: named tensors that training overwrites.

use crate::Tensor;
use crate::tape::{Node, Variable};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use taper_backend::{Buffer, Error, Result};

/// A shared handle to a parameter (or a buffer such as batch norm's running mean).
///
/// Its value is overwritten by [`Param::update`], in place where nothing else holds it. Each overwrite counts up the
/// version; a backward through a graph that was recorded on an older version is an error, never a wrong gradient.
#[derive(Clone, Debug)]
pub struct Param(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    variable: Arc<Variable>,
    /// Made by [`Param::new`]: not a buffer.
    learned: bool,
    /// Changes under `value`'s lock, so that the value is a leaf exactly when it is trainable.
    frozen: AtomicBool,
    value: Mutex<Tensor>,
}

impl Param {
    /// A parameter called `name` (`conv1.weight`) that training changes.
    pub fn new(name: impl Into<String>, value: &Tensor) -> Self {
        Self::make(name.into(), value, true)
    }

    /// A named tensor that belongs to the weights but has no gradient: a running mean, a table of positions.
    pub fn buffer(name: impl Into<String>, value: &Tensor) -> Self {
        Self::make(name.into(), value, false)
    }

    /// A parameter that is `value`, with the tape that made it: what is computed from it has a gradient with respect to all
    /// that `value` was computed from. For functions of parameters; training overwrites parameters made by
    /// [`new`](Self::new).
    pub fn bound(name: impl Into<String>, value: &Tensor) -> Self {
        let param = Self::make(name.into(), value, true);
        *param.0.value.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = value.clone();
        param
    }

    fn make(name: String, value: &Tensor, learned: bool) -> Self {
        let variable = Arc::new(Variable::new(name.clone()));
        let value = Mutex::new(leaf(value, learned, &variable));
        Self(Arc::new(Inner { name, variable, learned, frozen: AtomicBool::new(false), value }))
    }

    /// The path of names, as in a PyTorch state dict.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it has a gradient: it is no buffer, and not frozen.
    pub fn trainable(&self) -> bool {
        self.0.learned && !self.0.frozen.load(Ordering::Acquire)
    }

    /// Whether [`Param::freeze`] was called last, not [`Param::unfreeze`]; of a buffer too.
    pub fn is_frozen(&self) -> bool {
        self.0.frozen.load(Ordering::Acquire)
    }

    /// From now on it is a constant: no gradient reaches it, and optimisers leave it as it is. A buffer is left as it is by
    /// the layer that moves it otherwise, as batch norm its running statistics. Its value can still be set.
    pub fn freeze(&self) {
        self.set_frozen(true);
    }

    /// Takes [`Param::freeze`] back. A buffer stays a buffer.
    pub fn unfreeze(&self) {
        self.set_frozen(false);
    }

    fn set_frozen(&self, frozen: bool) {
        let mut held = self.0.value.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.0.frozen.store(frozen, Ordering::Release);
        *held = leaf(&held, self.trainable(), &self.0.variable);
    }

    /// How often it has been overwritten.
    pub fn version(&self) -> u64 {
        self.0.variable.version.load(Ordering::Acquire)
    }

    /// The current value, a leaf of the tape when trainable.
    pub fn tensor(&self) -> Tensor {
        self.0.value.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Overwrites the value by what `change` does to it. In place when no other tensor and no tape holds the old value.
    /// After an error the old value stays, unless `change` had written to it.
    pub fn update<R>(&self, change: impl FnOnce(&mut Buffer) -> Result<R>) -> Result<R> {
        let mut held = self.0.value.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let device = held.device().clone();
        held.buffer()?;
        // A scalar keeps the place while the value itself is taken out, so that its handle can be the only one.
        let place_holder = Tensor::constant(device.fill(&[].into(), held.dtype(), 0.0)?, &device);
        let mut buffer = std::mem::replace(&mut *held, place_holder).into_buffer()?;
        let result = change(&mut buffer);
        if result.is_ok() {
            self.0.variable.version.fetch_add(1, Ordering::AcqRel);
        }
        *held = leaf(&Tensor::constant(buffer, &device), self.trainable(), &self.0.variable);
        result
    }

    /// Overwrites the value with `value`, which must have the same shape and dtype.
    pub fn set(&self, value: &Tensor) -> Result<()> {
        let current = self.tensor();
        if value.shape() != current.shape() || value.dtype() != current.dtype() {
            return Err(Error::Parameter(format!(
                "{}: expected {} {}, came {} {}",
                self.name(),
                current.dtype(),
                current.shape(),
                value.dtype(),
                value.shape()
            )));
        }
        let device = current.device().clone();
        drop(current);
        self.update(|buffer| device.assign(buffer, value.buffer()?))
    }

    pub(crate) fn variable(&self) -> &Arc<Variable> {
        &self.0.variable
    }
}

fn leaf(value: &Tensor, trainable: bool, variable: &Arc<Variable>) -> Tensor {
    let node = trainable.then(|| Node::leaf(value.shape().clone(), Some(variable.clone())));
    value.with_node(node)
}
