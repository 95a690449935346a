//! Pictures as convolutions read them: channels last, whatever they are stored as.

use crate::gemm::Real;
use crate::storage::{Stored, View};
use crate::{Isa, isa::multiversion};
use std::ops::Range;

/// A batch of pictures `[N, C, H, W]`.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a, T> {
    /// As they are.
    Plain(View<'a, T>),
    /// `g` where the output `y` of a ReLU is above 0, else 0. Both dense, channels last.
    Masked { g: View<'a, T>, y: &'a [T] },
    /// The gradient of max pooling over windows that lie side by side: `g` at the place in its window that `which`
    /// says, 0 elsewhere. Both dense, channels last.
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

    /// Copies `channels` of rows `y` and columns `x` of picture `n` to `out: [y, x, channels]`; zeros outside the
    /// picture.
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

    /// A part of one row, all inside the picture.
    fn load_row(&self, isa: Isa, n: usize, channels: Range<usize>, y: usize, x: Range<usize>, out: &mut [T]) {
        let count = channels.len();
        match *self {
            Self::Plain(view) => {
                let &[sn, sc, sh, sw] = view.strides else { return };
                let start = view.offset + n * sn + channels.start * sc + y * sh;
                if sc == 1 && sw == count {
                    out.copy_from_slice(&view.data[start + x.start * sw..start + x.end * sw]);
                } else if sc == 1 {
                    for (x, out) in x.zip(out.chunks_mut(count.max(1))) {
                        out.copy_from_slice(&view.data[start + x * sw..start + x * sw + count]);
                    }
                } else {
                    for c in 0..count {
                        let start = start + c * sc;
                        for (x, out) in x.clone().zip(out[c..].iter_mut().step_by(count.max(1))) {
                            *out = view.data[start + x * sw];
                        }
                    }
                }
            }
            Self::Masked { g, y: output } => {
                let (all, width) = (g.shape[1], g.shape[3]);
                let row = (n * g.shape[2] + y) * width;
                for (x, out) in x.zip(out.chunks_mut(count.max(1))) {
                    let start = (row + x) * all + channels.start;
                    let (g, output) = (&g.data[g.offset + start..][..count], &output[start..][..count]);
                    for ((out, &g), &y) in out.iter_mut().zip(g).zip(output) {
                        *out = if y > T::default() { g } else { T::default() };
                    }
                }
            }
            Self::Unpooled { g, which, window, .. } => {
                let (all, height, width) = (g.shape[1], g.shape[2], g.shape[3]);
                let cell_y = y / window[0];
                for (x, out) in x.zip(out.chunks_mut(count.max(1))) {
                    let cell_x = x / window[1];
                    if cell_y >= height || cell_x >= width {
                        out.fill(T::default());
                        continue;
                    }
                    let start = ((n * height + cell_y) * width + cell_x) * all + channels.start;
                    let place = y % window[0] * window[1] + x % window[1];
                    let (g, which) = (&g.data[g.offset + start..][..count], &which[start..][..count]);
                    pick::<T>(isa, g, which, place as u8, out);
                }
            }
        }
    }
}

multiversion! {
    /// `out = g` where `which` is `place`, else 0.
    fn pick<T: Real>(g: &[T], which: &[u8], place: u8, out: &mut [T]) {
        for ((out, &g), &which) in out.iter_mut().zip(g).zip(which) {
            *out = if which == place { g } else { T::default() };
        }
    }
}
