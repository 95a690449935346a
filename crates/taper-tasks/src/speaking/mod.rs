//! Speaking words: mel frames by a network, and their sound by Griffin–Lim.

mod report;
mod task;
mod utterances;
mod voice;

pub use task::Speaking;

pub(crate) use utterances::{Utterances, split};
pub(crate) use voice::{PLACES, Voice};
