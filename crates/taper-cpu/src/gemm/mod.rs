//! Matrix products (GEMM): packed panels, blocks that fit the caches, and a micro-kernel for each instruction set.
//!
//! After Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008). How sums are split depends
//! on sizes alone, and every sum is taken in one order, so results do not depend on the number of threads.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod kernel;
mod pack;
mod packed;
mod part;
mod portable;
mod product;
mod shared;
mod thin;
#[cfg(target_arch = "x86_64")]
mod transpose;

pub(crate) use kernel::{Kernel, Real, Soon, Tile};
pub(crate) use pack::{Matrix, Panels, pack_columns};
pub(crate) use packed::PackedColumns;
pub(crate) use product::{Epilogue, Product};
pub(crate) use shared::{Shared, run_tasks};
