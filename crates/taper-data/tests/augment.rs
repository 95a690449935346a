//! Tests of the augmentations against slow reference implementations, of their distributions, and of properties that
//! all of them share.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use taper_backend::RandomKey;
use taper_data::augment::{
    Affine, ColorJitter, Cutout, ErasedValue, Fill, Flip, Normalize, RandAugment, RandomErasing, Rotate, Translate,
    channel_stats,
};
use taper_data::{Augment, Augmenter, ImageDataset, digits};

/// An image whose values all differ and are over 0, in mixed order.
fn picture(shape: [usize; 3]) -> Vec<f32> {
    let n = shape.iter().product::<usize>();
    RandomKey::new(8).permutation(n).iter().map(|&i| (i + 1) as f32 / n as f32).collect()
}

fn changed(list: &[Augment], shape: [usize; 3], epoch: u64, sample: usize) -> Vec<f32> {
    let (mut values, mut spare) = (picture(shape), vec![f32::NAN; sample % 50]);
    let augmenter = Augmenter::new(list.to_vec(), shape, 1).unwrap();
    augmenter.apply(&mut values, &mut spare, epoch, sample).unwrap();
    assert_eq!(values.len(), shape.iter().product::<usize>());
    values
}

fn error(augment: impl Into<Augment>, shape: [usize; 3]) -> String {
    Augmenter::new(vec![augment.into()], shape, 0).unwrap_err().to_string()
}

/// Asserts that each count is n/cells within five standard deviations of a binomial.
fn uniform<K: std::fmt::Debug>(counts: &BTreeMap<K, usize>, cells: usize) {
    let n: usize = counts.values().sum();
    let (mean, p) = (n as f64 / cells as f64, 1.0 / cells as f64);
    let bound = 5.0 * (n as f64 * p * (1.0 - p)).sqrt();
    assert_eq!(counts.len(), cells, "{counts:?}");
    for (cell, &count) in counts {
        assert!((count as f64 - mean).abs() < bound, "{cell:?}: {count}, expected {mean:.0} ± {bound:.0}");
    }
}

/// Pads by `pixels` and crops at (`top`, `left`) of the padded picture.
fn pad_and_crop(x: &[f32], [c, h, w]: [usize; 3], pixels: usize, fill: Fill, top: usize, left: usize) -> Vec<f32> {
    let (high, wide) = (h + 2 * pixels, w + 2 * pixels);
    let mut padded = vec![0.0; c * high * wide];
    let reflect = |i: isize, n: usize| {
        if i < 0 {
            -i
        } else if i >= n as isize {
            2 * (n as isize - 1) - i
        } else {
            i
        }
    };
    for (at, value) in padded.iter_mut().enumerate() {
        let (y, x0) = ((at / wide % high) as isize - pixels as isize, (at % wide) as isize - pixels as isize);
        let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x0);
        if inside || fill == Fill::Reflect {
            *value = x[(at / wide / high * h + reflect(y, h) as usize) * w + reflect(x0, w) as usize];
        }
    }
    let mut y = vec![0.0; x.len()];
    for (at, value) in y.iter_mut().enumerate() {
        *value = padded[(at / w / h * high + at / w % h + top) * wide + at % w + left];
    }
    y
}

#[test]
fn translation_is_padding_and_cropping_anywhere_alike() {
    for (fill, shape, pixels) in [(Fill::Zero, [2, 4, 5], 2), (Fill::Reflect, [3, 6, 4], 1), (Fill::Zero, [1, 2, 3], 2)]
    {
        let (list, x) = ([Translate { pixels, fill }.into()], picture(shape));
        let places: Vec<[usize; 2]> =
            (0..=2 * pixels).flat_map(|top| (0..=2 * pixels).map(move |left| [top, left])).collect();
        let crops: Vec<_> =
            places.iter().map(|&[top, left]| pad_and_crop(&x, shape, pixels, fill, top, left)).collect();
        let mut counts = BTreeMap::new();
        for sample in 0..4000 {
            let y = changed(&list, shape, 2, sample);
            // Shifted out altogether, two places look the same.
            if let Some(crop) = crops.iter().position(|crop| *crop == y) {
                *counts.entry(places[crop]).or_insert(0) += 1;
            } else {
                panic!("{y:?} is no crop");
            }
        }
        if pixels < shape[1] {
            uniform(&counts, places.len());
        }
    }
}

