//! Drawing rectangles and text on an image.

use crate::{Picture, font};

/// RGB: red, green, blue.
pub(crate) type Colour = [u8; 3];

/// An image to draw on; what lies outside is not drawn.
pub(crate) struct Canvas {
    height: usize,
    width: usize,
    pixels: Vec<Colour>,
}

/// The width in pixels of `text` at `scale`, without the gap after its last character.
pub(crate) fn text_width(text: &str, scale: usize) -> usize {
    (text.chars().count() * font::ADVANCE).saturating_sub(1) * scale
}

impl Canvas {
    /// A white canvas of at least one pixel.
    pub fn new(height: usize, width: usize) -> Self {
        let (height, width) = (height.max(1), width.max(1));
        Self { height, width, pixels: vec![[255; 3]; height * width] }
    }

    /// A canvas with a picture of three channels on it.
    pub fn of(picture: &Picture) -> Self {
        let [_, height, width] = picture.shape();
        let plane = height * width;
        let value = |at: usize| picture.values().get(at).copied().unwrap_or(0);
        let pixels = (0..plane).map(|at| [value(at), value(plane + at), value(2 * plane + at)]).collect();
        Self { height, width, pixels }
    }

    pub fn fill(&mut self, top: usize, left: usize, height: usize, width: usize, colour: Colour) {
        for y in top..(top + height).min(self.height) {
            let (start, end) = (left.min(self.width), (left + width).min(self.width));
            self.pixels[y * self.width + start..y * self.width + end].fill(colour);
        }
    }

    /// Draws text to the right from (`top`, `left`), with `scale` pixels per dot of a glyph.
    pub fn text(&mut self, top: usize, left: usize, scale: usize, text: &str, colour: Colour) {
        for (x, y) in dots(text) {
            self.fill(top + y * scale, left + x * scale, scale, scale, colour);
        }
    }

    /// Draws text upwards from (`bottom`, `left`), turned to the left by 90°.
    pub fn text_up(&mut self, bottom: usize, left: usize, scale: usize, text: &str, colour: Colour) {
        for (x, y) in dots(text) {
            if let Some(top) = bottom.checked_sub((x + 1) * scale) {
                self.fill(top, left + y * scale, scale, scale, colour);
            }
        }
    }

    pub fn into_picture(self) -> Picture {
        let plane = |channel: usize| self.pixels.iter().map(move |pixel| pixel[channel]);
        let values = (0..3).flat_map(plane).collect();
        Picture { shape: [3, self.height, self.width], values }
    }
}

/// The dots (x, y) of the glyphs of `text`.
fn dots(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.chars().enumerate().flat_map(|(place, character)| {
        let column = move |(x, bits): (usize, u8)| {
            (0..font::ROWS).filter(move |y| bits >> y & 1 == 1).map(move |y| (place * font::ADVANCE + x, y))
        };
        font::columns(character).into_iter().enumerate().flat_map(column)
    })
}
