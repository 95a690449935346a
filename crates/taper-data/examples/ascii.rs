//! Prints a handwritten digit as text: `cargo run -p taper-data --example ascii -- 7`.

use taper_data::{Source, digits};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let index = std::env::args().nth(1).map_or(Ok(0), |text| text.parse::<usize>())?;
    let pictures = digits()?.train;
    let [_, _, width] = pictures.shape();
    let picture = pictures
        .image(index)
        .ok_or_else(|| format!("picture {index}: expected 0 to {}", pictures.len().saturating_sub(1)))?;
    let shades: Vec<char> = " .:-=+*#%@".chars().collect();
    for row in picture.chunks(width) {
        let shade = |&value: &u8| shades[usize::from(value) * (shades.len() - 1) / usize::from(pictures.max_value())];
        // Each pixel is printed twice: a character is about twice as high as it is wide.
        println!("{}", row.iter().map(shade).flat_map(|c| [c, c]).collect::<String>());
    }
    println!("a {} ({})", pictures.labels()[index], Source::named("digits")?.manifest()?.citation);
    Ok(())
}
