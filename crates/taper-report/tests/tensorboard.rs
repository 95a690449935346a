//! Event files, beside what TensorBoard's own reader found in the very bytes that are written here
//! (`data/tensorboard_read.json`, by `tests/peers/tensorboard_read.py`). Where there is a Python that has `tensorboard`
//! and `pillow`, it reads them again.

#[path = "common/events.rs"]
mod events;

use events::records;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use taper_report::tensorboard::*;
use taper_report::{Matrix, Picture};

const START: f64 = 1.7e9;
const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Half a second an event.
fn clock(mut events: u32) -> Clock {
    Box::new(move || {
        events += 1;
        START + 0.5 * f64::from(events)
    })
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes events, and beside them what a reader is to find.
struct Twin {
    events: EventWriter,
    tick: Clock,
    found: Map<String, Value>,
}

impl Twin {
    fn create(folder: &Path) -> Self {
        let events = EventWriter::create(folder, clock(0)).unwrap();
        let mut tick = clock(0);
        tick(); // the version's
        let kinds = ["scalars", "images", "histograms", "texts"];
        Self { events, tick, found: kinds.map(|kind| (kind.to_string(), json!({}))).into_iter().collect() }
    }

    fn expect(&mut self, kind: &str, tag: &str, step: u64, value: Value) {
        let entry = json!({ "step": step, "wall_time": (self.tick)(), "value": value });
        match &mut self.found[kind][tag] {
            Value::Array(entries) => entries.push(entry),
            none => *none = json!([entry]),
        }
    }

    fn scalar(&mut self, tag: &str, step: u64, number: f64) {
        self.events.scalar(tag, step, number).unwrap();
        self.expect("scalars", tag, step, json!(f64::from(number as f32)));
    }

    fn image(&mut self, tag: &str, step: u64, picture: &Picture) {
        self.events.image(tag, step, picture).unwrap();
        let ([channels, height, width], values) = (picture.shape(), picture.values());
        let interleaved =
            (0..height * width).flat_map(|at| (0..channels).map(move |c| values[c * height * width + at]));
        let pixels = sha256(interleaved.collect::<Vec<_>>());
        let mode = if channels == 1 { "L" } else { "RGB" };
        let value = json!({ "width": width, "height": height, "mode": mode, "pixels_sha256": pixels });
        self.expect("images", tag, step, value);
    }

    fn histogram(&mut self, tag: &str, step: u64, values: &[f32]) {
        let histogram = Histogram::new(values).unwrap();
        self.events.histogram(tag, step, &histogram).unwrap();
        let Histogram { min, max, num, sum, sum_squares, limits, counts } = histogram;
        let counts: Vec<f64> = counts.into_iter().map(|count| count as f64).collect();
        let value = json!({
            "min": min, "max": max, "num": num as f64, "sum": sum, "sum_squares": sum_squares, "limits": limits,
            "counts": counts,
        });
        self.expect("histograms", tag, step, value);
    }

    fn text(&mut self, tag: &str, step: u64, text: &str) {
        self.events.text(tag, step, text).unwrap();
        self.expect("texts", tag, step, json!([text]));
    }
}

/// A run's events, of everything a kind: also an example to look at.
fn write(folder: &Path) -> Map<String, Value> {
    let mut twin = Twin::create(folder);
    twin.text("config", 0, "| key | value |\n|---|---|\n| `optimizer.lr` | 0.1 |\n| naïve | ✓ |");

    for step in 1..=30 {
        let loss = 2.3 / (1.0 + 0.1 * step as f64);
        twin.scalar("loss/train", step, loss);
        if step % 10 == 0 {
            twin.scalar("loss/validation", step, loss + 0.01 * step as f64);
        }
    }
    twin.scalar("negative", 1 << 30, -0.1);

    let values: Vec<f32> = (0..60).map(|at| (at * 37 % 60) as f32 / 64.0 - 0.46).collect();
    for step in [10, 20, 30] {
        let shifted: Vec<f32> = values.iter().map(|v| v + step as f32 / 64.0).collect();
        twin.histogram("weights/fc.weight", step, &shifted);
        twin.histogram("gradients/fc.weight", step, &values);
    }

    let ramp = |shape: [usize; 3], by: usize| {
        Picture::new(shape, (0..shape.iter().product()).map(|at| (at * by % 251) as u8).collect()).unwrap()
    };
    twin.image("samples", 30, &Picture::grid(&[1, 2, 3, 5, 7].map(|by| ramp([3, 16, 16], by)), 3).unwrap());
    twin.image("filter", 30, &Picture::from_unit([1, 2, 3], &[0.0, 0.25, 0.5, 0.75, 1.0, f32::NAN]).unwrap());
    for (step, wrong) in [(10, 3), (30, 7)] {
        let confused = |class: usize| if class == 3 { 5 } else { (class * 7 + 3) % 10 };
        let mut counts = vec![0; 100];
        for at in 0..2000 {
            let class = at % 10;
            counts[class * 10 + if at / 10 % wrong == 0 { confused(class) } else { class }] += 1;
        }
        twin.image("confusion", step, &Matrix::confusion(CLASSES, counts).unwrap().picture());
    }
    twin.events.sync().unwrap();
    let bytes = fs::read(twin.events.path()).unwrap();
    assert_eq!(twin.events.position(), bytes.len() as u64);
    twin.found.insert("sha256".into(), sha256(bytes).into());
    twin.found.insert("file_version".into(), json!(2.0));
    twin.found
}

/// A folder that stays, so that its file can be read by hand.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn tensorboard_reads_what_was_written() {
    let folder = folder("events");
    let expected = write(&folder);
    let file = folder.join(FILE_NAME);
    let without_version = |mut read: Map<String, Value>| {
        assert!(read.remove("peer").unwrap().as_str().unwrap().starts_with("tensorboard "));
        read
    };
    let recorded = without_version(serde_json::from_str(include_str!("data/tensorboard_read.json")).unwrap());
    assert_eq!(
        recorded["sha256"],
        expected["sha256"],
        "other bytes than those that tensorboard was given; to record what it reads now: \
         python tests/peers/tensorboard_read.py {} > crates/taper-report/tests/data/tensorboard_read.json",
        file.display()
    );
    for (key, value) in &expected {
        assert_eq!(&recorded[key], value, "{key}");
    }
    assert_eq!(recorded.len(), expected.len());

    if let Some(read) = events::read_by_tensorboard(&file) {
        assert_eq!(without_version(read), expected);
    }
}

