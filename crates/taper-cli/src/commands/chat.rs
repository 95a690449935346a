//! `taper chat`: a conversation with a saved run, line by line.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::Failure;
use crate::needs::Needs;
use crate::output::Output;
use crate::sampling::{SamplingArgs, flagged};
use clap::Args;
use std::io::{BufRead, IsTerminal, stdin};
use std::path::PathBuf;
use taper::DeviceOptions;
use taper::tasks::Chat as Conversation;

/// The arguments of `chat`.
#[derive(Args)]
pub struct Chat {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// The device to compute on: cpu, candle, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: String,
}

impl Command for Chat {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let device = named_device(&self.device, DeviceOptions::default())?;
        let sampling = self.sampling.sampling("chat")?;
        let mut conversation = Conversation::load(&self.run, &device)?;
        let terminal = stdin().is_terminal();
        if terminal {
            let remembered = conversation.remembered();
            output.line(&format!(
                "Say something; Ctrl-D ends it. The last turns, {remembered} characters together, are remembered."
            ));
        }
        let mut lines = stdin().lock();
        for number in 1.. {
            if terminal {
                output.part("> ");
            }
            let mut line = Vec::new();
            let read = lines.read_until(b'\n', &mut line);
            if read.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))? == 0 {
                break;
            }
            let Ok(said) = String::from_utf8(line) else {
                return Err(Failure::failed(format!("standard input, line {number}: expected text in UTF-8")));
            };
            let said = said.trim();
            let lacking = conversation.vocabulary().lacking(said);
            if !lacking.is_empty() {
                let named = lacking.iter().map(|char| format!("{char:?}")).collect::<Vec<_>>().join(", ");
                output.line(&format!("(left out, since the model has never read it: {named})"));
            }
            if said.chars().all(|char| lacking.contains(&char)) {
                continue; // nothing is left of it
            }
            output.line(&conversation.reply(said, &sampling).map_err(flagged)?);
        }
        if terminal {
            output.line("");
        }
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.device(&self.device);
        Ok(())
    }
}
