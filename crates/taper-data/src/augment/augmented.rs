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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageDataset;
    use crate::augment::{Flip, Normalize};

    fn values(batch: &Batch) -> &[f32] {
        match &batch.field(FIELD).unwrap().data {
            HostData::F32(values) => values,
            other => panic!("expected f32, found {}", other.dtype()),
        }
    }

    #[test]
    fn scales_as_pytorch_does() {
        for max in 1..=255 {
            let bytes: Vec<u8> = (0..=255).collect();
            let all = ImageDataset::new(bytes, vec![0], [1, 16, 16], vec!["a".into()], max).unwrap();
            let mut batch = Batch::default();
            batch.clear(1);
            Augmented::new(all, Vec::new(), 0).unwrap().fill(0, &[0], &mut batch).unwrap();
            for (value, &scaled) in values(&batch).iter().enumerate() {
                assert_eq!(scaled.to_bits(), (value as f32 / f32::from(max)).to_bits(), "{value}/{max}");
            }
        }
    }

    #[test]
    fn each_sample_is_changed_as_alone_and_memory_is_reused() {
        let data = ImageDataset::new((0..60).collect(), vec![0; 10], [1, 2, 3], vec!["a".into()], 64).unwrap();
        let list = vec![Flip { alternating: false }.into(), Normalize { mean: vec![0.5], std: vec![0.25] }.into()];
        let changed = Augmented::new(&data, list.clone(), 3).unwrap();
        assert_eq!(changed.fields()[0], FieldSpec::new(FIELD, DType::F32, &[1, 2, 3]));
        let (alone, mut batch) = (Augmenter::new(list, [1, 2, 3], 3).unwrap(), Batch::default());
        let mut places = Vec::new();
        for (epoch, indices) in [(0, [7, 1, 2]), (5, [9, 0, 7])] {
            batch.clear(3);
            changed.fill(epoch, &indices, &mut batch).unwrap();
            for (found, &index) in values(&batch).chunks(6).zip(&indices) {
                let mut one: Vec<f32> = data.image(index).unwrap().iter().map(|&x| f32::from(x) / 64.0).collect();
                alone.apply(&mut one, &mut Vec::new(), epoch, index).unwrap();
                assert_eq!(found, one);
            }
            // Not a fraction any more, and its labels are those of its samples.
            assert_eq!(batch.field(FIELD).unwrap().max, None);
            assert_eq!((batch.fields().len(), batch.i64s("labels").unwrap().len()), (2, 3));
            places.push(values(&batch).as_ptr());
        }
        assert_eq!(places[0], places[1]);
    }

    /// What is not known before a batch is made is an error then.
    #[test]
    fn a_dataset_that_is_not_as_it_says_is_told() {
        struct Other(&'static str);
        impl Dataset for Other {
            fn len(&self) -> usize {
                1
            }
            fn fields(&self) -> Vec<FieldSpec> {
                vec![FieldSpec::new(FIELD, DType::U8, &[1, 2, 2])]
            }
            fn fill(&self, _: u64, _: &[usize], batch: &mut Batch) -> Result<()> {
                match self.0 {
                    "wide" => batch.u8(FIELD, &[1, 1, 2, 3]).fill(0),
                    _ => batch.i64(FIELD, &[1, 1, 2, 2]).fill(0),
                }
                Ok(())
            }
        }
        let text = |kind| {
            let mut batch = Batch::default();
            batch.clear(1);
            Augmented::new(Other(kind), Vec::new(), 0).unwrap().fill(0, &[0], &mut batch).unwrap_err().to_string()
        };
        assert_eq!(text("wide"), "augment: expected pictures [1, 2, 2], found a batch of shape [1, 1, 2, 3]");
        assert_eq!(text("whole"), "augment: expected pictures in u8 or f32, found i64");
    }
}
