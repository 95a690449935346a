//! The tokeniser of byte pairs beside Hugging Face's (`tests/peers/hf_tokenizers.py`), its files, and what they may hold.

use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use taper_data::{Bpe, Tokenizer};

fn data(name: &str) -> PathBuf {
    Path::new("tests/data/bpe").join(name)
}

fn recorded() -> Bpe {
    Bpe::read(data("vocab.json"), data("merges.txt")).unwrap()
}

#[test]
fn tokens_are_those_of_the_peer() {
    let bpe = recorded();
    let records: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(data("encodings.json")).unwrap()).unwrap();
    let records = records.as_array().unwrap();
    assert_eq!((records.len(), bpe.size()), (18, 600));
    for record in records {
        let text = record["text"].as_str().unwrap();
        let due: Vec<i64> = record["tokens"].as_array().unwrap().iter().map(|token| token.as_i64().unwrap()).collect();
        assert_eq!(bpe.tokens(text).unwrap(), due, "{text:?}");
        assert_eq!(bpe.text(&due).unwrap(), text);
    }
}

/// The pairs that are learned, their order, and the numbers of the tokens.
#[test]
fn training_learns_what_the_peer_learns() {
    let text = fs::read_to_string(data("text.txt")).unwrap();
    let own = Bpe::train([text.as_str()], 600).unwrap();
    assert_eq!(own, recorded());
    // What is saved is read as the same, and written as the peer writes it.
    let folder = tempfile::tempdir().unwrap();
    let [vocab, merges] = ["vocab.json", "merges.txt"].map(|name| folder.path().join(name));
    own.save(&vocab, &merges).unwrap();
    assert_eq!(Bpe::read(&vocab, &merges).unwrap(), own);
    assert_eq!(fs::read_to_string(&merges).unwrap(), fs::read_to_string(data("merges.txt")).unwrap());
    let json = |path: &Path| serde_json::from_str::<serde_json::Value>(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(json(&vocab), json(&data("vocab.json")));
    // Its pairs make it again.
    assert_eq!(Bpe::of_merges(own.merges()).unwrap(), own);
    let text = Bpe::of_merges(&[[0, 1], [300, 2]]).unwrap_err().to_string();
    assert_eq!(text, "bpe: pair 1 is of tokens 300 and 2, there are 257 before it");
    // No more is learned than there is, and nothing between texts.
    let short = Bpe::train(["ab", "ab", "ba"], 1000).unwrap();
    assert_eq!((short.size(), short.token(b"ab"), short.token(b"ba")), (257, Some(256), None));
    assert_eq!(Bpe::train([""], 256).unwrap().size(), 256);
    let text = Bpe::train(["a"], 255).unwrap_err().to_string();
    assert_eq!(text, "bpe: expected a vocabulary of 256 to 2^31 tokens, found 255");
}

/// A long word takes no time to speak of: its merges are not looked for from the start each time.
#[test]
fn a_long_word_is_merged() {
    let bpe = Bpe::train(["abababab cdcd"], 300).unwrap();
    let word = "ab".repeat(200_000);
    let tokens = bpe.tokens(&word).unwrap();
    assert_eq!((tokens.len(), bpe.text(&tokens).unwrap() == word), (100_000, true));
}

#[test]
fn files_that_make_no_tokeniser_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let [vocab, merges] = ["vocab.json", "merges.txt"].map(|name| folder.path().join(name));
    let whole = fs::read_to_string(data("vocab.json")).unwrap();
    let fails = |json: &str, lines: &str, told: &str| {
        fs::write(&vocab, json).unwrap();
        fs::write(&merges, lines).unwrap();
        let text = Bpe::read(&vocab, &merges).unwrap_err().to_string();
        assert!(text.contains(told), "{text}");
    };
    let good = "#version: 0.2\n";
    fails("[1]", good, "vocab.json: vocabulary: expected a JSON object of tokens and their numbers: ");
    fails("{\"a\": 0", good, "vocab.json: vocabulary: expected a JSON object");
    fails("{\"a\": 1}", good, "vocab.json: token `a`: is number 1 of 1: expected 0 to 0");
    fails("{\"\\u65e5\": 0}", good, "token `日`: has a character that stands for no byte");
    fails("{\"a\": 0}", good, "vocab.json: vocabulary: has no token for the byte 0, which would be `Ā`");
    fails(&whole.replace("\"!\":0,", "\"!\":1,"), good, "which another has too");
    fails(&whole, "#version: 0.2\na b c\n", "merges.txt: line 2: expected two tokens, found `a b c`");
    fails(&whole, "a\n", "merges.txt: line 1: expected two tokens, found `a`");
    fails(&whole, "a zzz\n", "merges.txt: line 1: `zzz` is no token of ");
    fails(&whole, "! !\n", "merges.txt: line 1: `!!` is no token of ");
    let text = Bpe::read("none.json", &merges).unwrap_err().to_string();
    assert!(text.starts_with("cannot read none.json: "), "{text}");
    let text = recorded().text(&[0, 600]).unwrap_err().to_string();
    assert_eq!(text, "token 600 is none of the vocabulary's, which are 0 to 599");
}

proptest! {
    /// Whatever the bytes, they come back.
    #[test]
    fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,60}") {
        let bpe = recorded();
        prop_assert_eq!(bpe.bytes(&bpe.encode(&bytes)).unwrap(), bytes);
        prop_assert_eq!(bpe.text(&bpe.tokens(&text).unwrap()).unwrap(), text);
    }
}
