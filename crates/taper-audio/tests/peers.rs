//! Spectrograms beside librosa's and torchaudio's recorded values, and files that other programs wrote
//! (`tests/peers/audio.py`).

use serde_json::Value;
use taper_audio::{Clip, GriffinLim, MelConfig, MelScale, MelSpectrogram, Padding, Stft, StftConfig, griffin_lim};

fn record() -> Value {
    serde_json::from_str(include_str!("data/spectrograms.json")).unwrap()
}

/// The recorded sound.
fn sound(n: usize) -> Vec<f32> {
    let sample = |i: f64| 0.4 * (0.05 * i + 2e-4 * i * i).sin() + 0.1 * (1.7 * i).sin();
    (0..n).map(|i| sample(i as f64) as f32).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// ‖a − b‖/‖b‖ and the largest difference.
fn apart(a: &[f32], b: &[f64]) -> (f64, f64) {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let apart = || a.iter().zip(b).map(|(a, b)| f64::from(*a) - b);
    assert!(a.iter().all(|a| a.is_finite()));
    (norm(&mut apart()) / norm(&mut b.iter().copied()), apart().fold(0.0, |most, x| most.max(x.abs())))
}

#[test]
fn mel_spectrograms_are_librosas_and_torchaudios() {
    let record = record();
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let whole = |key: &str| case[key].as_u64().unwrap() as usize;
        let (size, window, hop) = (whole("size"), whole("window"), whole("hop"));
        let config = MelConfig {
            rate: 8000,
            stft: StftConfig { size, window, hop, padding: Padding::Reflect },
            mels: whole("mels"),
            low: case["low"].as_f64().unwrap(),
            high: case["high"].as_f64().unwrap(),
            scale: if case["htk"].as_bool().unwrap() { MelScale::Htk } else { MelScale::Slaney },
            area: case["area"].as_bool().unwrap(),
            power: case["power"].as_f64().unwrap(),
        };
        let found = MelSpectrogram::new(config).unwrap().forward(&sound(1000)).unwrap();
        let of = format!("{} {config:?}", case["peer"]);
        let (relative, _) = apart(&found.values, &numbers(&case["mel"]));
        // Values are f32, and records are rounded to seven digits.
        assert!(relative < 1e-6, "{of}: {relative:e}");
        // Of logarithms each value.
        let (_, most) = apart(&found.clone().ln(1e-6).values, &numbers(&case["ln"]));
        assert!(most < 1e-4, "{of}: {most:e}");
        let (_, most) = apart(&found.decibels(1e-10, Some(80.0)).values, &numbers(&case["decibels"]));
        assert!(most < 1e-4, "{of}: {most:e}");
    }
}

#[test]
fn griffin_lim_is_librosas() {
    let record = &record()["griffin_lim"];
    let whole = |key: &str| record[key].as_u64().unwrap() as usize;
    let (n, size) = (whole("samples"), whole("size"));
    let config = StftConfig { size, window: size, hop: whole("hop"), padding: Padding::Reflect };
    let stft = Stft::new(config).unwrap();
    let magnitudes = stft.forward(&sound(n)).unwrap().power(1.0);
    for (momentum, due) in record["found"].as_object().unwrap() {
        let options = GriffinLim { iterations: whole("iterations"), momentum: momentum.parse().unwrap(), seed: None };
        let found = griffin_lim(&stft, &magnitudes, n, options).unwrap();
        let (relative, most) = apart(&found, &numbers(due));
        // Records are rounded to seven digits.
        assert!(relative < 1e-6 && most < 1e-6, "{momentum}: {relative:e} {most:e}");
    }
}

fn file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The mean of the sound and itself backwards.
fn both_ways(n: usize) -> Vec<f64> {
    let x = sound(n);
    x.iter().zip(x.iter().rev()).map(|(a, b)| f64::from(a + b) / 2.0).collect()
}

#[test]
fn wav_of_24_bits_and_two_channels_is_what_was_written() {
    let clip = Clip::open(file("short24.wav")).unwrap();
    assert_eq!(clip.rate, 44_100);
    let (_, most) = apart(&clip.samples, &both_ways(400));
    assert!(most < 2.0_f64.powi(-23), "{most:e}");
}

#[cfg(feature = "flac")]
#[test]
fn flac_is_what_was_written() {
    let clip = Clip::open(file("stereo.flac")).unwrap();
    assert_eq!(clip.rate, 8000);
    let (_, most) = apart(&clip.samples, &both_ways(400));
    assert!(most < 2.0_f64.powi(-15), "{most:e}");

    let whole = std::fs::read(file("stereo.flac")).unwrap();
    for cut in [4, 20, 100, whole.len() / 2, whole.len() - 1] {
        let text = Clip::decode(&whole[..cut], "cut.flac").unwrap_err().to_string();
        assert!(text.starts_with("cut.flac: damaged"), "{cut}: {text}");
    }
}

#[cfg(feature = "ogg")]
#[test]
fn vorbis_is_as_libvorbis_decodes_it() {
    let clip = Clip::open(file("mono.ogg")).unwrap();
    assert_eq!(clip.rate, 8000);
    let (relative, _) = apart(&clip.samples[1000..1200], &numbers(&record()["ogg"]));
    assert!(relative < 1e-3, "{relative:e}");

    let whole = std::fs::read(file("mono.ogg")).unwrap();
    for cut in [4, 40, 300] {
        let text = Clip::decode(&whole[..cut], "cut.ogg").unwrap_err().to_string();
        assert!(text.starts_with("cut.ogg: "), "{cut}: {text}");
    }
}
