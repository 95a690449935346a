//! How numbers and foreign text are written.

/// How a number is written, on a chart, in a table and in a sentence about them: where both go through one format they
/// agree to the last digit. What is not finite is `NaN`, `inf` or `-inf` in each.
///
/// ```
/// use taper_report::Format;
/// assert_eq!(Format::Percent(2).text(0.97219), "97.22%");
/// assert_eq!(Format::Decimals(4).text(0.5), "0.5000");
/// assert_eq!(Format::Short.text(0.6123724), "0.6124");
/// assert_eq!(Format::Duration.text(187.2), "3 min 07 s");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Four significant digits at most, or all digits of a whole number below a million: `0.6931`, `39100`, `2.5e-7`.
    #[default]
    Short,
    /// So many decimals: `0.4812`.
    Decimals(usize),
    /// Four decimals, or three and a power of ten where these would say little: `0.4812`, `1.500e9`.
    Metric,
    /// A fraction as a percentage of so many decimals: `97.22%`.
    Percent(usize),
    /// Seconds: `1 h 02 min`, `3 min 07 s`, `12.5 s`, `8 ms`.
    Duration,
}

impl Format {
    /// `value` as text.
    pub fn text(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => format!("{value}"),
            Self::Short => number(value),
            Self::Decimals(decimals) => fixed(value, decimals),
            Self::Metric if value == 0.0 || (1e-3..1e5).contains(&value.abs()) => fixed(value, 4),
            Self::Metric => format!("{value:.3e}"),
            Self::Percent(decimals) => fixed(100.0 * value, decimals) + "%",
            Self::Duration => duration(value),
        }
    }

    /// What the values at an axis' ticks are multiplied by, and what is written after them.
    pub(crate) fn of_ticks(self) -> (f64, &'static str) {
        match self {
            Self::Short | Self::Decimals(_) | Self::Metric => (1.0, ""),
            Self::Percent(_) => (100.0, "%"),
            Self::Duration => (1.0, " s"),
        }
    }
}

/// So many decimals, and no sign before what is rounded to 0.
fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if !rest.contains(|char: char| ('1'..='9').contains(&char)) => rest.to_string(),
        _ => text,
    }
}

/// [`Format::Short`].
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if size == 0.0 || (1e-4..1e6).contains(&size) {
        let decimals = if size == 0.0 { 0.0 } else { (3.0 - size.log10().floor()).clamp(0.0, 7.0) };
        return trim(&fixed(value, decimals as usize));
    }
    let text = format!("{value:.3e}");
    match text.split_once('e') {
        Some((digits, power)) => format!("{}e{power}", trim(digits)),
        None => text,
    }
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 0.9995 => fixed(1000.0 * s, 0) + " ms",
        s if s < 59.95 => format!("{s:.1} s"),
        _ if whole < 3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// `text` escaped for HTML and XML, in elements and attributes. Characters that XML does not allow become `�`.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' | '\r' => escaped.push(char),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.612_372, "0.6124"),
            (39_100.0, "39100"),
            (2.5e-7, "2.5e-7"),
            (-1.0, "-1"),
            (0.001, "0.001"),
            (1.234_567e9, "1.235e9"),
            (99.999_99, "100"),
        ];
        for (value, text) in cases {
            assert_eq!(Format::Short.text(value), text);
        }
    }

    #[test]
    fn decimals_stay_and_nothing_has_no_sign() {
        assert_eq!(Format::Decimals(4).text(-0.00001), "0.0000");
        assert_eq!(Format::Decimals(1).text(-0.05001), "-0.1");
        assert_eq!(Format::Decimals(0).text(12.0), "12");
        assert_eq!(Format::Percent(0).text(1.0), "100%");
        let metrics = [0.0, -0.5, 0.001, 9.9e-4, 99_999.0, -1.5e9].map(|value| Format::Metric.text(value));
        assert_eq!(metrics, ["0.0000", "-0.5000", "0.0010", "9.900e-4", "99999.0000", "-1.500e9"]);
        assert_eq!(Format::Percent(1).text(-0.1234), "-12.3%");
    }

    #[test]
    fn what_is_not_finite_is_told_in_each() {
        for format in [Format::Short, Format::Decimals(2), Format::Metric, Format::Percent(2), Format::Duration] {
            let texts = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|value| format.text(value));
            assert_eq!(texts, ["NaN", "inf", "-inf"], "{format:?}");
        }
    }

    #[test]
    fn durations_read_well() {
        let cases = [
            (0.0083, "8 ms"),
            (12.46, "12.5 s"),
            (59.99, "1 min 00 s"),
            (187.2, "3 min 07 s"),
            (3725.0, "1 h 02 min"),
            (-1e-9, "0 ms"),
        ];
        for (seconds, text) in cases {
            assert_eq!(Format::Duration.text(seconds), text);
        }
    }
}
