//! Every number of the configuration at the ends of what floats and integers hold: refused, or trained with.

mod common;

use common::{Data, Net};
use taper_nn::DType;
use taper_train::{Config, Error, Fit, Override, Result, Silent};

/// What makes a key count.
fn beside(key: &str) -> &'static [&'static str] {
    match key {
        "optimizer.momentum" => &["optimizer.name=sgd"],
        "optimizer.dampening" => &["optimizer.name=sgd", "optimizer.momentum=0.9"],
        "optimizer.alpha" => &["optimizer.name=rmsprop"],
        "optimizer.lr_decay" => &["optimizer.name=adagrad"],
        "optimizer.ns_steps" => &["optimizer.name=muon", "groups=[{pattern=\"*.bias\", optimizer={name=\"adam\"}}]"],
        "schedule.min" => &["schedule.name=cosine"],
        "schedule.every" => &["schedule.name=exponential"],
        "schedule.gamma" => &["schedule.name=step"],
        "schedule.power" => &["schedule.name=polynomial"],
        "schedule.first" | "schedule.multiply" => &["schedule.name=cosine-restarts"],
        "schedule.warm_fraction" | "schedule.start_div" | "schedule.end_div" => &["schedule.name=one-cycle"],
        "schedule.patience" | "schedule.threshold" => &["schedule.name=plateau"],
        _ => &[],
    }
}

/// Numbers of every size; a key that is an integer takes none of the floats.
const EXTREMES: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "0.0",
    "-0.0",
    "5e-324",
    "1e-310",
    "1e-308",
    "2.3e-308",
    "1e-45",
    "1e-40",
    "1.2e-38",
    "1e-37",
    "1e-16",
    "0.5",
    "0.99999999",
    "0.9999999999999999",
    "1.0",
    "1e16",
    "1e37",
    "3.5e38",
    "1e39",
    "1e300",
    "1.7976931348623157e308",
    "-1e308",
    "inf",
    "-inf",
    "nan",
];

fn trained(key: &str, value: &str, data: &Data) -> Result<()> {
    let value = match key {
        "optimizer.betas" => format!("[{value}, {value}]"),
        "schedule.milestones" => format!("[{value}]"),
        _ => value.into(),
    };
    let small = ["train.batch_size=32", "train.max_steps=3", "train.log_every=1", "data.workers=0"];
    let name: &[&str] = if key == "schedule.milestones" { &["schedule.name=multi-step"] } else { beside(key) };
    let all = [small.as_slice(), name].concat();
    let last = format!("{key}={value}");
    let settings = all.iter().copied().chain([last.as_str()]).map(Override::parse);
    let config = Config::default().with(&settings.collect::<Result<Vec<_>, _>>()?)?;
    if config.train.max_steps != 3 {
        return Ok(()); // its own number, which may be that of no end
    }
    let net = Net::plain(DType::F32, 0);
    let task = net.task();
    let fit = Fit::new(&config, &task, &net.params, &data.train).validation(&data.validation);
    fit.run(&mut Silent)?;
    // As large as they may be, as they are asked to be, but numbers.
    assert!(net.bits().iter().all(|(_, bits)| bits.iter().all(|&bits| !f64::from_bits(bits).is_nan())), "{last}");
    Ok(())
}

#[test]
fn numbers_are_refused_or_trained_with() {
    let data = Data::few();
    let (mut refused, mut ran) = (0, 0);
    for key in Config::default().keys(&[]) {
        let key = key.name.as_str();
        let text = [
            "model",
            "name",
            "file",
            "add",
            "dtype",
            "isa",
            "conv",
            "views",
            "reduction",
            "monitor",
            "augment",
            "groups",
        ];
        if text.contains(&key.rsplit('.').next().unwrap_or_default()) {
            continue;
        }
        for value in EXTREMES {
            match trained(key, value, &data) {
                Ok(()) => ran += 1,
                Err(Error::Usage(text)) => {
                    refused += 1;
                    let (table, last) = key.split_once('.').unwrap_or(("", key));
                    assert!(text.contains(last) && text.contains(table), "{key}={value}: {text}");
                }
                // A rate or a decay far beyond use makes weights that no f32 holds: that is seen, and told.
                Err(Error::NotFinite { .. }) => {
                    // (And without eps a gradient of 0 is divided by 0, as it is defined.)
                    let grows = ["lr", "eps", "weight_decay", "l1", "dampening", "start_div", "end_div"];
                    assert!(grows.iter().any(|name| key.ends_with(name)), "{key}={value}");
                    ran += 1;
                }
                Err(error) => panic!("{key}={value}: {error}"),
            }
        }
    }
    assert!(ran > 300 && refused > 500, "{ran} ran, {refused} were refused");
}
