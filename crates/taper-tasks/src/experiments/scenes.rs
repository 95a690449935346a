//! The data of the experiments on scenes, pictures with things in them: a folder of one's own in COCO's format, or drawn shapes.

use super::own::generated_record;
use taper_config::table;
use taper_data::{Augment, Augmented, Dataset, Mirrored, SceneTargets, Scenes};
use taper_nn::Params;
use taper_train::{
    Argument, Config, DatasetRecord, Error, Form, GroupConfig, OptimizerConfig, Prepared, Reporter, Result, Task,
};

/// Drawn pictures, where there are no data: to learn from, and of each other split.
const DRAWN: [usize; 2] = [800, 200];

/// What `--data-dir` names.
pub(super) const ARGUMENTS: &[Argument] = &[Argument {
    name: "data-dir",
    key: "data.dir",
    value: "DIR",
    help: "The pictures: a folder train with annotations.json in COCO's format, and test, valid or others beside it; a folder in \
           PASCAL VOC's layout, such as VOCdevkit/VOC2007; or a collection by its name [default: drawn shapes]",
    form: Form::DataDir,
}];

table! {
    /// `[data]` of scenes.
    pub struct ScenesConfig {
        /// The folder of annotated pictures, in COCO's format or PASCAL VOC's; none for drawn shapes.
        dir: String = String::new(), any("a folder");
        /// Height and width to which pictures of a folder are stretched.
        size: usize = 96, integer(8..=1024);
        /// Mirror pictures at random while learning.
        mirror: bool = true, flag();
        /// Paste up to so many things of other pictures over each while learning, by their masks.
        paste: usize = 3, integer(0..=16);
        /// Fraction of the pictures held out for the test, where no split is one for it.
        test: f64 = 0.2, fraction();
    }
}

/// Scenes by split.
pub(super) struct SceneData {
    record: DatasetRecord,
    pub(super) train: Scenes,
    validation: Option<Scenes>,
    test: Scenes,
    /// Other splits, by name.
    others: Vec<(String, Scenes)>,
    mirror: bool,
}

impl SceneData {
    /// The scenes that `config` names, with these targets in their batches.
    pub(super) fn load(config: &Config, targets: SceneTargets, reporter: &mut dyn Reporter) -> Result<Self> {
        let own: ScenesConfig = config.data.named().parse("data")?;
        let (data, record) = if own.dir.is_empty() {
            let text = "No data given (--data-dir DIR): using generated pictures, shapes on a background.";
            reporter.note(text);
            drawn(config)?
        } else {
            of_folder(&own, config, targets)?
        };
        let Splits { train, validation, test, others } = data;
        let (train, validation) = match validation {
            Some(validation) => (train, Some(validation)),
            None if config.data.validation > 0.0 => {
                let (train, held) = held_out(&train, config.data.validation, config.train.seed, "data.validation")?;
                (train, Some(held))
            }
            None => (train, None),
        };
        let first = |data: Scenes, count: usize| match count {
            0 => Ok(data),
            count => data.subset(&(0..count.min(data.len())).collect::<Vec<_>>()),
        };
        let train = first(train, config.data.train_samples)?.with(targets).pasted(own.paste, config.train.seed);
        let test = first(test, config.data.test_samples)?.with(targets);
        let validation = validation.map(|data| data.with(targets));
        let record = DatasetRecord {
            train: train.len(),
            validation: validation.as_ref().map_or(0, Scenes::len),
            test: test.len(),
            ..record
        };
        let others = others.into_iter().map(|(name, data)| (name, data.with(targets))).collect();
        Ok(Self { record, train, validation, test, others, mirror: own.mirror })
    }

    /// The splits that are neither learned from nor the test, by name.
    pub(super) fn take_others(&mut self) -> impl Iterator<Item = (String, Scenes)> + use<> {
        std::mem::take(&mut self.others).into_iter()
    }

