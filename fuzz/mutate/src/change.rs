//! Mutations of files, which a seed and a number determine.

use crate::seeds;

/// A generator of random numbers: SplitMix64 (Steele, Lea, Flood 2014).
pub struct Draws(u64);

impl Draws {
    pub fn new(seed: u64, number: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// A number below `end`, or 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() % end.max(1) as u64) as usize
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// Extreme values of lengths and counts.
const EXTREMES: [u64; 16] = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x10000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    1 << 40,
    1 << 60,
    i64::MAX as u64,
    u64::MAX,
];

/// Input `number` of `seed` for the decoder `name`: one of `files`, mutated in one to five places.
pub fn input(name: &str, files: &[Vec<u8>], seed: u64, number: u64) -> Vec<u8> {
    let mut draws = Draws::new(seed, number);
    let file = draws.below(files.len());
    // Half of the compressed files are mutated before they are compressed, so that the mutations reach the decoder
    // inside.
    let inside = draws.below(2) == 0;
    match name {
        "idx-gz" if inside => seeds::gzip(&changed(seeds::idx(), files, &mut draws)),
        "archive" if inside => {
            let mut tar = changed(seeds::tar(), files, &mut draws);
            sum_headers(&mut tar);
            seeds::gzip(&tar)
        }
        "npz" if inside => {
            let [x, y] = seeds::npy();
            let (x, y) = if draws.below(3) > 0 {
                (changed(x, files, &mut draws), y)
            } else {
                (x, changed(y, files, &mut draws))
            };
            zip(&[("x.npy", &x), ("y.npy", &y)])
        }
        _ => {
            let mut bytes = changed(files[file].clone(), files, &mut draws);
            if name == "png" && draws.below(4) > 0 {
                sum_chunks(&mut bytes);
            }
            bytes
        }
    }
}

fn changed(mut bytes: Vec<u8>, files: &[Vec<u8>], draws: &mut Draws) -> Vec<u8> {
    for _ in 0..=draws.below(5) {
        let at = draws.below(bytes.len());
        match draws.below(12) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << draws.below(8),
            2 if !bytes.is_empty() => bytes[at] = draws.word() as u8,
            3 if !bytes.is_empty() => bytes[at] = draws.pick(&[0, 1, 0x7F, 0x80, 0xFF, b'"', b'\n', b'0']),
            4 | 5 => {
                // A length or a count, little-endian or big-endian.
                let value = draws.pick(&EXTREMES);
                let size = draws.pick(&[2, 4, 8]);
                let field = if draws.below(2) == 0 {
                    value.to_le_bytes()[..size].to_vec()
                } else {
                    value.to_be_bytes()[8 - size..].to_vec()
                };
                let end = (at + size).min(bytes.len());
                bytes.splice(at.min(end)..end, field);
            }
            6 => bytes.truncate(at),
            7 => {
                let end = (at + 1 + draws.below(32)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            8 => {
                // A piece is repeated, up to a hundred times.
                let end = (at + 1 + draws.below(64)).min(bytes.len());
                let most = if draws.below(8) == 0 { 100 } else { 2 };
                let piece = bytes[at.min(end)..end].repeat(1 + draws.below(most));
                let to = draws.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            9 => {
                let other = &files[draws.below(files.len())];
                let from = draws.below(other.len());
                let end = (from + 1 + draws.below(other.len())).min(other.len());
                let to = draws.below(bytes.len() + 1);
                let over = if draws.below(2) == 0 { (to + end - from).min(bytes.len()) } else { to };
                bytes.splice(to..over.max(to), other[from.min(end)..end].iter().copied());
            }
            10 => {
                let more = (0..1 + draws.below(16)).map(|_| draws.word() as u8).collect::<Vec<_>>();
                bytes.splice(at..at, more);
            }
            _ => number(&mut bytes, draws),
        }
        bytes.truncate(1 << 16);
    }
    bytes
}

/// Replaces a decimal number in the bytes by another one.
fn number(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let from = draws.below(bytes.len());
    let Some(start) = bytes.iter().skip(from).position(u8::is_ascii_digit).map(|at| at + from) else { return };
    let end =
        bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |length| start + length);
    let text = match draws.below(6) {
        0 => "-1".into(),
        1 => "1e308".into(),
        2 => "nan".into(),
        3 => "00000000000000000000000000000001".into(),
        _ => draws.pick(&EXTREMES).to_string(),
    };
    bytes.splice(start..end, text.into_bytes());
}

/// Recomputes the checksums of a PNG's chunks.
fn sum_chunks(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = at.saturating_add(8).saturating_add(length);
        if end.saturating_add(4) > bytes.len() {
            return;
        }
        let sum = crc32fast::hash(&bytes[at + 4..end]).to_be_bytes();
        bytes[end..end + 4].copy_from_slice(&sum);
        at = end + 4;
    }
}

/// Recomputes the checksums of a tar's headers: all blocks with the magic `ustar`.
fn sum_headers(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// A ZIP archive of uncompressed `files`, with checksums.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    use zip::write::SimpleFileOptions;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(*name, options).expect("memory takes all");
        archive.write_all(bytes).expect("memory takes all");
    }
    archive.finish().expect("memory takes all").into_inner()
}
