//! A schedule by its name.

use super::Schedule;
use taper_config::{Schema, Table, toml};
use taper_tensor::{Error, Result};

/// The steps for which a schedule is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The number of steps, at least 1.
    pub steps: u64,
    /// The number of steps per epoch.
    pub per_epoch: u64,
}

impl Span {
    /// `epochs` in steps, at least one: a time may be shorter than a step.
    pub fn in_steps(&self, epochs: f64) -> u64 {
        ((epochs * self.per_epoch as f64).round() as u64).max(1)
    }
}

/// The keys of a schedule, of which it is made.
pub trait ScheduleTable: Table {
    /// Whether the schedule ends with the run, and so depends on its length.
    const ENDS: bool = false;

    /// The schedule.
    ///
    /// # Errors
    /// A value that it does not take.
    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>>;
}

/// A schedule that can be made by its name.
#[derive(Debug, Clone, Copy)]
pub struct ScheduleInfo {
    /// The name, as in a configuration: `cosine-restarts`.
    pub name: &'static str,
    /// Its keys, with their defaults.
    pub schema: Schema,
    /// Whether the schedule ends with the run, and so depends on its length.
    pub ends: bool,
    /// Makes the schedule of these values, which [`ScheduleInfo::schema`] has resolved.
    pub build: fn(&toml::Table, &Span) -> Result<Box<dyn Schedule>>,
}

impl ScheduleInfo {
    /// The schedule with the keys of `T`.
    pub const fn of<T: ScheduleTable>(name: &'static str) -> Self {
        Self { name, schema: Schema::of::<T>(), ends: T::ENDS, build: build::<T> }
    }
}

fn build<T: ScheduleTable>(values: &toml::Table, span: &Span) -> Result<Box<dyn Schedule>> {
    T::read(values.clone()).map_err(|error| Error::argument("schedule", error.to_string()))?.build(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::schedules;
    use taper_config::Named;

    /// Each by its name with its defaults; multi-step has no milestones of its own, and says so.
    #[test]
    fn every_schedule_is_made_of_its_defaults() {
        let span = Span { steps: 20, per_epoch: 4 };
        for info in schedules() {
            let values = info.schema.resolve(&Named::new(info.name), "schedule").unwrap();
            match (info.build)(&values, &span) {
                Ok(schedule) => {
                    let factors = [0, 4, 19, 100].map(|step| schedule.factor(step));
                    assert!(factors.iter().all(|factor| (0.0..=1.0).contains(factor)), "{}: {factors:?}", info.name);
                    // One that ends with the run is another in a longer one.
                    let longer = (info.build)(&values, &Span { steps: 40, ..span }).unwrap();
                    let differs = (0..20).any(|step| schedule.factor(step) != longer.factor(step));
                    assert_eq!(differs, info.ends, "{}", info.name);
                }
                Err(error) => assert!(info.name == "multi-step" && error.to_string().contains("milestones"), "{error}"),
            }
        }
    }

    #[test]
    fn a_time_is_at_least_a_step() {
        let span = Span { steps: 20, per_epoch: 4 };
        assert_eq!([0.01, 0.5, 1.0, 1.6].map(|epochs| span.in_steps(epochs)), [1, 2, 4, 6]);
    }
}
