//! One test case: draws its operands, runs the devices and the reference, and compares the results.

use super::bound::compare;
use super::{Bound, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use taper_backend::{Buffer, DType, Device, Error, HostData, RandomKey, Result, Rim, Shape, UnaryOp};

/// The expected result by definition, computed in f64.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The logical shape.
    pub shape: Shape,
    /// The elements, row-major, before they are rounded to the dtype.
    pub values: Vec<f64>,
    /// The dtype of the result; `None` for that of the operands.
    pub dtype: Option<DType>,
    /// The norm of the terms of which the result is a sum, if these cancel: the error is measured relative to it if it
    /// is larger than the norm of the result. 0 otherwise.
    pub scale: f64,
}

impl Expected {
    /// An expected result of the operands' dtype.
    pub fn new(shape: impl Into<Shape>, values: Vec<f64>) -> Self {
        Self { shape: shape.into(), values, dtype: None, scale: 0.0 }
    }

    /// Sets the scale to the norm of `terms`, of which the result is a sum.
    pub fn against(mut self, terms: impl IntoIterator<Item = f64>) -> Self {
        self.scale = terms.into_iter().map(|t| t * t).sum::<f64>().sqrt();
        self
    }
}

/// The outcome of a case on one device.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether the device declined the method, which is then composed of other methods.
    pub composed: bool,
    /// Whether the device does not support the method for the dtype, f16 or bf16.
    pub unsupported: bool,
    /// A hash of all bits of the device's results.
    pub digest: u64,
    /// The time that the device took.
    pub time: Duration,
    /// The violations of the contract.
    pub failures: Vec<String>,
}

/// A running case. It runs on several devices at once, so that the slow reference runs once.
pub struct Case<'a> {
    devices: &'a [Device],
    toy: &'a Device,
    /// The dtype of the case's operands.
    pub dtype: DType,
    key: RandomKey,
    drawn: u64,
    special: bool,
    pub(super) outcomes: Vec<Outcome>,
}

impl<'a> Case<'a> {
    pub(super) fn new(devices: &'a [Device], toy: &'a Device, dtype: DType, key: RandomKey) -> Self {
        let outcomes = devices.iter().map(|_| Outcome::default()).collect();
        Self { devices, toy, dtype, key, drawn: 0, special: false, outcomes }
    }

    /// Fails the case on all devices, because something is wrong with the case itself.
    pub fn fail(&mut self, message: impl Into<String>) {
        let message = message.into();
        self.outcomes.iter_mut().for_each(|outcome| outcome.failures.push(message.clone()));
    }

    /// Allows NaN in the expected results; otherwise a NaN in the reference fails the case.
    pub fn special(&mut self) {
        self.special = true;
    }

    /// The slow reference device.
    pub fn toy(&self) -> &Device {
        self.toy
    }

    /// The next random stream of the case.
    pub fn key(&mut self) -> RandomKey {
        self.drawn += 1;
        self.key.index(self.drawn)
    }

    /// Uniform random numbers in `low..high` of the case's dtype.
    pub fn uniform(&mut self, shape: impl Into<Shape>, low: f64, high: f64) -> Value {
        let (key, shape) = (self.key(), shape.into());
        let values: Vec<f64> = (0..shape.count() as u64).map(|i| low + (high - low) * key.uniform(i)).collect();
        Value::new(shape, &values, self.dtype)
    }

    /// Uniform random numbers in −¼..1, whose sums do not cancel.
    pub fn biased(&mut self, shape: impl Into<Shape>) -> Value {
        self.uniform(shape, -0.25, 1.0)
    }

    /// Random i64 numbers in `low..high`.
    pub fn integers(&mut self, shape: impl Into<Shape>, low: i64, high: i64) -> Value {
        let (key, shape) = (self.key(), shape.into());
        let draw = |i| low + key.below(i, (high - low) as usize) as i64;
        let values = (0..shape.count() as u64).map(draw).collect();
        Value::integers(shape, values)
    }

    /// Compares `f` on the devices with `f` on the reference device.
    pub fn check(&mut self, bound: Bound, args: &[Value], f: impl Fn(&Device, &[Buffer]) -> Result<Vec<Buffer>>) {
        let exact = bound == Bound::Exact;
        // The reference computes in f64; results of the operands' dtype are rounded to it here.
        let round = |due: HostData| {
            let in_f64 = !exact && due.dtype() == DType::F64;
            if in_f64 { HostData::from_f64(&due.to_f64(), self.dtype) } else { due }
        };
        let expected = args
            .iter()
            .map(|arg| arg.reference(self.toy, exact))
            .collect::<Result<Vec<_>>>()
            .and_then(|args| f(self.toy, &args))
            .and_then(|y| y.iter().map(|y| Ok((y.shape().clone(), round(self.toy.download(y)?), 0.0))).collect());
        match expected {
            Ok(expected) => self.compare(bound, args, expected, |device, args| f(device, args).map(Some)),
            Err(error) => self.fail(format!("the reference itself fails: {error}")),
        }
    }

    /// Compares `f`, an optional method that a device may decline, with the expected results by definition.
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

    /// Checks a property of each device, without a reference; the error of `f` says how it is violated.
    pub fn check_values(&mut self, f: impl Fn(&Device) -> Result<()>) {
        for (device, outcome) in self.devices.iter().zip(&mut self.outcomes) {
            let begun = Instant::now();
            if let Err(error) = f(device) {
                outcome.failures.push(format!("{error}"));
            }
            outcome.time += begun.elapsed();
        }
    }

