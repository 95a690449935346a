//! What can be named on the command line: the lists of data sets and models for `--help`, and tips for a name that stands
//! in the wrong place.

use crate::environment::command;
use crate::settings::{COLUMNS, entry, usage, wrapped};
use std::path::Path;
use taper::data::{Collection, Manifest, PublishedWeights, Source};
use taper::models::{Kind, models};
use taper::tasks::experiments;
use taper::train::{Experiment, shell_quoted};

/// The data sets, with what they are.
fn data_sets() -> impl Iterator<Item = (&'static str, Manifest)> {
    let sources = Source::names().into_iter().filter_map(|name| Source::named(name).ok());
    sources.filter_map(|source| Some((source.name(), source.manifest().ok()?)))
}

/// The text below `--help`: what an experiment can be put together from.
pub fn below() -> String {
    let data: String = data_sets().map(|(name, manifest)| entry(name, &described(&manifest))).collect();
    let pictures = models().iter().filter(|model| matches!(model.kind, Kind::Pictures { .. }));
    let models = pictures.map(|model| model.name).collect::<Vec<_>>().join(", ");
    let models = wrapped(&models, COLUMNS - 2).join("\n  ");
    let more = command("models");
    let file = "FILE.toml in an experiment's place: settings, and `experiment = \"NAME\"`, which they change";
    let file = wrapped(file, COLUMNS).join("\n");
    let own = experiments().iter().filter(|experiment| experiment.source(&experiment.config()).is_none());
    let own: String = own.map(|experiment| entry(&usage(*experiment), experiment.about())).collect();
    let own = format!("Your own data:\n{own}");
    format!("{file}\n\n{own}\nData sets (--set data.name=NAME):\n{data}\nModels (--model NAME; `{more}`):\n  {models}")
}

/// The experiment that the data set `name` stands for: of those that have it, the one that classifies.
pub fn of_data(name: &str) -> Option<&'static dyn Experiment> {
    let classifies = |experiment: &&dyn Experiment| {
        experiment.families().iter().any(|family| family.table == "task" && family.default == "classify")
    };
    let has = |experiment: &&dyn Experiment| experiment.config().data.name == name;
    experiments().iter().copied().find(|experiment| has(experiment) && classifies(experiment))
}

/// A data set in a line: `CIFAR-10: 10 classes, 50000 + 10000 samples of 3x32x32`.
fn described(manifest: &Manifest) -> String {
    let Manifest { title, classes, records, shape: [channels, height, width], .. } = manifest;
    let (train, test, classes) = (records.train, records.test, classes.len());
    format!("{title}: {classes} classes, {train} + {test} samples of {channels}x{height}x{width}")
}

/// The text below `download --help`: what can be downloaded, and its size.
pub fn downloads() -> String {
    let line = |(name, manifest): (&'static str, Manifest)| {
        let archive = manifest.archive.as_ref().map(|archive| archive.bytes);
        let bytes = archive.unwrap_or_else(|| manifest.downloads.iter().map(|download| download.bytes).sum());
        let megabytes = bytes.div_ceil(1_000_000);
        (bytes > 0).then(|| entry(name, &format!("{}, {megabytes} MB, from {}", manifest.title, manifest.homepage)))
    };
    let collection = |collection: &Collection| {
        let Collection { name, title, of, homepage, .. } = collection;
        let (megabytes, of) = (collection.bytes().div_ceil(1_000_000), of.join(" and "));
        entry(name, &format!("{title}, {megabytes} MB, for {of}, from {homepage}"))
    };
    let collections: String = Collection::all().unwrap_or_default().iter().map(collection).collect();
    let data_sets: String = data_sets().filter_map(line).collect();
    format!("Data sets:\n{data_sets}\nCollections, which stand in for data of your own:\n{collections}")
}

/// The text below `fetch --help`: what can be downloaded, and its size.
pub fn published() -> String {
    let names = PublishedWeights::names().unwrap_or_default();
    let weights = names.into_iter().filter_map(|name| PublishedWeights::named(name).ok());
    let line = |weights: &PublishedWeights| {
        let megabytes = weights.bytes().div_ceil(1_000_000);
        entry(&weights.name, &format!("{}, {megabytes} MB, from {}", weights.title, weights.source))
    };
    format!("Models:\n{}", weights.map(line).collect::<String>())
}

