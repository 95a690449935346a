//! [`CandleBackend`], the backend contract implemented over candle. This file converts buffers to candle's tensors and
//! back, and checks arguments; the computations are in the other files.

use crate::data::{CandleResult, buffer, candle_dtype, full, to_device, to_host};
use crate::error::device_error;
use crate::index::Fault;
use crate::kernels::{adam, finite, max_pool, sgd};
use crate::{conv, elementwise, index, matmul, pool, reduce, views};
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use taper_backend::{
    AdamSpec, Backend, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Distribution, Error, FusedOp, FusedOutput,
    HostData, PadAmount, Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, SgdSpec, Shape, SliceRange, UnaryOp,
};

/// A device of the backend contract, computed by candle: its CPU device, or an NVIDIA card. Clones are the same device.
#[derive(Clone)]
pub struct CandleBackend(Arc<State>);

struct State {
    name: String,
    device: Device,
    /// Indices that may have been out of range; the next download reads their flags.
    faults: Mutex<Vec<Fault>>,
    /// The tensors 0, 1, … n − 1 (and reversed, if the key says true) on the device, by n: uploaded once each.
    positions: Mutex<HashMap<(usize, bool), Tensor>>,
    uploads: AtomicU64,
    downloads: AtomicU64,
}

/// The number of transfers between host and device since the backend was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfers {
    /// Transfers to the device.
    pub uploads: u64,
    /// Transfers to the host; each makes the host wait for the device.
    pub downloads: u64,
}

impl CandleBackend {
    /// Candle's CPU device, named `candle`. It is slow: its purpose is to run all code but the CUDA kernels on any
    /// machine.
    pub fn cpu() -> Self {
        Self::over("candle".to_string(), Device::Cpu)
    }

    pub(crate) fn over(name: String, device: Device) -> Self {
        Self(Arc::new(State {
            name,
            device,
            faults: Mutex::default(),
            positions: Mutex::default(),
            uploads: AtomicU64::new(0),
            downloads: AtomicU64::new(0),
        }))
    }

    /// The number of transfers so far.
    pub fn transfers(&self) -> Transfers {
        Transfers {
            uploads: self.0.uploads.load(Ordering::Relaxed),
            downloads: self.0.downloads.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count_download(&self) {
        self.0.downloads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// 0, 1, … `count` − 1 as i64.
    pub(crate) fn positions(&self, count: usize) -> CandleResult<Tensor> {
        self.counted((count, false))
    }

    /// `count` − 1, … 1, 0 as i64.
    pub(crate) fn reversed(&self, count: usize) -> CandleResult<Tensor> {
        self.counted((count, true))
    }

    fn counted(&self, key: (usize, bool)) -> CandleResult<Tensor> {
        let mut kept = self.0.positions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(&key) {
            return Ok(found.clone());
        }
        let count = 0..key.0 as i64;
        let values = if key.1 { count.rev().collect() } else { count.collect() };
        let made = self.upload_counted(&HostData::I64(values), &Shape::from([key.0]))?;
        kept.insert(key, made.clone());
        Ok(made)
    }

    fn upload_counted(&self, data: &HostData, shape: &Shape) -> CandleResult<Tensor> {
        self.0.uploads.fetch_add(1, Ordering::Relaxed);
        to_device(data, shape, &self.0.device)
    }

    /// The candle tensor that `x` holds.
    ///
    /// # Errors
    /// A buffer of another backend.
    pub(crate) fn tensor<'a>(&self, x: &'a Buffer) -> Result<&'a Tensor> {
        x.data::<Tensor>()
            .ok_or_else(|| Error::Device(format!("{}: the buffer belongs to another backend", self.name())))
    }

    /// Candle's error as the contract's; `asked` is the size in bytes of the result, if known.
    fn failed(&self, op: &'static str, asked: Option<usize>, error: candle_core::Error) -> Error {
        device_error(self.name(), &self.0.device, op, asked, error)
    }

    /// The result of `op` as a buffer.
    pub(crate) fn made(
        &self,
        op: &'static str,
        shape: &Shape,
        dtype: DType,
        result: CandleResult<Tensor>,
    ) -> Result<Buffer> {
        let bytes = shape.count().checked_mul(dtype.size());
        result.and_then(buffer).map_err(|error| self.failed(op, bytes, error))
    }

    /// The result of `f` on the tensor of `x`, as a buffer; `x`'s size stands for the result's in an out-of-memory
    /// error.
    pub(crate) fn like(
        &self,
        op: &'static str,
        x: &Buffer,
        f: impl FnOnce(&Tensor) -> CandleResult<Tensor>,
    ) -> Result<Buffer> {
        self.made(op, x.shape(), x.dtype(), f(self.tensor(x)?))
    }

    /// Several results of `op` as tensors; `x` is as large as the largest of them, for an out-of-memory error.
    pub(crate) fn several<T>(&self, op: &'static str, x: &Buffer, result: CandleResult<T>) -> Result<T> {
        result.map_err(|error| self.failed(op, x.count().checked_mul(x.dtype().size()), error))
    }

    fn unsupported(&self, op: &'static str, dtype: DType) -> Error {
        Error::Unsupported { op, dtype, backend: self.name().to_string() }
    }

    /// # Errors
    /// Unless `x` is a float, or an i64 and `integers` is true.
    fn number(&self, op: &'static str, x: &Buffer, integers: bool) -> Result<()> {
        let fits = x.dtype().is_float() || integers && x.dtype() == DType::I64;
        if fits { Ok(()) } else { Err(self.unsupported(op, x.dtype())) }
    }

    /// `index` with out-of-range elements for dimension `axis` of `shape` replaced by 0. They are reported by the next
    /// download, or here if many checks are pending.
    pub(crate) fn index(&self, op: &'static str, index: &Buffer, shape: &Shape, axis: usize) -> Result<Tensor> {
        let size = shape[axis];
        let checked = self.in_range(self.tensor(index)?, size, || {
            let shape = shape.clone();
            let detail = format!(
                "an index is out of range for dimension {axis} of {shape}: each must be from 0 to {}",
                size as i64 - 1
            );
            Error::argument(op, detail)
        });
        if self.faults_pending() {
            self.check_faults()?;
        }
        self.several(op, index, checked)
    }

    fn check_faults(&self) -> Result<()> {
        match self.fault() {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(error),
            Err(error) => Err(self.failed("download", None, error)),
        }
    }
}

impl fmt::Debug for CandleBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CandleBackend({})", self.0.name)
    }
}

