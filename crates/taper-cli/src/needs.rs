//! What a command line needs of the program: `cargo xtask` builds `taper` with the least, asks it `taper needs -- LINE`,
//! and builds it again only if something is printed. So that the command line is parsed in one place.

use crate::command_line;
use crate::failure::Failure;
use crate::output::Output;
use std::collections::BTreeSet;
use std::ffi::OsString;
use taper::data::{Collection, LocateOptions, Source};
use taper::nn::weights;
use taper::train::{Config, Experiment};

/// The name of the hidden command that prints the needs of the command line after `--`.
pub const NAME: &str = "needs";

/// The features, and whether this program has them.
const FEATURES: &[(&str, bool)] = &[
    ("audio", cfg!(feature = "audio")),
    ("bpe", cfg!(feature = "bpe")),
    ("candle", cfg!(feature = "candle")),
    ("coco", cfg!(feature = "coco")),
    ("csv", cfg!(feature = "csv")),
    ("cuda", cfg!(feature = "cuda")),
    ("download", cfg!(feature = "download")),
    ("gradcheck", cfg!(feature = "gradcheck")),
    ("images", cfg!(feature = "images")),
    ("parquet", cfg!(feature = "parquet")),
    ("pytorch", cfg!(feature = "pytorch")),
];

/// The features that a command line needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs(BTreeSet<&'static str>);

impl Needs {
    /// The feature `gradcheck`, for the cases on which gradients are checked.
    pub fn gradcheck(&mut self) {
        self.0.insert("gradcheck");
    }

    /// What a run of `experiment` needs for its initial weights and its data: readers, or the network.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn experiment(
        &mut self,
        experiment: &dyn Experiment,
        config: &Config,
        options: &LocateOptions,
    ) -> Result<(), Failure> {
        experiment.features(config).iter().for_each(|feature| self.feature(feature));
        if weights::is_pytorch(&config.init.file) {
            self.feature("pytorch");
        }
        if let Some(collection) = experiment.collection(config)? {
            self.collection(collection, options);
        }
        experiment.source(config).map_or(Ok(()), |source| self.data(&source, options))
    }

    /// The feature `download` if `collection` is not in the downloads' folder of `options`, and the network may be asked.
    pub fn collection(&mut self, collection: &Collection, options: &LocateOptions) {
        if !options.offline && !collection.is_there(&options.downloads) {
            self.feature("download");
        }
    }

    /// The feature `name`, for the readers of one's own data.
    pub fn feature(&mut self, name: &'static str) {
        self.0.insert(name);
    }

    /// What the device `name` needs. The CPU needs nothing; a name that no build knows neither.
    pub fn device(&mut self, name: &str) {
        match name.split(':').next() {
            Some("candle") => drop(self.0.insert("candle")),
            Some("cuda") => drop(self.0.insert("cuda")),
            _ => {}
        }
    }

    /// The feature `download` if the data set `name` is in none of the folders of `options`, and the network may be
    /// asked.
    ///
    /// # Errors
    /// An unknown name, or a folder that was named and does not hold the data.
    pub fn data(&mut self, name: &str, options: &LocateOptions) -> Result<(), Failure> {
        let source = Source::named(name)?;
        if options.offline {
            return Ok(());
        }
        let local = LocateOptions { offline: true, ..options.clone() };
        match source.locate(&local, &mut |_| ()) {
            Ok(found) if !found.is_stand_in() => {}
            Ok(_) | Err(taper::data::Error::NotFound { .. }) => drop(self.0.insert("download")),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn missing(&self) -> impl Iterator<Item = &'static str> {
        FEATURES.iter().filter(|(name, has)| !has && self.0.contains(name)).map(|(name, _)| *name)
    }
}

/// Prints the features that the command line `words` needs and this program lacks, one a line. A command line that is
/// wrong needs nothing: started, it says what is wrong.
pub fn print(words: impl Iterator<Item = OsString>, output: &mut Output) {
    of(words).missing().for_each(|feature| output.line(feature));
}

