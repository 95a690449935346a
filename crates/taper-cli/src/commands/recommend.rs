//! `taper recommend`: titles for a user, by a saved run.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::json::{number, text};
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::PathBuf;
use taper::DeviceOptions;
use taper::backend::printable;
use taper::tasks::{Recommendation, Recommender};
use taper::train::RunFolder;

/// The arguments of `recommend`.
#[derive(Args)]
pub struct Recommend {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The user, as in the ratings
    #[arg(long, value_name = "U")]
    user: String,
    /// Score this item alone, as it is called in the ratings [default: those that the user has not rated, the best first]
    #[arg(long, value_name = "I")]
    item: Option<String>,
    /// Show so many titles
    #[arg(long, value_name = "K", default_value_t = 10)]
    top: usize,
    /// Print JSON: a list with an object for each title
    #[arg(long)]
    json: bool,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Recommend {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        if self.top == 0 {
            return Err(Failure::usage("--top: expected an integer, 1 or more, found 0"));
        }
        let device = named_device(&self.device, DeviceOptions::default())?;
        let recommender = Recommender::load(&self.run, &device)?;
        let found = match &self.item {
            Some(item) => vec![recommender.score(&self.user, item)?],
            None => recommender.recommend(&self.user, self.top)?,
        };
        output.line(&if self.json { json(&found) } else { table(&found) });
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        RunFolder::open(&self.run)?.read_spec()?;
        Ok(())
    }
}

/// A line for each title: its score, its name in the ratings, the title.
fn table(found: &[Recommendation]) -> String {
    let width = found.iter().map(|one| printable(&one.item).chars().count()).max().unwrap_or(0);
    let line = |one: &Recommendation| {
        format!("{:>7.3}  {:<width$}  {}", one.score, printable(&one.item), printable(&one.title))
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// `[{"item": "912", "title": "Casablanca (1942)", "score": 4.61}]`.
fn json(found: &[Recommendation]) -> String {
    let object = |one: &Recommendation| {
        let (item, title, score) = (text(&one.item), text(&one.title), number(one.score));
        format!("  {{\"item\": {item}, \"title\": {title}, \"score\": {score}}}")
    };
    format!("[\n{}\n]", found.iter().map(object).collect::<Vec<_>>().join(",\n"))
}
