//! A device that forwards each call to another device and reports it to an observer: for counting, profiling or
//! logging.
//!
//! Its buffers are the inner device's own, and its results are the same, bit for bit.

mod call;

pub use self::call::{Call, Ending, Operand};

use self::call::{Argument, Returned};
use crate::{
    AdamSpec, Backend, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Device, Distribution, FusedOp, FusedOutput,
    HostData, PadAmount, Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, SgdSpec, Shape, SliceRange, UnaryOp,
};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

/// Receives every call of a backend's methods, except `name`, `description`, `supports` and `holds_values`, after it has returned.
pub trait Observer: Debug + Send + Sync + 'static {
    /// Called when `call` has returned, on the thread that made it.
    fn called(&self, call: &Call);
}

/// A backend that forwards to an inner device and reports each call to an observer.
///
/// ```
/// use taper_backend::observed::{Call, Observed, Observer};
/// use taper_backend::Device;
/// use std::sync::Arc;
///
/// #[derive(Debug)]
/// struct Print;
/// impl Observer for Print {
///     fn called(&self, call: &Call) {
///         println!("{} took {:?}", call.method, call.took);
///     }
/// }
///
/// fn printing(inner: Device) -> Device {
///     Observed::device(inner, Arc::new(Print))
/// }
/// ```
#[derive(Debug)]
pub struct Observed<O> {
    inner: Device,
    observer: Arc<O>,
}

impl<O: Observer> Observed<O> {
    /// A device that forwards to `inner` and reports each call to `observer`.
    pub fn device(inner: Device, observer: Arc<O>) -> Device {
        Device::new(Self { inner, observer })
    }
}

impl<O: Observer> Observed<O> {
    /// Calls `f` on the inner device and reports it, with what `call` holds already.
    fn observe<R: Returned>(&self, mut call: Call, f: impl FnOnce(&Device) -> R) -> R {
        call.began = Instant::now();
        let returned = f(&self.inner);
        call.took = call.began.elapsed();
        returned.note(&mut call);
        self.observer.called(&call);
        returned
    }
}

/// Defines methods that forward to the inner device and report the call to the observer.
macro_rules! hand_on {
    ($(fn $name:ident($($arg:ident: $of:ty),*) -> $result:ty;)*) => {$(
        fn $name(&self, $($arg: $of),*) -> $result {
            let mut call = Call::new(stringify!($name));
            $(Argument::note(&$arg, &mut call);)*
            self.observe(call, |inner| inner.$name($($arg),*))
        }
    )*};
}

impl<O: Observer> Backend for Observed<O> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn description(&self) -> String {
        format!("{}, observed", self.inner.description())
    }

    fn supports(&self, dtype: DType) -> bool {
        self.inner.supports(dtype)
    }

    fn holds_values(&self) -> bool {
        self.inner.holds_values()
    }

    fn fused(&self, op: &FusedOp<'_>) -> Rim<FusedOutput> {
        self.observe(Call::fused(op), |inner| inner.fused(op))
    }

    fn fused_grad(&self, op: &FusedOp<'_>, g: &Buffer, saved: &Saved, needs: &[bool]) -> Rim<Vec<Option<Buffer>>> {
        self.observe(Call::fused_grad(op, g, needs), |inner| inner.fused_grad(op, g, saved, needs))
    }

    hand_on! {
        fn upload(data: &HostData, shape: &Shape) -> Result<Buffer>;
        fn download(x: &Buffer) -> Result<HostData>;
        fn fill(shape: &Shape, dtype: DType, value: f64) -> Result<Buffer>;
        fn random(shape: &Shape, dtype: DType, distribution: Distribution, key: RandomKey) -> Result<Buffer>;
        fn assign(target: &mut Buffer, source: &Buffer) -> Result<()>;
        fn cast(x: &Buffer, dtype: DType) -> Result<Buffer>;
        fn reshape(x: &Buffer, shape: &Shape) -> Result<Buffer>;
        fn permute(x: &Buffer, axes: &[usize]) -> Result<Buffer>;
        fn broadcast(x: &Buffer, shape: &Shape) -> Result<Buffer>;
        fn slice(x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer>;
        fn pad(x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer>;
        fn concat(parts: &[&Buffer], axis: usize) -> Result<Buffer>;
        fn unary(op: UnaryOp, x: &Buffer) -> Result<Buffer>;
        fn binary(op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer>;
        fn binary_scalar(op: BinaryOp, x: &Buffer, number: f64, number_first: bool) -> Result<Buffer>;
        fn compare(op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer>;
        fn compare_scalar(op: CompareOp, x: &Buffer, number: f64) -> Result<Buffer>;
        fn select(condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer>;
        fn reduce(op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer>;
        fn argmax(x: &Buffer, axis: usize) -> Result<Buffer>;
        fn argsort(x: &Buffer, axis: usize, descending: bool) -> Result<Buffer>;
        fn matmul(a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer>;
        fn gather(x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer>;
        fn scatter_add(x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer>;
        fn conv2d(x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer>;
        fn conv2d_input_grad(g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer>;
        fn conv2d_weight_grad(x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer>;
        fn max_pool2d(x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)>;
        fn avg_pool2d(x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer>;
        fn avg_pool2d_grad(g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer>;
        fn assign_where(target: &mut Buffer, source: &Buffer, apply: &Buffer) -> Rim<()>;
        fn norm(x: &Buffer) -> Rim<Buffer>;
        fn all_finite(buffers: &[&Buffer]) -> Rim<Buffer>;
        fn adam_step(
            p: &mut Buffer, m: &mut Buffer, v: &mut Buffer, g: &Buffer, taken: &Buffer, apply: Option<&Buffer>,
            spec: &AdamSpec
        ) -> Rim<()>;
        fn sgd_step(
            p: &mut Buffer, velocity: Option<&mut Buffer>, g: &Buffer, taken: &Buffer, apply: Option<&Buffer>,
            spec: &SgdSpec
        ) -> Rim<()>;
    }
}

#[cfg(test)]
mod tests {
    /// A method with a default that is missing above would silently use the default instead of the inner device's own.
    #[test]
    fn every_method_is_handed_on() {
        let names = |source: &str| -> Vec<String> {
            let declared = source.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
            declared.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())).collect()
        };
        let ours = names(include_str!("observed.rs"));
        let (_, contract) = include_str!("backend.rs").split_once("pub trait Backend").unwrap();
        let (contract, _) = contract.split_once("\n}\n").unwrap();
        let missing: Vec<String> = names(contract).into_iter().filter(|name| !ours.contains(name)).collect();
        assert!(names(contract).len() > 35 && missing.is_empty(), "{missing:?}");
    }
}
