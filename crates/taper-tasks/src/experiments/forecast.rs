//! The experiment `forecast`: a column of one's own table, its rows in the order of time, forecast from its own past; a
//! generated series where no file is given.

use super::own::{Own, family, generated_record, table_features};
use crate::run::{FORECAST, ForecastSpec, spec_json};
use crate::{Forecasting, SeriesStats};
use std::f64::consts::TAU;
use std::sync::Arc;
use taper_config::{Family, Schema, table};
use taper_data::{SeriesParts, SeriesWindows, TimeSeries};
use taper_models::{NoKeys, forecast_sizes, forecaster, forecasters};
use taper_nn::{Device, Params, RandomKey};
use taper_train::{
    Argument, Config, DataConfig, DatasetRecord, Experiment, Form, OptimizerConfig, Prepared, Reporter, Result,
    ScheduleConfig, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "forecast",
    about: "A column of your own table from its past, with quantiles; or a generated series",
    config,
    recipes: &[],
    arguments: ARGUMENTS,
    features: |config| table_features(config, "data.file"),
    families,
    check: |_| Ok(()),
    prepare,
};

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "file",
        key: "data.file",
        value: "FILE",
        help: "The table: a CSV file with a line of column names, or a Parquet file; without it a generated series",
        form: Form::Positional,
    },
    Argument {
        name: "target",
        key: "data.target",
        value: "COLUMN",
        help: "The column that is forecast",
        form: Form::Flag,
    },
    Argument { name: "horizon", key: "model.horizon", value: "H", help: "Steps that are forecast", form: Form::Flag },
    Argument {
        name: "context",
        key: "model.context",
        value: "T",
        help: "Steps of the past that the model sees",
        form: Form::Flag,
    },
    Argument {
        name: "time",
        key: "data.time",
        value: "COLUMN",
        help: "The column of times; if not given, the first whose cells are dates, or none",
        form: Form::Flag,
    },
    Argument {
        name: "season",
        key: "data.season",
        value: "N",
        help: "Steps of a season, for the naive forecast and the MASE; 0 for a day of the column of times, a week of \
                   days, a year of months",
        form: Form::Flag,
    },
];

table! {
    /// `[data]` of a series.
    pub struct SeriesConfig {
        /// The CSV or Parquet file; without one a series is generated.
        file: String = String::new(), any("a file");
        /// The column that is forecast.
        target: String = String::new(), any("the name of a column");
        /// The column of times; if empty, the first whose cells are dates, or none.
        time: String = String::new(), any("the name of a column");
        /// Steps of a season, for the naive forecast and the MASE; 0 for a day of the column of times, a week of days, a year
        /// of months.
        season: usize = 0, at_least(0);
        /// What is done about steps that are missing or without a value: an error, the value before, or nothing: each row is a
        /// step.
        gaps: String = "refuse".to_owned(), one_of(&["refuse", "fill", "ignore"]);
        /// Fraction of the steps held out for the test: the last ones.
        test: f64 = 0.2, fraction();
    }
}

fn config() -> Config {
    Config {
        model: "dlinear".into(),
        data: DataConfig { name: "series".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 10, batch_size: 128, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adamw").with("lr", 1e-3),
        schedule: ScheduleConfig::new("cosine"),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "forecaster", "dlinear", forecasters()),
        family("task", "task", "forecast", vec![("forecast", Schema::of::<NoKeys>())]),
        family("data", "dataset", "series", vec![("series", Schema::of::<SeriesConfig>())]),
    ]
}

fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    let own: SeriesConfig = config.data.named().parse("data")?;
    let sizes = forecast_sizes(&config.model)?;
    let window = [sizes.context, sizes.horizon];
    let (series, mut dataset) = if own.file.is_empty() { generated(reporter) } else { load(&own)? };
    let steps = series.values.len();
    let series = Arc::new(series);
    let parts = SeriesParts::new(steps, [own.test, config.data.validation], window)?;
    let season = match own.season {
        0 => series.clock.as_ref().map_or(1, |clock| clock.season()),
        season => season,
    };
    let stats = SeriesStats::learn(&series.values[..parts.learned], season)?;
    let values: Arc<[f32]> = series.values.iter().map(|&value| stats.standard(value)).collect();
    let windows = |origins| SeriesWindows::new(values.clone(), window, origins);
    let first = |windows: SeriesWindows, most: usize| if most == 0 { windows } else { windows.first(most) };
    let train = first(windows(parts.train)?, config.data.train_samples);
    let test = first(windows(parts.test.clone())?.with_naive(season)?, config.data.test_samples);
    let validation = match parts.validation.is_empty() {
        true => None,
        false => Some(windows(parts.validation)?),
    };
    let told = |origins: std::ops::Range<usize>| origins.len();
    dataset.train = told(train.origins());
    dataset.validation = validation.as_ref().map_or(0, |windows| told(windows.origins()));
    dataset.test = told(test.origins());
    let clock = series.clock.as_ref().map_or_else(String::new, |clock| format!(" of {}", clock.step));
    reporter.note(&format!(
        "{}: {steps} steps{clock}, the first {} to learn from; a season is {season}",
        series.name, parts.learned
    ));
    let spec = ForecastSpec {
        task: FORECAST.into(),
        target: series.name.clone(),
        clock: series.clock.clone(),
        gaps: own.gaps,
        stats,
        quantiles: sizes.quantiles.clone(),
        steps,
        history: series.values[steps - sizes.context..].to_vec(),
    };
    let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
    let model = forecaster(&config.model, &params)?;
    let task = Forecasting::new(model, sizes.quantiles, stats, series, parts.test.start);
    Ok(Prepared {
        task: Box::new(task),
        params,
        train: Box::new(train),
        validation: validation.map(|windows| Box::new(windows) as _),
        test: Some(Box::new(test)),
        dataset,
        spec: spec_json(&spec)?,
    })
}

/// What the key `gaps` asks for.
#[cfg(any(feature = "csv", feature = "parquet"))]
pub(crate) fn gaps(name: &str) -> taper_data::Gaps {
    match name {
        "fill" => taper_data::Gaps::Fill,
        "ignore" => taper_data::Gaps::Ignore,
        _ => taper_data::Gaps::Refuse,
    }
}

#[cfg(not(any(feature = "csv", feature = "parquet")))]
fn load(_own: &SeriesConfig) -> Result<(TimeSeries, DatasetRecord)> {
    Err(super::lacks("csv", "tables"))
}

#[cfg(any(feature = "csv", feature = "parquet"))]
fn load(own: &SeriesConfig) -> Result<(TimeSeries, DatasetRecord)> {
    use taper_data::{CsvOptions, SeriesOptions, TableSource};
    use taper_train::Error;

    if own.target.is_empty() {
        let example = "train forecast FILE.csv --target COLUMN";
        return Err(Error::Usage(format!("data.target: expected a column's name, as in `{example}`, found none")));
    }
    let source = TableSource::open(&own.file, CsvOptions::default())?;
    let time = (!own.time.is_empty()).then(|| own.time.clone());
    let series = source.series(&SeriesOptions { target: own.target.clone(), time, gaps: gaps(&own.gaps) })?;
    let what = format!("{} over {} steps", series.name, series.values.len());
    let record = super::own::own_record(&own.file, &what, source.checksum().into());
    Ok((series, record))
}

/// Half-hours of a day, and of a week.
const DAY: usize = 48;
const WEEK: usize = 7 * DAY;

/// Twelve weeks of half-hours with the shape of a demand for electricity: two peaks a day, less at weekends, a level that
/// wanders, and noise that lasts for some hours.
fn generated(reporter: &mut dyn Reporter) -> (TimeSeries, DatasetRecord) {
    let noise = RandomKey::new(0).child("generated series");
    let (mut lasting, mut level) = (0.0, 0.0);
    let value = |i: usize| {
        let (of_day, of_week) = ((i % DAY) as f64 / DAY as f64, i % WEEK / DAY);
        let day = -(TAU * of_day).cos() - 0.5 * (2.0 * TAU * (of_day - 0.1)).cos();
        let weekend = if of_week >= 5 { 0.75 } else { 1.0 };
        lasting = 0.9 * lasting + 0.06 * noise.normal(2 * i as u64);
        level = 0.999 * level + 0.01 * noise.normal(2 * i as u64 + 1);
        4.0 + weekend * day + level + lasting
    };
    let values: Vec<f64> = (0..12 * WEEK).map(value).collect();
    let description = "a generated series, not measured";
    reporter.note(&format!("no file was given: {description}, of half-hours over twelve weeks, is forecast"));
    let series = TimeSeries {
        name: "demand".into(),
        values,
        clock: Some(taper_data::Clock {
            column: "time".into(),
            // 2024-01-01, a Monday.
            first: 1_704_067_200.0,
            step: taper_data::Step::Seconds(1800),
        }),
    };
    (series, generated_record(description, "generated series 1"))
}
