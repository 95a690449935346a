//! The whole check of a backend, on the one that this crate brings:
//!
//!     cargo run --release -p taper-conformance --example toy [METHODS [SUBJECTS]]

use std::process::ExitCode;
use taper_conformance::{Checks, toy::ToyBackend};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    let verdict = Checks { methods: word(0), subjects: word(1) }.run(&ToyBackend::device());
    println!("{verdict}");
    if verdict.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
