//! `taper eval`: evaluates a saved run on its test split again.

use crate::commands::Command;
use crate::device::device;
use crate::environment::locate;
use crate::failure::{FAILED, Failure};
use crate::logging::LogArgs;
use crate::needs::Needs;
use crate::output::Output;
use crate::progress::{Progress, last_line};
use crate::settings::{data_dir, own_data_dir, with_flag, with_path};
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use taper::backend::printable;
use taper::tasks::experiment;
use taper::train::{Config, DeviceConfig, EvalOptions, Override, Record, RunFolder, evaluate_run};

/// The arguments of `eval`.
#[derive(Args)]
pub struct Eval {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The device to compute on: cpu, candle, cuda or cuda:N [default: as the run]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// CPU threads; 0 for one per core; results do not depend on it [default: as the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<String>,
    /// CPU instruction set; auto for the best that this machine has [default: as the run]
    #[arg(long, value_name = "auto|avx512|avx2|portable")]
    isa: Option<String>,
    /// CPU convolutions: direct, or auto for Winograd's algorithm where it is faster [default: as the run]
    #[arg(long, value_name = "auto|direct")]
    conv: Option<String>,
    /// Samples per batch [default: as the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    batch_size: Option<String>,
    /// Look for the data in this folder, and nowhere else [default: $TAPER_DATA, the downloads' folder, the network]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Never touch the network [default: data that are nowhere else are downloaded]
    #[arg(long)]
    offline: bool,
    /// Print only the last line [default: progress too]
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    logs: LogArgs,
}

impl Eval {
    /// The run's folder, its configuration as the flags change it, and its record, if its data were loaded.
    ///
    /// # Errors
    /// A folder that holds no run, a value out of range.
    fn open(&self) -> Result<(RunFolder, Config, Option<Record>), Failure> {
        let folder = RunFolder::open(&self.run)?;
        let (mut config, record) = folder.read_config()?;
        // On another device the device settings of the run do not apply: they are the defaults unless given as flags.
        if self.device.as_ref().is_some_and(|name| *name != config.device.name) {
            config.device = DeviceConfig { name: config.device.name, ..DeviceConfig::default() };
        }
        for (flag, key, raw) in [
            ("device", "device.name", &self.device),
            ("threads", "device.threads", &self.threads),
            ("isa", "device.isa", &self.isa),
            ("conv", "device.conv", &self.conv),
            ("batch-size", "train.eval_batch_size", &self.batch_size),
        ] {
            if let Some(raw) = raw {
                config = with_flag(config, flag, Override::flag(key, raw))?;
            }
        }
        Ok((folder, config, record))
    }
}

impl Command for Eval {
    fn run(&self, output: &mut Output) -> Result<u8, Failure> {
        let (folder, mut config, record) = self.open()?;
        let Some(record) = record else {
            return Err(Failure::failed(format!(
                "{}: the run was ended before it had its data",
                printable(&folder.path().to_string_lossy())
            )));
        };
        let experiment = experiment(&record.experiment)?;
        if let Some(dir) = &self.data_dir
            && experiment.source(&config).is_none()
        {
            let place = record.dataset.path.as_deref().unwrap_or("where they were");
            config = match data_dir(experiment) {
                Some(own) => with_path(config, own, dir)?,
                None => return Err(own_data_dir(dir, &printable(place))),
            };
        }
        let device = device(&config)?;
        let stop = AtomicBool::new(false);
        let options = EvalOptions { locate: locate(&self.data_dir, self.offline), stop: &stop };
        let mut progress = Progress::new(output, &config, self.quiet);
        let found = evaluate_run(experiment, &folder, &config, &record, &device, &options, &mut progress);
        progress.clear();
        drop(progress);
        let smaller = config.train.eval_batch_size / 2;
        let hint = if smaller > 0 { format!("try --batch-size {smaller}") } else { "choose another device".into() };
        let found = found.map_err(|error| Failure::of_run(error, &hint))?;
        let Some((dataset, metrics, evaluation)) = found else { return Ok(FAILED) };
        if !self.quiet {
            let known = metrics
                .iter()
                .filter(|metric| !metric.aside)
                .filter_map(|metric| Some((metric, evaluation.get(&metric.name)?)));
            let values: Vec<String> =
                known.map(|(metric, value)| format!("test {} {}", metric.name, metric.shown_short(value))).collect();
            output.line(&format!("{} samples, {}", evaluation.samples, values.join(", ")));
        }
        output.line(&last_line(&evaluation, &Record { dataset, ..record }));
        Ok(0)
    }

    fn needs(&self, needs: &mut Needs) -> Result<(), Failure> {
        let (_, config, record) = self.open()?;
        needs.device(&config.device.name);
        let Some(record) = record else { return Ok(()) };
        needs.experiment(experiment(&record.experiment)?, &config, &locate(&self.data_dir, self.offline))
    }

    fn logs(&self) -> LogArgs {
        self.logs.clone()
    }
}
