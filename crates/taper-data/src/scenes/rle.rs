//! Masks as run lengths, as COCO's annotations have them.

use crate::{Error, Result};

/// The mask of a picture of `height` × `width` pixels as run lengths, down the columns from the left: so many pixels outside,
/// so many inside, so many outside, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rle {
    size: [usize; 2],
    counts: Vec<u32>,
}

impl Rle {
    /// The mask with these run lengths, of a picture of height and width `size`.
    ///
    /// # Errors
    /// When the lengths do not add up to the picture's pixels.
    pub fn new(size: [usize; 2], counts: Vec<u32>) -> Result<Self> {
        let sum = counts.iter().map(|&count| u64::from(count)).sum::<u64>();
        let [height, width] = size;
        let due = (height as u64).checked_mul(width as u64);
        if due != Some(sum) {
            let pixels = due.map_or_else(|| "more".into(), |due| due.to_string());
            return Err(Error::Argument(format!(
                "expected run lengths of {pixels} pixels, for {height} × {width}, found {sum}"
            )));
        }
        Ok(Self { size, counts })
    }

    /// The mask that COCO writes as the text `counts`: each length is a signed number in groups of five bits, the lowest first,
    /// each group a character from `0` on, whose sixth bit says that another group follows; from the fourth length on, the
    /// difference to the one two before.
    ///
    /// # Errors
    /// A character that is none of these, a text that ends in a number, a length below 0, and those of [`Rle::new`].
    pub fn parse(size: [usize; 2], counts: &str) -> Result<Self> {
        let mut lengths: Vec<i64> = Vec::new();
        let (mut value, mut shift) = (0_i64, 0);
        for (at, byte) in counts.bytes().enumerate() {
            let bits = i64::from(byte) - 48;
            if !(0..64).contains(&bits) || shift > 30 {
                return Err(Error::Argument(format!(
                    "expected run lengths as COCO packs them, found them broken at character {at}"
                )));
            }
            value |= (bits & 0x1f) << shift;
            shift += 5;
            if bits & 0x20 != 0 {
                continue;
            }
            if bits & 0x10 != 0 {
                value |= -1 << shift;
            }
            if lengths.len() > 2 {
                value += lengths[lengths.len() - 2];
            }
            lengths.push(value);
            (value, shift) = (0, 0);
        }
        if shift != 0 {
            return Err(Error::Argument(
                "expected run lengths as COCO packs them, found the text cut inside one".into(),
            ));
        }
        let length = |&length: &i64| {
            u32::try_from(length)
                .map_err(|_| Error::Argument(format!("expected run lengths of 0 or more, found {length}")))
        };
        Self::new(size, lengths.iter().map(length).collect::<Result<_>>()?)
    }

    /// The mask of the pixels that are true in `mask`, row by row.
    ///
    /// # Errors
    /// When there are not `size[0]` · `size[1]` of them.
    pub fn of(size: [usize; 2], mask: &[bool]) -> Result<Self> {
        let [height, width] = size;
        if height.checked_mul(width) != Some(mask.len()) {
            let found = mask.len();
            return Err(Error::Argument(format!("expected a mask of {height} × {width} pixels, found {found}")));
        }
        let (mut counts, mut inside) = (vec![0_u32], false);
        for pixel in (0..width).flat_map(|x| mask.iter().skip(x).step_by(width)) {
            if *pixel != inside {
                inside = *pixel;
                counts.push(0);
            }
            if let Some(last) = counts.last_mut() {
                *last += 1;
            }
        }
        Self::new(size, counts)
    }

    /// The height and width of the picture.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The run lengths, the first of pixels outside.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// The number of pixels inside.
    pub fn area(&self) -> u64 {
        self.counts.iter().skip(1).step_by(2).map(|&count| u64::from(count)).sum()
    }

    /// Whether each pixel is inside, row by row.
    pub fn mask(&self) -> Vec<bool> {
        let mut mask = vec![false; self.size[0] * self.size[1]];
        self.paint(&mut mask, true);
        mask
    }

    /// Sets the pixels inside, in rows of the picture, to `value`.
    pub(super) fn paint<T: Copy>(&self, pixels: &mut [T], value: T) {
        let [height, width] = self.size;
        let mut start = 0;
        for (run, &count) in self.counts.iter().enumerate() {
            let end = start + count as usize;
            if run % 2 == 1 {
                for at in start..end {
                    if let Some(pixel) = pixels.get_mut(at % height * width + at / height) {
                        *pixel = value;
                    }
                }
            }
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_go_down_the_columns() {
        let mask = Rle::new([2, 3], vec![1, 2, 3]).unwrap();
        assert_eq!(mask.mask(), [false, true, false, true, false, false]);
        assert_eq!((mask.area(), mask.size(), mask.counts()), (2, [2, 3], &[1, 2, 3][..]));
        // Full and empty ones.
        assert_eq!(Rle::of([1, 2], &[true, true]).unwrap().counts(), [0, 2]);
        assert_eq!(Rle::of([1, 2], &[false, false]).unwrap().counts(), [2]);
    }

    /// What pycocotools.mask.encode gives (recorded): a disc of radius 4 in 12 × 9 pixels, and one row.
    #[test]
    fn packed_lengths_are_read_as_coco_packs_them() {
        let disc: Vec<bool> = (0..108).map(|at| (at / 9 - 5_i32).pow(2) + (at % 9 - 4).pow(2) <= 16).collect();
        assert_eq!(Rle::parse([12, 9], DISC).unwrap(), Rle::of([12, 9], &disc).unwrap());
        let row: Vec<bool> = (0..40).map(|at| (3..33).contains(&at)).collect();
        assert_eq!(Rle::parse([1, 40], "3n07").unwrap(), Rle::of([1, 40], &row).unwrap());
    }

    const DISC: &str = "5194M2O0O20N101N3LM";

    #[test]
    fn what_is_no_mask_is_told() {
        let text = |found: Result<Rle>| found.unwrap_err().to_string();
        assert_eq!(text(Rle::new([2, 3], vec![1, 2])), "expected run lengths of 6 pixels, for 2 × 3, found 3");
        assert_eq!(text(Rle::of([2, 3], &[true])), "expected a mask of 2 × 3 pixels, found 1");
        assert!(text(Rle::parse([1, 4], "1 3")).ends_with("found them broken at character 1"));
        assert!(text(Rle::parse([1, 4], "4P")).ends_with("found the text cut inside one"));
        assert_eq!(text(Rle::parse([1, 4], "N6")), "expected run lengths of 0 or more, found -2");
        // No overflow, however long a number is.
        assert!(text(Rle::parse([1, 4], &"o".repeat(99))).contains("broken at character 7"));
    }

    proptest! {
        #[test]
        fn a_mask_is_what_its_runs_say(height in 1_usize..7, mask in proptest::collection::vec(any::<bool>(), 1..40)) {
            let width = mask.len() / height;
            let mask = &mask[..width * height];
            prop_assert_eq!(Rle::of([height, width], mask).unwrap().mask(), mask);
        }
    }
}
