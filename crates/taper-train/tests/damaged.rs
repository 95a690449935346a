//! Files of a run, damaged in any way: whoever reads them says so, or reads them, and never panics.

mod common;

use common::{Data, Digits, Net, config, device, options};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use std::fs;
use std::sync::atomic::AtomicBool;
use taper_nn::{DType, weights};
use taper_train::tune::{Method, Search, Settings, Space, Trial, Trials};
use taper_train::{
    Config, Evaluation, Experiment, Fit, Outcome, Override, Result, RunFolder, Silent, read_checkpoint, runs, train,
};

/// A change of a file's bytes. Places are shares of its length.
#[derive(Debug, Clone)]
enum Damage {
    Cut(f64),
    Set(f64, u8),
    Remove(f64, usize),
    Insert(f64, Vec<u8>),
    Repeat(f64, usize),
    /// A number of the text, whichever is next behind the place, becomes another.
    Number(f64, usize),
}

/// What numbers become.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "7",
    "255",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1e999",
    "-1e308",
    "5e-324",
    "0.5",
    "1.5",
    "nan",
    "inf",
    "null",
    "true",
    "\"7\"",
    "[]",
    "{}",
    "",
];

fn damage() -> impl Strategy<Value = Damage> {
    let place = 0.0..1.0_f64;
    prop_oneof![
        1 => place.clone().prop_map(Damage::Cut),
        3 => (place.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (place.clone(), 1..40_usize).prop_map(|(at, n)| Damage::Remove(at, n)),
        1 => (place.clone(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (place.clone(), 1..60_usize).prop_map(|(at, n)| Damage::Repeat(at, n)),
        8 => (place, 0..NUMBERS.len()).prop_map(|(at, number)| Damage::Number(at, number)),
    ]
}

impl Damage {
    fn to(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: f64| (at * length as f64) as usize;
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Set(at, byte) => bytes[place(*at)] = *byte,
            Self::Remove(at, n) => drop(bytes.drain(place(*at)..(place(*at) + n).min(length))),
            Self::Insert(at, more) => drop(bytes.splice(place(*at)..place(*at), more.iter().copied())),
            Self::Repeat(at, n) => {
                let part = bytes[place(*at)..(place(*at) + n).min(length)].to_vec();
                bytes.splice(place(*at)..place(*at), part);
            }
            Self::Number(at, number) => {
                let digit = |byte: &u8| byte.is_ascii_digit() || b".-+e".contains(byte);
                let Some(start) = (place(*at)..length).find(|&i| bytes[i].is_ascii_digit()) else { return };
                let end = (start..length).find(|&i| !digit(&bytes[i])).unwrap_or(length);
                bytes.splice(start..end, NUMBERS[*number].bytes());
            }
        }
    }
}

/// The file's bytes with all of `damages`. Those of a safetensors file mostly go to its header, whose length is made
/// right again: else nothing of it would be read.
fn damaged(whole: &[u8], damages: &[Damage], header: bool) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    if !header {
        damages.iter().for_each(|damage| damage.to(&mut bytes));
        return bytes;
    }
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut text = whole[8..8 + length].to_vec();
    damages.iter().for_each(|damage| damage.to(&mut text));
    [&(text.len() as u64).to_le_bytes(), text.as_slice(), &whole[8 + length..]].concat()
}

/// Tries `cases` ways to damage `whole`.
fn try_damages(cases: u32, whole: &[u8], has_header: bool, read: impl Fn(&[u8])) {
    let ways = (prop::collection::vec(damage(), 1..4), 0..8_u8);
    let seed = proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let settings = Cases { cases: many(cases), failure_persistence: None, ..Cases::default() };
    let mut runner = TestRunner::new_with_rng(settings, seed);
    let tried = runner.run(&ways, |(damages, way)| {
        read(&damaged(whole, &damages, has_header && way > 0));
        Ok(())
    });
    tried.unwrap();
}

/// `TAPER_CASES` for more of them.
fn many(cases: u32) -> u32 {
    std::env::var("TAPER_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(cases)
}

fn settings() -> Config {
    config(&[
        "train.epochs=3",
        "train.batch_size=64",
        "train.ema=0.9",
        "optimizer.lr=0.01",
        "optimizer.lookahead=2",
        "schedule.name=plateau",
        "regularization.patience=9",
        "log.report=false",
        "data.workers=0",
    ])
}

fn resumed(folder: &RunFolder, data: &Data) -> Result<Outcome> {
    let (settings, net) = (settings(), Net::stochastic(DType::F32, 0));
    let task = net.task();
    let fit = Fit::new(&settings, &task, &net.params, &data.train).validation(&data.validation);
    fit.test(&data.test).folder(folder).resume().run(&mut Silent)
}

#[test]
fn checkpoints() {
    let data = Data::few();
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let (settings, net) = (settings(), Net::stochastic(DType::F32, 0));
    let task = net.task();
    let fit = Fit::new(&settings, &task, &net.params, &data.train).validation(&data.validation);
    fit.folder(&folder).pause_after(2).run(&mut Silent).unwrap();
    let whole = fs::read(folder.last()).unwrap();
    assert_eq!(read_checkpoint(folder.last(), &device()).unwrap().step, 10);
    let files = [folder.metrics(), folder.config(), folder.events().join("events.out.tfevents.taper")];
    let others = files.map(|path| (fs::read(&path).unwrap(), path));
    try_damages(150, &whole, true, |bytes| {
        fs::write(folder.last(), bytes).unwrap();
        let read = read_checkpoint(folder.last(), &device());
        let went_on = resumed(&folder, &data);
        assert!(read.is_ok() || went_on.is_err());
        others.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
    });
}

/// A count that no run has reached, wherever it stands, is refused: nothing is added to it.
#[test]
fn counts_out_of_range() {
    let data = Data::few();
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let (settings, net) = (settings(), Net::stochastic(DType::F32, 0));
    let task = net.task();
    let fit = Fit::new(&settings, &task, &net.params, &data.train).validation(&data.validation);
    fit.folder(&folder).pause_after(2).run(&mut Silent).unwrap();
    let whole = fs::read(folder.last()).unwrap();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(whole[8..8 + length].to_vec()).unwrap();
    for (key, new) in [
        ("step", "18446744073709551615"),
        ("step", "11"),
        ("made", "18446744073709551615"),
        ("number", "3689348814741910323"),
        ("samples", "18446744073709551615"),
        ("counted", "18446744073709551615"),
        ("counted", "400"),
        ("sums", "[[1e999,1.0],[1.0,1.0]]"),
        ("readings", "18446744073709551615"),
        ("vanished", "18446744073709551615"),
        ("epoch", "18446744073709551615"),
        ("metrics", "18446744073709551615"),
        ("seconds", "-1.0"),
    ] {
        let start = text.find(&format!("\\\"{key}\\\":")).unwrap_or_else(|| panic!("no {key}")) + key.len() + 5;
        let start = if text[start..].starts_with('{') { continue } else { start };
        let end = start + text[start..].find([',', '}']).unwrap();
        let changed = format!("{}{new}{}", &text[..start], &text[end..]);
        let bytes = [&(changed.len() as u64).to_le_bytes(), changed.as_bytes(), &whole[8 + length..]].concat();
        fs::write(folder.last(), bytes).unwrap();
        let error = resumed(&folder, &data).unwrap_err().to_string();
        let due = ["remove it to start the run over", "resume with the file that belongs to the checkpoint"];
        assert!(due.iter().any(|due| error.contains(due)), "{key} = {new}: {error}");
    }
    fs::write(folder.last(), whole).unwrap();
    resumed(&folder, &data).unwrap();
}

#[test]
fn weights_of_a_run() {
    let (root, net) = (tempfile::tempdir().unwrap(), Net::stochastic(DType::F32, 0));
    let path = root.path().join("model.safetensors");
    weights::save(&net.params.all(), &path).unwrap();
    let whole = fs::read(&path).unwrap();
    try_damages(300, &whole, true, |bytes| {
        fs::write(&path, bytes).unwrap();
        let _ = weights::load_cast(&net.params.all(), &path);
    });
}

/// The configuration, the metrics and the result of a finished run: read by resuming it, by listing, as `--config`.
#[test]
fn texts_of_a_run() {
    let (root, stop) = (tempfile::tempdir().unwrap(), AtomicBool::new(false));
    let path = root.path().join("run");
    let settings = config(&["data.train_samples=100", "data.test_samples=50", "optimizer.lr=0.01", "train.epochs=2"]);
    train(&Digits("digits"), &settings, &device(), options(&path, &stop), &mut Silent).unwrap();
    let folder = RunFolder::resume(&path).unwrap();
    for file in [folder.config(), folder.metrics(), folder.result()] {
        let whole = fs::read(&file).unwrap();
        try_damages(150, &whole, false, |bytes| {
            fs::write(&file, bytes).unwrap();
            let listed = runs::list(root.path()).unwrap();
            assert_eq!(listed.len(), 1);
            let _ = runs::to_json(&listed);
            let _ = Override::read_file(&file).map(|keys| Config::default().with(&keys));
            let _ = RunFolder::open(&path).and_then(|folder| folder.read_config());
            if file != folder.metrics() {
                // A run that is finished is told of again, whatever it is said to have found.
                let _ = train(&Digits("digits"), &settings, &device(), options(&path, &stop), &mut Silent);
            }
        });
        fs::write(&file, whole).unwrap();
    }
}

#[test]
fn the_ledger_of_a_search() {
    struct Pretend;
    impl Trials for Pretend {
        fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Evaluation>> {
            let loss = 1.0 / (trial.number + epochs) as f64;
            Ok(Some(Evaluation::new(9, [("loss".to_string(), loss), ("accuracy".to_string(), 0.5)])))
        }
    }
    let root = tempfile::tempdir().unwrap();
    let (space, dir) = (root.path().join("space.toml"), root.path().join("search"));
    fs::write(&space, "optimizer.lr = { log = [1e-4, 1] }").unwrap();
    let config = Digits("digits").config();
    let open = || {
        let experiment = "digits".into();
        let (trials, min_epochs, max_epochs, eta, seed) = (9, 1, 9, 3, 0);
        let settings = Settings { experiment, method: Method::Asha, trials, min_epochs, max_epochs, eta, seed };
        Search::open(&dir, &settings, Space::read(&space, &config, &|_| Ok(()))?, &config)
    };
    open().unwrap().run(&mut Pretend, &mut |_, _| ()).unwrap();
    let ledger = dir.join("ledger.toml");
    let whole = fs::read(&ledger).unwrap();
    fs::create_dir(dir.join("trial-001")).unwrap();
    try_damages(300, &whole, false, |bytes| {
        fs::write(&ledger, bytes).unwrap();
        if let Ok(mut search) = open() {
            let _ = (search.table(), search.csv(), search.svg(), search.best_so_far(), search.best());
            search.run(&mut Pretend, &mut |_, _| ()).unwrap();
        }
    });
    fs::write(&ledger, &whole).unwrap();
    // A result of no trial, of no rung, twice, or that is no number.
    let text = String::from_utf8(whole).unwrap();
    for (old, new) in
        [("trial = 2\n", "trial = 99\n"), ("epochs = 3\n", "epochs = 4\n"), ("trial = 2\n", "trial = 1\n")]
    {
        fs::write(&ledger, text.replacen(old, new, 1)).unwrap();
        let error = open().unwrap_err().to_string();
        assert!(error.contains("is none of this search"), "{new}: {error}");
    }
}
