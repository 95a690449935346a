//! What was launched, with all that a kernel would have been given and what its twin made of it.

use super::super::launch::Launch;
use candle_core::{CpuStorage, DType, Layout};
use std::cell::RefCell;

/// One launch.
#[derive(Debug)]
pub(in super::super) struct Recorded {
    pub(in super::super) kernel: &'static str,
    pub(in super::super) entry: &'static str,
    pub(in super::super) dtype: DType,
    pub(in super::super) blocks: usize,
    /// Whether threads may take more pieces, so that any number of blocks does.
    pub(in super::super) any_grid: bool,
    /// The inputs' bytes (none where there is no input), what the output holds at first, and the numbers.
    pub(in super::super) arguments: Vec<Vec<u8>>,
    /// Which argument the output is.
    pub(in super::super) output: usize,
    /// What the twin wrote, and its shape.
    pub(in super::super) expected: CpuStorage,
    pub(in super::super) shape: Vec<usize>,
}

thread_local! {
    static RECORDS: RefCell<Option<Vec<Recorded>>> = const { RefCell::new(None) };
}

/// What `f` launches on candle's CPU device.
pub(in super::super) fn record(f: impl FnOnce() -> candle_core::Result<()>) -> candle_core::Result<Vec<Recorded>> {
    RECORDS.set(Some(Vec::new()));
    let done = f();
    let records = RECORDS.take().unwrap_or_default();
    done.map(|()| records)
}

/// The bytes of the elements from `start` to `end`.
fn bytes(storage: &CpuStorage, start: usize, end: usize) -> Vec<u8> {
    macro_rules! of {
        ($($name:ident),*) => {
            match storage {
                $(CpuStorage::$name(x) => x[start..end].iter().flat_map(|x| x.to_ne_bytes()).collect(),)*
                other => panic!("no kernel takes {other:?}"),
            }
        };
    }
    of!(F32, F64, F16, BF16, I64, U8)
}

fn all(storage: &CpuStorage) -> Vec<u8> {
    use candle_core::backend::BackendStorage;
    let count = match storage {
        CpuStorage::F32(x) => x.len(),
        CpuStorage::F64(x) => x.len(),
        CpuStorage::F16(x) => x.len(),
        CpuStorage::BF16(x) => x.len(),
        CpuStorage::I64(x) => x.len(),
        CpuStorage::U8(x) => x.len(),
        other => panic!("no kernel writes {:?}", other.dtype()),
    };
    bytes(storage, 0, count)
}

/// Keeps a launch, if this thread records. A new output holds what it should not hold in the end.
pub(in super::super) fn note(
    launch: &Launch<'_>,
    inputs: &[Option<(&CpuStorage, &Layout)>],
    initial: Option<&CpuStorage>,
    expected: &CpuStorage,
    shape: &[usize],
) {
    RECORDS.with_borrow_mut(|records| {
        let Some(records) = records else { return };
        let input = |input: &Option<(&CpuStorage, &Layout)>| {
            input.map_or(Vec::new(), |(storage, layout)| {
                let (start, end) = layout.contiguous_offsets().unwrap_or_default();
                bytes(storage, start, end)
            })
        };
        let mut arguments: Vec<Vec<u8>> = inputs.iter().map(input).collect();
        let output = arguments.len();
        arguments.push(initial.map_or_else(|| vec![0xA5; all(expected).len()], all));
        arguments.extend(launch.scalars.iter().map(|s| s.bytes(launch.dtype)));
        records.push(Recorded {
            kernel: launch.kernel.name,
            entry: launch.entry,
            dtype: launch.dtype,
            blocks: launch.grid.blocks(),
            any_grid: matches!(launch.grid, super::super::launch::Grid::Pieces(_)),
            arguments,
            output,
            expected: expected.clone(),
            shape: shape.to_vec(),
        });
    });
}
