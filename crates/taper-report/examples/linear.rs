//! A loop that is none of Taper's: a line is fitted by stochastic gradient descent in plain Rust, and shown as TensorBoard
//! and a page show it. `cargo run --example linear -- FOLDER` writes `FOLDER/events` for TensorBoard, `FOLDER/report.html`
//! and `FOLDER/loss.svg`.

use std::path::Path;
use std::time::Instant;
use taper_report::html::{Bars, Block, Column, Page, Section, Table};
use taper_report::plot::{Axis, Chart, Series};
use taper_report::tensorboard::{EventWriter, Histogram, wall_clock};
use taper_report::{Format, Matrix};

/// How every loss is written: on charts, in the facts, in tables.
const LOSS: Format = Format::Decimals(4);
const EPOCHS: u64 = 30;
const RATE: f64 = 0.05;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "linear".into());
    let loss = run(Path::new(&folder))?;
    println!("mean squared error {}; {folder}/report.html, tensorboard --logdir {folder}", LOSS.text(loss));
    Ok(())
}

/// Points around y = 3x − 1.
fn points() -> Vec<(f64, f64)> {
    let noise = |i: f64| (f64::sin(i * 12.9898) * 43_758.545_3).rem_euclid(1.0) - 0.5;
    (0..200).map(f64::from).map(|i| (noise(i), 3.0 * noise(i) - 1.0 + 0.2 * noise(i + 0.5))).collect()
}

/// Fits the line and writes the report; returns the mean squared error.
pub fn run(folder: &Path) -> Result<f64, Box<dyn std::error::Error>> {
    let (began, points) = (Instant::now(), points());
    let mut events = EventWriter::create(folder.join("events"), wall_clock())?;
    let (mut slope, mut offset) = (0.0, 0.0);
    let mut losses = Vec::new();
    for epoch in 1..=EPOCHS {
        for (x, y) in &points {
            let error = slope * x + offset - y;
            slope -= RATE * 2.0 * error * x;
            offset -= RATE * 2.0 * error;
        }
        let errors: Vec<f64> = points.iter().map(|(x, y)| slope * x + offset - y).collect();
        let loss = errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64;
        events.scalar("loss/train", epoch, loss)?;
        if let Some(histogram) = Histogram::new(&errors) {
            events.histogram("errors", epoch, &histogram)?;
        }
        losses.push((epoch as f64, loss));
    }
    let fitted = began.elapsed().as_secs_f64();
    let loss = losses.last().map_or(f64::NAN, |(_, loss)| *loss);

    // The signs that the line finds, beside those that are.
    let signs = ["negative", "positive"];
    let mut found = Matrix::confusion(signs, vec![0; 4])?;
    for (x, y) in &points {
        found.add(usize::from(*y > 0.0), usize::from(slope * x + offset > 0.0), 1)?;
    }
    events.image("signs", EPOCHS, &found.picture())?;

    let chart = Chart {
        title: "Loss".into(),
        x: Axis::linear("epoch"),
        y: Axis::log("mean squared error").format(LOSS),
        series: vec![Series::line("training", losses)],
        ..Chart::default()
    };
    let fit = Chart {
        title: "The points and the line".into(),
        x: Axis::linear("x"),
        y: Axis::linear("y"),
        series: vec![
            Series::dots("points", points),
            Series::line("line", [-0.5, 0.5].map(|x| (x, slope * x + offset)).to_vec()),
        ],
        ..Chart::default()
    };
    std::fs::write(folder.join("loss.svg"), chart.file())?;
    let weights = Table::new(vec![Column::text("weight"), Column::number("found"), Column::number("true")])
        .row(["slope".into(), Format::Short.text(slope), "3".into()])
        .row(["offset".into(), Format::Short.text(offset), "-1".into()]);
    let page = Page::new("A line")
        .command(std::env::args().collect::<Vec<_>>().join(" "))
        .fact("Mean squared error", LOSS.text(loss))
        .fact("Time", Format::Duration.text(began.elapsed().as_secs_f64()))
        .fact("Epochs", EPOCHS.to_string())
        .section(Section::new("Curves").with(vec![chart, fit]))
        .section(Section::new("Weights").with(weights))
        .section(Section::new("Signs").with(found))
        .section(
            Section::new("Timing")
                .with(Bars::timing([("fitting", fitted), ("showing", began.elapsed().as_secs_f64() - fitted)])),
        )
        .section(Section::new("Configuration").with(Block::Text(format!("epochs = {EPOCHS}\nrate = {RATE}"))))
        .note("The points are made up.");
    std::fs::write(folder.join("report.html"), page.html())?;
    events.sync()?;
    Ok(loss)
}
