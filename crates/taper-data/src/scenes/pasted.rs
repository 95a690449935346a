//! Things of other pictures, pasted over those to learn from by their masks (Ghiasi et al., "Simple copy-paste is a strong data
//! augmentation method for instance segmentation", CVPR 2021, section 3): each is then seen in front of many backgrounds and
//! beside many others.

use super::{Scene, Scenes, nearest};
use crate::Result;
use taper_backend::RandomKey;

/// How many times larger than where it comes from a thing may be, from and to.
const ZOOM: (f64, f64) = (0.7, 1.4);
/// How often a place is looked for before a thing is left out.
const TRIES: u64 = 8;
/// A thing of which fewer pixels can be seen is not pasted.
const LEAST: usize = 16;

/// How things are pasted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pasting {
    key: RandomKey,
    /// The most that are pasted over a picture.
    most: usize,
}

/// A thing, and what of it can be seen in a sample.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) class: usize,
    /// Whether each pixel is of it, `[size, size]`, row by row.
    pub(super) mask: Vec<bool>,
    /// The pixels that could be seen before others were pasted over it.
    whole: usize,
}

impl Shown {
    fn new(class: usize, mask: Vec<bool>) -> Self {
        let whole = mask.iter().filter(|inside| **inside).count();
        Self { class, mask, whole }
    }

    /// The number of pixels.
    pub(super) fn area(&self) -> usize {
        self.mask.iter().filter(|inside| **inside).count()
    }

    /// The box around it, x1, y1, x2, y2; `None` where nothing of it can be seen.
    pub(super) fn bounds(&self, size: usize) -> Option<[usize; 4]> {
        let filled = |row: &[bool]| row.contains(&true);
        let rows = || self.mask.chunks_exact(size).enumerate().filter(|(_, row)| filled(row));
        let (top, bottom) = (rows().next()?.0, rows().next_back()?.0);
        let left = rows().filter_map(|(_, row)| row.iter().position(|inside| *inside)).min()?;
        let right = rows().filter_map(|(_, row)| row.iter().rposition(|inside| *inside)).max()?;
        Some([left, top, right + 1, bottom + 1])
    }

    /// Takes away what `over` covers.
    fn cover(&mut self, over: &[bool]) {
        self.mask.iter_mut().zip(over).for_each(|(inside, over)| *inside &= !over);
    }
}

impl Scene {
    /// What is shown of each thing in a sample of this size, the later over the earlier. `None` where that is not known of all:
    /// of a thing without a mask, of a crowd.
    fn shown(&self, size: usize) -> Option<Vec<Shown>> {
        let [height, width] = self.size;
        // The pixel of the picture that each of the sample's is.
        let columns: Vec<usize> = (0..size).map(|x| nearest(x, size, width)).collect();
        let rows = (0..size).map(|y| nearest(y, size, height) * width);
        let places: Vec<usize> = rows.flat_map(|row| columns.iter().map(move |column| row + column)).collect();
        let mut all: Vec<Shown> = Vec::with_capacity(self.things.len());
        for thing in &self.things {
            let whole = thing.mask.as_ref().filter(|_| !thing.crowd)?.mask();
            let mask: Vec<bool> = places.iter().map(|&place| whole.get(place).copied().unwrap_or(false)).collect();
            all.iter_mut().for_each(|before| before.cover(&mask));
            all.push(Shown::new(thing.class, mask));
        }
        Some(all)
    }
}

/// A thing on its way into another picture: the part of its own picture that it is in, and where it goes.
struct Move {
    /// x1, y1, x2, y2 of the thing in its own picture.
    from: [usize; 4],
    /// Left, top, width and height of where it goes.
    to: [usize; 4],
    mirrored: bool,
}

impl Move {
    /// The place in the thing's own picture, in pixels, of the middle of pixel (x, y); `None` outside.
    fn source(&self, x: usize, y: usize) -> Option<[f64; 2]> {
        let ([x1, y1, x2, y2], [left, top, width, height]) = (self.from, self.to);
        let (x, y) = (x.checked_sub(left).filter(|x| *x < width)?, y.checked_sub(top).filter(|y| *y < height)?);
        let along = |at: usize, of: usize, side: usize| (at as f64 + 0.5) * side as f64 / of as f64;
        let u = along(x, width, x2 - x1);
        let u = if self.mirrored { x2 as f64 - u } else { x1 as f64 + u };
        Some([u, y1 as f64 + along(y, height, y2 - y1)])
    }
}

