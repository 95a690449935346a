//! `taper train dialogue` and `taper chat`: replies are learned, and given.

mod common;

use common::Place;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

/// A model that learns in seconds.
const QUICK: &str = "--quiet --threads 1 --lr 1e-2 --batch-size 16 --set data.block=48 --set train.epochs=4 \
                     --set train.epoch_steps=75 --set model.n_layer=1 --set model.n_head=2 --set model.n_embd=32";
const ANIMALS: [&str; 4] = ["cat", "dog", "hen", "fox"];

/// Conversations in which one asks for an animal, and the other knows where it is.
fn conversations() -> String {
    let one = |i: usize| {
        let [animal, other] = [i * i * 7 % 31, i * 11 % 29].map(|i| ANIMALS[i % ANIMALS.len()]);
        format!("where is the {animal}\nthe {animal} is here\nwhere is the {other}\nthe {other} is here\n\n")
    };
    (0..300).map(one).collect()
}

/// What `chat` answers to these lines.
fn answers(place: &Place, flags: &str, said: &str) -> (i32, String, String) {
    let mut command = place.command(&format!("chat run {flags}"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}

#[test]
fn replies_are_learned_and_given() {
    let place = Place::new();
    fs::write(place.path("talk.txt"), conversations()).unwrap();
    place.ok(&format!("train dialogue --data-dir talk.txt --run-dir run {QUICK}"));
    let result: serde_json::Value = serde_json::from_str(&place.read("run/result.json")).unwrap();
    let loss = result["test"]["loss"].as_f64().unwrap();
    // Which animal was asked for is half the reply: without knowing it a reply costs ln 4 / 16 nats a character or more.
    assert!(loss < 0.06, "{loss}");

    let page = place.read("run/report.html");
    let rows: Vec<f64> =
        ["this model", "this model, without what was said before", "counting runs of up to 6 characters"]
            .map(|name| {
                let row = page.split(&format!(">{name}<")).nth(1).unwrap_or_else(|| panic!("{name}"));
                let cell = row.split("<td").nth(1).unwrap().split_once('>').unwrap().1;
                cell.split('<').next().unwrap().parse().unwrap()
            })
            .to_vec();
    assert!((rows[0] - loss).abs() < 1e-3, "{rows:?} {loss}");
    assert!(rows[1] > 0.08 && rows[1] > rows[0] && rows[2] > rows[0], "{rows:?}");
    for part in ["A conversation", "▸ the", "perplexity a word", "90 replies of"] {
        assert!(page.contains(part), "{part}");
    }

    // It answers, and what is read again and again is not longer than what it remembers.
    let said: String = (0..12).map(|i| format!("where is the {}\n", ANIMALS[i % 4])).collect();
    let (code, out, err) = answers(&place, "--temperature 0", &said);
    assert_eq!(code, 0, "{err}");
    let right = out.lines().enumerate().filter(|(i, line)| *line == format!("the {} is here", ANIMALS[i % 4])).count();
    assert!(out.lines().count() == 12 && right >= 11, "{out}");
    // The same seed, the same words.
    let hot = |seed| answers(&place, &format!("--temperature 2 --seed {seed}"), &said).1;
    assert_eq!(hot(1), hot(1));
    assert_ne!(hot(1), hot(2));
    // What the model has never read is left out and said; empty lines are passed over, and the last may lack its end.
    let (code, out, _) = answers(&place, "--temperature 0", "\n  \nwhere is thé cat\nßß\nwhere is the dog");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((code, lines.len()), (0, 4), "{out}");
    assert_eq!(lines[0], "(left out, since the model has never read it: 'é')");
    assert_eq!((lines[2], lines[3]), ("(left out, since the model has never read it: 'ß')", "the dog is here"));
}

#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let place = Place::new();
    fs::write(place.path("talk.txt"), conversations()).unwrap();
    place.ends_as_undisturbed(
        &format!(
            "train dialogue --data-dir talk.txt {QUICK} --set model.dropout=0.1 --set checkpoint.every_steps=7 \
             --set data.workers=2"
        ),
        4,
    );
}

#[test]
fn without_a_file_it_learns_the_speech_of_a_novel_and_says_so() {
    let place = Place::new();
    let ran = place.ok("train dialogue --max-steps 2 --run-dir run --set model.n_layer=1 --set data.test_samples=6");
    assert!(ran.out.contains("no conversations were named") && ran.out.contains("Pride and Prejudice"), "{ran:?}");
    let (code, out, err) = answers(&place, "", "Shall we walk?\n");
    assert_eq!((code, out.lines().count()), (0, 1), "{out} {err}");
    // A novel of one's own.
    let text = "\"Where is he?\" said Ann.\n\n\"Gone,\" said Bob.\n\nIt rained.\n\n".repeat(40);
    fs::write(place.path("novel.txt"), text).unwrap();
    let line = "train dialogue --data-dir novel.txt --max-steps 2 --set model.n_layer=1";
    let ran = place.ok(&format!("{line} --form novel --run-dir other"));
    assert!(ran.out.contains("34 samples to learn from, 2 to validate on, 4 to test on"), "{ran:?}");
    place.fails(line, 2, &["novel.txt: expected conversations, a turn a line", "see the key `data.form`"]);
}

#[test]
fn what_cannot_be_is_told() {
    let place = Place::new();
    fs::write(place.path("talk.txt"), conversations()).unwrap();
    place.ok(&format!("train dialogue --data-dir talk.txt --run-dir run --max-steps 2 {QUICK}"));
    for (line, code, texts) in [
        ("chat run --temperature -1", 2, &["--temperature: expected a number, 0 or more, found -1"][..]),
        ("chat run --top-p 2", 2, &["--top-p: expected a number above 0 and at most 1, found 2"]),
        ("chat none", 1, &["none"]),
        ("generate run", 1, &["this run's task is dialogue, expected a run of text"]),
        ("train dialogue --data-dir nowhere.txt", 1, &["cannot read", "nowhere.txt"]),
        ("train dialogue --data-dir talk.txt --form verse", 2, &["data.form", "lines", "novel", "verse"]),
        (
            "train dialogue --data-dir talk.txt --set data.block=4",
            2,
            &["data.block: expected an integer from 8 to 2^16"],
        ),
        (
            "train dialogue --data-dir talk.txt --set data.test=0.0001",
            2,
            &["data.test: 0.0001 of 300 conversations leaves 0 held out and 300 to learn from"],
        ),
    ] {
        place.fails(line, code, texts);
    }
    fs::write(place.path("empty.txt"), "").unwrap();
    place.fails("train dialogue --data-dir empty.txt", 1, &["empty.txt: file: it is empty; expected a text"]);
    let (code, _, err) = {
        let mut command = place.command("chat run");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"where\nis caf\xe9\n").unwrap();
        let out = child.wait_with_output().unwrap();
        (out.status.code(), (), String::from_utf8(out.stderr).unwrap())
    };
    assert!(code == Some(1) && err.contains("standard input, line 2: expected text in UTF-8"), "{code:?} {err}");
}
