//! The experiment `table`: one's own table in a CSV or Parquet file, with a column that is to be predicted: a class, or a
//! number.

use super::own::{Own, family, table_features};
use crate::ClassifyConfig;
use taper_config::{Family, Schema, table};
use taper_models::NoKeys;
use taper_nn::Device;
use taper_train::{
    Argument, Config, DataConfig, Experiment, Form, OptimizerConfig, Prepared, Reporter, Result, TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Own {
    name: "table",
    about: "Your own table, a CSV or Parquet file: a class or a number from other columns",
    config,
    recipes: &[],
    arguments: ARGUMENTS,
    features: |config| match table_features(config, "data.file") {
        [] => &["csv"],
        features => features,
    },
    families,
    check: |_| Ok(()),
    prepare,
};

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "file",
        key: "data.file",
        value: "FILE",
        help: "The table: a CSV file with a line of column names, or a Parquet file",
        form: Form::Positional,
    },
    Argument {
        name: "target",
        key: "data.target",
        value: "COLUMN",
        help: "The column that is to be predicted",
        form: Form::Flag,
    },
    Argument {
        name: "task",
        key: "task.name",
        value: "classify|regress",
        help: "Whether the column holds classes or numbers; auto looks at it",
        form: Form::Flag,
    },
    Argument { name: "drop", key: "data.drop", value: "A,B", help: "Columns that are left out", form: Form::List },
    Argument {
        name: "only",
        key: "data.only",
        value: "A,B",
        help: "The columns that are used, if not all others",
        form: Form::List,
    },
    Argument {
        name: "categories",
        key: "data.categories",
        value: "A,B",
        help: "Columns of numbers that are categories, such as codes",
        form: Form::List,
    },
];

/// The models that take rows of numbers.
const MODELS: &[&str] = &["mlp"];

table! {
    /// `[data]` of one's own table.
    pub struct TableConfig {
        /// The CSV or Parquet file.
        file: String = String::new(), any("a file");
        /// The column that is to be predicted.
        target: String = String::new(), any("the name of a column");
        /// Columns that are left out.
        drop: Vec<String> = Vec::new(), any("a list of columns");
        /// The columns that are used, if not all others.
        only: Vec<String> = Vec::new(), any("a list of columns");
        /// Columns of numbers that are categories, such as codes.
        categories: Vec<String> = Vec::new(), any("a list of columns");
        /// Fraction of the rows held out for the test.
        test: f64 = 0.2, fraction();
    }
}

