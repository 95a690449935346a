//! What is shown of forecasts: some with their band, the errors beside baselines and by how far ahead, and how often values
//! were below each quantile.

use super::{SeriesStats, median};
use taper_data::{TimeSeries, seasonal_naive};
use taper_report::Format;
use taper_report::html::{Block, Column, Page, Section, Table};
use taper_report::plot::{Axis, Chart, Mark, Series};
use taper_train::{Result, Rows};

/// Forecasts that are drawn, by the share of forecasts with a smaller error.
const DRAWN: [(f64, &str); 4] = [(0.1, "a good one"), (0.5, "an ordinary one"), (0.9, "a bad one"), (1.0, "the worst")];

/// What was found on the test split.
pub(super) struct Found<'a> {
    pub series: &'a TimeSeries,
    pub quantiles: &'a [f64],
    pub stats: &'a SeriesStats,
    /// The quantiles of each test sample, `[H, Q]`, in the series' own unit.
    pub rows: &'a Rows,
    /// The origin of the first test sample; each of the others is one step later.
    pub first: usize,
}

/// A test sample: its origin, and the quantiles of each step.
struct Sample<'a> {
    origin: usize,
    steps: Vec<&'a [f64]>,
}

/// Absolute errors of a forecast, added up over the samples by how far ahead.
struct Errors {
    name: String,
    sums: Vec<f64>,
    samples: usize,
}

impl Errors {
    fn new(name: impl Into<String>, horizon: usize) -> Self {
        Self { name: name.into(), sums: vec![0.0; horizon], samples: 0 }
    }

    fn mean(&self) -> f64 {
        self.sums.iter().sum::<f64>() / (self.samples * self.sums.len().max(1)) as f64
    }

    fn by_lead(&self) -> Vec<(f64, f64)> {
        let mean = |(lead, sum): (usize, &f64)| ((lead + 1) as f64, sum / self.samples as f64);
        self.sums.iter().enumerate().map(mean).collect()
    }
}

pub(super) fn report(found: &Found<'_>, page: &mut Page) -> Result<()> {
    let samples = found.samples();
    let Some(horizon) = samples.first().map(|sample| sample.steps.len()) else { return Ok(()) };
    let drawn = Section::new("Forecasts").with(found.charts(&samples)).with(Block::Note(format!(
        "Of {} forecasts of {horizon} steps, each from another origin: the line is the median, the area the band between the \
         lowest and the highest quantile. What came before the origin is known to the model, what came after is not.",
        samples.len()
    )));
    let errors = found.errors(&samples, horizon);
    let chart = Chart {
        title: "Mean absolute error".into(),
        x: Axis::linear(found.steps("ahead")),
        y: Axis::linear(&*found.series.name),
        series: errors.iter().map(|errors| Series::line(&*errors.name, errors.by_lead())).collect(),
        ..Chart::default()
    };
    let errors = Section::new("Errors").with(found.table(&errors)).with(vec![chart]);
    page.sections.extend([drawn, errors, Section::new("Quantiles").with(found.calibration(&samples))]);
    Ok(())
}

