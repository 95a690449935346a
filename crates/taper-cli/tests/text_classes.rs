//! `taper train text-classes` and `taper predict`: texts are told apart by their words.

#![cfg(feature = "csv")]

mod common;

use common::Place;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// Mails of two kinds: what decides is one word among many.
fn mails(count: usize) -> String {
    let mut text = String::from("kind,label,message\n");
    for i in 0..count {
        let filler = ["the", "of", "and", "to", "in", "that", "was", "his"];
        let words: Vec<&str> =
            (0..10 + i % 7).map(|k| filler[(i * i * 5 + k * k * 3 + i * k) % filler.len()]).collect();
        let spam = i % 3 == 0;
        let (label, word) =
            if spam { ("spam", ["money", "prize"][i / 3 % 2]) } else { ("ham", ["tea", "garden"][i % 2]) };
        text += &format!("mail,{label},\"{} {word}, {}\"\n", words[..4].join(" "), words[4..].join(" "));
    }
    text
}

const QUICK: &str = "--quiet --threads 1 --set train.epochs=4 --lr 1e-2 --batch-size 8";

#[test]
fn mails_are_told_apart_by_the_words_that_decide() {
    for (model, said) in [
        ("--set model.embedding=16 --set model.ngrams=2", "add most to the logit"),
        ("--recipe gru --set model.embedding=16 --set model.hidden=16", "the GRU has read those before them"),
        ("--recipe transformer --set model.d_model=16 --set model.dim_feedforward=16", "the layers have mixed others"),
    ] {
        let place = Place::new();
        fs::write(place.path("mails.csv"), mails(400)).unwrap();
        let ran = place.ok(&format!("train text-classes mails.csv --run-dir run {model} {QUICK}"));
        let accuracy: f64 =
            ran.last_line().trim_start_matches("Test Accuracy = ").trim_end_matches('%').parse().unwrap();
        assert!(accuracy > 97.0, "{model}: {ran:?}");
        let page = place.read("run/report.html");
        for part in ["Confusion matrix", "Macro F1, the mean of the classes", "Words that decided", said] {
            assert!(page.contains(part), "{model}: {part}");
        }
        fs::write(place.path("a.txt"), "Of the PRIZE that was his, and to the unheard").unwrap();
        fs::write(place.path("new.csv"), "message\nhis tea in the\nthe money\n").unwrap();
        let found: serde_json::Value =
            serde_json::from_str(&place.ok("predict run a.txt new.csv --top 2 --json").out).unwrap();
        let of = |i: usize| (found[i]["input"].as_str().unwrap(), found[i]["classes"][0]["class"].as_str().unwrap());
        assert_eq!([of(0), of(1), of(2)], [("a.txt", "spam"), ("new.csv:1", "ham"), ("new.csv:2", "spam")], "{model}");
        let shares = |i: usize| found[i]["words"].as_array().unwrap().clone();
        assert!(shares(0).iter().all(|word| word["share"].as_f64().is_some_and(|share| share > 0.0)), "{found}");
        // A bag and attention over embeddings name the word itself; a GRU may name the one after it, which has read it.
        if !model.contains("gru") {
            let first = |i: usize| shares(i)[0]["word"].as_str().unwrap().to_string();
            assert!(first(0).contains("prize") && first(1).contains("tea") && first(2).contains("money"), "{found}");
        }
        let result: serde_json::Value = serde_json::from_str(&place.read("run/result.json")).unwrap();
        let f1 = result["test"]["f1"].as_f64().unwrap_or_else(|| panic!("{result}"));
        assert!(page.contains(&format!("Macro F1, the mean of the classes&#39;: {:.2}%", 100.0 * f1)), "{f1}");
        let eval = place.ok("eval run --quiet");
        assert_eq!(eval.last_line(), ran.last_line());
    }
}

