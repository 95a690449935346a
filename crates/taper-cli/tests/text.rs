//! `taper train text` and `taper generate`: a text is learned, and gone on with.

mod common;

use common::Place;
use std::fs;

/// Runs of a second.
const SHORT: &str = "--quiet --threads 1 --lr 1e-2 --batch-size 16 --set data.block=16 --set train.epochs=3 \
                     --set train.epoch_steps=60";
/// A GPT that learns in one.
const GPT: &str = "--set model.n_layer=1 --set model.n_head=2 --set model.n_embd=32";

/// Sentences of a few words in an order without a rule.
fn sentences(count: usize) -> String {
    let pick = |list: &[&str], i: usize| list[(i * i * 31 + i * 17 + 5) / 7 % list.len()].to_string();
    let sentence = |i: usize| {
        let who = pick(&["the cat", "a dog", "my aunt", "the old man"], i);
        let does = pick(&["sees", "likes", "follows"], i / 3 + 11);
        format!("{who} {does} {}.\n", pick(&["the moon", "a red kite", "nobody"], i / 2 + 5))
    };
    (0..count).map(sentence).collect()
}

/// The nats a character of telling them by how often they occur.
fn by_frequency(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    text.chars().for_each(|char| *counts.entry(char).or_insert(0.0) += 1.0);
    let n = text.chars().count() as f64;
    counts.values().map(|count: &f64| -(count / n) * (count / n).ln()).sum()
}

fn trained(place: &Place, more: &str) -> f64 {
    fs::write(place.path("text.txt"), sentences(600)).unwrap();
    place.ok(&format!("train text --data-dir text.txt --run-dir run {SHORT} {more}"));
    let result: serde_json::Value = serde_json::from_str(&place.read("run/result.json")).unwrap();
    result["test"]["loss"].as_f64().unwrap_or_else(|| panic!("{result}"))
}

#[test]
fn a_text_is_learned_and_gone_on_with() {
    let place = Place::new();
    let text = sentences(600);
    let loss = trained(&place, GPT);
    assert!(loss < 0.35 * by_frequency(&text) && loss > 0.1, "{loss} against {}", by_frequency(&text));

    let page = place.read("run/report.html");
    for part in ["Samples", "▸", "nats/character", "Beside counting", "counting pairs of characters"] {
        assert!(page.contains(part), "{part}");
    }
    // What is held out is the end of the text, all of it but its first character.
    let spec: serde_json::Value = serde_json::from_str(&place.read("run/spec.json")).unwrap();
    let mut known: Vec<char> = text.chars().collect();
    known.sort_unstable();
    known.dedup();
    assert_eq!((spec["vocabulary"].as_array().map(Vec::len), &spec["task"]), (Some(known.len()), &"text".into()));

    let line = "generate run --length 120 --prompt the";
    let write = |flags: &str| place.ok(&format!("{line} {flags}")).out;
    let first = write("--seed 3");
    assert!(first.starts_with("the ") && first.trim_end().chars().count() > 110, "{first}");
    assert_eq!(write("--seed 3"), first);
    assert_eq!(write("--seed 3 --no-cache"), first);
    assert_ne!(write("--seed 4"), first);
    let greedy = write("--temperature 0");
    assert_eq!(write("--temperature 0 --seed 9 --top-k 5 --top-p 0.5"), greedy);
    assert_eq!((write("--top-k 1"), write("--top-p 1e-9")), (greedy.clone(), greedy));
    // Words that it read, for the most part.
    let words: Vec<&str> = text.split_whitespace().collect();
    let written: Vec<&str> = first.split_whitespace().collect();
    let right = written.iter().filter(|word| words.contains(word)).count();
    assert!(10 * right >= 8 * (written.len() - 1), "{first}");
    // Without a prompt it begins with a line.
    let plain = place.ok("generate run --length 40").out;
    assert!(plain.chars().count() >= 40, "{plain}");

    // The same text from another place gives the same figure.
    fs::rename(place.path("text.txt"), place.path("moved.txt")).unwrap();
    place.fails("eval run --quiet", 1, &["cannot read", "text.txt"]);
    let again = place.ok("eval run --quiet --data-dir moved.txt");
    assert!(again.last_line().contains(&format!("{loss:.4}")), "{loss}: {again:?}");
}

