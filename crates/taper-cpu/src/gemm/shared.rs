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

/// Runs `work` on one of the threads if it is worth all of them (`cost` as for [`run_tasks`]), so that what it then
/// splits does not wait, each time anew, for a thread of the pool to wake.
pub(crate) fn on_threads(cpu: &CpuBackend, cost: usize, work: &mut (dyn FnMut() + Send)) {
    if cost >= SMALL && cpu.threads() > 1 {
        cpu.install(work);
    } else {
        work();
    }
}