#[test]
fn without_a_file_reviews_are_generated_and_order_is_what_a_bag_lacks() {
    let place = Place::new();
    let train = |more: &str| {
        let ran =
            place.ok(&format!("train text-classes --threads 1 --set train.epochs=3 --lr 2e-2 --batch-size 16 {more}"));
        assert!(ran.out.contains("no file was given: generated reviews, not anybody's"), "{ran:?}");
        let line = ran.last_line().trim_start_matches("Test Accuracy = ").to_string();
        assert!(line.ends_with("(generated reviews, not anybody's)"), "{line}");
        line.split('%').next().unwrap().parse::<f64>().unwrap()
    };
    let (words, runs) = (train("--run-dir words"), train("--run-dir runs --set model.ngrams=2"));
    assert!(words < 90.0 && runs > 99.0, "{words} {runs}");
    // Lines of standard input are texts.
    let mut command = place.command("predict runs -");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = b"the soup was wonderful\n\nThe soup was not wonderful\nqwerty\n";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let classes: Vec<&str> = out.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!((classes[..2].to_vec(), classes.len()), (vec!["good", "bad"], 3), "{out}");
    assert!(out.lines().next().unwrap().contains("wonderful") && out.contains("(no word that it knows)"), "{out}");
}

/// A folder of texts for each class, in the layout of the IMDB reviews, which are such a folder of a name.
#[test]
fn texts_are_read_from_a_folder_for_each_class() {
    const COLLECTION: &str = ".cache/taper/datasets/collections/imdb-reviews";
    let place = Place::new();
    let dir = place.path("aclImdb");
    for (split, count) in [("train", 60), ("test", 20)] {
        for (class, word) in [("neg", "awful"), ("pos", "great")] {
            fs::create_dir_all(dir.join(split).join(class)).unwrap();
            for i in 0..count {
                let text = format!("The film number {i} was {word}, I think");
                fs::write(dir.join(split).join(class).join(format!("{i}_1.txt")), text).unwrap();
            }
        }
    }
    fs::create_dir(dir.join("train/unsup")).unwrap();
    fs::write(dir.join("train/unsup/0_0.txt"), "awful").unwrap();
    fs::write(dir.join("imdb.vocab"), "the\n").unwrap();
    let train = format!("train text-classes --offline {}", QUICK.replace("--quiet ", ""));
    let own = place.ok(&format!("{train} aclImdb --run-dir own"));
    assert!(own.out.contains("1 texts in the folder train/unsup have no class and are left out"), "{own:?}");
    assert!(own.out.contains("2 classes: neg, pos") && own.last_line() == "Test Accuracy = 100.00%", "{own:?}");
    let config = place.read("own/config.toml");
    assert!(config.contains("aclImdb, 160 texts in a folder for each class"), "{config}");
    let predicted = place.ok("predict own aclImdb/test/neg/7_1.txt").out;
    assert!(predicted.contains("neg ") && predicted.contains("awful"), "{predicted}");

    let due = "IMDB reviews (Large Movie Review Dataset 1.0): expected ";
    place.fails(&format!("{train} --data-dir imdb-reviews --run-dir none"), 1, &[due, "the network was not asked"]);
    fs::create_dir_all(place.path(COLLECTION)).unwrap();
    fs::rename(&dir, place.path(COLLECTION).join("aclImdb")).unwrap();
    for (i, name) in ["imdb-reviews", "--data-dir imdb-reviews"].iter().enumerate() {
        let ran = place.ok(&format!("{train} {name} --run-dir named{i}"));
        assert!(ran.last_line() == own.last_line() && ran.out.contains("IMDB reviews"), "{ran:?}");
        assert!(place.read(&format!("named{i}/config.toml")).contains("file = \"imdb-reviews\""));
    }
}

/// Killed and resumed, a run ends with the same bits.
#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let place = Place::new();
    fs::write(place.path("mails.csv"), mails(200)).unwrap();
    let line = format!(
        "train text-classes mails.csv --recipe transformer --set model.d_model=16 {QUICK} --set train.epochs=3 \
         --set checkpoint.every_steps=2 --set data.workers=2"
    );
    place.ends_as_undisturbed(&line, 3);
}

