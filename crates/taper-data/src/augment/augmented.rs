//! A dataset of augmented pictures.

use super::{Augment, Augmenter};
use crate::{Batch, Dataset, Error, FieldSpec, Result};
use taper_backend::{DType, HostData};

/// The field that is augmented.
const FIELD: &str = "inputs";

/// A dataset of pictures whose field `inputs` is augmented, in f32, with values in [0, 1] to begin with. The random
/// numbers are keyed by seed, place in the list, epoch and sample.
#[derive(Debug, Clone)]
pub struct Augmented<D> {
    dataset: D,
    augmenter: Augmenter,
    shape: [usize; 3],
}

impl<D: Dataset> Augmented<D> {
    /// The samples of `dataset`, changed by the augmentations of `list` in this order.
    ///
    /// # Errors
    /// When the field `inputs` does not hold pictures `[C, H, W]`, a setting is out of range, or an augmentation does
    /// not apply to pictures of their shape.
    pub fn new(dataset: D, list: Vec<Augment>, seed: u64) -> Result<Self> {
        let fields = dataset.fields();
        let shape = fields.iter().find(|field| field.name == FIELD).and_then(FieldSpec::fixed).unwrap_or_default();
        let shape = <[usize; 3]>::try_from(shape.as_slice()).map_err(|_| {
            Error::Argument(format!("augment: expected pictures [C, H, W], found samples of shape {shape:?}"))
        })?;
        Ok(Self { augmenter: Augmenter::new(list, shape, seed)?, dataset, shape })
    }

    /// The dataset without augmentation.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }
}

impl<D: Dataset> Dataset for Augmented<D> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let mut fields = self.dataset.fields();
        fields.iter_mut().filter(|field| field.name == FIELD).for_each(|field| field.dtype = DType::F32);
        fields
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        self.dataset.fill(epoch, indices, batch)?;
        let Some(plain) = batch.take(FIELD) else { return Ok(()) };
        let size = self.shape.iter().product::<usize>();
        if plain.data.len() != indices.len() * size {
            let detail =
                format!("augment: expected pictures {:?}, found a batch of shape {:?}", self.shape, plain.shape);
            return Err(Error::Argument(detail));
        }
        let [mut values, mut spare] = std::mem::take(&mut batch.scratch);
        let written = batch.f32(FIELD, &plain.shape);
        for (row, (out, &index)) in written.chunks_exact_mut(size.max(1)).zip(indices).enumerate() {
            values.resize(size, 0.0);
            let places = row * size..(row + 1) * size;
            match &plain.data {
                // The quotient of two bytes is computed in f64 and rounded to f32. It has the bits of a division in
                // f32, since no quotient of two bytes is near a rounding tie.
                HostData::U8(bytes) => {
                    let max = plain.max.unwrap_or(1.0);
                    for (value, &byte) in values.iter_mut().zip(&bytes[places]) {
                        *value = (f64::from(byte) / max) as f32;
                    }
                }
                HostData::F32(floats) => values.copy_from_slice(&floats[places]),
                other => {
                    let detail = format!("augment: expected pictures in u8 or f32, found {}", other.dtype());
                    return Err(Error::Argument(detail));
                }
            }
            self.augmenter.apply(&mut values, &mut spare, epoch, index)?;
            out.copy_from_slice(&values);
        }
        batch.scratch = [values, spare];
        batch.put_aside(plain);
        Ok(())
    }
}
