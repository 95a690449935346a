//! Parameters: named tensors that training overwrites, and buffers, which have no gradient.

use crate::Tensor;
use crate::tape::{Node, Variable};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use taper_backend::{Buffer, Error, Result};

/// A shared handle to a parameter (or a buffer such as batch norm's running mean).
///
/// [`Param::update`] overwrites the value, in place where nothing else holds it, and increments the version. A backward
/// pass through a graph that was recorded on an older version is an error, never a wrong gradient.
#[derive(Clone, Debug)]
pub struct Param(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    variable: Arc<Variable>,
    /// Whether it is a parameter, made by [`Param::new`] or [`Param::bound`], not a buffer.
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

    /// A buffer called `name`: a tensor that belongs to a model's state but has no gradient, such as batch norm's
    /// running mean or a table of positional encodings.
    pub fn buffer(name: impl Into<String>, value: &Tensor) -> Self {
        Self::make(name.into(), value, false)
    }

    /// A parameter whose value is `value` itself, its node on the tape included: gradients flow through it to
    /// everything that `value` was computed from. For differentiating a model as a function of its parameters; for
    /// parameters that training overwrites use [`new`](Self::new).
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

    /// The name, a path as in a PyTorch state dict: `conv1.weight`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it has a gradient: it is a parameter, not a buffer, and not frozen.
    pub fn trainable(&self) -> bool {
        self.0.learned && !self.0.frozen.load(Ordering::Acquire)
    }

    /// Whether it is frozen by [`Param::freeze`]. Buffers can be frozen too.
    pub fn is_frozen(&self) -> bool {
        self.0.frozen.load(Ordering::Acquire)
    }

    /// Freezes it: a frozen parameter has no gradient, and optimisers do not change it; a frozen buffer is not updated
    /// by its layer, such as batch norm's running statistics. [`Param::set`] and [`Param::update`] still change the
    /// value.
    pub fn freeze(&self) {
        self.set_frozen(true);
    }

    /// Undoes [`Param::freeze`]. A buffer still has no gradient.
    pub fn unfreeze(&self) {
        self.set_frozen(false);
    }

    fn set_frozen(&self, frozen: bool) {
        let mut held = self.0.value.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.0.frozen.store(frozen, Ordering::Release);
        *held = leaf(&held, self.trainable(), &self.0.variable);
    }

    /// The number of times that the value has been overwritten.
    pub fn version(&self) -> u64 {
        self.0.variable.version.load(Ordering::Acquire)
    }

    /// The current value; a leaf of the tape if the parameter is trainable.
    pub fn tensor(&self) -> Tensor {
        self.0.value.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Lets `change` overwrite the value: in place when no other tensor and no tape holds the old value. After an error
    /// the old value stays, unless `change` has already written to it.
    pub fn update<R>(&self, change: impl FnOnce(&mut Buffer) -> Result<R>) -> Result<R> {
        let mut held = self.0.value.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let device = held.device().clone();
        held.buffer()?;
        // The value is taken out and a scalar put in its place, so that `buffer` can be the only handle to the data.
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