impl Backend for CandleBackend {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn supports(&self, _dtype: DType) -> bool {
        true
    }

    // ---- memory ----

    fn upload(&self, data: &HostData, shape: &Shape) -> Result<Buffer> {
        let dtype = data.dtype();
        self.made("upload", shape, dtype, self.upload_counted(data, shape))
    }

    fn download(&self, x: &Buffer) -> Result<HostData> {
        let tensor = self.tensor(x)?;
        self.count_download();
        let data = to_host(tensor).map_err(|error| self.failed("download", None, error))?;
        self.check_faults()?;
        Ok(data)
    }

    fn fill(&self, shape: &Shape, dtype: DType, value: f64) -> Result<Buffer> {
        self.made("fill", shape, dtype, full(value, shape, candle_dtype(dtype), &self.0.device))
    }

    fn random(&self, shape: &Shape, dtype: DType, distribution: Distribution, key: RandomKey) -> Result<Buffer> {
        if !dtype.is_float() {
            return Err(self.unsupported("random", dtype));
        }
        // Drawn on the host: this is used for initial weights, once per model.
        let sampler = distribution.sampler(dtype, key)?;
        let values: Vec<f64> = (0..shape.count() as u64).map(|i| sampler.draw(i)).collect();
        self.upload(&HostData::from_f64(&values, dtype), shape)
    }

    fn assign(&self, target: &mut Buffer, source: &Buffer) -> Result<()> {
        // Always a copy into new memory: candle does not tell whether a tensor's storage is shared, and a mere handle
        // of a view would keep the whole storage alive.
        *target = self.like("assign", source, Tensor::copy)?;
        Ok(())
    }

    fn cast(&self, x: &Buffer, dtype: DType) -> Result<Buffer> {
        self.made("cast", x.shape(), dtype, elementwise::cast(self.tensor(x)?, dtype))
    }

    // ---- views ----

    fn reshape(&self, x: &Buffer, shape: &Shape) -> Result<Buffer> {
        self.like("reshape", x, |x| x.reshape(shape.to_vec()))
    }

    fn permute(&self, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
        self.like("permute", x, |x| x.permute(axes))
    }

    fn broadcast(&self, x: &Buffer, shape: &Shape) -> Result<Buffer> {
        self.like("broadcast", x, |x| views::broadcast(x, shape))
    }

