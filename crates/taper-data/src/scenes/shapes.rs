//! Drawn scenes, for machines without data: shapes on a background, with their masks and boxes.
//!
//! A scene has one to four shapes, of which later ones lie over earlier ones, as long as half of each can be seen. Place, size,
//! rotation and colour are random, and so is the background (a wave, noise). Shape is all that tells the classes apart. As of
//! CIFAR-10's stand-in, whose shapes these are, random numbers come from Philox, keyed by split and picture, and pictures are
//! computed only with operations that IEEE 754 rounds correctly: they are the same on every system.

use super::{Content, Pixels, Rle, Scene, Scenes, Thing};
use crate::datasets::stand_in::{CLASSES, Draws, distance, sawtooth};
use crate::image::hex;
use sha2::{Digest as _, Sha256};
use taper_backend::RandomKey;

/// The classes of [`Scenes::shapes`].
pub const SHAPES: [&str; 6] = ["disc", "ring", "square", "triangle", "cross", "crescent"];

/// Height and width of the pictures.
const SIZE: usize = 48;
/// The smallest and the largest radius of a shape in pixels.
const RADIUS: (f32, f32) = (7.0, 12.0);
/// How often a place is looked for before a shape is left out.
const TRIES: usize = 10;
/// The smallest and the largest difference, in pixel values, between a shape and the background in the channel that differs
/// most.
const CONTRAST: (f32, f32) = (70.0, 110.0);
/// Amplitudes of the background's wave and of the noise, in pixel values.
const WAVE: f32 = 20.0;
const NOISE: f32 = 12.0;

impl Scenes {
    /// The first `count` drawn pictures of the split called `split`: `[3, 48, 48]`, with things of the classes [`SHAPES`]. The
    /// first are the same however many are drawn.
    pub fn shapes(count: usize, split: &str) -> Self {
        let key = RandomKey::new(0).child("shapes").child(split);
        let scenes: Vec<Scene> = (0..count).map(|i| scene(key.index(i as u64), format!("{split} {i}"))).collect();
        let mut hash = Sha256::new();
        for scene in &scenes {
            match &scene.pixels {
                Pixels::Memory(pixels) => hash.update(pixels),
                #[cfg(feature = "coco")]
                Pixels::File(_) => {}
            }
        }
        let classes = SHAPES.map(String::from).to_vec();
        Self::new(Content { classes, scenes, checksum: hex(&hash.finalize()) }, SIZE)
    }
}

/// A shape that was placed: where it is, and what of it can be seen.
struct Placed {
    class: usize,
    shift: [f32; 3],
    /// How much of each pixel is covered, 0 to 1; by this shape alone.
    cover: Vec<f32>,
    visible: Vec<bool>,
    whole: usize,
}

fn scene(key: RandomKey, name: String) -> Scene {
    let mut draws = Draws::new(key);
    let ground = draws.colour(80.0, 175.0);
    let wave_shift = draws.colour(-WAVE, WAVE);
    let wave = [draws.range(-0.05, 0.05), draws.range(-0.05, 0.05), draws.range(0.0, 1.0)];
    let wanted = 1 + draws.range(0.0, 4.0) as usize;
    let mut placed: Vec<Placed> = Vec::new();
    for _ in 0..wanted {
        let class = draws.range(0.0, SHAPES.len() as f32) as usize;
        let direction = draws.colour(-1.0, 1.0);
        let strongest = direction.iter().fold(0.01_f32, |m, c| m.max(c.abs()));
        let contrast = draws.range(CONTRAST.0, CONTRAST.1) / strongest;
        for _ in 0..TRIES {
            let shape = shape(class, direction.map(|c| c * contrast), &mut draws);
            let hides = |other: &Placed| {
                let left = other.visible.iter().zip(&shape.visible).filter(|(was, now)| **was && !**now).count();
                2 * left < other.whole
            };
            if !placed.iter().any(hides) {
                for other in &mut placed {
                    other.visible.iter_mut().zip(&shape.visible).for_each(|(was, now)| *was &= !now);
                }
                placed.push(shape);
                break;
            }
        }
    }
    let noise = key.child("noise");
    let mut pixels = vec![0; 3 * SIZE * SIZE];
    for at in 0..SIZE * SIZE {
        let (x, y) = ((at % SIZE) as f32 + 0.5, (at / SIZE) as f32 + 0.5);
        let ripple = 4.0 * sawtooth(wave[0] * x + wave[1] * y + wave[2]).abs() - 1.0;
        let words = noise.block(at as u64);
        for channel in 0..3 {
            let plain = ground[channel] + wave_shift[channel] * ripple;
            let painted = placed.iter().fold(plain, |below, shape| {
                let cover = shape.cover.get(at).copied().unwrap_or(0.0);
                below + cover * (ground[channel] + shape.shift[channel] - below)
            });
            let grain = (words[channel] & 1023) as f32 / 511.5 - 1.0;
            if let Some(value) = pixels.get_mut(channel * SIZE * SIZE + at) {
                *value = (painted + NOISE * grain + 0.5) as u8; // saturates at 0 and 255
            }
        }
    }
    Scene { name, size: [SIZE; 2], pixels: Pixels::Memory(pixels), things: placed.iter().filter_map(thing).collect() }
}

