//! Networks of other widths than their papers', for small machines, small data and tests.

/// `channels` times `factor`, at least one.
pub(crate) fn of(channels: usize, factor: f64) -> usize {
    ((channels as f64 * factor).round() as usize).max(1)
}
