//! What each position of a grid is to say of the objects of a picture, and the loss (FCOS, sections 3.1 and 3.2; the sampling
//! near the centre: Tian et al., "FCOS: a simple and strong anchor-free object detector", 2020, as in torchvision).

use super::{Fcos, FcosOutput};
use taper_nn::{BceWithLogits, BoxIou, DType, Device, Error, Focal, HostData, Reduction, Result, Tensor};

/// How far from an object's centre its positions are, in strides.
const RADIUS: f64 = 1.5;

/// An object of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// x₁, y₁, x₂, y₂ in pixels, with x₁ < x₂ and y₁ < y₂.
    pub bounds: [f64; 4],
    /// The class.
    pub class: usize,
}

/// The targets of the positions of N pictures. A position belongs to the smallest object in whose box it is, less than 1.5
/// strides from the centre along both axes; of equal ones to the first; or to none.
#[derive(Debug, Clone)]
pub struct FcosTargets {
    /// 1 at the class of the position's object, `[N, P, classes]`.
    pub classes: Tensor,
    /// Distances to the sides of the object's box in strides, `[N, P, 4]`; 0 where there is none.
    pub distances: Tensor,
    /// √(min(l, r) / max(l, r) · min(t, b) / max(t, b)) of these distances, `[N, P]`.
    pub centerness: Tensor,
    /// 1 where there is an object, `[N, P]`.
    pub inside: Tensor,
    /// The number of positions that belong to an object.
    pub count: usize,
    /// Pixels from one position to the next.
    stride: usize,
}

/// The loss of [`Fcos`], each part a sum over positions divided by the number of those that belong to an object (at least 1).
#[derive(Debug, Clone)]
pub struct FcosLoss {
    /// The focal loss of all classes at all positions.
    pub classification: Tensor,
    /// The GIoU loss of the boxes.
    pub regression: Tensor,
    /// The binary cross entropy of the centerness.
    pub centerness: Tensor,
}

impl FcosTargets {
    /// The targets of the pictures' `objects` on a grid of `[h, w]` positions, for the classes and the stride of `head`.
    ///
    /// # Errors
    /// A class that the head does not have, a box that is not finite or has no area.
    pub fn new(objects: &[Vec<Object>], grid: [usize; 2], head: &Fcos, dtype: DType, device: &Device) -> Result<Self> {
        let (positions, classes) = (grid[0] * grid[1], head.config().classes);
        let (mut hot, mut distances) = (vec![0.0; objects.len() * positions * classes], Vec::new());
        let (mut centerness, mut inside) = (Vec::new(), Vec::new());
        for (picture, objects) in objects.iter().enumerate() {
            objects.iter().try_for_each(|object| check(object, classes))?;
            for (position, at) in super::boxes::places(grid, head.config().stride).enumerate() {
                let found = owner(objects, at, head.config().stride as f64);
                let sides = found.map_or([0.0; 4], |object| sides(object, at));
                if let Some(slot) =
                    found.and_then(|object| hot.get_mut((picture * positions + position) * classes + object.class))
                {
                    *slot = 1.0;
                }
                let ratio = |a: f64, b: f64| if a.max(b) > 0.0 { a.min(b) / a.max(b) } else { 0.0 };
                centerness.push((ratio(sides[0], sides[2]) * ratio(sides[1], sides[3])).sqrt());
                distances.extend(sides.map(|side| side / head.config().stride as f64));
                inside.push(f64::from(u8::from(found.is_some())));
            }
        }
        let count = inside.iter().filter(|inside| **inside > 0.0).count();
        let tensor = |values: Vec<f64>, last: &[usize]| {
            let shape = [&[objects.len(), positions], last].concat();
            Tensor::from_host(HostData::from_f64(&values, dtype), shape, device)
        };
        Ok(Self {
            classes: tensor(hot, &[classes])?,
            distances: tensor(distances, &[4])?,
            centerness: tensor(centerness, &[])?,
            inside: tensor(inside, &[])?,
            count,
            stride: head.config().stride,
        })
    }

    /// The loss of what the head found.
    ///
    /// # Errors
    /// An output of other pictures, or of another grid.
    pub fn loss(&self, output: &FcosOutput) -> Result<FcosLoss> {
        let share = 1.0 / self.count.max(1) as f64;
        let focal = Focal { reduction: Reduction::Sum, ..Focal::default() };
        let bce = BceWithLogits { reduction: Reduction::None, ..BceWithLogits::default() };
        let iou = BoxIou { reduction: Reduction::None, ..BoxIou::default() };
        // Boxes around the position, in pixels: the overlap does not depend on where they are.
        let around = |distances: &Tensor| {
            let distances = distances.mul_scalar(self.stride as f64)?;
            let [low, high] = [distances.narrow(-1, 0, 2)?.neg()?, distances.narrow(-1, 2, 2)?];
            Tensor::concat(&[&low, &high], -1)
        };
        let inside = |losses: Tensor| losses.mul(&self.inside)?.sum_all()?.mul_scalar(share);
        Ok(FcosLoss {
            classification: focal.forward(&output.logits, &self.classes)?.mul_scalar(share)?,
            regression: inside(iou.forward(&around(&output.distances)?, &around(&self.distances)?)?)?,
            centerness: inside(bce.forward(&output.centerness, &self.centerness)?)?,
        })
    }
}

impl FcosLoss {
    /// The sum of the three.
    pub fn total(&self) -> Result<Tensor> {
        self.classification.add(&self.regression)?.add(&self.centerness)
    }
}

fn check(object: &Object, classes: usize) -> Result<()> {
    let Object { bounds, class } = object;
    let [x1, y1, x2, y2] = bounds;
    if !(x1 < x2 && y1 < y2 && bounds.iter().all(|side| side.is_finite())) {
        let detail = format!("a box must be x₁ < x₂ and y₁ < y₂, finite, came as {bounds:?}");
        return Err(Error::argument("fcos", detail));
    }
    if *class >= classes {
        return Err(Error::argument("fcos", format!("class {class} must be one of the head's {classes}")));
    }
    Ok(())
}

/// The object that the position belongs to.
fn owner(objects: &[Object], at: [f64; 2], stride: f64) -> Option<&Object> {
    let area = |object: &Object| (object.bounds[2] - object.bounds[0]) * (object.bounds[3] - object.bounds[1]);
    let near = |object: &&Object| {
        let [x1, y1, x2, y2] = object.bounds;
        let apart = ((x1 + x2) / 2.0 - at[0]).abs().max(((y1 + y2) / 2.0 - at[1]).abs());
        apart < RADIUS * stride && sides(object, at).iter().all(|side| *side > 0.0)
    };
    objects.iter().filter(near).min_by(|a, b| area(a).total_cmp(&area(b)))
}

/// From the position to the left, upper, right and lower side of the box, in pixels.
fn sides(object: &Object, [x, y]: [f64; 2]) -> [f64; 4] {
    let [x1, y1, x2, y2] = object.bounds;
    [x - x1, y - y1, x2 - x, y2 - y]
}
