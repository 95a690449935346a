//! A device of shapes alone, as PyTorch's `meta`: every operation gives a buffer of the shape and dtype that it would have,
//! and no values.
//!
//! Models are built on it without memory or time, and a forward pass over it, [observed](crate::observed) or
//! [profiled](crate::profile), tells the shape of every output and what it would cost. Fused operations are computed, so that
//! the calls are those of a backend with kernels for all of them. Gradients work too. What reads a value is an error.

use crate::{
    AdamSpec, Backend, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Device, Distribution, Error, FusedOp,
    FusedOutput, HostData, PadAmount, Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, SgdSpec, Shape, SliceRange,
    UnaryOp,
};

/// The backend of shapes alone.
///
/// ```
/// use taper_backend::meta::Meta;
/// use taper_backend::{Backend, DType, Shape};
/// let x = Meta.fill(&Shape::from([60_000, 3, 224, 224]), DType::F32, 0.0).unwrap(); // 36 GB elsewhere
/// assert!(Meta.download(&x).unwrap_err().to_string().contains("shapes and no values"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Meta;

impl Meta {
    /// A new device of shapes alone.
    pub fn device() -> Device {
        Device::new(Self)
    }
}

fn new(shape: impl Into<Shape>, dtype: DType) -> Buffer {
    Buffer::new(shape.into(), dtype, ())
}

impl Backend for Meta {
    fn name(&self) -> &str {
        "meta"
    }

    fn supports(&self, _dtype: DType) -> bool {
        true
    }

    fn holds_values(&self) -> bool {
        false
    }

    fn upload(&self, data: &HostData, shape: &Shape) -> Result<Buffer> {
        Ok(new(shape, data.dtype()))
    }

    fn download(&self, x: &Buffer) -> Result<HostData> {
        Err(Error::Device(format!(
            "meta: this device knows shapes and no values: there is nothing to read in {x:?}; compute on another device"
        )))
    }

    fn fill(&self, shape: &Shape, dtype: DType, _value: f64) -> Result<Buffer> {
        Ok(new(shape, dtype))
    }

    fn random(&self, shape: &Shape, dtype: DType, _distribution: Distribution, _key: RandomKey) -> Result<Buffer> {
        Ok(new(shape, dtype))
    }

    fn assign(&self, _target: &mut Buffer, _source: &Buffer) -> Result<()> {
        Ok(())
    }

    fn cast(&self, x: &Buffer, dtype: DType) -> Result<Buffer> {
        Ok(new(x.shape(), dtype))
    }

    fn reshape(&self, x: &Buffer, shape: &Shape) -> Result<Buffer> {
        Ok(new(shape, x.dtype()))
    }

    fn permute(&self, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
        Ok(new(axes.iter().map(|&axis| x.shape()[axis]).collect::<Vec<_>>(), x.dtype()))
    }

    fn broadcast(&self, x: &Buffer, shape: &Shape) -> Result<Buffer> {
        Ok(new(shape, x.dtype()))
    }

