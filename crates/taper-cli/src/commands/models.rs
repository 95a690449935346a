//! `taper models`: lists the models of the zoo.

use crate::amounts::{grouped, short};
use crate::commands::Command;
use crate::environment::command;
use crate::failure::Failure;
use crate::json::text;
use crate::output::Output;
use crate::screen::{columns, table};
use clap::Args;
use taper::models::{ModelInfo, Summary, models, summary};

/// The arguments of `models`.
#[derive(Args)]
pub struct Models {
    /// Print JSON: a list of objects [default: a table]
    #[arg(long)]
    json: bool,
}

impl Command for Models {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let mut all = Vec::new();
        for info in models() {
            // Of the keys' defaults and the sizes that it is listed with.
            all.push((info, summary(info.name, None).map_err(|error| Failure::from(error).hint(info.name))?));
        }
        output.line(&if self.json { json(&all) } else { listing(&all) });
        Ok(0)
    }
}

fn listing(all: &[(&ModelInfo, Summary)]) -> String {
    let head = ["model", "parameters", "FLOP", "input", "source"].map(String::from).to_vec();
    let row = |(info, summary): &(&ModelInfo, Summary)| {
        vec![
            info.name.into(),
            grouped(summary.parameters()),
            short(summary.flop()),
            summary.input.clone(),
            info.source.into(),
        ]
    };
    let rows: Vec<Vec<String>> = [head].into_iter().chain(all.iter().map(row)).collect();
    format!(
        "{}\n\nFLOP: of one sample in evaluation, two for each multiply-add.\n`{}` shows a model's layers,\n`{}` trains one of pictures.",
        table(&rows, 1..3, columns()),
        command("summary MODEL"),
        command("train EXPERIMENT --model MODEL"),
    )
}

fn json(all: &[(&ModelInfo, Summary)]) -> String {
    let object = |(info, summary): &(&ModelInfo, Summary)| {
        format!(
            "  {{\"name\": {}, \"summary\": {}, \"source\": {}, \"input\": {}, \"parameters\": {}, \"flop\": {}}}",
            text(info.name),
            text(info.summary),
            text(info.source),
            text(&summary.input),
            summary.parameters(),
            summary.flop()
        )
    };
    format!("[\n{}\n]", all.iter().map(object).collect::<Vec<_>>().join(",\n"))
}
