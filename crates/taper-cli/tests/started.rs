//! What a command line needs of the program, and hints that name a command as it was started.

mod common;

use common::{Place, Ran};

#[test]
#[cfg(not(any(feature = "candle", feature = "cuda")))]
fn what_the_program_lacks_is_printed() {
    let place = Place::new();
    for (line, due) in [
        ("train digits --device candle", "candle\n"),
        ("gradcheck --device cuda,candle", "candle\ncuda\n"),
        ("train digits --device cuda --epochs few", ""),
        ("--help", ""),
        ("", ""),
    ] {
        let ran = place.ok(&format!("needs -- {line}"));
        assert_eq!((ran.out.as_str(), ran.err.as_str()), (due, ""), "{line}");
    }
    assert!(!place.ok("--help").out.contains("needs"));
}

#[test]
fn a_command_is_named_as_it_can_be_typed() {
    let place = Place::new();
    let by_xtask = |line: &str| Ran::from(place.command(line).env("TAPER_XTASK", "1").output().unwrap());
    for (line, text) in [
        ("train digits --epochs 0", "hint: `cargo xtask train digits --help` explains flags and keys"),
        ("find-lr digits --steps 0", "hint: `cargo xtask find-lr digits --help` explains"),
        ("tune digits --space none.toml --set train.epochs=0", "`cargo xtask tune digits --help` explains"),
        ("runs --compare a b", "`cargo xtask runs` lists"),
        ("train digits --epoch 3", "Usage: cargo xtask train digits"),
        ("eval", "Usage: cargo xtask eval"),
    ] {
        let ran = by_xtask(line);
        assert!(ran.err.contains(text), "{line}: {ran:?}");
        assert!(!ran.err.contains("taper train") && !ran.err.contains("taper runs"), "{line}: {ran:?}");
        let own = place.run(line).err;
        assert!(own.contains(&text.replace("cargo xtask", "taper")), "{line}: {own}");
    }
    assert!(by_xtask("runs").out.contains("; `cargo xtask train digits` makes one"));
    assert!(by_xtask("train digits --help").out.contains("Usage: cargo xtask train digits [OPTIONS]"));
}
