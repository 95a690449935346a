//! Changes by key, and what cannot be changed so.

use super::*;
use crate::{DataConfig, OptimizerConfig, ScheduleConfig, TrainConfig};
use taper_config::{Schema, table, unknown};

fn base() -> Config {
    Config {
        model: "seed-cnn".into(),
        data: DataConfig { name: "cifar10".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 10, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 1e-3),
        ..Config::default()
    }
}

fn set(text: &str) -> Result<Config> {
    base().with(&[Override::parse(text)?])
}

#[test]
fn every_value_has_a_key_and_is_read_again() {
    let mut config = base().resolved(&[]).unwrap();
    config.optimizer = config.optimizer.with("lookahead", 5);
    let keys = config.keys(&[]);
    for (key, value) in config.values() {
        assert!(keys.iter().any(|known| known.name == key), "{key}");
        assert_eq!(base().with(&[Override::new(key.as_str(), value.clone())]).unwrap().value(&key), Some(value));
    }
    let written = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<Config>(&written).unwrap(), config);
    assert_eq!(Config::default().with(&Override::read(&written, "here").unwrap()).unwrap(), config);
    let mut names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// `taper-config` depends on none of our crates, and escapes what a terminal obeys itself.
#[test]
fn texts_are_escaped_as_everywhere() {
    for char in (0..0x3000).filter_map(char::from_u32) {
        let text = format!("a{char}b");
        let ours = Override::new("k", text.as_str()).renamed(text.clone());
        let shown = unknown("key", ours.key(), &[]);
        assert_eq!(shown, format!("unknown key `{}`; known: ", printable(&text)));
    }
}

#[test]
fn values_are_set() {
    assert_eq!(set("train.epochs=3").unwrap().train.epochs, 3);
    assert_eq!(Override::new("optimizer.betas", vec![0.5, 0.75]).to_string(), "optimizer.betas=[0.5, 0.75]");
    assert_eq!(set(" optimizer.lr = 1e-2 ").unwrap().optimizer.number("lr"), Some(0.01));
    assert_eq!(set("optimizer.lr=1").unwrap().optimizer.number("lr"), Some(1.0));
    assert_eq!(set("optimizer.betas=[0.8, 0.9]").unwrap().optimizer.rest["betas"], vec![0.8, 0.9].into());
    assert!(!set("train.shuffle=false").unwrap().train.shuffle);
    assert_eq!(set("model=mlp").unwrap().model.name, "mlp");
    assert_eq!(set("model=\"mlp\"").unwrap().model.name, "mlp");
    assert_eq!(set("init.file=7").unwrap().init.file, "7");
    let flags = [Override::flag("init.file", "\"a\""), Override::flag("train.epochs", "7")];
    let config = base().with(&flags).unwrap();
    assert_eq!((config.init.file.as_str(), config.train.epochs), ("\"a\"", 7));
}

#[test]
fn what_cannot_be_set_is_told() {
    let text = |arg| {
        let error = set(arg).unwrap_err();
        assert!(error.is_usage());
        error.to_string()
    };
    assert_eq!(text("train.epochs"), "`train.epochs`: expected key=value, such as optimizer.lr=0.01");
    assert_eq!(text("train.epoch=3"), "unknown key `train.epoch`; did you mean train.epochs or train.epoch_steps?");
    assert_eq!(text("lr=3"), "unknown key `lr`; did you mean optimizer.lr?");
    assert!(text("qqq=3").starts_with("unknown key `qqq`; known: model.name, task.name, data.name, "));
    assert_eq!(text("log=3"), "unknown key `log`; it is a table, of log.tensorboard, log.report, log.gradients");
    assert_eq!(text("train.epochs=abc"), "train.epochs: expected an integer, 1 or more, found abc");
    assert_eq!(text("train.epochs=-1"), "train.epochs: expected an integer, 1 or more, found -1");
    assert_eq!(text("train.epochs=1.5"), "train.epochs: expected an integer, 1 or more, found 1.5");
    assert_eq!(
        text("train.epochs=99999999999999999999"),
        "train.epochs: expected an integer, 1 or more, found 99999999999999999999"
    );
    assert_eq!(text("train.shuffle=1"), "train.shuffle: expected true or false, found 1");
    assert_eq!(text("optimizer.betas=0.9"), "optimizer.betas: expected two numbers, 0 or more and below 1, found 0.9");
    assert_eq!(text("train.epochs=1\nx=2"), "train.epochs: expected an integer, 1 or more, found the text \"1\\nx=2\"");
}

