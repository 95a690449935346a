//! Small pictures inside a page: uncompressed bitmaps as `data:` addresses, which need no encoder and no second file.

/// A picture `[C, H, W]` with a byte a value. One channel is grey, three are red, green, blue; of other numbers the
/// first is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// All of the first channel, row by row, then the second.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// The address of the picture, or `None` when the bytes are not as many as the shape says or there are none. A
    /// picture of more than `largest` pixels in a direction is shown by every second, third, … pixel.
    pub(super) fn address(&self, largest: usize) -> Option<String> {
        let [channels, height, width] = self.shape;
        let plane = height.checked_mul(width)?;
        if plane == 0 || channels.checked_mul(plane)? != self.bytes.len() {
            return None;
        }
        let every = height.max(width).div_ceil(largest);
        let of = |channel: usize, y: usize, x: usize| self.bytes[channel * plane + y * width + x];
        let rows = (0..height).step_by(every).map(|y| {
            let pixel = |x| if channels == 3 { [2, 1, 0].map(|c| of(c, y, x)) } else { [of(0, y, x); 3] };
            (0..width).step_by(every).flat_map(pixel).collect()
        });
        Some(bitmap(rows.collect()))
    }
}

/// A Windows bitmap of 24 bits a pixel from rows of blue, green, red, the uppermost first.
fn bitmap(rows: Vec<Vec<u8>>) -> String {
    let (height, width) = (rows.len(), rows[0].len() / 3);
    let row = rows[0].len().next_multiple_of(4);
    let mut file = b"BM".to_vec();
    // Size of the file, reserved, where the pixels begin; the header's size, width, height; one plane of 24 bits, not
    // compressed; the pixels' size; resolution and palette: none.
    let header = [54 + row * height, 0, 54, 40, width, height, 1 | 24 << 16, 0, row * height, 0, 0, 0, 0];
    file.extend(header.iter().flat_map(|value| (*value as u32).to_le_bytes()));
    for line in rows.iter().rev() {
        file.extend_from_slice(line);
        file.resize(file.len() + row - line.len(), 0);
    }
    format!("data:image/bmp;base64,{}", base64(&file))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standards() {
        for (text, due) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), due);
        }
        assert_eq!(base64(&[255, 254, 253]), "//79");
    }

    #[test]
    fn a_picture_is_a_bitmap_with_its_rows_from_below() {
        // Red above blue, one pixel wide: rows of three bytes and one of padding.
        let picture = Picture { shape: [3, 2, 1], bytes: vec![255, 0, 0, 0, 0, 255] };
        let mut file = b"BM\x3e\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\x18\0".to_vec();
        file.extend_from_slice(&[0, 0, 0, 0, 8, 0, 0, 0]);
        file.extend_from_slice(&[0; 16]);
        file.extend_from_slice(&[255, 0, 0, 0, 0, 0, 255, 0]);
        assert_eq!(picture.address(96), Some(format!("data:image/bmp;base64,{}", base64(&file))));
    }

    #[test]
    fn what_is_no_picture_is_none_and_what_is_large_becomes_small() {
        assert_eq!(Picture { shape: [3, 2, 2], bytes: vec![0; 11] }.address(96), None);
        assert_eq!(Picture { shape: [1, 0, 5], bytes: vec![] }.address(96), None);
        let large = Picture { shape: [1, 960, 2], bytes: vec![7; 1920] };
        assert_eq!(large.address(96), Some(bitmap(vec![vec![7; 3]; 96])));
    }
}
