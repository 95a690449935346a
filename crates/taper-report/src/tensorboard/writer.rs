//! Writing an event file.

use super::{Histogram, event, record, wire::Message};
use crate::{Error, Picture, Result};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The name of the file in its folder: TensorBoard reads all files with `tfevents` in their names.
pub const FILE_NAME: &str = "events.out.tfevents.taper";

/// The source of an event's time, in seconds since 1970.
pub type Clock = Box<dyn FnMut() -> f64 + Send>;

/// The system's clock.
pub fn wall_clock() -> Clock {
    Box::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64()))
}

/// Writes events. Each event is written at once, so that TensorBoard can follow and nothing is lost when the run is
/// killed. Tags with a common prefix before a slash (`loss/train`, `loss/validation`) are shown together. TensorBoard
/// accepts steps from 0 as well as from 1.
pub struct EventWriter {
    path: PathBuf,
    file: File,
    position: u64,
    clock: Clock,
}

impl EventWriter {
    /// Creates the file [`FILE_NAME`] in `folder`, which is created if needed. An existing file is emptied.
    pub fn create(folder: impl AsRef<Path>, clock: Clock) -> Result<Self> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        let path = folder.join(FILE_NAME);
        plain_or_missing(&path).map_err(Error::io("write", &path))?;
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        let mut writer = Self { path, file, position: 0, clock };
        let version = event::version((writer.clock)());
        writer.write(version)?;
        Ok(writer)
    }

    /// Opens the file in `folder` to append after its first `length` bytes, the [`position`](Self::position) of an
    /// earlier writer. What follows these is cut off: a run that was killed wrote it after its last checkpoint.
    pub fn open_at(folder: impl AsRef<Path>, length: u64, clock: Clock) -> Result<Self> {
        let path = folder.as_ref().join(FILE_NAME);
        plain_or_missing(&path).map_err(Error::io("open", &path))?;
        let mut file = File::options().read(true).write(true).open(&path).map_err(Error::io("open", &path))?;
        let found = file.metadata().map_err(Error::io("read", &path))?.len();
        let whole =
            length > 0 && length <= found && record::ends_at(&mut file, length).map_err(Error::io("read", &path))?;
        if !whole {
            let detail = format!(
                "expected an event that ends at byte {length}, found a file of {found} bytes without one; \
                 resume with the event file that belongs to the checkpoint, or start a new run"
            );
            return Err(Error::File { path, detail });
        }
        let cut = file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length)));
        cut.map_err(Error::io("write", &path))?;
        Ok(Self { path, file, position: length, clock })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of bytes written, which a checkpoint stores for [`open_at`](Self::open_at).
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits until everything is on the disk; call it before saving a checkpoint that stores the position.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("write", &self.path))
    }

    /// Writes a scalar; TensorBoard stores it as f32.
    pub fn scalar(&mut self, tag: &str, step: u64, number: f64) -> Result<()> {
        self.summary(step, event::scalar(tag, number))
    }

    /// Writes a histogram.
    pub fn histogram(&mut self, tag: &str, step: u64, histogram: &Histogram) -> Result<()> {
        self.summary(step, event::histogram(tag, histogram))
    }

    /// Writes an image.
    pub fn image(&mut self, tag: &str, step: u64, picture: &Picture) -> Result<()> {
        self.summary(step, event::image(tag, picture))
    }

    /// Writes a text in Markdown.
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

/// Errs unless `path` is a plain file or does not exist: opening a named pipe that has no reader would block forever.
fn plain_or_missing(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let what = if found.is_dir() { "a folder" } else { "a pipe, a socket or a device" };
            Err(io::Error::new(io::ErrorKind::InvalidInput, format!("expected a plain file, found {what}")))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
