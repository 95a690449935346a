//! The losses beyond the first ones: what they refuse, and what they give at their edges. Their values beside PyTorch's are
//! in the workspace's tests.

mod common;

use std::sync::OnceLock;
use taper_nn::{
    BoxIou, Contrastive, CosineEmbedding, DType, Device, Dice, Focal, MarginRanking, NtXent, Overlap, Quantile,
    Reduction, Result, SmoothL1, Tensor, TripletMargin,
};

/// One for all tensors.
fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(common::device).clone()
}

fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_vec(values.to_vec(), shape, &device()).unwrap()
}

fn classes(values: &[i64], shape: &[usize]) -> Tensor {
    Tensor::from_vec(values.to_vec(), shape, &device()).unwrap()
}

/// The loss's values, and the gradient of x for a cotangent of ones.
fn run(x: &Tensor, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<(Vec<f64>, Vec<f64>)> {
    let x = x.requires_grad();
    let y = loss(&x)?;
    Ok((y.to_vec()?, y.sum_all()?.backward()?.of(&x).expect("a gradient").to_vec()?))
}

#[test]
fn what_does_not_fit_is_said() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &device()).unwrap();
    let said = |result: Result<Tensor>| result.unwrap_err().to_string();
    let (rows, pair) = (zeros(&[2, 3]), zeros(&[2]));
    let triplet = TripletMargin::default();
    assert_eq!(
        said(TripletMargin { margin: -1.0, ..triplet }.forward(&rows, &rows, &rows)),
        "triplet_margin: the margin must be at least 0, came as -1"
    );
    assert_eq!(
        said(triplet.forward(&rows, &rows, &pair)),
        "triplet_margin: the input has shape [2, 3], the target [2]: expected the same"
    );
    assert_eq!(
        said(triplet.batch_hard(&rows, &pair)),
        "triplet_margin: expected embeddings [N, D] with classes [N] in i64, came [2, 3] with f32 [2]"
    );
    assert_eq!(
        said(Contrastive { margin: 0.0, ..Default::default() }.forward(&rows, &rows, &pair)),
        "contrastive: the margin must be over 0, came as 0"
    );
    assert_eq!(
        said(Contrastive::default().forward(&rows, &rows, &rows)),
        "contrastive: expected [N, D] twice and [N], came [2, 3] twice and [2, 3]"
    );
    assert_eq!(
        said(NtXent { temperature: 0.0, ..Default::default() }.forward(&rows, &rows)),
        "nt_xent: the temperature must be over 0, came as 0"
    );
    assert_eq!(said(NtXent::default().forward(&pair, &pair)), "nt_xent: expected embeddings [N, D], came [2]");
    assert_eq!(
        said(CosineEmbedding { margin: 2.0, ..Default::default() }.forward(&rows, &rows, &pair)),
        "cosine_embedding: the margin must be from -1 to 1, came as 2"
    );
    assert_eq!(
        said(CosineEmbedding::default().forward(&rows, &rows, &rows)),
        "cosine_embedding: expected [N, D] twice and [N], came [2, 3] twice and [2, 3]"
    );
    assert_eq!(
        said(MarginRanking::default().forward(&pair, &pair, &rows)),
        "margin_ranking: the input has shape [2], the target [2, 3]: expected the same"
    );
    assert_eq!(
        said(SmoothL1 { beta: -1.0, ..Default::default() }.forward(&pair, &pair)),
        "smooth_l1: beta must be at least 0, came as -1"
    );
    assert_eq!(
        said(SmoothL1::default().forward(&pair, &rows)),
        "smooth_l1: the input has shape [2], the target [2, 3]: expected the same"
    );
    assert_eq!(
        said(Focal { alpha: Some(1.5), ..Default::default() }.forward(&pair, &pair)),
        "focal: alpha must be from 0 to 1, gamma at least 0: came as 1.5, 2"
    );
    assert_eq!(
        said(Dice { smooth: -1.0, ..Default::default() }.forward(&zeros(&[1, 1, 2]), &zeros(&[1, 1, 2]))),
        "dice: smooth must be at least 0, came as -1"
    );
    assert_eq!(
        said(Dice::default().forward(&zeros(&[2, 3, 4]), &classes(&[0; 8], &[2, 4]).reshape([4, 2]).unwrap())),
        "dice: expected probabilities [N, C, d…] with classes [N, d…] in i64 or masks of their shape, came [2, 3, 4] with \
         i64 [4, 2]"
    );
    assert_eq!(
        said(BoxIou { eps: 0.0, ..Default::default() }.forward(&zeros(&[1, 4]), &zeros(&[1, 4]))),
        "box_iou: eps must be over 0, came as 0"
    );
    assert_eq!(said(BoxIou::default().forward(&rows, &rows)), "box_iou: expected boxes […, 4], came [2, 3]");
}

