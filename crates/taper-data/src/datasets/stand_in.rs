//! The generated stand-in for CIFAR-10: ten classes of 32×32 RGB pictures, for when there is neither network nor data.
//!
//! A class is a shape. Its place, size, rotation and colour are random, the background is cluttered (a wavy ground, a
//! half-plane of another colour, noise), and a shape is as often darker than the ground as lighter. So the mean picture
//! of every class is the same, and a linear model of the pixels learns next to nothing; a convolutional network, which
//! sees edges wherever they are, learns it well. Pictures are drawn from Philox, keyed by split and number: the same
//! everywhere, and the first `n` are the same however many are asked for.

use crate::{Error, ImageDataset, Manifest, Result, Splits};
use taper_backend::RandomKey;

/// The classes, in the order of their labels.
const CLASSES: [&str; 10] =
    ["disc", "ring", "square", "frame", "triangle", "cross", "stripes", "checkers", "crescent", "dots"];

/// Generates as many pictures as `manifest` has records, at most `train` and `test` of them.
///
/// # Errors
/// When the manifest is not of ten classes of RGB pictures.
pub(crate) fn generate(manifest: &Manifest, train: usize, test: usize) -> Result<Splits> {
    let [channels, height, width] = manifest.shape;
    if channels != 3 || manifest.classes.len() != CLASSES.len() {
        return Err(Error::Argument(format!(
            "{}: there is no stand-in for {} classes of shape {:?}",
            manifest.title,
            manifest.classes.len(),
            manifest.shape
        )));
    }
    let split = |name, n: usize| {
        let key = RandomKey::new(0).child("stand-in").child(name);
        let mut images = vec![0; n * manifest.picture_bytes()];
        for (i, image) in images.chunks_exact_mut(manifest.picture_bytes()).enumerate() {
            draw(image, height, width, label(i), key.index(i as u64));
        }
        let labels = (0..n).map(|i| label(i) as u8).collect();
        ImageDataset::new(images, labels, manifest.shape, CLASSES.map(String::from).to_vec(), manifest.max_value)
    };
    Ok(Splits {
        train: split("train", train.min(manifest.records.train))?,
        test: split("test", test.min(manifest.records.test))?,
    })
}

/// The class of picture `i`: each in turn, so that any first part of a split is balanced.
fn label(i: usize) -> usize {
    i % CLASSES.len()
}

/// Random numbers of one picture, one after the other.
struct Draws {
    key: RandomKey,
    next: u64,
}

impl Draws {
    /// Uniform in `low..high`.
    fn range(&mut self, low: f32, high: f32) -> f32 {
        self.next += 1;
        low + (high - low) * self.key.uniform(self.next) as f32
    }

    /// Three values, uniform in `low..high`: a colour.
    fn colour(&mut self, low: f32, high: f32) -> [f32; 3] {
        std::array::from_fn(|_| self.range(low, high))
    }
}

/// Amplitudes, in pixel values: the ground's waves, the half-plane's shift, the noise.
const WAVE: f32 = 28.0;
const CLUTTER: f32 = 45.0;
const NOISE: f32 = 30.0;
/// How far a shape's colour is from the ground's in its strongest channel.
const CONTRAST: (f32, f32) = (40.0, 90.0);

/// Draws a picture of class `label` into `image`: planes R, G, B of `height`·`width` bytes, row by row.
fn draw(image: &mut [u8], height: usize, width: usize, label: usize, key: RandomKey) {
    let noise = key.child("noise");
    let mut draws = Draws { key, next: 0 };
    let size = height.min(width) as f32;

    // The ground: a colour, a wave of a random direction and phase, and a half-plane that is lighter or darker.
    let ground = draws.colour(95.0, 160.0);
    let wave_shift = draws.colour(-WAVE, WAVE);
    let wave = [draws.range(-0.4, 0.4), draws.range(-0.4, 0.4), draws.range(0.0, std::f32::consts::TAU)];
    let side_shift = draws.colour(-CLUTTER, CLUTTER);
    let (side_sin, side_cos) = draws.range(0.0, std::f32::consts::TAU).sin_cos();
    let side_at = draws.range(-0.35, 0.35) * size;

    // The shape: place, size, rotation, and a colour that differs by `contrast` in one channel or more, either way.
    let radius = draws.range(0.2, 0.34) * size;
    let centre = [radius, radius].map(|r| draws.range(r, size - r));
    let (sin, cos) = draws.range(0.0, std::f32::consts::TAU).sin_cos();
    let phase = draws.range(0.0, 1.0);
    let direction = draws.colour(-1.0, 1.0);
    let strongest = direction.iter().fold(0.01_f32, |m, c| m.max(c.abs()));
    let contrast = draws.range(CONTRAST.0, CONTRAST.1) / strongest;
    let shape_shift = direction.map(|c| c * contrast);

    let mut words = [0; 4];
    for y in 0..height {
        for x in 0..width {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let ripple = (wave[0] * px + wave[1] * py + wave[2]).sin();
            let (mx, my) = (px - 0.5 * width as f32, py - 0.5 * height as f32);
            let side = (side_cos * mx + side_sin * my - side_at + 0.5).clamp(0.0, 1.0);
            let (dx, dy) = ((px - centre[0]) / radius, (py - centre[1]) / radius);
            let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
            // One pixel wide, the edge goes from inside to outside.
            let cover = (0.5 - radius * distance(label, u, v, phase)).clamp(0.0, 1.0);
            let at = y * width + x;
            // A random word a pixel, ten bits of it a channel; a block holds four words.
            if at % 4 == 0 {
                words = noise.block(at as u64 / 4);
            }
            for channel in 0..3 {
                let grain = (words[at % 4] >> (10 * channel) & 1023) as f32 / 511.5 - 1.0;
                let value = ground[channel]
                    + wave_shift[channel] * ripple
                    + side_shift[channel] * side
                    + shape_shift[channel] * cover
                    + NOISE * grain;
                image[channel * height * width + at] = value.round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

/// How far (u, v) is outside the shape of class `label`, about; negative inside. Shapes fill about the unit disc.
fn distance(label: usize, u: f32, v: f32, phase: f32) -> f32 {
    let from_centre = u.hypot(v);
    // Half of each period is on.
    let band = |t: f32| ((t * 1.5 + phase).rem_euclid(1.0) - 0.5).abs() - 0.25;
    match CLASSES[label] {
        "disc" => from_centre - 0.85,
        "ring" => (from_centre - 0.78).abs() - 0.2,
        "square" => u.abs().max(v.abs()) - 0.75,
        "frame" => (u.abs().max(v.abs()) - 0.7).abs() - 0.18,
        "triangle" => (u.abs() * 0.866 + v * 0.5).max(-v) - 0.5,
        "cross" => (u.abs() - 0.28).max(v.abs() - 0.95).min((v.abs() - 0.28).max(u.abs() - 0.95)),
        "stripes" => (from_centre - 0.95).max(band(u) / 1.5),
        "checkers" => (from_centre - 0.95).max((band(u) * band(v)).signum() * band(u).abs().min(band(v).abs()) / 1.5),
        "crescent" => (from_centre - 0.9).max(0.75 - (u - 0.5).hypot(v)),
        _ => (u - 0.55).hypot(v).min((u + 0.55).hypot(v)) - 0.36, // dots
    }
}
