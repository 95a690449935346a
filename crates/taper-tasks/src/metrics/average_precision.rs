//! Average precision of detections, as COCO's evaluation counts it (`pycocotools.cocoeval`, iouType `bbox`).

use taper_models::Detection;
use taper_train::{Error, Result};

/// Thresholds of overlap: 0.5, 0.55, …, 0.95.
const OVERLAPS: usize = 10;
/// Recalls at which precision is read: 0, 0.01, …, 1.
const RECALLS: usize = 101;
/// The most detections of a class in a picture that count, the best first.
const MOST: [usize; 3] = [1, 10, 100];
/// Areas in square pixels: all, small, medium, large.
const AREAS: [[f64; 2]; 4] = [[0.0, 1e10], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, 1e10]];

/// A box that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueBox {
    /// x1, y1, x2, y2 in pixels.
    pub bounds: [f64; 4],
    /// The class.
    pub class: usize,
    /// The area of the object, in square pixels, by which it is small, medium or large.
    pub area: f64,
    /// Whether it is a crowd: a detection in it is neither right nor wrong.
    pub crowd: bool,
}

/// What detections are worth, COCO's twelve numbers and the classes'. A number is `None` where nothing of its kind is there to be
/// found: of a class that has no box, say, which then counts in no mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetectionScores {
    /// The mean of the average precisions of all classes at the overlaps 0.5 to 0.95; at 0.5; at 0.75; of 0.5 to 0.95 for small
    /// (below 32² square pixels), medium and large (above 96²) objects.
    pub precision: [Option<f64>; 6],
    /// The mean of the recalls of all classes at the overlaps 0.5 to 0.95, with 1, 10 and 100 detections of a class in a picture;
    /// with 100 for small, medium and large objects.
    pub recall: [Option<f64>; 6],
    /// The average precision of each class at the overlaps 0.5 to 0.95, and at 0.5.
    pub classes: Vec<[Option<f64>; 2]>,
}

impl DetectionScores {
    /// mAP@0.5:0.95.
    pub fn map(&self) -> Option<f64> {
        self.precision[0]
    }

    /// mAP@0.5.
    pub fn map_50(&self) -> Option<f64> {
        self.precision[1]
    }
}

/// Scores the detections `found` in each picture by the boxes `truth` that are there, of `classes` classes.
///
/// In each picture, the 100 detections of a class with the highest scores, of equal ones the earlier, each take the box of that
/// class that they overlap most (IoU) and that no better one has, at a threshold; boxes that count for nothing (crowds, and those
/// of another area) are taken last, and make the detection count for nothing, as does an area of its own outside where it takes
/// none. A crowd may be taken often; of it and a detection the overlap is the share of the detection in it. Over all pictures in
/// the order of scores, precision at a recall is the largest that a recall as high or higher has; average precision is its mean at
/// 101 recalls, 0 where no recall is as high.
///
/// # Errors
/// Lists of different lengths, a class out of range, a number that is not finite.
pub fn detection_scores(truth: &[Vec<TrueBox>], found: &[Vec<Detection>], classes: usize) -> Result<DetectionScores> {
    check(truth, found, classes)?;
    let mut precision = [[Mean::default(); 3]; AREAS.len()];
    let mut recall = [[Mean::default(); MOST.len()]; AREAS.len()];
    let mut each = Vec::with_capacity(classes);
    for class in 0..classes {
        let pictures: Vec<Picture> =
            truth.iter().zip(found).filter_map(|(truth, found)| Picture::of(truth, found, class)).collect();
        let mut own = [None, None];
        for (area, range) in AREAS.iter().enumerate() {
            let matched: Vec<Matched> = pictures.iter().map(|picture| picture.matched(*range)).collect();
            for (place, &most) in MOST.iter().enumerate() {
                let Some(curves) = curves(&matched, most) else { continue };
                let last = place + 1 == MOST.len();
                let mut all = Mean::default();
                for (overlap, [average, highest]) in curves.iter().enumerate() {
                    recall[area][place].add(*highest);
                    all.add(*average);
                    if last {
                        precision[area][0].add(*average);
                        match overlap {
                            0 => precision[area][1].add(*average),
                            5 => precision[area][2].add(*average),
                            _ => {}
                        }
                    }
                }
                if area == 0 && last {
                    own = [all.value(), curves.first().map(|[average, _]| *average)];
                }
            }
        }
        each.push(own);
    }
    let [all, small, medium, large] = precision.map(|means| means.map(Mean::value));
    let [of_all, of_small, of_medium, of_large] = recall.map(|means| means.map(Mean::value));
    Ok(DetectionScores {
        precision: [all[0], all[1], all[2], small[0], medium[0], large[0]],
        recall: [of_all[0], of_all[1], of_all[2], of_small[2], of_medium[2], of_large[2]],
        classes: each,
    })
}

fn check(truth: &[Vec<TrueBox>], found: &[Vec<Detection>], classes: usize) -> Result<()> {
    let wrong = |detail: String| Err(Error::Usage(format!("detection scores: {detail}")));
    if truth.len() != found.len() {
        return wrong(format!("expected detections of {} pictures, found those of {}", truth.len(), found.len()));
    }
    for (picture, (truth, found)) in truth.iter().zip(found).enumerate() {
        let true_classes = truth.iter().map(|thing| thing.class);
        if let Some(class) = true_classes.chain(found.iter().map(|one| one.class)).find(|class| *class >= classes) {
            return wrong(format!("picture {picture}: expected classes below {classes}, found {class}"));
        }
        let sides = truth.iter().flat_map(|thing| thing.bounds.into_iter().chain([thing.area]));
        let found = found.iter().flat_map(|one| one.bounds.into_iter().chain([one.score]));
        if let Some(number) = sides.chain(found).find(|number| !number.is_finite()) {
            return wrong(format!("picture {picture}: expected finite boxes, areas and scores, found {number}"));
        }
    }
    Ok(())
}

