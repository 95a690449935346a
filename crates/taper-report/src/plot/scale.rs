//! The scale of an axis: the position of each value, and the ticks.

use crate::Format;
use crate::text::number;

/// Larger magnitudes are not drawn: differences between them could overflow.
const LARGEST: f64 = 1e150;

/// The scale of an axis, from its smallest to its largest value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// The lower end, as log₁₀ if the axis is logarithmic.
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    /// A scale that holds all of `values`, with the fraction `pad` of its length free at both ends. Values that it
    /// cannot show are left out; `None` if no value remains.
    pub fn over(values: impl Iterator<Item = f64>, log: bool, pad: f64) -> Option<Self> {
        let blank = Self { low: f64::INFINITY, high: f64::NEG_INFINITY, log };
        let of = |scale: Self, x: f64| Self { low: scale.low.min(x), high: scale.high.max(x), log };
        let Self { low, high, .. } = values.filter_map(|value| blank.measure(value)).fold(blank, of);
        if low > high {
            return None;
        }
        // A single value, or values that differ by rounding only.
        let least = if log { 0.1 } else { (low.abs().max(high.abs()) * 1e-9).max(1e-300) };
        let half = match high - low > least {
            true => (high - low) * pad,
            // Half of the value on either side, or half a decade.
            false if log || low == 0.0 => 0.5,
            false => low.abs() * 0.5,
        };
        // If no value is negative, the axis does not begin below 0.
        let low_end = if !log && low >= 0.0 { (low - half).max(0.0) } else { low - half };
        Some(Self { low: low_end, high: high + half, log })
    }

    /// The position of `value` along the axis, from 0 to 1; `None` if it cannot be shown.
    pub fn place(&self, value: f64) -> Option<f64> {
        self.measure(value).map(|x| (x - self.low) / (self.high - self.low))
    }

    fn measure(&self, value: f64) -> Option<f64> {
        let x = if self.log { value.log10() } else { value };
        (x.abs() < LARGEST).then_some(x)
    }

    /// About `count` values for ticks, with their labels in the unit of `format`.
    pub fn ticks(&self, count: usize, format: Format) -> Vec<(f64, String)> {
        let (times, unit) = format.of_ticks();
        let decades = self.high - self.low;
        if !self.log || decades < 1.0 {
            let (low, high) =
                if self.log { (10_f64.powf(self.low), 10_f64.powf(self.high)) } else { (self.low, self.high) };
            let ticks = even(low * times, high * times, count).into_iter();
            return ticks.map(|(value, text)| (value / times, text + unit)).collect();
        }
        // A tick at each decade, or each second, …; at parts of decades if there are few.
        let every = (decades / count as f64).ceil().max(1.0) as i32;
        let parts: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let within = |value: &f64| (self.low..=self.high).contains(&value.log10());
        let decades = (self.low.floor() as i32..=self.high.ceil() as i32).filter(|decade| decade % every == 0);
        let values = decades.flat_map(|decade| parts.iter().map(move |part| part * 10_f64.powi(decade)));
        values.filter(within).map(|value| (value, number(value * times) + unit)).collect()
    }
}

/// Multiples of 1, 2 or 5 times a power of ten from `low` to `high`.
fn even(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(rough);
    let first = (low / step).ceil();
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let text = |value: f64| match value.abs() {
        size if size < step / 2.0 => "0".to_string(),
        size if (1e-4..1e6).contains(&size) => format!("{value:.decimals$}"),
        _ => number(value),
    };
    let places = (0..=2 * count).map(|i| (first + i as f64) * step);
    places.take_while(|value| *value <= high + step * 1e-6).map(|value| (value, text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(low: f64, high: f64, log: bool) -> Scale {
        Scale::over([low, f64::NAN, high].into_iter(), log, 0.0).unwrap()
    }

    fn texts(low: f64, high: f64, log: bool) -> Vec<String> {
        scale(low, high, log).ticks(5, Format::Short).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(texts(0.0, 1.0, false), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(-3.0, 7.5, false), ["0", "5"]);
        assert_eq!(texts(0.0, 39_100.0, false), ["0", "10000", "20000", "30000"]);
        assert_eq!(texts(0.69312, 0.69318, false), ["0.69312", "0.69314", "0.69316", "0.69318"]);
        assert_eq!(texts(1e-7, 10.0, true), ["1e-6", "0.0001", "0.01", "1"]);
        assert_eq!(texts(0.1, 3.0, true), ["0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(texts(2.0, 4.0, true), ["2.0", "2.5", "3.0", "3.5", "4.0"]);
    }

    #[test]
    fn ticks_have_the_axis_unit() {
        let of = |low: f64, high: f64, log: bool, format: Format| {
            scale(low, high, log).ticks(5, format).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(of(0.0, 1.0, false, Format::Percent(2)), ["0%", "20%", "40%", "60%", "80%", "100%"]);
        assert_eq!(of(0.961, 0.9672, false, Format::Percent(2)), ["96.2%", "96.4%", "96.6%"]);
        assert_eq!(of(0.001, 1.0, true, Format::Percent(0)), ["0.1%", "1%", "10%", "100%"]);
        assert_eq!(of(0.0, 0.5, false, Format::Decimals(4)), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(of(0.0, 90.0, false, Format::Duration), ["0 s", "20 s", "40 s", "60 s", "80 s"]);
        let places = scale(0.0, 1.0, false).ticks(5, Format::Percent(2));
        assert!(places.iter().zip(0..).all(|((value, _), i)| (value - 0.2 * f64::from(i)).abs() < 1e-12), "{places:?}");
    }

    #[test]
    fn places_are_where_they_should_be() {
        assert_eq!(scale(0.0, 4.0, false).place(1.0), Some(0.25));
        assert_eq!(scale(1e-4, 1.0, true).place(1e-3), Some(0.25));
        assert_eq!(scale(1e-4, 1.0, true).place(0.0), None);
        assert_eq!(scale(3.0, 3.0, false).place(3.0), Some(0.5));
        assert_eq!(scale(3.0, 3.0, true).place(3.0), Some(0.5));
        // A constant value is drawn in the middle, not at the bottom.
        assert!((scale(1e-3, 1e-3, false).place(1e-3).unwrap() - 0.5).abs() < 1e-9);
        for nothing in [f64::NAN, f64::INFINITY, 1e200] {
            assert!(Scale::over([nothing].into_iter(), false, 0.1).is_none());
        }
        assert!(Scale::over([0.0, -1.0].into_iter(), true, 0.1).is_none());
        let padded = Scale::over([0.0, 1.0].into_iter(), false, 0.1).unwrap();
        assert_eq!((padded.place(0.0), padded.high), (Some(0.0), 1.1));
    }
}
