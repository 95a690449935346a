//! Affine transformation of an image: bilinear interpolation, with zeros beyond the edges.

use super::Picture;

/// The map from an output pixel to the point of the input that it is sampled from: a linear map about the image's
/// centre, ((W−1)/2, (H−1)/2), then a shift. Coordinates are (x, y) in pixels, x to the right and y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct InverseMap {
    /// [[a, b], [c, d]].
    pub linear: [[f64; 2]; 2],
    /// The shift (x, y) in pixels, added after the linear map.
    pub shift: [f64; 2],
}

/// A transformation of an image, as torchvision's `affine`: shear, scale and rotation about the centre, then a shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Motion {
    /// The angle of rotation in degrees, clockwise (y points down).
    pub degrees: f64,
    /// The shift to the right and down, in pixels.
    pub shift: [f64; 2],
    /// The scale: over 1 enlarges.
    pub scale: f64,
    /// The angles of shear along x and along y, in degrees, below 90.
    pub shear: [f64; 2],
}

impl Motion {
    /// The identity.
    pub const NONE: Self = Self { degrees: 0.0, shift: [0.0; 2], scale: 1.0, shear: [0.0; 2] };

    /// The inverse map, M⁻¹ (p − shift) with M = scale · R(degrees) · Shear_y · Shear_x, whose determinant is scale².
    pub fn inverse(&self) -> InverseMap {
        let (rotation, [sx, sy]) = (self.degrees.to_radians(), self.shear.map(f64::to_radians));
        let (sin, cos) = (rotation - sy).sin_cos();
        let a = cos / sy.cos();
        let b = -cos * sx.tan() / sy.cos() - rotation.sin();
        let c = sin / sy.cos();
        let d = -sin * sx.tan() / sy.cos() + rotation.cos();
        let linear = [[d, -b], [-c, a]].map(|row| row.map(|x| x / self.scale));
        let shift = linear.map(|[x, y]| -(x * self.shift[0] + y * self.shift[1]));
        InverseMap { linear, shift }
    }
}

/// y[c, h, w] = x[c, ·, ·] interpolated bilinearly at `map` (w, h); pixels beyond the edge count as zeros.
pub(super) fn warp(picture: &mut Picture<'_>, map: &InverseMap) {
    let [_, height, width] = picture.shape();
    let (cx, cy) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
    let InverseMap { linear: [[a, b], [c, d]], shift: [tx, ty] } = *map;
    picture.redraw(|old, new| {
        for h in 0..height {
            let y = h as f64 - cy;
            for w in 0..width {
                let x = w as f64 - cx;
                let taps = Taps::at(a * x + b * y + tx + cx, c * x + d * y + ty + cy, width, height);
                let mut plane = 0;
                while plane < old.len() {
                    new[plane + h * width + w] = taps.blend(&old[plane..plane + height * width]);
                    plane += height * width;
                }
            }
        }
    });
}

/// The four pixels around a point, and their weights: [top left, top right, bottom left, bottom right].
struct Taps {
    at: [usize; 4],
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
}

impl Taps {
    #[inline]
    fn at(x: f64, y: f64, width: usize, height: usize) -> Self {
        let inside = x >= 0.0 && y >= 0.0 && x < width as f64 - 1.0 && y < height as f64 - 1.0;
        if inside {
            // The fast path for most points: all four pixels are inside, and the cast rounds down.
            let (column, row) = (x as usize, y as usize);
            let (u, v) = ((x - column as f64) as f32, (y - row as f64) as f32);
            let at = row * width + column;
            return Self {
                at: [at, at + 1, at + width, at + width + 1],
                left: 1.0 - u,
                right: u,
                top: 1.0 - v,
                bottom: v,
            };
        }
        let (column, row) = (x.floor(), y.floor());
        let (u, v) = ((x - column) as f32, (y - row) as f32);
        let (l, left) = weighed(column, width, 1.0 - u);
        let (r, right) = weighed(column + 1.0, width, u);
        let (t, top) = weighed(row, height, 1.0 - v);
        let (b, bottom) = weighed(row + 1.0, height, v);
        Self { at: [t * width + l, t * width + r, b * width + l, b * width + r], left, right, top, bottom }
    }

    #[inline]
    fn blend(&self, plane: &[f32]) -> f32 {
        let [a, b, c, d] = self.at.map(|i| plane[i]);
        self.top * (self.left * a + self.right * b) + self.bottom * (self.left * c + self.right * d)
    }
}

/// The index `i` and its weight, or index 0 with weight 0 for an `i` outside `0..n`.
fn weighed(i: f64, n: usize, weight: f32) -> (usize, f32) {
    if i >= 0.0 && i < n as f64 { (i as usize, weight) } else { (0, 0.0) }
}
