//! The modules that compute fused operations.

/// Declares the modules that have kernels of fused operations, and the functions that ask each of them in turn. A module
/// has two functions, `fused` and `fused_grad`, as [`Backend`](taper_backend::Backend) has them; they give `None` for
/// operations of other modules.
macro_rules! fused_kernels {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// The result of `op`; `None` if no module computes it.
        fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
            $(
                if let Some(output) = $module::fused(cpu, op)? {
                    return Ok(Some(output));
                }
            )*
            Ok(None)
        }

        /// The gradients of `op`; `None` if no module computes them.
        fn fused_grad(
            cpu: &CpuBackend,
            op: &FusedOp<'_>,
            g: &Buffer,
            saved: &Saved,
            needs: &[bool],
        ) -> Rim<Vec<Option<Buffer>>> {
            $(
                if let Some(gradients) = $module::fused_grad(cpu, op, g, saved, needs)? {
                    return Ok(Some(gradients));
                }
            )*
            Ok(None)
        }
    };
}
pub(crate) use fused_kernels;
