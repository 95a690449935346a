//! `cargo xtask COMMAND`: building, running, testing and checking in a clone of this repository. It has no
//! dependencies, so that it compiles in a second.

mod cargo;
mod ci;
mod device;
mod fmt;
mod taper;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND [ARGUMENTS]

Run, each built first (`cargo xtask train cifar --help` explains the arguments):
  train EXPERIMENT   train `cifar` or `digits`, print the test accuracy
  find-lr EXPERIMENT look for a good learning rate, and draw the curve to lr.svg
  tune EXPERIMENT    search for good values of configuration keys: `--space SPACE.toml`
  eval RUN           evaluate a saved run on its test split again
  runs [DIR]         list runs; `--compare A B` compares some side by side
  download cifar     fetch CIFAR-10 into datasets/downloads
  gradcheck          check the gradient of every operation, layer, loss; `--device cpu,candle,toy`, or `all`

`--device candle` or `--device cuda` builds what that device needs.

Develop:
  test [ARGUMENTS]   every test of the workspace; the arguments go to `cargo test`
  conformance [--device LIST] [FILTER]
                     test devices against the slow reference backend: `cpu,candle,cuda,toy`; all without a list
  op-samples FILE    compare operators with PyTorch's, on PyTorch's own samples (xtask/peers/torch_op_samples.py)
  bench [NAME…]      Taper's speed on the CPU beside PyTorch's, if that is installed, measured alternately
  fmt [--check]      format every Rust file, modules that a macro declares included
  ci                 format, clippy, docs, then `test`: all that .ci/run runs
";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let rest: Vec<_> = args.collect();
    let done = match command.as_str() {
        "train" | "find-lr" | "tune" | "eval" | "runs" | "download" | "gradcheck" | "conformance" | "op-samples"
        | "bench" => taper::run(&command, &rest),
        "test" => test::run(&rest),
        "fmt" => fmt::run(&rest),
        "ci" => ci::run(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(0)
        }
        _ => {
            let unknown = if command.is_empty() { String::new() } else { format!("error: no command `{command}`\n\n") };
            eprint!("{unknown}{HELP}");
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
