//! Logs on standard error: the `tracing` spans of run, epoch and step.

use clap::builder::EnumValueParser;
use clap::{ArgAction, Args, ValueEnum};
use tracing::Level;
use tracing_subscriber::fmt::format::FmtSpan;

/// The flags that turn logs on. They may stand before the command or after it.
#[derive(Args, Default, Clone)]
pub struct LogArgs {
    /// Log the spans of run, epoch and step to standard error; -vv every loss too [default: no logs]
    #[arg(short, long, action = ArgAction::Count, display_order = 900)]
    verbose: u8,
    /// How logs are written; turns them on [default: text]
    #[arg(long, value_name = "text|json", hide_possible_values = true, display_order = 901)]
    #[arg(value_parser = EnumValueParser::<LogFormat>::new())]
    log_format: Option<LogFormat>,
}

/// The format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text per event.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogArgs {
    /// These flags, and those of `other`, which were given in another place.
    pub fn and(&self, other: &Self) -> Self {
        let verbose = self.verbose.saturating_add(other.verbose);
        Self { verbose, log_format: other.log_format.or(self.log_format) }
    }

    /// Whether logs are written.
    pub fn on(&self) -> bool {
        self.verbose > 0 || self.log_format.is_some()
    }

    /// Turns logs on if a flag asks for them. Spans are logged as they close, with their duration; with `-vv` the loss
    /// of every step too.
    pub fn start(&self) {
        if !self.on() {
            return;
        }
        let level = if self.verbose < 2 { Level::INFO } else { Level::TRACE };
        let logs = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_max_level(level)
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE);
        // This fails only if a subscriber is set already, and nothing else in this program sets one.
        let _ = match self.log_format {
            Some(LogFormat::Json) => logs.json().try_init(),
            _ => logs.try_init(),
        };
    }
}
