//! `taper download`: downloads a data set into the downloads' folder.

use crate::args::DownloadArgs;
use crate::commands::downloads;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::DownloadProgress;
use taper::backend::printable;
use taper::data::{LocateOptions, Origin, Source};
use taper::train::nearest;

pub fn run(args: &DownloadArgs, logs: bool, output: &mut Output) -> Result<u8, Failure> {
    let source = Source::named(&args.dataset).map_err(|error| {
        let near = nearest(&args.dataset, Source::names());
        let failure = Failure::from(error);
        if near.is_empty() { failure } else { failure.hint(format!("did you mean {}?", near.join(" or "))) }
    })?;
    let options = LocateOptions {
        data_dir: None,
        env: None,
        downloads: args.dir.clone().unwrap_or_else(downloads),
        offline: false,
    };
    let mut download = DownloadProgress::new(args.quiet, logs);
    let located = source.locate(&options, &mut |event| download.event(event, output));
    download.clear();
    let located = located?;
    if located.is_stand_in() {
        return Err(Failure::failed(located.notice().lines().next().unwrap_or_default())
            .hint("the same command continues where a broken download ended; --data-dir uses a copy you have"));
    }
    // A data set counts as found if one of its files is there. An earlier download may lack others or be truncated, so
    // that all of it is loaded once.
    if located.origin() == Origin::Downloads {
        located.load()?;
    }
    if !args.quiet {
        let place = located.path().map(|path| printable(&path.to_string_lossy()).into_owned()).unwrap_or_default();
        output.line(&match located.origin() {
            Origin::Embedded => format!("{} is part of the program: nothing to download", located.description()),
            Origin::Network => format!("{} is in {place}", located.description()),
            _ => format!("{} is in {place} already", located.description()),
        });
    }
    Ok(0)
}
