//! `taper-tests`: gradient checks, the conformance suite and PyTorch's own samples on any devices, including the slow
//! reference backend `toy`.
//! `cargo xtask` builds and starts it.

use clap::{Args, Parser};
use std::path::PathBuf;
use std::process::ExitCode;
use taper::Error;
use taper::gradcheck::{Subject, Table, subjects};
use taper_conformance::run_all;
use taper_tests::devices::devices;
use taper_tests::op_samples;

/// Check devices: gradients, and conformance to the backend contract
#[derive(Parser)]
enum Command {
    /// Check the gradients of operations, layers and losses against finite differences, in f64
    Gradcheck(Gradcheck),
    /// Run the conformance suite: every method of the contract against a slow reference backend
    Conformance(Conformance),
    /// Compare operators with PyTorch's, on PyTorch's own sample inputs
    OpSamples(OpSamples),
}

#[derive(Args)]
struct Gradcheck {
    /// Devices, separated by commas: cpu, candle, cuda, cuda:N, toy, all
    #[arg(long, value_name = "NAMES", default_value = "all")]
    device: String,
    /// Check only what has this name: conv2d, "layer conv2d", "loss mse" [default: all]
    #[arg(long, value_name = "NAME")]
    op: Option<String>,
    /// Check second derivatives too, and list what does not support them
    #[arg(long)]
    second: bool,
}

#[derive(Args)]
struct Conformance {
    /// Devices, separated by commas: cpu, candle, cuda, cuda:N, toy, all
    #[arg(long, value_name = "NAMES", default_value = "all")]
    device: String,
    /// Only cases whose name (`conv2d f32 …`) contains this [default: all]
    #[arg(value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
}

#[derive(Args)]
struct OpSamples {
    /// What tests/peers/torch_op_samples.py wrote
    file: PathBuf,
    /// The device: cpu, candle, cuda, cuda:N, toy
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
    /// Write a small part of the file, which has every operator compared, here
    #[arg(long, value_name = "FILE")]
    excerpt: Option<PathBuf>,
}

fn main() -> ExitCode {
    let passed = match Command::parse() {
        Command::Gradcheck(args) => gradcheck(&args),
        Command::Conformance(args) => conformance(&args),
        Command::OpSamples(args) => compare_samples(&args),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", error.to_string().trim_start_matches("device: "));
            // As in the `taper` program, usage errors have exit code 2.
            ExitCode::from(if matches!(error, Error::Argument { .. }) { 2 } else { 1 })
        }
    }
}

fn gradcheck(args: &Gradcheck) -> taper::Result<bool> {
    let chosen = match &args.op {
        Some(name) => Subject::choose(subjects(), name)?,
        None => subjects(),
    };
    // The cases are so small that more CPU threads would only wait for each other.
    let table = Table::check(&chosen, &devices(&args.device, 1)?, args.second, |line| println!("{line}"));
    Ok(table.passed())
}

fn conformance(args: &Conformance) -> taper::Result<bool> {
    let reports = run_all(&devices(&args.device, 0)?, &args.filter);
    reports.iter().for_each(|report| println!("{report}"));
    if reports.iter().any(|report| report.cases == 0) {
        return Err(Error::argument("conformance", format!("no case's name contains `{}`", args.filter)));
    }
    Ok(reports.iter().all(|report| report.failures.is_empty()))
}

fn compare_samples(args: &OpSamples) -> taper::Result<bool> {
    let chosen = devices(&args.device, 1)?;
    let device = chosen.first().ok_or_else(|| Error::argument("op-samples", "no device is named"))?;
    let file = op_samples::File::read(&args.file, device)?;
    println!("{} on {device}", file.peer);
    let report = op_samples::run(&file, device, |_, _| {})?;
    print!("{report}");
    if let Some(path) = &args.excerpt {
        op_samples::excerpt(&file, device, path)?;
    }
    Ok(report.passed())
}
