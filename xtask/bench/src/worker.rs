//! A side's process: it makes its work, prints `ready`, and for every line `go K` on its input makes K iterations and
//! prints their milliseconds, a JSON array on one line; where memory is measured, the MiB by which the process has grown
//! at most, after each. It ends with its input.

use crate::memory::Meter;
use crate::works::{Measured, Work};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Instant;
use taper::Device;

/// Our own side, in this process.
///
/// # Errors
/// When an iteration fails, or the parent says what is not understood.
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

/// A side's process, seen from the parent. Dropping it ends it.
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it writes on standard error, read all the while so that it never waits for us.
    errors: Option<JoinHandle<String>>,
}

impl Worker {
    /// Starts `command` and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started or ends before; with the last line that it said.
    pub fn start(mut command: Command) -> Result<Self, String> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().to_string_lossy()) // not there, mostly
        })?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(output), Some(mut errors)) = (output, errors) else { return Err("no pipe to a worker".into()) };
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What was read before an error is still worth telling.
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut worker = Self { child, input, output: BufReader::new(output), errors: Some(errors) };
        match worker.line()? {
            line if line == "ready" => Ok(worker),
            line => Err(format!("expected `ready`, the worker said `{line}`")),
        }
    }

    /// The milliseconds of `count` iterations, or the MiB after each.
    ///
    /// # Errors
    /// When it ends, or answers with anything but as many positive numbers.
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

    /// The end of what a worker that has ended wrote on standard error: of a Python trace, the error.
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
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
