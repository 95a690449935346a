//! Images inside a page: PNG in `data:` URLs, which need no second file.

use crate::Picture;

/// The image's `data:` URL. An image of more than `largest` pixels in a direction is shown by every second, third, …
/// pixel.
pub(super) fn address(picture: &Picture, largest: usize) -> String {
    let [_, height, width] = picture.shape();
    let png = picture.every(height.max(width).div_ceil(largest.max(1))).png();
    format!("data:image/png;base64,{}", base64(&png))
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

    #[test]
    fn what_is_large_becomes_small() {
        let bytes: Vec<u8> = (0..960 * 3).map(|at| at as u8).collect();
        let seldom = (0..960).step_by(10).map(|y| bytes[y * 3]).collect();
        let [large, small] = [([1, 960, 3], bytes), ([1, 96, 1], seldom)]
            .map(|(shape, values)| address(&Picture::new(shape, values).unwrap(), 96));
        assert_eq!(large, small);
    }
}
