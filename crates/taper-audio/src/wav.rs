//! WAV files, by hound.

use crate::clip::mixed;
use crate::{Clip, Error, Result};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use std::io::Cursor;
use std::path::Path;

pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Clip> {
    let wrong = |error: hound::Error| Error::format(path, told(&error));
    let mut reader = WavReader::new(bytes).map_err(wrong)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    if channels == 0 || sample_rate == 0 {
        let detail = format!("damaged WAV: {channels} channels of {sample_rate} samples a second");
        return Err(Error::format(path, detail));
    }
    // The header's claim is not believed before the samples are there.
    let (claimed, room) = (reader.len() as usize, bytes.len());
    let mut samples = Vec::with_capacity(claimed.min(room));
    match sample_format {
        SampleFormat::Float => {
            for sample in reader.samples::<f32>() {
                samples.push(sample.map_err(wrong)?);
            }
        }
        SampleFormat::Int => {
            // A full scale of 2^(bits − 1).
            let scale = 0.5_f64.powi(i32::from(bits_per_sample) - 1);
            for sample in reader.samples::<i32>() {
                samples.push((f64::from(sample.map_err(wrong)?) * scale) as f32);
            }
        }
    }
    Ok(Clip { samples: mixed(&samples, usize::from(channels)), rate: sample_rate })
}

fn told(error: &hound::Error) -> String {
    match error {
        hound::Error::IoError(_) => "damaged WAV: it ends before its samples do".into(),
        hound::Error::FormatError(detail) if !detail.contains("bits per sample") => format!("damaged WAV: {detail}"),
        _ => "a WAV of a kind that is not read; expected samples of 8, 16, 24 or 32 bits, or floats of 32".into(),
    }
}

pub(crate) fn save(clip: &Clip, path: &Path) -> Result<()> {
    if clip.rate == 0 {
        return Err(Error::Argument("a clip of 0 samples a second cannot be written".into()));
    }
    let spec = WavSpec { channels: 1, sample_rate: clip.rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut bytes = Cursor::new(Vec::new());
    let wrong = |error: hound::Error| Error::Argument(format!("{}: a sound that is no WAV: {error}", path.display()));
    let mut writer = WavWriter::new(&mut bytes, spec).map_err(wrong)?;
    for sample in &clip.samples {
        // The conversion saturates.
        writer.write_sample((sample * 32768.0).round() as i16).map_err(wrong)?;
    }
    writer.finalize().map_err(wrong)?;
    std::fs::write(path, bytes.into_inner()).map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A WAV file of `channels` whose samples are given as their bytes.
    fn file(channels: u16, bits: u16, float: bool, data: &[u8]) -> Vec<u8> {
        let (bytes, rate) = (bits / 8, 8000_u32);
        let mut all = b"RIFF".to_vec();
        all.extend((36 + data.len() as u32).to_le_bytes());
        all.extend(b"WAVEfmt ");
        all.extend(16_u32.to_le_bytes());
        for word in [if float { 3 } else { 1 }, channels] {
            all.extend(word.to_le_bytes());
        }
        all.extend(rate.to_le_bytes());
        all.extend((rate * u32::from(channels * bytes)).to_le_bytes());
        all.extend((channels * bytes).to_le_bytes());
        all.extend(bits.to_le_bytes());
        all.extend(b"data");
        all.extend((data.len() as u32).to_le_bytes());
        all.extend(data);
        all
    }

    fn read(bytes: &[u8]) -> Result<Clip> {
        decode(bytes, Path::new("a.wav"))
    }

    #[test]
    fn all_depths_are_fractions_of_full_scale() {
        let of = |bits, float, data: &[u8]| read(&file(1, bits, float, data)).unwrap().samples;
        assert_eq!(of(8, false, &[0, 64, 128, 192]), [-1.0, -0.5, 0.0, 0.5]);
        assert_eq!(of(16, false, &[0, 0x80, 0, 0x40]), [-1.0, 0.5]);
        assert_eq!(of(24, false, &[0, 0, 0x80, 0, 0, 0x40]), [-1.0, 0.5]);
        assert_eq!(of(32, false, &[0, 0, 0, 0x80, 0, 0, 0, 0x40]), [-1.0, 0.5]);
        assert_eq!(of(32, true, &[0.25_f32.to_le_bytes(), 1.5_f32.to_le_bytes()].concat()), [0.25, 1.5]);
        // Left and right become one.
        assert_eq!(read(&file(2, 16, false, &[0, 0x40, 0, 0x20, 0, 0x40, 0, 0xC0])).unwrap().samples, [0.375, 0.0]);
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let clip = Clip { samples: vec![0.0, 0.5, -1.0, 2.0], rate: 22_050 };
        clip.save(&path).unwrap();
        let read = Clip::open(&path).unwrap();
        assert_eq!(read, Clip { samples: vec![0.0, 0.5, -1.0, 32767.0 / 32768.0], rate: 22_050 });
        let text = Clip { rate: 0, ..clip }.save(&path).unwrap_err().to_string();
        assert_eq!(text, "a clip of 0 samples a second cannot be written");
    }

    #[test]
    fn broken_files_are_named() {
        let whole = file(1, 16, false, &[1, 2, 3, 4]);
        let told = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert_eq!(told(&whole[..whole.len() - 1]), "a.wav: damaged WAV: it ends before its samples do");
        for cut in 4..44 {
            let text = told(&whole[..cut]);
            assert!(text.starts_with("a.wav: "), "{cut}: {text}");
        }
        // 64-bit floats.
        let text = told(&file(1, 64, true, &[0; 8]));
        assert!(text.contains("expected samples of 8, 16, 24 or 32 bits, or floats of 32"), "{text}");
        let none = Clip::decode(&file(1, 16, false, &[]), "b.wav").unwrap_err().to_string();
        assert_eq!(none, "b.wav: a sound without a sample");
        let nan = Clip::decode(&file(1, 32, true, &f32::NAN.to_le_bytes()), "b.wav").unwrap_err().to_string();
        assert_eq!(nan, "b.wav: sample 0 is NaN, expected a number");
        // A claim of 4 GB takes no memory.
        let mut long = file(1, 16, false, &[1, 2]);
        long[40..44].copy_from_slice(&0xFFFF_FF00_u32.to_le_bytes());
        assert!(told(&long).ends_with("it ends before its samples do"));
    }

    #[test]
    fn no_header_does_harm() {
        let whole = file(2, 16, false, &[7; 64]);
        let mut read_anyway = 0;
        for at in 0..44 {
            for byte in [0, 1, 2, 0x7F, 0x80, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                match Clip::decode(&bytes, "a.wav") {
                    Ok(clip) => read_anyway += usize::from(clip.samples.len() <= 64),
                    Err(error) => assert!(error.to_string().starts_with("a.wav: "), "{at} {byte}: {error}"),
                }
            }
        }
        // Rates, and lengths that nobody reads.
        assert!(read_anyway > 20, "{read_anyway}");
    }
}
