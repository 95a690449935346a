//! `taper detect`: boxes around the things in pictures, by a run of the experiment `detect`.

use crate::commands::Command;
use crate::commands::segment::outputs;
use crate::device::named_device;
use crate::failure::{FAILED, Failure};
use crate::json::{number, text};
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use taper::DeviceOptions;
use taper::backend::printable;
use taper::models::DetectionOptions;
use taper::tasks::{Found, ThingFinder};
use taper::train::RunFolder;

/// The arguments of `detect`.
#[derive(Args)]
pub struct Detect {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Pictures: PNG, JPEG or WebP
    #[arg(value_name = "PICTURE", required = true)]
    pictures: Vec<PathBuf>,
    /// Leave out what has a score of this or less, 0 to 1
    #[arg(long, value_name = "SCORE", default_value_t = 0.4)]
    score: f64,
    /// Keep boxes of other classes over a surer one too, as the average precision has them
    #[arg(long)]
    doubles: bool,
    /// Write the pictures with the boxes on them into this folder, as PNG
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON: a list with an object for each picture
    #[arg(long)]
    json: bool,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Detect {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        if !(0.0..=1.0).contains(&self.score) {
            return Err(Failure::usage(format!("--score: expected a number from 0 to 1, found {}", self.score)));
        }
        let files = outputs(&self.pictures, self.out.as_deref())?;
        let device = named_device(&self.device, DeviceOptions::default())?;
        let run = ThingFinder::load(&self.run, &device)?;
        if let Some(out) = &self.out {
            let wrong = |error| Failure::failed(format!("cannot create the folder {}: {error}", shown(out)));
            std::fs::create_dir_all(out).map_err(wrong)?;
        }
        let options = DetectionOptions { score: self.score, across_classes: !self.doubles, ..Default::default() };
        let (mut objects, mut failed) = (Vec::new(), 0);
        for (path, file) in self.pictures.iter().zip(files) {
            let result = found(&run, path, &options);
            match result.and_then(|found| drawn(&run, &found, path, file.as_deref()).map(|()| found)) {
                Ok(found) if self.json => objects.push(json(&run, path, &found)),
                Ok(found) => output.line(&lines(&run, path, &found)),
                // The others are worth having.
                Err(failure) if self.pictures.len() > 1 => {
                    // If standard error is closed, the message is lost.
                    let _ = writeln!(std::io::stderr(), "error: {}", failure.message());
                    failed += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
        if self.json {
            output.line(&format!("[{}]", objects.join(",\n ")));
        }
        if failed > 0 {
            let all = self.pictures.len();
            let _ = writeln!(std::io::stderr(), "error: in {failed} of {all} pictures nothing could be looked for");
            return Ok(FAILED);
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        RunFolder::open(&self.run)?;
        needs.device(&self.device);
        needs.feature("images");
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

fn class(run: &ThingFinder, class: usize) -> &str {
    run.classes().get(class).map_or("?", String::as_str)
}

/// A line for each thing: the picture, the class with its score, and the box, x, y, width and height in pixels.
fn lines(run: &ThingFinder, path: &Path, found: &Found) -> String {
    let one = |thing: &taper::models::Detection| {
        let [x1, y1, x2, y2] = thing.bounds;
        let (name, score) = (printable(class(run, thing.class)).into_owned(), 100.0 * thing.score);
        format!("{}  {name} {score:.1}%  {x1:.1} {y1:.1} {:.1} {:.1}", shown(path), x2 - x1, y2 - y1)
    };
    match found.things.is_empty() {
        true => format!("{}  nothing", shown(path)),
        false => found.things.iter().map(one).collect::<Vec<_>>().join("\n"),
    }
}

fn json(run: &ThingFinder, path: &Path, found: &Found) -> String {
    let one = |thing: &taper::models::Detection| {
        let [x1, y1, x2, y2] = thing.bounds;
        let numbers = [x1, y1, x2 - x1, y2 - y1].map(number).join(", ");
        let (name, score) = (text(class(run, thing.class)), number(thing.score));
        format!("{{\"class\": {name}, \"score\": {score}, \"bbox\": [{numbers}]}}")
    };
    let things = found.things.iter().map(one).collect::<Vec<_>>().join(", ");
    format!("{{\"input\": {}, \"things\": [{things}]}}", text(&path.to_string_lossy()))
}

#[cfg(feature = "images")]
fn found(run: &ThingFinder, path: &Path, options: &DetectionOptions) -> Result<Found, Failure> {
    Ok(run.picture(path, options)?)
}

/// Writes the picture with its boxes.
#[cfg(feature = "images")]
fn drawn(run: &ThingFinder, found: &Found, path: &Path, file: Option<&Path>) -> Result<(), Failure> {
    use taper::report::Picture;
    let Some(file) = file else { return Ok(()) };
    let wrong = |error| Failure::failed(format!("cannot read {}: {error}", shown(path)));
    let bytes = std::fs::read(path).map_err(wrong)?;
    // As large as it is, but for what no screen shows.
    let size = found.size.map(|side| side.clamp(1, 4096));
    let (planes, own) = taper::data::stretch_picture(&bytes, path, size)?;
    let scale = [size[1] as f64 / own[1] as f64, size[0] as f64 / own[0] as f64];
    let picture = Picture::new([3, size[0], size[1]], planes).map_err(|error| Failure::failed(error.to_string()))?;
    // Of a small picture pixels are enlarged, so that names can be read.
    let times = (400 / size[0].max(size[1])).clamp(1, 4);
    let boxes = found.things.iter().map(|thing| {
        let [x1, y1, x2, y2] = thing.bounds;
        let [across, down] = scale.map(|scale| scale * times as f64);
        let name = format!("{} {:.0}%", class(run, thing.class), 100.0 * thing.score);
        ([x1 * across, y1 * down, x2 * across, y2 * down], thing.class + 1, name)
    });
    let png = picture.enlarged(times).boxed(&boxes.collect::<Vec<_>>()).png();
    Ok(taper::data::atomic_write(file, &png)?)
}

#[cfg(not(feature = "images"))]
fn found(_: &ThingFinder, _: &Path, _: &DetectionOptions) -> Result<Found, Failure> {
    Err(Failure::failed("this build reads no pictures: it lacks the feature `images`"))
}

#[cfg(not(feature = "images"))]
fn drawn(_: &ThingFinder, _: &Found, _: &Path, _: Option<&Path>) -> Result<(), Failure> {
    Ok(())
}
