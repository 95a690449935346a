//! A constant learning rate.

use super::{Schedule, ScheduleTable, Span};
use taper_config::table;
use taper_tensor::Result;

/// 1 at every step: the base learning rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Constant;

table! {
    /// The keys of the schedule `constant`. Times are in epochs.
    pub struct ConstantConfig {
    }
}

impl ScheduleTable for ConstantConfig {
    fn build(&self, _: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(Constant))
    }
}

impl Schedule for Constant {
    fn factor(&self, _step: u64) -> f64 {
        1.0
    }
}
