//! A device that hands everything on to another and counts what crosses between host and device.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use taper_backend::{
    Activation, AdamSpec, Backend, BinaryOp, Buffer, CompareOp, Conv2dSpec, CrossEntropySpec, DType, Device,
    Distribution, HostData, PadAmount, ParamGrads, Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, SgdSpec, Shape,
    SliceRange, UnaryOp,
};

/// How often something was moved.
#[derive(Debug, Default)]
pub struct Transfers {
    uploads: AtomicUsize,
    downloads: AtomicUsize,
}

impl Transfers {
    /// Uploads and downloads since the last call.
    pub fn take(&self) -> [usize; 2] {
        [&self.uploads, &self.downloads].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

/// The wrapper. Its buffers are the inner device's own.
#[derive(Debug)]
pub struct Counting {
    inner: Device,
    transfers: Arc<Transfers>,
}

impl Counting {
    /// `inner`, counted.
    pub fn device(inner: Device) -> (Device, Arc<Transfers>) {
        let transfers = Arc::new(Transfers::default());
        (Device::new(Self { inner, transfers: transfers.clone() }), transfers)
    }
}

/// Methods that are the inner device's.
macro_rules! hand_on {
    ($(fn $name:ident($($arg:ident: $of:ty),*) -> $result:ty;)*) => {$(
        fn $name(&self, $($arg: $of),*) -> $result {
            self.inner.$name($($arg),*)
        }
    )*};
}

impl Backend for Counting {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn upload(&self, data: HostData, shape: &Shape) -> Result<Buffer> {
        self.transfers.uploads.fetch_add(1, Ordering::Relaxed);
        self.inner.upload(data, shape)
    }

    fn download(&self, x: &Buffer) -> Result<HostData> {
        self.transfers.downloads.fetch_add(1, Ordering::Relaxed);
        self.inner.download(x)
    }

    hand_on! {
        fn supports(dtype: DType) -> bool;
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
        fn compare(op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer>;
        fn select(condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer>;
        fn reduce(op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer>;
        fn argmax(x: &Buffer, axis: usize) -> Result<Buffer>;
        fn matmul(a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer>;
        fn gather(x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer>;
        fn scatter_add(x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer>;
        fn conv2d(x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer>;
        fn conv2d_input_grad(g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer>;
        fn conv2d_weight_grad(x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer>;
        fn max_pool2d(x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)>;
        fn avg_pool2d(x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer>;
        fn avg_pool2d_grad(g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer>;
        fn activation(f: Activation, x: &Buffer) -> Rim<Buffer>;
        fn activation_grad(f: Activation, x: &Buffer, g: &Buffer) -> Rim<Buffer>;
        fn linear(x: &Buffer, weight: &Buffer, bias: Option<&Buffer>, f: Activation) -> Rim<(Buffer, Saved)>;
        fn linear_grad(
            g: &Buffer, saved: &Saved, x: &Buffer, weight: &Buffer, f: Activation, needs: [bool; 3]
        ) -> Result<ParamGrads>;
        fn conv2d_block(
            x: &Buffer, weight: &Buffer, bias: Option<&Buffer>, spec: &Conv2dSpec, f: Activation, pool: Option<&Pool2dSpec>
        ) -> Rim<(Buffer, Saved)>;
        fn conv2d_block_grad(
            g: &Buffer, saved: &Saved, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec, needs: [bool; 3]
        ) -> Result<ParamGrads>;
        fn max_pool2d_saved(x: &Buffer, spec: &Pool2dSpec) -> Rim<(Buffer, Saved)>;
        fn max_pool2d_grad(g: &Buffer, saved: &Saved, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer>;
        fn softmax(x: &Buffer, axis: usize, log: bool) -> Rim<Buffer>;
        fn softmax_grad(g: &Buffer, y: &Buffer, axis: usize, log: bool) -> Rim<Buffer>;
        fn cross_entropy(logits: &Buffer, target: &Buffer, spec: &CrossEntropySpec) -> Rim<(Buffer, Saved)>;
        fn cross_entropy_grad(g: &Buffer, saved: &Saved) -> Result<Buffer>;
        fn layer_norm(
            x: &Buffer, weight: Option<&Buffer>, bias: Option<&Buffer>, dims: usize, eps: f64
        ) -> Rim<(Buffer, Saved)>;
        fn layer_norm_grad(
            g: &Buffer, saved: &Saved, x: &Buffer, weight: Option<&Buffer>, dims: usize, needs: [bool; 3]
        ) -> Result<ParamGrads>;
        fn batch_norm(
            x: &Buffer, weight: Option<&Buffer>, bias: Option<&Buffer>, eps: f64
        ) -> Rim<(Buffer, Buffer, Buffer, Saved)>;
        fn batch_norm_grad(
            g: &Buffer, saved: &Saved, x: &Buffer, weight: Option<&Buffer>, needs: [bool; 3]
        ) -> Result<ParamGrads>;
        fn dropout(x: &Buffer, p: f64, key: RandomKey) -> Rim<Buffer>;
        fn embedding(weight: &Buffer, index: &Buffer) -> Rim<Buffer>;
        fn embedding_grad(g: &Buffer, index: &Buffer, rows: usize) -> Rim<Buffer>;
        fn all_finite(buffers: &[&Buffer]) -> Rim<Buffer>;
        fn adam_step(
            p: &mut Buffer, m: &mut Buffer, v: &mut Buffer, g: &Buffer, apply: Option<&Buffer>, spec: &AdamSpec
        ) -> Rim<()>;
        fn sgd_step(
            p: &mut Buffer, velocity: Option<&mut Buffer>, g: &Buffer, apply: Option<&Buffer>, spec: &SgdSpec
        ) -> Rim<()>;
    }
}

#[cfg(test)]
mod tests {
    /// A method with a default that is missing above would silently be the default.
    #[test]
    fn every_method_is_handed_on() {
        let names = |source: &str| -> Vec<String> {
            let declared = source.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
            declared.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())).collect()
        };
        let ours = names(include_str!("counting.rs"));
        let contract = include_str!("../../crates/taper-backend/src/backend.rs");
        let (_, contract) = contract.split_once("pub trait Backend").unwrap();
        let (contract, _) = contract.split_once("\n}\n").unwrap();
        let missing: Vec<String> = names(contract).into_iter().filter(|name| !ours.contains(name)).collect();
        assert!(names(contract).len() > 50 && missing.is_empty(), "{missing:?}");
    }
}
