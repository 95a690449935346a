//! The interface of the micro-kernels, which compute one register tile of `C = A·B` or `C += A·B`; each instruction set
//! has one.

use crate::conv::winograd::Transforms;
use crate::isa::Isa;
use crate::math::Float;

/// The element types that matrix products are computed in: f32 and f64.
pub(crate) trait Real: Float + Default {
    /// The micro-kernel for an instruction set.
    fn kernel(isa: Isa) -> Kernel<Self>;

    /// Whether convolutions of this type may use Winograd's algorithm. It is a constant, so that the code is not
    /// compiled for types that never do.
    const WINOGRAD: bool = false;

    /// Winograd's transforms for an instruction set; `None` for types that do not use the algorithm.
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
    /// Computes a tile of `rows` rows and `vectors · lanes` columns, and stores the first `Tile::columns` columns.
    ///
    /// # Safety
    /// The machine has the instruction set, `1 ≤ rows ≤ self.rows`, `vectors` is 1 or 2, and every address that
    /// [`Tile`] describes is valid.
    pub run: unsafe fn(tile: &Tile<T>, rows: usize, vectors: usize),
    /// The dot products of the first `rows` rows of [`Dots::a`] with all lines of [`Dots::b`]. The results for other
    /// rows are unspecified.
    ///
    /// # Safety
    /// The machine has the instruction set, `1 ≤ rows ≤ DOT_ROWS`, and every line of `dots` has `dots.length` elements.
    pub dots: unsafe fn(dots: &Dots<T>, rows: usize) -> DotSums<T>,
    /// Transposes a block of `lanes` × `lanes` elements, `to[k · width + i] = from[i · line + k]`, where the instruction set
    /// has something faster than the compiler finds.
    ///
    /// # Safety
    /// The machine has the instruction set, and all these addresses are valid.
    pub transpose: Option<Transpose<T>>,
}

/// What [`Kernel::transpose`] is.
pub(crate) type Transpose<T> = unsafe fn(from: *const T, line: usize, to: *mut T, width: usize);

impl<T> Kernel<T> {
    /// The largest depth (number of `k`) of a panel: a panel of two vectors of columns of this depth stays in the L1
    /// cache.
    pub const LONGEST: usize = 832 / size_of::<T>();
}

/// The largest number of rows of [`Kernel::dots`].
pub(crate) const DOT_ROWS: usize = 8;
/// The number of lines of [`Kernel::dots`].
pub(crate) const DOT_LINES: usize = 4;
/// The dot products that [`Kernel::dots`] returns, for each row and line.
pub(crate) type DotSums<T> = [[T; DOT_LINES]; DOT_ROWS];

/// The operands of dot products `Σ_k a[i][k] · b[j][k]`, `k` in `0..length`.
pub(crate) struct Dots<T> {
    /// The rows.
    pub a: [*const T; DOT_ROWS],
    /// The lines.
    pub b: [*const T; DOT_LINES],
    /// Elements of each row and line.
    pub length: usize,
}

/// The operands of one tile. With `a(i, s, k) = a[i·a_row + segments[s] + k·a_step]`,
/// `c[i·c_row + j] (+)= Σ_s Σ_k a(i, s, k) · b[(s·length + k)·b_step + j]`.
///
/// A packed panel is one segment. A convolution reads its patches in place, with one segment for each run of a patch
/// that is contiguous in the image.
pub(crate) struct Tile<'a, T> {
    /// The row operand, read one element at a time.
    pub a: *const T,
    /// The elements from one row of `a` to the next.
    pub a_row: usize,
    /// The elements from one `k` of `a` to the next.
    pub a_step: usize,
    /// The offset from `a` at which each segment of `k` starts.
    pub segments: &'a [usize],
    /// The number of `k` in each segment.
    pub length: usize,
    /// The column operand, whole vectors wide.
    pub b: *const T,
    /// The elements from one `k` of `b` to the next.
    pub b_step: usize,
    /// The result.
    pub c: *mut T,
    /// The elements from one row of `c` to the next.
    pub c_row: usize,
    /// The number of columns that are stored.
    pub columns: usize,
    /// Whether the products are added to what `c` holds.
    pub accumulate: bool,
    /// What is needed soon, and may be prefetched meanwhile.
    pub soon: Soon<T>,
}

/// Memory that is needed soon: with each `k` of a tile, a kernel may prefetch the cache line at `start + k · step` to the L2
/// cache.
#[derive(Clone, Copy)]
pub(crate) struct Soon<T> {
    /// Any address: nothing is read there.
    pub start: *const T,
    pub step: usize,
}

impl<T> Soon<T> {
    /// Nothing: what is in the cache already is prefetched.
    pub fn nothing(near: *const T) -> Self {
        Self { start: near, step: 0 }
    }

    /// The share of the tile `i` of `count`, each `length` deep, of `elements` elements at `start`.
    pub fn share(start: *const T, elements: usize, (i, count): (usize, usize), length: usize) -> Self {
        let share = elements.div_ceil(count.max(1));
        Self { start: start.wrapping_add(i * share), step: share.div_ceil(length.max(1)) }
    }
}

/// The sum of `values`, whose length is a power of two: the two halves are added until one element is left.
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

/// An unrolled loop over the first `M` of the rows listed. (The compiler does not unroll the longest loops itself, and
/// then keeps the sums in memory.)
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
