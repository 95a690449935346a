//! Labelled images in memory, and the train and test splits of a dataset.

use crate::{Batch, Dataset, Error, FieldSpec, Result, split};
use sha2::{Digest, Sha256};
use std::fmt;
use taper_backend::DType;

/// A dataset of labelled images in memory, one byte for each value: N images of shape `[C, H, W]`, their N labels,
/// and the names of the classes.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageDataset {
    images: Vec<u8>,
    labels: Vec<i64>,
    shape: [usize; 3],
    classes: Vec<String>,
    max_value: u8,
}

impl ImageDataset {
    /// The dataset of the images `images` (N·C·H·W bytes, row-major) of `shape` `[C, H, W]` with `labels` (N, each
    /// at least 0 and below the number of `classes`). `max_value`, 1 to 255, is the pixel value that becomes 1 in a batch.
    ///
    /// # Errors
    /// When a side of `shape` or `max_value` is 0, the lengths do not fit together, or a label names no class.
    pub fn new(
        images: Vec<u8>,
        labels: Vec<i64>,
        shape: [usize; 3],
        classes: Vec<String>,
        max_value: u8,
    ) -> Result<Self> {
        let picture = shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n)).unwrap_or(0);
        if picture == 0 || max_value == 0 {
            return Err(Error::Argument(format!(
                "ImageDataset: shape and max_value must be at least 1, found shape {shape:?} and max_value {max_value}"
            )));
        }
        if labels.len().checked_mul(picture) != Some(images.len()) {
            return Err(Error::Argument(format!(
                "ImageDataset: {} labels and shape {shape:?} expect {} bytes of pictures, found {}",
                labels.len(),
                labels.len().saturating_mul(picture),
                images.len()
            )));
        }
        if let Some(record) =
            labels.iter().position(|&label| usize::try_from(label).map_or(true, |label| label >= classes.len()))
        {
            return Err(Error::Argument(format!(
                "ImageDataset: picture {record} has label {}, but there are {} classes",
                labels[record],
                classes.len()
            )));
        }
        Ok(Self { images, labels, shape, classes, max_value })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the dataset is empty.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of one image, `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The names of the classes, in the order of their labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The pixel value that becomes 1 in a batch.
    pub fn max_value(&self) -> u8 {
        self.max_value
    }

    /// The label of each image, `[N]`.
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The bytes of all images, `[N, C, H, W]`, row-major.
    pub fn images(&self) -> &[u8] {
        &self.images
    }

    /// The bytes of image `index`, `[C, H, W]`, row-major, or `None` past the end.
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        let size: usize = self.shape.iter().product();
        self.images.get(index.checked_mul(size)?..)?.get(..size)
    }

    /// Keeps the first `n` images, or all if there are fewer.
    pub fn truncate(&mut self, n: usize) {
        let size: usize = self.shape.iter().product();
        self.labels.truncate(n);
        self.images.truncate(self.labels.len() * size);
    }

    /// The dataset of the images at `indices`, in that order.
    ///
    /// # Errors
    /// When an index is past the end.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let size: usize = self.shape.iter().product();
        let mut images = Vec::with_capacity(indices.len() * size);
        let mut labels = Vec::with_capacity(indices.len());
        for &index in indices {
            let image = self.image(index).ok_or_else(|| {
                Error::Argument(format!("select: index {index} is past the end: there are {} pictures", self.len()))
            })?;
            images.extend_from_slice(image);
            labels.push(self.labels[index]);
        }
        Ok(Self { images, labels, shape: self.shape, classes: self.classes.clone(), max_value: self.max_value })
    }

    /// Splits into a training split and a held-out (validation) split, which are returned in this order. The held-out
    /// split has `fraction` of the images of every class, drawn with `seed`: see [`split()`]. Both keep
    /// the order of the images and the names of all classes.
    ///
    /// # Errors
    /// When `fraction` is not at least 0 and below 1.
    pub fn split_off(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let (train, validation) = split(&self.labels, fraction, seed)?;
        Ok((self.select(&train)?, self.select(&validation)?))
    }
}

/// Writes the number of images, their shape and the number of classes, without the pixels.
impl fmt::Debug for ImageDataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageDataset({} pictures {:?}, {} classes)", self.len(), self.shape, self.classes.len())
    }
}

/// Batches have the fields `inputs`, `[N, C, H, W]` in u8, of which [`max_value`](ImageDataset::max_value) stands for 1, and
/// `labels`, `[N]` in i64.
impl Dataset for ImageDataset {
    fn len(&self) -> usize {
        self.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", DType::U8, &self.shape), FieldSpec::new("labels", DType::I64, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let [channels, height, width] = self.shape;
        let images = batch.u8_of("inputs", &[indices.len(), channels, height, width], self.max_value);
        for (image, &index) in images.chunks_exact_mut(channels * height * width).zip(indices) {
            image.copy_from_slice(self.image(index).ok_or_else(|| past_the_end(index, self.len()))?);
        }
        for (label, &index) in batch.i64("labels", &[indices.len()]).iter_mut().zip(indices) {
            *label = self.labels.get(index).copied().ok_or_else(|| past_the_end(index, self.len()))?;
        }
        Ok(())
    }
}

fn past_the_end(index: usize, len: usize) -> Error {
    Error::Argument(format!("expected a sample below {len}, found {index}"))
}

/// The training split and the test split of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splits {
    /// The training samples.
    pub train: ImageDataset,
    /// The test samples, on which a trained model is evaluated.
    pub test: ImageDataset,
}

impl Splits {
    /// The SHA-256, in hexadecimal, of the shape, labels (a byte each, or eight for more than 256 classes) and images of both splits as they are in memory. A run
    /// records it to identify the data that it used, wherever they came from.
    pub fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        for split in [&self.train, &self.test] {
            hash.update(split.shape.map(|n| n as u64).map(u64::to_le_bytes).concat());
            hash.update((split.len() as u64).to_le_bytes());
            hash.update([split.max_value]);
            match split.classes.len() {
                0..=256 => hash.update(split.labels.iter().map(|&label| label as u8).collect::<Vec<_>>()),
                _ => split.labels.iter().for_each(|label| hash.update(label.to_le_bytes())),
            }
            hash.update(&split.images);
        }
        hex(&hash.finalize())
    }
}

/// `bytes` in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_backend::HostData;

    fn two() -> ImageDataset {
        let classes = vec!["a".to_string(), "b".to_string()];
        ImageDataset::new(vec![0, 51, 102, 255, 1, 2, 3, 4], vec![0, 1], [1, 2, 2], classes, 255).unwrap()
    }

    #[test]
    fn batches_are_bytes_and_the_value_that_is_one() {
        let data = two();
        assert_eq!(data.fields()[0].fixed(), Some(vec![1, 2, 2]));
        let mut batch = Batch::default();
        batch.clear(2);
        data.fill(0, &[1, 0], &mut batch).unwrap();
        let inputs = batch.field("inputs").unwrap();
        assert_eq!((inputs.shape.as_slice(), inputs.max), (&[2, 1, 2, 2][..], Some(255.0)));
        assert_eq!(inputs.data, HostData::U8(vec![1, 2, 3, 4, 0, 51, 102, 255]));
        assert_eq!(batch.i64s("labels").unwrap(), [1, 0]);
        let text = data.fill(0, &[2], &mut batch).unwrap_err().to_string();
        assert_eq!(text, "expected a sample below 2, found 2");
    }

    #[test]
    fn selects_and_truncates() {
        let picked = two().select(&[1, 1, 0]).unwrap();
        assert_eq!(picked.labels(), [1, 1, 0]);
        assert_eq!(picked.image(1), Some(&[1, 2, 3, 4][..]));
        let text = two().select(&[2]).unwrap_err().to_string();
        assert_eq!(text, "select: index 2 is past the end: there are 2 pictures");
        let mut one = two();
        one.truncate(1);
        assert_eq!((one.len(), one.images()), (1, &[0, 51, 102, 255][..]));
        assert_eq!(format!("{one:?}"), "ImageDataset(1 pictures [1, 2, 2], 2 classes)");
        one.truncate(5);
        assert_eq!(one.len(), 1);
    }

    #[test]
    fn splits_off_a_part_of_every_class() {
        let classes = vec!["a".to_string(), "b".to_string()];
        let labels = (0..12).map(|i| i / 8).collect();
        let all = ImageDataset::new((0..12).collect(), labels, [1, 1, 1], classes, 255).unwrap();
        let (train, validation) = all.split_off(0.25, 3).unwrap();
        assert_eq!(train.labels(), [0, 0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(validation.labels(), [0, 0, 1]);
        let mut images = [train.images(), validation.images()].concat();
        images.sort_unstable();
        assert_eq!(images, all.images());
        assert!(all.split_off(1.0, 3).unwrap_err().to_string().contains("found 1"));
    }

    #[test]
    fn lengths_and_labels_are_checked() {
        let make = |images, labels: &[i64], shape, max| {
            ImageDataset::new(vec![0; images], labels.to_vec(), shape, vec!["a".into()], max).unwrap_err().to_string()
        };
        assert!(make(7, &[0, 0], [1, 2, 2], 255).contains("expect 8 bytes of pictures, found 7"));
        assert!(make(8, &[0, 1], [1, 2, 2], 255).contains("picture 1 has label 1, but there are 1 classes"));
        assert!(make(8, &[0, 0], [1, 2, 2], 0).contains("at least 1"));
        assert!(make(0, &[0, 0], [usize::MAX, 2, 2], 1).contains("at least 1"));
    }

    #[test]
    fn the_checksum_tells_changes_apart() {
        let splits = Splits { train: two(), test: two() };
        let mut changed = splits.clone();
        changed.test.labels[0] = 1;
        assert_eq!(splits.checksum().len(), 64);
        assert_ne!(splits.checksum(), changed.checksum());
        assert_eq!(splits.checksum(), splits.clone().checksum());
    }
}