    /// Checks that `f` returns an error, neither a result nor a panic, on every device.
    pub fn check_error(&mut self, args: &[Value], f: impl Fn(&Device, &[Buffer]) -> Rim<Vec<Buffer>>) {
        for (device, outcome) in self.devices.iter().zip(&mut self.outcomes) {
            let begun = Instant::now();
            let ran = run(device, args, &f);
            outcome.time += begun.elapsed();
            match ran {
                Ok(Ran { results: Some(_), .. }) => outcome.failures.push("no error where one is due".into()),
                Ok(Ran { results: None, .. }) => outcome.composed = true,
                Err(Trouble::Panic(text)) => outcome.failures.push(format!("panicked: {text}")),
                Err(Trouble::Error(_)) => {}
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
        if !self.special && expected.iter().any(|(_, due, _)| due.to_f64().iter().any(|x| x.is_nan())) {
            return self.fail("the reference is NaN");
        }
        let sizes: Vec<usize> =
            expected.iter().map(|e| e.0.count()).chain(args.iter().map(|a| a.shape.count())).collect();
        for (device, outcome) in self.devices.iter().zip(&mut self.outcomes) {
            if device.supports(self.dtype) {
                let begun = Instant::now();
                poison(device, self.dtype, &sizes);
                let ran = run(device, args, &f);
                outcome.time += begun.elapsed();
                outcome.compare(bound, args, &expected, ran, self.dtype);
            }
        }
    }
}

impl Outcome {
    fn compare(
        &mut self,
        bound: Bound,
        args: &[Value],
        expected: &[(Shape, HostData, f64)],
        ran: Result<Ran, Trouble>,
        dtype: DType,
    ) {
        let (results, after) = match ran {
            Ok(Ran { results: Some(results), after }) => (results, after),
            Ok(Ran { results: None, .. }) => {
                self.composed = true;
                return;
            }
            // A backend may support halves without supporting every method for them. For other dtypes it must.
            Err(Trouble::Error(Error::Unsupported { .. })) if matches!(dtype, DType::F16 | DType::BF16) => {
                self.unsupported = true;
                return;
            }
            Err(Trouble::Error(error)) => return self.failures.push(format!("error: {error}")),
            Err(Trouble::Panic(text)) => return self.failures.push(format!("panicked: {text}")),
        };
        if results.len() != expected.len() {
            return self.failures.push(format!("{} results where {} are due", results.len(), expected.len()));
        }
        for (i, ((shape, data), (due_shape, due, scale))) in results.iter().zip(expected).enumerate() {
            if shape != due_shape {
                self.failures.push(format!("result {i}: expected shape {due_shape} but found {shape}"));
            } else if let Some(wrong) = compare(shape, data, due, *scale, bound.of(due.dtype())) {
                let of: Vec<String> = args.iter().map(|arg| format!("{}{}", arg.data.dtype(), arg.shape)).collect();
                self.failures.push(format!("result {i} {}{shape} of {}: {wrong}", due.dtype(), of.join(", ")));
            }
            for x in data.to_f64() {
                self.digest = (self.digest.rotate_left(7) ^ x.to_bits()).wrapping_mul(0x100_0000_01B3);
            }
        }
        for (i, (arg, after)) in args.iter().zip(&after).enumerate() {
            if compare(&arg.shape, after, &arg.data, 0.0, 0.0).is_some() {
                self.failures.push(format!("operand {i} was changed"));
            }
        }
    }
}

/// The results of a method on a device.
struct Ran {
    /// The results; `None` if the device declined.
    results: Option<Vec<(Shape, HostData)>>,
    /// The operands' values afterwards.
    after: Vec<HostData>,
}

/// Why there are no results.
enum Trouble {
    Error(Error),
    Panic(String),
}

/// Runs `f` on `device`, and downloads the results and the operands.
fn run(device: &Device, args: &[Value], f: impl Fn(&Device, &[Buffer]) -> Rim<Vec<Buffer>>) -> Result<Ran, Trouble> {
    let work = || -> Result<_> {
        let args = args.iter().map(|arg| arg.place(device)).collect::<Result<Vec<_>>>()?;
        let download = |x: &Buffer| device.download(x);
        let results = match f(device, &args)? {
            None => None,
            Some(results) => {
                Some(results.iter().map(|y| Ok((y.shape().clone(), download(y)?))).collect::<Result<Vec<_>>>()?)
            }
        };
        Ok(Ran { results, after: args.iter().map(download).collect::<Result<Vec<_>>>()? })
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Trouble::Error),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("with no message");
            Err(Trouble::Panic(text.to_string()))
        }
    }
}

/// Fills memory of these sizes with NaN and frees it, so that a kernel that reads what it has not written gives NaN.
fn poison(device: &Device, dtype: DType, sizes: &[usize]) {
    let mut held = Vec::new();
    let dtype = if dtype.is_float() { dtype } else { DType::F32 };
    for &count in sizes {
        let nan = device.upload(&HostData::from_f64(&vec![f64::NAN; count], dtype), &Shape::from([count]));
        let more = nan.as_ref().ok().and_then(|nan| device.unary(UnaryOp::Neg, nan).ok());
        held.extend(nan.ok().into_iter().chain(more));
    }
}