/// What a message shows is what was written: a text that looks like another value has its quotes.
#[test]
fn texts_are_told_from_what_they_look_like() {
    let text = |arg: &str| set(arg).unwrap_err().to_string();
    assert_eq!(text("train.epochs=\"3\""), "train.epochs: expected an integer, 1 or more, found the text \"3\"");
    assert_eq!(text("train.shuffle=\"false\""), "train.shuffle: expected true or false, found the text \"false\"");
    assert_eq!(text("train.shuffle="), "train.shuffle: expected true or false, found the text \"\"");
    assert_eq!(
        text("train.shuffle=no\u{1b}[2J"),
        "train.shuffle: expected true or false, found the text \"no\\u{1b}[2J\""
    );
    let file = Override::read("train.epochs = \"3\"\n", "a.toml").unwrap();
    let error = base().with(&file).unwrap_err().to_string();
    assert_eq!(error, "train.epochs: expected an integer, 1 or more, found the text \"3\"");
    assert_eq!(text("a\u{1b}[2J=3").split(';').next().unwrap(), "unknown key `a\\u{1b}[2J`");
    let with = |arg: &str| set(arg).unwrap().told(arg.split('=').next().unwrap());
    assert_eq!(
        [with("model=7"), with("model=a b"), with("train.init="), with("train.epochs=7")],
        ["\"7\"", "a b", "\"\"", "7"]
    );
}

#[test]
fn an_empty_table_is_a_key_too() {
    let of = |text: &str| {
        let read = Override::read(text, "a.toml").map_err(crate::Error::from).and_then(|keys| base().with(&keys));
        read.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(of("[train]\n[optimizer]\n"), Ok(()));
    assert_eq!(of("[trian]\n"), Err("unknown key `trian`; did you mean train?".into()));
    assert!(of("[train.epoch]\n").unwrap_err().starts_with("unknown key `train.epoch`; did you mean train.epochs or "));
    assert_eq!(of("[model]\n"), Ok(()));
    assert_eq!(of("model = [3]\n"), Err("model.name: expected the name of a model, found [3]".into()));
    assert!(of("[train.epochs]\n").unwrap_err().starts_with("train.epochs: expected an integer, 1 or more, found "));
}

#[test]
fn what_is_wrong_in_a_list_is_told() {
    let text = |arg: &str| set(arg).unwrap_err().to_string();
    assert_eq!(
        text("data.augment=[{kind = \"flop\"}]"),
        format!("data.augment: {}", unknown("kind", "flop", taper_data::Augment::KINDS))
    );
    assert_eq!(
        text("data.augment=[{kind = \"flip\", alternatin = true}]"),
        "data.augment: unknown key `alternatin`; did you mean alternating? (known: alternating)"
    );
    for (list, told) in [
        ("flip", "found string \"flip\" where there must be a list"),
        ("[\"flip\"]", "found string \"flip\" where there must be a table with a `kind`"),
        ("[{}]", "missing key `kind`"),
        ("[{kind = \"flip\", alternating = 3}]", "found integer `3` where there must be true or false"),
        ("[{kind = \"translate\", pixels = -1}]", "found integer `-1` where there must be an integer, 0 or more"),
    ] {
        let due = format!("data.augment: expected a list such as [{{kind = \"flip\"}}], found {list}: {told}");
        assert_eq!(text(&format!("data.augment={list}")), due);
    }
    assert!(text("groups=[{patern = \"*\"}]").starts_with("groups: unknown key `patern`; did you mean pattern?"));
    let text = text("groups=[{pattern = \"*\", optimizer = {weight_deca = 0}}]");
    assert!(text.starts_with("groups: unknown key `weight_deca`; did you mean weight_decay?"), "{text}");
}

#[test]
fn a_file_lists_differences_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, "model = \"mlp\"\n[train]\nepochs = 2\n[record]\ntaper = \"9\"\n").unwrap();
    let changes = Override::read_file(&path).unwrap();
    let default = base();
    let config = default.with(&changes).unwrap();
    assert_eq!((config.model.name.as_str(), config.train.epochs), ("mlp", 2));
    assert_eq!(config.optimizer, default.optimizer);
    std::fs::write(&path, "model = ").unwrap();
    assert!(Override::read_file(&path).unwrap_err().to_string().contains("a.toml"));
    std::fs::remove_file(&path).unwrap();
    assert!(Override::read_file(&path).unwrap_err().to_string().starts_with("cannot read"));
}

