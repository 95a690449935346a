//! `taper gradcheck`: every operation's gradient against central differences, in f64.

use crate::args::GradcheckArgs;
use crate::commands::named_device;
use crate::failure::{FAILED, Failure};
use crate::output::Output;
use taper::DeviceOptions;
use taper::gradcheck::{Table, operations};
use taper::train::nearest;

pub fn run(args: &GradcheckArgs, output: &mut Output) -> Result<u8, Failure> {
    let all = operations();
    let chosen: Vec<&str> = match &args.op {
        Some(name) => vec![all.iter().copied().find(|op| op == name).ok_or_else(|| unknown(name, &all))?],
        None => all,
    };
    // The cases are small: the CPU's threads would only wait for each other.
    let devices = taper::device_list(&args.device)
        .iter()
        .map(|name| {
            let threads = usize::from(name == "cpu");
            named_device(name, DeviceOptions { threads, ..DeviceOptions::default() })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let table = Table::check(&chosen, &devices, args.second, |line| output.line(line))?;
    Ok(if table.passed() { 0 } else { FAILED })
}

fn unknown(name: &str, all: &[&str]) -> Failure {
    let near = nearest(name, all.iter().copied());
    let hint = if near.is_empty() {
        format!("known: {}", all.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Failure::usage(format!("unknown operation `{name}`")).hint(hint)
}
