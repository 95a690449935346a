//! What TensorBoard shows of a run: scalars, histograms, pictures and text, written as its event files.
//!
//! A file is a sequence of records (`record.rs`), each a message of Protocol Buffers (`wire.rs`): TensorFlow's `Event`
//! (`event.proto`, `summary.proto`). Nothing but TensorBoard itself is needed to look at them:
//!
//! ```no_run
//! use taper_train::tensorboard::{EventWriter, wall_clock};
//! let mut events = EventWriter::create("runs/digits/events", wall_clock())?;
//! events.scalar("loss/train", 1, 2.3)?;
//! # Ok::<(), taper_train::Error>(())
//! ```

mod canvas;
mod confusion;
mod event;
mod font;
mod histogram;
mod picture;
mod record;
mod weights;
mod wire;
mod writer;

pub use confusion::confusion_picture;
pub use histogram::Histogram;
pub use picture::Picture;
pub use weights::{gradient_histograms, weight_histograms};
pub use writer::{Clock, EventWriter, FILE_NAME, wall_clock};
