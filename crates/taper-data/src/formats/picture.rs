//! Decoding one PNG, JPEG or WebP image to planes of bytes `[C, H, W]`: complete, rotated upright, in bounded memory.

use super::container;
use super::folders::FolderOptions;
use crate::{Error, Result};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, Limits, RgbImage, guess_format};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The most memory in bytes that decoding one image takes, beside its file and the images that were read before.
const MOST_BYTES: u64 = 1 << 30;
/// The part of [`MOST_BYTES`] for memory that [`DecodePlan::bytes`] does not count: tables, rows, metadata.
const SLACK: u64 = 64 << 20;
/// The most pixels that an image can be resized to.
pub(super) const MOST_PIXELS: usize = 1 << 26;
/// The number of pixels that a file of any size may have. More pixels need enough bytes in the file.
const SMALL: u64 = 1 << 24;

/// A decoded image, not yet rotated upright.
pub(crate) struct DecodedImage {
    rgb: RgbImage,
    /// Whether the file is greyscale, so that the three channels are equal.
    grey: bool,
    /// The orientation of the camera, from EXIF.
    orientation: Orientation,
}

impl DecodedImage {
    /// Decodes the image in `bytes`, the content of the file at `path`. If it is to be resized, `size` is the height
    /// and width, which count for the bound on memory.
    pub fn decode(bytes: &[u8], path: &Path, size: Option<[usize; 2]>) -> Result<Self> {
        // None of a decoder's state is used after a panic.
        catch_unwind(AssertUnwindSafe(|| decode(bytes, path, size)))
            .unwrap_or_else(|panic| Err(Error::decoder(path, "picture's", &*panic)))
    }

    /// The height and width of the upright image.
    pub fn size(&self) -> [usize; 2] {
        let [height, width] = [self.rgb.height() as usize, self.rgb.width() as usize];
        if on_its_side(self.orientation) { [width, height] } else { [height, width] }
    }

    /// Writes the upright image as planes of `shape` `[C, H, W]` to `planes`: the largest part in its middle that is as wide for
    /// its height, resized.
    pub fn middle(self, [channels, height, width]: [usize; 3], path: &Path, planes: &mut [u8]) -> Result<()> {
        let Self { mut rgb, grey, orientation } = self;
        let to = if on_its_side(orientation) { [height, width] } else { [width, height] };
        let found = [rgb.width(), rgb.height()].map(|side| side as usize);
        if found != to {
            rgb = resized(&rgb, middle_part(found, to), to, path)?;
        }
        let rgb = upright(rgb, orientation);
        for (channel, plane) in planes.chunks_exact_mut(height * width).enumerate() {
            for (value, pixel) in plane.iter_mut().zip(rgb.pixels()) {
                *value = if channels == 1 && !grey { luma(pixel.0) } else { pixel.0[channel] };
            }
        }
        Ok(())
    }

    /// Appends the planes `[C, H, W]` of the upright image to `images`. If its height and width are not `size`, it is
    /// resized if the options have a size; otherwise that is an error.
    pub fn append(self, size: [usize; 2], options: FolderOptions, path: &Path, images: &mut Vec<u8>) -> Result<()> {
        let found = self.size();
        let Self { mut rgb, grey, orientation } = self;
        if found != size {
            let [height, width] = if on_its_side(orientation) { [size[1], size[0]] } else { size };
            if options.size.is_none() {
                let detail =
                    format!("expected height and width {size:?} as before, found {found:?}; give a size to scale to");
                return Err(Error::format(path, "picture", detail));
            }
            rgb = resized(&rgb, [0, 0, rgb.width(), rgb.height()], [width, height], path)?;
        }
        let rgb = upright(rgb, orientation);
        if options.channels == 3 {
            (0..3).for_each(|channel| images.extend(rgb.pixels().map(|pixel| pixel.0[channel])));
        } else {
            images.extend(rgb.pixels().map(|pixel| if grey { pixel.0[0] } else { luma(pixel.0) }));
        }
        Ok(())
    }
}

/// The largest part in the middle of an image of the width and height `found` that is as wide for its height as `to`: left, top,
/// width and height.
fn middle_part([width, height]: [usize; 2], to: [usize; 2]) -> [u32; 4] {
    // Sides are at most 2³², and those of `to` at most 2²⁶.
    let [w, h, to_w, to_h] = [width, height, to[0], to[1]].map(|side| side as u128);
    let rounded = |a: u128, b: u128| ((2 * a + b) / (2 * b)).max(1);
    let [part_w, part_h] =
        if w * to_h > h * to_w { [rounded(h * to_w, to_h).min(w), h] } else { [w, rounded(w * to_h, to_w).min(h)] };
    [(w - part_w) / 2, (h - part_h) / 2, part_w, part_h].map(|side| side as u32)
}