#[test]
fn records_are_whole() {
    let folder = folder("records");
    let expected = write(&folder);
    let bytes = fs::read(folder.join(FILE_NAME)).unwrap();
    let of_kind = |kind: &str| -> usize {
        expected[kind].as_object().unwrap().values().map(|entries| entries.as_array().unwrap().len()).sum()
    };
    let events: usize = ["scalars", "images", "histograms", "texts"].map(of_kind).iter().sum();
    let records = records(&bytes);
    // And the version.
    assert_eq!(records.len(), events + 1);
    // wall_time: double = 1, file_version: string = 3.
    let version = [&[0x09][..], &(START + 0.5).to_le_bytes(), &[0x1a, 13], b"brain.Event:2"].concat();
    assert_eq!(records[0], version);
    let last = records.iter().rev().find(|record| record.windows(8).any(|part| part == b"negative")).unwrap();
    // step: int64 = 2, 2³⁰; summary = 5 { value = 1 { tag = 1, simple_value: float = 2 } }.
    let value = [&[0x0a, 8][..], b"negative", &[0x15], &(-0.1_f32).to_le_bytes()].concat();
    let step = [0x10, 0x80, 0x80, 0x80, 0x80, 0x04];
    assert_eq!(last[9..], [&step[..], &[0x2a, 17, 0x0a, 15], &value].concat());
}

#[test]
fn a_killed_run_goes_on_where_its_checkpoint_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    let mut writer = EventWriter::create(&folder, clock(0)).unwrap();
    writer.scalar("loss", 1, 0.5).unwrap();
    let checkpoint = writer.position();
    (2..5).for_each(|step| writer.scalar("loss", step, 0.25).unwrap());
    drop(writer);
    let undisturbed = fs::read(&file).unwrap();

    // Killed later, in the middle of an event.
    fs::write(&file, [&undisturbed[..], &[7; 11]].concat()).unwrap();
    let mut writer = EventWriter::open_at(&folder, checkpoint, clock(2)).unwrap();
    assert_eq!(writer.position(), checkpoint);
    assert_eq!(fs::metadata(&file).unwrap().len(), checkpoint);
    (2..5).for_each(|step| writer.scalar("loss", step, 0.25).unwrap());
    assert_eq!(fs::read(&file).unwrap(), undisturbed);
    assert_eq!(writer.position(), undisturbed.len() as u64);
}

