//! Images as PNG, for TensorBoard and browsers.

use crate::{Error, Result};
use flate2::{Compression, Crc, write::ZlibEncoder};
use std::io::Write;

/// An image `[C, H, W]` with 8 bits per value: grey (`C` = 1) or RGB (`C` = 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub(crate) shape: [usize; 3],
    pub(crate) values: Vec<u8>,
}

impl Picture {
    /// The image of `values: [C, H, W]`, row-major. Errs if the shape is not that of an image or does not match
    /// `values`.
    pub fn new(shape: [usize; 3], values: Vec<u8>) -> Result<Self> {
        let [channels, height, width] = shape;
        if !matches!(channels, 1 | 3) || height == 0 || width == 0 {
            let detail = format!("picture: expected a shape [1, H, W] or [3, H, W] with H, W > 0, found {shape:?}");
            return Err(Error::Argument(detail));
        }
        let count = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels));
        if count != Some(values.len()) {
            return Err(Error::Argument(format!("picture: shape {shape:?} does not hold {} values", values.len())));
        }
        Ok(Self { shape, values })
    }

    /// The image of values from 0 (black) to 1; values outside are clipped, NaN is black.
    pub fn from_unit(shape: [usize; 3], values: &[f32]) -> Result<Self> {
        Self::new(shape, values.iter().map(|value| (value * 255.0).round() as u8).collect())
    }

    /// What can be seen of an image of any number of channels: three are red, green and blue, of any other number the
    /// first is shown in grey. Errs if the image is empty, or its shape does not match `values`.
    pub fn visible(shape: [usize; 3], values: &[u8]) -> Result<Self> {
        let [channels, height, width] = shape;
        let plane = height.saturating_mul(width);
        if plane.checked_mul(channels) != Some(values.len()) {
            return Err(Error::Argument(format!("picture: shape {shape:?} does not hold {} values", values.len())));
        }
        let channels = if channels == 3 { 3 } else { 1 };
        Self::new([channels, height, width], values.get(..channels * plane).unwrap_or_default().to_vec())
    }

    /// Numbers of either sign, such as the weights of a filter: grey is 0, and white or black is the largest magnitude.
    /// The channels are those of [`visible`](Self::visible). NaN is black.
    pub fn from_signed(shape: [usize; 3], values: &[f32]) -> Result<Self> {
        let largest =
            values.iter().filter(|value| value.is_finite()).fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        // The conversion to u8 saturates, and turns NaN into 0.
        let grey: Vec<u8> = values.iter().map(|value| (128.0 + value * scale).round() as u8).collect();
        Self::visible(shape, &grey)
    }

    /// Images of the same shape in a grid with `columns` per row, separated by white lines of one pixel.
    pub fn grid(pictures: &[Self], columns: usize) -> Result<Self> {
        let Some([channels, height, width]) = pictures.first().map(|first| first.shape) else {
            return Err(Error::Argument("picture grid: expected a picture at least, found none".into()));
        };
        if let Some(other) = pictures.iter().find(|picture| picture.shape != pictures[0].shape) {
            let detail =
                format!("picture grid: expected one shape, found {:?} and {:?}", pictures[0].shape, other.shape);
            return Err(Error::Argument(detail));
        }
        let columns = columns.clamp(1, pictures.len());
        let shape = [channels, pictures.len().div_ceil(columns) * (height + 1) - 1, columns * (width + 1) - 1];
        let mut grid = Self { shape, values: vec![u8::MAX; shape.iter().product()] };
        for (at, picture) in pictures.iter().enumerate() {
            let (top, left) = (at / columns * (height + 1), at % columns * (width + 1));
            for (row, values) in picture.values.chunks_exact(width).enumerate() {
                let start = (row / height * shape[1] + top + row % height) * shape[2] + left;
                grid.values[start..start + width].copy_from_slice(values);
            }
        }
        Ok(grid)
    }

    /// The shape `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The values, row-major.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// The image of every `step`-th row and column.
    pub(crate) fn every(&self, step: usize) -> Self {
        let ([channels, height, width], step) = (self.shape, step.max(1));
        let pixels = (0..height).step_by(step).flat_map(|y| (0..width).step_by(step).map(move |x| y * width + x));
        let channel = |channel: usize| pixels.clone().map(move |at| self.values[channel * height * width + at]);
        let values = (0..channels).flat_map(channel).collect();
        Self { shape: [channels, height.div_ceil(step), width.div_ceil(step)], values }
    }

    /// The image as a PNG file (w3.org/TR/png): header, one block of compressed rows, end.
    pub fn png(&self) -> Vec<u8> {
        self.png_with(None)
    }

    /// As [`png`](Self::png); with a palette of 256 colours, the values of a grey picture are places in it.
    pub(crate) fn png_with(&self, palette: Option<&[u8]>) -> Vec<u8> {
        let [channels, height, width] = self.shape;
        let mut rows = Vec::with_capacity(height * (1 + width * channels));
        for row in 0..height {
            rows.push(0); // no filter
            let pixels = row * width..(row + 1) * width;
            rows.extend(pixels.flat_map(|at| (0..channels).map(move |c| self.values[c * height * width + at])));
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
        // Writing to memory cannot fail.
        let compressed = encoder.write_all(&rows).and_then(|()| encoder.finish()).unwrap_or_default();

        let mut header = [(width as u32).to_be_bytes(), (height as u32).to_be_bytes()].concat();
        let colour = match palette {
            Some(_) => 3,
            None if channels == 1 => 0,
            None => 2,
        };
        header.extend([8, colour, 0, 0, 0]);
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let palette = palette.map(|colours| (b"PLTE", colours));
        let [header, pixels, end] = [(b"IHDR", &header[..]), (b"IDAT", &compressed[..]), (b"IEND", &[][..])];
        for (kind, data) in [Some(header), palette, Some(pixels), Some(end)].into_iter().flatten() {
            let mut crc = Crc::new();
            crc.update(kind);
            crc.update(data);
            png.extend((data.len() as u32).to_be_bytes());
            png.extend([kind.as_slice(), data, &crc.sum().to_be_bytes()].concat());
        }
        png
    }
}
