//! Hyperparameter search on objectives that cost nothing: what is found, in which order, and after which interruptions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use taper_train::tune::{Entry, Method, Search, Settings, Space, Trial, Trials};
use taper_train::{Config, Error, Evaluation, Override, Result};

const SPACE: &str = "optimizer.lr = { log = [1e-5, 1] }\n\
                     train.batch_size = { log_integer = [8, 256] }\n\
                     optimizer.betas = { choice = [[0.9, 0.999], [0.8, 0.99]] }\n";

fn settings(method: Method, trials: u64, max_epochs: u64) -> Settings {
    Settings { experiment: "digits".into(), method, trials, min_epochs: 1, max_epochs, eta: 3, seed: 0 }
}

fn config() -> Config {
    let settings = ["train.epochs=20", "optimizer.name=adam", "optimizer.lr=1e-3", "data.validation=0.1"];
    Config::default().with(&settings.map(|text| Override::parse(text).unwrap())).unwrap()
}

/// What a trial was measured at.
fn measured(loss: f64, accuracy: f64) -> Result<Option<Evaluation>> {
    Ok(Some(Evaluation::new(100, [("loss".to_string(), loss), ("accuracy".to_string(), accuracy)])))
}

fn open(dir: &Path, settings: &Settings) -> Result<Search> {
    open_with(dir, settings, SPACE, &config())
}

fn open_with(dir: &Path, settings: &Settings, space: &str, config: &Config) -> Result<Search> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("space.toml");
    fs::write(&path, space).unwrap();
    Search::open(dir, settings, Space::read(&path, config, &|_| Ok(()))?, config)
}

/// A loss that falls with the epochs towards a value that is least at a rate of 0.01 and a batch of 64; a trial with a
/// rate above 0.5 diverges.
struct Objective {
    config: Config,
    /// Epochs reached by each trial.
    reached: BTreeMap<u64, u64>,
    /// Epochs trained in all.
    spent: u64,
    /// Jobs that may still be worked off.
    left: usize,
}

impl Objective {
    fn new() -> Self {
        Self { config: config(), reached: BTreeMap::new(), spent: 0, left: usize::MAX }
    }

    /// One that is stopped in the job after `left`.
    fn stopping(left: usize) -> Self {
        Self { left, ..Self::new() }
    }
}

impl Trials for Objective {
    fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Evaluation>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let config = self.config.with(&trial.overrides)?;
        let before = self.reached.insert(trial.number, epochs).unwrap_or(0);
        assert!(before < epochs, "trial {} was trained for {before} epochs already", trial.number);
        self.spent += epochs - before;
        let rate = config.optimizer.number("lr").unwrap();
        if rate > 0.5 {
            return Err(Error::NotFinite { what: "the loss", step: 7, kept: Some(3), saved: Some("elsewhere".into()) });
        }
        let away = (rate / 0.01).log10().powi(2) + 0.1 * (config.train.batch_size as f64 / 64.0).log2().powi(2);
        measured(away + 1.0 / epochs as f64, 1.0 / (1.0 + away))
    }
}

fn search(method: Method, trials: u64, seed: u64) -> (Search, Objective, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut search = open(dir.path(), &Settings { seed, ..settings(method, trials, 27) }).unwrap();
    let mut objective = Objective::new();
    assert!(search.run(&mut objective, &mut |_, _| ()).unwrap());
    (search, objective, dir)
}

#[test]
fn asha_finds_better_values_than_random_search_at_the_same_epochs() {
    let (mut asha_loss, mut random_loss) = (0.0, 0.0);
    for seed in 0..4 {
        let (asha, objective, _dir) = search(Method::Asha, 81, seed);
        // The next whole number of trials, so that random search has at least as many epochs; not the first of ASHA's.
        let (random, _, _dir) = search(Method::Random, objective.spent.div_ceil(27), seed + 100);
        let best = asha.best().unwrap();
        assert_eq!(best.epochs, 27);
        asha_loss += best.loss.unwrap();
        random_loss += random.best().unwrap().loss.unwrap();
    }
    assert!(asha_loss < 0.5 * random_loss, "ASHA {asha_loss}, random search {random_loss}");
}

#[test]
fn the_same_search_is_the_same() {
    let ledger = |seed| {
        let (search, _, dir) = search(Method::Asha, 27, seed);
        (fs::read_to_string(search.dir().join("ledger.toml")).unwrap(), search.csv(), dir)
    };
    let (a, b, other) = (ledger(0), ledger(0), ledger(1));
    assert_eq!((&a.0, &a.1), (&b.0, &b.1));
    assert_ne!(a.1, other.1);
}

