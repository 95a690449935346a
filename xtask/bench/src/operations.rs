//! `--profile`: where a benchmark's time goes, operation by operation, on our side alone.

use crate::settings::Settings;
use crate::works::Work;
use taper::backend::profile::{Profiler, WARM_UP, step};

/// The iterations that are measured.
const ITERATIONS: u64 = 10;

/// The profiler's table of a few iterations of `work`.
///
/// # Errors
/// If the device cannot be had, or an iteration fails.
pub fn table(work: &Work, settings: &Settings) -> Result<String, String> {
    let told = |error: taper::Error| format!("{}: {error}", work.name);
    let (device, profiler) = Profiler::device(settings.device(work.threads).map_err(told)?);
    let mut iteration = (work.make)(&device).map_err(told)?;
    for number in 1..=WARM_UP + ITERATIONS {
        let _step = step(number);
        iteration().map_err(told)?;
    }
    Ok(profiler.profile().table())
}

#[cfg(test)]
mod tests {
    use crate::works;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: super::Settings,
    }

    #[test]
    fn operations_of_a_step_are_listed() {
        let settings = Line::try_parse_from(["bench"]).map(|line| line.settings);
        let works = works::chosen(&["tiny".into()]);
        let (Ok(settings), Ok(works)) = (settings, works) else { panic!("no settings") };
        let table = super::table(&works[0], &settings).unwrap_or_else(|error| error);
        assert!(table.contains("linear") && table.contains("10 steps"), "{table}");
    }
}
