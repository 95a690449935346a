//! Predictions of a run of `text-classes`: the class of each text, and the words that decided.

use super::{Predict, STANDARD_INPUT, standard_input};
use crate::failure::{FAILED, Failure};
use crate::json::{number, text};
use crate::output::Output;
use std::io::Write;
use std::path::Path;
use taper::backend::printable;
use taper::nn::Device;
use taper::tasks::{ClassifiedText, TextClassifier};
use taper::train::RunFolder;

/// Words that are named of each text.
const WORDS: usize = 5;

/// Whether the run in the folder `run` is one of texts.
pub(super) fn are_taken(run: &Path) -> Result<bool, Failure> {
    Ok(RunFolder::open(run)?.read_spec()?["task"] == "text-classes")
}

/// Whether a file is a table, by its name.
pub(super) fn is_table(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "csv" || extension == "parquet")
}

/// Predicts the texts of all files: of a table those of its column, of another file all that is in it as one text, and of
/// standard input each line.
pub(super) fn run(command: &Predict, device: &Device, output: &mut Output) -> Result<u8, Failure> {
    let run = TextClassifier::load(&command.run, device)?;
    let files = command.all_files(false)?;
    let (mut found, mut failed) = (Vec::new(), 0);
    for file in &files {
        match of_file(&run, file) {
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
    output.line(&if command.json { json(&found, command.top) } else { table(&found, command.top) });
    if failed > 0 {
        let _ = writeln!(std::io::stderr(), "error: {failed} of {} files could not be predicted", files.len());
        return Ok(FAILED);
    }
    Ok(0)
}

/// A text by its name, with what was found of it.
type Found = (String, ClassifiedText);

fn of_file(run: &TextClassifier, file: &Path) -> Result<Vec<Found>, Failure> {
    let name = file.to_string_lossy().into_owned();
    let each = |texts: Vec<String>| -> Result<Vec<Found>, Failure> {
        let found = run.classify(&texts, WORDS)?.into_iter().enumerate();
        Ok(found.map(|(i, found)| (format!("{name}:{}", i + 1), found)).collect())
    };
    if file == Path::new(STANDARD_INPUT) {
        let wrong = |_| Failure::failed("standard input: expected texts in UTF-8, one a line");
        let all = String::from_utf8(standard_input()?).map_err(wrong)?;
        let lines: Vec<String> = all.lines().filter(|line| !line.trim().is_empty()).map(String::from).collect();
        return match lines.is_empty() {
            true => Err(Failure::failed("standard input: it is empty; expected texts, one a line")),
            false => each(lines),
        };
    }
    if is_table(file) {
        return each(of_table(file, run.column())?);
    }
    let all = taper::data::TextSource::open(file)?.train;
    Ok(run.classify(&[all], WORDS)?.into_iter().map(|found| (name.clone(), found)).collect())
}

#[cfg(any(feature = "csv", feature = "parquet"))]
fn of_table(file: &Path, column: &str) -> Result<Vec<String>, Failure> {
    Ok(taper::data::LabelledTexts::open(file, column, None)?.texts)
}

#[cfg(not(any(feature = "csv", feature = "parquet")))]
fn of_table(_: &Path, _: &str) -> Result<Vec<String>, Failure> {
    Err(Failure::failed("this build reads no tables: it lacks the feature `csv`"))
}

/// A line for each text: its name, the classes with their probabilities, and the words that decided for the first.
fn table(found: &[Found], top: usize) -> String {
    let width = found.iter().map(|(name, _)| printable(name).chars().count()).max().unwrap_or(0);
    let line = |(name, found): &Found| {
        let classes = found.classes.iter().take(top);
        let classes =
            classes.map(|one| format!("{} {:.2}%", printable(&one.class), 100.0 * one.probability)).collect::<Vec<_>>();
        let words: Vec<String> = found.words.iter().map(|(word, _)| printable(word).into_owned()).collect();
        let by = if words.is_empty() { "no word that it knows".into() } else { words.join(" · ") };
        format!("{:<width$}  {}  ({by})", printable(name), classes.join("  "))
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// `[{"input": "a.txt", "classes": [{"class": "spam", "probability": 0.93}], "words": [{"word": "prize", "share": 1.2}]}]`.
fn json(found: &[Found], top: usize) -> String {
    let object = |(name, found): &Found| {
        let classes =
            found.classes.iter().take(top).map(|one| {
                format!("{{\"class\": {}, \"probability\": {}}}", text(&one.class), number(one.probability))
            });
        let words = found
            .words
            .iter()
            .map(|(word, share)| format!("{{\"word\": {}, \"share\": {}}}", text(word), number(*share)));
        let [classes, words] =
            [classes.collect::<Vec<_>>(), words.collect::<Vec<_>>()].map(|objects| objects.join(", "));
        format!("  {{\"input\": {}, \"classes\": [{classes}], \"words\": [{words}]}}", text(name))
    };
    format!("[\n{}\n]", found.iter().map(object).collect::<Vec<_>>().join(",\n"))
}