/// A shape of this class at a random place, as if it were alone.
fn shape(class: usize, shift: [f32; 3], draws: &mut Draws) -> Placed {
    let radius = draws.range(RADIUS.0, RADIUS.1);
    let centre: [f32; 2] = std::array::from_fn(|_| draws.range(radius, SIZE as f32 - radius));
    let tilt = draws.range(-0.4, 0.4);
    let (cos, sin) = (1.0 / (1.0 + tilt * tilt).sqrt(), tilt / (1.0 + tilt * tilt).sqrt());
    let label = SHAPES.get(class).and_then(|name| CLASSES.iter().position(|other| other == name)).unwrap_or(0);
    let cover = |at: usize| {
        let (dx, dy) = ((at % SIZE) as f32 + 0.5 - centre[0], (at / SIZE) as f32 + 0.5 - centre[1]);
        let (u, v) = ((cos * dx + sin * dy) / radius, (cos * dy - sin * dx) / radius);
        (0.5 - radius * distance(label, u, v, 0.0)).clamp(0.0, 1.0)
    };
    let cover: Vec<f32> = (0..SIZE * SIZE).map(cover).collect();
    let visible: Vec<bool> = cover.iter().map(|cover| *cover > 0.5).collect();
    let whole = visible.iter().filter(|inside| **inside).count();
    Placed { class, shift, cover, visible, whole }
}

/// The thing that a shape is, with a box around what can be seen of it.
fn thing(shape: &Placed) -> Option<Thing> {
    let mask = Rle::of([SIZE; 2], &shape.visible).ok()?;
    let inside = || (0..SIZE * SIZE).filter(|&at| shape.visible.get(at) == Some(&true));
    let low = |of: fn(usize) -> usize| inside().map(of).min();
    let high = |of: fn(usize) -> usize| inside().map(of).max();
    let (column, row) = (|at| at % SIZE, |at| at / SIZE);
    let bounds = [low(column)?, low(row)?, high(column)? + 1, high(row)? + 1].map(|side| side as f64);
    Some(Thing { class: shape.class, bounds, area: mask.area() as f64, crowd: false, mask: Some(mask) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_the_same_however_many_and_wherever() {
        let (few, more) = (Scenes::shapes(3, "train"), Scenes::shapes(5, "train"));
        assert_eq!((few.things(2), few.name(2)), (more.things(2), "train 2"));
        assert_ne!(few.things(0), Scenes::shapes(3, "test").things(0));
        // Recorded once: it must be the same on every system and in every version.
        assert_eq!(few.checksum(), "bd43b381a0318b68e69a93e2e22f1d634a450797fe86e3ff23cf70423538412d");
    }

    #[test]
    fn half_of_every_thing_is_seen_and_boxes_are_tight() {
        let scenes = Scenes::shapes(60, "train");
        let mut of_class = [0; SHAPES.len()];
        for i in 0..scenes.len() {
            let things = scenes.things(i);
            assert!((1..=4).contains(&things.len()), "{i}: {}", things.len());
            let masks: Vec<Vec<bool>> = things.iter().map(|thing| thing.mask.as_ref().unwrap().mask()).collect();
            for (thing, mask) in things.iter().zip(&masks) {
                of_class[thing.class] += 1;
                let [x1, y1, x2, y2] = thing.bounds.map(|side| side as usize);
                let inside = |at: usize| (x1..x2).contains(&(at % SIZE)) && (y1..y2).contains(&(at / SIZE));
                assert!((0..SIZE * SIZE).all(|at| !mask[at] || inside(at)));
                assert!(thing.area >= 30.0, "{}", thing.area);
                assert!((x1..x2).any(|x| mask[y1 * SIZE + x]) && (y1..y2).any(|y| mask[y * SIZE + x2 - 1]));
            }
            // No pixel is of two things.
            let shared = (0..SIZE * SIZE).any(|at| masks.iter().filter(|mask| mask[at]).count() > 1);
            assert!(!shared, "{i}");
        }
        assert!(of_class.iter().all(|&count| count > 8), "{of_class:?}");
    }
}