#[test]
fn an_lstm_learns_it_too() {
    let place = Place::new();
    let loss = trained(&place, "--model lstm --set model.hidden=48");
    assert!(loss < 0.4 * by_frequency(&sentences(600)), "{loss}");
    let write = |flags: &str| place.ok(&format!("generate run --length 60 --prompt a {flags}")).out;
    assert_eq!(write(""), write("--no-cache"));
}

#[test]
fn without_a_text_it_says_what_it_learns_from() {
    let place = Place::new();
    let ran = place.ok("train text --max-steps 2 --run-dir run --set model.n_layer=1 --set data.test_samples=10");
    assert!(ran.out.contains("no text was named") && ran.out.contains("Pride and Prejudice"), "{ran:?}");
    assert!(place.read("run/config.toml").contains("in the public domain"));
    // A folder with a part to be measured on.
    fs::create_dir(place.path("novel")).unwrap();
    fs::write(place.path("novel/train.txt"), sentences(80)).unwrap();
    fs::write(place.path("novel/val.txt"), format!("{}ß…", sentences(20))).unwrap();
    let ran = place.ok("train text --data-dir novel --max-steps 2 --run-dir other --set model.n_layer=1");
    let note = "2 characters of the test text left out, which the text to learn from does not have: 'ß', '…'";
    assert!(ran.out.contains(note), "{ran:?}");
}

#[test]
fn what_is_no_text_and_no_prompt_is_told() {
    let place = Place::new();
    trained(&place, &format!("--max-steps 3 {GPT}"));
    for (line, code, texts) in [
        (
            "generate run --prompt the€ßcat€",
            2,
            &["--prompt: the text that this run learned from has no 'ß', '€'; its "][..],
        ),
        ("generate run --prompt=", 2, &["--prompt: expected one character or more, found none"]),
        ("generate run --temperature -1", 2, &["--temperature: expected a number, 0 or more, found -1"]),
        ("generate run --top-p 0", 2, &["--top-p: expected a number above 0 and at most 1, found 0"]),
        ("generate run --top-k -1", 2, &["--top-k", "invalid value '-1'"]),
        ("generate none", 1, &["none"]),
        ("predict run text.txt", 1, &["this run's task is text, expected a run of classify or regress"]),
        ("train text --data-dir nowhere.txt", 1, &["cannot read", "nowhere.txt"]),
        ("train text --data-dir .", 1, &["expected a text file, or a folder with train.txt and one of test.txt"]),
        (
            "train text --data-dir text.txt --set data.block=100000",
            2,
            &["data.block: expected an integer from 1 to 2^16"],
        ),
        ("train text --data-dir text.txt --set data.block=60000", 2, &["data.block: the text to learn from has "]),
        ("train text --data-dir text.txt --set model.n_head=3", 1, &["n_head divide n_embd", "3 and 128"]),
        (
            "train text --data-dir text.txt --model lstm --set model.n_head=3",
            2,
            &["model.n_head: lstm has none; it is of gpt"],
        ),
    ] {
        place.fails(line, code, texts);
    }
    place.ok("train digits --max-steps 2 --run-dir digits");
    place.fails("generate digits", 1, &["this run's task is classify, expected a run of text"]);
    fs::write(place.path("empty.txt"), "").unwrap();
    place.fails("train text --data-dir empty.txt", 1, &["empty.txt: file: it is empty; expected a text"]);
    fs::write(place.path("latin.txt"), b"caf\xe9\n".repeat(100)).unwrap();
    place.fails("train text --data-dir latin.txt", 1, &["latin.txt: line 1, byte 4: expected text in UTF-8"]);
}
