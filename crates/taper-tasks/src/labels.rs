//! What has a label, and so counts.

use crate::IGNORED_LABEL;
use taper_data::Batch;

/// How many of `labels` are not [`IGNORED_LABEL`].
pub(crate) fn counted(labels: &[i64]) -> usize {
    labels.iter().filter(|label| **label != IGNORED_LABEL).count()
}

/// How many samples have a label in the field `field`, `[N]` or `[N, …]` in i64: at least one that is not
/// [`IGNORED_LABEL`].
pub(crate) fn samples(batch: &Batch, field: &str) -> usize {
    // Without the field everything counts: the batch is shown to the task, which says what is missing.
    let Ok(labels) = batch.i64s(field) else { return batch.len() };
    let size = (labels.len() / batch.len().max(1)).max(1);
    labels.chunks(size).filter(|labels| counted(labels) > 0).count()
}
