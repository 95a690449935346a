//! Images inside a page: PNG in `data:` URLs, which need no second file.

/// An image `[C, H, W]` with one byte per value: grey for one channel, RGB for three. Of any other number of channels
/// only the first is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// `[C, H, W]`: channels, height, width.
    pub shape: [usize; 3],
    /// The values, row-major.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// The image's `data:` URL; `None` if it is empty or its bytes do not match its shape. An image of more than
    /// `largest` pixels in a direction is shown by every second, third, … pixel.
    pub(super) fn address(&self, largest: usize) -> Option<String> {
        let [channels, height, width] = self.shape;
        let plane = height.checked_mul(width)?;
        if plane == 0 || channels.checked_mul(plane)? != self.bytes.len() {
            return None;
        }
        let every = height.max(width).div_ceil(largest);
        let channels = if channels == 3 { 3 } else { 1 };
        let pixels = (0..height).step_by(every).flat_map(|y| (0..width).step_by(every).map(move |x| y * width + x));
        let values = (0..channels).flat_map(|channel| pixels.clone().map(move |at| self.bytes[channel * plane + at]));
        let shape = [channels, height.div_ceil(every), width.div_ceil(every)];
        let png = crate::Picture::new(shape, values.collect()).ok()?.png();
        Some(format!("data:image/png;base64,{}", base64(&png)))
    }
}

/// Base64, by RFC 4648, section 4.
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

    fn png(shape: [usize; 3], values: Vec<u8>) -> Option<String> {
        let png = crate::Picture::new(shape, values).unwrap().png();
        Some(format!("data:image/png;base64,{}", base64(&png)))
    }

    #[test]
    fn a_picture_has_three_channels_or_its_first() {
        let bytes: Vec<u8> = (0..12).collect();
        assert_eq!(Picture { shape: [3, 2, 2], bytes: bytes.clone() }.address(96), png([3, 2, 2], bytes.clone()));
        assert_eq!(Picture { shape: [2, 2, 3], bytes: bytes.clone() }.address(96), png([1, 2, 3], bytes[..6].to_vec()));
    }

    #[test]
    fn what_is_no_picture_is_none_and_what_is_large_becomes_small() {
        assert_eq!(Picture { shape: [3, 2, 2], bytes: vec![0; 11] }.address(96), None);
        assert_eq!(Picture { shape: [1, 0, 5], bytes: vec![] }.address(96), None);
        let bytes: Vec<u8> = (0..960 * 3).map(|at| at as u8).collect();
        let seldom = (0..960).step_by(10).map(|y| bytes[y * 3]).collect();
        assert_eq!(Picture { shape: [1, 960, 3], bytes: bytes.clone() }.address(96), png([1, 96, 1], seldom));
    }
}
