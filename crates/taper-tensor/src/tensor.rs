//! The tensor: a shared handle to a value on a device and, where gradients flow through it, to its node on the tape.

use crate::pending::{Pending, in_layer};
use crate::tape::{Node, Rule, grad_enabled};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use taper_backend::{Buffer, DType, Device, Element, Error, HostData, Result, Shape};

/// An n-dimensional array on a device. Clones share the value; no operation changes it in place.
///
/// The value of a convolution, a linear layer or a batch norm may stay pending until it is read, so that operations
/// that follow (an activation, a max pooling, an addition) can be fused with it into one kernel. This affects speed and
/// memory only.
#[derive(Clone)]
pub struct Tensor(Arc<Inner>);

struct Inner {
    shape: Shape,
    dtype: DType,
    device: Device,
    value: OnceLock<Buffer>,
    pending: Mutex<Option<Box<dyn Pending>>>,
    node: Option<Arc<Node>>,
}

/// The value that an operation passes to [`Tensor::record`].
pub(crate) enum Value {
    /// Already computed.
    Ready(Buffer),
    /// Computed when it is read; its shape and dtype are known.
    Pending(Shape, DType, Box<dyn Pending>),
}

impl From<Buffer> for Value {
    fn from(buffer: Buffer) -> Self {
        Self::Ready(buffer)
    }
}

impl Tensor {
    /// The logical shape.
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The size of dimension `axis`; −1 is the last. An error when `axis` is out of range.
    pub fn dim(&self, axis: isize) -> Result<usize> {
        Ok(self.shape()[self.shape().axis("dim", axis)?])
    }

    /// The sizes of all dimensions: `let [n, c, h, w] = x.dims()?;`. An error unless there are `N` of them.
    pub fn dims<const N: usize>(&self) -> Result<[usize; N]> {
        self.shape().dims().try_into().map_err(|_| {
            let rank = self.shape().rank();
            Error::shape("dims", format!("expected {N} dimensions, the shape {} has {rank}", self.shape()))
        })
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The device that the value is on.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// The number of elements.
    pub fn count(&self) -> usize {
        self.shape().count()
    }

    /// Whether gradients flow through this tensor: it is a leaf, or was computed from one (PyTorch's `requires_grad`).
    pub fn tracks_grad(&self) -> bool {
        self.0.node.is_some()
    }

    /// The elements in row-major order. An error unless `T` is the tensor's dtype.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        let data = self.device().download(self.buffer()?)?;
        let found = data.dtype();
        T::unwrap(data).ok_or_else(|| Error::dtype("to_vec", format!("asked for {}, the tensor is {found}", T::DTYPE)))
    }

    /// The elements in row-major order, in the tensor's own dtype.
    pub fn to_host(&self) -> Result<HostData> {
        self.device().download(self.buffer()?)
    }

    /// The only element, as f64. An error unless there is exactly one element.
    pub fn item(&self) -> Result<f64> {
        let several = || Error::shape("item", format!("expected exactly one element, the shape is {}", self.shape()));
        if self.count() != 1 {
            return Err(several());
        }
        self.to_host()?.to_f64().first().copied().ok_or_else(several)
    }

    /// The same value as a new leaf of the tape, so that a backward pass gives the gradient with respect to it.
    pub fn requires_grad(&self) -> Self {
        self.with_node(Some(Node::leaf(self.shape().clone(), None)))
    }

    /// The same value without its node on the tape: no gradient flows through it.
    pub fn detach(&self) -> Self {
        if self.0.node.is_none() { self.clone() } else { self.with_node(None) }
    }

    /// The value. A pending value is computed now.
    pub fn buffer(&self) -> Result<&Buffer> {
        if let Some(buffer) = self.0.value.get() {
            return Ok(buffer);
        }
        let mut pending = self.0.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(waiting) = pending.as_ref() {
            let (buffer, fused) = waiting.compute()?;
            if let (Some(node), Some(fused)) = (&self.0.node, fused) {
                node.set_fused(fused);
            }
            // The value is set only here, under the lock: it cannot have been set before.
            let _ = self.0.value.set(buffer);
            *pending = None;
        }
        self.0.value.get().ok_or_else(|| Error::Tape("a tensor's value was lost while it was being computed".into()))
    }

