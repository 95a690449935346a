//! A run that is killed at any moment and resumed ends as if it had never been disturbed, bit by bit.

#![cfg(unix)]

mod common;

use common::{Place, Ran, lines};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Adam under a schedule, with checkpoints in the middle of epochs and a test that takes a while.
const PLAIN: &str = "train digits --quiet --threads 1 --set train.epochs=6 --set train.batch_size=32 \
                     --set schedule.name=cosine --set checkpoint.every_steps=7 --set train.log_every=3 \
                     --set train.eval_batch_size=2 --set train.views=six";
/// All that draws or remembers besides.
const STOCHASTIC: &str = "--set optimizer.name=sgd --set optimizer.momentum=0.9 --set optimizer.nesterov=true \
                          --set optimizer.lr=0.05 --set train.ema=0.9 --set regularization.mixup=0.3 \
                          --set data.augment=[{kind=\"translate\",pixels=1,fill=\"zero\"}] --set data.workers=2";
/// Kills at random moments that meet a run alive, of each of two.
const RANDOM: usize = 11;

/// Numbers in [0, 1): D. Knuth's linear congruential generator (MMIX).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What a run left behind that does not depend on the clock.
#[derive(PartialEq)]
struct Left {
    last_line: String,
    model: Vec<u8>,
    best: Vec<u8>,
    metrics: Vec<serde_json::Value>,
    events: Vec<Vec<u8>>,
}

impl Left {
    fn of(place: &Place, run: &str, ran: &Ran) -> Self {
        let mut metrics = lines(&place.read(&format!("{run}/metrics.jsonl")));
        for line in metrics.iter_mut().filter_map(serde_json::Value::as_object_mut) {
            line.retain(|key, _| !["seconds", "samples_per_s", "loader_idle"].contains(&key.as_str()));
        }
        Self {
            last_line: ran.last_line().into(),
            model: place.bytes(&format!("{run}/model.safetensors")),
            best: place.bytes(&format!("{run}/checkpoints/best.safetensors")),
            metrics,
            events: events(&place.bytes(&format!("{run}/events/events.out.tfevents.taper"))),
        }
    }

    fn is(&self, other: &Self) {
        assert_eq!(self.last_line, other.last_line);
        assert!(self.model == other.model && self.best == other.best, "other weights");
        assert_eq!(self.metrics, other.metrics);
        assert!(self.events == other.events, "other events");
    }
}

/// The events without their times, nor those that tell times.
fn events(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        // Length (8 bytes), its checksum (4), the event, its checksum (4); the event begins with its time (9).
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let event = &rest[12 + 9..12 + length];
        if !event.windows(5).any(|part| part == b"time/") {
            found.push(event.to_vec());
        }
        rest = &rest[12 + length + 4..];
    }
    found
}

/// A run that is killed again and again.
struct Killed<'a> {
    place: &'a Place,
    line: String,
    run: String,
    undisturbed: &'a Left,
    /// Processes started: not each was alive when it was to be killed.
    started: usize,
    /// Kills that met a live process, with what was there at each: none of the run's files, its settings, a checkpoint,
    /// the weights.
    kills: BTreeMap<&'static str, usize>,
}

impl Killed<'_> {
    /// Goes on with the run, and kills it once `due` says so. `false` if it came to its end before, which must be the
    /// right one.
    fn kill(&mut self, due: impl Fn() -> bool) -> bool {
        let mut command = self.place.command(&format!("{} --resume {}", self.line, self.run));
        let mut child: Child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !due() && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_micros(200));
        }
        let _ = child.kill(); // an error says that it has ended
        self.started += 1;
        let output = child.wait_with_output().unwrap();
        if output.status.signal() == Some(9) {
            let there = |name: &str| self.place.path(&self.run).join(name).exists();
            let stage = match () {
                () if !there("config.toml") => "nothing",
                () if !there("checkpoints/last.safetensors") => "settings",
                () if !there("model.safetensors") => "a checkpoint",
                () => "the weights",
            };
            *self.kills.entry(stage).or_default() += 1;
            return true;
        }
        let ran = Ran::from(output);
        assert_eq!(ran.code, 0, "{ran:?}");
        Left::of(self.place, &self.run, &ran).is(self.undisturbed);
        false
    }

    /// Kills runs at random moments of the undisturbed run's `length` until `wanted` kills have met one alive, and one of all kills
    /// a checkpoint; where a run comes to its end before that, another begins. The last goes on to its end.
    fn at_random(&mut self, random: &mut Random, length: Duration, wanted: usize) {
        let (mut done, mut runs) = (0, 0);
        while done < wanted || !self.kills.contains_key("a checkpoint") {
            self.run = format!("run-{runs}");
            let delay = length.mul_f64(0.8 * random.next());
            let begun = Instant::now();
            match self.kill(|| begun.elapsed() >= delay) {
                true => done += 1,
                false => runs += 1,
            }
            assert!(runs < 50 && done < 100, "{runs} runs ended before they were killed; kills: {:?}", self.kills);
        }
        self.finish();
    }

    /// Goes on to the end.
    fn finish(&mut self) {
        assert!(!self.kill(|| false));
    }

    /// The files below a folder of the run whose names begin with a dot: what is being written.
    fn writing(place: &Place, folder: &str) -> bool {
        let entries = fs::read_dir(place.path(folder)).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with('.'))
    }
}

