//! The experiment `segment`: a class for each pixel, by a U-Net, of a folder of annotated pictures, or of drawn shapes.

use super::own::{Own, family};
use super::scenes::{self, SceneData, ScenesConfig, colours_alone, muon};
use crate::DenseLabels;
use taper_config::{Family, Schema, table};
use taper_data::SceneTargets;
use taper_models::{UNet, UNetConfig};
use taper_nn::{Device, Params, RandomKey};
use taper_train::{Config, DataConfig, Experiment, Prepared, Reporter, Result, ScheduleConfig, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "segment",
    about: "A class for each pixel (U-Net): your pictures (COCO, PASCAL VOC), or drawn shapes",
    config,
    recipes: &[],
    arguments: scenes::ARGUMENTS,
    features: scenes::features,
    families,
    check: colours_alone,
    prepare,
};

table! {
    /// `[model]` of the experiment, whose only model is a [`UNet`]; channels and classes are those of the data.
    pub struct SegmentConfig {
        /// Channels at full size; they double where the sides are halved.
        width: usize = 32, integer(1..=1024);
        /// How often the sides are halved.
        depth: usize = 3, integer(1..=8);
        /// Pixels from one position of the first convolution to the next; the last layer enlarges to the picture's size.
        stride: usize = 2, integer(1..=8);
        /// What follows each 3 × 3 convolution: batch norm, group norm of up to 8 groups, or none.
        norm: String = "batch".into(), one_of(&["batch", "group", "none"]);
    }
}

table! {
    /// `[task]` of the experiment.
    pub struct SegmentTaskConfig {
        /// What the Dice loss counts beside the cross entropy; 0 for cross entropy alone.
        dice: f64 = 1.0, number(0.0..=1e3);
        /// Predict as the mean of what a picture and its mirror image give.
        mirror: bool = true, flag();
    }
}

/// The name of what is no thing.
const BACKGROUND: &str = "background";

fn config() -> Config {
    let (optimizer, groups) = muon(0.04, 4e-3);
    Config {
        model: "unet".into(),
        data: DataConfig { name: "scenes".into(), validation: 0.05, ..DataConfig::default() },
        train: TrainConfig { epochs: 30, batch_size: 16, eval_batch_size: 32, ..TrainConfig::default() },
        optimizer,
        groups,
        schedule: ScheduleConfig::new("cosine").with("warmup", 0.5),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    vec![
        family("model", "model", "unet", vec![("unet", Schema::of::<SegmentConfig>())]),
        family("task", "task", "segment", vec![("segment", Schema::of::<SegmentTaskConfig>())]),
        family("data", "dataset", "scenes", vec![("scenes", Schema::of::<ScenesConfig>())]),
    ]
}

fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    let mut data = SceneData::load(config, SceneTargets::Masks, reporter)?;
    let classes: Vec<String> =
        [BACKGROUND.to_string()].into_iter().chain(data.train.classes().iter().cloned()).collect();
    let SegmentConfig { width, depth, stride, norm } = config.model.parse("model")?;
    let size = data.train.size();
    let unet = UNetConfig { channels: 3, classes: classes.len(), width, depth, norm, stride, size };
    let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
    let model = UNet::new(&unet, &params)?;
    // The keys of the model that the data decide, and the names of the classes.
    let own = serde_json::json!({ "channels": 3, "classes": classes.len(), "size": size });
    let spec = serde_json::json!({ "task": "segment", "size": size, "classes": classes, "model": own });
    let SegmentTaskConfig { dice, mirror } = config.task.parse("task")?;
    let task = DenseLabels::new(model, classes).with_dice(dice).with_mirror(mirror);
    let task = data.take_others().fold(task, |task, (name, data)| task.beside(name, Box::new(data)));
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
        with("model.width=16").unwrap();
        with("data.augment=[{kind=\"color-jitter\",brightness=0.2}]").unwrap();
        let due = [
            ("model.name=mlp", "unknown model `mlp`; known: unet"),
            ("model.depth=0", "model.depth: expected an integer from 1 to 8, found 0"),
            ("data.augment=[{kind=\"flip\"}]", "data.augment: flip: expected color-jitter alone"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }

    #[test]
    fn a_folder_takes_a_reader() {
        let config = EXPERIMENT.config();
        assert!(EXPERIMENT.features(&config).is_empty());
        let change = taper_train::Override::parse("data.dir=\"stamps\"").unwrap();
        assert_eq!(EXPERIMENT.features(&config.with(&[change]).unwrap()), ["coco"]);
    }
}