    /// A tensor that no gradient flows through.
    pub(crate) fn constant(buffer: Buffer, device: &Device) -> Self {
        Self::build(buffer.into(), device, None)
    }

    /// The result of the operation `op` on `inputs` (at least one), recorded on the tape if recording is on and an
    /// input tracks gradients. `rule` is called only then.
    pub(crate) fn record(
        op: &'static str,
        value: impl Into<Value>,
        inputs: &[&Tensor],
        rule: impl FnOnce() -> Rule,
    ) -> Self {
        let value = match value.into() {
            Value::Pending(shape, dtype, chain) => Value::Pending(shape, dtype, in_layer(chain)),
            ready => ready,
        };
        let node = (grad_enabled() && inputs.iter().any(|input| input.tracks_grad())).then(|| {
            let parents = inputs.iter().map(|input| input.0.node.clone()).collect();
            let shape = match &value {
                Value::Ready(buffer) => buffer.shape().clone(),
                Value::Pending(shape, ..) => shape.clone(),
            };
            Node::new(op, shape, parents, rule())
        });
        Self::build(value, inputs[0].device(), node)
    }

    /// The results of the operation `op` with several outputs (at least one), recorded as [`Tensor::record`] does. `rule`
    /// is [`Rule::Outputs`].
    pub(crate) fn record_outputs(
        op: &'static str,
        values: Vec<Buffer>,
        inputs: &[&Tensor],
        rule: impl FnOnce() -> Rule,
    ) -> Vec<Self> {
        let device = inputs[0].device();
        let operation = (grad_enabled() && inputs.iter().any(|input| input.tracks_grad())).then(|| {
            let parents = inputs.iter().map(|input| input.0.node.clone()).collect();
            Node::new(op, Shape::scalar(), parents, rule())
        });
        let count = values.len();
        let output = |(index, value): (usize, Buffer)| {
            let node = operation.clone().map(|operation| {
                Node::new(op, value.shape().clone(), vec![Some(operation)], Rule::Output { index, count })
            });
            Self::build(value.into(), device, node)
        };
        values.into_iter().enumerate().map(output).collect()
    }

    /// This tensor's pending chain, extended by `join`; `None` if the value is not pending or the chain cannot be
    /// extended.
    pub(crate) fn extend_pending(
        &self,
        join: impl FnOnce(&dyn Pending) -> Option<Box<dyn Pending>>,
    ) -> Option<Box<dyn Pending>> {
        let pending = self.0.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        pending.as_deref().and_then(join)
    }

    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.0.node.as_ref()
    }

    /// The same value with another node, or without one. A pending value is not computed: the result is an alias of
    /// this tensor, or of the tensor that this one is an alias of.
    pub(crate) fn with_node(&self, node: Option<Arc<Node>>) -> Self {
        let value = match self.0.value.get() {
            Some(buffer) => Value::Ready(buffer.clone()),
            None => {
                let pending = self.0.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                let origin = pending.as_deref().and_then(Pending::origin).unwrap_or(self).clone();
                Value::Pending(self.shape().clone(), self.dtype(), Box::new(crate::pending::Alias(origin)))
            }
        };
        Self::build(value, self.device(), node)
    }

    /// The buffer: moved out when this is the only handle to the tensor, cloned (sharing the data) otherwise.
    pub(crate) fn into_buffer(self) -> Result<Buffer> {
        self.buffer()?;
        match Arc::try_unwrap(self.0) {
            Ok(inner) => {
                inner.value.into_inner().ok_or_else(|| Error::Tape("a tensor lost its value while it was read".into()))
            }
            Err(shared) => Self(shared).buffer().cloned(),
        }
    }

    fn build(value: Value, device: &Device, node: Option<Arc<Node>>) -> Self {
        let (shape, dtype, value, pending) = match value {
            Value::Ready(buffer) => (buffer.shape().clone(), buffer.dtype(), OnceLock::from(buffer), None),
            Value::Pending(shape, dtype, pending) => (shape, dtype, OnceLock::new(), Some(pending)),
        };
        Self(Arc::new(Inner { shape, dtype, device: device.clone(), value, pending: Mutex::new(pending), node }))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {} on {}", self.dtype(), self.shape(), self.device())?;
        if self.count() <= 16
            && let Ok(data) = self.to_host()
        {
            write!(f, " {:?}", data.to_f64())?;
        }
        f.write_str(")")
    }
}
