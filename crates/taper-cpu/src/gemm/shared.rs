//! Running the tasks of matrix products and convolutions.

use crate::CpuBackend;
pub(crate) use crate::parallel::Shared;
use taper_backend::Result;

/// Work of fewer multiplications than this runs on the calling thread: waking other threads would take longer.
const SMALL: usize = 500_000;

/// Runs `task(i)` for `i` in `0..count`, on all threads if `cost`, the number of multiplications of all tasks together,
/// is at least [`SMALL`].
pub(crate) fn run_tasks(
    cpu: &CpuBackend,
    count: usize,
    cost: usize,
    task: impl Fn(usize) -> Result<()> + Send + Sync,
) -> Result<()> {
    cpu.try_run(count, cost >= SMALL, &task)
}
