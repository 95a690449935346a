//! Public collections that are named in the place of data of one's own.

use super::own::short_name;
use std::path::Path;
use taper_data::{Collection, LocateOptions};
use taper_train::{DatasetRecord, Error, Reporter, Result, nearest};

/// The collection that `value` stands for, the value of the key `key`, which says where the data of the experiment
/// `experiment` are. A path that is there is never the name of a collection.
///
/// # Errors
/// The name of a collection of another experiment, and a path that is not there and whose last part is nearly the name of one.
pub(super) fn named(experiment: &str, key: &str, value: &str) -> Result<Option<&'static Collection>> {
    let own = || -> Result<Vec<&'static str>> {
        let all = Collection::all()?.iter().filter(|collection| collection.is_of(experiment));
        Ok(all.map(|collection| collection.name.as_str()).collect())
    };
    match Collection::meant_by(value) {
        Some(found) if found.is_of(experiment) => Ok(Some(found)),
        Some(Collection { name, of, .. }) => {
            let own = own()?;
            let own = if own.is_empty() { String::new() } else { format!(", or the collection {}", own.join(", ")) };
            let of = of.join("` and `");
            let detail = format!("expected a path{own}, found the collection {name}, which is for `{of}`");
            Err(Error::Usage(format!("{key}: {detail}")))
        }
        None if value.is_empty() || Path::new(value).exists() => Ok(None),
        None => match nearest(&short_name(value), own()?).first() {
            Some(near) => {
                let detail = format!("there is no file or folder {value}; did you mean the collection {near}?");
                Err(Error::Usage(format!("{key}: {detail}")))
            }
            None => Ok(None),
        },
    }
}

/// A collection that is there.
pub(super) struct Found {
    collection: &'static Collection,
    /// The file or the folder that is learned from.
    pub(super) path: String,
    /// Where it was found, as a run records it.
    origin: &'static str,
}

/// Looks for `collection` in the downloads' folder of `locate`, and fetches it if it is not there.
///
/// # Errors
/// As [`Collection::fetch`].
pub(super) fn fetch(
    collection: &'static Collection,
    locate: &LocateOptions,
    reporter: &mut dyn Reporter,
) -> Result<Found> {
    let there = collection.is_there(&locate.downloads);
    let path = collection.fetch(locate, &mut |event| reporter.fetching(event))?;
    let mut notice = format!("{} from {}", collection.title, path.display());
    if !there {
        notice += &format!("\n{}", collection.cited());
    }
    reporter.found(&notice);
    let path = path.to_string_lossy().into_owned();
    Ok(Found { collection, path, origin: if there { "downloads" } else { "network" } })
}

impl Found {
    /// `record`, that of data of one's own at the path, as that of the collection.
    pub(super) fn record(&self, record: DatasetRecord) -> DatasetRecord {
        let what = record.description.strip_prefix(&short_name(&self.path)).unwrap_or_default();
        DatasetRecord {
            description: format!("{}{what}", self.collection.title),
            origin: self.origin.into(),
            citation: Some(self.collection.cited()),
            ..record
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::{experiment, experiments};
    use std::fs;
    use taper_nn::Device;
    use taper_train::{Config, Form, Override, Prepared, Silent};

    fn with(name: &str, settings: &[&str]) -> Config {
        let changes: Vec<Override> = settings.iter().map(|text| Override::parse(text).unwrap()).collect();
        experiment(name).unwrap().config().with(&changes).unwrap()
    }

    /// As a run does.
    fn prepared(name: &str, config: &Config, locate: &LocateOptions) -> Result<Prepared> {
        let experiment = experiment(name)?;
        experiment.check(config)?;
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        experiment.prepare(&config.resolved(&experiment.families())?, &device, locate, &mut Silent)
    }

    /// The key that says where the data of an experiment are.
    fn place(name: &str) -> Option<&'static str> {
        let arguments = experiment(name).unwrap().arguments().iter();
        arguments.filter(|own| matches!(own.form, Form::DataDir | Form::Positional)).map(|own| own.key).next()
    }

    #[test]
    fn every_collection_is_taken_by_its_experiment_alone() {
        for collection in Collection::all().unwrap() {
            let Collection { name, of, .. } = collection;
            for experiment in experiments() {
                let Some(key) = place(experiment.name()) else { continue };
                let mut settings = vec![format!("{key}=\"{name}\"")];
                if experiment.source(&experiment.config()).is_some() {
                    settings.push("data.name=folder".into());
                }
                let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
                let config = with(experiment.name(), &settings);
                match experiment.collection(&config) {
                    Ok(found) => {
                        let known = collection.is_of(experiment.name());
                        assert!(found == Some(collection) && known, "{name}: {}", experiment.name());
                    }
                    Err(error) => {
                        let due = format!("found the collection {name}, which is for `{}`", of.join("` and `"));
                        assert!(!collection.is_of(experiment.name()) && error.is_usage(), "{error}");
                        assert!(error.to_string().ends_with(&due), "{error}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_that_is_nearly_one_is_told() {
        let told = |experiment: &str, value: &str| {
            let config = with(experiment, &[&format!("{}=\"{value}\"", place(experiment).unwrap())]);
            checked(experiment, &config).unwrap_err()
        };
        let due =
            "data.path: there is no file or folder /x/tiny-shakespear; did you mean the collection tiny-shakespeare?";
        assert_eq!(told("text", "/x/tiny-shakespear"), due);
        let due = "data.path: expected a path, or the collection tiny-shakespeare, found the collection fsdd, which is for \
                   `speech`";
        assert_eq!(told("text", "fsdd"), due);
        let far = with("text", &["data.path=\"/x/nowhere\""]);
        checked("text", &far).unwrap();
    }

    fn checked(name: &str, config: &Config) -> Result<(), String> {
        experiment(name).unwrap().check(config).map_err(|error| error.to_string())
    }

    /// What is learned is what the path would give; what is recorded is the collection.
    #[test]
    fn a_collection_is_read_as_data_of_ones_own_are() {
        let downloads = tempfile::tempdir().unwrap();
        let locate = LocateOptions { downloads: downloads.path().into(), offline: true, ..LocateOptions::default() };
        let config = with("text", &["data.path=tiny-shakespeare"]);
        let text = prepared("text", &config, &locate).map(drop).unwrap_err().to_string();
        assert!(
            text.starts_with("Tiny Shakespeare: expected ") && text.contains("(offline); allow the network"),
            "{text}"
        );

        let collection = Collection::named("tiny-shakespeare").unwrap();
        let path = collection.path(downloads.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "to be or not to be ".repeat(100)).unwrap();
        let found = prepared("text", &config, &locate).unwrap();
        let own = with("text", &[&format!("data.path=\"{}\"", path.display())]);
        let own = prepared("text", &own, &locate).unwrap();
        assert_eq!((found.train.len(), &found.spec), (own.train.len(), &own.spec));
        let record = &found.dataset;
        assert_eq!((&record.checksum, &record.path), (&own.dataset.checksum, &own.dataset.path));
        assert_eq!(record.description, "Tiny Shakespeare, 7 different characters");
        assert_eq!(own.dataset.description, "input.txt, 7 different characters");
        assert_eq!((record.origin.as_str(), own.dataset.origin.as_str()), ("downloads", "own"));
        assert!(record.citation.as_deref().unwrap().ends_with("; in the public domain"), "{:?}", record.citation);
    }
}