/// What the command line `words`, without the program's name, needs.
pub fn of(words: impl Iterator<Item = OsString>) -> Needs {
    let mut needs = Needs::default();
    match command_line::read(words).map(|line| line.command.needs(&mut needs)) {
        Ok(Ok(())) => needs,
        _ => Needs::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn needed(line: &str) -> String {
        of(line.split_whitespace().map(OsString::from)).0.into_iter().collect::<Vec<_>>().join(",")
    }

    #[test]
    fn devices_are_found_where_a_command_finds_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        // What no reader of lines would see: an inline table, and a name in another table.
        std::fs::write(&config, "device = { name = \"cuda:0\", threads = 0 }\n[data]\nname = \"digits\"\n").unwrap();
        let space = folder.path().join("space.toml");
        let (config, space) = (config.display(), space.display());
        for (line, due) in [
            ("train digits".into(), ""),
            ("train digits --device candle".into(), "candle"),
            ("train digits --device=cuda:1 --epochs 2".into(), "cuda"),
            ("train digits --set device.name=cuda".into(), "cuda"),
            ("train digits --set=device.name=\"cuda\" --device cpu".into(), "cuda"),
            ("train digits --set device.name=cuda --set device.name=cpu".into(), ""),
            ("train digits --run-dir cuda".into(), ""),
            (format!("train digits --config {config}"), "cuda"),
            (format!("train digits --config={config} --device candle"), "candle"),
            (format!("find-lr digits --config={config}"), "cuda"),
            (format!("tune digits --space {space} --set device.name=candle"), "candle"),
            ("gradcheck --device cpu,candle".into(), "candle,gradcheck"),
            ("runs --compare cuda candle".into(), ""),
        ] {
            assert_eq!(needed(&line), due, "{line}");
        }
    }

    #[test]
    fn a_command_line_that_is_wrong_needs_nothing() {
        for line in [
            "",
            "trian digits --device cuda",
            "train digits --device",
            "train digits --device cuda --epochs 0",
            "train digits --device cuda --help",
            "train digits --config none.toml --device cuda",
            "train digits --set data.name=imagenet --device cuda",
            "eval none --device cuda",
            "gradcheck --device cuda --op",
        ] {
            assert_eq!(needed(line), "", "{line}");
        }
    }

    /// A run is asked for its device and its data.
    #[test]
    fn a_run_needs_what_it_was_set_to() {
        let folder = tempfile::tempdir().unwrap();
        let run = taper::train::RunFolder::create(folder.path().join("run")).unwrap();
        let mut config = taper::tasks::experiment("digits").unwrap().config();
        config.device.name = "cuda:0".into();
        run.write_config(&config, None).unwrap();
        let path = run.path().display();
        assert_eq!(needed(&format!("eval {path}")), "", "a run without weights");
        std::fs::write(run.model(), "").unwrap();
        assert_eq!(needed(&format!("eval {path}")), "cuda");
        assert_eq!(needed(&format!("eval --quiet {path} --device cpu")), "");
        assert_eq!(needed(&format!("train digits --resume {path}")), "cuda");
        assert_eq!(needed(&format!("train digits --resume={path} --quiet --set train.epochs=3")), "cuda");
        assert_eq!(needed(&format!("train digits --resume {path}-none --device candle")), "candle");
        assert!(!folder.path().join("run-none").exists(), "asking creates nothing");
    }

    /// Initial weights say by their content who wrote them.
    #[test]
    fn weights_of_pytorch_need_its_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let line = format!("train digits --init {}", path.display());
        assert_eq!(needed(&line), "");
        for (bytes, due) in [(&b"PK\x03\x04"[..], "pytorch"), (b"\x80\x02", "pytorch"), (b"\x08\0\0\0\0\0\0\0{}", "")] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(needed(&line), due);
        }
    }

    /// The network is needed only for data that lie nowhere, and if it may be asked.
    #[test]
    fn data_that_are_there_are_not_fetched() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, downloads: &Path, offline| {
            let options = LocateOptions { downloads: downloads.into(), offline, ..LocateOptions::default() };
            let mut needs = Needs::default();
            needs.data(name, &options).map(|()| needs.0.contains("download")).map_err(|failure| format!("{failure:?}"))
        };
        let (empty, full) = (folder.path().join("empty"), folder.path().join("full"));
        for part in ["cifar-10-batches-bin", "mnist"] {
            std::fs::create_dir_all(full.join(part)).unwrap();
        }
        std::fs::write(full.join("cifar-10-batches-bin/test_batch.bin"), "").unwrap();
        std::fs::write(full.join("mnist/t10k-labels-idx1-ubyte.gz"), "").unwrap();
        for name in ["cifar10", "mnist"] {
            assert_eq!([of(name, &empty, false), of(name, &empty, true)], [Ok(true), Ok(false)], "{name}");
            assert_eq!(of(name, &full, false), Ok(false), "{name}");
        }
        assert_eq!(of("digits", &empty, false), Ok(false));
        assert!(of("imagenet", &empty, false).is_err());
        assert_eq!(needed("train cifar --offline"), "");
        assert_eq!(needed(&format!("train cifar --data-dir {}", full.display())), "");
        assert_eq!(needed(&format!("download cifar --dir {}", empty.display())), "download");
        assert_eq!(needed(&format!("download cifar --dir={}", full.display())), "");
        let data = |rest: &str| format!("train text --data-dir {rest}");
        assert_eq!(needed(&data("tiny-shakespeare --offline")), "");
        assert_eq!(needed(&format!("download lfw --dir {}", empty.display())), "download");
        std::fs::create_dir_all(full.join("collections/lfw/lfw")).unwrap();
        assert_eq!(needed(&format!("download lfw --dir {}", full.display())), "");
        // What is built without the network's code takes no time of the first build.
        assert_eq!(needed(&format!("train cifar --device cuda --data-dir {}", full.display())), "cuda");
    }
}