#[test]
fn anchors_without_a_pair_do_not_count() -> Result<()> {
    let x = tensor(&[0.0, 3.0, 1.0, 7.0], &[4, 1]);
    let hard = |found: &[i64], reduction| {
        let target = classes(found, &[4]);
        let loss = TripletMargin { reduction, ..TripletMargin::default() };
        run(&x, |x| loss.batch_hard(x, &target))
    };
    // Of classes 0, 0, 1, 2: the anchors 0 and 3 are 3 apart, the sample at 1 is 1 and 2 away; two are alone.
    let (losses, gradient) = hard(&[0, 0, 1, 2], Reduction::None)?;
    assert_eq!((losses, gradient), (vec![3.0, 2.0, 0.0, 0.0], vec![-1.0, 1.0, 0.0, 0.0]));
    assert_eq!(hard(&[0, 0, 1, 2], Reduction::Mean)?.0, [2.5]);
    for found in [[0, 1, 2, 3], [5; 4]] {
        let (mean, gradient) = hard(&found, Reduction::Mean)?;
        assert!(mean[0].is_nan() && gradient == [0.0; 4], "{mean:?} {gradient:?}");
        assert_eq!(hard(&found, Reduction::Sum)?, (vec![0.0], vec![0.0; 4]));
    }
    let none = TripletMargin { reduction: Reduction::Sum, ..TripletMargin::default() };
    assert_eq!(none.batch_hard(&tensor(&[], &[0, 2]), &classes(&[], &[0]))?.item()?, 0.0);
    Ok(())
}

#[test]
fn empty_masks_and_ignored_positions() -> Result<()> {
    for smooth in [0.0, 1.0] {
        let dice = Dice { smooth, reduction: Reduction::None, ..Dice::default() };
        let cost = |p: &[f64], t: &[f64]| run(&tensor(p, &[1, 1, 3]), |p| dice.forward(p, &tensor(t, &[1, 1, 3])));
        let (empty, gradient) = cost(&[0.0; 3], &[0.0; 3])?;
        assert!(empty == [0.0] && gradient.iter().all(|g| g.is_finite()), "{empty:?} {gradient:?}");
        let predicted = cost(&[0.5, 0.0, 0.25], &[0.0; 3])?.0[0];
        assert!((predicted - 0.75 / (0.75 + smooth)).abs() < 1e-15, "{predicted}");
        assert_eq!(cost(&[0.0, 1.0, 1.0], &[0.0, 1.0, 1.0])?.0, [0.0]);
        // A position that is ignored counts for nothing, whatever stands there; that all are is an empty mask.
        let of = |p: &[f64], t: &[i64]| run(&tensor(p, &[1, 1, 3]), |p| dice.forward(p, &classes(t, &[1, 3])));
        let [one, other] = [0.1, f64::NAN].map(|value| of(&[value, 0.3, 0.6], &[-100, 1, 0]));
        let (one, other) = (one?, other?);
        assert_eq!(one, other);
        assert_eq!(one.1[0], 0.0);
        let due = (0.7 + 0.6) / (0.9 + 1.0 + smooth);
        assert!((one.0[0] - due).abs() < 1e-15, "{one:?}, not {due}");
        assert_eq!(of(&[0.4, 0.3, 0.6], &[-100; 3])?, (vec![0.0], vec![0.0; 3]));
    }
    Ok(())
}

#[test]
fn focal_is_finite_far_out() -> Result<()> {
    let (x, t) = (tensor(&[-800.0, 800.0, -800.0, 800.0], &[4]), tensor(&[0.0, 1.0, 1.0, 0.0], &[4]));
    for gamma in [0.0, 0.5, 1.0, 2.0] {
        let loss = Focal { alpha: None, gamma, reduction: Reduction::None };
        let (losses, gradient) = run(&x, |x| loss.forward(x, &t))?;
        assert!(losses[..2].iter().chain(&gradient[..2]).all(|value| value.abs() < 1e-15), "{losses:?} {gradient:?}");
        assert_eq!((&losses[2..], &gradient[2..]), (&[800.0; 2][..], &[-1.0, 1.0][..]), "gamma {gamma}");
    }
    Ok(())
}

