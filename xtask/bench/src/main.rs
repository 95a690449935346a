//! `taper-bench`: our speed on the CPU beside a peer's, both measured in turn in one run. `cargo xtask bench` builds
//! and starts it.

mod flop;
mod peak;
mod peer;
mod report;
mod row;
mod statistics;
mod table;
mod turns;
mod worker;
mod works;

use clap::{Args, Parser, Subcommand};
use peer::Peer;
use row::Row;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

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

/// Measure works on the CPU beside a peer, block by block in turn, and print a table of medians
#[derive(Args)]
struct BenchArgs {
    /// The works; `sgemm` for all matrix products [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Whom to measure beside; where it is not installed, the run says so and measures ours alone
    #[arg(long, value_enum, default_value_t = Peer::Torch)]
    peer: Peer,
    /// Blocks of each side, of at least 5 iterations
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Write the machine, the versions, the peak and every sample to this file [default: none]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only say which works there are
    #[arg(long)]
    list: bool,
}

/// Our side of a work, told what to do on standard input
#[derive(Args)]
struct WorkerArgs {
    name: String,
    #[arg(long)]
    threads: usize,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Bench(args) => bench(&args),
        Task::Worker(WorkerArgs { name, threads }) => works::chosen(std::slice::from_ref(&name)).and_then(|works| {
            works.iter().find(|work| work.name == name).map_or_else(
                || Err(format!("`{name}` is more than one work")), // a family's name
                |work| worker::work(work, threads),
            )
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &BenchArgs) -> Result<(), String> {
    let works = works::chosen(&args.names)?;
    if args.list {
        works.iter().for_each(|work| println!("{:<24}{}", work.name, work.timed));
        return Ok(());
    }
    let ourselves = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let version = args.peer.version();
    let mut threads: Vec<usize> = works.iter().map(|work| work.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let peaks: Vec<_> = threads.into_iter().filter_map(peak::measure).collect();
    println!("taper {}, {}", env!("CARGO_PKG_VERSION"), report::processor().unwrap_or_else(|| "a processor".into()));
    match &version {
        Ok(version) => println!("peer: {version}"),
        Err(why) => println!("no peer: {why}"),
    }
    let mut rows = Vec::new();
    for work in works {
        eprintln!("{}: {}", work.name, work.timed);
        let mut ours = Command::new(&ourselves);
        ours.args(["worker", &work.name, "--threads", &work.threads.to_string()]);
        let peer = version.as_ref().map(|_| args.peer.worker(&work.name, work.threads)).map_err(String::clone);
        let samples = turns::measure(ours, peer, usize::from(args.rounds))
            .map_err(|error| format!("{}: our own side failed: {error}", work.name))?;
        if let (Ok(_), Err(why)) = (&version, &samples.peer) {
            println!("{}: no peer: {why}", work.name);
        }
        rows.push(Row::new(work, samples));
    }
    let peaks = peak::again(peaks);
    for peak in &peaks {
        println!("peak with {}, threads: {}: {:.0} GFLOP/s", peak.isa, peak.threads, peak.gflops);
    }
    print!("\n{}", table::table(&rows, &peaks, args.peer.name()));
    println!(
        "\nms: medians of n iterations a side. ratio: the peer's over ours, over 1 is faster. GFLOP/s, of peak: ours."
    );
    if let Some(path) = &args.json {
        report::write(path, &peaks, &version, &rows)?;
    }
    Ok(())
}