#[test]
fn random_flips_are_half_and_alternating_ones_alternate() {
    let (shape, x) = ([2, 2, 3], picture([2, 2, 3]));
    let mirrored: Vec<f32> = x.chunks(3).flat_map(|row| row.iter().rev().copied()).collect();
    let side = |list: &[Augment], epoch, sample| {
        let y = changed(list, shape, epoch, sample);
        assert!(y == x || y == mirrored);
        y == mirrored
    };
    let (random, alternating) = ([Flip { alternating: false }.into()], [Flip { alternating: true }.into()]);
    let (mut counts, mut sides) = (BTreeMap::new(), BTreeMap::new());
    for sample in 0..2000 {
        *counts.entry((side(&random, 0, sample), side(&random, 1, sample))).or_insert(0) += 1;
        let first = side(&alternating, 0, sample);
        *sides.entry(first).or_insert(0) += 1;
        for epoch in 1..4 {
            assert_eq!(side(&alternating, epoch, sample), first ^ (epoch % 2 == 1));
        }
    }
    uniform(&counts, 4);
    uniform(&sides, 2);
}

#[test]
fn cutout_blots_a_square_around_any_pixel() {
    let shape = [2, 6, 5];
    for size in [1, 2, 3, 20] {
        let (mut counts, x) = (BTreeMap::new(), picture(shape));
        for sample in 0..3000 {
            let y = changed(&[Cutout { size }.into()], shape, 0, sample);
            let centre = (0..30).find(|&centre| {
                let near = |at: usize, c: usize| {
                    (c as isize - (size / 2) as isize..(c + size - size / 2) as isize).contains(&(at as isize))
                };
                let cut = |at: usize| near(at % 30 / 5, centre / 5) && near(at % 5, centre % 5);
                y.iter().enumerate().all(|(at, &value)| value == if cut(at) { 0.0 } else { x[at] })
            });
            *counts.entry(centre.unwrap()).or_insert(0) += 1;
        }
        // From size 3 on some places look the same: at the edge, or all of them.
        if size < 3 {
            uniform(&counts, 30);
        }
    }
}

#[test]
fn erased_rectangles_are_of_the_size_and_shape_asked_for() {
    let (shape, x) = ([1, 40, 30], picture([1, 40, 30]));
    for value in [ErasedValue::Zero, ErasedValue::Random] {
        let erasing = RandomErasing { probability: 0.75, area: [0.1, 0.2], aspect: [0.5, 2.0], value };
        let (mut erased, mut tops) = (BTreeMap::new(), BTreeSet::new());
        for sample in 0..1000 {
            let y = changed(&[erasing.into()], shape, 0, sample);
            let at: Vec<usize> = (0..x.len()).filter(|&i| x[i] != y[i]).collect();
            *erased.entry(if at.is_empty() { 3 } else { sample % 3 }).or_insert(0) += 1;
            let (Some(first), Some(last)) = (at.first(), at.last()) else { continue };
            let (h, w) = (last / 30 - first / 30 + 1, last % 30 - first % 30 + 1);
            assert_eq!(at.len(), h * w, "a rectangle");
            assert!((0.08..0.22).contains(&(at.len() as f64 / 1200.0)), "{h}×{w}");
            assert!((0.45..2.2).contains(&(h as f64 / w as f64)), "{h}×{w}");
            tops.insert(first / 30);
            let range = if value == ErasedValue::Zero { 0.0..=0.0 } else { 0.0..=1.0 };
            assert!(at.iter().all(|&i| range.contains(&y[i])));
        }
        uniform(&erased, 4); // one in four is left alone
        assert!(tops.len() > 25);
    }
    // What never fits is left alone.
    let wide = RandomErasing { probability: 1.0, area: [0.9, 1.0], aspect: [10.0, 10.0], ..RandomErasing::default() };
    assert_eq!(changed(&[wide.into()], shape, 0, 0), x);
}

