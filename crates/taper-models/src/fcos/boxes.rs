//! Boxes: from what a head found at its positions to detections, without doubles.

use super::{Fcos, FcosOutput};
use std::cmp::Ordering;
use taper_nn::{DType, Error, Result};

/// What is found in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// x₁, y₁, x₂, y₂ in pixels, inside the picture.
    pub bounds: [f64; 4],
    /// The class.
    pub class: usize,
    /// √(the class's probability · the centerness), 0 to 1.
    pub score: f64,
}

/// Which detections are kept. The defaults are torchvision's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionOptions {
    /// Those whose score is over this; 0.2.
    pub score: f64,
    /// Of two boxes of a class whose overlap (IoU) is over this, the one with the higher score; 0.6.
    pub overlap: f64,
    /// Whether a box of another class is a double as well, so that a thing has one class; false.
    pub across_classes: bool,
    /// The best ones before doubles are removed; 1,000.
    pub candidates: usize,
    /// The best ones at last; 100.
    pub most: usize,
}

impl Default for DetectionOptions {
    fn default() -> Self {
        Self { score: 0.2, overlap: 0.6, across_classes: false, candidates: 1000, most: 100 }
    }
}

impl Fcos {
    /// The detections in each of the pictures of `height` × `width` pixels that `output` was found in, the best first. The
    /// host reads the output.
    ///
    /// # Errors
    /// When an output's shape is none of the head's.
    pub fn detections(
        &self,
        output: &FcosOutput,
        [height, width]: [usize; 2],
        options: &DetectionOptions,
    ) -> Result<Vec<Vec<Detection>>> {
        let [pictures, positions, classes] = output.logits.dims()?;
        let read = |tensor: &taper_nn::Tensor| tensor.detach().cast(DType::F64)?.to_vec::<f64>();
        let (probabilities, centerness) = (read(&output.logits.sigmoid()?)?, read(&output.centerness.sigmoid()?)?);
        let distances = read(&output.distances)?;
        let [rows, columns] = output.grid;
        let due = [pictures, positions];
        let fits = rows.checked_mul(columns) == Some(positions)
            && output.centerness.shape()[..] == due
            && output.distances.shape()[..] == [due[0], due[1], 4];
        if !fits {
            let [a, b, c] = [&output.logits, &output.distances, &output.centerness].map(|x| x.shape().to_string());
            let detail = format!(
                "the outputs are {a}, {b} and {c}, on a grid of {:?}: expected [N, h·w, classes], [N, h·w, 4] and [N, h·w]",
                output.grid
            );
            return Err(Error::shape("fcos", detail));
        }
        let places: Vec<[f64; 2]> = places(output.grid, self.config().stride).collect();
        let (stride, limits) = (self.config().stride as f64, [width as f64, height as f64]);
        let found = |picture: usize| {
            let mut found = Vec::new();
            for (position, [x, y]) in places.iter().enumerate() {
                let row = picture * positions + position;
                let side = |i: usize| distances.get(4 * row + i).copied().unwrap_or(0.0) * stride;
                let inside = |place: f64, axis: usize| place.clamp(0.0, limits[axis]);
                let bounds =
                    [inside(x - side(0), 0), inside(y - side(1), 1), inside(x + side(2), 0), inside(y + side(3), 1)];
                for class in 0..classes {
                    let score = probabilities.get(row * classes + class).zip(centerness.get(row));
                    let score = score.map_or(0.0, |(probability, near)| (probability * near).sqrt());
                    if score > options.score {
                        found.push(Detection { bounds, class, score });
                    }
                }
            }
            found.sort_by(|a, b| descending(a.score, b.score));
            found.truncate(options.candidates);
            without_doubles(found, options)
        };
        Ok((0..pictures).map(found).collect())
    }
}

fn without_doubles(found: Vec<Detection>, options: &DetectionOptions) -> Vec<Detection> {
    let mut kept: Vec<Detection> = Vec::new();
    for one in found {
        let double = |other: &Detection| {
            let rivals = options.across_classes || other.class == one.class;
            rivals && box_iou(other.bounds, one.bounds) > options.overlap
        };
        if kept.len() < options.most && !kept.iter().any(double) {
            kept.push(one);
        }
    }
    kept
}

/// Non-maximum suppression: the indices of the boxes, by falling score, that overlap none of a higher score by more than
/// `overlap` (IoU), as torchvision's `nms`. Of equal scores the first is the higher; NaN is the lowest.
pub fn nms(boxes: &[[f64; 4]], scores: &[f64], overlap: f64) -> Result<Vec<usize>> {
    if boxes.len() != scores.len() {
        let detail = format!("{} boxes came with {} scores", boxes.len(), scores.len());
        return Err(Error::argument("nms", detail));
    }
    let mut pairs: Vec<(usize, [f64; 4], f64)> =
        boxes.iter().zip(scores).enumerate().map(|(i, (bounds, score))| (i, *bounds, *score)).collect();
    pairs.sort_by(|a, b| descending(a.2, b.2));
    let mut kept: Vec<(usize, [f64; 4])> = Vec::new();
    for (i, bounds, _) in pairs {
        if !kept.iter().any(|(_, other)| box_iou(*other, bounds) > overlap) {
            kept.push((i, bounds));
        }
    }
    Ok(kept.into_iter().map(|(i, _)| i).collect())
}

/// The area of what two boxes share in that of what either covers; 0 where neither has an area.
pub fn box_iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let area = |[x1, y1, x2, y2]: [f64; 4]| (x2 - x1).max(0.0) * (y2 - y1).max(0.0);
    let shared = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    let union = area(a) + area(b) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// The largest first, NaN last.
fn descending(a: f64, b: f64) -> Ordering {
    a.is_nan().cmp(&b.is_nan()).then(b.total_cmp(&a))
}

/// x and y of the positions of a grid, row by row.
pub(super) fn places([rows, columns]: [usize; 2], stride: usize) -> impl Iterator<Item = [f64; 2]> {
    let place = move |i: usize| (stride / 2 + i * stride) as f64;
    (0..rows).flat_map(move |row| (0..columns).map(move |column| [place(column), place(row)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_has_one_class_where_doubles_are_looked_for_across_them() {
        let at = |left: f64, class, score| Detection { bounds: [left, 0.0, left + 10.0, 10.0], class, score };
        // The first two share 9 of 11 parts, the last lies apart.
        let found = vec![at(0.0, 0, 0.9), at(1.0, 1, 0.8), at(1.0, 0, 0.7), at(30.0, 1, 0.6)];
        let scores = |across_classes| -> Vec<f64> {
            let options = DetectionOptions { across_classes, ..DetectionOptions::default() };
            without_doubles(found.clone(), &options).iter().map(|one| one.score).collect()
        };
        assert_eq!((scores(false), scores(true)), (vec![0.9, 0.8, 0.6], vec![0.9, 0.6]));
    }
}
