//! A constant learning rate.

use super::Schedule;

/// 1 at every step: the base learning rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Constant;

impl Schedule for Constant {
    fn factor(&self, _step: u64) -> f64 {
        1.0
    }
}