impl Found<'_> {
    fn samples(&self) -> Vec<Sample<'_>> {
        let steps = |row: &'_ [f64]| row.len() / self.quantiles.len().max(1);
        let fits = |(_, row): &(usize, &[f64])| steps(row) > 0 && row.len().is_multiple_of(self.quantiles.len().max(1));
        let rows = self.rows.iter().enumerate().filter(fits);
        let rows = rows.map(|(i, row)| Sample {
            origin: self.first + i,
            steps: row.chunks_exact(self.quantiles.len().max(1)).collect(),
        });
        rows.filter(|sample| sample.origin + sample.steps.len() <= self.series.values.len()).collect()
    }

    /// `steps of 30 min ahead`.
    fn steps(&self, what: &str) -> String {
        match &self.series.clock {
            Some(clock) => format!("steps of {} {what}", clock.step),
            None => format!("steps {what}"),
        }
    }

    /// When the step `at` is.
    fn time(&self, at: usize) -> String {
        self.series.clock.as_ref().map_or_else(|| format!("step {at}"), |clock| clock.at(at))
    }

    /// The true values that a sample is to forecast.
    fn truth(&self, sample: &Sample<'_>) -> &[f64] {
        self.series.values.get(sample.origin..sample.origin + sample.steps.len()).unwrap_or_default()
    }

    fn error(&self, sample: &Sample<'_>) -> f64 {
        let middle = median(self.quantiles);
        self.truth(sample).iter().zip(&sample.steps).map(|(y, step)| (y - step[middle]).abs()).sum()
    }

    fn charts(&self, samples: &[Sample<'_>]) -> Vec<Chart> {
        let mut by_error: Vec<(f64, &Sample<'_>)> = samples.iter().map(|sample| (self.error(sample), sample)).collect();
        by_error.sort_by(|a, b| a.0.total_cmp(&b.0));
        let place = |share: f64| ((by_error.len() - 1) as f64 * share).round() as usize;
        let mut charts: Vec<Chart> = Vec::new();
        let mut last = None;
        for (share, name) in DRAWN {
            let at = place(share);
            if last != Some(at) {
                charts.push(self.chart(by_error[at].1, name));
            }
            last = Some(at);
        }
        charts
    }

    fn chart(&self, sample: &Sample<'_>, name: &str) -> Chart {
        let (middle, horizon) = (median(self.quantiles), sample.steps.len());
        let before = sample.origin.min(2 * self.stats.season.max(horizon).min(4 * horizon));
        let values = |from: usize, to: usize| -> Vec<(f64, f64)> {
            let values = self.series.values.get(from..to).unwrap_or_default();
            values.iter().enumerate().map(|(i, y)| ((from + i) as f64 - sample.origin as f64, *y)).collect()
        };
        let steps = || sample.steps.iter().enumerate().map(|(lead, step)| (lead as f64, step));
        let ends = |step: &[f64]| (step[0], step[step.len() - 1]);
        let band: Vec<(f64, f64, f64)> = steps().map(|(lead, step)| (lead, ends(step).0, ends(step).1)).collect();
        let width = self.quantiles.last().unwrap_or(&0.5) - self.quantiles.first().unwrap_or(&0.5);
        let forecast = Series::line("forecast", steps().map(|(lead, step)| (lead, step[middle])).collect());
        let truth = Series::line(&*self.series.name, values(sample.origin - before, sample.origin + horizon));
        let band = (width > 0.0).then(|| Series::band(format!("band of {}", Format::Percent(0).text(width)), &band));
        let origin = self.time(sample.origin);
        Chart {
            title: format!("From {origin}: {name}"),
            x: Axis::linear(self.steps("from the origin")),
            y: Axis::linear(&*self.series.name),
            series: [Some(truth), Some(forecast), band].into_iter().flatten().collect(),
            marks: vec![Mark { x: 0.0, label: "origin".into() }],
        }
    }

    /// The errors of the model, of the seasonal naive forecast, of the same by seven seasons (of a day: a week), and of the last
    /// value.
    fn errors(&self, samples: &[Sample<'_>], horizon: usize) -> Vec<Errors> {
        let season = self.stats.season;
        let seasons = [season, 7 * season, 1];
        let named = |steps: usize| match steps {
            1 => "the last value".to_string(),
            steps if steps == season => format!("seasonal naive, {steps} steps"),
            steps => format!("naive, {steps} steps"),
        };
        let mut naive: Vec<(usize, Errors)> = Vec::new();
        for steps in seasons.into_iter().filter(|&steps| steps <= self.first) {
            if naive.iter().all(|(known, _)| *known != steps) {
                naive.push((steps, Errors::new(named(steps), horizon)));
            }
        }
        let (middle, mut model) = (median(self.quantiles), Errors::new("this model", horizon));
        for sample in samples {
            model.samples += 1;
            naive.iter_mut().for_each(|(_, errors)| errors.samples += 1);
            for (lead, (y, step)) in self.truth(sample).iter().zip(&sample.steps).enumerate() {
                model.sums[lead] += (y - step[middle]).abs();
                for (steps, errors) in &mut naive {
                    let guess = seasonal_naive(&self.series.values, *steps, sample.origin, lead).unwrap_or(f64::NAN);
                    errors.sums[lead] += (y - guess).abs();
                }
            }
        }
        std::iter::once(model).chain(naive.into_iter().map(|(_, errors)| errors)).collect()
    }

    fn table(&self, errors: &[Errors]) -> Table {
        let columns = vec![Column::text("forecast"), Column::number("MAE"), Column::number("MASE")];
        let scaled = |error: f64| match self.stats.scale > 0.0 {
            true => Format::Decimals(3).text(error / self.stats.scale),
            false => "–".into(),
        };
        errors.iter().fold(Table::new(columns), |table, errors| {
            let error = errors.mean();
            table.row([errors.name.clone(), Format::Metric.text(error), scaled(error)])
        })
    }

    /// How often values were at or below each quantile.
    fn calibration(&self, samples: &[Sample<'_>]) -> Table {
        let columns = vec![Column::text("quantile"), Column::number("values at or below it"), Column::number("due")];
        let all: Vec<(f64, &[f64])> = samples
            .iter()
            .flat_map(|sample| self.truth(sample).iter().copied().zip(sample.steps.iter().copied()))
            .collect();
        self.quantiles.iter().enumerate().fold(Table::new(columns), |table, (i, &quantile)| {
            let below = all.iter().filter(|(y, step)| *y <= step[i]).count() as f64 / all.len() as f64;
            table.row([quantile.to_string(), Format::Percent(1).text(below), Format::Percent(1).text(quantile)])
        })
    }
}
