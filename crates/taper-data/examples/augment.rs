//! Writes a PPM file, which most image viewers open: a row of images as they are, then a row for each augmentation of
//! them:
//! `cargo run --release -p taper-data --example augment -- augmented.ppm`.

use std::fs;
use taper_data::augment::{
    Affine, ColorJitter, Cutout, ErasedValue, Fill, Flip, RandAugment, RandomErasing, Rotate, Translate,
};
use taper_data::{Augment, Augmented, Batch, BatchLoader, HostData, LoaderOptions, LocateOptions, Source};

const COLUMNS: usize = 12;
/// The number of times that each pixel is repeated in both directions.
const ZOOM: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("expected the name of a file to write, such as augmented.ppm")?;
    // CIFAR-10 if it is on this machine, else the generated stand-in.
    let options = LocateOptions { offline: true, ..LocateOptions::from_environment("datasets/downloads") };
    let located = Source::named("cifar10")?.locate(&options, &mut |_| {})?;
    println!("{}", located.notice());
    let data = located.load_first(COLUMNS, 1)?.train;
    let [channels, height, width] = data.shape();
    let in_order = LoaderOptions { batch_size: COLUMNS, shuffle: None, drop_last: false };
    let mut batch = Batch::default();

    let jitter = ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
    let affine = Affine { degrees: 20.0, translate: [0.1, 0.1], scale: [0.8, 1.2], shear: 15.0 };
    let rows: Vec<Option<Augment>> = vec![
        None,
        Some(Flip { alternating: true }.into()),
        Some(Translate { pixels: 6, fill: Fill::Zero }.into()),
        Some(Translate { pixels: 6, fill: Fill::Reflect }.into()),
        Some(Cutout { size: 12 }.into()),
        Some(Rotate { degrees: 30.0 }.into()),
        Some(affine.into()),
        Some(jitter.into()),
        Some(RandomErasing { probability: 1.0, value: ErasedValue::Random, ..RandomErasing::default() }.into()),
        Some(RandAugment { n: 2, m: 15 }.into()),
    ];
    let (wide, high) = (COLUMNS * (width + 1) * ZOOM, rows.len() * (height + 1) * ZOOM);
    let mut pixels = vec![255_u8; wide * high * 3];
    for (row, augment) in rows.into_iter().enumerate() {
        println!("row {row}: {augment:?}");
        let changed = Augmented::new(&data, augment.into_iter().collect(), 0)?;
        BatchLoader::new(changed, in_order)?.next_into(&mut batch)?;
        let HostData::F32(pictures) = &batch.field("inputs")?.data else { unreachable!("augmented pictures are f32") };
        for (sample, values) in pictures.chunks(channels * height * width).enumerate() {
            for y in 0..height * ZOOM {
                for x in 0..width * ZOOM {
                    let at = (row * (height + 1) * ZOOM + y) * wide + sample * (width + 1) * ZOOM + x;
                    for c in 0..3 {
                        let value = values[(c % channels * height + y / ZOOM) * width + x / ZOOM];
                        pixels[at * 3 + c] = (value * 255.0).round() as u8;
                    }
                }
            }
        }
    }
    fs::write(&path, [format!("P6 {wide} {high} 255\n").as_bytes(), &pixels].concat())?;
    Ok(())
}