    /// A run of `task` on these data.
    pub(super) fn prepared(
        self,
        task: Box<dyn Task>,
        params: Params,
        spec: serde_json::Value,
        config: &Config,
    ) -> Result<Prepared> {
        let seed = config.train.seed;
        let train: Box<dyn Dataset> =
            if self.mirror { Box::new(Mirrored::new(self.train, seed)) } else { Box::new(self.train) };
        let train = match config.data.augment.is_empty() {
            true => train,
            false => Box::new(Augmented::new(train, config.data.augment.clone(), seed)?),
        };
        Ok(Prepared {
            task,
            params,
            train,
            validation: self.validation.map(|data| Box::new(data) as Box<dyn Dataset>),
            test: Some(Box::new(self.test)),
            dataset: self.record,
            spec,
        })
    }
}

struct Splits {
    train: Scenes,
    validation: Option<Scenes>,
    test: Scenes,
    others: Vec<(String, Scenes)>,
}

fn drawn(config: &Config) -> Result<(Splits, DatasetRecord)> {
    let most = |drawn: usize, asked: usize| if asked == 0 { drawn } else { drawn.min(asked) };
    let [train, test] = DRAWN;
    // Of pictures that are not asked for none is drawn; what is held out for validation is among those to learn from.
    let train = Scenes::shapes(train, "train");
    let test = Scenes::shapes(most(test, config.data.test_samples), "test");
    let record = generated_record("generated shapes, not photographs", train.checksum());
    Ok((Splits { train, validation: None, test, others: Vec::new() }, record))
}

#[cfg(not(feature = "coco"))]
fn of_folder(_: &ScenesConfig, _: &Config, _: SceneTargets) -> Result<(Splits, DatasetRecord)> {
    Err(super::lacks("coco", "annotated pictures"))
}

#[cfg(feature = "coco")]
fn of_folder(own: &ScenesConfig, config: &Config, targets: SceneTargets) -> Result<(Splits, DatasetRecord)> {
    use super::own::own_record;
    use taper_data::{SceneFolder, SceneOptions};
    let options = SceneOptions { size: own.size, masks: targets == SceneTargets::Masks };
    let found = SceneFolder::open(&own.dir, options)?;
    let checksum = found.checksum().to_string();
    let SceneFolder { train, validation, test, others, .. } = found;
    let (train, test) = match test {
        Some(test) => (train, test),
        None => held_out(&train, own.test, config.train.seed, "data.test")?,
    };
    let what = format!("annotated pictures of {} categories", train.classes().len());
    let record = own_record(&own.dir, &what, checksum);
    Ok((Splits { train, validation, test, others }, record))
}

fn held_out(data: &Scenes, fraction: f64, seed: u64, key: &str) -> Result<(Scenes, Scenes)> {
    let (rest, held) = data.split_off(fraction, seed)?;
    if held.is_empty() || rest.is_empty() {
        let (all, held, rest) = (data.len(), held.len(), rest.len());
        let detail = format!("{fraction} of {all} pictures leaves {held} held out and {rest} to learn from");
        return Err(Error::Usage(format!("{key}: {detail}")));
    }
    Ok((rest, held))
}

/// The cargo features that reading the data of `config` takes.
pub(super) fn features(config: &Config) -> &'static [&'static str] {
    let dir = config.data.named().rest.get("dir").and_then(|dir| dir.as_str().map(str::is_empty));
    if dir.unwrap_or(true) { &[] } else { &["coco"] }
}

/// Errs when an augmentation would move the pictures and not what belongs to them, or evaluation would not have it.
pub(super) fn colours_alone(config: &Config) -> Result<()> {
    let moves = config.data.augment.iter().find(|augment| !matches!(augment, Augment::ColorJitter(_)));
    match moves {
        Some(augment) => Err(Error::Usage(format!(
            "data.augment: {}: expected color-jitter alone, since masks and boxes stay where they are; data.mirror mirrors \
             pictures with them",
            augment.kind()
        ))),
        None => Ok(()),
    }
}

/// Muon for filters, and AdamW, at a rate of its own, for biases and norms.
pub(super) fn muon(lr: f64, adamw_lr: f64) -> (OptimizerConfig, Vec<GroupConfig>) {
    let vectors = GroupConfig {
        pattern: "*".into(),
        vectors: true,
        optimizer: OptimizerConfig::new("adamw").with("lr", adamw_lr).with("weight_decay", 0.0),
        ..GroupConfig::default()
    };
    (OptimizerConfig::new("muon").with("lr", lr).with("weight_decay", 0.01), vec![vectors])
}