#[test]
fn a_file_of_another_run_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let missing = EventWriter::open_at(&folder, 10, clock(0)).unwrap_err().to_string();
    assert!(missing.starts_with("cannot open ") && missing.contains(FILE_NAME), "{missing}");
    let mut writer = EventWriter::create(&folder, clock(0)).unwrap();
    writer.scalar("loss", 1, 0.5).unwrap();
    let (length, before) = (writer.position(), fs::read(writer.path()).unwrap());
    for wrong in [0, 5, length - 1, length + 1, u64::MAX] {
        let text = EventWriter::open_at(&folder, wrong, clock(0)).unwrap_err().to_string();
        let end = format!(
            "{FILE_NAME}: expected an event that ends at byte {wrong}, found a file of {length} bytes without one; \
             resume with the event file that belongs to the checkpoint, or start a new run"
        );
        assert!(text.ends_with(&end), "{text}");
    }
    assert_eq!(fs::read(writer.path()).unwrap(), before);
}

#[test]
fn histograms_are_as_in_pytorch() {
    let recorded: Value = serde_json::from_str(include_str!("data/torch_histograms.json")).unwrap();
    let recorded = recorded["histograms"].as_array().unwrap();
    assert!(recorded.len() >= 8);
    for want in recorded {
        let name = &want["name"];
        let values: Vec<f64> = serde_json::from_value(want["values"].clone()).unwrap();
        let found = Histogram::new(&values).unwrap();
        let filled: Vec<(f64, f64, f64)> = (1..found.counts.len())
            .filter(|&at| found.counts[at] > 0)
            .map(|at| (found.limits[at - 1], found.limits[at], found.counts[at] as f64))
            .collect();
        assert_eq!(json!(filled), want["filled"], "{name}");
        assert_eq!(json!(found.limits[0]), want["first_limit"], "{name}");
        assert_eq!(json!(found.limits.last()), want["last_limit"], "{name}");
        assert_eq!(
            [json!(found.min), json!(found.max), json!(found.num as f64)],
            ["min", "max", "num"].map(|k| want[k].clone())
        );
        for (found, key) in [(found.sum, "sum"), (found.sum_squares, "sum_squares")] {
            let want = want[key].as_f64().unwrap();
            assert!((found - want).abs() <= 1e-12 * want.abs().max(1.0), "{name}, {key}: {found}, {want}");
        }
    }
}

#[test]
fn buckets_hold_every_finite_value() {
    assert_eq!(Histogram::new::<f32>(&[]), None);
    assert_eq!(Histogram::new(&[f32::NAN, f32::INFINITY]), None);
    let mut values: Vec<f32> = (0..1000).map(|at| ((at * 7919 % 1000) as f32 / 500.0 - 1.0).powi(3)).collect();
    values.extend([f32::NAN, 3e30, -3e30]);
    let histogram = Histogram::new(&values).unwrap();
    assert_eq!(histogram.num, 1002);
    assert_eq!(histogram.counts.iter().sum::<u64>(), 1002);
    assert!(histogram.limits.is_sorted_by(|a, b| a < b));
    assert!(!histogram.counts.windows(2).any(|pair| pair == [0, 0]), "empty buckets beside each other are one");
}

/// Opening a pipe that nobody reads would block forever.
#[test]
#[cfg(unix)]
fn what_is_no_plain_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let refused = || {
        let opened = EventWriter::open_at(&folder, 10, clock(0)).unwrap_err();
        [EventWriter::create(&folder, clock(0)).unwrap_err(), opened].map(|error| error.to_string())
    };
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let end = format!("{FILE_NAME}: expected a plain file, found a pipe, a socket or a device");
    assert!(refused().iter().all(|text| text.ends_with(&end)), "{:?}", refused());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refused().iter().all(|text| text.ends_with(": expected a plain file, found a folder")), "{:?}", refused());
}
