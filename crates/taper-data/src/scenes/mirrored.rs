//! Mirroring pictures with what belongs to them.

use crate::{Batch, Dataset, Error, FieldSpec, Result};
use taper_backend::{HostData, RandomKey};

/// A data set around one of pictures, that mirrors each sample horizontally with probability 1/2, drawn anew in each epoch by
/// seed, epoch and sample. The fields `inputs` (`[…, W]`) and `labels` (`[…, W]`) are mirrored pixel by pixel, `boxes`
/// (`[…, 4]`: x1, y1, x2, y2) with them: x becomes W − x. Other fields stay as they are.
#[derive(Debug, Clone)]
pub struct Mirrored<D> {
    dataset: D,
    key: RandomKey,
}

impl<D: Dataset> Mirrored<D> {
    /// The samples of `dataset`, each mirrored or not, as `seed` draws it.
    pub fn new(dataset: D, seed: u64) -> Self {
        Self { dataset, key: RandomKey::new(seed).child("mirrored") }
    }

    /// Whether `sample` is mirrored in `epoch`.
    fn turns(&self, epoch: u64, sample: usize) -> bool {
        self.key.index(epoch).word(sample as u64) % 2 == 1
    }
}

impl<D: Dataset> Dataset for Mirrored<D> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        self.dataset.fields()
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        self.dataset.fill(epoch, indices, batch)?;
        let width = batch.field("inputs")?.shape.last().copied().unwrap_or(0);
        let rows: Vec<bool> = indices.iter().map(|&index| self.turns(epoch, index)).collect();
        for (name, mirror) in [("inputs", Mirror::Pixels), ("labels", Mirror::Pixels), ("boxes", Mirror::Boxes)] {
            let Some(field) = batch.field_mut(name) else { continue };
            let fits = field.shape.len() > 1 && (mirror == Mirror::Pixels || field.shape.last() == Some(&4));
            match &mut field.data {
                _ if !fits => return Err(wrong(name, &field.shape)),
                HostData::U8(values) => mirror.of_rows(values, width, &rows, |x, _| x),
                HostData::I64(values) => mirror.of_rows(values, width, &rows, |x, _| x),
                HostData::F32(values) => mirror.of_rows(values, width, &rows, |x, width| width as f32 - x),
                HostData::F64(values) => mirror.of_rows(values, width, &rows, |x, width| width as f64 - x),
                _ => return Err(wrong(name, &field.shape)),
            }
        }
        Ok(())
    }
}

fn wrong(name: &str, shape: &[usize]) -> Error {
    Error::Argument(format!("mirrored: {name}: expected pictures, masks or boxes, found samples of shape {shape:?}"))
}

/// How a field is mirrored.
#[derive(Clone, Copy, PartialEq)]
enum Mirror {
    Pixels,
    Boxes,
}

impl Mirror {
    /// Mirrors the samples of which `rows` is true, in pictures of this width.
    fn of_rows<T: Copy>(self, values: &mut [T], width: usize, rows: &[bool], other_side: fn(T, usize) -> T) {
        let sample = values.len() / rows.len().max(1);
        let turned = values.chunks_exact_mut(sample.max(1)).zip(rows).filter(|(_, turns)| **turns);
        for (values, _) in turned {
            match self {
                Self::Pixels => values.chunks_exact_mut(width.max(1)).for_each(<[T]>::reverse),
                Self::Boxes => {
                    for [left, _, right, _] in values.as_chunks_mut::<4>().0 {
                        (*left, *right) = (other_side(*right, width), other_side(*left, width));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SceneTargets, Scenes};

    fn filled(data: &dyn Dataset, epoch: u64, indices: &[usize]) -> Batch {
        let mut batch = Batch::default();
        batch.clear(indices.len());
        data.fill(epoch, indices, &mut batch).unwrap();
        batch
    }

    /// Pixel by pixel: where the thing is after the flip, its mask and its box are.
    #[test]
    fn masks_and_boxes_go_where_the_pixels_go() {
        let plain = Scenes::shapes(12, "train");
        let size = plain.size();
        let (masks, boxes) = (plain.clone(), plain.with(SceneTargets::Boxes));
        let all: Vec<usize> = (0..12).collect();
        let (mut turned, mut alone) = (0, 0);
        for epoch in 0..3 {
            let [before, after] = [filled(&masks, 0, &all), filled(&Mirrored::new(&masks, 5), epoch, &all)];
            let of_boxes = [filled(&boxes, 0, &all), filled(&Mirrored::new(&boxes, 5), epoch, &all)];
            let pixels = |batch: &Batch, at: usize| batch.field("inputs").unwrap().data.to_f64()[at];
            for sample in 0..12 {
                let turns = Mirrored::new(&masks, 5).turns(epoch, sample);
                turned += usize::from(turns);
                let to = |x: usize| if turns { size - 1 - x } else { x };
                for (y, x) in (0..size * size).map(|at| (at / size, at % size)).step_by(7) {
                    let label = |batch: &Batch, x| batch.i64s("labels").unwrap()[(sample * size + y) * size + x];
                    assert_eq!(label(&after, to(x)), label(&before, x));
                    let pixel = |batch, x| pixels(batch, ((sample * 3 + 1) * size + y) * size + x);
                    if y % 8 == 0 {
                        assert_eq!(pixel(&after, to(x)).to_bits(), pixel(&before, x).to_bits());
                    }
                }
                let things = |batch: &Batch| {
                    let field = batch.field("boxes").unwrap();
                    field.data.to_f64().chunks(field.shape[1] * 4).nth(sample).unwrap().to_vec()
                };
                let [before_boxes, after_boxes] = of_boxes.each_ref().map(things);
                let count = boxes.things(sample).len();
                for (a, b) in before_boxes.chunks(4).zip(after_boxes.chunks(4)).take(count) {
                    let w = size as f64;
                    assert_eq!(b, if turns { [w - a[2], a[1], w - a[0], a[3]] } else { [a[0], a[1], a[2], a[3]] });
                }
                // The box is where the mask is: exactly, where there is one thing.
                if count == 1 {
                    assert_eq!(after_boxes[..4], around(&after.i64s("labels").unwrap()[sample * size * size..], size));
                    alone += 1;
                }
            }
        }
        assert!((6..30).contains(&turned) && alone > 2, "{turned} of 36, {alone} alone");
    }

    /// The smallest box around the pixels of the first picture that are no background.
    fn around(labels: &[i64], size: usize) -> [f64; 4] {
        let inside = (0..size * size).filter(|&at| labels[at] > 0).map(|at| [at % size, at / size]);
        let all: Vec<[usize; 2]> = inside.collect();
        let low = |axis: usize| all.iter().map(|at| at[axis]).min().unwrap() as f64;
        let high = |axis: usize| all.iter().map(|at| at[axis] + 1).max().unwrap() as f64;
        [low(0), low(1), high(0), high(1)]
    }
}
