//! `taper-bench`: benchmarks of Taper on the CPU beside a peer, PyTorch; both sides are measured alternately in one
//! run. `cargo xtask bench` builds and starts it. A benchmark is called a work here.

mod flop;
mod memory;
mod operations;
mod peak;
mod peer;
mod report;
mod row;
mod settings;
mod statistics;
mod table;
mod turns;
mod worker;
mod works;

use clap::{Args, Parser, Subcommand};
use peer::Peer;
use row::Row;
use settings::Settings;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use works::Measured;

#[derive(Parser)]
#[command(name = "taper-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    Bench(BenchArgs),
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// Benchmark Taper on the CPU beside a peer, alternating block by block, and print a table of medians
#[derive(Args)]
struct BenchArgs {
    /// The benchmarks; `sgemm` for all matrix products, `memory` for the memory that training takes [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The peer to compare with; if it is not installed, the run says so and measures Taper alone
    #[arg(long, value_enum, default_value_t = Peer::Torch)]
    peer: Peer,
    /// Blocks per side, each of at least 5 iterations
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[command(flatten)]
    settings: Settings,
    /// Write the machine, the versions, the peak and every sample to this file [default: none]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show where our time goes, operation by operation, instead of comparing
    #[arg(long)]
    profile: bool,
    /// Only list the benchmarks
    #[arg(long)]
    list: bool,
}

/// Run our side of one benchmark, controlled through standard input
#[derive(Args)]
struct WorkerArgs {
    name: String,
    #[arg(long)]
    threads: usize,
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Bench(args) => bench(&args),
        Task::Worker(args) => worker(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn worker(WorkerArgs { name, threads, settings }: &WorkerArgs) -> Result<(), String> {
    let works = works::chosen(std::slice::from_ref(name))?;
    let work = works.iter().find(|work| work.name == *name);
    let work = work.ok_or_else(|| format!("`{name}` is more than one work"))?; // a family's name
    worker::work(work, &settings.device(*threads).map_err(|error| error.to_string())?)
}

/// The command that runs [`worker()`] in a process of its own.
fn our_worker(program: &Path, work: &str, threads: usize, settings: &Settings) -> Command {
    let mut command = Command::new(program);
    command.args(["worker", work, "--threads", &threads.to_string()]).args(settings.arguments());
    command
}

fn bench(args: &BenchArgs) -> Result<(), String> {
    let works = works::chosen(&args.names)?;
    if args.list {
        works.iter().for_each(|work| println!("{:<24}{}", work.name, work.timed));
        return Ok(());
    }
    if args.profile {
        for work in &works {
            println!("{}: {}\n\n{}", work.name, work.timed, operations::table(work, &args.settings)?);
        }
        return Ok(());
    }
    let ourselves = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let version = args.peer.version();
    // Our device is opened first, in this process, so that an instruction set that the machine lacks is reported once.
    args.settings.device(1).map_err(|error| error.to_string())?;
    let mut threads: Vec<usize> =
        works.iter().filter(|work| work.measured == Measured::Time).map(|work| work.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let peak = |threads| peak::measure(threads, args.settings.avx2_only());
    let peaks: Vec<_> = threads.into_iter().filter_map(peak).collect();
    println!("taper {}, {}", env!("CARGO_PKG_VERSION"), report::processor().unwrap_or_else(|| "a processor".into()));
    match &version {
        Ok(version) => println!("peer: {version}"),
        Err(why) => println!("no peer: {why}"),
    }
    if let Some(line) = args.settings.line() {
        println!("{line}");
    }
    let (mut rows, mut growth) = (Vec::new(), None);
    for work in works {
        eprintln!("{}: {}", work.name, work.timed);
        let ours = || our_worker(&ourselves, &work.name, work.threads, &args.settings);
        let peer = || match &version {
            Ok(_) => Ok(args.peer.worker(&work.name, work.threads, &args.settings)),
            Err(why) => Err(why.clone()),
        };
        if work.measured == Measured::Memory {
            // Processes differ little, so that three of them are enough.
            growth = Some(memory::measure(ours, peer, usize::from(args.rounds).min(3)));
            continue;
        }
        let samples = turns::measure(ours(), peer(), usize::from(args.rounds))
            .map_err(|error| format!("{}: our own side failed: {error}", work.name))?;
        if let (Ok(_), Err(why)) = (&version, &samples.peer) {
            println!("{}: no peer: {why}", work.name);
        }
        rows.push(Row::new(work, samples));
    }
    let peaks = peak::again(peaks, args.settings.avx2_only());
    for peak in &peaks {
        println!("peak with {}, threads: {}: {:.0} GFLOP/s", peak.isa, peak.threads, peak.gflops);
    }
    if !rows.is_empty() {
        print!("\n{}", table::table(&rows, &peaks, args.peer.name()));
        println!(
            "\nms: medians of n iterations a side. ratio: the peer's over ours, over 1 is faster. GFLOP/s, of peak: ours."
        );
    }
    if let Some(growth) = &growth {
        println!("\n{}", growth.line(args.peer.name()));
    }
    if let Some(path) = &args.json {
        let run = report::Run { settings: &args.settings, peer: &version, peaks: &peaks, rows: &rows, growth: &growth };
        report::write(path, &run)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_worker_is_told_what_was_asked_for() {
        let line = ["taper-bench", "bench", "--isa", "avx2", "--conv", "direct"];
        let Ok(Cli { command: Task::Bench(args) }) = Cli::try_parse_from(line) else { panic!("no bench") };
        let command = our_worker(Path::new("taper-bench"), "tiny", 3, &args.settings);
        let line = std::iter::once(command.get_program()).chain(command.get_args());
        let Ok(Cli { command: Task::Worker(found) }) = Cli::try_parse_from(line) else { panic!("no worker") };
        assert_eq!((found.name.as_str(), found.threads), ("tiny", 3));
        assert_eq!(found.settings.arguments(), ["--isa", "avx2", "--conv", "direct"]);
    }

    #[test]
    fn a_setting_that_is_none_is_refused() {
        for line in [["taper-bench", "bench", "--isa", "sse"], ["taper-bench", "bench", "--conv", "fft"]] {
            let text = Cli::try_parse_from(line).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(text.contains("possible values: auto, "), "{text}");
        }
    }
}
