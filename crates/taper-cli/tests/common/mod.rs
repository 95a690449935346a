//! Runs the built program in a folder of its own.

#![allow(dead_code)] // each test file uses its part

use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
use taper::HostData;
use taper::data::{Batch, Dataset, Scenes};
use taper::report::Picture;
use tempfile::TempDir;

/// A folder with nothing in it, in which the program runs, and which is also its home.
pub struct Place(TempDir);

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// The program with the arguments of `line`, separated by spaces.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
        command.args(line.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("HOME", self.0.path()).env("RUST_BACKTRACE", "1");
        for variable in ["TAPER_DATA", "TAPER_DOWNLOADS", "TAPER_COMMIT", "TAPER_XTASK", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        command
    }

    pub fn run(&self, line: &str) -> Ran {
        Ran::from(self.command(line).output().unwrap())
    }

    /// Runs it, and it must succeed.
    pub fn ok(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran
    }

    /// Kills the training of `line` once it has saved a checkpoint, resumes it, kills it again, `times` times; then it must
    /// end as the undisturbed run of `line` does, bit by bit. The folders are `whole` and `run`.
    pub fn ends_as_undisturbed(&self, line: &str, times: usize) {
        let whole = self.ok(&format!("{line} --run-dir whole"));
        let mut alive = 0;
        for _ in 0..times {
            let mut command = self.command(&format!("{line} --resume run"));
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let checkpoint = self.path("run/checkpoints/last.safetensors");
            let stamp = || fs::metadata(&checkpoint).and_then(|found| found.modified()).ok();
            let before = stamp();
            while stamp() == before && child.try_wait().unwrap().is_none() {
                sleep(Duration::from_micros(500));
            }
            alive += usize::from(child.try_wait().unwrap().is_none());
            let _ = child.kill(); // an error says that it has ended
            child.wait().unwrap();
        }
        assert!(alive > 0, "no process was killed alive");
        let ran = self.ok(&format!("{line} --resume run"));
        assert_eq!(ran.last_line(), whole.last_line());
        assert!(self.bytes("run/model.safetensors") == self.bytes("whole/model.safetensors"), "other weights");
    }

    /// Runs it; it must fail with `code` and one error on standard error that has all of `texts` in it.
    pub fn fails(&self, line: &str, code: i32, texts: &[&str]) {
        let ran = self.run(line);
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        ran.is_clean();
        assert!(ran.err.starts_with("error: "), "{line}: {ran:?}");
        for text in texts {
            assert!(ran.err.contains(text), "{line}: expected {text:?} in {ran:?}");
        }
    }
}

impl Ran {
    /// No panic, no backtrace, nothing of the program's inside.
    pub fn is_clean(&self) {
        for word in ["panicked", "backtrace", "RUST_BACKTRACE", ".rs:", "unwrap"] {
            assert!(!self.err.contains(word), "{self:?}");
        }
    }

    pub fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A line of `metrics.jsonl`.
pub fn lines(metrics: &str) -> Vec<serde_json::Value> {
    metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The losses of all steps.
pub fn losses(metrics: &str) -> Vec<f64> {
    lines(metrics).iter().filter_map(|line| line["loss"].as_f64()).collect()
}

/// A folder in CIFAR-10's layout: every picture black and an airplane. The files are sparse.
pub fn black_cifar(dir: &Path) -> PathBuf {
    let folder = dir.join("cifar-10-batches-bin");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
        let file = std::fs::File::create(folder.join(format!("{name}.bin"))).unwrap();
        file.set_len(30_730_000).unwrap();
    }
    folder
}

/// A PNG of one colour with a little of `seed` in it.
pub fn png(colour: [u8; 3], seed: u8) -> Vec<u8> {
    let (height, width) = (10, 12);
    let plane = |value: u8| (0..height * width).map(move |i| value.saturating_add((i as u8 ^ seed) % 16));
    Picture::new([3, height, width], colour.into_iter().flat_map(plane).collect()).unwrap().png()
}

/// Folders `blue`, `green` and `red` in `dir` with so many pictures each.
pub fn pictures(place: &Place, dir: &str, each: u8) {
    for (class, colour) in [("blue", [10, 20, 200]), ("green", [10, 200, 20]), ("red", [200, 10, 20])] {
        let folder = place.path(dir).join(class);
        fs::create_dir_all(&folder).unwrap();
        for i in 0..each {
            fs::write(folder.join(format!("{i:02}.png")), png(colour, i * 7)).unwrap();
        }
    }
}

/// A folder of annotated pictures in COCO's format, `NAME/SPLIT/annotations.json`, of the first `count` drawn shapes of each split.
pub fn annotated(place: &Place, name: &str, splits: &[(&str, usize)]) {
    for (split, count) in splits {
        let scenes = Scenes::shapes(*count, split);
        let (folder, size) = (place.path(name).join(split), scenes.size());
        fs::create_dir_all(&folder).unwrap();
        let (mut images, mut annotations) = (Vec::new(), Vec::new());
        for i in 0..scenes.len() {
            let mut batch = Batch::default();
            batch.clear(1);
            scenes.fill(0, &[i], &mut batch).unwrap();
            let HostData::U8(planes) = &batch.field("inputs").unwrap().data else { panic!() };
            let png = Picture::new([3, size, size], planes.clone()).unwrap().png();
            fs::write(folder.join(format!("{i:03}.png")), png).unwrap();
            images.push(json!({"id": i, "file_name": format!("{i:03}.png"), "width": size, "height": size}));
            for thing in scenes.things(i) {
                let ([x1, y1, x2, y2], mask) = (thing.bounds, thing.mask.as_ref().unwrap());
                annotations.push(json!({
                    "id": annotations.len() + 1, "image_id": i, "category_id": thing.class + 1, "iscrowd": 0,
                    "bbox": [x1, y1, x2 - x1, y2 - y1], "area": thing.area,
                    "segmentation": {"size": mask.size(), "counts": mask.counts()},
                }));
            }
        }
        let categories: Vec<_> =
            scenes.classes().iter().enumerate().map(|(i, name)| json!({"id": i + 1, "name": name})).collect();
        let text = json!({"images": images, "categories": categories, "annotations": annotations}).to_string();
        fs::write(folder.join("annotations.json"), text).unwrap();
    }
}
