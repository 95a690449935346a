//! Generated reviews, good ones and bad ones, for where no texts are given: what decides is a word or two among many, and in
//! some a word that turns another around.

use taper_nn::RandomKey;

const GOOD: [&str; 6] = ["wonderful", "delicious", "friendly", "perfect", "warm", "charming"];
const BAD: [&str; 6] = ["awful", "cold", "rude", "dull", "stale", "noisy"];
const THINGS: [&str; 6] = ["soup", "service", "room", "music", "coffee", "view"];
const BEGINNINGS: [&str; 5] =
    ["we came on a sunday and", "my sister thinks", "after the long walk", "honestly", "in short"];
const ENDINGS: [&str; 5] =
    ["as always", "for that price", "and the train was late", "though the door was red", "this time"];

/// `count` reviews, each with its class: `good` or `bad`. The same each time.
pub(crate) fn reviews(count: usize) -> Vec<(String, &'static str)> {
    let key = RandomKey::new(0).child("generated reviews");
    let review = |i: usize| {
        let key = key.index(i as u64);
        let draw = |name: &str, of: usize| (key.child(name).uniform(0) * of as f64) as usize % of;
        let pick = |name: &str, list: &[&'static str]| list[draw(name, list.len())];
        let good = draw("class", 2) == 1;
        // One in five says it by the opposite, turned around.
        let turned = draw("turned", 5) == 0;
        let word = pick("word", if good != turned { &GOOD } else { &BAD });
        let not = if turned { "not " } else { "" };
        // A word in between, so that some things have two.
        let other = pick("other", &THINGS);
        let text = format!(
            "{} the {} was {not}{word}, and the {other} came {}",
            pick("begin", &BEGINNINGS),
            pick("thing", &THINGS),
            pick("end", &ENDINGS)
        );
        (text, if good { "good" } else { "bad" })
    };
    (0..count).map(review).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_classes_come_and_the_words_decide_with_what_turns_them() {
        let found = reviews(400);
        assert_eq!(found, reviews(400));
        let good = found.iter().filter(|(_, class)| *class == "good").count();
        assert!((150..250).contains(&good), "{good}");
        for (text, class) in &found {
            let praised = GOOD.iter().any(|word| text.contains(word));
            assert_eq!((praised != text.contains(" not ")), *class == "good", "{text}");
        }
    }
}
