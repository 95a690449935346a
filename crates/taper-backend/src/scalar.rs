//! Checks that a dtype holds a number, for operations of a tensor and a number: no number is silently truncated or
//! wrapped to an integer, or becomes infinite where it fills a tensor.

use crate::{DType, Error, Result};

/// 2⁵³ − 1: an f64 of at most this size is exactly the integer that was meant. A larger one may already have been
/// rounded: 2⁵³ + 1 becomes 2⁵³.
const EXACT: f64 = 9_007_199_254_740_991.0;

impl DType {
    /// Checks that `value` can be an operand of arithmetic or comparisons with this dtype. Float dtypes take every
    /// number, rounded. `op` names the caller in the error.
    ///
    /// # Errors
    /// For an integer dtype when `value` is not an integer, is out of the dtype's range, or is beyond ±(2⁵³ − 1), where
    /// f64 no longer holds every integer.
    pub fn check_operand(self, op: &'static str, value: f64) -> Result<()> {
        let (low, high) = match self {
            Self::U8 => (0.0, 255.0),
            Self::I64 => (-EXACT, EXACT),
            _ => return Ok(()),
        };
        // Written so that NaN is refused.
        if value.fract() == 0.0 && (low..=high).contains(&value) {
            return Ok(());
        }
        let range = match self {
            Self::U8 => "from 0 to 255",
            _ => "of at most 2^53 - 1 on either side of 0 (larger ones: from_vec)",
        };
        Err(Error::dtype(
            op,
            format!("{value:?} is no {self}: give a whole number {range}, or cast the tensor to a float"),
        ))
    }

    /// Checks that a tensor of this dtype can be filled with `value`.
    ///
    /// # Errors
    /// Those of [`DType::check_operand`], and for a float dtype when a finite `value` would round to an infinity.
    pub fn check_element(self, op: &'static str, value: f64) -> Result<()> {
        self.check_operand(op, value)?;
        // The largest finite number of the dtype plus half an ulp: from there on rounding gives infinity.
        let largest = match self {
            Self::F16 => 65_520.0,
            Self::BF16 => f64::from_bits(0x47EF_F000_0000_0000),
            Self::F32 => f64::from_bits(0x47EF_FFFF_F000_0000),
            _ => return Ok(()),
        };
        if value.is_finite() && value.abs() >= largest {
            let detail = format!("{value:?} is more than {self} holds: give an infinity, or choose another dtype");
            return Err(Error::dtype(op, detail));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostData;

    #[test]
    fn integers_take_whole_numbers_in_range() {
        let bad = |dtype: DType, value| dtype.check_operand("full", value).unwrap_err().to_string();
        for (dtype, values) in [(DType::U8, vec![0.0, -0.0, 255.0]), (DType::I64, vec![EXACT, -EXACT, 0.0, 77.0])] {
            values.into_iter().for_each(|value| dtype.check_operand("full", value).unwrap());
        }
        for value in [0.5, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, EXACT + 1.0, -EXACT - 1.0, 1e300] {
            let due = format!(
                "full: {value:?} is no i64: give a whole number of at most 2^53 - 1 on either side of 0 (larger ones: \
                 from_vec), or cast the tensor to a float"
            );
            assert_eq!(bad(DType::I64, value), due);
        }
        for value in [0.5, -1.0, 256.0, f64::NAN, f64::INFINITY] {
            let due =
                format!("full: {value:?} is no u8: give a whole number from 0 to 255, or cast the tensor to a float");
            assert_eq!(bad(DType::U8, value), due);
        }
    }

    /// The limit is exactly the smallest number that rounds to infinity.
    #[test]
    fn floats_are_not_filled_with_what_they_cannot_hold() {
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-300, -65504.0] {
                dtype.check_element("full", value).unwrap();
            }
            dtype.check_operand("mul_scalar", 1e300).unwrap();
        }
        DType::F64.check_element("full", f64::MAX).unwrap();
        for dtype in [DType::F16, DType::BF16, DType::F32] {
            let becomes_infinite = |x: f64| HostData::from_f64(&[x], dtype).to_f64()[0].is_infinite();
            let (mut low, mut high) = (1.0f64, 1e300f64);
            while low.next_up() < high {
                let middle = f64::from_bits(low.to_bits().midpoint(high.to_bits()));
                if becomes_infinite(middle) { high = middle } else { low = middle }
            }
            dtype.check_element("full", low).unwrap();
            dtype.check_element("full", -low).unwrap();
            let text = dtype.check_element("full", -high).unwrap_err().to_string();
            let due =
                format!("full: {:?} is more than {dtype} holds: give an infinity, or choose another dtype", -high);
            assert_eq!(text, due);
        }
    }
}