#[test]
fn values_are_got_by_key() {
    let config = base();
    assert_eq!(config.get("train.epochs").unwrap(), "10");
    assert_eq!(config.get("optimizer.lr").unwrap(), "0.001");
    assert_eq!(config.get("model").unwrap(), "seed-cnn");
    assert_eq!(config.get("train"), None);
    assert_eq!(config.get("nope"), None);
}

#[test]
fn keys_with_an_old_name_are_read() {
    for (old, now) in [
        ("regularization.label_smoothing=0.1", "task.label_smoothing"),
        ("regularization.mixup=0.2", "task.mixup"),
        ("regularization.cutmix=0.5", "task.cutmix"),
        ("train.views=six", "task.views"),
        ("train.reduction=sum", "task.reduction"),
        ("train.init=a.pth", "init.file"),
        ("train.init_partial=true", "init.partial"),
        ("model=mlp", "model.name"),
    ] {
        let (key, value) = old.split_once('=').unwrap();
        let config = set(old).unwrap();
        assert_eq!([config.get(now), config.get(key)], [Some(value.into()), Some(value.into())], "{old}");
    }
    let file = Override::read("model = \"mlp\"\n[regularization]\nmixup = 0.5\n", "a.toml").unwrap();
    let config = base().with(&file).unwrap();
    assert_eq!((config.model, config.task), (Named::new("mlp"), Named::default().with("mixup", 0.5)));
}

/// What a `config.toml` of before looked like.
#[test]
fn a_run_folder_of_before_is_read() {
    let text = "model = \"mlp\"\ngroups = []\n\n[data]\nname = \"digits\"\ntrain_samples = 0\ntest_samples = 0\n\
        validation = 0.1\naugment = []\nworkers = 1\nahead = 4\n\n[train]\nepochs = 20\nbatch_size = 64\n\
        accumulate = 1\nseed = 0\nmax_steps = 0\nshuffle = true\ndrop_last = false\ndtype = \"f32\"\n\
        reduction = \"mean\"\nlog_every = 10\neval_batch_size = 250\nviews = \"mirror\"\ninit = \"\"\n\
        init_partial = false\nema = 0.0\n\n[regularization]\nlabel_smoothing = 0.0\nmixup = 0.2\ncutmix = 0.0\n\
        clip_norm = 0.0\nclip_value = 0.0\npatience = 0\nmin_delta = 0.0\n\n[optimizer]\nname = \"adam\"\n\
        lr = 0.001\n\n[schedule]\nname = \"cosine\"\nwarmup = 0.5\nmin = 0.0\nevery = 1.0\nmilestones = []\n\
        gamma = 0.1\npower = 1.0\nfirst = 1.0\nmultiply = 1\nwarm_fraction = 0.3\nstart_div = 25.0\n\
        end_div = 10000.0\npatience = 10\nthreshold = 0.0001\n\n[checkpoint]\nevery_steps = 0\n\
        every_minutes = 0.0\nmonitor = \"accuracy\"\n\n[log]\ntensorboard = true\nreport = true\n\
        gradients = true\n\n[device]\nname = \"cpu\"\nthreads = 2\nisa = \"auto\"\nconv = \"auto\"\n";
    let read: Config = toml::from_str(text).unwrap();
    read.check().unwrap();
    assert_eq!(Config::default().with(&Override::read(text, "a.toml").unwrap()).unwrap(), read);
    assert_eq!(read.model, Named::new("mlp"));
    let task: Table =
        "cutmix = 0.0\nlabel_smoothing = 0.0\nmixup = 0.2\nreduction = \"mean\"\nviews = \"mirror\"".parse().unwrap();
    assert_eq!(read.task.rest, task);
    assert_eq!((read.train.epochs, read.regularization.clip_norm, read.train.keep), (20, 0.0, true));
    // Of the schedule's keys those stay that it has.
    let resolved = read.resolved(&[]).unwrap();
    assert_eq!(resolved.schedule, ScheduleConfig::new("cosine").with("warmup", 0.5).with("min", 0.0));
    assert_eq!(resolved.optimizer.rest.len(), 6, "{:?}", resolved.optimizer);
}

