//! Generated dates in words, each with the date as ISO 8601 writes it, for where no pairs are given: a translation of which it is
//! known what is right.

use taper_nn::RandomKey;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// First and last year.
const YEARS: [u64; 2] = [1900, 2099];

/// `count` dates, each once, in the words of one of six ways to say it. The same each time.
pub(crate) fn dates(count: usize) -> Vec<[String; 2]> {
    let key = RandomKey::new(0).child("generated dates");
    let mut seen = std::collections::HashSet::new();
    let mut all = Vec::with_capacity(count);
    // Of 73,000 dates no more than a part is asked for; the bound is for those who ask for more.
    for i in 0..(count as u64).saturating_mul(40) {
        if all.len() == count {
            break;
        }
        let draw = |name: &str, of: u64| (key.child(name).uniform(i) * of as f64) as u64 % of;
        let year = YEARS[0] + draw("year", YEARS[1] - YEARS[0] + 1);
        let month = draw("month", 12) as usize;
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let day = 1 + draw("day", DAYS[month] + u64::from(month == 1 && leap));
        if !seen.insert((year, month, day)) {
            continue;
        }
        let iso = format!("{year}-{:02}-{day:02}", month + 1);
        all.push([said(year, month, day, draw("way", 6), WEEKDAYS[draw("weekday", 7) as usize]), iso]);
    }
    all
}

/// A date in words. The day of the week is any: it has to be left out.
fn said(year: u64, month: usize, day: u64, way: u64, weekday: &str) -> String {
    let (name, in_words, nth) = (MONTHS[month], year_in_words(year), ordinal(day));
    match way {
        0 => format!("the {nth} of {name} {in_words}"),
        1 => format!("{name} the {nth}, {in_words}"),
        2 => format!("{weekday}, the {nth} of {name} {in_words}"),
        3 => format!("{day} {name} {year}"),
        4 => format!("{name} {day}, {in_words}"),
        _ => format!("on {weekday}, {name} {} in {in_words}", cardinal(day)),
    }
}

/// A number below a hundred.
fn cardinal(number: u64) -> String {
    let (tens, ones) = (number / 10 % 10, number % 10);
    match number {
        0..20 => ONES[number as usize].into(),
        _ if ones == 0 => TENS[tens as usize].into(),
        _ => format!("{}-{}", TENS[tens as usize], ONES[ones as usize]),
    }
}

/// The `number`-th, of numbers from 1 to 31.
fn ordinal(number: u64) -> String {
    let irregular =
        [(1, "first"), (2, "second"), (3, "third"), (5, "fifth"), (8, "eighth"), (9, "ninth"), (12, "twelfth")];
    let of = |number: u64| irregular.iter().find(|(one, _)| *one == number).map(|(_, name)| (*name).to_string());
    match number {
        20 => "twentieth".into(),
        30 => "thirtieth".into(),
        0..20 => of(number).unwrap_or_else(|| format!("{}th", cardinal(number))),
        _ => format!("{}-{}", TENS[(number / 10) as usize % 10], ordinal(number % 10)),
    }
}

/// A year as it is said: nineteen eighty-four, nineteen oh five, two thousand and seven.
fn year_in_words(year: u64) -> String {
    let (century, rest) = (year / 100, year % 100);
    match (century, rest) {
        (20, 0) => "two thousand".into(),
        (20, 1..10) => format!("two thousand and {}", cardinal(rest)),
        (_, 0) => format!("{} hundred", cardinal(century)),
        (_, 1..10) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        _ => format!("{} {}", cardinal(century), cardinal(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_said_as_people_say_them() {
        assert_eq!(said(1984, 2, 3, 0, "monday"), "the third of march nineteen eighty-four");
        assert_eq!(said(2007, 11, 31, 1, "monday"), "december the thirty-first, two thousand and seven");
        assert_eq!(said(1905, 0, 12, 2, "friday"), "friday, the twelfth of january nineteen oh five");
        assert_eq!(said(1900, 5, 20, 3, "monday"), "20 june 1900");
        assert_eq!(said(2000, 5, 30, 4, "monday"), "june 30, two thousand");
        assert_eq!(said(2019, 5, 25, 5, "sunday"), "on sunday, june twenty-five in twenty nineteen");
        assert_eq!(
            [1, 11, 22, 23, 30].map(ordinal),
            ["first", "eleventh", "twenty-second", "twenty-third", "thirtieth"]
        );
        assert_eq!(year_in_words(1900), "nineteen hundred");
    }

    #[test]
    fn each_date_comes_once_and_exists() {
        let found = dates(5000);
        assert_eq!((found.len(), &found), (5000, &dates(5000)));
        let mut iso: Vec<&str> = found.iter().map(|[_, iso]| iso.as_str()).collect();
        iso.sort_unstable();
        iso.dedup();
        assert_eq!(iso.len(), 5000);
        for date in &iso {
            let part = |range: std::ops::Range<usize>| date[range].parse::<u64>().unwrap();
            let (year, month, day) = (part(0..4), part(5..7) as usize, part(8..10));
            let most = DAYS[month - 1] + u64::from(month == 2 && year.is_multiple_of(4) && year != 1900);
            assert!((1900..2100).contains(&year) && (1..=most).contains(&day) && date.len() == 10, "{date}");
        }
        assert!(iso.iter().any(|date| date.ends_with("-02-29")));
    }
}
