//! Image batches as convolutions read them: loaded as channels-last tiles from any layout.

use crate::activation::gate;
use crate::gemm::Real;
use crate::storage::{Stored, View};
use crate::{Isa, isa::multiversion};
use std::ops::Range;

/// A batch of images `[N, C, H, W]`.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a, T> {
    /// The elements of a view, unchanged.
    Plain(View<'a, T>),
    /// The gradient of ReLU: `g` where its output `y` is above 0, else 0. Both are dense and channels-last.
    Masked { g: View<'a, T>, y: &'a [T] },
    /// The gradient of max pooling over windows that do not overlap: `g` at the place in its window that `which` says,
    /// 0 elsewhere. Both are dense and channels-last.
    Unpooled { g: View<'a, T>, which: &'a [u8], window: [usize; 2], size: [usize; 2] },
}

impl<T: Real + Stored> Source<'_, T> {
    /// `[N, C, H, W]`.
    pub fn shape(&self) -> [usize; 4] {
        let (view, size) = match self {
            Self::Plain(view) => (view, [view.shape[2], view.shape[3]]),
            Self::Masked { g, .. } => (g, [g.shape[2], g.shape[3]]),
            Self::Unpooled { g, size, .. } => (g, *size),
        };
        [view.shape[0], view.shape[1], size[0], size[1]]
    }

    /// Copies `channels` of rows `y` and columns `x` of image `n` to `out: [y, x, channels]`; zeros outside the
    /// image.
    pub fn load(&self, isa: Isa, n: usize, channels: Range<usize>, y: Range<isize>, x: Range<isize>, out: &mut [T]) {
        let [_, _, height, width] = self.shape();
        let count = channels.len();
        let inside = x.start.clamp(0, width as isize) as usize..x.end.clamp(0, width as isize) as usize;
        for (row, out) in y.zip(out.chunks_mut((x.len() * count).max(1))) {
            if row < 0 || row >= height as isize || inside.is_empty() {
                out.fill(T::default());
                continue;
            }
            let left = (inside.start as isize - x.start) as usize * count;
            let (before, rest) = out.split_at_mut(left);
            let (middle, after) = rest.split_at_mut(inside.len() * count);
            before.fill(T::default());
            after.fill(T::default());
            self.load_row(isa, n, channels.clone(), row as usize, inside.clone(), middle);
        }
    }

    /// Copies a part of one row, all inside the image.
    fn load_row(&self, isa: Isa, n: usize, channels: Range<usize>, y: usize, x: Range<usize>, out: &mut [T]) {
        let count = channels.len();
        if count == 0 {
            return;
        }
        match *self {
            Self::Plain(view) => {
                let &[sn, sc, sh, sw] = view.strides else { return };
                let start = view.offset + n * sn + channels.start * sc + y * sh + x.start * sw;
                if sc == 1 && sw == count {
                    out.copy_from_slice(&view.data[start..start + out.len()]);
                } else if sc == 1 {
                    copy_runs(isa, &view.data[start..], sw, count, out);
                } else {
                    for c in 0..count {
                        let row = &view.data[start + c * sc..];
                        // By index, since `step_by` does not take the stride 0 of a broadcast row.
                        out[c..].iter_mut().step_by(count).enumerate().for_each(|(x, out)| *out = row[x * sw]);
                    }
                }
            }
            Self::Masked { g, y: output } => {
                let (all, width) = (g.shape[1], g.shape[3]);
                let start = ((n * g.shape[2] + y) * width + x.start) * all + channels.start;
                mask_runs(isa, &g.data[g.offset + start..], &output[start..], all, count, out);
            }
            Self::Unpooled { g, which, window, .. } => {
                let (all, height, width) = (g.shape[1], g.shape[2], g.shape[3]);
                let cell = y / window[0];
                // Places that no window covers have no gradient.
                let reached = if cell < height { x.end.min(width * window[1]).max(x.start) } else { x.start };
                let (out, rest) = out.split_at_mut((reached - x.start) * count);
                rest.fill(T::default());
                if !out.is_empty() {
                    let start = (n * height + cell) * width * all + channels.start;
                    let place = y % window[0] * window[1];
                    pick_runs(
                        isa,
                        &g.data[g.offset + start..],
                        &which[start..],
                        all,
                        count,
                        x.start,
                        window[1],
                        place,
                        out,
                    );
                }
            }
        }
    }
}

/// The number of elements that are copied at once.
const BLOCK: usize = 16;

multiversion! {
    /// Copies runs of `count` elements, which start `pitch` elements apart, to `out`, one after another.
    fn copy_runs<T: Real>(from: &[T], pitch: usize, count: usize, out: &mut [T]) {
        for (i, out) in out.chunks_mut(count).enumerate() {
            let from = &from[i * pitch..i * pitch + count];
            // Whole vectors inline: a call to `memcpy` would take longer than so short a copy.
            let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
            let (from_blocks, from_rest) = from.as_chunks::<BLOCK>();
            for (out, from) in blocks.iter_mut().zip(from_blocks) {
                *out = *from;
            }
            for (out, from) in rest.iter_mut().zip(from_rest) {
                *out = *from;
            }
        }
    }
}

multiversion! {
    /// Copies runs of `g` as [`copy_runs`] does, where `y` is above 0, and 0 elsewhere.
    fn mask_runs<T: Real>(g: &[T], y: &[T], pitch: usize, count: usize, out: &mut [T]) {
        for (i, out) in out.chunks_mut(count).enumerate() {
            let range = i * pitch..i * pitch + count;
            for ((out, &g), &y) in out.iter_mut().zip(&g[range.clone()]).zip(&y[range]) {
                *out = gate(y, g, T::default());
            }
        }
    }
}

multiversion! {
    /// Fills the places of a row from `first` on: `g` of the window that contains the place, if `which` says that place
    /// (`place` for the windows' first column), else 0.
    fn pick_runs<T: Real>(
        g: &[T],
        which: &[u8],
        pitch: usize,
        count: usize,
        first: usize,
        window: usize,
        place: usize,
        out: &mut [T],
    ) {
        for (i, out) in out.chunks_mut(count).enumerate() {
            let x = first + i;
            let range = x / window * pitch..x / window * pitch + count;
            let place = (place + x % window) as u8;
            for ((out, &g), &which) in out.iter_mut().zip(&g[range.clone()]).zip(&which[range]) {
                *out = if which == place { g } else { T::default() };
            }
        }
    }
}