#[test]
fn jitter_draws_factors_uniformly() {
    let jitter = ColorJitter { brightness: 0.4, ..ColorJitter::default() };
    let augmenter = Augmenter::new(vec![jitter.into()], [1, 1, 1], 0).unwrap();
    let (mut counts, mut spare) = (BTreeMap::new(), vec![]);
    for sample in 0..4000 {
        let mut values = vec![0.5];
        augmenter.apply(&mut values, &mut spare, 0, sample).unwrap();
        let factor = f64::from(values[0]) / 0.5;
        assert!((0.6..1.4001).contains(&factor), "{factor}");
        *counts.entry(((factor - 0.6) * 10.0) as usize).or_insert(0) += 1;
    }
    uniform(&counts, 8);
}

#[test]
fn rotation_keeps_the_centre_and_loses_the_corners() {
    let shape = [3, 9, 9];
    let x = vec![1.0; 243];
    let augmenter = Augmenter::new(vec![Rotate { degrees: 180.0 }.into()], shape, 0).unwrap();
    let mut lost = BTreeSet::new();
    for sample in 0..200 {
        let (mut y, mut spare) = (x.clone(), vec![]);
        augmenter.apply(&mut y, &mut spare, 0, sample).unwrap();
        assert!((y[40] - 1.0).abs() < 1e-6, "the centre stays");
        assert_eq!(y[..81], y[81..162]);
        lost.insert((y[..81].iter().sum::<f32>() * 4.0) as i32);
    }
    assert!(lost.len() > 10, "{lost:?}");
}

#[test]
fn rand_augment_has_fourteen_changes_with_both_signs() {
    let shape = [3, 32, 32];
    let mut looks = BTreeMap::new();
    for sample in 0..1400 {
        let y = changed(&[RandAugment { n: 1, m: 20 }.into()], shape, 0, sample);
        let bits: Vec<u32> = y.iter().map(|v| v.to_bits()).collect();
        *looks.entry(bits).or_insert(0) += 1;
    }
    // Five have no sign. This picture's channels have about the same levels each, all of them.
    assert_eq!(looks.len(), 5 + 9 * 2);
    let same: Vec<u32> = picture(shape).iter().map(|v| v.to_bits()).collect();
    assert!((60..140).contains(&looks[&same]), "{}", looks[&same]);
    let none: BTreeSet<Vec<u32>> = (0..300)
        .map(|sample| changed(&[RandAugment { n: 1, m: 0 }.into()], shape, 0, sample))
        .filter(|y| y.iter().zip(picture(shape)).any(|(a, b)| (a - b).abs() > 1.001 / 510.0))
        .map(|y| y.iter().map(|v| v.to_bits()).collect())
        .collect();
    assert!(none.len() <= 2, "at magnitude 0 only auto-contrast and equalize show: {}", none.len());
}

#[test]
fn normalization_by_a_datasets_statistics() {
    let data = digits().unwrap().train;
    let (mean, std) = channel_stats(&data);
    let values: Vec<f64> = data.images().iter().map(|&x| f64::from(x) / 16.0).collect();
    let slow = values.iter().sum::<f64>() / values.len() as f64;
    let spread = values.iter().map(|x| (x - slow).powi(2)).sum::<f64>() / values.len() as f64;
    assert!((mean[0] - slow).abs() < 1e-12 && (std[0] - spread.sqrt()).abs() < 1e-12);
    let two = ImageDataset::new(vec![0, 10, 20, 20], vec![0], [2, 1, 2], vec!["a".into()], 20).unwrap();
    assert_eq!(channel_stats(&two), (vec![0.25, 1.0], vec![0.25, 0.0]));
    let y = changed(&[Normalize { mean: vec![0.5, 1.0], std: vec![0.5, 0.25] }.into()], [2, 1, 1], 0, 0);
    assert_eq!(picture([2, 1, 1]).iter().sum::<f32>(), 1.5);
    assert_eq!(y, [(picture([2, 1, 1])[0] - 0.5) / 0.5, (picture([2, 1, 1])[1] - 1.0) / 0.25]);
}

