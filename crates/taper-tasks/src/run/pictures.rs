//! Predictions for files of pictures.

use super::{AT_A_TIME, Inputs, Prediction, Run};
use std::path::Path;
use taper_data::{Batch, Dataset, FieldSpec, decode_picture};
use taper_train::{Error, Result};

/// Pictures in memory, `[C, H, W]` each, of which 255 stands for 1.
struct InMemory {
    bytes: Vec<u8>,
    shape: [usize; 3],
}

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.bytes.len() / self.shape.iter().product::<usize>().max(1)
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", taper_data::DType::U8, &self.shape)]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let size = self.shape.iter().product::<usize>();
        let shape: Vec<usize> = [indices.len()].into_iter().chain(self.shape).collect();
        let pictures = batch.u8_of("inputs", &shape, u8::MAX);
        for (picture, &index) in pictures.chunks_exact_mut(size).zip(indices) {
            picture.copy_from_slice(&self.bytes[index * size..(index + 1) * size]);
        }
        Ok(())
    }
}

impl Run {
    /// Predictions for the pictures in these files (PNG, JPEG, WebP), which are resized and cropped to the size that the run
    /// was trained on. They are decoded in as many threads as the machine has cores.
    ///
    /// # Errors
    /// A file that cannot be read or is no picture; the error names it. A run that takes no pictures.
    pub fn pictures<P: AsRef<Path> + Sync>(&self, paths: &[P]) -> Result<Vec<Prediction>> {
        let mut all = Vec::with_capacity(paths.len());
        for paths in paths.chunks(AT_A_TIME) {
            all.extend(self.each_picture(paths)?.into_iter().collect::<Result<Vec<_>>>()?);
        }
        Ok(all)
    }

    /// As [`pictures`](Self::pictures), with the error of each file in its place, so that one that is no picture does not
    /// lose the predictions for the others.
    ///
    /// # Errors
    /// A run that takes no pictures.
    pub fn each_picture<P: AsRef<Path> + Sync>(&self, paths: &[P]) -> Result<Vec<Result<Prediction>>> {
        let shape = self.picture_shape()?;
        let mut all = Vec::with_capacity(paths.len());
        for paths in paths.chunks(AT_A_TIME) {
            let decoded = in_threads(paths, |path| {
                let path = path.as_ref();
                Ok(decode_picture(&super::pixels::file(path)?, path, shape)?)
            });
            let mut bytes = Vec::new();
            decoded.iter().flatten().for_each(|picture| bytes.extend_from_slice(picture));
            let mut predicted = self.predict(&InMemory { bytes, shape })?.into_iter();
            all.extend(decoded.into_iter().map(|picture| picture.and_then(|_| one(predicted.next()))));
        }
        Ok(all)
    }

    /// The prediction for the picture in `bytes`, the content of a file called `name`.
    ///
    /// # Errors
    /// As [`pictures`](Self::pictures).
    pub fn picture(&self, bytes: &[u8], name: &Path) -> Result<Prediction> {
        let shape = self.picture_shape()?;
        one(self.predict(&InMemory { bytes: decode_picture(bytes, name, shape)?, shape })?.into_iter().next())
    }

    /// `[C, H, W]` of the pictures that the run takes.
    fn picture_shape(&self) -> Result<[usize; 3]> {
        let Inputs::Pictures { shape, .. } = *self.spec.inputs() else {
            return Err(Error::Usage("predict: this run takes rows of a table, not pictures".into()));
        };
        Ok(shape)
    }
}

/// The prediction for a sample that was given to the model.
fn one(found: Option<Prediction>) -> Result<Prediction> {
    found.ok_or_else(|| Error::Usage("predict: the model gave no output".into()))
}

/// `f` of each item, in their order, in as many threads as there are cores.
fn in_threads<P: Sync, T: Send>(items: &[P], f: impl Fn(&P) -> T + Sync) -> Vec<T> {
    use std::thread;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = items.len().div_ceil(threads).max(1);
    let f = &f;
    thread::scope(|scope| {
        let mut parts = items.chunks(part);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts
            .map(|part| {
                let work = move || part.iter().map(f).collect::<Vec<T>>();
                // A thread that does not start leaves its part to this one.
                thread::Builder::new().spawn_scoped(scope, work).map_err(|_| part)
            })
            .collect();
        let mut all: Vec<T> = own.iter().map(f).collect();
        for other in others {
            match other.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(found)) => all.extend(found),
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(part) => all.extend(part.iter().map(f)),
            }
        }
        all
    })
}
