//! `taper eval`: evaluates a saved run on its test split again.

use crate::args::EvalArgs;
use crate::commands::{device, locate};
use crate::failure::{FAILED, Failure};
use crate::output::Output;
use crate::progress::{Progress, last_line};
use crate::settings::with_flag;
use std::sync::atomic::AtomicBool;
use taper::backend::printable;
use taper::train::{DeviceConfig, EvalOptions, Override, RunFolder, evaluate_run};

pub fn run(args: &EvalArgs, logs: bool, output: &mut Output) -> Result<u8, Failure> {
    let folder = RunFolder::open(&args.run)?;
    let (mut config, record) = folder.read_config()?;
    let Some(record) = record else {
        return Err(Failure::failed(format!(
            "{}: the run was ended before it had its data",
            printable(&folder.path().to_string_lossy())
        )));
    };
    // On another device the device settings of the run do not apply: they are the defaults unless given as flags.
    if args.device.as_ref().is_some_and(|name| *name != config.device.name) {
        config.device = DeviceConfig { name: config.device.name, ..DeviceConfig::default() };
    }
    for (flag, key, raw) in [
        ("device", "device.name", &args.device),
        ("threads", "device.threads", &args.threads),
        ("isa", "device.isa", &args.isa),
        ("conv", "device.conv", &args.conv),
        ("batch-size", "train.eval_batch_size", &args.batch_size),
    ] {
        if let Some(raw) = raw {
            config = with_flag(config, flag, Override::flag(key, raw))?;
        }
    }
    let device = device(&config)?;
    let stop = AtomicBool::new(false);
    let options = EvalOptions { locate: locate(&args.data_dir, args.offline), stop: &stop };
    let mut progress = Progress::new(output, &config, args.quiet, logs);
    let found = evaluate_run(&folder, &config, &record, &device, &options, &mut progress);
    progress.clear();
    drop(progress);
    let smaller = config.train.eval_batch_size / 2;
    let hint = if smaller > 0 { format!("try --batch-size {smaller}") } else { "choose another device".into() };
    let found = found.map_err(|error| Failure::of_run(error, &hint))?;
    let Some((dataset, evaluation)) = found else { return Ok(FAILED) };
    if !args.quiet {
        output.line(&format!("{} pictures, test loss {:.4}", evaluation.samples, evaluation.loss));
    }
    output.line(&last_line(&evaluation, &dataset));
    Ok(0)
}
