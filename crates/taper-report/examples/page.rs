//! Writes a report page like that of a run, from made-up numbers: `cargo run --example page -- FILE.html [CLASSES]`. A
//! chart like that of the learning-rate finder is written beside it, as an SVG file.

use std::f64::consts::PI;
use taper_report::html::{Bars, Block, Column, Framed, Gallery, Page, Section, Table};
use taper_report::plot::{Axis, Chart, Mark, Series};
use taper_report::{Format, Matrix, Picture, Result};

/// How losses and fractions are written, wherever they are.
const LOSS: Format = Format::Decimals(4);
const ACCURACY: Format = Format::Percent(2);

const CIFAR: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const LAYERS: [(&str, &[usize]); 8] = [
    ("conv1.weight", &[64, 3, 3, 3]),
    ("conv1.bias", &[64]),
    ("conv2.weight", &[128, 64, 3, 3]),
    ("conv2.bias", &[128]),
    ("fc1.weight", &[512, 8192]),
    ("fc1.bias", &[512]),
    ("fc2.weight", &[10, 512]),
    ("fc2.bias", &[10]),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "page.html".into());
    let classes: usize = arguments.next().map_or(Ok(10), |text| text.parse())?;
    std::fs::write(&path, page(classes)?.html())?;
    std::fs::write(format!("{path}.svg"), finder().file())?;
    println!("{path} and {path}.svg");
    Ok(())
}

/// A pseudo-random number from 0 to 1.
fn noise(i: usize) -> f64 {
    (f64::sin(i as f64 * 12.9898) * 43_758.545_3).rem_euclid(1.0)
}

/// A chart like that of the learning-rate finder.
pub fn finder() -> Chart {
    let rate = |i: usize| 10_f64.powf(-6.0 + i as f64 / 40.0);
    let loss = |lr: f64| 2.3 - 1.4 / (1.0 + (1e-3 / lr).powf(1.2)) + (lr / 0.2).powi(3);
    Chart {
        title: "Learning-rate finder".into(),
        x: Axis::log("learning rate"),
        y: Axis::linear("loss"),
        series: vec![Series::line("loss", (0..220).map(|i| (rate(i), loss(rate(i)) + 0.03 * noise(i))).collect())],
        marks: vec![Mark { x: 1.2e-3, label: "suggested: 0.0012".into() }],
    }
}

/// A scatter chart like those of `tune`.
fn trials() -> Chart {
    let trial = |i: usize| {
        let power = -4.5 + 3.0 * noise(i);
        (10_f64.powf(power), 0.84 - 0.08 * (power + 3.0).powi(2) - 0.03 * noise(i + 99))
    };
    Chart {
        title: "Trials".into(),
        x: Axis::log("optimizer.lr"),
        y: Axis::linear("best validation accuracy").format(ACCURACY),
        series: vec![
            Series::dots("stopped early", (0..30).map(trial).collect()),
            Series::dots("finished", (30..40).map(trial).collect()),
        ],
        marks: vec![],
    }
}

fn curves() -> Vec<Chart> {
    let per_epoch = 782;
    let decay = |step: usize, from: f64, to: f64, speed: f64| to + (from - to) * (-(step as f64) / speed).exp();
    let steps = || (1..=782).map(move |i| i * 10);
    let epochs = |f: &dyn Fn(usize) -> f64| (1..=10).map(|epoch| (epoch as f64, f(epoch))).collect();
    let norms = LAYERS.iter().enumerate().map(|(k, (name, _))| {
        let norm = |step: usize| 0.01 * (k + 1) as f64 * decay(step, 6.0, 1.0, 900.0) * (0.5 + noise(step + k));
        Series::line(*name, steps().map(|step| (step as f64, norm(step))).collect())
    });
    let chart = |title: &str, x: &str, y: Axis, series: Vec<Series>| Chart {
        title: title.into(),
        x: Axis::linear(x),
        y,
        series,
        marks: vec![],
    };
    vec![
        chart(
            "Loss of each step",
            "step",
            Axis::linear("cross entropy").format(LOSS),
            vec![Series::line(
                "training",
                steps().map(|s| (s as f64, decay(s, 2.3, 0.35, 2e3) + 0.3 * noise(s) - 0.15)).collect(),
            )],
        ),
        chart(
            "Loss of each epoch",
            "epoch",
            Axis::linear("cross entropy").format(LOSS),
            vec![
                Series::line("training", epochs(&|e| decay(e * per_epoch, 2.0, 0.3, 2e3))),
                Series::line("validation", epochs(&|e| decay(e * per_epoch, 1.9, 0.52, 1.6e3) + 0.006 * e as f64)),
            ],
        ),
        chart(
            "Accuracy",
            "epoch",
            Axis::linear("classified correctly").format(ACCURACY),
            vec![
                Series::line("training", epochs(&|e| 0.92 - decay(e * per_epoch, 0.5, 0.0, 2.2e3))),
                Series::line("validation", epochs(&|e| 0.845 - decay(e * per_epoch, 0.4, 0.0, 1.8e3))),
            ],
        ),
        chart(
            "Learning rate",
            "step",
            Axis::linear("of the first group"),
            vec![Series::line(
                "rate",
                steps().map(|s| (s as f64, 5e-4 * (1.0 + (PI * s as f64 / 7820.0).cos()))).collect(),
            )],
        ),
        chart("Gradient norms", "step", Axis::log("2-norm of the gradient"), norms.collect()),
        trials(),
    ]
}