    fn slice(&self, x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer> {
        self.like("slice", x, |x| views::slice(x, ranges))
    }

    fn pad(&self, x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer> {
        let shape: Shape =
            x.shape().iter().zip(amounts).map(|(&size, amount)| amount.padded(size)).collect::<Vec<_>>().into();
        self.made("pad", &shape, x.dtype(), views::pad(self.tensor(x)?, amounts, value))
    }

    fn concat(&self, parts: &[&Buffer], axis: usize) -> Result<Buffer> {
        let tensors = parts.iter().map(|part| self.tensor(part)).collect::<Result<Vec<_>>>()?;
        let mut shape = parts[0].shape().to_vec();
        shape[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
        self.made("concat", &shape.into(), parts[0].dtype(), views::concat(&tensors, axis))
    }

    // ---- element by element ----

    fn unary(&self, op: UnaryOp, x: &Buffer) -> Result<Buffer> {
        self.number("unary", x, matches!(op, UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign))?;
        self.like("unary", x, |x| elementwise::unary(op, x))
    }

    fn binary(&self, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        self.number("binary", a, op != BinaryOp::Pow)?;
        let shape = a.shape().broadcast_with(b.shape(), "binary")?;
        self.made("binary", &shape, a.dtype(), elementwise::binary(op, self.tensor(a)?, self.tensor(b)?))
    }

    fn binary_scalar(&self, op: BinaryOp, x: &Buffer, number: f64, number_first: bool) -> Result<Buffer> {
        self.number("binary_scalar", x, op != BinaryOp::Pow)?;
        if x.dtype().size() == 2 {
            let y = self.binary_scalar(op, &self.cast(x, DType::F32)?, number, number_first)?;
            return self.cast(&y, x.dtype());
        }
        if let Some((factor, summand)) = elementwise::line(op, self.tensor(x)?, number, number_first) {
            return self.like("binary_scalar", x, |x| x.affine(factor, summand));
        }
        let number = self.fill(&Shape::scalar(), x.dtype(), number)?;
        if number_first { self.binary(op, &number, x) } else { self.binary(op, x, &number) }
    }

    fn compare(&self, op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        let shape = a.shape().broadcast_with(b.shape(), "compare")?;
        self.made("compare", &shape, DType::U8, elementwise::compare(op, self.tensor(a)?, self.tensor(b)?))
    }

    fn select(&self, condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        let shape = condition.shape().broadcast_with(a.shape(), "select")?.broadcast_with(b.shape(), "select")?;
        let (condition, x, y) = (self.tensor(condition)?, self.tensor(a)?, self.tensor(b)?);
        self.made("select", &shape, a.dtype(), elementwise::select(condition, x, y))
    }

    // ---- reductions ----

    fn reduce(&self, op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
        self.number("reduce", x, true)?;
        if op != ReduceOp::Sum && axes.iter().any(|&axis| x.shape()[axis] == 0) {
            return Err(Error::argument(
                "reduce",
                format!("a maximum or minimum over nothing, of shape {}", x.shape()),
            ));
        }
        self.like("reduce", x, |x| reduce::reduce(op, x, axes))
    }

    fn argmax(&self, x: &Buffer, axis: usize) -> Result<Buffer> {
        if x.shape()[axis] == 0 {
            return Err(Error::argument("argmax", format!("dimension {axis} of {} is empty", x.shape())));
        }
        if x.count() == 0 {
            let mut shape = x.shape().to_vec();
            shape[axis] = 1;
            return self.fill(&shape.into(), DType::I64, 0.0);
        }
        self.made("argmax", x.shape(), DType::I64, self.argmax_of(self.tensor(x)?, axis))
    }

    // ---- products ----

    fn matmul(&self, a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer> {
        self.number("matmul", a, false)?;
        let rank = a.shape().rank();
        let mut shape = a.shape().to_vec();
        shape[rank - 2] = a.shape()[if transpose_a { rank - 1 } else { rank - 2 }];
        shape[rank - 1] = b.shape()[if transpose_b { rank - 2 } else { rank - 1 }];
        let shape = Shape::from(shape);
        if a.count() == 0 || b.count() == 0 {
            return self.fill(&shape, a.dtype(), 0.0);
        }
        let product = matmul::matmul(self.tensor(a)?, self.tensor(b)?, transpose_a, transpose_b);
        self.made("matmul", &shape, a.dtype(), product)
    }

    // ---- by index ----

    fn gather(&self, x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer> {
        let checked = self.index("gather", index, x.shape(), axis)?;
        if index.count() == 0 || x.count() == 0 {
            return self.fill(index.shape(), x.dtype(), 0.0);
        }
        self.made("gather", index.shape(), x.dtype(), index::gather(self.tensor(x)?, axis, &checked))
    }

    fn scatter_add(&self, x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer> {
        self.number("scatter_add", x, true)?;
        let checked = self.index("scatter_add", index, x.shape(), axis)?;
        if index.count() == 0 || x.count() == 0 {
            return Ok(x.clone());
        }
        let source = self.tensor(source)?;
        self.like("scatter_add", x, |x| index::scatter_add(x, axis, &checked, source))
    }

    // ---- windows ----

    fn conv2d(&self, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer> {
        self.number("conv2d", x, false)?;
        let y = spec.output_shape(x.shape(), weight.shape())?;
        self.made("conv2d", &y, x.dtype(), conv::conv2d(self.tensor(x)?, self.tensor(weight)?, spec, &y))
    }

    fn conv2d_input_grad(&self, g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer> {
        self.number("conv2d_input_grad", g, false)?;
        let x = self.conv2d_input_grad_of(self.tensor(g)?, self.tensor(weight)?, spec, x_shape);
        self.made("conv2d_input_grad", x_shape, g.dtype(), x)
    }

    fn conv2d_weight_grad(&self, x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer> {
        self.number("conv2d_weight_grad", x, false)?;
        let weight = conv::weight_grad(self.tensor(x)?, self.tensor(g)?, spec, weight_shape);
        self.made("conv2d_weight_grad", weight_shape, x.dtype(), weight)
    }

    fn max_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)> {
        const OP: &str = "max_pool2d";
        self.number(OP, x, false)?;
        let shape = spec.output_shape(OP, x.shape())?;
        if shape.count() == 0 {
            return Ok((self.fill(&shape, x.dtype(), 0.0)?, self.fill(&shape, DType::I64, 0.0)?));
        }
        let (y, index) = self.several(OP, x, max_pool::forward(self.tensor(x)?, spec))?;
        Ok((self.made(OP, &shape, x.dtype(), Ok(y))?, self.made(OP, &shape, DType::I64, Ok(index))?))
    }

    fn avg_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer> {
        self.number("avg_pool2d", x, false)?;
        let shape = spec.output_shape("avg_pool2d", x.shape())?;
        self.made("avg_pool2d", &shape, x.dtype(), pool::avg_pool2d(self.tensor(x)?, spec, &shape))
    }

    fn avg_pool2d_grad(&self, g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer> {
        self.number("avg_pool2d_grad", g, false)?;
        self.made("avg_pool2d_grad", x_shape, g.dtype(), pool::avg_pool2d_grad(self.tensor(g)?, spec, x_shape))
    }

    // ---- the rim: the contract's optional methods ----

    fn fused(&self, op: &FusedOp<'_>) -> Rim<FusedOutput> {
        self.fused_of(op)
    }

    fn fused_grad(&self, op: &FusedOp<'_>, g: &Buffer, saved: &Saved, needs: &[bool]) -> Rim<Vec<Option<Buffer>>> {
        self.fused_grad_of(op, g, saved, needs)
    }

    fn all_finite(&self, buffers: &[&Buffer]) -> Rim<Buffer> {
        let tensors = buffers.iter().map(|x| self.tensor(x)).collect::<Result<Vec<_>>>()?;
        let full: Vec<&Tensor> = tensors.into_iter().filter(|x| x.elem_count() > 0).collect();
        if full.is_empty() {
            return self.fill(&Shape::scalar(), DType::U8, 1.0).map(Some);
        }
        self.made("all_finite", &Shape::scalar(), DType::U8, finite::all_finite(&full)).map(Some)
    }

    fn adam_step(
        &self,
        p: &mut Buffer,
        m: &mut Buffer,
        v: &mut Buffer,
        g: &Buffer,
        taken: &Buffer,
        apply: Option<&Buffer>,
        spec: &AdamSpec,
    ) -> Rim<()> {
        const OP: &str = "adam_step";
        if p.count() == 0 {
            return Ok(Some(()));
        }
        let apply = apply.map(|flag| self.tensor(flag)).transpose()?;
        let counted = (self.tensor(taken)?, apply);
        let result = adam::step([self.tensor(p)?, self.tensor(m)?, self.tensor(v)?], self.tensor(g)?, counted, spec);
        let after = self.several(OP, p, result)?;
        for (target, value) in [&mut *p, m, v].into_iter().zip(after) {
            *target = self.made(OP, target.shape(), target.dtype(), Ok(value))?;
        }
        Ok(Some(()))
    }

    fn sgd_step(
        &self,
        p: &mut Buffer,
        velocity: Option<&mut Buffer>,
        g: &Buffer,
        taken: &Buffer,
        apply: Option<&Buffer>,
        spec: &SgdSpec,
    ) -> Rim<()> {
        const OP: &str = "sgd_step";
        if p.count() == 0 {
            return Ok(Some(()));
        }
        let apply = apply.map(|flag| self.tensor(flag)).transpose()?;
        let before = velocity.as_ref().map(|velocity| self.tensor(velocity)).transpose()?;
        let result = sgd::step(self.tensor(p)?, before, self.tensor(g)?, (self.tensor(taken)?, apply), spec);
        let (after, velocity_after) = self.several(OP, p, result)?;
        *p = self.made(OP, p.shape(), p.dtype(), Ok(after))?;
        if let (Some(velocity), Some(value)) = (velocity, velocity_after) {
            *velocity = self.made(OP, velocity.shape(), velocity.dtype(), Ok(value))?;
        }
        Ok(Some(()))
    }
}
