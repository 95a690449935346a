//! `taper fetch`: downloads the published weights of a model into the downloads' folder.

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
use taper::data::{Error, LocateOptions, PublishedWeights};
use taper::train::{nearest, shell_quoted};

/// The arguments of `fetch`.
#[derive(Args)]
#[command(after_help = catalogue::published())]
pub struct Fetch {
    /// The model, one of those below
    #[arg(value_name = "MODEL")]
    model: String,
    /// The folder to download into [default: $TAPER_DOWNLOADS, or taper/datasets in the user's cache]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print nothing but errors [default: progress]
    #[arg(long)]
    quiet: bool,
}

impl Fetch {
    fn weights(&self) -> Result<&'static PublishedWeights, Failure> {
        PublishedWeights::named(&self.model).map_err(|error| {
            let near = nearest(&self.model, PublishedWeights::names().unwrap_or_default());
            let failure = Failure::usage(error.to_string());
            if near.is_empty() { failure } else { failure.hint(format!("did you mean {}?", near.join(" or "))) }
        })
    }

    fn downloads(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(downloads)
    }
}

impl Command for Fetch {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let weights = self.weights()?;
        let options = LocateOptions { downloads: self.downloads(), ..LocateOptions::default() };
        let there = weights.is_there(&options.downloads);
        let mut download = DownloadProgress::new(self.quiet, output);
        let fetched = weights.fetch(&options, &mut |event| download.event(event, output));
        download.clear();
        let paths = fetched.map_err(|error| match error {
            error @ Error::Download(_) => Failure::from(error)
                .hint("the same command continues where a broken download ended; `--init FILE` takes a file you have"),
            error => error.into(),
        })?;
        if !self.quiet {
            let already = if there { " already" } else { "" };
            let place = paths.first().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
            output.line(&format!("{}: in {}{already}", weights.title, printable(&place)));
            output.line(&format!("From {}; {}", weights.source, weights.terms));
            output.line(&format!(
                "`{}` begins with them",
                command(&format!("train EXPERIMENT --init {}", shell_quoted(&place)))
            ));
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        if !self.weights()?.is_there(&self.downloads()) {
            needs.feature("download");
        }
        Ok(())
    }
}
