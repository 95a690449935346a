//! Affine maps of a picture, bilinear, with zeros beyond its edges.

use super::Picture;

/// A linear map and a shift about the picture's centre, ((W−1)/2, (H−1)/2), in pixels, x to the right and y down: where an
/// output pixel's value is fetched from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Source {
    /// [[a, b], [c, d]].
    pub linear: [[f64; 2]; 2],
    /// Added after.
    pub shift: [f64; 2],
}

/// What happens to the picture, as torchvision's `affine` has it: sheared, scaled and rotated about its centre, then
/// shifted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Motion {
    /// Clockwise, as y points down.
    pub degrees: f64,
    /// To the right and down, in pixels.
    pub shift: [f64; 2],
    /// Over 1 is larger.
    pub scale: f64,
    /// Of x with y and of y with x, in degrees below 90.
    pub shear: [f64; 2],
}

impl Motion {
    pub const NONE: Self = Self { degrees: 0.0, shift: [0.0; 2], scale: 1.0, shear: [0.0; 2] };

    /// The inverse, M⁻¹ (p − shift) with M = scale · R(degrees) · Shear_y · Shear_x, whose determinant is scale².
    pub fn source(&self) -> Source {
        let (rotation, [sx, sy]) = (self.degrees.to_radians(), self.shear.map(f64::to_radians));
        let (sin, cos) = (rotation - sy).sin_cos();
        let a = cos / sy.cos();
        let b = -cos * sx.tan() / sy.cos() - rotation.sin();
        let c = sin / sy.cos();
        let d = -sin * sx.tan() / sy.cos() + rotation.cos();
        let linear = [[d, -b], [-c, a]].map(|row| row.map(|x| x / self.scale));
        let shift = linear.map(|[x, y]| -(x * self.shift[0] + y * self.shift[1]));
        Source { linear, shift }
    }
}

/// y[c, h, w] = x[c, ·, ·] between the four pixels around `source` (w, h); those beyond the edge count as zeros.
pub(super) fn warp(picture: &mut Picture<'_>, source: &Source) {
    let [_, height, width] = picture.shape();
    let size = height * width;
    let (cx, cy) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
    let Source { linear: [[a, b], [c, d]], shift: [tx, ty] } = *source;
    picture.redraw(|old, new| {
        for h in 0..height {
            let y = h as f64 - cy;
            for w in 0..width {
                let x = w as f64 - cx;
                let (sx, sy) = (a * x + b * y + tx + cx, c * x + d * y + ty + cy);
                let (left, top) = (sx.floor(), sy.floor());
                let (u, v) = ((sx - left) as f32, (sy - top) as f32);
                // Of two pixels in a row, or a column, the first, the second, both or none are inside.
                let columns = [(left, 1.0 - u), (left + 1.0, u)].map(|(i, weight)| inside(i, width, weight));
                let rows = [(top, 1.0 - v), (top + 1.0, v)].map(|(i, weight)| inside(i, height, weight));
                let [left, right] = columns;
                let [top, bottom] = rows.map(|(i, weight)| (i * width, weight));
                for (old, new) in old.chunks_exact(size).zip(new.chunks_exact_mut(size)) {
                    let row =
                        |(i, weight): (usize, f32)| weight * (left.1 * old[i + left.0] + right.1 * old[i + right.0]);
                    new[h * width + w] = row(top) + row(bottom);
                }
            }
        }
    });
}

/// An index in `0..n` and its weight: 0 for an `i` that is not there.
fn inside(i: f64, n: usize, weight: f32) -> (usize, f32) {
    if i >= 0.0 && i < n as f64 { (i as usize, weight) } else { (0, 0.0) }
}