/// Equal boxes, boxes apart, and boxes without area.
#[test]
fn boxes_at_their_edges() -> Result<()> {
    let boxes = tensor(&[0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5], &[3, 4]);
    let target = tensor(&[0.0, 0.0, 1.0, 2.0, 2.0, 0.0, 3.0, 1.0, 0.5, 0.5, 0.5, 0.5], &[3, 4]);
    let of = |overlap| {
        let loss = BoxIou { overlap, reduction: Reduction::None, ..BoxIou::default() };
        run(&boxes, |x| loss.forward(x, &target))
    };
    for (overlap, apart) in [(Overlap::Iou, 1.0), (Overlap::GIou, 4.0 / 3.0), (Overlap::DIou, 1.4)] {
        let (losses, gradient) = of(overlap)?;
        let near = losses.iter().zip([0.0, apart, 1.0]).all(|(loss, due)| (loss - due).abs() < 1e-6);
        assert!(near && gradient.iter().all(|g| g.is_finite()), "{overlap:?}: {losses:?} {gradient:?}");
        // Only the overlap itself says nothing to boxes that do not meet.
        assert_eq!(gradient[4..8] == [0.0; 4], overlap == Overlap::Iou, "{overlap:?}: {gradient:?}");
    }
    Ok(())
}

/// Where a distance or a length is 0.
#[test]
fn equal_and_empty_embeddings_have_gradients() -> Result<()> {
    let (a, b) = (tensor(&[1.0, 2.0, 0.0, 0.0], &[2, 2]), tensor(&[1.0, 2.0, 3.0, -1.0], &[2, 2]));
    let apart = tensor(&[0.0, 1.0], &[2]);
    let (loss, gradient) = run(&a, |a| Contrastive::default().forward(a, &b, &apart))?;
    assert_eq!((loss, &gradient[..2]), (vec![0.5 * (0.5 + 5.0)], &[0.0; 2][..]));
    let target = tensor(&[1.0, 1.0], &[2]);
    let cosine = CosineEmbedding { reduction: Reduction::None, ..CosineEmbedding::default() };
    let (losses, gradient) = run(&a, |a| cosine.forward(a, &b, &target))?;
    assert!(losses[0].abs() < 1e-15 && losses[1] == 1.0, "{losses:?}");
    assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
    let (losses, gradient) = run(&a, |a| TripletMargin::default().forward(a, &b, &b))?;
    assert!(losses == [1.0] && gradient.iter().all(|g| g.is_finite()), "{losses:?} {gradient:?}");
    Ok(())
}

/// Beside its definition, written down for each element; ½ of it is that of the absolute error for the median.
#[test]
fn the_quantile_loss_weighs_what_is_over_and_what_is_under() -> Result<()> {
    let quantiles = [0.1, 0.5, 0.8];
    let x = [0.0, 1.0, 2.0, -1.0, 0.5, 3.0]; // [2, 3]
    let target = [1.0, 0.5];
    let by_hand = |i: usize| {
        let (q, d) = (quantiles[i % 3], target[i / 3] - x[i]);
        if d >= 0.0 { q * d } else { (q - 1.0) * d }
    };
    let (input, target) = (tensor(&x, &[2, 3]), tensor(&target, &[2]));
    let loss = Quantile { quantiles: quantiles.to_vec(), reduction: Reduction::None };
    let (values, gradient) = run(&input, |x| loss.forward(x, &target))?;
    for (i, (value, slope)) in values.iter().zip(gradient).enumerate() {
        assert!((value - by_hand(i)).abs() < 1e-15, "{i}: {value} {}", by_hand(i));
        let (q, d) = (quantiles[i % 3], [1.0, 0.5][i / 3] - x[i]);
        let due = if d > 0.0 {
            -q
        } else if d < 0.0 {
            1.0 - q
        } else {
            0.5 - q
        };
        assert!((slope - due).abs() < 1e-15, "{i}: {slope} {due}");
    }
    let mean = Quantile::new(quantiles).forward(&input, &target)?.item()?;
    assert!((mean - (0..6).map(by_hand).sum::<f64>() / 6.0).abs() < 1e-15);

    let told = |loss: &Quantile, x: &Tensor| loss.forward(x, &target).unwrap_err().to_string();
    assert_eq!(
        told(&Quantile::new([0.5, 1.0]), &tensor(&[0.0; 4], &[2, 2])),
        "quantile: a quantile must be above 0 and below 1, came as 1"
    );
    assert_eq!(
        told(&loss, &tensor(&[0.0; 4], &[2, 2])),
        "quantile: the input must have the target's shape and 3 quantiles (1 or more) last, they came as [2, 2] and [2]"
    );
    assert!(told(&Quantile::new([]), &tensor(&[], &[2, 0])).contains("and 0 quantiles (1 or more) last"));
    Ok(())
}
