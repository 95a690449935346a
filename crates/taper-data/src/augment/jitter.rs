//! Colour jitter: random brightness, contrast, saturation and hue.

use super::{Augmentation, Draw, Picture, argument, color, in_range};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Changes brightness, contrast, saturation and hue, in random order, as torchvision's `ColorJitter`. For a setting v,
/// brightness, contrast and saturation are changed by a factor uniform in [max(0, 1 − v), 1 + v], which blends with
/// black, with the mean grey and with the greyscale image; the hue is rotated by an amount uniform in [−v, v] of the
/// colour circle. A setting of 0 changes nothing. Images must have 1 or 3 channels and values in [0, 1]; saturation
/// and hue have no effect on images of one channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColorJitter {
    /// The largest change of the brightness factor from 1: 0 to 10.
    pub brightness: f64,
    /// The largest change of the contrast factor from 1: 0 to 10.
    pub contrast: f64,
    /// The largest change of the saturation factor from 1: 0 to 10.
    pub saturation: f64,
    /// The largest rotation of the hue either way, as a fraction of the colour circle: 0 to 0.5.
    pub hue: f64,
}

impl Augmentation for ColorJitter {
    fn check(&self) -> Result<()> {
        in_range("color-jitter: brightness", self.brightness, 0.0, 10.0)?;
        in_range("color-jitter: contrast", self.contrast, 0.0, 10.0)?;
        in_range("color-jitter: saturation", self.saturation, 0.0, 10.0)?;
        in_range("color-jitter: hue", self.hue, 0.0, 0.5)
    }

    fn check_shape(&self, [channels, _, _]: [usize; 3]) -> Result<()> {
        if !matches!(channels, 1 | 3) {
            return Err(argument(format!("color-jitter: expected pictures of 1 or 3 channels, found {channels}")));
        }
        Ok(())
    }

    fn wants_unit_range(&self) -> bool {
        true
    }

    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw) {
        let factor = |i, v: f64| draw.between(i, (1.0 - v).max(0.0), 1.0 + v) as f32;
        for kind in draw.key.child("order").permutation(4) {
            match kind {
                0 if self.brightness > 0.0 => color::brightness(picture, factor(0, self.brightness)),
                1 if self.contrast > 0.0 => color::contrast(picture, factor(1, self.contrast)),
                2 if self.saturation > 0.0 => color::saturation(picture, factor(2, self.saturation)),
                3 if self.hue > 0.0 => color::hue(picture, draw.between(3, -self.hue, self.hue) as f32),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use taper_backend::RandomKey;

    #[test]
    fn any_of_the_24_orders_with_the_factors_drawn() {
        let jitter = ColorJitter { brightness: 0.4, contrast: 0.5, saturation: 1.5, hue: 0.3 };
        let x: Vec<f32> = [0.9, 0.2, 0.4, 0.6, 0.7, 0.1].to_vec();
        let orders: BTreeSet<Vec<usize>> = (0..500).map(|i| RandomKey::new(i).permutation(4)).collect();
        assert_eq!(orders.len(), 24);
        let mut seen = BTreeSet::new();
        for sample in 0..500 {
            let draw = Draw { key: RandomKey::new(1).index(sample as u64), epoch: 0, sample };
            let change = |f: &dyn Fn(&mut Picture<'_>)| {
                let (mut values, mut spare) = (x.clone(), Vec::new());
                f(&mut Picture::new(&mut values, &mut spare, [3, 1, 2]).unwrap());
                values
            };
            let u = |i, low: f64, high: f64| (low + draw.key.uniform(i) * (high - low)) as f32;
            let twin = |order: &[usize]| {
                change(&|picture| {
                    for kind in order {
                        match kind {
                            0 => color::brightness(picture, u(0, 0.6, 1.4)),
                            1 => color::contrast(picture, u(1, 0.5, 1.5)),
                            2 => color::saturation(picture, u(2, 0.0, 2.5)),
                            _ => color::hue(picture, u(3, -0.3, 0.3)),
                        }
                    }
                })
            };
            let y = change(&|picture| jitter.apply(picture, &draw));
            let near = |order: &&Vec<usize>| twin(order).iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-5);
            // Several orders may give the same result.
            let fitting: Vec<_> = orders.iter().filter(near).collect();
            assert!(!fitting.is_empty(), "sample {sample}: {y:?}");
            seen.extend(fitting.into_iter().cloned());
        }
        assert_eq!(seen.len(), 24);
    }

    #[test]
    fn grey_pictures_have_contrast_but_no_hue() {
        let (mut values, mut spare) = (vec![0.2, 0.6], Vec::new());
        let mut picture = Picture::new(&mut values, &mut spare, [1, 1, 2]).unwrap();
        color::saturation(&mut picture, 0.0);
        color::hue(&mut picture, 0.5);
        assert_eq!(picture.values(), [0.2, 0.6]);
        color::contrast(&mut picture, 0.5);
        assert!((picture.values()[0] - 0.3).abs() < 1e-6 && (picture.values()[1] - 0.5).abs() < 1e-6);
    }
}
