"""Records librosa's and torchaudio's spectrograms, and short files in FLAC and Ogg, into crates/taper-audio/tests/data/.

    python tests/peers/audio.py

The sound is a rule that the test repeats, so that only spectrograms are stored. All is computed in f64; values are rounded to
seven digits, a hundredth of the test's tolerance at most.
"""

import json
import os

import librosa
import numpy as np
import soundfile
import torch
import torchaudio

OUT = os.path.join(os.path.dirname(__file__), "../../crates/taper-audio/tests/data")
RATE, N = 8000, 1000


def sound(n=N):
    i = np.arange(n, dtype=np.float64)
    # Rounded to f32, as samples are.
    return (0.4 * np.sin(0.05 * i + 2e-4 * i * i) + 0.1 * np.sin(1.7 * i)).astype(np.float32).astype(np.float64)


def rounded(values):
    return [float(f"{x:.7g}") for x in np.asarray(values, dtype=np.float64).ravel()]


def librosa_cases():
    cases = []
    for size, window, hop, mels, low, high, htk, area, power in [
        (256, 200, 80, 40, 20.0, 4000.0, True, False, 2.0),
        (256, 256, 100, 24, 0.0, 3800.0, False, True, 2.0),
        (128, 100, 64, 13, 50.0, 4000.0, False, False, 1.0),
        (256, 200, 80, 40, 0.0, 4000.0, True, True, 2.0),
    ]:
        stft = librosa.stft(sound(), n_fft=size, hop_length=hop, win_length=window, window="hann", center=True,
                            pad_mode="reflect", dtype=np.complex128)
        filters = librosa.filters.mel(sr=RATE, n_fft=size, n_mels=mels, fmin=low, fmax=high, htk=htk,
                                      norm="slaney" if area else None, dtype=np.float64)
        mel = filters @ np.abs(stft) ** power
        cases.append(dict(
            peer="librosa", size=size, window=window, hop=hop, mels=mels, low=low, high=high, htk=htk, area=area,
            power=power, mel=rounded(mel), ln=rounded(np.log(np.maximum(mel, 1e-6))),
            decibels=rounded(librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=80.0))))
    return cases


def torchaudio_cases():
    torch.set_default_dtype(torch.float64)  # windows and filters too
    cases = []
    for size, window, hop, mels, low, high, htk, area, power in [
        (256, 200, 80, 40, 20.0, 4000.0, True, False, 2.0),
        (200, 200, 90, 20, 0.0, 4000.0, False, True, 1.0),
    ]:
        transform = torchaudio.transforms.MelSpectrogram(
            sample_rate=RATE, n_fft=size, win_length=window, hop_length=hop, f_min=low, f_max=high, n_mels=mels,
            power=power, norm="slaney" if area else None, mel_scale="htk" if htk else "slaney").double()
        mel = transform(torch.from_numpy(sound()))
        decibels = torchaudio.transforms.AmplitudeToDB("power", top_db=80.0)(mel)
        cases.append(dict(
            peer="torchaudio", size=size, window=window, hop=hop, mels=mels, low=low, high=high, htk=htk, area=area,
            power=power, mel=rounded(mel), ln=rounded(mel.clamp(min=1e-6).log()), decibels=rounded(decibels)))
    return cases


def griffin_lim():
    n = 600
    stft = lambda x: librosa.stft(x, n_fft=64, hop_length=16, pad_mode="reflect", dtype=np.complex128)
    magnitudes = np.abs(stft(sound(n)))
    found = {}
    for momentum in [0.0, 0.9]:
        found[str(momentum)] = rounded(librosa.griffinlim(
            magnitudes, n_iter=4, hop_length=16, n_fft=64, momentum=momentum, init=None, pad_mode="reflect", length=n,
            dtype=np.float64))
    return dict(samples=n, size=64, hop=16, iterations=4, found=found)


def files():
    clip = sound(400)
    stereo = np.stack([clip, clip[::-1]], 1)
    soundfile.write(os.path.join(OUT, "stereo.flac"), stereo, RATE, subtype="PCM_16")
    soundfile.write(os.path.join(OUT, "mono.ogg"), sound(4000), RATE, format="OGG", subtype="VORBIS")
    soundfile.write(os.path.join(OUT, "short24.wav"), stereo, 44100, subtype="PCM_24")
    return rounded(soundfile.read(os.path.join(OUT, "mono.ogg"))[0][1000:1200])


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    record = dict(
        librosa=librosa.__version__, torchaudio=torchaudio.__version__, cases=librosa_cases() + torchaudio_cases(),
        griffin_lim=griffin_lim(), ogg=files())
    with open(os.path.join(OUT, "spectrograms.json"), "w") as file:
        json.dump(record, file, separators=(",", ":"))
        file.write("\n")