/// What to type instead, where `name` is no command or no experiment, but an experiment, a data set or a model.
pub fn tip(name: &str) -> Option<String> {
    if let Some(experiment) = experiments().iter().find(|experiment| experiment.name() == name) {
        return Some(format!("`{}` trains this experiment", command(&format!("train {}", experiment.name()))));
    }
    if let Ok(source) = Source::named(name) {
        let line = with_data(source.name());
        return Some(format!("`{name}` is a data set: `{}` trains on it", command(&format!("train {line}"))));
    }
    if let Ok(collection) = Collection::named(name) {
        let line = of_collection(collection, None);
        return Some(format!("`{name}` is a collection: `{}` trains on it", command(&line)));
    }
    let model = models().iter().find(|model| model.name == name)?;
    if let Kind::Sampled { .. } = model.kind {
        return Some(format!("`{name}` is a model: `{}` shows it", command(&format!("summary {name}"))));
    }
    let line = with_model(model.name);
    Some(format!("`{name}` is a model: `{}` trains it", command(&format!("train {line}"))))
}

/// The command that learns from `collection`, by the first experiment that does, which lies at `place`, or in the downloads' folder.
pub fn of_collection(collection: &Collection, place: Option<&Path>) -> String {
    let name = &collection.name;
    let of = collection.of.first().map_or("EXPERIMENT", String::as_str);
    let experiment = experiments().iter().find(|experiment| experiment.name() == of);
    let families = experiment.map(|experiment| experiment.families()).unwrap_or_default();
    // Beside built-in data sets it has a name of its own; elsewhere all that is read are data of one's own.
    let named = families.iter().any(|family| family.table == "data" && family.names().contains(&name.as_str()));
    let named = if named { format!(" --set data.name={name}") } else { String::new() };
    let dir = match place {
        Some(path) => format!(" --data-dir {}", shell_quoted(&path.to_string_lossy())),
        None if named.is_empty() => format!(" --data-dir {name}"),
        None => String::new(),
    };
    format!("train {of}{named}{dir}")
}

/// The arguments of `train` for the data set `name`: the experiment that has it, or one whose samples have its shape.
fn with_data(name: &str) -> String {
    let data = |experiment: &&dyn Experiment| experiment.config().data.name;
    if let Some(experiment) = of_data(name) {
        return experiment.name().into();
    }
    let shape = |name: &str| Source::named(name).and_then(|source| source.manifest()).ok().map(|found| found.shape);
    let alike = experiments().iter().find(|experiment| shape(&data(experiment)) == shape(name));
    format!("{} --set data.name={name}", alike.map_or("EXPERIMENT", |experiment| experiment.name()))
}

/// The arguments of `train` for the model `name`: the experiment that has it, or a recipe of its name, or a flag.
fn with_model(name: &str) -> String {
    let key = |experiment: &&&dyn Experiment| experiment.config().get("model").is_some_and(|model| model == name);
    if let Some(experiment) = experiments().iter().find(key) {
        return experiment.name().into();
    }
    let recipe = |experiment: &&&dyn Experiment| experiment.recipes().iter().any(|recipe| recipe.name == name);
    match experiments().iter().find(recipe) {
        Some(experiment) => format!("{} --recipe {name}", experiment.name()),
        None => {
            let takes = |experiment: &&&dyn Experiment| {
                let mut models = experiment.families().into_iter().filter(|family| family.table == "model");
                models.any(|family| family.members.iter().any(|member| member.0 == name))
            };
            let experiment = experiments().iter().find(takes);
            format!("{} --model {name}", experiment.map_or("EXPERIMENT", |experiment| experiment.name()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_the_wrong_place_is_explained() {
        let due = |name: &str, words: &[&str]| {
            let tip = tip(name).unwrap_or_default();
            assert!(words.iter().all(|word| tip.contains(word)), "{name}: {tip}");
        };
        due("digits", &["`taper train digits` trains this experiment"]);
        due("cifar10", &["`cifar10` is a data set: `taper train cifar` trains on it"]);
        due("cifar100-coarse", &["`taper train cifar100-coarse` trains this experiment"]);
        due("mlp", &["`mlp` is a model: `taper train digits` trains it"]);
        due("resnet18", &["`resnet18` is a model: `taper train cifar --recipe resnet18` trains it"]);
        due("pictures", &["`taper train pictures` trains this experiment"]);
        due("fsdd", &["`fsdd` is a collection: `taper train speech --data-dir fsdd` trains on it"]);
        due("airbench", &["`airbench` is a model: `taper train cifar --model airbench` trains it"]);
        assert_eq!(tip("imagenet"), None);
    }

    /// What is suggested is a command line that the program takes.
    #[test]
    fn every_tip_can_be_typed() {
        let names = Source::names().into_iter().chain(Collection::names().unwrap());
        for name in names.chain(models().iter().map(|model| model.name)) {
            let tip = tip(name).unwrap();
            let line = tip.split("`taper ").nth(1).unwrap().split('`').next().unwrap();
            let line = line.replace("EXPERIMENT", experiments()[0].name());
            let read = crate::command_line::read(line.split(' ').map(Into::into));
            assert!(read.is_ok(), "{tip}");
        }
    }
}
