//! One case: draws its operands, runs the device and the reference, compares.

use super::bound::compare;
use super::{Bound, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper_backend::{Buffer, DType, Device, HostData, RandomKey, Result, Rim, Shape, UnaryOp};

/// What a result should be, by definition, in f64.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The logical shape.
    pub shape: Shape,
    /// The elements, row-major, before they are rounded to the dtype.
    pub values: Vec<f64>,
    /// The dtype; floats that follow the operands' dtype say `None`.
    pub dtype: Option<DType>,
    /// Where terms cancel, the norm of the terms: the error is measured against it when it is the larger.
    pub scale: f64,
}

impl Expected {
    /// Floats of the operands' dtype.
    pub fn new(shape: impl Into<Shape>, values: Vec<f64>) -> Self {
        Self { shape: shape.into(), values, dtype: None, scale: 0.0 }
    }

    /// With the norm of the terms whose sum it is.
    pub fn against(mut self, terms: impl IntoIterator<Item = f64>) -> Self {
        self.scale = terms.into_iter().map(|t| t * t).sum::<f64>().sqrt();
        self
    }
}

/// A case under way.
pub struct Case<'a> {
    device: &'a Device,
    toy: &'a Device,
    /// The dtype of the case's operands.
    pub dtype: DType,
    key: RandomKey,
    drawn: u64,
    special: bool,
    pub(super) composed: bool,
    pub(super) digest: u64,
    pub(super) failures: Vec<String>,
}

impl<'a> Case<'a> {
    pub(super) fn new(device: &'a Device, toy: &'a Device, _op: &'static str, dtype: DType, key: RandomKey) -> Self {
        let failures = Vec::new();
        Self { device, toy, dtype, key, drawn: 0, special: false, composed: false, digest: 0, failures }
    }

    /// Lets NaN be expected.
    pub fn special(&mut self) {
        self.special = true;
    }

    /// The slow twin.
    pub fn toy(&self) -> &Device {
        self.toy
    }

    /// A stream of its own for the next thing drawn.
    pub fn key(&mut self) -> RandomKey {
        self.drawn += 1;
        self.key.index(self.drawn)
    }

    /// Uniform numbers in `low..high` of the case's dtype.
    pub fn uniform(&mut self, shape: impl Into<Shape>, low: f64, high: f64) -> Value {
        let (key, shape) = (self.key(), shape.into());
        let values: Vec<f64> = (0..shape.count() as u64).map(|i| low + (high - low) * key.uniform(i)).collect();
        Value::new(shape, &values, self.dtype)
    }

    /// Numbers whose sums do not cancel: uniform in −¼..1.
    pub fn biased(&mut self, shape: impl Into<Shape>) -> Value {
        self.uniform(shape, -0.25, 1.0)
    }

    /// i64 numbers in `low..high`.
    pub fn integers(&mut self, shape: impl Into<Shape>, low: i64, high: i64) -> Value {
        let (key, shape) = (self.key(), shape.into());
        let draw = |i| low + key.below(i, (high - low) as usize) as i64;
        let values = (0..shape.count() as u64).map(draw).collect();
        Value::integers(shape, values)
    }

    /// Compares `f` on the device with `f` on the slow twin.
    pub fn check(&mut self, bound: Bound, args: &[Value], f: impl Fn(&Device, &[Buffer]) -> Result<Vec<Buffer>>) {
        let exact = bound == Bound::Exact;
        let expected = args
            .iter()
            .map(|arg| arg.reference(self.toy, exact))
            .collect::<Result<Vec<_>>>()
            .and_then(|args| f(self.toy, &args))
            .and_then(|y| y.iter().map(|y| Ok((y.shape().clone(), self.toy.download(y)?, 0.0))).collect());
        match expected {
            Ok(expected) => self.compare(bound, args, expected, |device, args| f(device, args).map(Some)),
            Err(error) => self.failures.push(format!("the reference itself fails: {error}")),
        }
    }

    /// Compares `f` on the device, which may decline, with what it should be by definition.
    pub fn check_rim(
        &mut self,
        bound: Bound,
        args: &[Value],
        expected: Vec<Expected>,
        f: impl Fn(&Device, &[Buffer]) -> Rim<Vec<Buffer>>,
    ) {
        let expected = expected
            .into_iter()
            .map(|e| (e.shape, HostData::from_f64(&e.values, e.dtype.unwrap_or(self.dtype)), e.scale))
            .collect();
        self.compare(bound, args, expected, f);
    }

