//! Spoken words: recordings and their words, log-mel frames, the tasks of telling words apart and of writing strings of them
//! down.

mod change;
mod features;
mod generated;
mod recordings;
mod sources;
mod string_task;
mod strings;
mod task;
mod words;

pub use features::{LogMel, LogMelSpec};
pub use string_task::SpokenStrings;
pub use task::SpokenWords;
pub(crate) use task::spectrogram;

pub(crate) use change::Change;
pub(crate) use features::{of_audio, window};
pub(crate) use recordings::{DIGITS, KINDS, Recording, Recordings, Sources, wrong};
pub(crate) use sources::{Heard, drawn, sources};
pub(crate) use string_task::best_path;
pub(crate) use strings::Strings;
pub(crate) use words::Words;
