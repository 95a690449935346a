//! Changing a configuration by key, and reading values by key.

use super::{Config, Key};
use crate::Result;
use std::collections::BTreeSet;
use taper_config::{Error, Override, Table as _, nearest, told};
use taper_nn::taper_tensor::printable;
use toml::{Table, Value};

impl Config {
    /// This configuration with `changes` applied in order, checked.
    ///
    /// # Errors
    /// An unknown key (the error names the nearest known ones), a value of the wrong type or out of range.
    pub fn with(&self, changes: &[Override]) -> Result<Self> {
        let mut config = self.clone();
        let keys = Self::keys();
        for change in changes {
            config.change(change, &keys)?;
        }
        config.check()?;
        Ok(config)
    }

    fn change(&mut self, change: &Override, keys: &[Key]) -> Result<()> {
        // A table without keys.
        if change.value().as_table().is_some_and(Table::is_empty) && within(keys, change.key()).next().is_some() {
            return Ok(());
        }
        if !keys.iter().any(|known| known.name == change.key()) {
            return Err(unknown_key(keys, change.key(), change.value()).into());
        }
        let (table, name) = change.key().split_once('.').unwrap_or(("", change.key()));
        let one = change.clone().renamed(name);
        match table {
            "data" => self.data = self.data.with(table, &one)?,
            "train" => self.train = self.train.with(table, &one)?,
            "regularization" => self.regularization = self.regularization.with(table, &one)?,
            "optimizer" => self.optimizer = self.optimizer.with(table, &one)?,
            "schedule" => self.schedule = self.schedule.with(table, &one)?,
            "checkpoint" => self.checkpoint = self.checkpoint.with(table, &one)?,
            "log" => self.log = self.log.with(table, &one)?,
            "device" => self.device = self.device.with(table, &one)?,
            _ => {
                let top = self.top().with(table, &one)?;
                (self.model, self.groups) = (top.model, top.groups);
            }
        }
        Ok(())
    }

    /// The value of the dotted `key`, if it is set.
    pub(crate) fn value(&self, key: &str) -> Option<Value> {
        slot(&mut Table::try_from(self).ok()?, key).cloned()
    }

    /// The value of the dotted `key`, for messages.
    pub(crate) fn told(&self, key: &str) -> String {
        self.value(key).map_or_else(|| "not set".into(), |value| told(&value))
    }

    /// The value of the dotted `key` as TOML writes it (strings without quotes). `None` for an unknown key, or one that
    /// is not set.
    pub fn get(&self, key: &str) -> Option<String> {
        let mut table = Table::try_from(self).ok()?;
        match slot(&mut table, key)? {
            Value::String(text) => Some(text.clone()),
            Value::Table(_) => None,
            other => Some(other.to_string()),
        }
    }
}

fn slot<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Value> {
    match key.split_once('.') {
        None => table.get_mut(key),
        Some((first, rest)) => slot(table.get_mut(first)?.as_table_mut()?, rest),
    }
}

/// The keys of the table `table`.
fn within<'a>(keys: &'a [Key], table: &'a str) -> impl Iterator<Item = &'a str> {
    let of = move |name: &&str| name.split_once('.').is_some_and(|(of, _)| of == table);
    keys.iter().map(|known| known.name.as_str()).filter(of)
}

