//! Winograd's convolution for 3 × 3 kernels of stride 1: a quarter of the multiplications.
//!
//! A tile of 4 × 4 outputs takes 6 × 6 inputs. With the transforms Bᵀ, G and Aᵀ of F(4×4, 3×3) it is Aᵀ·[ (G·w·Gᵀ) ⊙
//! (Bᵀ·d·B) ]·A, and summed over channels ⊙ becomes 36 products of matrices `[tiles, C_in]·[C_in, C_out]` (Lavin and
//! Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016). The input gradient is a convolution of that
//! kind with the kernel turned round. The weight gradient is F(3×3, 4×4) at the same points: Gᵀ·[ (Bᵀ·d·B) ⊙ (A·g·Aᵀ)
//! ]·G, summed over tiles.
//!
//! A task transforms the tiles of some rows or some images, multiplies, and transforms the products back while they are
//! in the cache. What it rounds away is 3 to 5 times what direct evaluation does (`examples/winograd.rs` prints it);
//! [`Convolution::Direct`] turns it off. f64 is always evaluated directly: it checks the rest. So are tiles whose
//! elements are out of the range that the error bound covers (`range.rs`).

mod aside;
mod gather;
mod range;
mod transform;
mod vector;
mod weight;

pub(super) use gather::gather;
pub(crate) use transform::Transforms;
pub(super) use weight::weight_grad;

use super::tile::Windows;
use crate::gemm::Real;
use crate::{Convolution, CpuBackend};

/// Outputs of a tile, in each direction.
const SIDE: usize = 4;
/// Inputs of a tile, in each direction.
const REACH: usize = 6;
/// Products of a tile.
const POINTS: usize = REACH * REACH;
/// The widest rows of which a weight gradient is taken so: a unit's are summed in one go.
pub(super) const WIDEST: usize = 2048;
/// Elements between lines and planes, lest all fall into the same sets of the cache.
const GAP: usize = 16;
/// What it costs to transform a channel of a tile, or a kernel, in products.
const TRANSFORM: usize = 8;

/// The transforms, where the windows are 3 × 3 of stride 1 and fewer operations are taken so than directly.
pub(super) fn transforms<T: Real>(
    cpu: &CpuBackend,
    windows: &Windows,
    images: usize,
    [inputs, outputs]: [usize; 2],
) -> Option<Transforms<T>> {
    if cpu.convolution() == Convolution::Direct || !is_square(windows) {
        return None;
    }
    let grid = windows.grid;
    let [tiles, positions] = [images * grid[0].div_ceil(SIDE) * grid[1].div_ceil(SIDE), images * grid[0] * grid[1]];
    let kernels = inputs as f64 * outputs as f64;
    let transformed = tiles * (inputs + outputs) * TRANSFORM;
    let ours = POINTS as f64 * ((tiles + TRANSFORM) as f64 * kernels + transformed as f64);
    let direct = (9 * positions) as f64 * kernels;
    (ours < 0.8 * direct).then(|| T::transforms(cpu.isa())).flatten()
}

/// Whether the windows are 3 × 3 places side by side, one step apart.
fn is_square(windows: &Windows) -> bool {
    let taps = &windows.taps;
    windows.step == [1, 1]
        && taps.len() == 9
        && (0..9).all(|i| taps[i].y == taps[0].y + i as isize / 3 && taps[i].x == taps[0].x + i as isize % 3)
}
