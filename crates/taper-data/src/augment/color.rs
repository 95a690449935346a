//! Brightness, contrast, saturation and hue, as in `torchvision.transforms.functional`, on values in [0, 1].

use super::Picture;

/// clamp(f · x + (1 − f) · other) to [0, 1].
fn blend(x: f32, other: f32, factor: f32) -> f32 {
    (factor * x + (1.0 - factor) * other).clamp(0.0, 1.0)
}

/// The luma of a colour (ITU-R BT.601, with the rounded weights that torchvision uses).
fn grey([r, g, b]: [f32; 3]) -> f32 {
    0.2989 * r + 0.587 * g + 0.114 * b
}

/// The red, green and blue channels, each `[H, W]`, or `None` unless the image has three channels.
fn rgb<'v>(picture: &'v mut Picture<'_>) -> Option<[&'v mut [f32]; 3]> {
    let [channels, height, width] = picture.shape();
    let (r, rest) = picture.values_mut().split_at_mut_checked(height * width).filter(|_| channels == 3)?;
    let (g, b) = rest.split_at_mut(height * width);
    Some([r, g, b])
}

/// Replaces each pixel by `change(r, g, b)`. Does nothing unless the image has three channels.
fn each_pixel(picture: &mut Picture<'_>, mut change: impl FnMut([f32; 3]) -> [f32; 3]) {
    let Some([reds, greens, blues]) = rgb(picture) else { return };
    for ((r, g), b) in reds.iter_mut().zip(greens).zip(blues) {
        [*r, *g, *b] = change([*r, *g, *b]);
    }
}

/// Blends with black: `factor` 0 gives black, 1 the image itself.
pub(super) fn brightness(picture: &mut Picture<'_>, factor: f32) {
    picture.values_mut().iter_mut().for_each(|x| *x = blend(*x, 0.0, factor));
}

/// Blends with the mean of the greyscale image.
pub(super) fn contrast(picture: &mut Picture<'_>, factor: f32) {
    let mean = match rgb(picture) {
        Some([r, g, b]) => {
            let greys = r.iter().zip(g.iter()).zip(b.iter()).map(|((&r, &g), &b)| grey([r, g, b]));
            greys.map(f64::from).sum::<f64>() / r.len() as f64
        }
        None => picture.values().iter().copied().map(f64::from).sum::<f64>() / picture.values().len() as f64,
    };
    let mean = mean as f32;
    picture.values_mut().iter_mut().for_each(|x| *x = blend(*x, mean, factor));
}

/// Blends with the greyscale image. Does nothing unless there are three channels.
pub(super) fn saturation(picture: &mut Picture<'_>, factor: f32) {
    each_pixel(picture, |pixel| {
        let grey = grey(pixel);
        pixel.map(|x| blend(x, grey, factor))
    });
}

/// Rotates the hue by `turn` of the colour circle, in −1..=1. Does nothing unless there are three channels.
pub(super) fn hue(picture: &mut Picture<'_>, turn: f32) {
    each_pixel(picture, |pixel| {
        let [h, s, v] = to_hsv(pixel);
        to_rgb([unit(h + turn), s, v])
    });
}

/// `x` in −1..2, wrapped into 0..=1 by adding or subtracting 1. Rounding may give 1, which is the same hue as 0.
fn unit(x: f32) -> f32 {
    if x < 0.0 {
        x + 1.0
    } else if x >= 1.0 {
        x - 1.0
    } else {
        x
    }
}

/// Hue, saturation and value (A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978), all in [0, 1].
fn to_hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let range = max - min;
    if range == 0.0 {
        return [0.0, 0.0, max];
    }
    let sixths = if max == r {
        (g - b) / range
    } else if max == g {
        2.0 + (b - r) / range
    } else {
        4.0 + (r - g) / range
    };
    [unit(sixths / 6.0), range / max, max]
}

/// The inverse of [`to_hsv`].
fn to_rgb([h, s, v]: [f32; 3]) -> [f32; 3] {
    let sixths = h * 6.0;
    let f = sixths - (sixths as u32) as f32;
    let [p, q, t] = [s, s * f, s * (1.0 - f)].map(|x| (v * (1.0 - x)).clamp(0.0, 1.0));
    match sixths as u32 {
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        5 => [v, p, q],
        _ => [v, t, p], // 0, and 6, which rounding may reach
    }
}
