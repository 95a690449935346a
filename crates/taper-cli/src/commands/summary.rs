//! `taper summary`: the layers of a model, or of a run's model.

use crate::amounts::{grouped, short};
use crate::commands::Command;
use crate::environment::command;
use crate::failure::Failure;
use crate::json::text;
use crate::output::Output;
use crate::screen::{columns, table};
use clap::Args;
use std::path::Path;
use taper::backend::{Shape, printable};
use taper::config::{Named, Override};
use taper::models::{InputSpec, Kind, LayerSummary, model, models, summary};
use taper::tasks::run_summary;

/// The arguments of `summary`.
#[derive(Args)]
pub struct Summary {
    /// A model's name, or the folder of a run
    #[arg(value_name = "MODEL|RUN")]
    of: String,
    /// Set a key of the model; may be repeated [default: none]
    #[arg(long, value_name = "model.KEY=VALUE")]
    set: Vec<String>,
    /// The input: channels, height and width [default: as the model is listed]
    #[arg(long, value_name = "CxHxW")]
    input: Option<String>,
    /// The number of classes [default: as the model is listed]
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// Show blocks of so many parts of a name, with all that is inside them [default: every layer]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Print JSON: an object [default: a table]
    #[arg(long)]
    json: bool,
}

impl Command for Summary {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let found = self.summary()?;
        let found = self.depth.map_or_else(|| found.clone(), |depth| found.folded(depth));
        output.line(&if self.json { json(&found) } else { listing(&found) });
        Ok(0)
    }
}

impl Summary {
    fn summary(&self) -> Result<taper::models::Summary, Failure> {
        let usage = |error: taper::Error| Failure::usage(error.to_string());
        if !models().iter().any(|info| info.name == self.of) && Path::new(&self.of).is_dir() {
            if !self.set.is_empty() || self.input.is_some() || self.classes.is_some() {
                let text = "--set, --input and --classes are of a model: a run has its own";
                return Err(Failure::usage(text));
            }
            return Ok(run_summary(&self.of)?);
        }
        let info = model(&self.of).map_err(|error| {
            let hint = format!("`{}` lists them; there is no folder of a run of that name either", command("models"));
            usage(error).hint(hint)
        })?;
        let mut named = Named::new(info.name);
        for change in &self.set {
            let change = Override::parse(change)?;
            let Some(key) = change.key().strip_prefix("model.") else {
                let text = format!("--set {}: expected a key of the model, model.KEY", printable(change.key()));
                return Err(Failure::usage(text));
            };
            named.set(key, change.value().clone());
        }
        let input = match (info.kind, self.input.is_some() || self.classes.is_some()) {
            (_, false) => None,
            (Kind::Pictures { input, .. }, true) => Some(self.input(input)?),
            (Kind::Sampled { .. }, true) => {
                let text = format!("--input and --classes: {} takes no pictures; its sizes are keys", info.name);
                return Err(Failure::usage(text).hint(format!("`{}`", command(&format!("summary {}", info.name)))));
            }
        };
        summary(named, input).map_err(usage)
    }

    /// The sizes `listed` with those that were given.
    fn input(&self, listed: InputSpec) -> Result<InputSpec, Failure> {
        let classes = self.classes.unwrap_or(listed.classes);
        let Some(given) = &self.input else { return Ok(InputSpec { classes, ..listed }) };
        let sizes: Option<Vec<usize>> = given.split('x').map(|size| size.parse().ok()).collect();
        let shape = sizes.and_then(|sizes| <[usize; 3]>::try_from(sizes).ok());
        let wrong = || {
            let found = printable(given);
            Failure::usage(format!("--input: expected channels, height and width, such as 3x224x224, found {found}"))
        };
        Ok(InputSpec { shape: shape.ok_or_else(wrong)?, classes })
    }
}

/// `64x112x112`; of a scalar nothing.
fn sizes(shape: &Shape) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

fn listing(found: &taper::models::Summary) -> String {
    const NONE: &str = "-";
    let (parameters, flop) = (found.parameters(), found.flop());
    let head = ["layer", "output", "parameters", "FLOP", "share"].map(String::from).to_vec();
    let share = |of: u64| 100.0 * of as f64 / flop.max(1) as f64;
    // A block that does nothing beside its layers has no line.
    let counts = |layer: &&LayerSummary| layer.parameters > 0 || layer.flop > 0;
    let row = |layer: &LayerSummary| {
        let name = if layer.path.is_empty() { "(the model)" } else { &layer.path };
        let number = |some: bool, text: String| if some { text } else { NONE.into() };
        vec![
            if layer.runs > 1 { format!("{name} ×{}", layer.runs) } else { name.into() },
            layer.output.as_ref().map_or_else(|| NONE.into(), sizes),
            number(layer.parameters > 0, grouped(layer.parameters)),
            number(layer.flop > 0, short(layer.flop)),
            number(layer.flop > 0, format!("{:.1}%", share(layer.flop))),
        ]
    };
    let rows: Vec<Vec<String>> = [head].into_iter().chain(found.layers.iter().filter(counts).map(row)).collect();
    let outputs: Vec<String> = found.outputs.iter().map(sizes).collect();
    let mut text = table(&rows, 2..5, columns());
    text += &format!(
        "\n\n{} takes {}, gives {}.\n{} parameters, {}B in f32; {} FLOP a sample.",
        found.name,
        found.input,
        outputs.join(", "),
        grouped(parameters),
        short(4 * parameters as u64),
        short(flop)
    );
    if found.layers.iter().any(|layer| layer.output.is_none()) {
        text += "\nLayers without an output did not run: they are there in training alone.";
    }
    text + "\nFLOP: in evaluation; two for a multiply-add of a product, else one an element."
}

fn json(found: &taper::models::Summary) -> String {
    let list = |shape: &Shape| shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let object = |layer: &LayerSummary| {
        let output = layer.output.as_ref().map_or_else(|| "null".into(), |shape| format!("[{}]", list(shape)));
        format!(
            "    {{\"layer\": {}, \"output\": {output}, \"runs\": {}, \"parameters\": {}, \"flop\": {}}}",
            text(&layer.path),
            layer.runs,
            layer.parameters,
            layer.flop
        )
    };
    let outputs: Vec<String> = found.outputs.iter().map(|shape| format!("[{}]", list(shape))).collect();
    format!(
        "{{\n  \"name\": {},\n  \"input\": {},\n  \"outputs\": [{}],\n  \"parameters\": {},\n  \"flop\": {},\n  \"layers\": [\n{}\n  ]\n}}",
        text(&found.name),
        text(&found.input),
        outputs.join(", "),
        found.parameters(),
        found.flop(),
        found.layers.iter().map(object).collect::<Vec<_>>().join(",\n")
    )
}