    /// Checks that `f` on the device gives an error.
    pub fn check_error(&mut self, args: &[Value], f: impl Fn(&Device, &[Buffer]) -> Rim<Vec<Buffer>>) {
        match self.run(args, f) {
            Ok((Some(_), _)) => self.failures.push("no error where one is due".into()),
            Ok((None, _)) => self.composed = true,
            Err(message) if message.starts_with("panicked") => self.failures.push(message),
            Err(_) => {}
        }
    }

    /// Runs `f` on the device: its results and its operands afterwards, or what went wrong.
    #[allow(clippy::type_complexity)] // spelled out once
    fn run(
        &self,
        args: &[Value],
        f: impl Fn(&Device, &[Buffer]) -> Rim<Vec<Buffer>>,
    ) -> Result<(Option<Vec<(Shape, HostData)>>, Vec<HostData>), String> {
        let work = || -> Result<_> {
            let args = args.iter().map(|arg| arg.place(self.device)).collect::<Result<Vec<_>>>()?;
            let download = |x: &Buffer| self.device.download(x);
            let results = match f(self.device, &args)? {
                None => None,
                Some(results) => {
                    Some(results.iter().map(|y| Ok((y.shape().clone(), download(y)?))).collect::<Result<Vec<_>>>()?)
                }
            };
            Ok((results, args.iter().map(download).collect::<Result<Vec<_>>>()?))
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(result) => result.map_err(|error| format!("error: {error}")),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("with no message");
                Err(format!("panicked: {text}"))
            }
        }
    }

    fn compare(
        &mut self,
        bound: Bound,
        args: &[Value],
        expected: Vec<(Shape, HostData, f64)>,
        f: impl Fn(&Device, &[Buffer]) -> Rim<Vec<Buffer>>,
    ) {
        let sizes = expected.iter().map(|(shape, ..)| shape.count()).chain(args.iter().map(|arg| arg.shape.count()));
        self.poison(&sizes.collect::<Vec<_>>());
        let (results, after) = match self.run(args, f) {
            Ok((Some(results), after)) => (results, after),
            Ok((None, _)) => {
                self.composed = true;
                return;
            }
            Err(message) => return self.failures.push(message),
        };
        if results.len() != expected.len() {
            return self.failures.push(format!("{} results where {} are due", results.len(), expected.len()));
        }
        for (i, ((shape, data), (due_shape, due, scale))) in results.iter().zip(expected).enumerate() {
            // The reference computed in f64 what follows the operands' dtype.
            let due = if bound != Bound::Exact && due.dtype() == DType::F64 {
                HostData::from_f64(&due.to_f64(), self.dtype)
            } else {
                due
            };
            if !self.special && due.to_f64().iter().any(|x| x.is_nan()) {
                self.failures.push(format!("result {i}: the reference is NaN"));
            }
            if *shape != due_shape {
                self.failures.push(format!("result {i}: expected shape {due_shape} but found {shape}"));
            } else if let Some(wrong) = compare(data, &due, scale, bound.of(due.dtype())) {
                self.failures.push(format!("result {i} {shape}: {wrong}"));
            }
            for x in data.to_f64() {
                self.digest = (self.digest.rotate_left(7) ^ x.to_bits()).wrapping_mul(0x100_0000_01B3);
            }
        }
        for (i, (arg, after)) in args.iter().zip(&after).enumerate() {
            if compare(after, &arg.data, 0.0, 0.0).is_some() {
                self.failures.push(format!("operand {i} was changed"));
            }
        }
    }

    /// Leaves NaN in freed memory of these sizes, held by uploads and by results.
    fn poison(&self, sizes: &[usize]) {
        let mut held = Vec::new();
        let dtype = if self.dtype.is_float() { self.dtype } else { DType::F32 };
        for &count in sizes {
            let shape = Shape::from([count]);
            for _ in 0..2 {
                let nan = self.device.upload(HostData::from_f64(&vec![f64::NAN; count], dtype), &shape);
                let more = nan.as_ref().ok().and_then(|nan| self.device.unary(UnaryOp::Neg, nan).ok());
                held.extend(nan.ok().into_iter().chain(more));
            }
        }
    }
}
