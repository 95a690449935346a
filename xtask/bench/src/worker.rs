//! The worker process of one side, and its handle in the parent.
//!
//! A worker sets up its benchmark and prints `ready`. For every line `go K` on standard input it runs K iterations and
//! prints a JSON array on one line: the milliseconds of each iteration, or, if memory is measured, the peak growth of
//! its memory in MiB after each. It ends when its input is closed.

use crate::memory::Meter;
use crate::works::{Measured, Work};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;
use taper::Device;

/// Runs our worker in this process.
///
/// # Errors
/// If an iteration fails, or the parent sends a line that is not `go K`.
pub fn work(work: &Work, device: &Device) -> Result<(), String> {
    let say = |line: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| format!("cannot answer: {error}"))
    };
    let meter = (work.measured == Measured::Memory).then(Meter::start).transpose()?;
    let mut iteration = (work.make)(device).map_err(|error| error.to_string())?;
    say("ready")?;
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| format!("cannot read: {error}"))?;
        let count = line.strip_prefix("go ").and_then(|count| count.parse::<usize>().ok());
        let count = count.ok_or_else(|| format!("expected `go K` with a number K, found `{line}`"))?;
        let mut found = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            let result = iteration().map_err(|error| error.to_string())?;
            found.push(start.elapsed().as_secs_f64() * 1e3);
            drop(result);
            if let (Some(meter), Some(last)) = (&meter, found.last_mut()) {
                *last = meter.growth()?;
            }
        }
        say(&json!(found).to_string())?;
    }
    Ok(())
}

/// The parent's handle of a worker process. Dropping it ends the process.
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The thread that reads the worker's standard error, so that the worker never blocks on it.
    errors: Option<JoinHandle<String>>,
}

impl Worker {
    /// Starts `command` and waits until the worker is ready.
    ///
    /// # Errors
    /// If the worker cannot be started, or ends before it is ready; the text has its last line of standard error.
    pub fn start(mut command: Command) -> Result<Self, String> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().to_string_lossy()) // not there, mostly
        })?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(output), Some(mut errors)) = (output, errors) else { return Err("no pipe to a worker".into()) };
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            // If reading fails, the text read before is still used.
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut worker = Self { child, input, output: BufReader::new(output), errors: Some(errors) };
        match worker.line()? {
            line if line == "ready" => Ok(worker),
            line => Err(format!("expected `ready`, the worker said `{line}`")),
        }
    }

    /// Runs `count` iterations: the milliseconds of each, or the MiB after each.
    ///
    /// # Errors
    /// If the worker ends, or answers with anything but `count` positive numbers.
    pub fn go(&mut self, count: usize) -> Result<Vec<f64>, String> {
        let asked = self.input.as_mut().map(|input| writeln!(input, "go {count}").and_then(|()| input.flush()));
        if !matches!(asked, Some(Ok(()))) {
            return Err(self.last_words());
        }
        let line = self.line()?;
        let found: Vec<f64> = serde_json::from_str(&line)
            .map_err(|error| format!("expected a JSON array of numbers, the worker said `{line}`: {error}"))?;
        if found.len() == count && found.iter().all(|&number| number > 0.0) {
            Ok(found)
        } else {
            Err(format!("expected {count} numbers over 0, the worker said `{line}`"))
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(1..) => Ok(line.trim_end().to_string()),
            _ => Err(self.last_words()),
        }
    }

    /// The last line that the worker wrote to standard error, with its exit status: of a Python traceback, the error.
    /// Waits for the worker to end.
    fn last_words(&mut self) -> String {
        self.input = None;
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let errors = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        match errors.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(line) => format!("{} ({status})", line.trim()),
            None => format!("it ended without a word ({status})"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
