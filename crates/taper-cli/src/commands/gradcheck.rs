//! `taper gradcheck`: checks the gradient of every operation, layer and loss against central differences, in f64.

use crate::commands::Command;
use crate::device::named_device;
use crate::failure::{FAILED, Failure};
use crate::needs::Needs;
use crate::output::Output;
use clap::Args;
use std::collections::BTreeSet;
use taper::DeviceOptions;
use taper::gradcheck::{Subject, Table};
use taper::train::nearest;

/// The arguments of `gradcheck`.
#[derive(Args)]
pub struct Gradcheck {
    /// Check only what has this name: conv2d, "layer conv2d", "loss mse" [default: all]
    #[arg(long, value_name = "NAME")]
    op: Option<String>,
    /// Check second derivatives too, and list what does not support them
    #[arg(long)]
    second: bool,
    /// The devices to compute on, separated by commas; `all` for all of this build and machine
    #[arg(long, value_name = "NAMES", default_value = "cpu")]
    device: String,
}

impl Command for Gradcheck {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let chosen = match &self.op {
            Some(name) => Subject::choose(subjects()?, name).or_else(|_| Err(unknown(name, &subjects()?)))?,
            None => subjects()?,
        };
        // The cases are so small that more CPU threads would only wait for each other.
        let devices = taper::device_list(&self.device)
            .iter()
            .map(|name| {
                let threads = usize::from(name == "cpu");
                named_device(name, DeviceOptions { threads, ..DeviceOptions::default() })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let table = Table::check(&chosen, &devices, self.second, |line| output.line(line));
        Ok(if table.passed() { 0 } else { FAILED })
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        needs.gradcheck();
        self.device.split(',').for_each(|name| needs.device(name.trim()));
        Ok(())
    }
}

/// All operations, layers and losses that are checked. Only builds with the feature `gradcheck` have them: the cases
/// take long to compile, and training needs none of them.
fn subjects() -> Result<Vec<Subject>, Failure> {
    #[cfg(feature = "gradcheck")]
    return Ok(taper::gradcheck::subjects());
    #[cfg(not(feature = "gradcheck"))]
    Err(Failure::usage("this build cannot check gradients")
        .hint("`cargo xtask gradcheck` builds one that can; without xtask it has the feature `gradcheck`"))
}

fn unknown(name: &str, known: &[Subject]) -> Failure {
    // Suggestions are full names (`loss mse`) or short ones (`mse`), as the given name is.
    let full = name.contains(' ');
    let called = |subject: &Subject| if full { subject.to_string() } else { subject.name().to_owned() };
    let all: BTreeSet<String> = known.iter().map(called).collect();
    let near = nearest(name, all.iter().map(String::as_str));
    let hint = if near.is_empty() {
        format!("known: {}", all.into_iter().collect::<Vec<_>>().join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Failure::usage(format!("unknown operation `{name}`")).hint(hint)
}
