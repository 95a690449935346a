//! A series forecast from its own past: from the file to the values that follow.

#![cfg(feature = "csv")]

mod common;

use common::Place;
use std::fmt::Write as _;
use std::fs;

const STEPS: usize = 1000;
/// A model that learns the waves of [`series`] in a second or two.
const QUICK: &str = "--quiet --threads 1 --context 36 --horizon 8 --season 12 --epochs 6 --lr 0.01 --batch-size 64";

/// The value at a step: a wave of 12 steps, a slower one, and a little that cannot be known.
fn value(i: usize) -> f64 {
    let wave = |steps: f64| (std::f64::consts::TAU * i as f64 / steps).sin();
    10.0 + 2.0 * wave(12.0) + 1.5 * wave(60.0) + 0.2 * ((i * i * 37 % 101) as f64 / 101.0 - 0.5)
}

/// Hourly values from 2024-03-01 on, each with what `change` makes of it.
fn series(place: &Place, name: &str, change: impl Fn(usize, String) -> String) {
    let mut text = String::from("time,load,note\n");
    for i in 0..STEPS {
        let (day, hour) = (i / 24, i % 24);
        let (month, day) = if day < 31 { (3, day + 1) } else { (4, day - 30) };
        let line = format!("2024-{month:02}-{day:02}T{hour:02}:00,{},x", value(i));
        writeln!(text, "{}", change(i, line)).unwrap();
    }
    fs::write(place.path(name), text).unwrap();
}

/// What `eval` says of the metric `name`.
fn measured(place: &Place, run: &str, name: &str) -> f64 {
    let out = place.ok(&format!("eval {run}")).out;
    let rest = out.split(&format!("test {name} ")).nth(1).unwrap_or_else(|| panic!("{name}: {out}"));
    rest.split([',', '%', '\n']).next().unwrap().parse().unwrap()
}

#[test]
fn a_series_is_learned_measured_and_gone_on_with() {
    let place = Place::new();
    series(&place, "a.csv", |_, line| line);
    let ran = place.ok(&format!("train forecast a.csv --target load {QUICK} --run-dir run"));
    let mae: f64 = ran.last_line().strip_prefix("Test Mae = ").unwrap_or_else(|| panic!("{ran:?}")).parse().unwrap();
    assert!(mae < 0.3 * measured(&place, "run", "naive_mae"), "{mae}");
    assert!((measured(&place, "run", "mae") - mae).abs() < 1e-4);
    assert!((60.0..=100.0).contains(&measured(&place, "run", "coverage")));
    assert!(measured(&place, "run", "mase") < 0.3);

    let report = place.read("run/report.html");
    for text in ["id=\"forecasts\"", "class=\"band\"", "band of 80%", "seasonal naive, 12 steps", "the last value"] {
        assert!(report.contains(text), "{text}");
    }
    assert_eq!(report.matches("steps of 1 h from the origin").count(), 8, "four charts, each with its description");

    // What follows the series: 1,000 hours after 2024-03-01T00:00.
    let out = place.ok("forecast run").out;
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 9, "{out}");
    assert_eq!(
        (rows[0].join(" "), rows[1][0], rows[8][0]),
        ("time load 10% load 50% load 90%".to_string(), "2024-04-11T16:00", "2024-04-11T23:00",)
    );
    for (i, row) in rows[1..].iter().enumerate() {
        let values: Vec<f64> = row[1..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!(values.is_sorted(), "{row:?}");
        assert!((values[1] - value(STEPS + i)).abs() < 1.0, "{row:?}, {}", value(STEPS + i));
    }
    // The same from the file, as JSON and as CSV, without what it was trained on.
    fs::rename(place.path("a.csv"), place.path("b.csv")).unwrap();
    assert_eq!(place.ok("forecast run b.csv").out, out);
    let json: serde_json::Value = serde_json::from_str(&place.ok("forecast run --json").out).unwrap();
    assert_eq!((json["target"].as_str(), json["steps"].as_array().unwrap().len()), (Some("load"), 8));
    assert_eq!(json["quantiles"], serde_json::json!([0.1, 0.5, 0.9]));
    assert_eq!(place.ok("forecast run --output f.csv").last_line(), "8 steps of load: in f.csv");
    let csv = place.read("f.csv");
    assert!(csv.starts_with("time,load 10%,load 50%,load 90%\n2024-04-11T16:00,"), "{csv}");
    let first = json["steps"][0]["values"][1].as_f64().unwrap().to_string();
    assert_eq!(csv.lines().nth(1).unwrap().split(',').nth(2).unwrap(), first);
    // From another end.
    let lines: Vec<String> = place.read("b.csv").lines().take(901).map(String::from).collect();
    fs::write(place.path("c.csv"), lines.join("\n")).unwrap();
    let out = place.ok("forecast run c.csv").out;
    let median: f64 = out.lines().nth(1).unwrap().split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!((median - value(900)).abs() < 1.0, "{out}");
}