/// A name leaves out what was of another name, unless it was asked for together with it.
#[test]
fn another_name_has_other_keys() {
    let all = |texts: &[&str]| -> Config {
        let changes: Vec<Override> = texts.iter().map(|text| Override::parse(text).unwrap()).collect();
        base().with(&changes).unwrap()
    };
    let mlp = all(&["model.hidden=[64]", "model=mlp"]);
    assert_eq!(mlp.model, Named::new("mlp").with("hidden", vec![64]));
    assert_eq!(mlp.with(&[Override::new("model", "mlp")]).unwrap(), mlp);
    assert_eq!(mlp.with(&[Override::new("model", "seed-cnn")]).unwrap(), base());
    let table = Override::parse("model={name = \"mlp\", hidden = [64]}").unwrap();
    assert_eq!(base().with(&[table]).unwrap(), mlp);
    let adam = all(&["optimizer.eps=0.5", "optimizer.betas=[0.5, 0.5]"]);
    let lamb = adam.with(&[Override::new("optimizer.name", "rmsprop")]).unwrap();
    let due = OptimizerConfig::new("rmsprop").with("lr", 1e-3).with("eps", 0.5);
    assert_eq!(lamb.optimizer, due);
    let own = all(&["data.name=pictures", "data.path=here"]);
    assert_eq!(own.data.source.len(), 1);
    assert_eq!(own.with(&[Override::new("data.name", "digits")]).unwrap().data.source.len(), 0);
    let error = own.resolved(&[]).unwrap_err().to_string();
    assert!(error.starts_with("unknown key `data.path`"), "{error}");
    let error = all(&["data.worker=2"]).resolved(&[]).unwrap_err().to_string();
    assert_eq!(error, "unknown key `data.worker`; did you mean data.workers?");
}

table! {
    /// The keys of a dataset.
    struct Folder {
        /// Where it lies.
        path: String = String::new(), any("a path");
        /// The side of a picture.
        size: usize = 32, at_least(1);
    }
}

#[test]
fn a_dataset_reads_its_own_keys() {
    let members = vec![("digits", Schema::of::<Nothing>()), ("folder", Schema::of::<Folder>())];
    let data = Family { table: "data", kind: "dataset", default: "", members, common: None, lenient: false };
    let families = [data];
    let with = |texts: &[&str]| {
        let changes: Vec<Override> = texts.iter().map(|text| Override::parse(text).unwrap()).collect();
        base().with(&changes).unwrap().resolved(&families)
    };
    let config = with(&["data.name=folder", "data.path=here", "data.workers=2"]).unwrap();
    assert!(config.data.source.is_known());
    let folder: Folder = config.data.named().parse("data").unwrap();
    assert_eq!((folder, config.data.workers), (Folder { path: "here".into(), size: 32 }, 2));
    // It is written whole, and read as the same.
    let written = toml::to_string(&config).unwrap();
    assert!(written.contains("size = 32"), "{written}");
    assert_eq!(toml::from_str::<Config>(&written).unwrap().resolved(&families).unwrap(), config);
    let told = |texts: &[&str]| with(texts).unwrap_err().to_string();
    assert_eq!(told(&["data.name=folder", "data.worker=2"]), "unknown key `data.worker`; did you mean data.workers?");
    assert_eq!(told(&["data.name=digits", "data.size=2"]), "data.size: digits has none; it is of folder");
    assert_eq!(told(&["data.name=folder", "data.size=0"]), "data.size: expected an integer, 1 or more, found 0");
    assert_eq!(
        told(&["data.name=fodler"]),
        "data.name: unknown dataset `fodler`; did you mean folder? (known: digits, folder)"
    );
    let keys = config.keys(&families);
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).filter(|name| name.starts_with("data.")).collect();
    assert_eq!(names[names.len() - 3..], ["data.ahead", "data.path", "data.size"]);
}

table! {
    /// No keys.
    struct Nothing {}
}
