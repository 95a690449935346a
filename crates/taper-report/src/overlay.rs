//! What was found in a picture, drawn on it: masks and boxes in the colours of their classes.

use crate::canvas::{Canvas, text_width};
use crate::{Error, Picture, Result, font};

/// How much of a pixel's colour under a mask is the mask's.
const SHARE: u32 = 60;

/// The colour of class `class`, red, green and blue: of neighbouring numbers they are far apart. Class 0, the background of masks,
/// is black.
pub fn class_colour(class: usize) -> [u8; 3] {
    if class == 0 {
        return [0; 3];
    }
    // Hues by the golden ratio, so that whatever the number of classes, no two are near each other.
    let hue = (class as f64 * 0.618_033_988_749_895).fract() * 6.0;
    let value = [250.0, 190.0][class / 7 % 2];
    [5.0, 3.0, 1.0].map(|turn| {
        let place = (hue + turn) % 6.0;
        let part = place.min(4.0 - place).clamp(0.0, 1.0);
        (value * (1.0 - 0.8 * part)).round() as u8
    })
}

/// A mask as a PNG file: grey levels would hardly be seen, so that pixels are the numbers of their classes, with a palette of
/// their colours, as the masks of PASCAL VOC. `labels: [height, width]` are classes below 256, row by row.
///
/// # Errors
/// A size without pixels, or labels of another number.
pub fn class_mask([height, width]: [usize; 2], labels: &[u8]) -> Result<Vec<u8>> {
    let palette: Vec<u8> = (0..=u8::MAX).flat_map(|class| class_colour(class.into())).collect();
    Ok(Picture::new([1, height, width], labels.to_vec())?.png_with(Some(&palette)))
}

impl Picture {
    /// The picture with a mask over it: a pixel whose label is not 0 takes on the colour of that class. `labels: [H, W]`, row by
    /// row.
    ///
    /// # Errors
    /// Labels of another number than the picture's pixels.
    pub fn masked(&self, labels: &[usize]) -> Result<Self> {
        let mut picture = self.in_colour();
        let [_, height, width] = picture.shape;
        if labels.len() != height * width {
            let found = labels.len();
            return Err(Error::Argument(format!("mask: expected {height} × {width} labels, found {found}")));
        }
        for (channel, plane) in picture.values.chunks_exact_mut(height * width).enumerate() {
            for (value, &label) in plane.iter_mut().zip(labels).filter(|(_, label)| **label != 0) {
                let colour = u32::from(class_colour(label)[channel]);
                *value = ((u32::from(*value) * (100 - SHARE) + colour * SHARE) / 100) as u8;
            }
        }
        Ok(picture)
    }

    /// The picture with boxes on it, each `[x1, y1, x2, y2]` in its pixels, of a class, which gives its colour, and with a text at
    /// its upper edge. What lies outside is not drawn.
    #[must_use]
    pub fn boxed(&self, boxes: &[([f64; 4], usize, String)]) -> Self {
        let [_, height, width] = self.shape;
        let mut canvas = Canvas::of(&self.in_colour());
        for (bounds, class, _) in boxes {
            let colour = class_colour(*class);
            let [left, top, right, bottom] = corners(*bounds, [height, width]);
            canvas.fill(top, left, 1, right - left, colour);
            canvas.fill(bottom.saturating_sub(1), left, 1, right - left, colour);
            canvas.fill(top, left, bottom - top, 1, colour);
            canvas.fill(top, right.saturating_sub(1), bottom - top, 1, colour);
        }
        for (bounds, class, text) in boxes.iter().filter(|(.., text)| !text.is_empty()) {
            let [left, top, ..] = corners(*bounds, [height, width]);
            let (high, wide) = (font::ROWS + 2, text_width(text, 1) + 2);
            let (top, left) = (top.saturating_sub(high), left.min(width.saturating_sub(wide)));
            canvas.fill(top, left, high, wide, class_colour(*class));
            canvas.text(top + 1, left + 1, 1, text, [0; 3]);
        }
        canvas.into_picture()
    }