/// Nothing of the test part is in what was fitted: with its values in another order, means, scales and weights are the same.
#[test]
fn what_is_fitted_knows_nothing_of_the_test_part() {
    let place = Place::new();
    series(&place, "a.csv", |_, line| line);
    let test = STEPS - STEPS / 5;
    let mixed = |i: usize| if i < test { i } else { test + (i - test) * 73 % (STEPS - test) };
    series(&place, "b.csv", |i, line| line.replace(&value(i).to_string(), &value(mixed(i)).to_string()));
    assert_ne!(place.read("a.csv"), place.read("b.csv"));
    for model in ["dlinear", "lstm --set model.hidden=8", "nbeats --set model.width=8", "nlinear"] {
        for name in ["a", "b"] {
            let line = format!("train forecast {name}.csv --target load {QUICK} --max-steps 20 --model {model}");
            place.ok(&format!("{line} --run-dir {name}"));
        }
        assert!(place.bytes("a/model.safetensors") == place.bytes("b/model.safetensors"), "{model}: other weights");
        let spec = |run: &str| -> serde_json::Value {
            serde_json::from_str(&place.read(&format!("{run}/spec.json"))).unwrap()
        };
        let (a, b) = (spec("a"), spec("b"));
        assert_eq!(a["stats"], b["stats"]);
        assert_ne!(a["history"], b["history"], "the end of the series is what is gone on from");
        ["a", "b"].iter().for_each(|run| fs::remove_dir_all(place.path(run)).unwrap());
    }
}

#[test]
fn without_a_file_a_series_is_generated_and_said_to_be() {
    let place = Place::new();
    let ran = place.ok("train forecast --max-steps 3 --context 48 --horizon 4 --model nlinear --run-dir run");
    assert!(ran.out.contains("no file was given: a generated series, not measured"), "{ran:?}");
    assert!(ran.last_line().ends_with("(a generated series, not measured)"), "{ran:?}");
    // A flag counts whichever model is named after it.
    let config = place.read("run/config.toml");
    assert!(config.contains("name = \"nlinear\"") && config.contains("horizon = 4"), "{config}");
    assert_eq!(place.ok("forecast run").out.lines().nth(1).unwrap().split(' ').next(), Some("2024-03-25T00:00"));
}

/// Killed and resumed, a run ends with the same bits.
#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let place = Place::new();
    series(&place, "a.csv", |_, line| line);
    let line = format!(
        "train forecast a.csv --target load {QUICK} --model lstm --set model.dropout=0.2 --set checkpoint.every_steps=5 \
         --set data.workers=2"
    );
    place.ends_as_undisturbed(&line, 8);
}