#[test]
fn places_in_the_list_draw_apart() {
    let shift: Augment = Translate { pixels: 3, fill: Fill::Zero }.into();
    let nothing = RandomErasing { probability: 0.0, ..RandomErasing::default() }.into();
    let (first, second) = ([shift.clone()], [nothing, shift]);
    let differ =
        (0..50).filter(|&sample| changed(&first, [1, 8, 8], 0, sample) != changed(&second, [1, 8, 8], 0, sample));
    assert!(differ.count() > 40);
}

#[test]
fn settings_out_of_range_are_said() {
    let shape = [3, 8, 9];
    let jitter = ColorJitter::default();
    for (augment, shape, expected) in [
        (
            Augment::from(Translate { pixels: 0, fill: Fill::Zero }),
            shape,
            "translate: pixels: expected at least 1, found 0",
        ),
        (
            Translate { pixels: 9, fill: Fill::Zero }.into(),
            shape,
            "translate: pixels: expected at most 8 for pictures of 8×9, found 9",
        ),
        (Cutout { size: 0 }.into(), shape, "cutout: size: expected at least 1, found 0"),
        (Rotate { degrees: 181.0 }.into(), shape, "rotate: degrees: expected 0 to 180, found 181"),
        (Rotate { degrees: f64::NAN }.into(), shape, "rotate: degrees: expected 0 to 180, found NaN"),
        (
            Affine { scale: [0.0, 1.0], ..Affine::default() }.into(),
            shape,
            "affine: scale: expected 0 < low ≤ high ≤ 10, found [0, 1]",
        ),
        (
            Affine { translate: [0.0, 1.5], ..Affine::default() }.into(),
            shape,
            "affine: translate (y): expected 0 to 1, found 1.5",
        ),
        (ColorJitter { hue: 0.6, ..jitter }.into(), shape, "color-jitter: hue: expected 0 to 0.5, found 0.6"),
        (jitter.into(), [2, 8, 9], "color-jitter: expected pictures of 1 or 3 channels, found 2"),
        (RandAugment { n: 0, m: 9 }.into(), shape, "rand-augment: n: expected 1 to 14, found 0"),
        (RandAugment { n: 2, m: 31 }.into(), shape, "rand-augment: m: expected 0 to 30, found 31"),
        (RandAugment::default().into(), [4, 8, 9], "rand-augment: expected pictures of 1 or 3 channels, found 4"),
        (
            RandomErasing { area: [0.3, 0.2], ..RandomErasing::default() }.into(),
            shape,
            "random-erasing: area: expected 0 < low ≤ high ≤ 1, found [0.3, 0.2]",
        ),
        (
            Normalize { mean: vec![0.5; 3], std: vec![1.0, 0.0, 1.0] }.into(),
            shape,
            "normalize: std: expected numbers over 0, found 0",
        ),
        (
            Normalize { mean: vec![0.5; 1], std: vec![1.0; 1] }.into(),
            shape,
            "normalize: mean: expected one number for each of 3 channels, found 1",
        ),
    ] {
        assert_eq!(error(augment, shape), format!("augment.{expected}"));
    }
    let list = vec![Normalize { mean: vec![0.5], std: vec![1.0] }.into(), RandAugment::default().into()];
    let text = Augmenter::new(list, [1, 8, 8], 0).unwrap_err().to_string();
    assert!(text.starts_with("augment.rand-augment: expected before normalize"), "{text}");
    let text = Augmenter::new(vec![], [1, 2, 2], 0).unwrap().apply(&mut vec![0.0; 3], &mut vec![], 0, 0).unwrap_err();
    assert_eq!(text.to_string(), "Picture: shape [1, 2, 2] does not fit 3 values");
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Config {
    augment: Vec<Augment>,
}

#[test]
fn configuration_names_them_all_and_nothing_else() {
    let text = r#"
        augment = [
            { kind = "flip", alternating = true },
            { kind = "translate", pixels = 2, fill = "reflect" },
            { kind = "cutout", size = 12 },
            { kind = "rotate", degrees = 15 },
            { kind = "affine", scale = [0.9, 1.1], shear = 5 },
            { kind = "color-jitter", hue = 0.1 },
            { kind = "random-erasing", value = "random" },
            { kind = "rand-augment", n = 2, m = 9 },
            { kind = "normalize", mean = [0.5], std = [0.25] },
        ]"#;
    let config: Config = toml::from_str(text).unwrap();
    let kinds: Vec<&str> = config.augment.iter().map(Augment::kind).collect();
    assert_eq!(kinds, Augment::KINDS);
    assert_eq!(config.augment[3], Rotate { degrees: 15.0 }.into());
    let again: Config = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again.augment, config.augment);
    for (wrong, said) in [
        ("kind = \"flip\", alternate = true", "unknown field `alternate`, expected `alternating`"),
        ("kind = \"fly\"", "unknown variant `fly`, expected one of `flip`"),
        ("kind = \"cutout\"", "missing field `size`"),
    ] {
        let text = toml::from_str::<Config>(&format!("augment = [{{ {wrong} }}]")).err().unwrap().to_string();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn settings_that_change_nothing_change_no_bit() {
    let shape = [3, 5, 6];
    let nothing: Vec<Augment> = vec![
        Rotate { degrees: 0.0 }.into(),
        Affine::default().into(),
        ColorJitter::default().into(),
        RandomErasing { probability: 0.0, ..RandomErasing::default() }.into(),
        Normalize { mean: vec![0.0; 3], std: vec![1.0; 3] }.into(),
    ];
    for augment in &nothing {
        let y = changed(std::slice::from_ref(augment), shape, 3, 4);
        assert_eq!(y, picture(shape), "{augment:?}");
    }
    assert_eq!(changed(&nothing, shape, 3, 4), picture(shape));
    assert_eq!(changed(&[], shape, 3, 4), picture(shape));
}

/// Any augmentation but `Normalize`, with any settings in range.
fn any_augment() -> impl Strategy<Value = Augment> {
    let fraction = || 0.0..=1.0_f64;
    prop_oneof![
        any::<bool>().prop_map(|alternating| Flip { alternating }.into()),
        (1..=2_usize, any::<bool>()).prop_map(|(pixels, zero)| {
            Translate { pixels, fill: if zero { Fill::Zero } else { Fill::Reflect } }.into()
        }),
        (1..40_usize).prop_map(|size| Cutout { size }.into()),
        (0.0..=180.0).prop_map(|degrees| Rotate { degrees }.into()),
        (0.0..=180.0, [fraction(), fraction()], (0.01..1.0_f64, 1.0..10.0_f64), 0.0..=80.0).prop_map(
            |(degrees, translate, scale, shear)| { Affine { degrees, translate, scale: scale.into(), shear }.into() }
        ),
        (0.0..=10.0, 0.0..=10.0, 0.0..=10.0, 0.0..=0.5).prop_map(|(brightness, contrast, saturation, hue)| {
            ColorJitter { brightness, contrast, saturation, hue }.into()
        }),
        (fraction(), 0.01..0.5, 0.5..=1.0, 0.01..1.0, 1.0..100.0, any::<bool>()).prop_map(
            |(probability, least, most, flat, tall, zero)| {
                let value = if zero { ErasedValue::Zero } else { ErasedValue::Random };
                RandomErasing { probability, area: [least, most], aspect: [flat, tall], value }.into()
            }
        ),
        (1..=14_usize, 0..=30_usize).prop_map(|(n, m)| RandAugment { n, m }.into()),
    ]
}

proptest! {
    #[test]
    fn values_stay_in_range_and_the_same_draw_gives_the_same_bits(
        list in prop::collection::vec(any_augment(), 1..4),
        color in any::<bool>(),
        (height, width) in (3..20_usize, 3..20_usize),
        (epoch, sample) in (any::<u64>(), any::<usize>()),
    ) {
        let shape = [if color { 3 } else { 1 }, height, width];
        let y = changed(&list, shape, epoch, sample);
        prop_assert!(y.iter().all(|v| (0.0..=1.0).contains(v)), "{:?}", y);
        prop_assert_eq!(&y, &changed(&list, shape, epoch, sample));
        let text = toml::to_string(&Config { augment: list.clone() }).unwrap();
        prop_assert_eq!(toml::from_str::<Config>(&text).unwrap().augment, list);
    }
}
