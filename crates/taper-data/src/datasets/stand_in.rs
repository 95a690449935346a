//! A synthetic stand-in for CIFAR-10: ten classes of generated 32×32 RGB images, for machines without the data and
//! without a network.
//!
//! A class is a shape. Its position, size, rotation and colour are random, and so is the background (a wave, a
//! half-plane of another colour, noise). A shape is darker than the background as often as lighter. The mean image
//! of every class is therefore the same, and a linear model of the pixels stays near chance, while a convolutional
//! network, which detects edges at any position, learns the classes well. Random numbers come from Philox, keyed by
//! split and sample, and images are computed only with operations that IEEE 754 rounds correctly (no sine: its last
//! bit differs between systems). They are therefore the same on every system, and the first `n` are the same however
//! many are generated.

use crate::{Error, ImageDataset, Manifest, Result, Splits};
use taper_backend::RandomKey;

/// The classes, in the order of their labels.
pub(crate) const CLASSES: [&str; 10] =
    ["disc", "ring", "square", "frame", "triangle", "cross", "stripes", "checkers", "crescent", "dots"];

/// Whether the dataset of `manifest` has a stand-in: three channels and ten classes.
pub(crate) fn fits(manifest: &Manifest) -> bool {
    manifest.shape[0] == 3 && manifest.classes.len() == CLASSES.len()
}

/// Generates both splits in the shape of `manifest`: as many images as it has records, at most `train` and `test`.
///
/// # Errors
/// When the manifest is not of ten classes of RGB images.
pub(crate) fn generate(manifest: &Manifest, train: usize, test: usize) -> Result<Splits> {
    let [_, height, width] = manifest.shape;
    if !fits(manifest) {
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
        let labels = (0..n).map(|i| label(i) as i64).collect();
        ImageDataset::new(images, labels, manifest.shape, CLASSES.map(String::from).to_vec(), manifest.max_value)
    };
    Ok(Splits {
        train: split("train", train.min(manifest.records.train))?,
        test: split("test", test.min(manifest.records.test))?,
    })
}

/// The class of image `i`: the classes in turn, so that the first `n` images of a split are balanced.
fn label(i: usize) -> usize {
    i % CLASSES.len()
}

/// The random numbers of one image, as a sequence.
pub(crate) struct Draws {
    key: RandomKey,
    next: u64,
}

impl Draws {
    pub(crate) fn new(key: RandomKey) -> Self {
        Self { key, next: 0 }
    }

    /// Uniform in `low..high`. A number that rounding makes `high` becomes the largest f32 below it.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        self.next += 1;
        (low + (high - low) * self.key.uniform(self.next) as f32).min(high.next_down())
    }

    /// A random unit vector: a uniform point of the unit disc, but not near its centre, scaled to length 1.
    pub(crate) fn direction(&mut self) -> [f32; 2] {
        for _ in 0..16 {
            let [x, y] = [self.range(-1.0, 1.0), self.range(-1.0, 1.0)];
            let square = x * x + y * y;
            if (0.01..=1.0).contains(&square) {
                return [x / square.sqrt(), y / square.sqrt()];
            }
        }
        [1.0, 0.0]
    }

    /// Three values, uniform in `low..high`: a colour.
    pub(crate) fn colour(&mut self, low: f32, high: f32) -> [f32; 3] {
        std::array::from_fn(|_| self.range(low, high))
    }
}

/// Amplitudes in pixel values: the background's wave, the half-plane's shift of colour, the noise.
const WAVE: f32 = 15.0;
const CLUTTER: f32 = 25.0;
const NOISE: f32 = 15.0;
/// The smallest and the largest difference, in pixel values, between the colours of shape and background in the channel
/// that differs most.
const CONTRAST: (f32, f32) = (60.0, 110.0);
/// The largest shift of a shape from the image's centre, down and across, as a fraction of the image's size.
const SHIFT: f32 = 0.14;

