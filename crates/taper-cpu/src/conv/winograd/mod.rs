//! Winograd's algorithm for convolutions with 3 × 3 kernels of stride 1. It takes a quarter of the multiplications.
//!
//! A tile of 4 × 4 outputs depends on 6 × 6 inputs. With the transforms Bᵀ, G and Aᵀ of F(4×4, 3×3) the outputs are
//! Aᵀ·((G·w·Gᵀ) ⊙ (Bᵀ·d·B))·A. Summed over channels, the elementwise products ⊙ are 36 products of matrices `[tiles,
//! C_in]` and `[C_in, C_out]` (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016). The
//! input gradient is such a convolution with the kernel rotated by 180°. The weight gradient is F(3×3, 4×4) at the same
//! points: Gᵀ·((Bᵀ·d·B) ⊙ (A·g·Aᵀ))·G, summed over tiles.
//!
//! A task transforms the tiles of some rows or some images, multiplies, and transforms the products back while they are
//! in the cache. The rounding error is 3 to 5 times that of direct evaluation (`examples/winograd.rs` prints it);
//! [`Convolution::Direct`] turns the algorithm off. f64 is always evaluated directly, as the reference for the other
//! types. Tiles with elements outside the range that the error bound covers (`range.rs`) are evaluated directly too.

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

/// The height and width of a tile's outputs.
const SIDE: usize = 4;
/// The height and width of a tile's inputs.
const REACH: usize = 6;
/// The number of points, and of elementwise products of a tile and channel.
const POINTS: usize = REACH * REACH;
/// The widest rows of positions for which the weight gradient uses the algorithm: all tiles of a unit are summed in
/// f32.
pub(super) const WIDEST: usize = 2048;
/// Unused elements between lines and between planes, so that they do not compete for the same sets of the cache.
const GAP: usize = 16;
/// The cost of transforming one channel of a tile, or one kernel, relative to an elementwise product, for each point.
const TRANSFORM: usize = 8;

/// The transforms, if the windows are 3 × 3 of stride 1 and the algorithm is estimated to take less than 0.8 of the
/// operations of direct evaluation; otherwise `None`.
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

/// Whether the windows are 3 × 3 adjacent places with stride 1.
fn is_square(windows: &Windows) -> bool {
    let taps = &windows.taps;
    windows.step == [1, 1]
        && taps.len() == 9
        && (0..9).all(|i| taps[i].y == taps[0].y + i as isize / 3 && taps[i].x == taps[0].x + i as isize % 3)
}