#[test]
fn a_series_that_cannot_be_is_told() {
    let place = Place::new();
    series(&place, "a.csv", |_, line| line);
    let named = |name: &str, change: &dyn Fn(usize, String) -> String| series(&place, name, change);
    // Row i is in line i + 2.
    named("gap.csv", &|i, line| if (40..43).contains(&i) { String::new() } else { line });
    named("back.csv", &|i, line| if i == 50 { line.replace("2024-03-03", "2024-03-02") } else { line });
    named("text.csv", &|i, line| if i == 60 { line.replace(&value(60).to_string(), "many") } else { line });
    named("none.csv", &|i, line| if i == 70 { line.replace(&value(70).to_string(), "") } else { line });
    fs::write(place.path("empty.csv"), "").unwrap();
    let train = |file: &str, more: &str| format!("train forecast {file} --target load {QUICK} --run-dir run {more}");
    for (line, code, texts) in [
        (
            train("gap.csv", ""),
            1,
            &["line 45, column `time`", "3 rows are missing: add them, or see the key `gaps`"][..],
        ),
        (train("back.csv", ""), 1, &["line 52, column `time`: expected a time after 2024-03-03T01:00"]),
        (train("text.csv", ""), 1, &["line 62, column `load`: expected a number, found `many`"]),
        (train("none.csv", ""), 1, &["line 72, column `load`: expected a number, found nothing"]),
        (train("empty.csv", ""), 1, &["empty.csv: file: expected at least one row, found none"]),
        (train("a.csv", "--target lod"), 2, &["--target"]),
        (train("a.csv", "--time note"), 1, &["line 2, column `note`: expected a time such as 2014-01-31T12:30"]),
        (
            train("a.csv", "--set model.horizon=2000"),
            1,
            &["expected a horizon shorter than the series, found one of 2000"],
        ),
        (train("a.csv", "--set model.context=900"), 1, &["of 1000 steps the first 720 are to be learned from"]),
        (train("a.csv", "--set data.season=800"), 2, &["expected a season of 1 to 719 steps, found 800"]),
        (train("a.csv", "--set data.gaps=guess"), 2, &["data.gaps: expected refuse, fill or ignore"]),
        (train("a.csv", "--model arima"), 2, &["unknown forecaster `arima`", "dlinear, lstm, nbeats, nlinear"]),
        (train("a.csv", "--set model.quantiles=[0.1,0.9]"), 2, &["with 0.5 among them"]),
        ("train forecast a.csv".into(), 2, &["data.target: expected a column's name", "--target COLUMN"]),
        ("train forecast a.csv --target lod".into(), 1, &["expected one column `lod`", "did you mean `load`?"]),
    ] {
        place.fails(&line, code, texts);
        assert!(!place.path("run").exists(), "{line}");
    }
    // What is missing is filled, or not counted, on request.
    for (gaps, steps) in [("fill", "1000"), ("ignore", "997")] {
        let more = format!("--set data.gaps={gaps} --max-steps 1");
        let line = train("gap.csv", &more).replace("--quiet ", "").replace("run-dir run", &format!("run-dir {gaps}"));
        let ran = place.ok(&line);
        assert!(ran.out.contains(&format!("load: {steps} steps")), "{ran:?}");
    }
}

#[test]
fn what_a_run_cannot_go_on_from_is_told() {
    let place = Place::new();
    series(&place, "a.csv", |_, line| line);
    place.ok(&format!("train forecast a.csv --target load {QUICK} --max-steps 2 --run-dir run"));
    place.ok("train digits --quiet --max-steps 2 --run-dir digits");
    let head: Vec<String> = place.read("a.csv").lines().take(20).map(String::from).collect();
    fs::write(place.path("short.csv"), head.join("\n")).unwrap();
    let halves = place.read("a.csv").lines().take(100).collect::<Vec<_>>().join("\n");
    let daily = halves.lines().enumerate().filter(|(i, _)| *i == 0 || i % 24 == 1).map(|(_, line)| line);
    fs::write(place.path("daily.csv"), daily.collect::<Vec<_>>().join("\n")).unwrap();
    fs::write(place.path("other.csv"), "time,x\n2024-03-01T00:00,1\n").unwrap();
    for (line, texts) in [
        ("forecast run short.csv", &["expected 36 steps or more, as many as the model sees, found 19"][..]),
        ("forecast run daily.csv", &["expected steps of 1 h, as the run's, found steps of 1 day"]),
        ("forecast run other.csv", &["expected one column `load`"]),
        ("forecast digits", &["this run's task is classify, expected a run of forecast"]),
        ("forecast none", &["none"]),
        ("forecast run none.csv", &["none.csv"]),
    ] {
        let ran = place.run(line);
        assert!(ran.code != 0 && texts.iter().all(|text| ran.err.contains(text)), "{line}: {ran:?}");
        ran.is_clean();
    }
    place.fails("predict run a.csv", 1, &["this run's task is forecast, expected a run of classify or regress"]);
}
