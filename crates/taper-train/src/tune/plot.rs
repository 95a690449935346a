//! Charts of a search: the best loss over the epochs spent, and the losses over each key.

use super::{Range, Search, Standing};
use taper_report::plot::{Axis, Chart, Series, sheet};
use toml::Value;

const LOSS: &str = "validation loss";

impl Search {
    /// The charts: the lowest validation loss so far over the epochs spent, and for each key the trials' last losses
    /// over its values. Losses after the same number of epochs have the same colour, since only these compare. Failed
    /// trials are left out.
    pub fn charts(&self) -> Vec<Chart> {
        let points = self.best_so_far().into_iter().map(|(spent, loss)| (spent as f64, loss)).collect();
        let best = Chart {
            title: "Lowest loss so far".into(),
            x: Axis::linear("epochs spent"),
            y: Axis::log(LOSS),
            series: vec![Series::line("of any trial", points)],
            marks: Vec::new(),
        };
        let standings = self.standings();
        let keys = self.space.keys().enumerate().map(|(i, (key, range))| self.chart(i, key, range, &standings));
        [best].into_iter().chain(keys).collect()
    }

    /// The charts as one `.svg` file, two per row.
    pub fn svg(&self) -> String {
        sheet(&self.charts())
    }

    fn chart(&self, i: usize, key: &str, range: &Range, standings: &[Standing]) -> Chart {
        let at = |rung: u64| {
            let here = standings.iter().filter(|standing| standing.failed.is_none() && standing.epochs == rung);
            let points: Vec<_> = here.filter_map(|s| Some((place(range, &s.values[i])?, s.loss?))).collect();
            let name = format!("{rung} epoch{}", if rung == 1 { "" } else { "s" });
            (!points.is_empty()).then(|| Series::dots(name, points))
        };
        let series = self.rungs.iter().filter_map(|&rung| at(rung)).collect();
        Chart { title: key.into(), x: axis(key, range), y: Axis::log(LOSS), series, marks: Vec::new() }
    }
}

/// The axis of a key's values. Choices that are not all numbers are drawn at 1, 2, …, as the label says.
fn axis(key: &str, range: &Range) -> Axis {
    match range {
        Range::Log(_) | Range::LogInteger(_) => Axis::log(key),
        Range::Choice(choices) if !choices.iter().all(|choice| number(choice).is_some()) => {
            let named = choices.iter().enumerate().map(|(i, choice)| format!("{}: {choice}", i + 1));
            Axis::linear(named.collect::<Vec<_>>().join(", "))
        }
        _ => Axis::linear(key),
    }
}

/// The position of `value` on that axis.
fn place(range: &Range, value: &Value) -> Option<f64> {
    match range {
        Range::Choice(choices) if !choices.iter().all(|choice| number(choice).is_some()) => {
            Some(choices.iter().position(|choice| choice == value)? as f64 + 1.0)
        }
        _ => number(value),
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|n| n as f64))
}