impl Scenes {
    /// Pastes up to `most` things of other pictures over each, by their masks: mirrored or not, 0.7 to 1.4 times as large, anywhere,
    /// as long as half of each thing can still be seen. How many, which and where is drawn anew in each epoch by seed, epoch and
    /// picture. Pictures with a crowd, or with a thing whose mask is not known, stay as they are, and nothing is taken from them.
    /// For pictures to learn from.
    #[must_use]
    pub fn pasted(self, most: usize, seed: u64) -> Self {
        let pasting = Pasting { key: RandomKey::new(seed).child("pasted"), most };
        Self { pasting: (most > 0).then_some(pasting), ..self }
    }

    /// Pastes things over the sample `index`, whose planes `[3, size, size]` are there, and returns all that are shown then; `None`
    /// where nothing is changed.
    pub(super) fn paste(&self, epoch: u64, index: usize, planes: &mut [u8]) -> Result<Option<Vec<Shown>>> {
        let size = self.size;
        let Some(Pasting { key, most }) = self.pasting else { return Ok(None) };
        let key = key.index(epoch).index(index as u64);
        let Some(mut shown) = self.at(index)?.shown(size) else { return Ok(None) };
        let mut other = vec![0; planes.len()];
        for number in 1..=key.below(0, most + 1) as u64 {
            let draws = key.index(number);
            let scene = self.at(draws.below(0, self.len()))?;
            let things = scene.shown(size).unwrap_or_default();
            let Some(thing) = things.get(draws.below(1, things.len().max(1))) else { continue };
            let Some(from @ [x1, y1, x2, y2]) = thing.bounds(size) else { continue };
            scene.planes(size, &mut other)?;
            let zoom = ZOOM.0 + (ZOOM.1 - ZOOM.0) * draws.uniform(2);
            let [width, height] = [x2 - x1, y2 - y1].map(|side| ((side as f64 * zoom).round() as usize).clamp(1, size));
            for place in 0..TRIES {
                let along = |which: u64, side: usize| draws.below(8 + 2 * place + which, size - side + 1);
                let to = [along(0, width), along(1, height), width, height];
                let moved = Move { from, to, mirrored: draws.word(3) % 2 == 1 };
                let inside = |at: usize| {
                    moved
                        .source(at % size, at / size)
                        .is_some_and(|[u, v]| thing.mask.get(v as usize * size + u as usize).copied().unwrap_or(false))
                };
                let mask: Vec<bool> = (0..size * size).map(inside).collect();
                let pasted = Shown::new(thing.class, mask);
                if pasted.whole < LEAST {
                    break;
                }
                let hides = |old: &Shown| {
                    let left = old.mask.iter().zip(&pasted.mask).filter(|(old, new)| **old && !**new).count();
                    2 * left < old.whole
                };
                if !shown.iter().any(hides) {
                    for (plane, from) in planes.chunks_exact_mut(size * size).zip(other.chunks_exact(size * size)) {
                        let inside = plane.iter_mut().enumerate().zip(&pasted.mask).filter(|(_, inside)| **inside);
                        for ((at, to), _) in inside {
                            if let Some(place) = moved.source(at % size, at / size) {
                                *to = between(from, size, place);
                            }
                        }
                    }
                    shown.iter_mut().for_each(|old| old.cover(&pasted.mask));
                    shown.push(pasted);
                    break;
                }
            }
        }
        Ok(Some(shown))
    }
}