fn config() -> Config {
    Config {
        model: "mlp".into(),
        data: DataConfig { name: "table".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 50, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adamw").with("lr", 1e-3),
        ..Config::default()
    }
}

fn families() -> Vec<Family> {
    let tasks = vec![
        ("auto", Schema::of::<NoKeys>()),
        ("classify", Schema::of::<ClassifyConfig>()),
        ("regress", Schema::of::<NoKeys>()),
    ];
    // `unknown model for tables`: there are others, for pictures.
    let models = taper_models::models().iter().filter(|model| MODELS.contains(&model.name));
    let models = models.map(|model| (model.name, model.schema)).collect();
    vec![
        family("model", "model for tables", "mlp", models),
        family("task", "task", "auto", tasks),
        family("data", "dataset", "table", vec![("table", Schema::of::<TableConfig>())]),
    ]
}

#[cfg(not(any(feature = "csv", feature = "parquet")))]
fn prepare(_config: &Config, _device: &Device, _reporter: &mut dyn Reporter) -> Result<Prepared> {
    Err(super::lacks("csv", "tables"))
}

#[cfg(any(feature = "csv", feature = "parquet"))]
fn prepare(config: &Config, device: &Device, reporter: &mut dyn Reporter) -> Result<Prepared> {
    use crate::run::{Inputs, Spec, spec_json};
    use crate::{Classification, Regression, TargetStats};
    use taper_data::{CsvOptions, Table, TableOptions, TableSource, TableSpec, TargetKind, TargetSpec, split};
    use taper_models::{InputSpec, build};
    use taper_nn::{Params, RandomKey};
    use taper_train::{DatasetRecord, Error, Task};

    let own: TableConfig = config.data.named().parse("data")?;
    for (key, value, what) in [("file", &own.file, "a CSV or Parquet file"), ("target", &own.target, "a column's name")]
    {
        if value.is_empty() {
            let example = "train table FILE.csv --target COLUMN";
            return Err(Error::Usage(format!("data.{key}: expected {what}, as in `{example}`, found none")));
        }
    }
    let kind = match config.task.name.as_str() {
        "classify" => Some(TargetKind::Classes),
        "regress" => Some(TargetKind::Number),
        _ => None,
    };
    let options = TableOptions {
        target: own.target.clone(),
        kind,
        drop: own.drop.clone(),
        only: own.only.clone(),
        categories: own.categories.clone(),
    };
    let source = TableSource::open(&own.file, CsvOptions::default())?;
    // The test rows are held out first, then the validation rows of the others.
    let strata = source.strata(&options)?;
    let seed = config.train.seed;
    let (rest, test) = split(&strata, own.test, seed)?;
    let of_rest: Vec<i64> = rest.iter().map(|&row| strata[row]).collect();
    let (train, validation) = split(&of_rest, config.data.validation, seed)?;
    let place = |places: Vec<usize>| places.into_iter().map(|place| rest[place]).collect::<Vec<usize>>();
    let (mut train, validation, mut test) = (place(train), place(validation), test);
    for (rows, most, key) in [
        (&mut train, config.data.train_samples, "data.test and data.validation"),
        (&mut test, config.data.test_samples, "data.test"),
    ] {
        if rows.is_empty() {
            return Err(Error::Usage(format!("{key}: of {} rows none is left for a split", strata.len())));
        }
        if most > 0 {
            rows.truncate(most);
        }
    }
    let table_spec = TableSpec::learn(&source, &options, Some(&train))?;
    let spec = &table_spec;
    if !spec.left_out.is_empty() {
        let each = spec.left_out.iter().map(|column| format!("\n  {}: {}", column.name, column.reason));
        reporter.note(&format!("columns that are not used:{}", each.collect::<String>()));
    }
    let features = spec.features();
    reporter.note(&format!("{} features of {} columns", features.len(), spec.columns.len()));
    let what = format!("{} of {} features", spec.target.name(), features.len());
    let dataset = DatasetRecord {
        train: train.len(),
        validation: validation.len(),
        test: test.len(),
        ..super::own::own_record(&own.file, &what, source.checksum().into())
    };
    let encoding = spec_json(spec)?;
    let inputs = Inputs::Table { width: spec.width(), encoding };
    let params = Params::new(device, config.dtype()?, RandomKey::new(seed));
    let model = |classes| build(&config.model, &InputSpec { shape: [1, 1, spec.width()], classes }, &params);
    let (task, spec): (Box<dyn Task>, Spec) = match &spec.target {
        TargetSpec::Classes { classes, .. } => {
            let task = Classification::new(model(classes.len())?, classes.clone());
            let settings =
                if config.task.name == "classify" { config.task.parse("task")? } else { ClassifyConfig::default() };
            (Box::new(task.with(settings)), Spec::Classify { inputs, classes: classes.clone() })
        }
        TargetSpec::Number { name, mean, std } => {
            let target = TargetStats { mean: *mean, std: *std };
            let task = Regression::new(model(1)?).standardized(target);
            (Box::new(task), Spec::Regress { inputs, name: name.clone(), target })
        }
    };
    let all = Table::new(source, table_spec.clone())?;
    Ok(Prepared {
        task,
        train: Box::new(all.subset(&train)?),
        validation: if validation.is_empty() { None } else { Some(Box::new(all.subset(&validation)?)) },
        test: Some(Box::new(all.subset(&test)?)),
        params,
        dataset,
        spec: spec_json(&spec)?,
    })
}