/// A mean that is there if anything was added.
#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// What is there and what was found of one class in one picture.
struct Picture {
    truth: Vec<TrueBox>,
    /// By falling score.
    found: Vec<Detection>,
    /// Of each detection with each box.
    overlaps: Vec<Vec<f64>>,
}

/// The detections of a picture after they took boxes.
struct Matched {
    scores: Vec<f64>,
    /// At each overlap, for each detection: whether it took a box, and whether it counts.
    found: Vec<Vec<[bool; 2]>>,
    /// Boxes that count.
    boxes: usize,
}

impl Picture {
    fn of(truth: &[TrueBox], found: &[Detection], class: usize) -> Option<Self> {
        let truth: Vec<TrueBox> = truth.iter().filter(|thing| thing.class == class).copied().collect();
        let mut found: Vec<Detection> = found.iter().filter(|one| one.class == class).copied().collect();
        if truth.is_empty() && found.is_empty() {
            return None;
        }
        // Stable: of equal scores the earlier comes first.
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(MOST[MOST.len() - 1]);
        let overlaps = found.iter().map(|one| truth.iter().map(|thing| overlap(one.bounds, thing)).collect()).collect();
        Some(Self { truth, found, overlaps })
    }

    fn matched(&self, area: [f64; 2]) -> Matched {
        let outside = |own: f64| own < area[0] || own > area[1];
        let ignored: Vec<bool> = self.truth.iter().map(|thing| thing.crowd || outside(thing.area)).collect();
        // Those that count first, each kind in its order.
        let mut order: Vec<usize> = (0..self.truth.len()).collect();
        order.sort_by_key(|&place| ignored[place]);
        let of_overlap = |step: usize| {
            let mut taken = vec![false; self.truth.len()];
            let of = |(one, overlaps): (&Detection, &Vec<f64>)| {
                let mut best: Option<usize> = None;
                let mut least = threshold(step).min(1.0 - 1e-10);
                for &place in &order {
                    if taken[place] && !self.truth[place].crowd {
                        continue;
                    }
                    if best.is_some_and(|best| !ignored[best]) && ignored[place] {
                        break;
                    }
                    if overlaps[place] >= least {
                        (least, best) = (overlaps[place], Some(place));
                    }
                }
                match best {
                    Some(place) => {
                        taken[place] = true;
                        [true, !ignored[place]]
                    }
                    None => [false, !outside(size(one.bounds))],
                }
            };
            self.found.iter().zip(&self.overlaps).map(of).collect()
        };
        Matched {
            scores: self.found.iter().map(|one| one.score).collect(),
            found: (0..OVERLAPS).map(of_overlap).collect(),
            boxes: ignored.iter().filter(|ignored| !**ignored).count(),
        }
    }
}

/// The threshold in place `step`, with the bits of `numpy.linspace(0.5, 0.95, 10)`.
fn threshold(step: usize) -> f64 {
    if step + 1 == OVERLAPS { 0.95 } else { step as f64 * ((0.95 - 0.5) / 9.0) + 0.5 }
}

/// Width times height.
fn size([x1, y1, x2, y2]: [f64; 4]) -> f64 {
    (x2 - x1) * (y2 - y1)
}

/// What a detection and a box share, in what either covers; of a crowd, in what the detection covers.
fn overlap(found: [f64; 4], thing: &TrueBox) -> f64 {
    let (a, b) = (found, thing.bounds);
    let (width, height) = (a[2].min(b[2]) - a[0].max(b[0]), a[3].min(b[3]) - a[1].max(b[1]));
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let shared = width * height;
    shared / if thing.crowd { size(a) } else { size(a) + size(b) - shared }
}

/// At each overlap the average precision and the highest recall, with at most `most` detections a picture; `None` where there is no
/// box to be found.
fn curves(pictures: &[Matched], most: usize) -> Option<Vec<[f64; 2]>> {
    let boxes: usize = pictures.iter().map(|picture| picture.boxes).sum();
    if boxes == 0 {
        return None;
    }
    let all = pictures.iter().enumerate();
    let mut order: Vec<(usize, usize, f64)> = all
        .flat_map(|(i, picture)| picture.scores.iter().take(most).enumerate().map(move |(j, &score)| (i, j, score)))
        .collect();
    order.sort_by(|a, b| b.2.total_cmp(&a.2));
    let of_overlap = |step: usize| {
        let (mut right, mut wrong) = (0_usize, 0_usize);
        let mut curve = Vec::with_capacity(order.len());
        for &(i, j, _) in &order {
            let [took, counts] = pictures[i].found[step][j];
            right += usize::from(took && counts);
            wrong += usize::from(!took && counts);
            let [right, wrong] = [right as f64, wrong as f64];
            curve.push([right / boxes as f64, right / (right + wrong + f64::EPSILON)]);
        }
        let highest = curve.last().map_or(0.0, |[recall, _]| *recall);
        for i in (1..curve.len()).rev() {
            curve[i - 1][1] = curve[i - 1][1].max(curve[i][1]);
        }
        let at = |recall: usize| {
            let recall = if recall + 1 == RECALLS { 1.0 } else { recall as f64 * 0.01 };
            curve.get(curve.partition_point(|[reached, _]| *reached < recall)).map_or(0.0, |[_, precision]| *precision)
        };
        [(0..RECALLS).map(at).sum::<f64>() / RECALLS as f64, highest]
    };
    Some((0..OVERLAPS).map(of_overlap).collect())
}
