//! The micro-kernel's interface: one register tile of `C (+)= A·B`, by whichever instruction set the machine has.

use crate::conv::winograd::Transforms;
use crate::isa::Isa;
use crate::math::Float;

/// The floats that products are computed in.
pub(crate) trait Real: Float + Default {
    /// The micro-kernel for an instruction set.
    fn kernel(isa: Isa) -> Kernel<Self>;

    /// Whether convolutions may go Winograd's way. A constant, so that the code is not compiled where they never do.
    const WINOGRAD: bool = false;

    /// Winograd's transforms for an instruction set, for the float that takes them.
    fn transforms(_isa: Isa) -> Option<Transforms<Self>> {
        None
    }
}

impl Real for f32 {
    const WINOGRAD: bool = true;

    fn kernel(isa: Isa) -> Kernel<Self> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::avx512::KERNEL_F32,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::avx2::KERNEL_F32,
            _ => super::portable::KERNEL_F32,
        }
    }

    fn transforms(isa: Isa) -> Option<Transforms<Self>> {
        Some(Transforms::new(isa))
    }
}

impl Real for f64 {
    fn kernel(isa: Isa) -> Kernel<Self> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::avx512::KERNEL_F64,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::avx2::KERNEL_F64,
            _ => super::portable::KERNEL_F64,
        }
    }
}

/// A micro-kernel and the largest tile it computes: `rows` × `2 · lanes`.
#[derive(Clone, Copy)]
pub(crate) struct Kernel<T> {
    /// The most rows of a tile.
    pub rows: usize,
    /// Elements in a vector; a tile is one or two vectors wide.
    pub lanes: usize,
    /// Computes a tile of `rows` × `vectors · lanes` of which the first `Tile::columns` columns are stored.
    ///
    /// # Safety
    /// The instruction set is there, `1 ≤ rows ≤ self.rows`, `vectors` is 1 or 2, and every address that [`Tile`]
    /// describes is valid.
    pub run: unsafe fn(tile: &Tile<T>, rows: usize, vectors: usize),
    /// The dot products of `rows` rows (the first of [`Dots::a`]) with all lines; what belongs to other rows means
    /// nothing.
    ///
    /// # Safety
    /// The instruction set is there, `1 ≤ rows ≤ DOT_ROWS`, and every line of `dots` is as long as it says.
    pub dots: unsafe fn(dots: &Dots<T>, rows: usize) -> DotSums<T>,
}

impl<T> Kernel<T> {
    /// The most `k` of a panel: two vectors of columns, so long, stay in the first cache.
    pub const LONGEST: usize = 832 / size_of::<T>();
}

/// The most rows of [`Kernel::dots`].
pub(crate) const DOT_ROWS: usize = 8;
/// The lines of [`Kernel::dots`].
pub(crate) const DOT_LINES: usize = 4;
/// What [`Kernel::dots`] returns.
pub(crate) type DotSums<T> = [[T; DOT_LINES]; DOT_ROWS];

/// Lines whose dot products are taken: `Σ_k a[i][k] · b[j][k]`.
pub(crate) struct Dots<T> {
    /// The rows.
    pub a: [*const T; DOT_ROWS],
    /// The lines.
    pub b: [*const T; DOT_LINES],
    /// Elements of each.
    pub length: usize,
}

/// The operands of one tile: with `a(i, s, k) = a[i·a_row + segments[s] + k·a_step]`,
/// `c[i·c_row + j] (+)= Σ_s Σ_k a(i, s, k) · b[(s·length + k)·b_step + j]`.
///
/// A plain panel is one segment. A convolution reads its patches in place: one segment for each run of a patch that is
/// contiguous in the image.
pub(crate) struct Tile<'a, T> {
    /// The row operand, read one element at a time.
    pub a: *const T,
    /// From one row of it to the next.
    pub a_row: usize,
    /// From one `k` of it to the next.
    pub a_step: usize,
    /// Where each segment of `k` starts, relative to `a`.
    pub segments: &'a [usize],
    /// The number of `k` in each segment.
    pub length: usize,
    /// The column operand, whole vectors wide.
    pub b: *const T,
    /// From one `k` of it to the next.
    pub b_step: usize,
    /// The result.
    pub c: *mut T,
    /// From one row of it to the next.
    pub c_row: usize,
    /// How many columns are stored.
    pub columns: usize,
    /// Whether the products are added to what `c` holds.
    pub accumulate: bool,
}

/// The sum of a vector's elements, a power of two of them: halves are added until one is left.
pub(super) fn total<T: Real>(values: &mut [T]) -> T {
    let mut count = values.len();
    while count > 1 {
        count /= 2;
        for i in 0..count {
            let upper = values[count + i];
            values[i] += upper;
        }
    }
    values[0]
}

/// A loop over the first `M` of the rows listed that is written out: the compiler gives up unrolling the longest, and
/// then keeps the sums in memory.
macro_rules! for_rows {
    ($i:ident < $m:ident of [$($row:literal)*] => $body:block) => {
        for_rows!(@ $i, $m, $body, $($row)*)
    };
    (@ $i:ident, $m:ident, $body:block, $($row:literal)*) => {
        $(if $row < $m {
            let $i: usize = $row;
            $body
        })*
    };
}
pub(super) use for_rows;