/// The value at a place of a plane `[size, size]`: the weighted mean of the four pixels whose middles are around it.
fn between(plane: &[u8], size: usize, [u, v]: [f64; 2]) -> u8 {
    let most = (size - 1) as f64;
    let (u, v) = ((u - 0.5).clamp(0.0, most), (v - 0.5).clamp(0.0, most));
    let (x, y) = (u.floor(), v.floor());
    let at = |right: f64, down: f64| {
        let place = (y + down).min(most) as usize * size + (x + right).min(most) as usize;
        plane.get(place).copied().map_or(0.0, f64::from)
    };
    let mix = |a: f64, b: f64, part: f64| a + (b - a) * part;
    mix(mix(at(0.0, 0.0), at(1.0, 0.0), u - x), mix(at(0.0, 1.0), at(1.0, 1.0), u - x), v - y).round() as u8
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Pixels, Rle, Thing};
    use super::*;
    use crate::{Batch, Dataset, SceneTargets};

    const SIZE: usize = 24;

    /// Pictures of one colour each, with a thing of another: class c, a box of 8 × 6 pixels of the value 100 + c on 10 + c.
    fn scenes() -> Scenes {
        let scene = |class: usize| {
            let inside = |at: usize| (8..16).contains(&(at % SIZE)) && (9..15).contains(&(at / SIZE));
            let mask: Vec<bool> = (0..SIZE * SIZE).map(inside).collect();
            let value = |at: usize| if inside(at) { 100 + class as u8 } else { 10 + class as u8 };
            let pixels = (0..3).flat_map(|_| (0..SIZE * SIZE).map(value)).collect();
            let things = vec![Thing {
                class,
                bounds: [8.0, 9.0, 16.0, 15.0],
                area: 48.0,
                crowd: false,
                mask: Rle::of([SIZE; 2], &mask).ok(),
            }];
            Scene { name: class.to_string(), size: [SIZE; 2], pixels: Pixels::Memory(pixels), things }
        };
        let classes = ["a", "b", "c"].map(String::from).to_vec();
        Scenes::new(Content { classes, scenes: (0..3).map(scene).collect(), checksum: String::new() }, SIZE)
    }

    fn filled(data: &Scenes, epoch: u64) -> Batch {
        let mut batch = Batch::default();
        batch.clear(3);
        data.fill(epoch, &[0, 1, 2], &mut batch).unwrap();
        batch
    }

    #[test]
    fn what_is_pasted_is_what_the_labels_and_boxes_say() {
        let data = scenes().pasted(3, 7);
        let (mut more, mut larger) = (0, 0);
        for epoch in 0..20 {
            let batch = filled(&data, epoch);
            let labels = batch.i64s("labels").unwrap().to_vec();
            let planes = batch.field("inputs").unwrap().data.to_f64();
            for (sample, labels) in labels.chunks(SIZE * SIZE).enumerate() {
                let plane = &planes[sample * 3 * SIZE * SIZE..][..SIZE * SIZE];
                for (label, &value) in labels.iter().zip(plane) {
                    match label {
                        0 => assert_eq!(value, 10.0 + sample as f64, "the background stays"),
                        // At its edge a thing that was enlarged is mixed with its own background.
                        _ => assert!(value > 10.0 + 3.0 && value <= 99.0 + *label as f64, "{value} of {label}"),
                    }
                }
                // In the middle it is its own.
                let own = labels.iter().zip(plane).filter(|(label, value)| **value == 99.0 + **label as f64).count();
                assert!(own >= 24, "{own}");
            }
            let batch = filled(&data.clone().with(SceneTargets::Boxes), epoch);
            let boxes = batch.field("boxes").unwrap().data.to_f64();
            let (classes, areas) = (batch.i64s("classes").unwrap(), batch.field("areas").unwrap().data.to_f64());
            let each = classes.len() / 3;
            for (i, (&class, bounds)) in classes.iter().zip(boxes.chunks(4)).enumerate().filter(|(_, (c, _))| **c >= 0)
            {
                let labels = &labels[i / each * SIZE * SIZE..][..SIZE * SIZE];
                let [x1, y1, x2, y2] = [0, 1, 2, 3].map(|side| bounds[side] as usize);
                let there = (0..SIZE * SIZE).filter(|at| {
                    (x1..x2).contains(&(at % SIZE)) && (y1..y2).contains(&(at / SIZE)) && labels[*at] == class + 1
                });
                assert!(there.count() as f64 >= areas[i] && areas[i] >= 12.0, "{i} {bounds:?} {}", areas[i]);
                larger += usize::from(x2 - x1 > 8);
            }
            // Every pixel of a thing is of one of the boxes.
            let all: f64 = areas.iter().sum();
            assert_eq!(all, labels.iter().filter(|label| **label > 0).count() as f64);
            more += classes.iter().filter(|class| **class >= 0).count() - 3;
        }
        assert!(more > 40 && larger > 10, "{more} were pasted, {larger} of them enlarged");
    }

    #[test]
    fn epochs_differ_and_the_same_epoch_does_not() {
        let data = scenes().pasted(3, 7);
        assert_eq!(filled(&data, 4).fields(), filled(&data, 4).fields());
        assert_ne!(filled(&data, 4).fields(), filled(&data, 5).fields());
        assert_ne!(filled(&data, 4).fields(), filled(&scenes().pasted(3, 8), 4).fields());
        assert_eq!(filled(&scenes().pasted(0, 7), 4).fields(), filled(&scenes(), 4).fields());
    }

    #[test]
    fn a_picture_whose_masks_are_not_known_stays() {
        for crowd in [true, false] {
            let plain = scenes();
            let Content { classes, scenes: mut all, checksum } = std::sync::Arc::into_inner(plain.content).unwrap();
            match crowd {
                true => all.iter_mut().for_each(|scene| scene.things[0].crowd = true),
                false => all.iter_mut().for_each(|scene| scene.things[0].mask = None),
            }
            let plain = Scenes::new(Content { classes, scenes: all, checksum }, SIZE);
            assert_eq!(filled(&plain.clone().pasted(3, 7), 1).fields(), filled(&plain, 1).fields());
        }
    }
}
