//! Augmentation: random changes to training pictures that leave their class alone, one a file, and the list of them.
//!
//! Every random number comes from Philox, keyed by seed, place in the list, epoch and sample: the same settings give the
//! same pictures whatever the threads, the batches or where a run was resumed.

mod affine;
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

/// A random change to a picture.
pub trait Augmentation: Send + Sync + Debug {
    /// Checks that the settings are in range.
    ///
    /// # Errors
    /// When one is not; the error names it.
    fn check(&self) -> Result<()>;

    /// Checks that pictures `[C, H, W]` of `shape` can be changed so.
    ///
    /// # Errors
    /// When they cannot; the error says why.
    fn check_shape(&self, _shape: [usize; 3]) -> Result<()> {
        Ok(())
    }

    /// Whether values must be in [0, 1], so that it comes before [`Normalize`].
    fn wants_unit_range(&self) -> bool {
        false
    }

    /// Changes `picture` as `draw` has it: the same settings, picture and draw give the same bits.
    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw);
}

/// The enum of all augmentations, from one line each.
macro_rules! augmentations {
    ($($name:ident, $kind:literal: $doc:literal)*) => {
        /// Any of the augmentations, as configuration has it: `{ kind = "flip", alternating = true }`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", deny_unknown_fields)]
        #[non_exhaustive]
        pub enum Augment {
            $(#[doc = $doc] #[serde(rename = $kind)] $name($name),)*
        }

        impl Augment {
            /// The names of all, as configuration has them.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// Its name in configuration.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $kind,)*
                }
            }

            /// The augmentation inside.
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
    Flip, "flip": "Mirrored left to right."
    Translate, "translate": "Shifted: the same as padded and cropped."
    Cutout, "cutout": "A square blotted out."
    Rotate, "rotate": "Rotated."
    Affine, "affine": "Rotated, shifted, scaled and sheared."
    ColorJitter, "color-jitter": "Brightness, contrast, saturation and hue changed."
    RandomErasing, "random-erasing": "A rectangle overwritten."
    RandAugment, "rand-augment": "A few out of fourteen changes."
    Normalize, "normalize": "Channels brought to mean 0 and standard deviation 1."
}

impl Augment {
    /// Checks that the settings are in range.
    ///
    /// # Errors
    /// When one is not: `augment.translate: pixels: expected at least 1, found 0`.
    pub fn check(&self) -> Result<()> {
        self.inner().check()
    }
}

/// A list of augmentations for pictures of one shape, checked, with the keys of their random numbers. A
/// [`Pipeline`](crate::Pipeline) has one; it can be used alone.
#[derive(Debug, Clone)]
pub struct Augmenter {
    shape: [usize; 3],
    list: Vec<(Augment, RandomKey)>,
}

impl Augmenter {
    /// `list` for pictures `[C, H, W]` of `shape`, drawing by `seed`.
    ///
    /// # Errors
    /// When settings are out of range or do not fit the shape, or one that needs values in [0, 1] comes after
    /// [`Normalize`].
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

    /// Changes the picture `values` as its draws in `epoch` have it. `spare` is memory to work in, whatever it holds.
    ///
    /// # Errors
    /// When `values` is not of the shape's size.
    pub fn apply(&self, values: &mut Vec<f32>, spare: &mut Vec<f32>, epoch: u64, sample: usize) -> Result<()> {
        let mut picture = Picture::new(values, spare, self.shape)?;
        for (augment, key) in &self.list {
            let draw = Draw { key: key.index(epoch).index(sample as u64), epoch, sample };
            augment.inner().apply(&mut picture, &draw);
        }
        Ok(())
    }
}

/// An error of the settings: `augment.{detail}`.
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
