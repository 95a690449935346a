//! FLAC and Ogg files, by symphonia.

use crate::clip::mixed;
use crate::{Clip, Error, Result};
use std::io::{Cursor, ErrorKind};
use std::path::Path;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as Wrong;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

/// The most samples of all channels together: 4 GB of them, six hours in stereo at 48 kHz.
const MOST: usize = 1 << 30;

pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Clip> {
    decoded(bytes).map_err(|detail| Error::format(path, detail))
}

fn told(error: &Wrong) -> String {
    match error {
        Wrong::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => "damaged: it ends too early".into(),
        error => format!("damaged, or of a kind that is not read: {error}"),
    }
}

fn decoded(bytes: &[u8]) -> std::result::Result<Clip, String> {
    let source = Box::new(Cursor::new(bytes.to_vec()));
    let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let (formats, metadata) = (FormatOptions::default(), MetadataOptions::default());
    let probe = symphonia::default::get_probe();
    let mut format = probe.probe(&Hint::new(), stream, formats, metadata).map_err(|e| told(&e))?;
    let track = format.default_track(TrackType::Audio).ok_or("no sound in it")?;
    let (id, due) = (track.id, track.num_frames);
    let params = track.codec_params.as_ref().and_then(|params| params.audio()).ok_or("no sound in it")?;
    let codecs = symphonia::default::get_codecs();
    let mut decoder = codecs.make_audio_decoder(params, &AudioDecoderOptions::default()).map_err(|e| told(&e))?;
    let (mut all, mut packet_samples, mut kind) = (Vec::new(), Vec::<f32>::new(), None);
    while let Some(packet) = format.next_packet().map_err(|e| told(&e))? {
        if packet.track_id != id {
            continue;
        }
        let buffer = decoder.decode(&packet).map_err(|e| told(&e))?;
        let found = (buffer.num_planes(), buffer.spec().rate());
        if *kind.get_or_insert(found) != found {
            return Err("its number of channels or its rate changes, which is not read".into());
        }
        packet_samples.resize(buffer.samples_interleaved(), 0.0);
        buffer.copy_to_slice_interleaved(&mut packet_samples);
        all.extend_from_slice(&packet_samples);
        if all.len() > MOST {
            return Err(format!("more than {MOST} samples, which is more than is read"));
        }
    }
    let (channels, rate) = match (kind, due) {
        (Some(kind), _) => kind,
        (None, Some(due)) => return Err(format!("damaged: expected {due} samples, found none")),
        (None, None) => return Err("a sound without a sample".into()),
    };
    let frames = all.len() / channels.max(1);
    match due {
        Some(due) if (frames as u64) < due => Err(format!("damaged: expected {due} samples, found {frames}")),
        _ => Ok(Clip { samples: mixed(&all, channels), rate }),
    }
}
