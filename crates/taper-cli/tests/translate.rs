//! `taper train translate` and `taper translate`: pairs are learned, and new texts written.

#![cfg(feature = "bpe")]

mod common;

use common::Place;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// Words that become others, in the opposite order.
const WORDS: [[&str; 2]; 8] = [
    ["red", "rojo"],
    ["house", "casa"],
    ["dog", "perro"],
    ["sees", "ve"],
    ["sun", "sol"],
    ["no", "no"],
    ["sea", "mar"],
    ["cold", "frío"],
];

fn pairs(count: usize, from: usize) -> String {
    // Bits that look like drawn ones (splitmix64).
    let mixed = |i: u64| {
        let i = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let i = (i ^ (i >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((i ^ (i >> 27)) % 8) as usize
    };
    let pair = |i: usize| {
        let word = |k: usize| WORDS[mixed((8 * i + k) as u64)];
        let words: Vec<[&str; 2]> = (0..2 + i % 2).map(word).collect();
        let english: Vec<&str> = words.iter().map(|word| word[0]).collect();
        let spanish: Vec<&str> = words.iter().rev().map(|word| word[1]).collect();
        format!("{}\t{}\n", english.join(" "), spanish.join(" "))
    };
    (from..from + count).map(pair).collect()
}

const SMALL: &str = "--quiet --threads 1 --set model.d_model=32 --set model.nhead=2 --set model.layers=1 \
                     --set model.dim_feedforward=64 --set model.dropout=0 --set data.tokens=300";

#[test]
fn pairs_are_learned_and_new_texts_written() {
    let place = Place::new();
    fs::create_dir(place.path("pairs")).unwrap();
    fs::write(place.path("pairs/train.tsv"), pairs(900, 0)).unwrap();
    fs::write(place.path("pairs/test.tsv"), pairs(40, 5000)).unwrap();
    place.ok(&format!("train translate --data-dir pairs --run-dir run {SMALL} --epochs 12 --lr 5e-3 --batch-size 16"));
    let result: serde_json::Value = serde_json::from_str(&place.read("run/result.json")).unwrap();
    let exact = result["test"]["exact"].as_f64().unwrap_or_else(|| panic!("{result}"));
    let bleu = result["test"]["bleu"].as_f64().unwrap_or_else(|| panic!("{result}"));
    assert!(exact >= 0.9 && (0.0..=100.0 + 1e-9).contains(&bleu), "{result}");
    let page = place.read("run/report.html");
    assert!(page.contains(&format!("have a BLEU of {bleu:.2}.")), "{bleu}");
    for part in ["Translations", "reference", "Attention", "casa"] {
        assert!(page.contains(part), "{part}");
    }
    let mut command = place.command("translate run");
    command.arg("red house").arg("dog sees sea");
    let out = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(out.lines().collect::<Vec<_>>(), ["casa rojo", "mar ve perro"]);
    // Flags behind the texts are flags, and what follows -- is none.
    let flagged = place.ok("translate run sun --beam 1 --json").out;
    assert!(flagged.contains("\"text\": \"sun\"") && flagged.matches("\"text\"").count() == 1, "{flagged}");
    assert_eq!(place.ok("translate run -- sun -sun").out.lines().count(), 2);
    // From a pipe, by the likeliest token, and as JSON.
    let mut child =
        place.command("translate run --beam 1 --json").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("sun\n\ncold sea\n".as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap().stdout;
    let found: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((found[1]["text"].as_str(), found[1]["translation"].as_str()), (Some("cold sea"), Some("mar frío")));
    assert!(found[0]["score"].as_f64().is_some_and(|score| score <= 0.0 && score.is_finite()), "{found}");
    let eval = place.ok("eval run").out;
    assert!(eval.contains("test exact"), "{eval}");

    let long = "house ".repeat(200);
    for (texts, flags, code, due) in [
        (vec![""], "", 2, "text: expected a character or more, found none"),
        (vec![long.as_str()], "", 2, "text: expected 160 tokens at most, found "),
        (vec!["sun"], "--beam 0", 2, "--beam: expected an integer, 1 or more, found 0"),
        (vec!["sun"], "--length-penalty -1", 2, "--length-penalty: expected a number from 0 to 10, found -1"),
        (vec![], "", 1, "standard input: it is empty; expected texts, one a line"),
    ] {
        let mut command = place.command(&format!("translate {flags} run"));
        let ran = common::Ran::from(command.args(&texts).output().unwrap());
        assert!(ran.code == code && ran.err.contains(due), "{ran:?}");
    }
    place.ok("train digits --quiet --max-steps 2 --run-dir digits");
    place.fails("translate digits sun", 1, &["this run's task is classify, expected a run of translate"]);
}

#[test]
fn without_pairs_dates_are_generated_and_said_to_be() {
    let place = Place::new();
    let line = format!("train translate --run-dir run {SMALL} --max-steps 2 --set data.test_samples=20");
    let ran = place.ok(&line.replace("--quiet ", ""));
    assert!(ran.out.contains("no pairs were given: generated dates in words"), "{ran:?}");
    assert!(ran.last_line().ends_with("(generated dates)"), "{ran:?}");
}

/// Two files for each split, in the layout of the TED talks, which are such a folder of a name.
#[test]
fn pairs_are_read_from_two_files_of_lines() {
    const TALKS: &str = ".cache/taper/datasets/collections/ted-pt-en/datasets/pt_to_en";
    let place = Place::new();
    let dir = place.path("en_to_pt");
    fs::create_dir(&dir).unwrap();
    for (split, count, from) in [("train", 60, 0), ("dev", 5, 500), ("test", 8, 900)] {
        let all = pairs(count, from);
        for (i, language) in ["en", "pt"].iter().enumerate() {
            let lines: Vec<&str> = all.lines().map(|line| line.split('\t').nth(i).unwrap()).collect();
            fs::write(dir.join(format!("{language}.{split}")), lines.join("\n") + "\n\n").unwrap();
        }
    }
    let train = format!("train translate --offline --max-steps 2 {}", SMALL.replace("--quiet ", ""));
    let own = place.ok(&format!("{train} --data-dir en_to_pt --run-dir own"));
    assert!(own.out.contains("en becomes pt; data.reverse=true turns it around"), "{own:?}");
    assert!(own.out.contains("3 pairs left out, of which a text is empty"), "{own:?}");
    assert!(place.read("own/config.toml").contains("en_to_pt, 73 pairs of texts"));
    let other = place.ok(&format!("{train} --data-dir en_to_pt --run-dir other --set data.reverse=true"));
    assert!(other.out.contains("pt becomes en; data.reverse=false turns it around"), "{other:?}");

    let due = "TED talks, Portuguese to English: expected ";
    place.fails(&format!("{train} --data-dir ted-pt-en --run-dir none"), 1, &[due, "the network was not asked"]);
    fs::create_dir_all(place.path(TALKS).parent().unwrap()).unwrap();
    fs::rename(&dir, place.path(TALKS)).unwrap();
    let ran = place.ok(&format!("{train} --data-dir ted-pt-en --run-dir named"));
    assert!(ran.out.contains("pt becomes en; data.reverse=true") && ran.out.contains("TED talks"), "{ran:?}");
    assert!(place.read("named/config.toml").contains("path = \"ted-pt-en\""));
}

/// Killed and resumed, a run ends with the same bits.
#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let place = Place::new();
    fs::write(place.path("pairs.tsv"), pairs(200, 0)).unwrap();
    let line = format!(
        "train translate --data-dir pairs.tsv {SMALL} --set model.dropout=0.2 --epochs 4 \
         --set checkpoint.every_steps=2 --set data.workers=2"
    );
    place.ends_as_undisturbed(&line, 3);
}

#[test]
fn what_cannot_be_learned_is_told() {
    let place = Place::new();
    let write = |name: &str, text: &[u8]| fs::write(place.path(name), text).unwrap();
    write("columns.tsv", b"a\tb\nc d\n");
    write("empty.tsv", b"");
    write("latin.tsv", b"a\tb\ncaf\xe9\tc\n");
    write("one.tsv", b"a\tb\n");
    write("pairs.tsv", pairs(30, 0).as_bytes());
    fs::create_dir(place.path("folder")).unwrap();
    fs::create_dir(place.path("lines")).unwrap();
    for (name, text) in [("train.de", "ein\n"), ("train.en", "one\ntwo\n"), ("test.de", "ein\n"), ("test.en", "one\n")]
    {
        write(&format!("lines/{name}"), text.as_bytes());
    }
    for (line, code, due) in [
        ("columns.tsv", 1, "columns.tsv: line 2: expected two columns with a tab between them"),
        ("empty.tsv", 1, "empty.tsv: file: it is empty; expected a text"),
        ("latin.tsv", 1, "latin.tsv: line 2, byte 8: expected text in UTF-8, found the byte 0xE9"),
        (
            "folder",
            1,
            "folder: splits: expected train.tsv, or two files such as train.de and train.en, or de.train and en.train",
        ),
        ("lines", 1, "lines/train.en: lines: expected 1, as many as in "),
        ("none.tsv", 1, "none.tsv"),
        ("one.tsv", 2, "1 pairs are left to learn from and 0 for the test"),
        ("pairs.tsv --set data.longest=1", 2, "data.longest and data.test: "),
        ("pairs.tsv --set model.nhead=3", 1, "3"),
        ("pairs.tsv --model gpt", 2, "unknown model of translation `gpt`"),
        ("pairs.tsv --set data.tokens=3", 2, "data.tokens: expected an integer from 256"),
    ] {
        place.fails(&format!("train translate --run-dir run --data-dir {line}"), code, &[due]);
    }
    assert!(!place.path("run").exists());
}