/// Every file below `folder`, with what is in it and when it was written.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            let written = fs::metadata(&entry).unwrap().modified().unwrap();
            found.insert(entry.display().to_string(), (fs::read(&entry).unwrap(), written));
        }
    }
    found
}

#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let mut random = Random(5);
    let (mut started, mut kills) = (0, BTreeMap::<&str, usize>::new());
    for (number, settings) in ["", STOCHASTIC].into_iter().enumerate() {
        let place = Place::new();
        let line = format!("{PLAIN} {settings}");
        let begun = Instant::now();
        let ran = place.ok(&format!("{line} --run-dir whole"));
        let length = begun.elapsed();
        let undisturbed = Left::of(&place, "whole", &ran);
        let run = "run".to_string();
        let mut killed =
            Killed { place: &place, line, run, undisturbed: &undisturbed, started: 0, kills: BTreeMap::new() };

        // At once; with the settings just written; while a checkpoint is being written; in the test.
        killed.kill(|| true);
        killed.kill(|| place.path("run/config.toml").exists());
        assert!(killed.kill(|| Killed::writing(&place, "run/checkpoints")), "never saw a checkpoint being written");
        // A slow machine may be past the test before it is looked at: then this is no kill.
        killed.kill(|| place.path("run/model.safetensors").exists());
        killed.finish();

        killed.at_random(&mut random, length, RANDOM);
        if number == 0 {
            a_finished_run_stays_as_it_is(&place, &killed.line, &ran);
        }
        started += killed.started;
        for (stage, count) in killed.kills {
            *kills.entry(stage).or_default() += count;
        }
    }
    let met = kills.values().sum::<usize>();
    println!("{met} of {started} processes were killed alive; by what was there: {kills:?}");
    // Besides the random ones, of which the loop sees to it: at once, and while a checkpoint was being written.
    assert!(met >= 2 * (RANDOM + 2), "{met}: {kills:?}");
    assert!(["nothing", "a checkpoint"].iter().all(|stage| kills.contains_key(stage)), "{kills:?}");
}

/// What does not classify: the numbers of a table, and the pictures themselves.
#[test]
#[cfg(feature = "csv")]
fn a_killed_run_of_another_task_goes_on_bit_by_bit() {
    const WANTED: usize = 4;
    let settings = "--quiet --threads 1 --set train.epochs=6 --set schedule.name=cosine --set checkpoint.every_steps=7 \
                    --set train.log_every=3 --set train.eval_batch_size=2 --set data.workers=2";
    let mut random = Random(7);
    for experiment in ["table data.csv --target y --set train.ema=0.9", "autoencoder --set train.batch_size=32"] {
        let place = Place::new();
        let mut text = String::from("size,colour,y\n");
        for _ in 0..1500 {
            let size = random.next();
            let colour = if size < 0.1 { "" } else { ["red", "green"][(100.0 * size) as usize % 2] };
            text += &format!("{size},{colour},{}\n", 3.0 * size + random.next());
        }
        fs::write(place.path("data.csv"), text).unwrap();
        let line = format!("train {experiment} {settings}");
        let begun = Instant::now();
        let ran = place.ok(&format!("{line} --run-dir whole"));
        let length = begun.elapsed();
        let undisturbed = Left::of(&place, "whole", &ran);
        let run = "run".to_string();
        let mut killed =
            Killed { place: &place, line, run, undisturbed: &undisturbed, started: 0, kills: BTreeMap::new() };
        assert!(killed.kill(|| Killed::writing(&place, "run/checkpoints")), "never saw a checkpoint being written");
        killed.kill(|| place.path("run/model.safetensors").exists());
        killed.finish();
        killed.at_random(&mut random, length, WANTED);
        let met = killed.kills.values().sum::<usize>();
        assert!(met > WANTED && killed.kills.contains_key("a checkpoint"), "{:?}", killed.kills);
        let found = place.read("whole/result.json");
        assert!(found.contains("rmse") != found.contains("psnr"), "{found}");
    }
}

