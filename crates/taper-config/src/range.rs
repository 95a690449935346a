//! The values that a key takes: both the check and the words for it, which error messages show after "expected".

use crate::{Error, unknown};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// The values that a key of type `T` takes.
pub struct Range<T> {
    text: String,
    outside: Outside<T>,
    is_list: bool,
}

/// What is wrong with a value, if anything.
type Outside<T> = Box<dyn Fn(&T) -> Option<Problem>>;

/// What is wrong with a value.
enum Problem {
    /// The value, or the part of it, that is out of range.
    Found(String),
    /// What is wrong, in full.
    Detail(String),
}

impl<T: 'static> Range<T> {
    fn new(text: impl Into<String>, outside: impl Fn(&T) -> Option<Problem> + 'static) -> Self {
        Self { text: text.into(), outside: Box::new(outside), is_list: false }
    }

    fn holding(text: impl Into<String>, holds: impl Fn(&T) -> bool + 'static) -> Self
    where
        T: Display,
    {
        Self::new(text, move |value| (!holds(value)).then(|| Problem::Found(value.to_string())))
    }
}

impl<T> Range<T> {
    /// The words for the range.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the value is a list of tables.
    #[doc(hidden)]
    pub fn is_list(&self) -> bool {
        self.is_list
    }

    /// Errs unless the key `name` may have `value`.
    ///
    /// # Errors
    /// `NAME: expected RANGE, found VALUE`, or what the range itself says.
    pub fn check(&self, name: &str, value: &T) -> crate::Result<()> {
        match (self.outside)(value) {
            None => Ok(()),
            Some(Problem::Found(found)) => Err(Error::out_of_range(name, &self.text, found)),
            Some(Problem::Detail(detail)) => Err(Error::Usage(format!("{name}: {detail}"))),
        }
    }
}

/// An integer type.
pub trait Whole: Copy + Display + PartialOrd + 'static {
    /// The value, which is not negative.
    fn wide(self) -> u128;
}

macro_rules! whole {
    ($($type:ty),*) => {$(
        impl Whole for $type {
            fn wide(self) -> u128 {
                self as u128
            }
        }
    )*};
}
whole!(u8, u16, u32, u64, usize);

/// Any value of the type, which `text` describes: `a path, or empty`. For an enumeration, its names: `mean or sum`.
pub fn any<T: 'static>(text: &str) -> Range<T> {
    Range::new(text, |_| None)
}

/// True or false.
pub fn flag() -> Range<bool> {
    any("true or false")
}

/// An integer, `low` or more.
pub fn at_least<T: Whole>(low: T) -> Range<T> {
    Range::holding(format!("an integer, {low} or more"), move |value| *value >= low)
}

/// An integer within `range`.
pub fn integer<T: Whole>(range: RangeInclusive<T>) -> Range<T> {
    let text = format!("an integer from {} to {}", range.start(), power(*range.end()));
    Range::holding(text, move |value| range.contains(value))
}

/// `value` as people write it: a large power of two, or one less, as such.
fn power(value: impl Whole) -> String {
    let wide = value.wide();
    match wide {
        ..0x1_0000 => wide.to_string(),
        _ if wide.is_power_of_two() => format!("2^{}", wide.ilog2()),
        _ if (wide + 1).is_power_of_two() => format!("2^{} - 1", (wide + 1).ilog2()),
        _ => wide.to_string(),
    }
}

/// A number within `range`; NaN is in none.
pub fn number(range: RangeInclusive<f64>) -> Range<f64> {
    let text = format!("a number from {} to {}", brief(*range.start()), brief(*range.end()));
    Range::holding(text, move |value| range.contains(value))
}

fn brief(value: f64) -> String {
    if value == 0.0 || (1e-6..1e9).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

/// A number above `low` and below `high`.
pub fn between(low: f64, high: f64) -> Range<f64> {
    Range::holding(format!("a number between {low} and {high}"), move |value| *value > low && *value < high)
}

/// A number above 0 and at most `high`.
pub fn up_to(high: f64) -> Range<f64> {
    Range::holding(format!("a number above 0 and at most {high}"), move |value| *value > 0.0 && *value <= high)
}

/// A number, 0 or more and below 1.
pub fn fraction() -> Range<f64> {
    Range::holding("a number, 0 or more and below 1", |value| (0.0..1.0).contains(value))
}

/// Whether f32, in which most is computed, can hold `value` with room for a product or two: it is neither so small that
/// such a product would become 0, nor so large that it would become infinite.
pub fn is_ordinary(value: f64) -> bool {
    (1e-37..=1e37).contains(&value.abs())
}

/// A number above 0 that [is ordinary](is_ordinary).
pub fn ordinary() -> Range<f64> {
    number(1e-37..=1e37)
}

/// 0, or a number above 0 that [is ordinary](is_ordinary).
pub fn ordinary_or_zero() -> Range<f64> {
    Range::holding("0 or a number from 1e-37 to 1e37", |value| *value == 0.0 || (*value > 0.0 && is_ordinary(*value)))
}

/// One of these texts.
pub fn one_of(texts: &'static [&'static str]) -> Range<String> {
    Range::holding(listed(texts), move |value: &String| texts.contains(&value.as_str()))
}

