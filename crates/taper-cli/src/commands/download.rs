//! `taper download`: downloads a data set or a public collection into the downloads' folder.

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
use taper::data::{Collection, Error, LocateOptions, Origin, Source};
use taper::train::nearest;

/// The arguments of `download`.
#[derive(Args)]
#[command(after_help = catalogue::downloads())]
pub struct Download {
    /// The data set or the collection, one of those below
    #[arg(value_name = "NAME")]
    name: String,
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

    /// The data set of this name.
    ///
    /// # Errors
    /// A name that is neither that of a data set nor, as the caller knows, that of a collection.
    fn source(&self) -> Result<Source, Failure> {
        Source::named(&self.name).map_err(|_| {
            let known: Vec<&str> = Source::names().into_iter().chain(Collection::names().unwrap_or_default()).collect();
            let near = nearest(&self.name, known.iter().copied());
            let failure = Failure::from(Error::UnknownDataset { name: self.name.clone(), known });
            if near.is_empty() { failure } else { failure.hint(format!("did you mean {}?", near.join(" or "))) }
        })
    }

    /// Downloads a data set.
    fn data_set(&self, source: &Source, output: &mut Output) -> Result<(), Failure> {
        let mut download = DownloadProgress::new(self.quiet, output);
        let located = source.locate(&self.locate(), &mut |event| download.event(event, output));
        download.clear();
        let located = located?;
        if located.is_stand_in() {
            return Err(broken(Failure::failed(located.notice().lines().next().unwrap_or_default())));
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
        Ok(())
    }

    /// Downloads a collection.
    fn collection(&self, collection: &Collection, output: &mut Output) -> Result<(), Failure> {
        let options = self.locate();
        let already = if collection.is_there(&options.downloads) { " already" } else { "" };
        let mut download = DownloadProgress::new(self.quiet, output);
        let fetched = collection.fetch(&options, &mut |event| download.event(event, output));
        download.clear();
        let path = fetched.map_err(|error| match error {
            error @ Error::Download(_) => broken(error.into()),
            error => error.into(),
        })?;
        if !self.quiet {
            output.line(&format!("{} is in {}{already}", collection.title, printable(&path.to_string_lossy())));
            output.line(&printable(&collection.cited()));
            // In another folder than that of the downloads it is not found by its name.
            let place = self.dir.as_ref().map(|_| path.as_path());
            output.line(&format!("`{}` learns from it", command(&catalogue::of_collection(collection, place))));
        }
        Ok(())
    }
}

/// `failure` with the hint of a download that did not come to its end.
fn broken(failure: Failure) -> Failure {
    failure.hint(format!(
        "the same command continues where a broken download ended; `{}` uses a copy you have",
        command("train EXPERIMENT --data-dir DIR")
    ))
}

impl Command for Download {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        match Collection::named(&self.name) {
            Ok(collection) => self.collection(collection, output)?,
            Err(_) => self.data_set(&self.source()?, output)?,
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        match Collection::named(&self.name) {
            Ok(collection) => {
                needs.collection(collection, &self.locate());
                Ok(())
            }
            Err(_) => needs.data(self.source()?.name(), &self.locate()),
        }
    }
}
