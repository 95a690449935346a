//! The classes of pixels as PASCAL VOC draws them: a PNG in whose palette each class has a colour (development kit of 2007,
//! `VOClabelcolormap`).

use super::{Rle, Thing};
use crate::formats::folders::FolderOptions;
use crate::formats::picture::DecodedImage;
use crate::{Error, Result};
use std::path::Path;

/// The classes of PASCAL VOC, whose numbers in the palette are from 1; 0 is the background.
pub(super) const CLASSES: [&str; 20] = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];
/// The number of pixels at borders and of what is difficult, which do not count.
const BORDER: usize = 255;

/// The colour of number `number`: of its bits, from the lowest on, each third goes to one channel, the first to the highest bit.
fn colour(number: usize) -> [u8; 3] {
    let channel = |first: usize| (0..3).map(|bit| ((number >> (3 * bit + first) & 1) as u8) << (7 - bit)).sum();
    [channel(0), channel(1), channel(2)]
}

/// Height and width of the picture whose classes `bytes`, those of the file at `path`, give, and for each class in it a thing
/// of all its pixels; what does not count is a crowd.
pub(super) fn things(bytes: &[u8], path: &Path) -> Result<([usize; 2], Vec<Thing>)> {
    let picture = DecodedImage::decode(bytes, path, None)?;
    let size = picture.size();
    let mut planes = Vec::new();
    picture.append(size, FolderOptions { channels: 3, size: None }, path, &mut planes)?;
    let pixels = size[0] * size[1];
    let known: Vec<(usize, [u8; 3])> =
        (0..=CLASSES.len()).chain([BORDER]).map(|number| (number, colour(number))).collect();
    let mut numbers = Vec::with_capacity(pixels);
    for i in 0..pixels {
        let found = [planes[i], planes[pixels + i], planes[2 * pixels + i]];
        let Some((number, _)) = known.iter().find(|(_, colour)| *colour == found) else {
            let at = format!("pixel ({}, {})", i % size[1], i / size[1]);
            let detail =
                format!("expected a colour of PASCAL VOC's palette, of the classes 0 to 20 or of 255, found {found:?}");
            return Err(Error::format(path, at, detail));
        };
        numbers.push(*number);
    }
    let mut things = Vec::new();
    for number in (1..=CLASSES.len()).chain([BORDER]) {
        let mask: Vec<bool> = numbers.iter().map(|found| *found == number).collect();
        let inside = || mask.iter().enumerate().filter(|(_, inside)| **inside).map(|(i, _)| [i % size[1], i / size[1]]);
        let side = |axis: usize| Some([inside().map(|at| at[axis]).min()?, inside().map(|at| at[axis]).max()? + 1]);
        let (Some([x1, x2]), Some([y1, y2])) = (side(0), side(1)) else { continue };
        let (bounds, crowd) = ([x1, y1, x2, y2].map(|side| side as f64), number == BORDER);
        let class = if crowd { 0 } else { number - 1 };
        things.push(Thing { class, bounds, area: inside().count() as f64, crowd, mask: Some(Rle::of(size, &mask)?) });
    }
    Ok((size, things))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_development_kit() {
        let due = [
            (0, [0, 0, 0]),
            (1, [128, 0, 0]),
            (2, [0, 128, 0]),
            (8, [64, 0, 0]),
            (15, [192, 128, 128]),
            (20, [0, 64, 128]),
        ];
        for (number, due) in due.into_iter().chain([(BORDER, [224, 224, 192])]) {
            assert_eq!(colour(number), due, "{number}");
        }
        assert!(CLASSES.is_sorted());
    }
}
