//! One launch of a kernel as a candle custom operation, with inputs, scalars and one output.
//!
//! On a card the CUDA kernel runs; on candle's CPU device its twin does, the same computation as a Rust closure.

use super::number::wide_dtype;
use super::source::{Kernel, THREADS};
use candle_core::{CpuStorage, CustomOp1, DType, InplaceOp1, Layout, Result, Shape, Storage, Tensor, WithDType, bail};
use std::ops::Deref;

/// A scalar argument of a kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scalar {
    /// An argument of type `long long`.
    Int(i64),
    /// An argument of type `A`, the type that the kernel computes in.
    Real(f64),
}

impl Scalar {
    /// A size, as `long long`.
    pub(crate) fn count(n: usize) -> Self {
        Self::Int(n as i64)
    }

    /// The scalar as an argument of the kernel for `dtype`: its bytes in memory order, and their number, 4 or 8.
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

/// The number of blocks of a launch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Grid {
    /// Blocks for one thread per piece of work, this many pieces. Beyond a limit, threads take several pieces in turn.
    Pieces(usize),
    /// This number of blocks.
    Blocks(usize),
}

impl Grid {
    pub(crate) fn blocks(self) -> usize {
        match self {
            // The limit is many times what any card runs at a time; more blocks would only cost the starting of them.
            Self::Pieces(n) => n.div_ceil(THREADS).clamp(1, 1 << 20),
            Self::Blocks(n) => n,
        }
    }
}

/// One launch of the function `entry` of `kernel`. Its arguments are, in this order, a pointer for each input (null for
/// an absent one), a pointer to the output, and the scalars.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    pub(crate) kernel: &'static Kernel,
    pub(crate) entry: &'static str,
    /// The dtype that `T` stands for in the source.
    pub(crate) dtype: DType,
    /// The first must be present for [`run`](Self::run).
    pub(crate) inputs: &'a [Option<&'a Tensor>],
    pub(crate) scalars: &'a [Scalar],
    pub(crate) grid: Grid,
}

/// The inputs in host memory, for a twin.
pub(crate) struct Host<'a>(Vec<Option<(&'a CpuStorage, &'a Layout)>>);

impl Host<'_> {
    /// The elements of input `i`, `None` if it is absent.
    ///
    /// # Errors
    /// Another dtype than `T`, or an input that is not contiguous.
    pub(crate) fn maybe<T: WithDType>(&self, i: usize) -> Result<Option<&[T]>> {
        let Some((storage, layout)) = self.0[i] else { return Ok(None) };
        let Some((start, end)) = layout.contiguous_offsets() else { bail!("input {i} of a kernel is not contiguous") };
        Ok(Some(&T::cpu_storage_as_slice(storage)?[start..end]))
    }

    /// The elements of input `i`.
    ///
    /// # Errors
    /// As [`maybe`](Self::maybe), or an absent input.
    pub(crate) fn get<T: WithDType>(&self, i: usize) -> Result<&[T]> {
        match self.maybe(i)? {
            Some(values) => Ok(values),
            None => bail!("a kernel is missing its input {i}"),
        }
    }
}

impl<'a> Launch<'a> {
    /// A new tensor of `shape`, filled by the kernel on a card, by `twin` on the host.
    pub(crate) fn run<T: WithDType>(
        &self,
        shape: impl Into<Shape>,
        twin: impl Fn(&Host<'_>, &mut [T]) -> Result<()>,
    ) -> Result<Tensor> {
        let inputs = self.contiguous()?;
        let refs: Vec<Option<&Tensor>> = inputs.iter().map(Option::as_ref).collect();
        let Some(first) = refs.first().copied().flatten() else { bail!("{} was given no input", self.entry) };
        let launch = Launch { inputs: &refs, ..*self };
        first.apply_op1_no_bwd(&FreshOutput { launch, shape: shape.into(), twin, of: std::marker::PhantomData })
    }

    /// Writes to `target`, whose storage nothing else may share: by the kernel on a card, by `twin` on the host.
    pub(crate) fn run_in<T: WithDType>(
        &self,
        target: &Tensor,
        twin: impl Fn(&Host<'_>, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        let inputs = self.contiguous()?;
        let refs: Vec<Option<&Tensor>> = inputs.iter().map(Option::as_ref).collect();
        let launch = Launch { inputs: &refs, ..*self };
        target.inplace_op1(&InPlaceOutput { launch, twin, of: std::marker::PhantomData })
    }

    fn contiguous(&self) -> Result<Vec<Option<Tensor>>> {
        // A view of no elements may begin behind the end of its storage.
        let own = |x: &Tensor| match x.elem_count() {
            0 => Tensor::zeros(x.shape(), x.dtype(), x.device()),
            _ => x.contiguous(),
        };
        self.inputs.iter().map(|x| x.map(own).transpose()).collect()
    }
}

/// Inputs whose storage is locked for reading.
pub(super) type Held<'a, S> = Vec<Option<(S, &'a Layout)>>;

/// The locked storage and the layout of `inputs`.
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

/// The candle operation of a launch whose output is new memory.
struct FreshOutput<'a, T, F> {
    launch: Launch<'a>,
    shape: Shape,
    twin: F,
    of: std::marker::PhantomData<T>,
}

impl<T: WithDType, F: Fn(&Host<'_>, &mut [T]) -> Result<()>> CustomOp1 for FreshOutput<'_, T, F> {
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

/// The candle operation of a launch whose output is an existing tensor.
struct InPlaceOutput<'a, T, F> {
    launch: Launch<'a>,
    twin: F,
    of: std::marker::PhantomData<T>,
}

impl<T: WithDType, F: Fn(&Host<'_>, &mut [T]) -> Result<()>> InplaceOp1 for InPlaceOutput<'_, T, F> {
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
        // The target is a whole storage of few elements, so that replacing it is cheap.
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