    fn slice(&self, x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer> {
        Ok(new(ranges.iter().map(SliceRange::count).collect::<Vec<_>>(), x.dtype()))
    }

    fn pad(&self, x: &Buffer, amounts: &[PadAmount], _value: f64) -> Result<Buffer> {
        let padded = x.shape().iter().zip(amounts).map(|(&size, amount)| amount.padded(size));
        Ok(new(padded.collect::<Vec<_>>(), x.dtype()))
    }

    fn concat(&self, parts: &[&Buffer], axis: usize) -> Result<Buffer> {
        let mut dims = parts[0].shape().to_vec();
        dims[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
        Ok(new(dims, parts[0].dtype()))
    }

    fn unary(&self, _op: UnaryOp, x: &Buffer) -> Result<Buffer> {
        Ok(x.clone())
    }

    fn binary(&self, _op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        Ok(new(a.shape().broadcast_with(b.shape(), "binary")?, a.dtype()))
    }

    fn binary_scalar(&self, _op: BinaryOp, x: &Buffer, _number: f64, _number_first: bool) -> Result<Buffer> {
        Ok(x.clone())
    }

    fn compare(&self, _op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        Ok(new(a.shape().broadcast_with(b.shape(), "compare")?, DType::U8))
    }

    fn compare_scalar(&self, _op: CompareOp, x: &Buffer, _number: f64) -> Result<Buffer> {
        Ok(new(x.shape(), DType::U8))
    }

    fn select(&self, condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        let values = a.shape().broadcast_with(b.shape(), "select")?;
        Ok(new(condition.shape().broadcast_with(&values, "select")?, a.dtype()))
    }

    fn reduce(&self, _op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
        Ok(new(x.shape().reduced(axes), x.dtype()))
    }

    fn argmax(&self, x: &Buffer, axis: usize) -> Result<Buffer> {
        Ok(new(x.shape().reduced(&[axis]), DType::I64))
    }

    fn argsort(&self, x: &Buffer, _axis: usize, _descending: bool) -> Result<Buffer> {
        Ok(new(x.shape(), DType::I64))
    }

    fn matmul(&self, a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer> {
        let mut dims = a.shape().to_vec();
        let rank = dims.len();
        dims[rank - 2] = a.shape()[rank - if transpose_a { 1 } else { 2 }];
        dims[rank - 1] = b.shape()[rank - if transpose_b { 2 } else { 1 }];
        Ok(new(dims, a.dtype()))
    }

    fn gather(&self, x: &Buffer, _axis: usize, index: &Buffer) -> Result<Buffer> {
        Ok(new(index.shape(), x.dtype()))
    }

    fn scatter_add(&self, x: &Buffer, _axis: usize, _index: &Buffer, _source: &Buffer) -> Result<Buffer> {
        Ok(x.clone())
    }

    fn conv2d(&self, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer> {
        Ok(new(spec.output_shape(x.shape(), weight.shape())?, x.dtype()))
    }

    fn conv2d_input_grad(&self, g: &Buffer, _weight: &Buffer, _spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer> {
        Ok(new(x_shape, g.dtype()))
    }

    fn conv2d_weight_grad(&self, x: &Buffer, _g: &Buffer, _spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer> {
        Ok(new(weight_shape, x.dtype()))
    }

    fn max_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)> {
        let shape = spec.output_shape("max_pool2d", x.shape())?;
        Ok((new(&shape, x.dtype()), new(shape, DType::I64)))
    }

    fn avg_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer> {
        Ok(new(spec.output_shape("avg_pool2d", x.shape())?, x.dtype()))
    }

    fn avg_pool2d_grad(&self, g: &Buffer, _spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer> {
        Ok(new(x_shape, g.dtype()))
    }

    /// `None` for an operation whose shapes are not written here: it is composed of others then.
    fn fused(&self, op: &FusedOp<'_>) -> Rim<FusedOutput> {
        Ok(match *op {
            FusedOp::Activation { x, .. }
            | FusedOp::Softmax { x, .. }
            | FusedOp::LayerNorm { x, .. }
            | FusedOp::RmsNorm { x, .. }
            | FusedOp::BatchNormBlock { x, .. }
            | FusedOp::Dropout { x, .. } => Some(x.clone().into()),
            FusedOp::Linear { x, weight, .. } => Some(new([x.shape()[0], weight.shape()[0]], x.dtype()).into()),
            FusedOp::Conv2dBlock { x, weight, spec, pool, .. } => {
                let y = spec.output_shape(x.shape(), weight.shape())?;
                let y = pool.map_or(Ok(y.clone()), |pool| pool.output_shape("max_pool2d", &y))?;
                Some(new(y, x.dtype()).into())
            }
            FusedOp::MaxPool2d { x, spec } => Some(new(spec.output_shape("max_pool2d", x.shape())?, x.dtype()).into()),
            FusedOp::CrossEntropy { logits, .. } => Some(new(Shape::scalar(), logits.dtype()).into()),
            FusedOp::Embedding { weight, index } => {
                Some(new([&index.shape()[..], &weight.shape()[1..]].concat(), weight.dtype()).into())
            }
            FusedOp::BatchNormStats { x, .. } => {
                let channels = new([x.shape()[1]], x.dtype());
                let more = vec![channels.clone()];
                Some(FusedOutput { y: channels, more, saved: Saved::nothing() })
            }
            FusedOp::Recurrent { x, weight_hh, cell, .. } => {
                let rows = x.shape()[0] + cell.states();
                Some(new([rows, x.shape()[1], weight_hh.shape()[1]], x.dtype()).into())
            }
            // Batch norm is computed in its two halves. An operation that is added later is composed of others, until its
            // shapes are written here.
            _ => None,
        })
    }

    fn fused_grad(&self, op: &FusedOp<'_>, _g: &Buffer, _saved: &Saved, needs: &[bool]) -> Rim<Vec<Option<Buffer>>> {
        let of = |(operand, &need): (&Buffer, &bool)| need.then(|| operand.clone());
        Ok(Some(op.operands().into_iter().zip(needs).map(of).collect()))
    }

    fn assign_where(&self, _target: &mut Buffer, _source: &Buffer, _apply: &Buffer) -> Rim<()> {
        Ok(Some(()))
    }

    fn norm(&self, _x: &Buffer) -> Rim<Buffer> {
        Ok(Some(new(Shape::scalar(), DType::F64)))
    }

    fn all_finite(&self, _buffers: &[&Buffer]) -> Rim<Buffer> {
        Ok(Some(new(Shape::scalar(), DType::U8)))
    }

    fn adam_step(
        &self,
        _p: &mut Buffer,
        _m: &mut Buffer,
        _v: &mut Buffer,
        _g: &Buffer,
        _taken: &Buffer,
        _apply: Option<&Buffer>,
        _spec: &AdamSpec,
    ) -> Rim<()> {
        Ok(Some(()))
    }

    fn sgd_step(
        &self,
        _p: &mut Buffer,
        _velocity: Option<&mut Buffer>,
        _g: &Buffer,
        _taken: &Buffer,
        _apply: Option<&Buffer>,
        _spec: &SgdSpec,
    ) -> Rim<()> {
        Ok(Some(()))
    }
}