/// The part of `rgb` at `[left, top, width, height]`, resized to the width and height `to` by a triangle filter (Pillow's
/// `BILINEAR`).
fn resized(rgb: &RgbImage, [left, top, width, height]: [u32; 4], to: [usize; 2], path: &Path) -> Result<RgbImage> {
    let wrong = |detail: String| Error::format(path, "picture", format!("cannot be resized: {detail}"));
    let [w, h] = to.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    let from = ImageRef::new(rgb.width(), rgb.height(), rgb.as_raw(), PixelType::U8x3);
    let from = from.map_err(|error| wrong(error.to_string()))?;
    let mut resized = Image::new(w, h, PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(left.into(), top.into(), width.into(), height.into())
        .use_alpha(false);
    Resizer::new().resize(&from, &mut resized, &options).map_err(|error| wrong(error.to_string()))?;
    RgbImage::from_raw(w, h, resized.into_vec()).ok_or_else(|| wrong(format!("to {to:?}")))
}

/// `rgb`, turned as `orientation` says.
fn upright(rgb: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return rgb;
    }
    let mut turned = DynamicImage::from(rgb);
    turned.apply_orientation(orientation);
    turned.into_rgb8()
}

fn decode(bytes: &[u8], path: &Path, size: Option<[usize; 2]>) -> Result<DecodedImage> {
    let expected = |found: &str| Error::format(path, "picture", format!("expected PNG, JPEG or WebP, found {found}"));
    let damaged = |detail: String| Error::format(path, "picture", format!("damaged: {detail}"));
    let plan = |pixels: [u32; 2], most: u64, ratio: u64, channels: u64, inside: u64, orientation: Orientation| {
        let plan = DecodePlan { pixels, most, channels, inside, size, orientation };
        plan.check(bytes.len() as u64, ratio).map_err(|detail| Error::format(path, "picture", detail))
    };
    match guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => {
            let jpeg = container::jpeg(bytes).map_err(damaged)?;
            let wrong = |error: zune_jpeg::errors::DecodeErrors| damaged(error.to_string());
            let options = DecoderOptions::default().set_strict_mode(true);
            let options = options.set_max_width(usize::MAX).set_max_height(usize::MAX);
            let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&jpeg.bytes[..]), options);
            decoder.decode_headers().map_err(wrong)?;
            let info = decoder.info().ok_or_else(|| damaged("it has no frame".into()))?;
            let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
            decoder.set_options(options.jpeg_set_out_colorspace(if grey { ColorSpace::Luma } else { ColorSpace::RGB }));
            let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
            let orientation = orientation.unwrap_or(Orientation::NoTransforms);
            let sides = [info.width, info.height].map(u32::from);
            // Coefficients of 2 bytes in up to 4 channels, with sides rounded up to blocks of up to 32 × 32 pixels.
            let [w, h] = sides.map(|side| u64::from(side) + 32);
            let inside = if jpeg.scans { 8 * w * h } else { 0 };
            // Each block of 64 pixels takes at least one bit, so that a byte holds at most 512 pixels.
            plan(sides, 0, 512, if grey { 1 } else { 3 }, inside, orientation)?;
            let pixels = decoder.decode().map_err(wrong)?;
            let [w, h] = sides;
            let rgb = if grey {
                image::GrayImage::from_raw(w, h, pixels).map(|image| DynamicImage::from(image).into_rgb8())
            } else {
                RgbImage::from_raw(w, h, pixels)
            };
            let rgb = rgb.ok_or_else(|| damaged("its pixels are not as many as its head says".into()))?;
            Ok(DecodedImage { rgb, grey, orientation })
        }
        Ok(ImageFormat::Png) => {
            container::png(bytes).map_err(damaged)?;
            // The limit is for memory beside the pixels, which the plan counts. A row has up to 8 bytes for each
            // pixel, and the decoder holds more than one row.
            let width = bytes.get(16..20).map_or(0, |b| u64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]])));
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(SLACK + 24 * width.min(MOST_BYTES));
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits);
            let decoder = decoder.map_err(|error| damaged(error.to_string()))?;
            // A byte of deflate decompresses to at most 1032 bytes, each of which holds at most 8 pixels of one bit.
            through_image(decoder, &damaged, |decoder, orientation| {
                plan(decoder.dimensions().into(), 0, 1032 * 8, channels(decoder), 0, orientation)
            })
        }
        Ok(ImageFormat::WebP) => {
            let most = container::webp(bytes).map_err(damaged)?;
            let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|error| damaged(error.to_string()))?;
            // The bytes for each pixel beside the result: a frame of four channels, and for an animation a canvas too.
            let inside = if decoder.has_animation() { 12 } else { 5 };
            through_image(decoder, &damaged, |decoder, orientation| {
                let sides: [u32; 2] = decoder.dimensions().into();
                let all = most.max(u64::from(sides[0]) * u64::from(sides[1]));
                plan(sides, all, 4096, channels(decoder), inside * all, orientation)
            })
        }
        Ok(other) => Err(expected(&format!("{other:?}"))),
        Err(_) => Err(expected("something else")),
    }
}