fn unknown_key(keys: &[Key], key: &str, value: &Value) -> Error {
    let key = &*printable(key);
    let within: Vec<&str> = within(keys, key).collect();
    if !within.is_empty() {
        return Error::Usage(format!("unknown key `{key}`; it is a table, of {}", within.join(", ")));
    }
    let names = || keys.iter().map(|key| key.name.as_str());
    let tables: BTreeSet<&str> = names().filter_map(|name| Some(name.split_once('.')?.0)).collect();
    let near = match value {
        Value::Table(_) if !key.contains('.') => nearest(key, tables),
        _ => nearest(key, names()),
    };
    Error::Usage(if near.is_empty() {
        format!("unknown key `{key}`; known: {}", names().collect::<Vec<_>>().join(", "))
    } else {
        format!("unknown key `{key}`; did you mean {}?", near.join(" or "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment;
    use taper_config::unknown;

    fn set(text: &str) -> Result<Config> {
        experiment("cifar")?.config().with(&[Override::parse(text)?])
    }

    #[test]
    fn every_key_is_a_field() {
        let mut config = experiment("cifar").unwrap().config();
        // What is not said is not written: all of an optimiser's keys are said here.
        config.optimizer = toml::from_str(
            "name = \"sgd\"\nlr = 1.0\nbetas = [0.5, 0.5]\neps = 0.5\nmomentum = 0.5\ndampening = 0.5\nnesterov = true\n\
             alpha = 0.5\ncentered = true\nlr_decay = 0.5\nns_steps = 3\nnormalize_weights = true\nweight_decay = 0.5\n\
             decoupled = true\nl1 = 0.5\nlookahead = 5",
        )
        .unwrap();
        let leaves = Override::read(&toml::to_string(&config).unwrap(), "here").unwrap();
        let mut fields: Vec<&str> = leaves.iter().map(Override::key).collect();
        let keys = Config::keys();
        let mut listed: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        fields.sort_unstable();
        listed.sort_unstable();
        assert_eq!(fields, listed);
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
        assert_eq!(set(" optimizer.lr = 1e-2 ").unwrap().optimizer.lr, Some(0.01));
        assert_eq!(set("optimizer.lr=1").unwrap().optimizer.lr, Some(1.0));
        assert_eq!(set("optimizer.betas=[0.8, 0.9]").unwrap().optimizer.betas, Some([0.8, 0.9]));
        assert!(!set("train.shuffle=false").unwrap().train.shuffle);
        assert_eq!(set("model=mlp").unwrap().model, "mlp");
        assert_eq!(set("model=\"mlp\"").unwrap().model, "mlp");
        assert_eq!(set("train.init=7").unwrap().train.init, "7");
        let flags = [Override::flag("train.init", "\"a\""), Override::flag("train.epochs", "7")];
        let config = experiment("cifar").unwrap().config().with(&flags).unwrap();
        assert_eq!((config.train.init.as_str(), config.train.epochs), ("\"a\"", 7));
    }

    #[test]
    fn what_cannot_be_set_is_told() {
        let text = |arg| {
            let error = set(arg).unwrap_err();
            assert!(error.is_usage());
            error.to_string()
        };
        assert_eq!(text("train.epochs"), "`train.epochs`: expected key=value, such as optimizer.lr=0.01");
        assert_eq!(text("train.epoch=3"), "unknown key `train.epoch`; did you mean train.epochs?");
        assert_eq!(text("lr=3"), "unknown key `lr`; did you mean optimizer.lr?");
        assert!(text("qqq=3").starts_with("unknown key `qqq`; known: model, data.name, "));
        assert_eq!(text("log=3"), "unknown key `log`; it is a table, of log.tensorboard, log.report, log.gradients");
        assert_eq!(text("train.epochs=abc"), "train.epochs: expected an integer, 1 or more, found abc");
        assert_eq!(text("train.epochs=-1"), "train.epochs: expected an integer, 1 or more, found -1");
        assert_eq!(text("train.epochs=1.5"), "train.epochs: expected an integer, 1 or more, found 1.5");
        assert_eq!(
            text("train.epochs=99999999999999999999"),
            "train.epochs: expected an integer, 1 or more, found 99999999999999999999"
        );
        assert_eq!(text("train.shuffle=1"), "train.shuffle: expected true or false, found 1");
        assert_eq!(
            text("optimizer.betas=0.9"),
            "optimizer.betas: expected two numbers, 0 or more and below 1, found 0.9"
        );
        assert_eq!(
            text("train.epochs=1\nx=2"),
            "train.epochs: expected an integer, 1 or more, found the text \"1\\nx=2\""
        );
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
        let error = experiment("digits").unwrap().config().with(&file).unwrap_err().to_string();
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
            let read = Override::read(text, "a.toml")
                .map_err(crate::Error::from)
                .and_then(|keys| experiment("digits")?.config().with(&keys));
            read.map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(of("[train]\n[optimizer]\n"), Ok(()));
        assert_eq!(of("[trian]\n"), Err("unknown key `trian`; did you mean train?".into()));
        assert!(
            of("[train.epoch]\n").unwrap_err().starts_with("unknown key `train.epoch`; did you mean train.epochs?")
        );
        assert!(of("[model]\n").unwrap_err().starts_with("model: expected the name of a model, found "));
        assert!(
            of("[train.epochs]\n").unwrap_err().starts_with("train.epochs: expected an integer, 1 or more, found ")
        );
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
        let default = experiment("cifar").unwrap().config();
        let config = default.with(&changes).unwrap();
        assert_eq!((config.model.as_str(), config.train.epochs), ("mlp", 2));
        assert_eq!(config.optimizer, default.optimizer);
        std::fs::write(&path, "model = ").unwrap();
        assert!(Override::read_file(&path).unwrap_err().to_string().contains("a.toml"));
        std::fs::remove_file(&path).unwrap();
        assert!(Override::read_file(&path).unwrap_err().to_string().starts_with("cannot read"));
    }

    #[test]
    fn values_are_got_by_key() {
        let config = experiment("cifar").unwrap().config();
        assert_eq!(config.get("train.epochs").unwrap(), "10");
        assert_eq!(config.get("optimizer.lr").unwrap(), "0.001");
        assert_eq!(config.get("model").unwrap(), "seed-cnn");
        assert_eq!(config.get("train"), None);
        assert_eq!(config.get("nope"), None);
    }
}