/// The curves that the facts tell the ends of.
fn last(curves: &[Chart], title: &str, name: &str) -> f64 {
    let series = curves.iter().filter(|chart| chart.title == title).flat_map(|chart| &chart.series);
    let last = series.filter(|series| series.name == name).filter_map(|series| series.points.last()).next();
    last.map_or(f64::NAN, |point| point.1)
}

/// A page of a classifier of so many classes.
pub fn page(classes: usize) -> Result<Page> {
    let name =
        |i: usize| CIFAR.get(i).filter(|_| classes <= 10).map_or_else(|| format!("class {i}"), ToString::to_string);
    let count = |k: usize| {
        let (i, j) = (k / classes, k % classes);
        if i == j { 780 + (noise(i) * 180.0) as u64 } else { (noise(k).powi(6) * 90.0) as u64 }
    };
    let matrix = Matrix::confusion((0..classes).map(name), (0..classes * classes).map(count).collect())?;
    let heads = ["precision", "recall", "samples"].map(Column::number);
    let mut scores = Table::new([vec![Column::text("class")], heads.to_vec()].concat());
    for class in 0..classes {
        let (right, actual) = (matrix.count(class, class), matrix.row_total(class));
        let share = |whole: u64| Format::Percent(1).text(right as f64 / whole as f64);
        scores = scores.row([name(class), share(matrix.column_total(class)), share(actual), actual.to_string()]);
    }
    // A ring of another size for each.
    let ring = |i: usize, at: usize| {
        let (x, y) = ((at % 16) as f64 - 7.5, (at / 16) as f64 - 7.5);
        (255.0 * (-((x * x + y * y).sqrt() - 2.0 - 5.0 * noise(i)).powi(2)).exp()) as u8
    };
    let mistake = |i: usize| {
        let picture = Picture::new([1, 16, 16], (0..256).map(|at| ring(i, at)).collect())?;
        let sure = Format::Percent(1).text(0.99 - 0.02 * i as f64);
        let title = name((i * 7 + 3) % classes);
        Ok(Framed { picture: Some(picture), title, detail: format!("{sure}, is {}", name(i % classes)) })
    };
    let mistakes = (0..24).map(mistake).collect::<Result<Vec<_>>>()?;
    let weight = |i: usize| (noise(i) - 0.5) as f32 + (i as f32 / 5.0).sin() * 0.6;
    let filter = |i: usize| Picture::from_signed([3, 3, 3], &(27 * i..27 * (i + 1)).map(weight).collect::<Vec<_>>());
    let filters = (0..64).map(filter).collect::<Result<Vec<_>>>()?;
    let about = "64 filters of 3 × 3 × 3: grey is 0, white and black the largest weight of each; the channels are red, \
                 green and blue.";
    let heads = ["values", "norm", "gradient"].map(Column::number);
    let mut layers = Table::new([vec![Column::text("parameter"), Column::text("shape")], heads.to_vec()].concat());
    for (i, (name, shape)) in LAYERS.iter().enumerate() {
        let sizes = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
        let [norm, gradient] = [3.0 + 9.0 * noise(i), 0.01 + noise(i + 50)].map(|norm| Format::Short.text(norm));
        layers = layers.row([name.to_string(), sizes, shape.iter().product::<usize>().to_string(), norm, gradient]);
    }
    let parts = [("steps", 640.0), ("waiting for data", 1.21), ("evaluation", 95.5), ("checkpoints", 0.84)];
    let curves = curves();
    let features = ["sepal length", "sepal width", "petal length", "petal width"];
    let bars = features.into_iter().enumerate().map(|(i, name)| (name.to_string(), noise(i) - 0.4));
    Ok(Page::new("cifar-20261124-012345")
        .command("cargo xtask train cifar --epochs 10 --set optimizer.name=adamw --run-dir runs/cifar-20261124-012345")
        .fact("Test accuracy", ACCURACY.text(0.841_23))
        .fact("Test loss", LOSS.text(0.481_23))
        .fact("Last validation accuracy", ACCURACY.text(last(&curves, "Accuracy", "validation")))
        .fact("Date", "2026-11-24 01:23:45 UTC")
        .fact("Time", Format::Duration.text(parts.iter().map(|(_, seconds)| seconds).sum()))
        .fact("Device", "cpu (16 threads, avx512), f32")
        .fact("Model", "seed-cnn, 4 275 594 parameters")
        .fact("Data", "CIFAR-10")
        .fact("Commit", "0b9e52ec1f3a")
        .warning("conv1.bias: the gradient's norm fell below 1e-7 at step 120 (vanishing)")
        .section(Section::new("Curves").with(curves))
        .section(Section::new("Confusion matrix").with(matrix).with(scores))
        .section(Section::new("Samples gone wrong").with(Gallery::new(mistakes).of(1588, "samples")))
        .section(Section::new("First-layer filters").with(Gallery::tiles(about, filters)))
        .section(Section::new("Layers").with(layers))
        .section(Section::new("Features").with(Bars::new("feature", "weight", bars.collect())))
        .section(Section::new("Timing").with(Bars::timing(parts)))
        .section(Section::new("Configuration").with(Block::Text(
            "model = \"seed-cnn\"\n\n[data]\nname = \"cifar10\"\n\n[train]\nepochs = 10\nbatch_size = 64\n".into(),
        )))
        .note("Data: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009."))
}
