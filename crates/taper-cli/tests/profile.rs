//! `taper train … --profile FILE`: the table and the trace of a real run.

mod common;

use common::{Place, losses};
use serde_json::Value;
use std::collections::BTreeSet;

const RUN: &str = "train digits --epochs 1";

/// The complete events of a trace.
fn events(trace: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(trace).unwrap();
    let all = trace["traceEvents"].as_array().unwrap();
    all.iter().filter(|event| event["ph"] == "X").cloned().collect()
}

/// The cells of a table's rows.
fn rows(table: &str) -> Vec<Vec<String>> {
    let lines = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect()).collect()
}

#[test]
fn the_table_and_the_trace_tell_ops_phases_and_flop() {
    let place = Place::new();
    let ran = place.ok(&format!("{RUN} --run-dir run --profile p.md"));
    assert!(ran.out.contains("Profile in p.md, trace in p.trace.json\n"), "{}", ran.out);
    assert!(ran.last_line().starts_with("Test Accuracy = "), "{}", ran.out);

    let events = events(&place.read("p.trace.json"));
    let of = |key: &str, name: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["cat"] == key && event["name"].as_str().unwrap().starts_with(name)).collect()
    };
    // ⌈1293 / 64⌉ = 21 steps, of which 3 warm up.
    let steps = of("step", "step ");
    let numbers: Vec<u64> = steps.iter().map(|step| step["args"]["step"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (4..=21).collect::<Vec<_>>());
    for event in &events {
        assert!(event["ts"].as_f64().unwrap() > 0.0 && event["dur"].as_f64().unwrap() >= 0.0, "{event}");
    }
    // Each call lies in its step.
    let end = |event: &Value| event["ts"].as_f64().unwrap() + event["dur"].as_f64().unwrap();
    for call in events.iter().filter(|event| event["cat"] != "step") {
        let step = steps.iter().find(|step| step["args"]["step"] == call["args"]["step"]).unwrap();
        // Times are rounded to a nanosecond.
        assert!(step["ts"].as_f64() <= call["ts"].as_f64() && end(call) <= end(step) + 0.01, "{call} {step}");
    }
    let phases: BTreeSet<&str> = events.iter().map(|event| event["cat"].as_str().unwrap()).collect();
    assert_eq!(phases, BTreeSet::from(["backward", "forward", "step", "update"]));

    // The first layer, 64 → 128 with ReLU: its input needs no gradient, so that the backward is one product as well.
    let first = "f32[64, 64], f32[128, 64], f32[128] → f32[64, 128]";
    let linear: Vec<&Value> =
        of("forward", "linear").into_iter().filter(|call| call["args"]["shapes"] == first).collect();
    assert_eq!(linear.len(), 17, "a step a call; the last batch is smaller");
    let bytes = 4 * (64 * 64 + 128 * 64 + 128 + 64 * 128);
    for call in linear {
        assert_eq!((&call["name"], &call["args"]["layer"]), (&"linear Relu".into(), &"fc1".into()));
        assert_eq!((call["args"]["flop"].as_u64(), call["args"]["bytes"].as_u64()), (Some(1_048_576), Some(bytes)));
    }
    let grads = of("backward", "linear_grad");
    let flop = |shapes: &str| {
        let found = grads.iter().find(|call| call["args"]["shapes"].as_str().unwrap().starts_with(shapes));
        found.unwrap_or_else(|| panic!("{shapes}: {grads:?}"))["args"]["flop"].as_u64()
    };
    assert_eq!(flop("f32[64, 128], f32[64, 64], f32[128, 64] "), Some(2 * 64 * 64 * 128));
    assert_eq!(flop("f32[64, 128], f32[64, 128], f32[128, 128] "), Some(2 * 2 * 64 * 128 * 128));
    assert_eq!(of("update", "adam_step").len(), 18 * 6);
    assert_eq!(of("forward", "upload").len(), 18 * 2);
    assert!(of("forward", "linear_grad").is_empty() && of("backward", "linear ").is_empty());

    let table = place.read("p.md");
    assert!(table.contains("on `cpu`") && table.contains("18 steps were measured"), "{table}");
    let (table, layers) = table.split_once("\n## The forward pass by layer\n").unwrap();
    let layers = self::rows(layers);
    let named: Vec<&str> = layers.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(named, ["outside the layers", "fc1", "fc2", "fc3"], "in the order of their first calls");
    assert!(layers[1..].iter().all(|row| row[1] == "18"), "one call a step: {layers:?}");
    let rows = rows(table);
    let row = rows.iter().find(|row| row[2] == first).unwrap_or_else(|| panic!("{table}"));
    assert_eq!(row[..4], ["linear Relu", "forward", first, "17"]);
    let (last, ops) = rows.split_last().unwrap();
    assert_eq!((last[0].as_str(), last[3].as_str()), ("between the ops", "18"));
    let times: Vec<f64> = ops.iter().map(|row| row[4].parse().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{table}");
    let share: f64 = rows.iter().map(|row| row[5].trim_end_matches(" %").parse::<f64>().unwrap()).sum();
    assert!((share - 100.0).abs() < 0.05 * rows.len() as f64 + 1e-6, "{share}: {table}");
}

/// The MLP, and the seed CNN on the stand-in: its fused convolutions save state for their gradients.
#[test]
fn a_profile_changes_no_bit() {
    let place = Place::new();
    let cifar = "train cifar --offline --epochs 1 --set data.train_samples=160 --set data.test_samples=30";
    for (name, line) in [("digits", RUN), ("cifar", cifar)] {
        let line = format!("{line} --set train.log_every=1 --quiet");
        let plain = place.ok(&format!("{line} --run-dir {name}-plain"));
        let profiled = place.ok(&format!("{line} --run-dir {name}-profiled --profile p.md"));
        assert_eq!(profiled.out, plain.out);
        let weights = |run: &str| place.bytes(&format!("{name}-{run}/model.safetensors"));
        assert!(weights("plain") == weights("profiled"), "{name}");
        let metrics = |run: &str| losses(&place.read(&format!("{name}-{run}/metrics.jsonl")));
        assert_eq!(metrics("plain"), metrics("profiled"));
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_training() {
    let place = Place::new();
    std::fs::create_dir(place.path("folder")).unwrap();
    std::fs::create_dir(place.path("b.trace.json")).unwrap();
    for (file, text) in [
        ("none/p.md", "cannot write the profile to none/p.md: "),
        ("folder", "cannot write the profile to folder: this is a folder"),
        ("b.md", "cannot write the profile to b.trace.json: this is a folder"),
        ("..", "cannot write the profile to ..: this is a folder"),
    ] {
        place.fails(&format!("{RUN} --run-dir run --profile {file}"), 1, &[text, "hint: --profile FILE takes"]);
    }
    assert!(!place.path("run").exists() && !place.path("b.md").exists());
}

#[test]
fn a_run_within_the_warm_up_says_that_nothing_was_measured() {
    let place = Place::new();
    place.ok("train digits --max-steps 3 --run-dir run --profile p.md");
    assert!(place.read("p.md").contains("No step was measured"), "{}", place.read("p.md"));
    assert_eq!(events(&place.read("p.trace.json")), [] as [Value; 0]);
}
