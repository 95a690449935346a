//! Numbers as colours.

use crate::{Picture, Result};

/// Viridis (S. van der Walt and N. Smith, 2015; CC0), whose lightness grows evenly with the number, at eighths.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

impl Picture {
    /// Rows of numbers, `[height, width]`, as colours: the least is dark, the largest yellow, and equal ones are all dark. NaN is
    /// dark too.
    ///
    /// # Errors
    /// A shape that does not hold the values, or is empty.
    pub fn coloured([height, width]: [usize; 2], values: &[f32]) -> Result<Self> {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
        let scale = if high > low { (VIRIDIS.len() - 1) as f32 / (high - low) } else { 0.0 };
        let colour = |value: f32, channel: usize| {
            // The conversion turns NaN into 0.
            let place = ((value - low) * scale).clamp(0.0, (VIRIDIS.len() - 1) as f32);
            let at = (place as usize).min(VIRIDIS.len() - 2);
            let [from, to] = [VIRIDIS[at], VIRIDIS[at + 1]].map(|colour| f32::from(colour[channel]));
            (from + (to - from) * (place - at as f32)).round() as u8
        };
        let channels = (0..3).flat_map(|channel| values.iter().map(move |value| colour(*value, channel)));
        Self::new([3, height, width], channels.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_dark_and_the_largest_yellow() {
        let picture = Picture::coloured([1, 4], &[-3.0, 5.0, 1.0, f32::NAN]).unwrap();
        assert_eq!(picture.shape(), [3, 1, 4]);
        let pixel = |at: usize| [0, 1, 2].map(|channel| picture.values()[channel * 4 + at]);
        assert_eq!([pixel(0), pixel(1), pixel(2)], [VIRIDIS[0], VIRIDIS[8], VIRIDIS[4]]);
        assert_eq!(pixel(3)[0], 0);
        let equal = Picture::coloured([2, 1], &[7.0, 7.0]).unwrap();
        assert_eq!(equal.values(), [68, 68, 1, 1, 84, 84]);
        assert!(Picture::coloured([2, 2], &[1.0]).is_err());
    }
}
