//! The tone operations of RandAugment (auto-contrast, equalize, posterize, solarize, sharpness) on values in [0, 1],
//! which are rounded to 256 levels for the operations that are defined on levels.

use super::Picture;

/// The level, 0 to 255, nearest to `x` in [0, 1].
fn level(x: f32) -> usize {
    (x * 255.0 + 0.5).clamp(0.0, 255.0) as usize
}

/// Stretches each channel to [0, 1]: (x − min) / (max − min). A constant channel stays unchanged.
pub(super) fn auto_contrast(picture: &mut Picture<'_>) {
    for channel in picture.channels_mut() {
        let low = channel.iter().copied().fold(f32::INFINITY, f32::min);
        let high = channel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if high > low {
            channel.iter_mut().for_each(|x| *x = (*x - low) / (high - low));
        }
    }
}

/// Makes the 256 levels of each channel about equally frequent, as Pillow's `ImageOps.equalize`.
pub(super) fn equalize(picture: &mut Picture<'_>) {
    for channel in picture.channels_mut() {
        let mut histogram = [0_usize; 256];
        channel.iter().for_each(|&x| histogram[level(x)] += 1);
        let last = histogram.iter().rev().find(|&&n| n > 0).copied().unwrap_or_default();
        let step = (channel.len() - last) / 255;
        if step == 0 {
            continue;
        }
        let mut below = step / 2;
        let table = histogram.map(|n| {
            let new = (below / step).min(255) as f32 / 255.0;
            below += n;
            new
        });
        channel.iter_mut().for_each(|x| *x = table[level(*x)]);
    }
}

/// Keeps the `bits` highest of the 8 bits of each level.
pub(super) fn posterize(picture: &mut Picture<'_>, bits: u32) {
    let mask = 255_usize << (8 - bits.min(8)) & 255;
    picture.values_mut().iter_mut().for_each(|x| *x = (level(*x) & mask) as f32 / 255.0);
}

/// Inverts values at or over `threshold`: x becomes 1 − x.
pub(super) fn solarize(picture: &mut Picture<'_>, threshold: f32) {
    picture.values_mut().iter_mut().filter(|x| **x >= threshold).for_each(|x| *x = 1.0 - *x);
}

/// Blends with the image smoothed by the kernel [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13, as torchvision's
/// `adjust_sharpness`. Pixels at the edge stay unchanged.
pub(super) fn sharpness(picture: &mut Picture<'_>, factor: f32) {
    let [_, height, width] = picture.shape();
    picture.redraw_channels(|old, new| {
        new.copy_from_slice(old);
        for h in 1..height.saturating_sub(1) {
            for w in 1..width.saturating_sub(1) {
                let at = h * width + w;
                let sum: f32 = [at - width, at, at + width].iter().flat_map(|&i| &old[i - 1..i + 2]).sum();
                let smooth = (sum + 4.0 * old[at]) / 13.0;
                new[at] = (factor * old[at] + (1.0 - factor) * smooth).clamp(0.0, 1.0);
            }
        }
    });
}