/// The number of bytes of a pixel that `decoder` produces.
fn channels(decoder: &impl ImageDecoder) -> u64 {
    decoder.color_type().bytes_per_pixel().into()
}

/// Decodes an image with a decoder of the image crate, after `check` has accepted the decoder and the orientation.
fn through_image<D: ImageDecoder>(
    mut decoder: D,
    damaged: &impl Fn(String) -> Error,
    check: impl FnOnce(&D, Orientation) -> Result<()>,
) -> Result<DecodedImage> {
    let orientation = decoder.orientation().map_err(|error| damaged(error.to_string()))?;
    check(&decoder, orientation)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| damaged(error.to_string()))?;
    Ok(DecodedImage { grey: !picture.color().has_color(), rgb: picture.into_rgb8(), orientation })
}

/// The sizes from which the memory for decoding an image is computed before it is decoded.
struct DecodePlan {
    /// The width and height in the file.
    pixels: [u32; 2],
    /// The largest number of pixels of a part of the file, if that is more than width × height; otherwise 0.
    most: u64,
    /// The number of bytes of a pixel that the decoder produces.
    channels: u64,
    /// The number of bytes that the decoder holds beside its result.
    inside: u64,
    /// The height and width that the upright image is resized to, if it is.
    size: Option<[usize; 2]>,
    orientation: Orientation,
}

impl DecodePlan {
    /// The peak memory in bytes.
    fn bytes(&self) -> u64 {
        let [width, height] = self.pixels.map(u64::from);
        let pixels = width * height;
        let decoded = pixels.saturating_mul(self.channels).saturating_add(self.inside);
        let rgb = pixels.saturating_mul(3);
        // Rotating the image upright makes a copy.
        let converted = rgb.saturating_add(pixels.saturating_mul(self.channels.max(3)));
        let scaled = self.size.map_or(0, |size| {
            let [down, across] = size.map(|n| n as u64);
            let down_first = if on_its_side(self.orientation) { across } else { down };
            // The image crate resizes vertically first, to an intermediate image of four f32 channels.
            let between = width.saturating_mul(down_first).saturating_mul(16);
            rgb.saturating_add(between).saturating_add(down.saturating_mul(across).saturating_mul(6))
        });
        decoded.max(converted).max(scaled)
    }

    /// Checks the number of pixels for a file of `length` bytes, each of which can hold at most `ratio` pixels, and
    /// the peak memory.
    fn check(&self, length: u64, ratio: u64) -> Result<(), String> {
        let [width, height] = self.pixels;
        let pixels = self.most.max(u64::from(width) * u64::from(height));
        if width == 0 || height == 0 {
            return Err("damaged: it has no pixels".into());
        }
        if pixels > SMALL.saturating_add(length.saturating_mul(ratio)) {
            return Err(format!("damaged: it claims {pixels} pixels, more than its {length} bytes hold"));
        }
        let bytes = self.bytes();
        if bytes > MOST_BYTES - SLACK {
            let to = self.size.map_or(String::new(), |size| format!(" and scaling them to height and width {size:?}"));
            let gib = (1_u64 << 30) as f64;
            return Err(format!(
                "too large: reading {width} × {height} pixels (width × height){to} takes {:.1} GiB of memory; at most \
                 {:.1} are taken for a picture: make it smaller before",
                bytes as f64 / gib,
                (MOST_BYTES - SLACK) as f64 / gib
            ));
        }
        Ok(())
    }
}

/// Whether rotating an image upright swaps its height and width.
fn on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// The luma of a colour in the fixed-point arithmetic of Pillow's `convert("L")`.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 0x8000) >> 16) as u8
}