/// Blocks of a text begin elsewhere in each pass, and an epoch is some steps.
#[test]
fn a_killed_run_of_a_text_goes_on_bit_by_bit() {
    const WANTED: usize = 2;
    let place = Place::new();
    let words = (0..3000_usize).map(|i| ["to ", "be ", "or ", "not "][i * i / 7 % 4]);
    fs::write(place.path("text.txt"), words.collect::<String>()).unwrap();
    let line = "train text --data-dir text.txt --quiet --threads 1 --set data.block=16 --set model.n_layer=1 \
                --set model.n_embd=16 --set model.dropout=0.1 --set train.epochs=4 --set train.epoch_steps=60 \
                --set checkpoint.every_steps=7 --set train.log_every=3 --set data.workers=2";
    let begun = Instant::now();
    let ran = place.ok(&format!("{line} --run-dir whole"));
    let length = begun.elapsed();
    let undisturbed = Left::of(&place, "whole", &ran);
    let (line, run) = (line.to_string(), "run".to_string());
    let mut killed = Killed { place: &place, line, run, undisturbed: &undisturbed, started: 0, kills: BTreeMap::new() };
    assert!(killed.kill(|| Killed::writing(&place, "run/checkpoints")), "never saw a checkpoint being written");
    killed.finish();
    killed.at_random(&mut Random(11), length, WANTED);
    assert!(killed.kills.contains_key("a checkpoint"), "{:?}", killed.kills);
}

fn a_finished_run_stays_as_it_is(place: &Place, line: &str, ran: &Ran) {
    let before = files(&place.path("whole"));
    let again = place.ok(&format!("{line} --resume whole"));
    assert_eq!((again.last_line(), again.err.as_str()), (ran.last_line(), ""));
    assert!(files(&place.path("whole")) == before);
}

/// What kills leave half written, at the moments that are too short to be met.
#[test]
fn what_is_half_written_is_removed() {
    let place = Place::new();
    let line = "train digits --quiet --threads 1 --max-steps 30 --set checkpoint.every_steps=7";
    let whole = place.ok(&format!("{line} --run-dir whole"));
    fs::create_dir_all(place.path("run")).unwrap();
    fs::write(place.path("run/.config.toml.7-0.tmp"), "model = ").unwrap();
    let first = place.ok(&format!("{line} --resume run"));
    assert_eq!(first.last_line(), whole.last_line());
    // As if killed before the report and the result were whole, and while a checkpoint was written.
    fs::remove_file(place.path("run/result.json")).unwrap();
    fs::write(place.path("run/.report.html.7-3.tmp"), "<").unwrap();
    fs::write(place.path("run/checkpoints/.last.safetensors.7-1.tmp"), "x").unwrap();
    let ran = place.ok(&format!("{line} --resume run"));
    Left::of(&place, "run", &ran).is(&Left::of(&place, "whole", &whole));
    let names = |run: &str| -> Vec<String> {
        let names = files(&place.path(run)).into_keys();
        names.map(|name| name.replace(&place.path(run).display().to_string(), "")).collect()
    };
    assert_eq!(names("run"), names("whole"));
}

#[test]
fn what_cannot_be_resumed_is_told() {
    let place = Place::new();
    fs::create_dir_all(place.path("other")).unwrap();
    fs::write(place.path("other/thesis.tex"), "").unwrap();
    place.fails("train digits --resume other", 1, &["other", "holds files already"]);
    assert_eq!(files(&place.path("other")).len(), 1);

    let line = "train digits --quiet --threads 1 --max-steps 30 --set checkpoint.every_steps=7";
    place.ok(&format!("{line} --run-dir run"));
    place.fails(
        "train digits --resume run --set train.epochs=3",
        2,
        &["train.epochs is 20 in this run, and cannot become 3"],
    );
    place.fails("train digits --resume run --lr 0.5", 2, &["optimizer.lr is 0.001 in this run"]);
    place.fails("train digits --resume run --run-dir run", 2, &["--run-dir"]);
    // As many threads as one likes.
    place.ok("train digits --quiet --resume run --threads 2");

    fs::remove_file(place.path("run/result.json")).unwrap();
    let checkpoint = place.bytes("run/checkpoints/last.safetensors");
    let path = place.path("run/checkpoints/last.safetensors");
    for broken in [&checkpoint[..checkpoint.len() - 9], b"", b"nothing of the kind"] {
        fs::write(&path, broken).unwrap();
        place.fails("train digits --resume run", 1, &["last.safetensors", "remove it to start the run over"]);
    }
    // Weights are no checkpoint.
    fs::copy(place.path("run/model.safetensors"), &path).unwrap();
    place.fails("train digits --resume run", 1, &["it is no checkpoint; remove it to start the run over"]);
    fs::write(&path, checkpoint).unwrap();

    let config = place.read("run/config.toml");
    let other = config.lines().map(|line| if line.starts_with("checksum") { "checksum = \"0\"" } else { line });
    fs::write(place.path("run/config.toml"), other.collect::<Vec<_>>().join("\n")).unwrap();
    place.fails("train digits --resume run", 1, &["the run began with other data than are found now"]);
}
