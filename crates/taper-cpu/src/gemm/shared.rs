//! Tasks of a product.

use crate::CpuBackend;
pub(crate) use crate::parallel::Shared;
use taper_backend::Result;

/// Work of fewer multiplications than this stays on the calling thread: waking the others would take longer.
const SMALL: usize = 500_000;

/// Runs `task(i)` for `i` in `0..count`, on all threads if the whole is worth it: `cost` is its number of
/// multiplications.
pub(crate) fn run_tasks(
    cpu: &CpuBackend,
    count: usize,
    cost: usize,
    task: impl Fn(usize) -> Result<()> + Send + Sync,
) -> Result<()> {
    cpu.try_run(count, cost >= SMALL, &task)
}
