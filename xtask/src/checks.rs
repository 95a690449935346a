//! `conformance`, `op-samples`, `bench`, and `gradcheck` on the slow reference backend `toy`: programs of their own, which
//! `taper` knows nothing of.

use crate::cargo::root;
use crate::device;
use crate::program::{BENCH, Program, TESTS, become_it, environment};
use std::ffi::OsString;
use std::io::Result;

/// Whether `command` with the arguments `rest` is one of these.
pub fn has(command: &str, rest: &[OsString]) -> bool {
    program(command, &devices(rest)).is_some()
}

/// Builds the program of `command` with the features that its devices need, and runs it with the arguments `rest`.
///
/// # Errors
/// If CUDA is asked for and there is no card, or its toolkit is not found; if a program cannot be started.
pub fn run(command: &str, rest: &[OsString]) -> Result<u8> {
    let mut devices = devices(rest);
    if command == "conformance" && devices.is_empty() {
        devices.push("all".into());
    }
    let (program, root) = (program(command, &devices).unwrap_or(TESTS), root()?);
    let environment = environment(&root);
    let code = program.build(&root, &device::features(&devices)?)?;
    if code != 0 {
        return Ok(code);
    }
    let mut started = program.command(&environment)?;
    started.arg(command).args(rest);
    become_it(started)
}

fn program(command: &str, devices: &[String]) -> Option<Program> {
    match command {
        "bench" => Some(BENCH),
        "conformance" | "op-samples" => Some(TESTS),
        // Only the program of the tests has the reference backend.
        "gradcheck" if devices.iter().any(|name| name == "toy" || name == "all") => Some(TESTS),
        _ => None,
    }
}

/// The devices that `--device LIST` or `--device=LIST` names, the last if there are several.
fn devices(rest: &[OsString]) -> Vec<String> {
    let words: Vec<&str> = rest.iter().filter_map(|word| word.to_str()).collect();
    let value = |(i, word): (usize, &&str)| {
        let rest = word.strip_prefix("--device")?;
        if rest.is_empty() { words.get(i + 1).map(ToString::to_string) } else { Some(rest.strip_prefix('=')?.into()) }
    };
    let list = words.iter().enumerate().filter_map(value).next_back().unwrap_or_default();
    list.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn devices_are_found_in_the_arguments() {
        for (line, due) in [
            ("--op add", ""),
            ("--device cpu,candle,toy", "cpu,candle,toy"),
            ("--device=cuda:1 --second", "cuda:1"),
            ("--device cuda --device cpu", "cpu"),
            ("--devices cuda", ""),
            ("--device", ""),
        ] {
            assert_eq!(devices(&words(line)).join(","), due, "{line}");
        }
    }

    #[test]
    fn the_reference_backend_is_in_the_program_of_the_tests() {
        for (line, due) in [
            ("gradcheck", false),
            ("gradcheck --device cpu,candle", false),
            ("gradcheck --device all", true),
            ("gradcheck --device=cpu,toy --second", true),
            ("conformance", true),
            ("op-samples FILE", true),
            ("bench", true),
            ("train cifar --device all", false),
        ] {
            let words = words(line);
            assert_eq!(has(words[0].to_str().unwrap(), &words[1..]), due, "{line}");
        }
    }
}
