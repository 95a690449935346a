//! Draws the mel spectrogram of a sound as text: `cargo run --example mel -- FILE.wav`.

use taper_audio::{Clip, MelConfig, MelSpectrogram};

const SHADES: &[u8] = b" .:-=+*#%@";
const WIDTH: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("expected a sound file")?;
    let clip = Clip::open(&path)?;
    let mel = MelSpectrogram::new(MelConfig { mels: 24, ..MelConfig::speech(clip.rate) })?;
    let found = mel.forward(&clip.samples)?.decibels(1e-10, Some(60.0));
    let loudest = found.values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let columns = found.frames.min(WIDTH);
    println!("{path}: {:.2} s at {} Hz", clip.seconds(), clip.rate);
    for row in (0..found.mels).rev() {
        let shade = |column: usize| {
            let value = found.values[row * found.frames + column * found.frames / columns];
            let part = ((value - loudest + 60.0) / 60.0).clamp(0.0, 0.999);
            char::from(SHADES[(part * SHADES.len() as f32) as usize])
        };
        println!("|{}", (0..columns).map(shade).collect::<String>());
    }
    Ok(())
}