/// Draws an image of class `label` into `image`: planes R, G, B of `height`·`width` bytes, row by row.
fn draw(image: &mut [u8], height: usize, width: usize, label: usize, key: RandomKey) {
    let noise = key.child("noise");
    let mut draws = Draws::new(key);
    let size = height.min(width) as f32;

    // The background: a colour, a wave of random direction and phase, and a half-plane that is lighter or darker.
    let ground = draws.colour(95.0, 160.0);
    let wave_shift = draws.colour(-WAVE, WAVE);
    let wave = [draws.range(-0.06, 0.06), draws.range(-0.06, 0.06), draws.range(0.0, 1.0)];
    let side_shift = draws.colour(-CLUTTER, CLUTTER);
    let side_normal = draws.direction();
    let side_at = draws.range(-0.35, 0.35) * size;

    // The shape: position, size, rotation, and a colour that differs from the background by `contrast`, up or down, in
    // the channel that differs most.
    let radius = draws.range(0.2, 0.34) * size;
    let centre = [0.5 * width as f32, 0.5 * height as f32].map(|middle| middle + draws.range(-SHIFT, SHIFT) * size);
    let tilt = draws.range(-0.4, 0.4);
    let (cos, sin) = (1.0 / (1.0 + tilt * tilt).sqrt(), tilt / (1.0 + tilt * tilt).sqrt());
    let phase = draws.range(0.0, 1.0);
    let direction = draws.colour(-1.0, 1.0);
    let strongest = direction.iter().fold(0.01_f32, |m, c| m.max(c.abs()));
    let contrast = draws.range(CONTRAST.0, CONTRAST.1) / strongest;
    let shape_shift = direction.map(|c| c * contrast);

    let mut words = [0; 4];
    for y in 0..height {
        for x in 0..width {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let ripple = 4.0 * sawtooth(wave[0] * px + wave[1] * py + wave[2]).abs() - 1.0;
            let (mx, my) = (px - 0.5 * width as f32, py - 0.5 * height as f32);
            let side = (side_normal[0] * mx + side_normal[1] * my - side_at + 0.5).clamp(0.0, 1.0);
            let (dx, dy) = ((px - centre[0]) / radius, (py - centre[1]) / radius);
            let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
            // Edges are antialiased over one pixel. No shape reaches further than 1.4 radii from its centre.
            let near = u * u + v * v < 2.0 + 8.0 / radius;
            let cover = if near { (0.5 - radius * distance(label, u, v, phase)).clamp(0.0, 1.0) } else { 0.0 };
            let at = y * width + x;
            // Noise: one random word for each pixel, ten bits of it for each channel. A block holds four words.
            if at.is_multiple_of(4) {
                words = noise.block(at as u64 / 4);
            }
            for channel in 0..3 {
                let grain = (words[at % 4] >> (10 * channel) & 1023) as f32 / 511.5 - 1.0;
                let value = ground[channel]
                    + wave_shift[channel] * ripple
                    + side_shift[channel] * side
                    + shape_shift[channel] * cover
                    + NOISE * grain;
                image[channel * height * width + at] = (value + 0.5) as u8; // saturates at 0 and 255
            }
        }
    }
}

/// A sawtooth wave of period 1 that rises from −0.5 to 0.5.
pub(crate) fn sawtooth(t: f32) -> f32 {
    t - t.floor() - 0.5
}

