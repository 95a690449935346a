//! Launching a kernel on a card: the source is compiled for the card by NVRTC, and the arguments are passed.

use super::launch::{Held, Launch};
use super::source::{Kernel, THREADS, options};
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaStream, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg, SyncOnDrop,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDType, CudaStorageSlice, WrapErr};
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Storage, bail};
use half::{bf16, f16};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The inputs of a launch.
pub(super) type Inputs<'a> = [Option<(&'a CudaStorage, &'a Layout)>];

pub(super) fn on_card<'a>(
    held: &'a Held<'a, impl Deref<Target = Storage>>,
) -> Result<Vec<Option<(&'a CudaStorage, &'a Layout)>>> {
    let of = |(storage, layout): &'a (_, &'a Layout)| match Deref::deref(storage) {
        Storage::Cuda(storage) => Ok((storage, *layout)),
        _ => bail!("a kernel's inputs are on different devices"),
    };
    held.iter().map(|x| x.as_ref().map(of).transpose()).collect()
}

/// A kernel compiled to PTX for one dtype, and the name of its module.
struct Compiled {
    module: String,
    ptx: String,
}

/// `kernel` for `dtype` on cards of compute capability `of`, compiled once per process.
fn compiled(kernel: &'static Kernel, dtype: DType, of: (i32, i32)) -> Result<Arc<Compiled>> {
    type All = Mutex<HashMap<(&'static str, DType, (i32, i32)), Arc<Compiled>>>;
    static ALL: OnceLock<All> = OnceLock::new();
    let mut all = ALL.get_or_init(All::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(compiled) = all.get(&(kernel.name, dtype, of)) {
        return Ok(compiled.clone());
    }
    let module = kernel.module(dtype);
    let settings = CompileOptions { options: options(of), name: Some(format!("{module}.cu")), ..Default::default() };
    let ptx = compile_ptx_with_opts(kernel.source(dtype), settings).w()?.to_src();
    let compiled = Arc::new(Compiled { module, ptx });
    all.insert((kernel.name, dtype, of), compiled.clone());
    Ok(compiled)
}

/// The address of the first element of `layout`, and a guard that tells other streams when the memory has been read.
fn address<'a>(storage: &'a CudaStorage, layout: &Layout, stream: &'a CudaStream) -> Result<(u64, SyncOnDrop<'a>)> {
    fn of<'a, T>(slice: &'a CudaSlice<T>, start: usize, stream: &'a CudaStream) -> (u64, SyncOnDrop<'a>) {
        let (address, guard) = slice.device_ptr(stream);
        (address + (start * size_of::<T>()) as u64, guard)
    }
    let Some((start, _)) = layout.contiguous_offsets() else { bail!("a kernel's input is not contiguous") };
    Ok(match &storage.slice {
        CudaStorageSlice::F32(x) => of(x, start, stream),
        CudaStorageSlice::F64(x) => of(x, start, stream),
        CudaStorageSlice::F16(x) => of(x, start, stream),
        CudaStorageSlice::BF16(x) => of(x, start, stream),
        CudaStorageSlice::I64(x) => of(x, start, stream),
        CudaStorageSlice::U8(x) => of(x, start, stream),
        _ => bail!("no kernel takes {}", storage.dtype().as_str()),
    })
}

/// Launches the kernel, with its output `start` elements into `out`.
fn start<T>(
    launch: &Launch<'_>,
    inputs: &Inputs<'_>,
    device: &CudaDevice,
    out: &mut CudaSlice<T>,
    start: usize,
) -> Result<()> {
    let stream = device.cuda_stream();
    let of = stream.context().compute_capability().w()?;
    let code = compiled(launch.kernel, launch.dtype, of)?;
    let function = device.get_or_load_custom_func(launch.entry, &code.module, &code.ptx)?;

    let (mut addresses, mut guards) = (Vec::new(), Vec::new());
    for input in inputs {
        let Some((storage, layout)) = input else {
            addresses.push(0);
            continue;
        };
        let (address, guard) = address(storage, layout, &stream)?;
        addresses.push(address);
        guards.push(guard);
    }
    let (address, guard) = out.device_ptr_mut(&stream);
    addresses.push(address + (start * size_of::<T>()) as u64);
    guards.push(guard);

    let numbers = launch.scalars.iter().map(|s| s.argument(launch.dtype).0);
    let arguments: Vec<u64> = addresses.into_iter().chain(numbers).collect();
    let mut builder = function.builder();
    for argument in &arguments {
        builder.arg(argument);
    }
    let grid = (launch.grid.blocks() as u32, 1, 1);
    let config = LaunchConfig { grid_dim: grid, block_dim: (THREADS as u32, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the arguments are those of the entry, in number, order and size, as the tests of the same launches on the
    // host check; what they point to is held until the launch stands in the stream, behind which memory is freed.
    unsafe { builder.launch(config) }.w()?;
    drop(guards);
    Ok(())
}

/// Launches the kernel with new memory of `count` elements of `dtype` as its output, and returns that.
pub(super) fn fresh(launch: &Launch<'_>, inputs: &Inputs<'_>, dtype: DType, count: usize) -> Result<CudaStorage> {
    fn of<T: DeviceRepr + CudaDType>(launch: &Launch<'_>, inputs: &Inputs<'_>, count: usize) -> Result<CudaStorage> {
        let Some(Some((storage, _))) = inputs.first() else { bail!("{} was given no input", launch.entry) };
        let device = storage.device().clone();
        // SAFETY: the kernel writes every element before anything after it in the stream can read one. At least one
        // element, since a driver may refuse to allocate 0 bytes.
        let mut out = unsafe { device.alloc::<T>(count.max(1)) }?;
        if count > 0 {
            start(launch, inputs, &device, &mut out, 0)?;
        }
        Ok(CudaStorage::wrap_cuda_slice(out, device))
    }
    match dtype {
        DType::F32 => of::<f32>(launch, inputs, count),
        DType::F64 => of::<f64>(launch, inputs, count),
        DType::F16 => of::<f16>(launch, inputs, count),
        DType::BF16 => of::<bf16>(launch, inputs, count),
        DType::I64 => of::<i64>(launch, inputs, count),
        DType::U8 => of::<u8>(launch, inputs, count),
        other => bail!("no kernel writes {}", other.as_str()),
    }
}

/// Launches the kernel with `target`, a u8 flag, as its output.
pub(super) fn in_place(
    launch: &Launch<'_>,
    inputs: &Inputs<'_>,
    target: &mut CudaStorage,
    layout: &Layout,
) -> Result<()> {
    let Some((first, _)) = layout.contiguous_offsets() else { bail!("{} writes to a view", launch.entry) };
    let device = target.device().clone();
    start(launch, inputs, &device, target.as_cuda_slice_mut::<u8>()?, first)
}