/// A name of `names`, which `text` describes; another one is told with the nearest of them, as an unknown `kind`.
pub fn known(text: &str, kind: &'static str, names: &'static [&'static str]) -> Range<String> {
    let told = move |name: &String| Problem::Detail(unknown(kind, name, names));
    Range::new(text, move |name: &String| (!names.contains(&name.as_str())).then(|| told(name)))
}

/// `a, b or c`.
fn listed(texts: &[&str]) -> String {
    match texts {
        [before, last] => format!("{before} or {last}"),
        [first @ .., before, last] => format!("{}, {before} or {last}", first.join(", ")),
        _ => texts.concat(),
    }
}

/// What `range` says of a value that may be absent.
pub fn optional<T: 'static>(range: Range<T>) -> Range<Option<T>> {
    let Range { text, outside, is_list } = range;
    Range { text, outside: Box::new(move |value| value.as_ref().and_then(&outside)), is_list }
}

/// A list of values, which `text` describes, for each of which `holds` holds; the first other one is shown.
pub fn each<L, T>(text: &str, holds: impl Fn(&T) -> bool + 'static) -> Range<L>
where
    L: AsRef<[T]> + 'static,
    T: Display + 'static,
{
    let outside = move |value: &T| (!holds(value)).then(|| Problem::Found(value.to_string()));
    Range::new(text, move |values: &L| values.as_ref().iter().find_map(&outside))
}

/// A list, which `text` describes, that as a whole must be such that `holds` holds; otherwise all of it is shown.
pub fn list<T: std::fmt::Debug + 'static>(text: &str, holds: impl Fn(&[T]) -> bool + 'static) -> Range<Vec<T>> {
    Range::new(text, move |values: &Vec<T>| (!holds(values)).then(|| Problem::Found(format!("{values:?}"))))
}

/// A list of tables, which `text` describes; `check` says what is wrong with one. What is wrong in a list of another
/// form is told in full.
pub fn tables<T: 'static>(text: &str, check: impl Fn(&T) -> Result<(), String> + 'static) -> Range<Vec<T>> {
    let outside = move |values: &Vec<T>| values.iter().find_map(|value| check(value).err()).map(Problem::Detail);
    Range { is_list: true, ..Range::new(text, outside) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T>(range: &Range<T>, value: T) -> String {
        range.check("k", &value).map_or_else(|error| error.to_string(), |()| "fits".into())
    }

    #[test]
    fn a_range_is_checked_as_it_is_told() {
        let seed = integer(0..=i64::MAX as u64);
        assert_eq!(told(&seed, 1 << 63), "k: expected an integer from 0 to 2^63 - 1, found 9223372036854775808");
        assert_eq!(told(&seed, (1 << 63) - 1), "fits");
        assert_eq!(integer(1_u64..=1 << 32).text(), "an integer from 1 to 2^32");
        assert_eq!(told(&integer(1_usize..=64), 65), "k: expected an integer from 1 to 64, found 65");
        assert_eq!(told(&at_least(1_u64), 0), "k: expected an integer, 1 or more, found 0");
        assert_eq!(number(-1e37..=1e37).text(), "a number from -1e37 to 1e37");
        assert_eq!(told(&number(0.0..=1.0), f64::NAN), "k: expected a number from 0 to 1, found NaN");
        assert_eq!(told(&number(0.0..=1.0), 1.0), "fits");
        assert_eq!(told(&between(0.0, 1.0), 1.0), "k: expected a number between 0 and 1, found 1");
        assert_eq!(told(&up_to(1.0), 0.0), "k: expected a number above 0 and at most 1, found 0");
        assert_eq!(told(&up_to(1.0), 1.0), "fits");
        assert_eq!(told(&fraction(), 1.0), "k: expected a number, 0 or more and below 1, found 1");
        assert_eq!(told(&fraction(), 0.0), "fits");
        assert_eq!(told(&ordinary(), 0.0), "k: expected a number from 1e-37 to 1e37, found 0");
        assert_eq!(told(&ordinary(), 5e-324), "k: expected a number from 1e-37 to 1e37, found 5e-324");
        assert_eq!(told(&ordinary_or_zero(), 0.0), "fits");
        assert_eq!(told(&ordinary_or_zero(), -1.0), "k: expected 0 or a number from 1e-37 to 1e37, found -1");
        assert_eq!(told(&optional(at_least(1_u64)), None), "fits");
        assert_eq!(told(&optional(at_least(1_u64)), Some(0)), "k: expected an integer, 1 or more, found 0");
        assert_eq!(told(&one_of(&["a", "b", "c"]), "d".into()), "k: expected a, b or c, found d");
        assert_eq!(one_of(&["a", "b"]).text(), "a or b");
        let name = known("the name of a fruit", "fruit", &["apple", "pear"]);
        assert_eq!(told(&name, "aple".into()), "k: unknown fruit `aple`; did you mean apple? (known: apple, pear)");
        assert_eq!(told(&name, "pear".into()), "fits");
        let pair: Range<[f64; 2]> = each("two numbers below 1", |value| *value < 1.0);
        assert_eq!(told(&pair, [0.5, 2.0]), "k: expected two numbers below 1, found 2");
        let rising = list("numbers that rise", |values: &[f64]| values.is_sorted());
        assert_eq!(told(&rising, vec![2.0, 1.0]), "k: expected numbers that rise, found [2.0, 1.0]");
        let odd = tables("a list", |value: &u64| if value % 2 == 1 { Ok(()) } else { Err("even".into()) });
        assert_eq!((told(&odd, vec![1, 2]), told(&odd, vec![1])), ("k: even".into(), "fits".into()));
    }
}
