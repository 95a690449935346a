//! Logs on standard error: the `tracing` spans of run, epoch and step.

use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::fmt::format::FmtSpan;

/// The format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text per event.
    Text,
    /// One JSON object per line.
    Json,
}

/// Turns logs on if `-v` or a format was given. Spans are logged as they close, with their duration; with `-vv` the
/// loss of every step too.
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
    // This fails only if a subscriber is set already, and nothing else in this program sets one.
    let _ = match format {
        Some(LogFormat::Json) => logs.json().try_init(),
        _ => logs.try_init(),
    };
}