/// The approximate signed distance of (u, v) from the edge of the shape of class `label`: negative inside. Shapes fill
/// about the unit disc.
pub(crate) fn distance(label: usize, u: f32, v: f32, phase: f32) -> f32 {
    let length = |x: f32, y: f32| (x * x + y * y).sqrt();
    let from_centre = length(u, v);
    // Negative, hence inside, in half of each period.
    let band = |t: f32| sawtooth(t * 1.5 + phase).abs() - 0.25;
    match CLASSES[label] {
        "disc" => from_centre - 0.85,
        "ring" => (from_centre - 0.78).abs() - 0.2,
        "square" => u.abs().max(v.abs()) - 0.75,
        "frame" => (u.abs().max(v.abs()) - 0.7).abs() - 0.18,
        "triangle" => (u.abs() * 0.866 + v * 0.5).max(-v) - 0.5,
        "cross" => (u.abs() - 0.28).max(v.abs() - 0.95).min((v.abs() - 0.28).max(u.abs() - 0.95)),
        "stripes" => (from_centre - 0.95).max(band(u) / 1.5),
        "checkers" => (from_centre - 0.95).max((band(u) * band(v)).signum() * band(u).abs().min(band(v).abs()) / 1.5),
        "crescent" => (from_centre - 0.9).max(0.75 - length(u - 0.5, v)),
        _ => length(u - 0.55, v).min(length(u + 0.55, v)) - 0.36, // dots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(include_str!("../../datasets/cifar10.toml")).unwrap()
    }

    #[test]
    fn pictures_are_the_same_however_many_and_wherever() {
        let splits = generate(&manifest(), 30, 20).unwrap();
        assert_eq!((splits.train.len(), splits.test.len()), (30, 20));
        let mut more = generate(&manifest(), 50, 40).unwrap();
        more.train.truncate(30);
        more.test.truncate(20);
        assert_eq!(splits, more);
        // Recorded once: it must be the same on every system and in every version.
        assert_eq!(splits.checksum(), "025875adcc7bc69921c97f218508f9910a948493dd2b3856cbfc5c326887709a");
        assert_ne!(splits.train.image(0), splits.test.image(0));
        assert_eq!(splits.train.classes()[9], "dots");
    }

    #[test]
    fn no_more_than_the_manifest_has() {
        let mut manifest = manifest();
        (manifest.records.train, manifest.records.test) = (7, 3);
        let splits = generate(&manifest, usize::MAX, usize::MAX).unwrap();
        assert_eq!((splits.train.len(), splits.test.len()), (7, 3));
        manifest.shape = [1, 32, 32];
        let text = generate(&manifest, 1, 1).unwrap_err().to_string();
        assert_eq!(text, "CIFAR-10: there is no stand-in for 10 classes of shape [1, 32, 32]");
    }

    #[test]
    fn a_linear_model_fails_where_shift_invariance_does_not() {
        let splits = generate(&manifest(), 1500, 500).unwrap();
        let pixels = softmax_regression(&splits, |image| image.iter().map(|&v| f32::from(v)).collect());
        let invariant = softmax_regression(&splits, autocorrelation);
        assert!((0.05..0.2).contains(&pixels), "softmax regression on the pixels reaches {pixels}");
        assert!(invariant > 0.5, "softmax regression on autocorrelations reaches {invariant}");
    }

    /// The autocorrelation of grey values at lags of up to 8 pixels, over their variance. It depends neither on a
    /// shape's position nor on whether the shape is darker or lighter than the background.
    fn autocorrelation(image: &[u8]) -> Vec<f32> {
        let mut grey: Vec<f32> =
            (0..1024).map(|i| (0..3).map(|c| f32::from(image[c * 1024 + i])).sum::<f32>()).collect();
        let mean = grey.iter().sum::<f32>() / 1024.0;
        grey.iter_mut().for_each(|v| *v -= mean);
        let variance = grey.iter().map(|v| v * v).sum::<f32>();
        let at_lag = |dy: usize, dx: isize| {
            let (from, to) = (0.max(-dx), 32.min(32 - dx));
            let row = |y: usize| {
                (from..to).map(|x| grey[y * 32 + x as usize] * grey[(y + dy) * 32 + (x + dx) as usize]).sum::<f32>()
            };
            (0..32 - dy).map(row).sum::<f32>() / variance
        };
        (0..5).flat_map(|dy| (-4..5).map(move |dx| (2 * dy, 2 * dx))).map(|(dy, dx)| at_lag(dy, dx)).collect()
    }

    /// The test accuracy of softmax regression on `features`, each with mean 0 and variance 1: plain SGD with a
    /// learning rate that falls linearly to zero over 6 epochs.
    fn softmax_regression(splits: &Splits, features: impl Fn(&[u8]) -> Vec<f32>) -> f64 {
        let all = |split: &ImageDataset| -> Vec<Vec<f32>> {
            (0..split.len()).map(|i| features(split.image(i).unwrap())).collect()
        };
        let (mut train, mut test) = (all(&splits.train), all(&splits.test));
        let n = train[0].len();
        for j in 0..n {
            let mean = train.iter().map(|x| x[j]).sum::<f32>() / train.len() as f32;
            let variance = train.iter().map(|x| (x[j] - mean).powi(2)).sum::<f32>() / train.len() as f32;
            train.iter_mut().chain(&mut test).for_each(|x| x[j] = (x[j] - mean) / variance.sqrt().max(1e-6));
        }
        let mut weights = vec![vec![0_f32; n + 1]; 10]; // the last is the bias
        let logits = |weights: &[Vec<f32>], x: &[f32]| -> Vec<f32> {
            weights.iter().map(|w| w[n] + w.iter().zip(x).map(|(w, x)| w * x).sum::<f32>()).collect()
        };
        let steps = 6 * train.len();
        for step in 0..steps {
            let i = step % train.len();
            let z = logits(&weights, &train[i]);
            let most = z.iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = z.iter().map(|z| (z - most).exp()).sum();
            let rate = 0.5 / n as f32 * (1.0 - step as f32 / steps as f32);
            for (class, w) in weights.iter_mut().enumerate() {
                let truth = f32::from(splits.train.labels()[i] == class as i64);
                let gradient = (z[class] - most).exp() / sum - truth;
                w.iter_mut().zip(train[i].iter().chain(&[1.0])).for_each(|(w, x)| *w -= rate * gradient * x);
            }
        }
        let right = |i: &usize| {
            let z = logits(&weights, &test[*i]);
            (0..10).max_by(|&a, &b| z[a].total_cmp(&z[b])) == Some(splits.test.labels()[*i] as usize)
        };
        (0..test.len()).filter(right).count() as f64 / test.len() as f64
    }
}
