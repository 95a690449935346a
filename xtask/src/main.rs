//! `cargo xtask COMMAND`: building, running, testing and checking in a clone of this repository. It has no
//! dependencies, so that it compiles in a second.

mod cargo;
mod checks;
mod ci;
mod device;
mod fmt;
mod package;
mod program;
mod taper;
mod test;

use std::process::ExitCode;

/// The commands that are this program's own, for `--help`.
const OWN: &str = "Develop:
  test [ARGUMENTS]   every test of the workspace; the arguments go to `cargo test`
  conformance [--device LIST] [FILTER]
                     test devices against the slow reference backend: `cpu,candle,cuda,toy`; all without a list
  gradcheck --device LIST
                     with `toy` or `all` in the list: check gradients on the slow reference backend too
  op-samples FILE    compare operators with PyTorch's, on PyTorch's own samples (tests/peers/torch_op_samples.py)
  bench [NAME…]      Taper's speed on the CPU beside PyTorch's, if that is installed, measured alternately
  fmt [--check]      format every Rust file, modules that a macro declares included
  package [ARGUMENTS]
                     the archives of all packages that are published, in order; the arguments go to `cargo package`
  ci                 format, clippy, docs, then `test`: all that .ci/run runs
";

fn help() -> String {
    let commands: String = taper::COMMANDS.iter().map(|(name, about)| format!("  {name:<18} {about}\n")).collect();
    format!(
        "Usage: cargo xtask COMMAND [ARGUMENTS]\n\n\
         Commands of `taper`; `cargo xtask train cifar --help` explains arguments, and what a command needs, as with\n\
         `--device cuda`, is built first:\n{commands}\n{OWN}"
    )
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let rest: Vec<_> = args.collect();
    let done = match command.as_str() {
        own if checks::has(own, &rest) => checks::run(own, &rest),
        "test" => test::run(&rest),
        "fmt" => fmt::run(&rest),
        "package" => package::run(&rest),
        "ci" => ci::run(),
        "help" | "--help" | "-h" => {
            print!("{}", help());
            Ok(0)
        }
        name if taper::COMMANDS.iter().any(|(known, _)| *known == name) => taper::run(name, &rest),
        name => {
            let unknown = if name.is_empty() { String::new() } else { format!("error: no command `{name}`\n\n") };
            eprint!("{unknown}{}", help());
            Ok(2)
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_all_commands_one_below_the_other() {
        let help = help();
        let own = ["test", "conformance", "gradcheck", "op-samples", "bench", "fmt", "package", "ci"];
        for name in taper::COMMANDS.iter().map(|(name, _)| *name).chain(own) {
            assert!(help.lines().any(|line| line.starts_with(&format!("  {name} "))), "{name}: {help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
}
