//! The accuracy of every unary operation and activation, and of their gradients, over all 2³² f32 numbers, for each
//! instruction set of this machine. Prints a table for `docs/accuracy.md`.
//!
//!     cargo run --release -p taper-tensor --example accuracy -- [--stride N] [--tape-stride N] [--threads N] [NAME…]
//!
//! `--stride` measures every N-th f32 number (default 1: all of them), `--tape-stride` does so for gradients that the
//! tape computes (default 61). Names choose the functions to measure.

mod functions;
mod measure;

use functions::Computed;
use measure::{Tally, measure};
use std::time::Instant;
use taper_cpu::{CpuBackend, CpuOptions, Isa};
use taper_tensor::{Device, Error, Result};

fn main() -> Result<()> {
    let (mut stride, mut tape_stride) = (1, 61);
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut names: Vec<String> = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            let number = args.next().and_then(|n| n.parse::<u64>().ok()).filter(|&n| n > 0);
            number.ok_or_else(|| Error::argument("accuracy", format!("{arg} takes a number over 0")))
        };
        match arg.as_str() {
            "--stride" => stride = number()?,
            "--tape-stride" => tape_stride = number()?,
            "--threads" => threads = number()? as usize,
            _ => names.push(arg),
        }
    }
    let sets: Vec<Isa> = Isa::available();
    let make = || -> Result<Vec<Device>> {
        let of = |&isa| {
            let options = CpuOptions { threads: 1, isa: Some(isa), ..CpuOptions::default() };
            Ok(Device::new(CpuBackend::with_options(options)?))
        };
        sets.iter().map(of).collect()
    };
    let titles: Vec<String> = sets.iter().map(|isa| format!(" {isa} |")).collect();
    println!("| function |{} worst at | rounded to nearest | wrong NaN, ∞, ±0 |", titles.concat());
    println!("|---|{}---|---|---|", "---|".repeat(sets.len()));
    for function in functions::all() {
        if !names.is_empty() && !names.iter().any(|name| name == function.name) {
            continue;
        }
        // Gradients by the tape are slow.
        let on_tape = matches!(function.computed, Computed::UnaryGrad(_) | Computed::SecondGrad(_));
        let stride = if on_tape { stride.max(tape_stride) } else { stride };
        let start = Instant::now();
        let tallies = measure(&function, stride, threads, &make)?;
        println!("{}", row(function.name, &tallies));
        eprintln!("{}: {:.1} s", function.name, start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// A line of the table. The largest error is shown for each instruction set, the other figures once for all.
fn row(name: &str, tallies: &[Tally]) -> String {
    let ulps: Vec<String> = tallies.iter().map(|tally| format!(" {:.2} |", tally.worst)).collect();
    let Some(worst) = tallies.iter().max_by(|a, b| a.worst.total_cmp(&b.worst)) else { return String::new() };
    let rounded = tallies.iter().map(|tally| tally.rounded as f64 / tally.count as f64).fold(1.0, f64::min);
    let wrong = tallies.iter().max_by_key(|tally| tally.wrong.iter().sum::<u64>()).map_or([0; 3], |tally| tally.wrong);
    let example = tallies.iter().find_map(|tally| tally.example);
    let example = example.map_or(String::new(), |(x, y)| format!(" ({y:e} at {x:e})"));
    let [nan, infinite, zero] = wrong;
    let at = if worst.worst > 0.0 { format!("{:e}", worst.at) } else { "-".into() };
    format!("| `{name}` |{} {at} | {:.2} % | {nan}, {infinite}, {zero}{example} |", ulps.concat(), 100.0 * rounded)
}