#[test]
fn a_search_stopped_after_any_job_ends_as_if_it_never_was() {
    let (whole, _, dir) = search(Method::Asha, 12, 0);
    assert!(whole.results().iter().any(|entry| entry.failed.is_some()), "no trial fails: nothing is seen of that");
    let due = |name| fs::read_to_string(dir.path().join(name)).unwrap();
    for jobs in 0..=whole.results().len() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(Method::Asha, 12, 27);
        let mut objective = Objective::stopping(jobs);
        let ended = open(dir.path(), &settings).unwrap().run(&mut objective, &mut |_, _| ()).unwrap();
        assert_eq!(ended, jobs == whole.results().len());
        // Another process: it knows of the first only what is on the disk; and the trials' checkpoints are there still.
        let mut rest = Objective { reached: objective.reached, ..Objective::new() };
        let mut told = 0;
        assert!(open(dir.path(), &settings).unwrap().run(&mut rest, &mut |_, _| told += 1).unwrap());
        assert_eq!(told + jobs, whole.results().len());
        for name in ["ledger.toml", "results.csv", "results.svg"] {
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), due(name), "stopped after {jobs} jobs");
        }
    }
}

#[test]
fn an_error_that_is_no_trials_own_ends_the_search_and_leaves_what_was_found() {
    struct Broken(Objective);
    impl Trials for Broken {
        fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Evaluation>> {
            if self.0.reached.len() == 3 {
                let source = std::io::ErrorKind::StorageFull.into();
                return Err(Error::Io { action: "write", path: "trial-004".into(), source });
            }
            self.0.run(trial, epochs)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(Method::Random, 9, 27);
    let mut search = open(dir.path(), &settings).unwrap();
    let error = search.run(&mut Broken(Objective::new()), &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().starts_with("cannot write trial-004: "), "{error}");
    let found = search.results().to_vec();
    let text = open(dir.path(), &settings).unwrap_err().to_string();
    assert!(text.contains("this search is under way already"), "{text}");
    drop(search);
    assert_eq!(open(dir.path(), &settings).unwrap().results(), found);
    assert_eq!(found.len(), 3);
}

/// What a trial's values lead to would come again each time the search is continued.
#[test]
fn values_that_do_not_go_together_are_a_trials_own_failure() {
    struct Odd(Objective);
    impl Trials for Odd {
        fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Evaluation>> {
            match trial.number {
                2 => Err(Error::Usage("groups: no weight matches \"*bn*\"".into())),
                3 => Err(taper_nn::Error::shape("conv2d", "too small").into()),
                _ => self.0.run(trial, epochs),
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut search = open(dir.path(), &settings(Method::Random, 4, 3)).unwrap();
    assert!(search.run(&mut Odd(Objective::new()), &mut |_, _| ()).unwrap());
    let failed: Vec<Option<&str>> = search.results().iter().map(|entry| entry.failed.as_deref()).collect();
    assert_eq!(failed, [None, Some("groups: no weight matches \"*bn*\""), Some("conv2d: too small"), None]);
}

#[test]
fn failures_rank_last_and_are_told() {
    let (search, _, _dir) = search(Method::Random, 20, 0);
    let standings = search.standings();
    let failed = standings.iter().filter(|standing| standing.failed.is_some()).count();
    assert!((1..20).contains(&failed));
    assert!(standings[..20 - failed].is_sorted_by(|a, b| a.loss < b.loss));
    let last = standings.last().unwrap();
    assert_eq!(last.failed.as_deref(), Some("the loss became NaN or infinite at step 7"));
    assert_eq!((last.epochs, last.loss), (0, None));

    struct Nan;
    impl Trials for Nan {
        fn run(&mut self, _: &Trial, _: u64) -> Result<Option<Evaluation>> {
            measured(f64::NAN, 0.1)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut search = open(dir.path(), &settings(Method::Asha, 3, 3)).unwrap();
    assert!(search.run(&mut Nan, &mut |_, _| ()).unwrap());
    assert_eq!((search.best(), search.best_so_far()), (None, Vec::new()));
    let failed = Some("the validation loss is NaN".into());
    assert_eq!(search.results()[0], Entry { trial: 1, epochs: 1, loss: None, metrics: BTreeMap::new(), failed });
}

#[test]
fn another_search_in_the_same_folder_is_told_by_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let here = settings(Method::Asha, 9, 9);
    // Where nothing was trained, the last word counts.
    open(dir.path(), &Settings { trials: 5, ..here.clone() }).unwrap();
    struct Refused;
    impl Trials for Refused {
        fn run(&mut self, _: &Trial, _: u64) -> Result<Option<Evaluation>> {
            Err(Error::Usage("no".into()))
        }
    }
    let other = Settings { trials: 6, ..here.clone() };
    assert!(open(dir.path(), &other).unwrap().run(&mut Refused, &mut |_, _| ()).unwrap());
    open(dir.path(), &here).unwrap();
    fs::create_dir(dir.path().join("trial-001")).unwrap();
    open(dir.path(), &here).unwrap();
    // Where it is computed may change.
    let threads = config().with(&[Override::new("device.threads", 3)]).unwrap();
    open_with(dir.path(), &here, SPACE, &threads).unwrap();

    let text = |settings: &Settings, space: &str, config: &Config| {
        let error = open_with(dir.path(), settings, space, config).unwrap_err();
        assert!(error.is_usage(), "{error}");
        error.to_string()
    };
    let end = "; the same settings continue it, another --dir begins a new one";
    let found = text(&Settings { trials: 27, max_epochs: 27, ..here.clone() }, SPACE, &config());
    assert!(found.contains("ledger.toml is of another search: --max-epochs is `9` there and `27` here, "), "{found}");
    assert!(found.ends_with(&format!("--trials is `9` there and `27` here{end}")), "{found}");
    let found = text(&Settings { method: Method::Random, ..here.clone() }, SPACE, &config());
    assert!(found.contains(": --method is `asha` there and `random` here;"), "{found}");
    let space = SPACE.replace("1e-5", "1e-4").replace("train.batch_size", "data.train_samples");
    let found = text(&here, &space, &config());
    for part in [
        "the range of data.train_samples is nothing there and `log_integer = [8, 256]` here",
        "the range of optimizer.lr is `log = [1e-5, 1.0]` there and `log = [0.0001, 1.0]` here",
        "the range of train.batch_size is `log_integer = [8, 256]` there and nothing here",
    ] {
        assert!(found.contains(part), "{found}");
    }
    let other = config().with(&[Override::new("train.seed", 5)]).unwrap();
    assert!(text(&here, SPACE, &other).contains(": train.seed is `0` there and `5` here;"));
}

#[test]
fn what_is_no_search_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let here = settings(Method::Asha, 9, 9);
    fs::write(dir.path().join("notes.txt"), "").unwrap();
    let text = open(dir.path(), &here).unwrap_err().to_string();
    assert!(
        text.ends_with("the folder holds files but no ledger.toml, so it is of no search; name another or remove it")
    );
    fs::write(dir.path().join("ledger.toml"), "[settings]\ntrials = 3\n").unwrap();
    let text = open(dir.path(), &here).unwrap_err().to_string();
    assert!(text.contains("ledger.toml: not the ledger of a search of this version: "), "{text}");

    // What a kill in the middle of a first write leaves.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".ledger.toml.1-0.tmp"), "").unwrap();
    open(dir.path(), &here).unwrap();

    let steps = config().with(&[Override::new("train.max_steps", 5)]).unwrap();
    let text = open_with(&dir.path().join("a"), &here, SPACE, &steps).unwrap_err().to_string();
    assert_eq!(text, "train.max_steps: a search counts in epochs; leave it at 0, and give --max-epochs");
    assert!(!dir.path().join("a").exists());

    // Before anything is trained: of the first trials some have a momentum and Adam, which has none.
    let space = "optimizer.name = { choice = [\"sgd\", \"adam\"] }\noptimizer.momentum = { uniform = [0, 0.9] }";
    let text = open_with(&dir.path().join("a"), &here, space, &config()).unwrap_err().to_string();
    assert!(text.starts_with("trial ") && text.contains(" would have optimizer.momentum=0."), "{text}");
    assert!(text.contains(", optimizer.name=adam: optimizer.momentum: adam has none; it is of sgd, "), "{text}");
    assert!(!dir.path().join("a").exists());
}

/// Losses by hand: trial 2 is the best, trial 3 fails.
struct ByHand;

impl Trials for ByHand {
    fn run(&mut self, trial: &Trial, epochs: u64) -> Result<Option<Evaluation>> {
        let (loss, accuracy) = match (trial.number, epochs) {
            (1, 1) => (0.5, 0.75),
            (2, 1) => (0.25, 0.875),
            (2, 3) => (0.123456, 1.0),
            (3, 1) => (f64::INFINITY, 0.0),
            (4, 1) => (0.375, 0.5),
            other => panic!("{other:?}"),
        };
        measured(loss, accuracy)
    }
}

#[test]
fn results_are_told_as_a_table_as_csv_and_as_points() {
    let dir = tempfile::tempdir().unwrap();
    let space = "model = { choice = [\"mlp\"] }\noptimizer.betas = { choice = [[0.5, 0.75]] }\n\
                 train.batch_size = { choice = [32] }";
    let mut search = open_with(dir.path(), &settings(Method::Asha, 4, 3), space, &config()).unwrap();
    assert_eq!(search.rungs(), [1, 3]);
    assert!(search.run(&mut ByHand, &mut |_, _| ()).unwrap());
    assert_eq!(
        search.table(),
        "rank  trial  epochs    loss  accuracy  model  optimizer.betas  train.batch_size\n\
         \u{20}  1      2       3  0.1235       1.0    mlp      [0.5, 0.75]                32\n\
         \u{20}  2      4       1   0.375       0.5    mlp      [0.5, 0.75]                32\n\
         \u{20}  3      1       1     0.5      0.75    mlp      [0.5, 0.75]                32\n\
         \u{20}  4      3       0  failed              mlp      [0.5, 0.75]                32"
    );
    let csv = "rank,trial,epochs,loss,accuracy,failed,model,optimizer.betas,train.batch_size\r\n\
               1,2,3,0.123456,1,,mlp,\"[0.5, 0.75]\",32\r\n\
               2,4,1,0.375,0.5,,mlp,\"[0.5, 0.75]\",32\r\n\
               3,1,1,0.5,0.75,,mlp,\"[0.5, 0.75]\",32\r\n\
               4,3,0,,,the validation loss is inf,mlp,\"[0.5, 0.75]\",32\r\n";
    assert_eq!(fs::read_to_string(dir.path().join("results.csv")).unwrap(), csv);
    let charts = search.charts();
    let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
    assert_eq!(titles, ["Lowest loss so far", "model", "optimizer.betas", "train.batch_size"]);
    let points = |i: usize| charts[i].series.iter().map(|s| (s.name.as_str(), s.points.clone())).collect::<Vec<_>>();
    assert_eq!(charts[1].x.label, "1: \"mlp\"");
    assert_eq!(points(1), [("1 epoch", vec![(1.0, 0.375), (1.0, 0.5)]), ("3 epochs", vec![(1.0, 0.123456)])]);
    assert_eq!(points(3)[1], ("3 epochs", vec![(32.0, 0.123456)]));
    let svg = fs::read_to_string(dir.path().join("results.svg")).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.matches("<svg").count() == svg.matches("</svg>").count(), "{svg}");
    assert_eq!(svg.matches("class=\"title\"").count(), 4, "{svg}");
    // Jobs: 1, 2, 3 for an epoch each, 2 for two more, 4.
    assert_eq!(search.best_so_far(), [(1, 0.5), (2, 0.25), (5, 0.123456), (6, 0.123456)]);
    assert_eq!(
        search.command(2, &config(), &["--data-dir".into(), "my data".into()]),
        "train digits --set train.batch_size=32 --set train.epochs=3 --set 'optimizer.betas=[0.5, 0.75]' \
         --data-dir 'my data'"
    );
}

#[test]
fn the_command_of_a_trial_is_its_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let base = config().with(&[Override::new("train.seed", 5), Override::new("device.threads", 2)]).unwrap();
    let search = open_with(dir.path(), &settings(Method::Asha, 9, 27), SPACE, &base).unwrap();
    for number in 1..=9 {
        let command = search.command(number, &config(), &[]);
        let words = command.strip_prefix("train digits --set ").unwrap().split(" --set ");
        let changes: Vec<Override> = words.map(|word| Override::parse(word.trim_matches('\'')).unwrap()).collect();
        let mut due = search.config().with(&search.trial(number).overrides).unwrap();
        assert_eq!(due.train.epochs, 27);
        due.device = config().device;
        assert_eq!(config().with(&changes).unwrap(), due, "{command}");
    }
    assert_eq!(search.trial(7).folder, dir.path().join("trial-007"));
}
