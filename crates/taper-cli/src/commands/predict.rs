//! `taper predict`: predictions of a saved run for new samples, without the data that it was trained on.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::{FAILED, Failure};
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use taper::DeviceOptions;
use taper::backend::printable;
use taper::tasks::{ClassScore, Inputs, Prediction, Run, Spec};
use taper::train::RunFolder;

/// Where samples are read from standard input.
const STANDARD_INPUT: &str = "-";

/// The arguments of `predict`.
#[derive(Args)]
pub struct Predict {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Pictures, folders of pictures, or tables (CSV, Parquet), as the run was trained on; - for standard input
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
        let run = Run::load(&self.run, &device)?;
        let (mut found, mut failed) = (Vec::new(), 0);
        for file in self.all_files(&run)? {
            match self.of_file(&run, &file) {
                Ok(some) => found.extend(some),
                // The others are worth having.
                Err(failure) if self.files.len() > 1 || file != self.files[0] => {
                    // If standard error is closed, the message is lost.
                    let _ = writeln!(std::io::stderr(), "error: {}", failure.message());
                    failed += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
        output.line(&if self.json { json(&found, self.top) } else { table(&found, self.top, run.spec()) });
        if failed > 0 {
            let _ = writeln!(std::io::stderr(), "error: {failed} of the files could not be read");
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
            _ => {}
        }
        Ok(())
    }
}

impl Predict {
    /// The files, of a folder those in it, by name.
    fn all_files(&self, run: &Run) -> Result<Vec<PathBuf>, Failure> {
        let mut all = Vec::new();
        for file in &self.files {
            if !file.is_dir() || matches!(run.spec().inputs(), Inputs::Table { .. }) {
                all.push(file.clone());
                continue;
            }
            let wrong = |error| Failure::failed(format!("cannot read {}: {error}", printable(&file.to_string_lossy())));
            let mut inside = Vec::new();
            for entry in std::fs::read_dir(file).map_err(wrong)? {
                let path = entry.map_err(wrong)?.path();
                let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                if path.is_file() && !hidden {
                    inside.push(path);
                }
            }
            if inside.is_empty() {
                let text = format!("{}: no file in this folder", printable(&file.to_string_lossy()));
                return Err(Failure::failed(text));
            }
            inside.sort();
            all.extend(inside);
        }
        Ok(all)
    }

    /// The samples of one file.
    fn of_file(&self, run: &Run, file: &Path) -> Result<Vec<Found>, Failure> {
        let name = file.to_string_lossy().into_owned();
        match run.spec().inputs() {
            Inputs::Pictures { .. } => Ok(vec![Found { prediction: picture(run, file)?, input: name }]),
            Inputs::Table { .. } => {
                let row = |(i, prediction)| Found { input: format!("{name}:{}", i + 1), prediction };
                Ok(rows(run, file)?.into_iter().enumerate().map(row).collect())
            }
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
fn picture(run: &Run, file: &Path) -> Result<Prediction, Failure> {
    if file == Path::new(STANDARD_INPUT) {
        return Ok(run.picture(&standard_input()?, Path::new("standard input"))?);
    }
    let found = run.pictures(&[file])?;
    found.into_iter().next().ok_or_else(|| Failure::failed("the model gave no output"))
}

#[cfg(not(feature = "images"))]
fn picture(_: &Run, _: &Path) -> Result<Prediction, Failure> {
    Err(lacks("images", "pictures"))
}

#[cfg(any(feature = "csv", feature = "parquet"))]
fn rows(run: &Run, file: &Path) -> Result<Vec<Prediction>, Failure> {
    use taper::data::{CsvOptions, TableSource};
    let source = if file == Path::new(STANDARD_INPUT) {
        TableSource::from_bytes(standard_input()?, "standard input", CsvOptions::default())?
    } else {
        TableSource::open(file, CsvOptions::default())?
    };
    Ok(run.rows(source)?)
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

/// A JSON string; what a terminal interprets is escaped (RFC 8259, section 7).
fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            char if printable(char.encode_utf8(&mut [0; 4])) != *char.to_string() => {
                char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| quoted += &format!("\\u{unit:04x}"));
            }
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

/// A JSON number; JSON has no NaN and no infinity.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { "null".into() }
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
