//! Image augmentation: random changes to training images `[C, H, W]` that keep their class. Each augmentation has a
//! file of its own; [`Augment`] is the enum of them all, and [`Augmenter`] applies a list of them.
//!
//! Every random number comes from Philox, keyed by seed, position in the list, epoch and sample. The same settings
//! therefore give the same images for any number of threads, any batch size and any batch at which a run is resumed.

mod affine;
mod augmented;
mod color;
mod cutout;
mod erasing;
mod flip;
mod jitter;
mod normalize;
mod picture;
mod rand_augment;
#[cfg(test)]
mod recorded;
mod rotate;
mod tone;
mod translate;
mod warp;

pub use affine::Affine;
pub use augmented::Augmented;
pub use cutout::Cutout;
pub use erasing::{ErasedValue, RandomErasing};
pub use flip::Flip;
pub use jitter::ColorJitter;
pub use normalize::{Normalize, channel_stats};
pub use picture::{Draw, Picture};
pub use rand_augment::RandAugment;
pub use rotate::Rotate;
pub use translate::{Fill, Translate};

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use taper_backend::RandomKey;

/// A random change to an image `[C, H, W]`, with its settings.
pub trait Augmentation: Send + Sync + Debug {
    /// Checks that the settings are in range.
    ///
    /// # Errors
    /// When a setting is out of range; the error names it.
    fn check(&self) -> Result<()>;

    /// Checks that the augmentation applies to images of `shape` `[C, H, W]`.
    ///
    /// # Errors
    /// When it does not; the error says why.
    fn check_shape(&self, _shape: [usize; 3]) -> Result<()> {
        Ok(())
    }

    /// Whether values must be in [0, 1], so that the augmentation must come before [`Normalize`] in a list.
    fn wants_unit_range(&self) -> bool {
        false
    }

    /// Changes `picture` by the random numbers of `draw`: the same settings, image and draw give the same bits.
    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw);
}

/// Makes the enum of all augmentations from one line each: type, name in configuration, documentation.
macro_rules! augmentations {
    ($($name:ident, $kind:literal: $doc:literal)*) => {
        /// Any of the augmentations, as it is written in configuration: `{ kind = "flip", alternating = true }`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", deny_unknown_fields)]
        #[non_exhaustive]
        pub enum Augment {
            $(#[doc = $doc] #[serde(rename = $kind)] $name($name),)*
        }

        impl Augment {
            /// The names of all augmentations in configuration.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// The augmentation's name in configuration.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $kind,)*
                }
            }

            /// The augmentation itself.
            pub fn inner(&self) -> &dyn Augmentation {
                match self {
                    $(Self::$name(inner) => inner,)*
                }
            }
        }

        $(impl From<$name> for Augment {
            fn from(inner: $name) -> Self {
                Self::$name(inner)
            }
        })*
    };
}
augmentations! {
    Flip, "flip": "Random horizontal flip."
    Translate, "translate": "Random shift by whole pixels: the same as padding and a random crop."
    Cutout, "cutout": "Cutout: a random square set to zero."
    Rotate, "rotate": "Random rotation."
    Affine, "affine": "Random affine transformation: rotation, shift, scale and shear."
    ColorJitter, "color-jitter": "Random brightness, contrast, saturation and hue."
    RandomErasing, "random-erasing": "Random erasing: a random rectangle overwritten."
    RandAugment, "rand-augment": "RandAugment: `n` operations drawn from fourteen."
    Normalize, "normalize": "Normalisation of each channel: (x − mean) / std."
}

impl Augment {
    /// Checks that the settings are in range.
    ///
    /// # Errors
    /// When a setting is out of range: `augment.translate: pixels: expected at least 1, found 0`.
    pub fn check(&self) -> Result<()> {
        self.inner().check()
    }
}

/// A checked list of augmentations for images of one shape, with the keys of their random numbers. A
/// [`Pipeline`](crate::Pipeline) contains one; it can also be used alone.
#[derive(Debug, Clone)]
pub struct Augmenter {
    shape: [usize; 3],
    list: Vec<(Augment, RandomKey)>,
}

impl Augmenter {
    /// The augmentations of `list`, applied in this order to images of `shape` `[C, H, W]`, with random numbers of
    /// `seed`.
    ///
    /// # Errors
    /// When a setting is out of range, an augmentation does not apply to the shape, or one that needs values in [0, 1]
    /// comes after [`Normalize`].
    pub fn new(list: Vec<Augment>, shape: [usize; 3], seed: u64) -> Result<Self> {
        let root = RandomKey::new(seed).child("augment");
        let mut normalized = false;
        for augment in &list {
            augment.check()?;
            augment.inner().check_shape(shape)?;
            if normalized && augment.inner().wants_unit_range() {
                let detail = "expected before normalize, after which values are not in [0, 1] any more";
                return Err(argument(format!("{}: {detail}", augment.kind())));
            }
            normalized |= matches!(augment, Augment::Normalize(_));
        }
        let list = list.into_iter().enumerate().map(|(place, augment)| (augment, root.index(place as u64))).collect();
        Ok(Self { shape, list })
    }

    /// Changes the image `values` (C·H·W, row-major) by the random numbers of `sample`, its index in the dataset, in
    /// `epoch`. `spare` is scratch memory: its content does not matter before and means nothing after.
    ///
    /// # Errors
    /// When `values` has another length than the shape's product.
    pub fn apply(&self, values: &mut Vec<f32>, spare: &mut Vec<f32>, epoch: u64, sample: usize) -> Result<()> {
        let mut picture = Picture::new(values, spare, self.shape)?;
        for (augment, key) in &self.list {
            let draw = Draw { key: key.index(epoch).index(sample as u64), epoch, sample };
            augment.inner().apply(&mut picture, &draw);
        }
        Ok(())
    }
}

/// The error of a setting: `augment.{detail}`.
fn argument(detail: String) -> Error {
    Error::Argument(format!("augment.{detail}"))
}

/// An error that names `setting` unless `low` ≤ `value` ≤ `high`.
fn in_range(setting: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(argument(format!("{setting}: expected {low} to {high}, found {value}")))
}
