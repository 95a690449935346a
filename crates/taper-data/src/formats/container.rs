//! Checks that a JPEG, PNG or WebP file is complete, before it is decoded. Decoders made for viewing fill the rest of a
//! truncated image with grey; training samples have to be complete.
//!
//! JPEG: ITU-T T.81, annex B. PNG: <https://www.w3.org/TR/png-3/#5DataRep>. WebP:
//! <https://developers.google.com/speed/webp/docs/riff_container>.

use std::borrow::Cow;

/// A complete JPEG file.
pub(super) struct Jpeg<'a> {
    /// The file, without bytes between the segments before the first scan: some cameras leave bytes there that have no
    /// meaning.
    pub bytes: Cow<'a, [u8]>,
    /// Whether the file is progressive or has several scans, so that the decoder holds all coefficients in memory.
    pub scans: bool,
}

/// Checks that all segments up to the end-of-image marker are there. Bytes after it (a second image, a video) are
/// ignored.
pub(super) fn jpeg(bytes: &[u8]) -> Result<Jpeg<'_>, String> {
    let mut at = 2; // after the start-of-image marker, by which the format was recognised
    let mut kept: Option<Vec<u8>> = None;
    let (mut copied, mut scans, mut progressive) = (0, 0, false);
    loop {
        let before = at;
        // A marker is one 0xFF or more, then a byte that is neither 0xFF nor 0.
        let (start, marker) = next_marker(bytes, at).ok_or("cut: it has no end-of-image marker")?;
        if start > before && scans == 0 {
            let kept = kept.get_or_insert_default();
            kept.extend_from_slice(&bytes[copied..before]);
            copied = start;
        }
        at = start + 2;
        match marker {
            0xD9 => break,
            0x01 | 0xD0..=0xD8 => continue,
            _ => {}
        }
        let length = bytes.get(at..at + 2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
        let end = length.filter(|&n| n >= 2).map(|n| at + n).filter(|&end| end <= bytes.len());
        at = end.ok_or_else(|| format!("cut: the segment of marker {marker:02x} at byte {start} is not all there"))?;
        match marker {
            0xC2 | 0xC6 | 0xCA | 0xCE => progressive = true,
            0xDA => {
                scans += 1;
                at = after_entropy(bytes, at);
            }
            _ => {}
        }
    }
    let bytes = match kept {
        Some(mut kept) => {
            kept.extend_from_slice(&bytes[copied..]);
            Cow::Owned(kept)
        }
        None => Cow::Borrowed(bytes),
    };
    Ok(Jpeg { bytes, scans: progressive || scans > 1 })
}

/// The next marker from offset `at` on: the offset of its last 0xFF, and the byte after it.
fn next_marker(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    let rest = bytes.get(at..)?;
    let found = rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF))?;
    Some((at + found, rest[found + 1]))
}

/// The offset at which the entropy-coded bytes that begin at `at` end: the next marker that is no restart marker.
fn after_entropy(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF | 0xD0..=0xD7));
    at + end.unwrap_or(rest.len())
}

/// Checks that all chunks up to IEND are there, and the checksums of critical chunks (those that every decoder must
/// understand). Bytes after IEND are ignored.
pub(super) fn png(bytes: &[u8]) -> Result<(), String> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let name = &head[4..];
        let shown = name.escape_ascii();
        let cut = || format!("cut: the chunk {shown} at byte {} is not all there", bytes.len() - rest.len());
        let (data, after) = after.split_at_checked(length).ok_or_else(cut)?;
        let (sum, after) = after.split_first_chunk::<4>().ok_or_else(cut)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(name);
        crc.update(data);
        if name[0].is_ascii_uppercase() && crc.finalize() != u32::from_be_bytes(*sum) {
            return Err(format!("the checksum of its chunk {shown} is wrong"));
        }
        if name == b"IEND" {
            return Ok(());
        }
        rest = after;
    }
    Err("cut: it has no chunk IEND".into())
}

/// Checks that all chunks within the size that the RIFF header gives are there. Returns the largest number of pixels
/// in the header of a bitstream: decoders allocate memory by these headers, not by the size of the canvas.
pub(super) fn webp(bytes: &[u8]) -> Result<u64, String> {
    let size = bytes.get(4..8).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let body = bytes.get(12..).unwrap_or_default();
    // The size counts all bytes after it, the word WEBP included.
    let body = size.checked_sub(4).and_then(|size| body.get(..size));
    chunks(body.ok_or_else(|| format!("cut: it should have {size} bytes after its first 8"))?, true)
}

/// The largest number of pixels of a bitstream among the chunks in `rest`. Frames of animations (ANMF) contain chunks.
fn chunks(mut rest: &[u8], outermost: bool) -> Result<u64, String> {
    let mut most = 0;
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let cut = || format!("cut: its chunk {} is not all there", head[..4].escape_ascii());
        let (data, after) = after.split_at_checked(length).ok_or_else(cut)?;
        let side = |low: u8, high: u8| u64::from(u16::from_le_bytes([low, high]) & 0x3FFF);
        most = most.max(match (&head[..4], data) {
            (b"VP8 ", [_, _, _, 0x9D, 0x01, 0x2A, a, b, c, d, ..]) => side(*a, *b) * side(*c, *d),
            (b"VP8L", [0x2F, a, b, c, d, ..]) => {
                let sides = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
                ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
            }
            (b"ANMF", frame) if outermost => chunks(frame.get(16..).unwrap_or_default(), false)?,
            _ => 0,
        });
        // Chunks begin at even offsets. The padding byte of the last one may be missing without loss.
        rest = after.get(length % 2..).unwrap_or_default();
    }
    if !rest.is_empty() {
        return Err("cut: it ends within the head of a chunk".into());
    }
    Ok(most)
}
