//! Logs on standard error: the spans of run, epoch and step.

use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::fmt::format::FmtSpan;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of words.
    Text,
    /// A JSON object a line.
    Json,
}

/// Writes logs when asked for by `-v` or by a format: spans as they close, with how long they took; at `-vv` every
/// step's loss too.
pub fn start(verbose: u8, format: Option<LogFormat>) {
    if verbose == 0 && format.is_none() {
        return;
    }
    let level = if verbose < 2 { Level::INFO } else { Level::TRACE };
    let logs = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE);
    // It fails only where there is a subscriber already, and nothing else in this program sets one.
    let _ = match format {
        Some(LogFormat::Json) => logs.json().try_init(),
        _ => logs.try_init(),
    };
}
