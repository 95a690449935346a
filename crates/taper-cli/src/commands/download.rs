//! `taper download`: downloads a data set into the downloads' folder.

use crate::catalogue;
use crate::commands::Command;
use crate::environment::{command, downloads};
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use crate::progress::DownloadProgress;
use clap::Args;
use std::path::PathBuf;
use taper::backend::printable;
use taper::data::{LocateOptions, Origin, Source};
use taper::train::nearest;

/// The arguments of `download`.
#[derive(Args)]
#[command(after_help = catalogue::downloads())]
pub struct Download {
    /// The data set, one of those below
    #[arg(value_name = "DATASET")]
    dataset: String,
    /// The folder to download into [default: $TAPER_DOWNLOADS, or taper/datasets in the user's cache]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print nothing but errors [default: progress]
    #[arg(long)]
    quiet: bool,
}

impl Download {
    /// Where the data may be: in the folder to download into, and on the network.
    fn locate(&self) -> LocateOptions {
        let downloads = self.dir.clone().unwrap_or_else(downloads);
        LocateOptions { data_dir: None, env: None, downloads, offline: false }
    }
}

impl Command for Download {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let source = Source::named(&self.dataset).map_err(|error| {
            let near = nearest(&self.dataset, Source::names());
            let failure = Failure::from(error);
            if near.is_empty() { failure } else { failure.hint(format!("did you mean {}?", near.join(" or "))) }
        })?;
        let options = self.locate();
        let mut download = DownloadProgress::new(self.quiet, output);
        let located = source.locate(&options, &mut |event| download.event(event, output));
        download.clear();
        let located = located?;
        if located.is_stand_in() {
            return Err(Failure::failed(located.notice().lines().next().unwrap_or_default()).hint(format!(
                "the same command continues where a broken download ended; `{}` uses a copy you have",
                command("train EXPERIMENT --data-dir DIR")
            )));
        }
        // A data set counts as found if one of its files is there. An earlier download may lack others or be truncated, so
        // that all of it is loaded once.
        if located.origin() == Origin::Downloads {
            located.load()?;
        }
        if !self.quiet {
            let place = located.path().map(|path| printable(&path.to_string_lossy()).into_owned()).unwrap_or_default();
            let title = located.description();
            output.line(&match located.origin() {
                Origin::Embedded => format!("{title} is part of the program: nothing to download"),
                Origin::Network => format!("{title} is in {place}"),
                _ => format!("{title} is in {place} already"),
            });
            if matches!(located.origin(), Origin::Network | Origin::Embedded) {
                output.line(&printable(&located.citation()));
            }
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.data(&self.dataset, &self.locate())
    }
}
