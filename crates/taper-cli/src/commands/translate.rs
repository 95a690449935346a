//! `taper translate`: texts written in the other way of a saved run of `translate`.

use crate::commands::Command;
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::path::PathBuf;
use taper::train::RunFolder;

/// The arguments of `translate`.
#[derive(Args)]
pub struct Translate {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The texts, after -- if one begins with a hyphen; without any, those of standard input, one a line
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    /// Go on with the K likeliest beginnings at a time; 1 takes the likeliest token each time
    #[arg(long, value_name = "K", default_value_t = 4, allow_negative_numbers = true)]
    beam: usize,
    /// By what length texts of a beam are compared: 0 by their probability, 1 nearly by that of a token
    #[arg(long, value_name = "ALPHA", default_value_t = 0.6, allow_negative_numbers = true)]
    length_penalty: f64,
    /// Print JSON: a list with an object for each text
    #[arg(long)]
    json: bool,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Translate {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        run(self, output)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        RunFolder::open(&self.run)?.read_spec()?;
        needs.feature("bpe");
        Ok(())
    }
}

#[cfg(not(feature = "bpe"))]
fn run(command: &Translate, _: &mut Output) -> Result<u8, Failure> {
    let _ = (&command.texts, command.beam, command.length_penalty, command.json);
    Err(Failure::failed("this build translates no texts: it lacks the feature `bpe`"))
}

#[cfg(feature = "bpe")]
fn run(command: &Translate, output: &mut Output) -> Result<u8, Failure> {
    use crate::device::named_device;
    use crate::json::{number, text};
    use std::io::Read;
    use taper::DeviceOptions;
    use taper::backend::printable;
    use taper::tasks::{Beam, Translator};

    let beam = Beam { width: command.beam, length_penalty: command.length_penalty };
    // The failure of a setting, named as its flag.
    let flagged = |error: taper::train::Error| {
        let text = error.to_string();
        match ["beam: ", "length-penalty: "].iter().any(|name| text.starts_with(name)) {
            true => Failure::usage(format!("--{text}")),
            false => error.into(),
        }
    };
    beam.check().map_err(flagged)?;
    let device = named_device(&command.device, DeviceOptions::default())?;
    let run = Translator::load(&command.run, &device)?;
    let mut texts = command.texts.clone();
    if texts.is_empty() {
        let mut all = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut all);
        read.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
        let wrong = |_| Failure::failed("standard input: expected texts in UTF-8, one a line");
        let all = String::from_utf8(all).map_err(wrong)?;
        texts = all.lines().filter(|line| !line.trim().is_empty()).map(String::from).collect();
        if texts.is_empty() {
            return Err(Failure::failed("standard input: it is empty; expected texts, one a line"));
        }
    }
    let mut objects = Vec::new();
    for source in &texts {
        let found = run.translate(source, &beam).map_err(flagged)?;
        if command.json {
            let (source, found, score) = (text(source), text(&found.text), number(found.score));
            objects.push(format!("  {{\"text\": {source}, \"translation\": {found}, \"score\": {score}}}"));
        } else {
            // One after the other, as they come.
            output.line(&printable(&found.text));
        }
    }
    if command.json {
        output.line(&format!("[\n{}\n]", objects.join(",\n")));
    }
    Ok(0)
}
