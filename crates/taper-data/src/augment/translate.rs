//! Random shift by whole pixels: padding followed by a random crop.

use super::{Augmentation, Draw, Picture, argument};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Shifts the image: y[c, h, w] = x[c, h + dy, w + dx], with dy and dx independent and uniform among the integers
/// −`pixels`..=`pixels`.
///
/// This is the same as padding by `pixels` on all sides and cropping at random to the original size, as torchvision's
/// `RandomCrop(size, padding)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Translate {
    /// The largest shift in pixels: at least 1, at most the shorter side (less 1 for [`Fill::Reflect`]).
    pub pixels: usize,
    /// The values of pixels that come from beyond the edge.
    #[serde(default)]
    pub fill: Fill,
}

/// The values beyond the edge of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// Zeros.
    #[default]
    Zero,
    /// Reflection that does not repeat the outermost pixels, as PyTorch's `reflect` padding: … 2 1 | 0 1 2 ….
    Reflect,
}

impl Augmentation for Translate {
    fn check(&self) -> Result<()> {
        if self.pixels == 0 {
            return Err(argument("translate: pixels: expected at least 1, found 0".into()));
        }
        Ok(())
    }

    fn check_shape(&self, [_, height, width]: [usize; 3]) -> Result<()> {
        let side = height.min(width);
        let most = if self.fill == Fill::Reflect { side.saturating_sub(1) } else { side };
        if self.pixels > most {
            return Err(argument(format!(
                "translate: pixels: expected at most {most} for pictures of {height}×{width}, found {}",
                self.pixels
            )));
        }
        Ok(())
    }

    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw) {
        let [_, height, width] = picture.shape();
        // A shift by the whole side already leaves no pixel of the image.
        let (dy, dx) = (draw.offset(0, self.pixels.min(height)), draw.offset(1, self.pixels.min(width)));
        if dy == 0 && dx == 0 {
            return;
        }
        let fill = self.fill;
        picture.redraw_channels(|old, new| shift(old, new, width, dy, dx, fill));
    }
}

/// `new[h, w] = old[h + dy, w + dx]` in one channel. The part of each row that comes from inside the image is copied
/// as a slice.
fn shift(old: &[f32], new: &mut [f32], width: usize, dy: isize, dx: isize, fill: Fill) {
    let height = old.len() / width;
    // Columns `left..right` of `new` come from inside the row.
    let left = (-dx).max(0) as usize;
    let right = width - dx.max(0) as usize;
    let from = dx.max(0) as usize;
    for (h, row) in new.chunks_exact_mut(width).enumerate() {
        let Some(source) = place(h as isize + dy, height, fill) else {
            row.fill(0.0);
            continue;
        };
        let source = &old[source * width..][..width];
        row[left..right].copy_from_slice(&source[from..from + (right - left)]);
        for w in (0..left).chain(right..width) {
            row[w] = place(w as isize + dx, width, fill).map_or(0.0, |i| source[i]);
        }
    }
}

/// The index in `0..n` that `i` is read from, or `None` for a zero.
fn place(i: isize, n: usize, fill: Fill) -> Option<usize> {
    let inside = usize::try_from(i).ok().filter(|&i| i < n);
    match fill {
        Fill::Zero => inside,
        Fill::Reflect => inside.or_else(|| {
            let mirrored = if i < 0 { -i } else { 2 * (n as isize - 1) - i };
            usize::try_from(mirrored).ok().filter(|&i| i < n)
        }),
    }
}