    /// The picture `times` as high and wide: each pixel a square.
    #[must_use]
    pub fn enlarged(&self, times: usize) -> Self {
        let ([channels, height, width], times) = (self.shape, times.max(1));
        let shape = [channels, height * times, width * times];
        let from = |at: usize| {
            let (channel, inside) = (at / (shape[1] * shape[2]), at % (shape[1] * shape[2]));
            (channel * height + inside / shape[2] / times) * width + inside % shape[2] / times
        };
        let values = (0..shape.iter().product()).map(|at| self.values.get(from(at)).copied().unwrap_or(0)).collect();
        Self { shape, values }
    }

    /// The picture in red, green and blue.
    fn in_colour(&self) -> Self {
        let [channels, height, width] = self.shape;
        if channels == 3 { self.clone() } else { Self { shape: [3, height, width], values: self.values.repeat(3) } }
    }
}

/// Left, top, right and bottom of a box in whole pixels inside the picture.
fn corners(bounds: [f64; 4], [height, width]: [usize; 2]) -> [usize; 4] {
    let most = [width, height, width, height];
    // The conversion saturates, and turns NaN into 0.
    let [left, top, right, bottom] = std::array::from_fn(|side| (bounds[side].round() as usize).min(most[side]));
    [left, top, right.max(left), bottom.max(top)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_can_be_told_apart() {
        let colours: Vec<[u8; 3]> = (0..14).map(class_colour).collect();
        for (i, a) in colours.iter().enumerate() {
            for b in &colours[..i] {
                let apart: i32 = a.iter().zip(b).map(|(&a, &b)| (i32::from(a) - i32::from(b)).abs()).sum();
                assert!(apart > 60, "{a:?} {b:?}");
            }
        }
        assert_eq!(colours[0], [0, 0, 0]);
    }

    #[test]
    fn a_mask_lies_over_its_pixels_alone() {
        let grey = Picture::new([1, 1, 3], vec![100, 100, 100]).unwrap();
        let masked = grey.masked(&[0, 1, 0]).unwrap();
        let [red, green, blue] = class_colour(1).map(|colour| ((100 * 40 + u32::from(colour) * 60) / 100) as u8);
        assert_eq!(
            (masked.shape(), masked.values()),
            ([3, 1, 3], &[100, red, 100, 100, green, 100, 100, blue, 100][..])
        );
        assert_eq!(grey.masked(&[0]).unwrap_err().to_string(), "mask: expected 1 × 3 labels, found 1");
    }

    #[test]
    fn a_box_is_drawn_along_its_inner_edge() {
        let black = Picture::new([1, 5, 6], vec![0; 30]).unwrap();
        let boxed = black.boxed(&[([1.0, 1.0, 5.0, 4.0], 2, String::new())]);
        let inside = |y: usize, x: usize| boxed.values()[y * 6 + x] != 0;
        let drawn: Vec<String> =
            (0..5).map(|y| (0..6).map(|x| if inside(y, x) { '#' } else { '.' }).collect()).collect();
        assert_eq!(drawn, ["......", ".####.", ".#..#.", ".####.", "......"]);
        // Outside, or of no number: nothing, and no panic.
        for bounds in [[9.0, 9.0, 12.0, 12.0], [f64::NAN; 4], [-5.0, -5.0, -1.0, -1.0], [4.0, 4.0, 1.0, 1.0]] {
            let _ = black.boxed(&[(bounds, 1, "text".into())]);
        }
    }

    #[test]
    fn pixels_become_squares() {
        let picture = Picture::new([1, 1, 2], vec![1, 2]).unwrap().enlarged(2);
        assert_eq!((picture.shape(), picture.values()), ([1, 2, 4], &[1, 1, 2, 2, 1, 1, 2, 2][..]));
    }

    #[test]
    fn a_file_of_classes_has_a_palette() {
        let png = class_mask([1, 2], &[0, 3]).unwrap();
        let at = png.windows(4).position(|kind| kind == b"PLTE").unwrap();
        assert_eq!(png[25], 3, "pixels are places in a palette");
        assert_eq!(png[at - 4..at], 768_u32.to_be_bytes());
        assert_eq!(png[at + 4 + 9..at + 4 + 12], class_colour(3));
        assert!(class_mask([1, 2], &[0]).is_err());
    }
}
