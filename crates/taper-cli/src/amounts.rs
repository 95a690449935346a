//! Large numbers as they are read.

/// `11,689,512`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Three digits with a unit of a thousand, a million and so on: `3.64 G`.
pub fn short(number: u64) -> String {
    let (mut value, mut unit) = (number as f64, "");
    for next in ["k", "M", "G", "T", "P", "E"] {
        // What is rounded to 1000 is 1 of the next.
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    match (unit, value) {
        ("", _) => number.to_string(),
        (unit, value) if value < 9.995 => format!("{value:.2} {unit}"),
        (unit, value) if value < 99.95 => format!("{value:.1} {unit}"),
        (unit, value) => format!("{value:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0, 7, 999, 1000, 138_357_544].map(grouped), ["0", "7", "999", "1,000", "138,357,544"]);
        assert_eq!(
            [0, 999, 1000, 9996, 99_960, 999_600].map(short),
            ["0", "999", "1.00 k", "10.0 k", "100 k", "1.00 M"]
        );
        assert_eq!(short(3_638_757_376), "3.64 G");
    }
}
