//! One launch of a kernel as a candle operation: inputs, numbers, one output.

use super::number::wide_dtype;
use super::source::{Kernel, THREADS};
use candle_core::{CpuStorage, CustomOp1, DType, InplaceOp1, Layout, Result, Shape, Storage, Tensor, WithDType, bail};
use std::ops::Deref;

/// A number that a kernel takes by value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scalar {
    /// `long long`
    Int(i64),
    /// `A`
    Real(f64),
}

impl Scalar {
    /// `long long`
    pub(crate) fn count(n: usize) -> Self {
        Self::Int(n as i64)
    }

    /// The number as the kernel for `dtype` takes it: the bytes in memory, and how many of them count.
    pub(crate) fn argument(self, dtype: DType) -> (u64, usize) {
        match self {
            Self::Int(x) => (x as u64, 8),
            Self::Real(x) if wide_dtype(dtype) == DType::F64 => (x.to_bits(), 8),
            Self::Real(x) => {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&(x as f32).to_ne_bytes());
                (u64::from_ne_bytes(bytes), 4)
            }
        }
    }
}

/// How many blocks are started.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Grid {
    /// A thread for each of so many pieces of work; past a limit, threads take several in turn.
    Pieces(usize),
    /// So many blocks.
    Blocks(usize),
}

impl Grid {
    pub(crate) fn blocks(self) -> usize {
        match self {
            // A multiple of what any card runs at a time; more only costs starting them.
            Self::Pieces(n) => n.div_ceil(THREADS).clamp(1, 1 << 20),
            Self::Blocks(n) => n,
        }
    }
}

/// One launch of `entry`. The kernel's arguments are a pointer for each input (null where there is none), one to the
/// output, and the scalars, in this order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    pub(crate) kernel: &'static Kernel,
    pub(crate) entry: &'static str,
    /// What `T` is.
    pub(crate) dtype: DType,
    /// The first must be there.
    pub(crate) inputs: &'a [Option<&'a Tensor>],
    pub(crate) scalars: &'a [Scalar],
    pub(crate) grid: Grid,
}

/// The inputs in the host's memory, for a twin.
pub(crate) struct Host<'a>(Vec<Option<(&'a CpuStorage, &'a Layout)>>);

impl Host<'_> {
    /// The elements of input `i`, if there is one.
    pub(crate) fn maybe<T: WithDType>(&self, i: usize) -> Result<Option<&[T]>> {
        let Some((storage, layout)) = self.0[i] else { return Ok(None) };
        let Some((start, end)) = layout.contiguous_offsets() else { bail!("input {i} of a kernel is not contiguous") };
        Ok(Some(&T::cpu_storage_as_slice(storage)?[start..end]))
    }

    /// The elements of input `i`.
    pub(crate) fn get<T: WithDType>(&self, i: usize) -> Result<&[T]> {
        match self.maybe(i)? {
            Some(values) => Ok(values),
            None => bail!("a kernel is missing its input {i}"),
        }
    }
}

impl<'a> Launch<'a> {
    /// A new tensor of `shape`, whose storage the kernel fills; `twin` does so on the host.
    pub(crate) fn run<T: WithDType>(
        &self,
        shape: impl Into<Shape>,
        twin: impl Fn(&Host<'_>, &mut [T]) -> Result<()>,
    ) -> Result<Tensor> {
        let inputs = self.contiguous()?;
        let refs: Vec<Option<&Tensor>> = inputs.iter().map(Option::as_ref).collect();
        let Some(first) = refs.first().copied().flatten() else { bail!("{} was given no input", self.entry) };
        let launch = Launch { inputs: &refs, ..*self };
        first.apply_op1_no_bwd(&Fresh { launch, shape: shape.into(), twin, of: std::marker::PhantomData })
    }

    /// Lets the kernel write to `target`, which nothing else may hold; `twin` does so on the host.
    pub(crate) fn run_in<T: WithDType>(
        &self,
        target: &Tensor,
        twin: impl Fn(&Host<'_>, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        let inputs = self.contiguous()?;
        let refs: Vec<Option<&Tensor>> = inputs.iter().map(Option::as_ref).collect();
        let launch = Launch { inputs: &refs, ..*self };
        target.inplace_op1(&InPlace { launch, twin, of: std::marker::PhantomData })
    }

    fn contiguous(&self) -> Result<Vec<Option<Tensor>>> {
        self.inputs.iter().map(|x| x.map(Tensor::contiguous).transpose()).collect()
    }
}

/// Inputs whose storage is held open for reading.
pub(super) type Held<'a, S> = Vec<Option<(S, &'a Layout)>>;

/// The storage and layout of `inputs`.
fn hold<'a>(inputs: &[Option<&'a Tensor>]) -> Held<'a, impl Deref<Target = Storage> + use<'a>> {
    inputs.iter().map(|x| x.map(Tensor::storage_and_layout)).collect()
}

