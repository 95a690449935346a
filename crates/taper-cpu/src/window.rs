//! The geometry of pooling windows.

use crate::CpuBackend;
use crate::layout::{channels_last, is_channels_last, is_row_major};
use std::ops::Range;
use taper_backend::{Buffer, Error, Pool2dSpec, Result, Shape};

/// The largest number of places in a window. (With padding, a window may be far larger than any image.)
const LARGEST: usize = 1 << 31;

/// Pooling windows over images `[N, C, H, W]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolWindows {
    pub(crate) n: usize,
    pub(crate) c: usize,
    /// The image's height and width.
    pub(crate) size: [usize; 2],
    /// The number of windows vertically and horizontally: the output height and width.
    pub(crate) out: [usize; 2],
    pub(crate) spec: Pool2dSpec,
}

impl PoolWindows {
    pub(crate) fn new(op: &'static str, x: &Shape, spec: &Pool2dSpec) -> Result<Self> {
        let y = spec.output_shape(op, x)?;
        let [down, across] = spec.kernel_size;
        if down.saturating_mul(across) > LARGEST {
            let detail = format!("a window of {down} × {across} is too large; at most {LARGEST} places");
            return Err(Error::argument(op, detail));
        }
        let windows = Self { n: x[0], c: x[1], size: [x[2], x[3]], out: [y[2], y[3]], spec: *spec };
        if x.count() == 0 && y.count() > 0 {
            return Err(Error::shape(op, format!("the pictures of {x} have no elements to pool")));
        }
        Ok(windows)
    }

    pub(crate) fn y_shape(&self) -> Shape {
        [self.n, self.c, self.out[0], self.out[1]].into()
    }

    /// The places of window `i` along `axis` (0 vertical, 1 horizontal) that lie in the image, not in its padding.
    pub(crate) fn inside(&self, axis: usize, i: usize) -> Range<usize> {
        let (start, padding) = (i * self.spec.stride[axis], self.spec.padding[axis]);
        padding.saturating_sub(start)
            ..self.spec.kernel_size[axis].min((self.size[axis] + padding).saturating_sub(start))
    }

    /// The image's index at place `p` of window `i` along `axis`; `p` must be in [`PoolWindows::inside`].
    pub(crate) fn at(&self, axis: usize, i: usize, p: usize) -> usize {
        i * self.spec.stride[axis] + p - self.spec.padding[axis]
    }

    /// Calls `f(window place, index into the plane)` for each element of window `(i, j)` in the image, row by row.
    pub(crate) fn each(&self, i: usize, j: usize, mut f: impl FnMut(usize, usize)) {
        let (down, across) = (self.inside(0, i), self.inside(1, j));
        for p in down {
            let row = self.at(0, i, p) * self.size[1];
            for q in across.clone() {
                f(p * self.spec.kernel_size[1] + q, row + self.at(1, j, q));
            }
        }
    }

    /// Calls `f(range of the plane)` for each contiguous range of elements of window `(i, j)` in the image.
    pub(crate) fn each_run(&self, i: usize, j: usize, mut f: impl FnMut(Range<usize>)) {
        let (down, across) = (self.inside(0, i), self.inside(1, j));
        if across.len() == self.size[1] && !down.is_empty() {
            let start = self.at(0, i, down.start) * self.size[1];
            return f(start..start + down.len() * self.size[1]);
        }
        for p in down.filter(|_| !across.is_empty()) {
            let start = self.at(0, i, p) * self.size[1] + self.at(1, j, across.start);
            f(start..start + across.len());
        }
    }

    /// The most windows that cover one element.
    pub(crate) fn overlap(&self) -> usize {
        let along = |axis: usize| self.spec.kernel_size[axis].div_ceil(self.spec.stride[axis]).min(self.out[axis]);
        along(0) * along(1)
    }

    /// The windows along `axis` whose place `p` lies in the image.
    pub(crate) fn reaching(&self, axis: usize, p: usize) -> Range<usize> {
        let (stride, padding) = (self.spec.stride[axis], self.spec.padding[axis]);
        let first = padding.saturating_sub(p).div_ceil(stride);
        let end = (self.size[axis] + padding).saturating_sub(p).div_ceil(stride);
        first..end.min(self.out[axis])
    }

    /// The offset in the plane of each place of a window relative to the window's corner; `None` for windows of more
    /// than 256 places.
    pub(crate) fn place_offsets(&self) -> Option<Vec<usize>> {
        let [down, across] = self.spec.kernel_size;
        let offset = |place| place / across * self.size[1] + place % across;
        (down * across <= 256).then(|| (0..down * across).map(offset).collect())
    }

    /// The index into the plane of the top left corner of window `(i, j)`. In padding it is negative, and wraps.
    pub(crate) fn corner(&self, i: usize, j: usize) -> usize {
        let at = |axis: usize, i: usize| (i * self.spec.stride[axis]).wrapping_sub(self.spec.padding[axis]);
        at(0, i).wrapping_mul(self.size[1]).wrapping_add(at(1, j))
    }

    /// The index into the plane of place `place` of window `(i, j)`.
    pub(crate) fn plane_index(&self, i: usize, j: usize, place: usize) -> usize {
        let across = self.spec.kernel_size[1];
        self.at(0, i, place / across) * self.size[1] + self.at(1, j, place % across)
    }

    /// The number that average pooling divides the sum of window `(i, j)` by: its places in the image or, with
    /// `count_include_pad`, in the padded image, as in PyTorch.
    pub(crate) fn divisor(&self, i: usize, j: usize) -> usize {
        let count = |axis: usize, i: usize| {
            if self.spec.count_include_pad {
                let start = i * self.spec.stride[axis];
                let end = (start + self.spec.kernel_size[axis]).min(self.size[axis] + 2 * self.spec.padding[axis]);
                end - start
            } else {
                self.inside(axis, i).len()
            }
        };
        count(0, i) * count(1, j)
    }
}

/// `x` in row-major or channels-last order, which the pooling kernels take, and whether it is channels-last.
pub(crate) fn pooling_layout(cpu: &CpuBackend, x: &Buffer) -> Result<(Buffer, bool)> {
    let strides = &cpu.strided(x)?.strides;
    if is_row_major(x.shape(), strides) {
        Ok((x.clone(), false))
    } else if is_channels_last(x.shape(), strides) {
        Ok((x.clone(), true))
    } else {
        Ok((cpu.to_contiguous(x)?, false))
    }
}

/// `x` in channels-last order if `last`, else in row-major order.
pub(crate) fn in_layout(cpu: &CpuBackend, x: &Buffer, last: bool) -> Result<Buffer> {
    if last { cpu.to_channels_last(x) } else { cpu.to_contiguous(x) }
}

/// The strides of `shape`: channels-last if `last`, else row-major.
pub(crate) fn layout_strides(shape: &Shape, last: bool) -> Vec<usize> {
    match (&shape[..], last) {
        (&[n, c, h, w], true) => channels_last([n, c, h, w]),
        _ => shape.strides(),
    }
}
