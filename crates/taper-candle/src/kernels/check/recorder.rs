//! Records the launches on candle's CPU device: the arguments that the kernel would have been given, and the result of
//! its twin.

use super::super::launch::Launch;
use candle_core::{CpuStorage, DType, Layout};
use std::cell::RefCell;

/// One recorded launch.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) module: String,
    pub(super) entry: &'static str,
    pub(super) blocks: usize,
    /// The bytes of the inputs (empty for an absent one), of the output's initial content, and of the scalars.
    pub(super) arguments: Vec<Vec<u8>>,
    /// The number of the argument that is the output.
    pub(super) output: usize,
    /// The dtype of the twin's output; its shape and bytes follow.
    pub(super) written: DType,
    pub(super) shape: Vec<usize>,
    pub(super) expected: Vec<u8>,
}

thread_local! {
    static RECORDS: RefCell<Option<Vec<Recorded>>> = const { RefCell::new(None) };
}

/// The launches that `f` makes.
pub(super) fn record(f: impl FnOnce() -> candle_core::Result<()>) -> candle_core::Result<Vec<Recorded>> {
    RECORDS.set(Some(Vec::new()));
    let done = f();
    let records = RECORDS.take().unwrap_or_default();
    done.map(|()| records)
}

macro_rules! for_storage {
    ($storage:expr, $x:ident => $body:expr) => {
        match $storage {
            CpuStorage::F32($x) => $body,
            CpuStorage::F64($x) => $body,
            CpuStorage::F16($x) => $body,
            CpuStorage::BF16($x) => $body,
            CpuStorage::I64($x) => $body,
            CpuStorage::U8($x) => $body,
            other => panic!("no kernel takes {other:?}"),
        }
    };
}

fn bytes(storage: &CpuStorage) -> Vec<u8> {
    for_storage!(storage, x => x.iter().flat_map(|x| x.to_ne_bytes()).collect())
}

/// The numbers in `bytes` as f64. Each i64 gives two numbers, its 32-bit halves, so that none is rounded.
pub(super) fn values(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    macro_rules! of {
        ($t:ty, $n:literal, $f:expr) => {
            bytes
                .chunks_exact($n)
                .map(|x| <[u8; $n]>::try_from(x).map_or(f64::NAN, |x| $f(<$t>::from_ne_bytes(x))))
                .collect()
        };
    }
    match dtype {
        DType::F32 => of!(f32, 4, f64::from),
        DType::F64 => of!(f64, 8, |x| x),
        DType::F16 => of!(half::f16, 2, half::f16::to_f64),
        DType::BF16 => of!(half::bf16, 2, half::bf16::to_f64),
        DType::I64 => of!(i32, 4, f64::from),
        _ => of!(u8, 1, f64::from),
    }
}

/// Records a launch, if this thread is recording. A new output is initialised with a pattern, so that elements that the
/// kernel does not write are noticed.
pub(in super::super) fn note(
    launch: &Launch<'_>,
    inputs: &[Option<(&CpuStorage, &Layout)>],
    initial: Option<&CpuStorage>,
    expected: &CpuStorage,
    shape: &[usize],
) {
    use candle_core::backend::BackendStorage;
    RECORDS.with_borrow_mut(|records| {
        let Some(records) = records else { return };
        let input = |input: &Option<(&CpuStorage, &Layout)>| {
            let Some((storage, layout)) = input else { return Vec::new() };
            let (start, end) = layout.contiguous_offsets().unwrap_or_default();
            let size = storage.dtype().size_in_bytes();
            bytes(storage)[start * size..end * size].to_vec()
        };
        let written = expected.dtype();
        let expected = bytes(expected);
        let mut arguments: Vec<Vec<u8>> = inputs.iter().map(input).collect();
        let output = arguments.len();
        arguments.push(initial.map_or_else(|| vec![0xA5; expected.len()], bytes));
        arguments.extend(launch.scalars.iter().map(|s| {
            let (bytes, size) = s.argument(launch.dtype);
            bytes.to_ne_bytes()[..size].to_vec()
        }));
        records.push(Recorded {
            module: launch.kernel.module(launch.dtype),
            entry: launch.entry,
            blocks: launch.grid.blocks(),
            arguments,
            output,
            written,
            shape: shape.to_vec(),
            expected,
        });
    });
}
