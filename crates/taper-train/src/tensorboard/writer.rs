//! An event file, written event by event.

use super::{Histogram, Picture, event, record, wire::Message};
use crate::{Error, Result};
use std::fmt;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use taper_nn::taper_tensor::files;

/// The name of the file in its folder: TensorBoard reads all files with `tfevents` in their names.
pub const FILE_NAME: &str = "events.out.tfevents.taper";

/// Tells the time of an event, in seconds since 1970.
pub type Clock = Box<dyn FnMut() -> f64 + Send>;

/// The system's clock.
pub fn wall_clock() -> Clock {
    Box::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64()))
}

/// Writes events, each at once, so that TensorBoard follows and a kill loses nothing. Steps count from 1 or 0, as the
/// caller likes; tags with a common part before a slash (`loss/train`, `loss/validation`) are shown together.
pub struct EventWriter {
    path: PathBuf,
    file: File,
    position: u64,
    clock: Clock,
}

impl EventWriter {
    /// Makes `folder` if need be, and in it a file called [`FILE_NAME`], emptied if it exists.
    pub fn create(folder: impl AsRef<Path>, clock: Clock) -> Result<Self> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        let path = folder.join(FILE_NAME);
        files::plain_or_missing(&path).map_err(Error::io("write", &path))?;
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        let mut writer = Self { path, file, position: 0, clock };
        let version = event::version((writer.clock)());
        writer.write(version)?;
        Ok(writer)
    }

    /// Goes on with the file in `folder` after its first `length` bytes, a [`position`](Self::position) of the writer
    /// before; what follows them, of a run that was killed after its last checkpoint, is cut off.
    pub fn open_at(folder: impl AsRef<Path>, length: u64, clock: Clock) -> Result<Self> {
        let path = folder.as_ref().join(FILE_NAME);
        files::plain_or_missing(&path).map_err(Error::io("open", &path))?;
        let mut file = File::options().read(true).write(true).open(&path).map_err(Error::io("open", &path))?;
        let found = file.metadata().map_err(Error::io("read", &path))?.len();
        let whole =
            length > 0 && length <= found && record::ends_at(&mut file, length).map_err(Error::io("read", &path))?;
        if !whole {
            let detail = format!(
                "expected an event that ends at byte {length}, found a file of {found} bytes without one; \
                 resume with the event file that belongs to the checkpoint, or start a new run"
            );
            return Err(Error::RunFolder { path, detail });
        }
        let cut = file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length)));
        cut.map_err(Error::io("write", &path))?;
        Ok(Self { path, file, position: length, clock })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes have been written: what a checkpoint keeps for [`open_at`](Self::open_at).
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits until all is on the disk: before a checkpoint that holds the position.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("write", &self.path))
    }

    /// A number, shown over the steps; TensorBoard keeps it as f32.
    pub fn scalar(&mut self, tag: &str, step: u64, number: f64) -> Result<()> {
        self.summary(step, event::scalar(tag, number))
    }

    /// A histogram, shown over the steps.
    pub fn histogram(&mut self, tag: &str, step: u64, histogram: &Histogram) -> Result<()> {
        self.summary(step, event::histogram(tag, histogram))
    }

    /// A picture.
    pub fn image(&mut self, tag: &str, step: u64, picture: &Picture) -> Result<()> {
        self.summary(step, event::image(tag, picture))
    }

    /// A text in Markdown.
    pub fn text(&mut self, tag: &str, step: u64, text: &str) -> Result<()> {
        self.summary(step, event::text(tag, text))
    }

    fn summary(&mut self, step: u64, value: Message) -> Result<()> {
        let now = (self.clock)();
        self.write(event::summary(now, step, value))
    }

    fn write(&mut self, event: Message) -> Result<()> {
        let bytes = record::frame(&event.into_bytes());
        self.file.write_all(&bytes).map_err(Error::io("write", &self.path))?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

impl fmt::Debug for EventWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWriter")
            .field("path", &self.path)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
