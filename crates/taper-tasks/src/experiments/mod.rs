//! The experiments: one file each, and the list of them.

mod autoencoder;
mod cifar;
mod cifar100;
mod cifar100_coarse;
mod dbn;
mod denoise;
mod detect;
mod dialogue;
mod digits;
mod fashion_mnist;
mod forecast;
mod labelled;
mod mnist;
mod own;
mod own_pictures;
mod own_table;
mod pictures;
mod public;
mod recommend;
mod scenes;
mod segment;
mod sounds;
mod speak;
mod speech;
mod text;
mod text_classes;
mod translate;
mod verify;
mod voices;

#[cfg(any(feature = "csv", feature = "parquet"))]
pub(crate) use forecast::gaps;

#[cfg(feature = "audio")]
pub(crate) use own::{generated_record, own_record};

use taper_train::{Error, Experiment, Result, unknown};

/// All experiments, in alphabetical order. To add one, add a file beside this one and an entry here.
const ALL: &[&dyn Experiment] = &[
    autoencoder::EXPERIMENT,
    cifar::EXPERIMENT,
    cifar100::EXPERIMENT,
    cifar100_coarse::EXPERIMENT,
    dbn::EXPERIMENT,
    denoise::EXPERIMENT,
    detect::EXPERIMENT,
    dialogue::EXPERIMENT,
    digits::EXPERIMENT,
    fashion_mnist::EXPERIMENT,
    forecast::EXPERIMENT,
    mnist::EXPERIMENT,
    own_pictures::EXPERIMENT,
    recommend::EXPERIMENT,
    segment::EXPERIMENT,
    sounds::EXPERIMENT,
    speak::EXPERIMENT,
    speech::EXPERIMENT,
    own_table::EXPERIMENT,
    text::EXPERIMENT,
    text_classes::EXPERIMENT,
    translate::EXPERIMENT,
    verify::EXPERIMENT,
    voices::EXPERIMENT,
];

/// All experiments, in alphabetical order.
pub fn experiments() -> &'static [&'static dyn Experiment] {
    ALL
}

/// The experiment called `name`.
///
/// # Errors
/// An unknown name; the error lists the nearest ones.
pub fn experiment(name: &str) -> Result<&'static dyn Experiment> {
    ALL.iter().copied().find(|experiment| experiment.name() == name).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|experiment| experiment.name()).collect();
        Error::Usage(unknown("experiment", name, &known))
    })
}

/// The error of a build without the readers that the data need.
#[cfg(not(all(
    feature = "audio",
    feature = "bpe",
    feature = "coco",
    feature = "images",
    any(feature = "csv", feature = "parquet")
)))]
fn lacks(feature: &str, what: &str) -> Error {
    Error::Usage(format!("this build reads no {what}: it lacks the feature `{feature}` of taper-tasks"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{DType, Device, Params, RandomKey, matches};

    #[test]
    fn every_recipe_is_a_configuration() {
        for experiment in experiments() {
            experiment.config().check().unwrap();
            for recipe in experiment.recipes() {
                let config = experiment.config().with(&recipe.overrides().unwrap()).unwrap();
                assert_ne!(config, experiment.config(), "{}", recipe.name);
            }
        }
        let text = experiment("cifar").unwrap().recipe("fast95").unwrap_err().to_string();
        assert_eq!(text, "unknown recipe `fast95`; did you mean fast94? (known: fast94, resnet18)");
        assert_eq!(experiment("digits").unwrap().recipe("x").unwrap_err().to_string(), "digits has no recipes");
    }

    #[test]
    fn every_recipe_can_be_and_resnet18_decays_matrices_alone() {
        let cifar = experiment("cifar").unwrap();
        for recipe in cifar.recipes() {
            cifar.check(&cifar.config().with(&recipe.overrides().unwrap()).unwrap()).unwrap();
        }
        let recipe = cifar.recipe("resnet18").unwrap();
        let config = cifar.config().with(&recipe.overrides().unwrap()).unwrap();
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let input = taper_models::InputSpec { shape: [3, 32, 32], classes: 10 };
        taper_models::build("resnet18", &input, &params).unwrap();
        for param in params.trainable() {
            let group = config.groups.iter().find(|group| matches(&group.pattern, param.name()));
            let optimizer = group.map_or(config.optimizer.clone(), |group| config.optimizer.of_group(group));
            let decays = optimizer.resolved().unwrap().number("weight_decay").is_some_and(|decay| decay > 0.0);
            assert_eq!(decays, param.tensor().shape().rank() >= 2, "{}", param.name());
        }
    }

    #[test]
    fn names_are_found_and_others_told() {
        assert_eq!(experiment("digits").unwrap().name(), "digits");
        let text = experiment("digit").err().unwrap().to_string();
        assert_eq!(
            text,
            "unknown experiment `digit`; did you mean digits? (known: autoencoder, cifar, cifar100, cifar100-coarse, dbn, denoise, detect, dialogue, digits, fashion-mnist, forecast, mnist, pictures, recommend, segment, sounds, speak, speech, table, text, text-classes, translate, verify, voices)"
        );
    }
}