fn on_host<'a>(held: &'a Held<'a, impl Deref<Target = Storage>>) -> Result<Vec<Option<(&'a CpuStorage, &'a Layout)>>> {
    let of = |(storage, layout): &'a (_, &'a Layout)| match Deref::deref(storage) {
        Storage::Cpu(storage) => Ok((storage, *layout)),
        _ => bail!("a kernel's inputs are on different devices"),
    };
    held.iter().map(|x| x.as_ref().map(of).transpose()).collect()
}

/// A launch whose output is new memory.
struct Fresh<'a, T, F> {
    launch: Launch<'a>,
    shape: Shape,
    twin: F,
    of: std::marker::PhantomData<T>,
}

impl<T: WithDType, F: Fn(&Host<'_>, &mut [T]) -> Result<()>> CustomOp1 for Fresh<'_, T, F> {
    fn name(&self) -> &'static str {
        self.launch.entry
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let held = hold(&self.launch.inputs[1..]);
        let mut host = vec![Some((storage, layout))];
        host.extend(on_host(&held)?);
        let host = Host(host);
        let mut out = vec![T::from_f64(0.0); self.shape.elem_count()];
        (self.twin)(&host, &mut out)?;
        #[cfg(test)]
        super::check::recorder::note(&self.launch, &host.0, None, &T::to_cpu_storage(&out), self.shape.dims());
        Ok((T::to_cpu_storage_owned(out), self.shape.clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        storage: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        let held = hold(&self.launch.inputs[1..]);
        let mut inputs = vec![Some((storage, layout))];
        inputs.extend(super::cuda::on_card(&held)?);
        let out = super::cuda::fresh(&self.launch, &inputs, T::DTYPE, self.shape.elem_count())?;
        Ok((out, self.shape.clone()))
    }
}

/// A launch that writes where something is already.
struct InPlace<'a, T, F> {
    launch: Launch<'a>,
    twin: F,
    of: std::marker::PhantomData<T>,
}

impl<T: WithDType, F: Fn(&Host<'_>, &mut [T]) -> Result<()>> InplaceOp1 for InPlace<'_, T, F> {
    fn name(&self) -> &'static str {
        self.launch.entry
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let held = hold(self.launch.inputs);
        let host = Host(on_host(&held)?);
        let Some((start, end)) = layout.contiguous_offsets() else { bail!("{} writes to a view", self.name()) };
        let mut out = T::cpu_storage_as_slice(storage)?[start..end].to_vec();
        #[cfg(test)]
        let initial = T::to_cpu_storage(&out);
        (self.twin)(&host, &mut out)?;
        #[cfg(test)]
        super::check::recorder::note(&self.launch, &host.0, Some(&initial), &T::to_cpu_storage(&out), layout.dims());
        // What is written to is a whole storage, of few elements.
        *storage = T::to_cpu_storage_owned(out);
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &mut candle_core::CudaStorage, layout: &Layout) -> Result<()> {
        let held = hold(self.launch.inputs);
        let inputs = super::cuda::on_card(&held)?;
        super::cuda::in_place(&self.launch, &inputs, storage, layout)
    }
}
