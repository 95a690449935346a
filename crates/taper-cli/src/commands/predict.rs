//! `taper predict`: predictions of a saved run for new samples, without the data that it was trained on.

mod texts;

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::{FAILED, Failure};
use crate::json::{number, text};
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use taper::DeviceOptions;
use taper::backend::printable;
use taper::tasks::{ClassScore, Inputs, Prediction, Run, Spec};
use taper::train::{RunFolder, shell_quoted};

/// Where samples are read from standard input.
const STANDARD_INPUT: &str = "-";

/// The arguments of `predict`.
#[derive(Args)]
pub struct Predict {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Pictures, texts, folders of them, or tables (CSV, Parquet), as the run was trained on; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Show so many of the most probable classes
    #[arg(long, value_name = "K", default_value_t = 1)]
    top: usize,
    /// Print JSON: a list with an object for each sample
    #[arg(long)]
    json: bool,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

/// A sample with what is predicted of it.
struct Found {
    input: String,
    prediction: Prediction,
}

impl Command for Predict {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        if self.top == 0 {
            return Err(Failure::usage("--top: expected an integer, 1 or more, found 0"));
        }
        let device = named_device(&self.device, DeviceOptions::default())?;
        if texts::are_taken(&self.run)? {
            return texts::run(self, &device, output);
        }
        let run = Run::load(&self.run, &device)?;
        let (mut found, mut failed) = (Vec::new(), 0);
        let files = self.all_files(matches!(run.spec().inputs(), Inputs::Table { .. }))?;
        for some in of_files(&run, &files)? {
            match some {
                Ok(some) => found.extend(some),
                // The others are worth having.
                Err(failure) if files.len() > 1 => {
                    // If standard error is closed, the message is lost.
                    let _ = writeln!(std::io::stderr(), "error: {}", failure.message());
                    failed += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
        output.line(&if self.json { json(&found, self.top) } else { table(&found, self.top, run.spec()) });
        if failed > 0 {
            let _ = writeln!(std::io::stderr(), "error: {failed} of {} files could not be predicted", files.len());
            return Ok(FAILED);
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        let spec = RunFolder::open(&self.run)?.read_spec()?;
        match spec["inputs"]["kind"].as_str() {
            Some("pictures") => needs.feature("images"),
            Some("table") => {
                needs.feature("csv");
                if self.files.iter().any(|file| file.extension().is_some_and(|extension| extension == "parquet")) {
                    needs.feature("parquet");
                }
            }
            _ if spec["task"] == "text-classes" && self.files.iter().any(|file| texts::is_table(file)) => {
                needs.feature("csv");
            }
            _ => {}
        }
        Ok(())
    }
}

impl Predict {
    /// The files, of a folder those in it, by name, unless `whole` says that a folder is opened as one.
    fn all_files(&self, whole: bool) -> Result<Vec<PathBuf>, Failure> {
        let mut all = Vec::new();
        for file in &self.files {
            if !file.is_dir() || whole {
                all.push(file.clone());
                continue;
            }
            let wrong = |error| Failure::failed(format!("cannot read {}: {error}", printable(&file.to_string_lossy())));
            let (mut inside, mut folders) = (Vec::new(), Vec::new());
            for entry in std::fs::read_dir(file).map_err(wrong)? {
                let path = entry.map_err(wrong)?.path();
                let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() && !hidden {
                    inside.push(path);
                }
            }
            if inside.is_empty() {
                let text = format!("{}: no file in this folder", printable(&file.to_string_lossy()));
                let failure = Failure::failed(text);
                return Err(match folders.iter().min() {
                    Some(folder) => {
                        let folder = shell_quoted(&folder.to_string_lossy());
                        failure.hint(format!("folders in it are not looked into: name them, such as {folder}"))
                    }
                    None => failure,
                });
            }
            inside.sort();
            all.extend(inside);
        }
        Ok(all)
    }
}

/// The samples of each file, or why there are none.
///
/// # Errors
/// What concerns all of them.
fn of_files(run: &Run, files: &[PathBuf]) -> Result<Vec<Result<Vec<Found>, Failure>>, Failure> {
    let name = |file: &Path| file.to_string_lossy().into_owned();
    match run.spec().inputs() {
        Inputs::Pictures { .. } => {
            let found = pictures(run, files)?.into_iter().zip(files);
            Ok(found.map(|(found, file)| Ok(vec![Found { prediction: found?, input: name(file) }])).collect())
        }
        Inputs::Table { .. } => {
            let of = |file: &PathBuf| {
                let row = |(i, prediction)| Found { input: format!("{}:{}", name(file), i + 1), prediction };
                Ok(rows(run, file)?.into_iter().enumerate().map(row).collect())
            };
            Ok(files.iter().map(of).collect())
        }
    }
}

/// What standard input holds.
fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
    Ok(bytes)
}

#[cfg(feature = "images")]
fn pictures(run: &Run, files: &[PathBuf]) -> Result<Vec<Result<Prediction, Failure>>, Failure> {
    let mut all = Vec::with_capacity(files.len());
    for files in files.chunk_by(|a, b| (a == Path::new(STANDARD_INPUT)) == (b == Path::new(STANDARD_INPUT))) {
        if files[0] != Path::new(STANDARD_INPUT) {
            all.extend(run.each_picture(files)?.into_iter().map(|found| Ok(found?)));
            continue;
        }
        for _ in files {
            let found = standard_input().and_then(|bytes| Ok(run.picture(&bytes, Path::new("standard input"))?));
            all.push(found);
        }
    }
    Ok(all)
}

#[cfg(not(feature = "images"))]
fn pictures(_: &Run, _: &[PathBuf]) -> Result<Vec<Result<Prediction, Failure>>, Failure> {
    Err(lacks("images", "pictures"))
}

#[cfg(any(feature = "csv", feature = "parquet"))]
fn rows(run: &Run, file: &Path) -> Result<Vec<Prediction>, Failure> {
    use taper::data::{CsvOptions, TableSource};
    let wrong =
        |name: &str| Failure::failed(format!("{}: this run takes rows of a table, not pictures", printable(name)));
    let source = if file == Path::new(STANDARD_INPUT) {
        let bytes = standard_input()?;
        if is_picture(&bytes) {
            return Err(wrong("standard input"));
        }
        TableSource::from_bytes(bytes, "standard input", CsvOptions::default())?
    } else {
        let mut first = Vec::new();
        // An error is told by the reader of tables.
        let _ = std::fs::File::open(file).and_then(|opened| opened.take(MAGIC).read_to_end(&mut first));
        if is_picture(&first) {
            return Err(wrong(&file.to_string_lossy()));
        }
        TableSource::open(file, CsvOptions::default())?
    };
    Ok(run.rows(source)?)
}

/// The number of a file's first bytes that tell a picture.
#[cfg(any(feature = "csv", feature = "parquet"))]
const MAGIC: u64 = 12;

/// Whether a file that begins so is a PNG, JPEG or WebP picture.
#[cfg(any(feature = "csv", feature = "parquet"))]
fn is_picture(first: &[u8]) -> bool {
    let webp = first.starts_with(b"RIFF") && first.get(8..12) == Some(b"WEBP");
    webp || first.starts_with(b"\x89PNG") || first.starts_with(&[0xFF, 0xD8, 0xFF])
}

#[cfg(not(any(feature = "csv", feature = "parquet")))]
fn rows(_: &Run, _: &Path) -> Result<Vec<Prediction>, Failure> {
    Err(lacks("csv", "tables"))
}

#[cfg(not(all(feature = "images", any(feature = "csv", feature = "parquet"))))]
fn lacks(feature: &str, what: &str) -> Failure {
    // If both are missing, one function is used by both.
    let _ = (standard_input as fn() -> Result<Vec<u8>, Failure>, STANDARD_INPUT);
    Failure::failed(format!("this build reads no {what}: it lacks the feature `{feature}`"))
}

/// The `top` most probable classes.
fn classes(prediction: &Prediction, top: usize) -> &[ClassScore] {
    match prediction {
        Prediction::Classes(classes) => &classes[..top.min(classes.len())],
        Prediction::Number(_) => &[],
    }
}

/// A line for each sample: its name and the classes with their probabilities, or the number.
fn table(found: &[Found], top: usize, spec: &Spec) -> String {
    let name = |found: &Found| printable(&found.input).into_owned();
    let width = found.iter().map(|found| name(found).chars().count()).max().unwrap_or(0);
    let line = |found: &Found| {
        let text = match &found.prediction {
            Prediction::Number(value) => match spec {
                Spec::Regress { name, .. } => format!("{} {value}", printable(name)),
                Spec::Classify { .. } => value.to_string(),
            },
            Prediction::Classes(_) => {
                let one = |score: &ClassScore| format!("{} {:.2}%", printable(&score.class), 100.0 * score.probability);
                classes(&found.prediction, top).iter().map(one).collect::<Vec<_>>().join("  ")
            }
        };
        format!("{:<width$}  {text}", name(found))
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// `[{"input": "a.png", "classes": [{"class": "oak", "probability": 0.93}]}]`, or with `"value"` for a number.
fn json(found: &[Found], top: usize) -> String {
    let object = |found: &Found| {
        let input = text(&found.input);
        match &found.prediction {
            Prediction::Number(value) => format!("  {{\"input\": {input}, \"value\": {}}}", number(*value)),
            Prediction::Classes(_) => {
                let one = |score: &ClassScore| {
                    format!("{{\"class\": {}, \"probability\": {}}}", text(&score.class), number(score.probability))
                };
                let all: Vec<String> = classes(&found.prediction, top).iter().map(one).collect();
                format!("  {{\"input\": {input}, \"classes\": [{}]}}", all.join(", "))
            }
        }
    };
    format!("[\n{}\n]", found.iter().map(object).collect::<Vec<_>>().join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(input: &str) -> Found {
        let of = |class: &str, probability| ClassScore { class: class.into(), probability };
        Found { input: input.into(), prediction: Prediction::Classes(vec![of("a\"b", 0.75), of("c", 0.25)]) }
    }

    #[test]
    fn json_is_json() {
        let number = Found { input: "x\u{1b}[2J".into(), prediction: Prediction::Number(-0.5) };
        let read: serde_json::Value = serde_json::from_str(&json(&[found("é"), number], 1)).unwrap();
        assert_eq!(read[0]["input"], "é");
        assert_eq!(read[0]["classes"], serde_json::json!([{"class": "a\"b", "probability": 0.75}]));
        assert_eq!((read[1]["input"].as_str(), read[1]["value"].as_f64()), (Some("x\u{1b}[2J"), Some(-0.5)));
        assert!(!json(&[found("a\u{1b}b")], 2).contains('\u{1b}'));
    }

    #[test]
    fn a_line_a_sample() {
        let spec = Spec::Classify {
            inputs: Inputs::Pictures { shape: [1, 8, 8], normalize: None },
            classes: vec!["a\"b".into(), "c".into()],
        };
        let text = table(&[found("long.png"), found("a")], 2, &spec);
        assert_eq!(text, "long.png  a\"b 75.00%  c 25.00%\na         a\"b 75.00%  c 25.00%");
    }
}
