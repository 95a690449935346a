//! Tests of the augmentations against recorded results of PyTorch, Pillow and colorsys on one image
//! (`tests/peers/torch_augment.py`).

use super::warp::{Motion, warp};
use super::{Picture, color, tone};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recorded {
    shape: [usize; 3],
    picture: Vec<u8>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    op: String,
    params: Params,
    y: Vec<f32>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Params {
    degrees: f64,
    shift: [f64; 2],
    scale: f64,
    shear: [f64; 2],
    factor: f32,
    turn: f32,
    bits: u32,
    threshold: f32,
}

#[test]
fn as_recorded() {
    let recorded: Recorded = serde_json::from_str(include_str!("recorded.json")).unwrap();
    assert_eq!(recorded.cases.len(), 29);
    for Case { op, params, y } in recorded.cases {
        let mut values: Vec<f32> = recorded.picture.iter().map(|&x| f32::from(x) / 255.0).collect();
        let mut spare = Vec::new();
        let mut picture = Picture::new(&mut values, &mut spare, recorded.shape).unwrap();
        let Params { degrees, shift, scale, shear, factor, turn, bits, threshold } = params;
        let mut bound = 1e-5; // f32 against f64
        match op.as_str() {
            "motion" => warp(&mut picture, &Motion { degrees, shift, scale, shear }.inverse()),
            "brightness" => color::brightness(&mut picture, factor),
            "contrast" => color::contrast(&mut picture, factor),
            "saturation" => color::saturation(&mut picture, factor),
            "sharpness" => tone::sharpness(&mut picture, factor),
            "hue" => color::hue(&mut picture, turn),
            "equalize" => tone::equalize(&mut picture),
            "auto-contrast" => {
                bound = 1.001 / 255.0; // Pillow rounds down to a level
                tone::auto_contrast(&mut picture);
            }
            "posterize" => tone::posterize(&mut picture, bits),
            "solarize" => tone::solarize(&mut picture, threshold),
            other => panic!("no operation {other}"),
        }
        for (i, (&found, &expected)) in picture.values().iter().zip(&y).enumerate() {
            let near = (found - expected).abs() <= bound;
            assert!(near, "{op} {params:?}: value {i}: expected {expected}, found {found}");
        }
    }
}
