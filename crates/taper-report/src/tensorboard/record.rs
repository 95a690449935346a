//! TFRecord framing: `length: u64 | masked CRC of the length: u32 | data | masked CRC of the data: u32`, all
//! little-endian (tensorflow.org/tutorials/load_data/tfrecord).

use std::io::{self, Read, Seek, SeekFrom};

/// `data` framed as a record.
pub(super) fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), data, &masked(data).to_le_bytes()].concat()
}

/// Whether a record ends at byte `end` of `file`, by the lengths in the records' headers.
pub(super) fn ends_at(file: &mut (impl Read + Seek), end: u64) -> io::Result<bool> {
    let mut position = 0;
    while position < end {
        file.seek(SeekFrom::Start(position))?;
        let mut header = [0; 12];
        match file.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        let (length, crc) = header.split_at(8);
        if masked(length).to_le_bytes() != crc {
            return Ok(false);
        }
        let length = length.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        position = position.saturating_add(length).saturating_add(16);
    }
    Ok(position == end)
}

/// TensorFlow's masking: the CRC of data that contain CRCs is weak, so the CRC is rotated and offset.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
fn crc32c(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table(0x82f6_3b78);
    !data.iter().fold(!0, |crc, &byte| TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8)
}

/// The CRC table: the remainder of each byte by the reflected `polynomial`.
const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { polynomial } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 3720 and the usual check value (of "123456789").
    #[test]
    fn crcs_are_castagnolis() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn ends_of_records_are_found() {
        let bytes = [frame(b"one"), frame(b""), frame(&[7; 300])].concat();
        let ends: Vec<u64> =
            (0..bytes.len() as u64 + 20).filter(|&end| ends_at(&mut io::Cursor::new(&bytes), end).unwrap()).collect();
        assert_eq!(ends, [0, 19, 35, 351]);
        let mut broken = bytes;
        broken[20] ^= 1;
        assert!(!ends_at(&mut io::Cursor::new(&broken), 351).unwrap());
    }
}
