//! The experiment `detect`: boxes around things and their classes, by a single-shot detector, of a folder of annotated pictures, or
//! of drawn shapes.

use super::own::{Own, family};
use super::scenes::{self, SceneData, ScenesConfig, colours_alone, muon};
use crate::Detecting;
use taper_config::{Family, Schema, table};
use taper_data::SceneTargets;
use taper_models::{Detector, DetectorConfig, NoKeys};
use taper_nn::{Device, Params, RandomKey};
use taper_train::{Config, DataConfig, Experiment, Prepared, Reporter, Result, ScheduleConfig, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "detect",
    about: "Boxes around things: your pictures (COCO, PASCAL VOC), or drawn shapes",
    config,
    recipes: &[],
    arguments: scenes::ARGUMENTS,
    features: scenes::features,
    families,
    check: colours_alone,
    prepare,
};

table! {
    /// `[model]` of the experiment, whose only model is a [`Detector`]; channels and classes are those of the data.
    pub struct DetectConfig {
        /// Channels of the first layers; the head has four times as many.
        width: usize = 24, integer(1..=1024);
        /// Residual blocks of each of the four stages.
        blocks: usize = 1, integer(1..=100);
        /// 3 × 3 convolutions of either tower of the head.
        convs: usize = 2, integer(0..=16);
    }
}

fn config() -> Config {
    let (optimizer, groups) = muon(0.02, 2e-3);
    Config {
        model: "detector".into(),
        data: DataConfig { name: "scenes".into(), validation: 0.05, ..DataConfig::default() },
        train: TrainConfig { epochs: 20, batch_size: 16, eval_batch_size: 32, ..TrainConfig::default() },
        optimizer,
        groups,
        schedule: ScheduleConfig::new("cosine").with("warmup", 0.5),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "model", "detector", vec![("detector", Schema::of::<DetectConfig>())]),
        family("task", "task", "detect", vec![("detect", Schema::of::<NoKeys>())]),
        family("data", "dataset", "scenes", vec![("scenes", Schema::of::<ScenesConfig>())]),
    ]
}

fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    let mut data = SceneData::load(config, SceneTargets::Boxes, reporter)?;
    let classes = data.train.classes().to_vec();
    let DetectConfig { width, blocks, convs } = config.model.parse("model")?;
    let size = data.train.size();
    let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
    let detector = DetectorConfig { channels: 3, classes: classes.len(), width, blocks, convs, size };
    let model = Detector::new(&detector, &params)?;
    // The keys of the model that the data decide, and the names of the classes.
    let own = serde_json::json!({ "channels": 3, "classes": classes.len(), "size": size });
    let spec = serde_json::json!({ "task": "detect", "size": size, "classes": classes, "model": own });
    let others = data.take_others();
    let task = others.fold(Detecting::new(model, classes), |task, (name, data)| task.beside(name, Box::new(data)));
    data.prepared(Box::new(task), params, spec, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told() {
        let with = |text: &str| {
            let change = taper_train::Override::parse(text).unwrap();
            EXPERIMENT.config().with(&[change]).and_then(|config| EXPERIMENT.check(&config))
        };
        with("model.width=8").unwrap();
        let due = [
            ("model.name=unet", "unknown model `unet`; known: detector"),
            ("model.blocks=0", "model.blocks: expected an integer from 1 to 100, found 0"),
            ("data.augment=[{kind=\"translate\",pixels=2}]", "data.augment: translate: expected color-jitter alone"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }
}
