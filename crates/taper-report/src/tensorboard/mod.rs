//! TensorBoard event files: scalars, histograms, images and text.
//!
//! A file is a sequence of TFRecords (`record.rs`), each a Protocol Buffers message (`wire.rs`): TensorFlow's `Event`
//! (`event.proto`, `summary.proto`). TensorBoard itself is enough to view them:
//!
//! ```no_run
//! use taper_report::tensorboard::{EventWriter, wall_clock};
//! let mut events = EventWriter::create("runs/digits/events", wall_clock())?;
//! events.scalar("loss/train", 1, 2.3)?;
//! # Ok::<(), taper_report::Error>(())
//! ```

mod event;
mod histogram;
mod record;
mod wire;
mod writer;

pub use histogram::Histogram;
pub use writer::{Clock, EventWriter, FILE_NAME, wall_clock};