#[test]
fn what_cannot_be_learned_or_read_is_told() {
    let place = Place::new();
    let write = |name: &str, text: &[u8]| fs::write(place.path(name), text).unwrap();
    write("one.csv", b"label,text\nham,a b\nham,c d\n");
    write("columns.csv", b"a,text\nham,a b\nspam,c d\n");
    write("gap.csv", b"label,text\nham,a b\n,c d\nspam,e\n");
    write("empty.csv", b"");
    write("latin.csv", b"label,text\nham,a\nspam,caf\xe9\n");
    fs::create_dir(place.path("folder")).unwrap();
    write("folder/train.csv", mails(40).as_bytes());
    write("folder/test.csv", b"label,message\nscam,a\n");
    for name in ["train/ham/a.txt", "train/eggs/a.txt", "test/spam/a.txt"] {
        fs::create_dir_all(place.path("classes").join(name).parent().unwrap()).unwrap();
        write(&format!("classes/{name}"), b"a");
    }
    for (line, code, texts) in [
        ("one.csv", 2, &["data.target: expected two classes or more, found one alone: ham"][..]),
        (
            "columns.csv",
            1,
            &[
                "columns.csv: columns: expected one with the classes (label, class, category, sentiment, target), found a, text",
                "with --text COLUMN and --target COLUMN",
            ],
        ),
        ("columns.csv --target b", 1, &["columns.csv: columns: expected one column `b`, found 2 columns"]),
        ("columns.csv --target a --text body", 1, &["expected one column `body`"]),
        ("gap.csv", 1, &["gap.csv: line 3, column `label`: expected a class, found nothing"]),
        ("empty.csv", 1, &["empty.csv: file: expected at least one row, found none"]),
        ("latin.csv", 1, &["latin.csv", "line 3", "UTF-8"]),
        ("none.csv", 1, &["none.csv"]),
        ("folder", 2, &["the test or of validation has the class scam, of which there is none to learn from"]),
        (
            "classes",
            2,
            &["a text of the test or of validation has the class spam, of which there is none to learn from"],
        ),
        ("classes/train", 1, &["train/ham/b.txt: line 1, byte 4: expected text in UTF-8, found the byte 0xE9"]),
        ("classes/test", 1, &["test: classes: expected 2 to 65536 folders of texts, one a class, found 1 (`spam`)"]),
        (
            "classes --target kind",
            2,
            &["data.text and data.target name a table's columns; the texts of a folder for each"],
        ),
        (
            "classes/test/spam",
            2,
            &["data.file: expected train.csv and test.csv, or a folder of texts for each class in ", "found neither"],
        ),
        ("one.csv --model gpt", 2, &["unknown model of texts `gpt`", "bag, gru, transformer"]),
        ("one.csv --set task.mixup=0.5", 2, &["are for pictures; texts have none of them"]),
        ("folder --recipe transformer --set model.nhead=3", 1, &["3", "64"]),
    ] {
        if line == "classes/train" {
            write("classes/train/ham/b.txt", b"caf\xe9");
        }
        if line.starts_with("folder --recipe") {
            write("folder/test.csv", b"label,message\nspam,a\n");
        }
        place.fails(&format!("train text-classes {line} --run-dir run"), code, texts);
    }
    assert!(!place.path("run").exists());
    write("mails.csv", mails(60).as_bytes());
    place.ok(&format!("train text-classes mails.csv --run-dir run --max-steps 2 {QUICK}"));
    write("bad.txt", b"caf\xe9");
    place.fails("predict run bad.txt", 1, &["bad.txt: line 1, byte 4: expected text in UTF-8, found the byte 0xE9"]);
    place.fails("predict run one.csv", 1, &["one.csv: columns: expected one column `message`"]);
    place.fails("predict run nothing.txt", 1, &["nothing.txt"]);
    place.fails("predict run -", 1, &["standard input: it is empty; expected texts, one a line"]);
    place.fails("predict run bad.txt --top 0", 2, &["--top: expected an integer, 1 or more, found 0"]);
    place.fails("generate run", 1, &["this run's task is text-classes, expected a run of text"]);
}
