//! Prints what is in a folder of pictures, a folder for each class, and which files do not decode:
//!
//!     cargo run --release --example pictures --features images -- flowers

use std::error::Error;
use std::time::Instant;
use taper_data::{Batch, Dataset, PictureOptions, PictureSplits};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("expected a folder of folders of pictures")?;
    let began = Instant::now();
    let found = PictureSplits::open(&path, PictureOptions { size: 224, skip_bad: true })?;
    println!("{path}: sha256 {}, found and checked in {:.1?}", found.checksum(), began.elapsed());
    let splits =
        [("train", Some(&found.train)), ("validation", found.validation.as_ref()), ("test", found.test.as_ref())];
    for (name, pictures) in splits {
        let Some(pictures) = pictures else { continue };
        println!("{name}: {} pictures of {} classes", pictures.len(), pictures.classes().len());
        let labels = pictures.labels();
        for (label, class) in pictures.classes().iter().enumerate() {
            println!("  {class}: {}", labels.iter().filter(|found| **found == label as i64).count());
        }
    }
    for file in &found.skipped {
        println!("left out: {}: {}", file.path.display(), file.reason);
    }
    let (mut batch, began) = (Batch::default(), Instant::now());
    let some: Vec<usize> = (0..found.train.len().min(256)).collect();
    batch.clear(some.len());
    found.train.fill(0, &some, &mut batch)?;
    println!("{} decoded in {:.1?} by one thread", some.len(), began.elapsed());
    Ok(())
}
