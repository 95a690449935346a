//! `taper train` and `taper eval`, end to end.

mod common;

use common::{Place, black_cifar, lines, losses};

/// The names in an object, sorted.
fn keys(object: &serde_json::Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// `digits` from nothing: the accuracy, the folder, the metrics; measured again it is the same.
#[test]
fn digits_are_learned_and_measured_again() {
    let place = Place::new();
    let ran = place.ok("train digits --run-dir run --set train.log_every=1");
    let percent = ran.last_line().strip_prefix("Test Accuracy = ").and_then(|rest| rest.strip_suffix('%')).unwrap();
    assert!(percent.parse::<f64>().unwrap() > 95.0, "{percent}");
    assert_eq!(percent.split('.').nth(1).unwrap().len(), 2);
    assert!(ran.out.starts_with("Optical recognition of handwritten digits (its test part), part of"), "{}", ran.out);
    assert!(ran.out.lines().take(4).all(|line| line.chars().count() <= 100), "{}", ran.out);
    let credit = place.ok("download digits").out;
    assert!(credit.contains("E. Alpaydin and C. Kaynak") && credit.contains("CC BY 4.0"), "{credit}");
    assert_eq!(ran.err, "");

    let mut names: Vec<_> = std::fs::read_dir(place.path("run"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "checkpoints",
            "config.toml",
            "events",
            "metrics.jsonl",
            "model.safetensors",
            "report.html",
            "result.json",
            "spec.json"
        ]
    );
    for file in ["checkpoints/last.safetensors", "checkpoints/best.safetensors", "events/events.out.tfevents.taper"] {
        assert!(place.path(&format!("run/{file}")).is_file(), "{file}");
    }
    report_has_its_sections(&place.read("run/report.html"), percent);
    events_have_their_tags(&place, percent);

    let metrics = place.read("run/metrics.jsonl");
    let all = lines(&metrics);
    // 20 epochs of ⌈1293 / 64⌉ steps, a tenth of the 1437 held out; a line for each epoch, and one for the test.
    assert_eq!(all.len(), 20 * (21 + 1) + 1);
    assert!(metrics.starts_with("{\"step\":1,\"loss\":2.3"), "{}", &metrics[..80]);
    for (i, step) in all.iter().filter(|line| line.get("step").is_some()).enumerate() {
        assert_eq!(step["step"].as_u64().unwrap(), i as u64 + 1);
        assert_eq!(keys(step), ["gradient_norm", "loss", "lr", "step"]);
        assert_eq!(step["lr"].as_f64(), Some(0.001));
    }
    let order = [
        "epoch",
        "train_accuracy",
        "train_loss",
        "validation_accuracy",
        "validation_loss",
        "lr",
        "samples_per_s",
        "loader_idle",
        "seconds",
        "gradient_norms",
    ];
    let mut sorted = order;
    sorted.sort_unstable();
    for (i, epoch) in all.iter().filter(|line| line.get("epoch").is_some()).enumerate() {
        assert_eq!(epoch["epoch"].as_u64().unwrap(), i as u64 + 1);
        assert_eq!(keys(epoch), sorted);
        for name in
            ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "samples_per_s", "seconds"]
        {
            assert!(epoch[name].as_f64().unwrap() > 0.0, "{epoch}");
        }
        assert_eq!(keys(&epoch["gradient_norms"]).len(), 6);
    }
    // The report says what was run, and whom the data are by.
    let report = place.read("run/report.html");
    let command = "<pre class=\"command\">taper train digits --run-dir run --set train.log_every=1</pre>";
    assert!(report.contains(command) && report.contains("E. Alpaydin"), "{}", &report[..8000]);
    // A chart's last value is written as the facts are.
    let last = all.iter().rev().find(|line| line.get("epoch").is_some()).unwrap();
    let [loss, accuracy] = ["validation_loss", "validation_accuracy"].map(|name| last[name].as_f64().unwrap());
    for end in [format!("{loss:.4}"), format!("{:.2}%", 100.0 * accuracy)] {
        assert!(report.contains(&format!(">validation {end}</text>")), "{end} is not at a chart's end");
    }
    let text = metrics.lines().rev().nth(1).unwrap();
    assert!(order.map(|name| text.find(&format!("\"{name}\":")).unwrap()).is_sorted(), "{text}");
    // The test split is read once, at the end.
    let tests: Vec<_> = all.iter().filter(|line| line.get("test_accuracy").is_some()).collect();
    assert_eq!((tests.len(), tests[0]), (1, all.last().unwrap()));
    assert_eq!(keys(tests[0]), ["seconds", "test_accuracy", "test_loss"]);
    assert_eq!(format!("{:.2}", 100.0 * tests[0]["test_accuracy"].as_f64().unwrap()), percent);
    let result: serde_json::Value = serde_json::from_str(&place.read("run/result.json")).unwrap();
    assert_eq!(result["steps"].as_u64(), Some(20 * 21));
    assert!(ran.out.contains("1293 samples to learn from, 144 to validate on, 360 to test on"), "{}", ran.out);

    let epochs = ran.out.lines().filter(|line| line.starts_with("epoch ") && line.contains(": training loss ")).count();
    assert_eq!(epochs, 20);

    let again = place.ok("eval run --threads 3 --batch-size 7");
    assert_eq!(again.last_line(), ran.last_line());
    assert_eq!(place.ok("eval run --quiet").out, format!("{}\n", ran.last_line()));
}

const SECTIONS: [&str; 7] =
    ["curves", "confusion-matrix", "samples-gone-wrong", "first-layer-filters", "layers", "timing", "configuration"];

fn report_has_its_sections(report: &str, percent: &str) {
    assert!(report.contains(&format!("<dt>Test accuracy</dt><dd>{percent}%</dd>")), "the report tells the accuracy");
    let sections: Vec<&str> = report.split("<h2 id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(sections, SECTIONS);
    let section = |id: &str| report.split(&format!("<h2 id=\"{id}\">")).nth(1).unwrap().split("</section>").next();
    let count = |id: &str, what: &str| section(id).unwrap().matches(what).count();
    // Loss, accuracy, loss of a step, rate, gradient norm in all and by layer.
    assert_eq!(count("curves", "<svg"), 6);
    // Ten classes, each with its counts and its scores.
    assert_eq!(
        (count("confusion-matrix", "<td class=\"h"), count("confusion-matrix", "<th scope=\"row\">")),
        (100, 2 * 10)
    );
    // 360 were tested: each that went wrong, if they are not over 48.
    let wrong = (360.0 * (1.0 - percent.parse::<f64>().unwrap() / 100.0)).round();
    assert_eq!(count("samples-gone-wrong", "<img src=\"data:image/"), wrong as usize);
    assert_eq!(
        (count("first-layer-filters", "<img src=\"data:image/"), count("layers", "<tr><th scope=\"row\">")),
        (128, 6)
    );
    assert_eq!(count("timing", "<th scope=\"row\">"), 4 + 1);
    assert!(section("configuration").unwrap().contains("log_every = 1\n"));
}

/// As often as each should be; that TensorBoard itself reads such files is tested where they are written.
fn events_have_their_tags(place: &Place, percent: &str) {
    let bytes = place.bytes("run/events/events.out.tfevents.taper");
    // A record: its length in 8 bytes, 4 of a checksum, the event, 4 of a checksum.
    let mut events = vec![];
    let mut rest = bytes.as_slice();
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        let (event, after) = after[4..].split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
        events.push(event);
        rest = &after[4..];
    }
    // In an event the tag is the string of field 1.
    let of = |tag: &str| -> Vec<&[u8]> {
        let field = [&[0x0a, u8::try_from(tag.len()).unwrap()], tag.as_bytes()].concat();
        let has = |event: &&[u8]| event.windows(field.len()).any(|bytes| bytes == field);
        events.iter().copied().filter(has).collect()
    };
    for layer in ["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight", "fc3.bias", "fc3.weight"] {
        for (prefix, count) in [("gradient_norm", 420), ("weights", 20), ("gradients", 20)] {
            assert_eq!(of(&format!("{prefix}/{layer}")).len(), count, "{prefix}/{layer}");
        }
    }
    for (count, tags) in [
        (420, &["loss/step", "lr"][..]),
        (20, &["loss/train", "loss/validation", "accuracy/train", "accuracy/validation"]),
        (20, &["time/samples_per_s", "time/loader_idle_s"]),
        (1, &["loss/test", "accuracy/test", "pictures/train", "confusion/test", "configuration"]),
    ] {
        tags.iter().for_each(|tag| assert_eq!(of(tag).len(), count, "{tag}"));
    }
    // Its value, an f32, is field 2, and follows.
    let accuracy = of("accuracy/test")[0];
    let tag = accuracy.windows(13).position(|bytes| bytes == b"accuracy/test").unwrap();
    let value = accuracy[tag + 13..].strip_prefix(&[0x15]).unwrap();
    let value = f32::from_le_bytes(*value.first_chunk().unwrap());
    assert_eq!(format!("{:.2}", 100.0 * value), percent);
    let text = of("configuration")[0];
    assert!(text.windows(8).any(|bytes| bytes == b"```toml\n"), "{}", String::from_utf8_lossy(text));
}

#[test]
fn the_configuration_is_written_as_resolved_and_can_be_run_again() {
    let place = Place::new();
    let line = "train digits --run-dir a --epochs 2 --lr 0.01 --set optimizer.weight_decay=0.001 --seed 5 --threads 1 \
                --isa portable --conv direct";
    let first = place.ok(line);
    let config: toml::Table = place.read("a/config.toml").parse().unwrap();
    assert_eq!(config["model"]["name"].as_str(), Some("mlp"));
    // What nobody has set is there too.
    assert_eq!(config["model"]["hidden"].as_array().unwrap().len(), 2);
    assert_eq!(config["task"]["name"].as_str(), Some("classify"));
    assert_eq!(config["task"]["mixup"].as_float(), Some(0.0));
    assert_eq!(config["optimizer"]["eps"].as_float(), Some(1e-8));
    assert_eq!(config["train"]["epochs"].as_integer(), Some(2));
    assert_eq!(config["train"]["seed"].as_integer(), Some(5));
    assert_eq!(config["train"]["dtype"].as_str(), Some("f32"));
    assert_eq!(config["optimizer"]["lr"].as_float(), Some(0.01));
    assert_eq!(config["optimizer"]["weight_decay"].as_float(), Some(0.001));
    assert_eq!(config["device"]["name"].as_str(), Some("cpu"));
    assert_eq!(config["device"]["threads"].as_integer(), Some(1));
    assert_eq!(config["device"]["isa"].as_str(), Some("portable"));
    assert_eq!(config["device"]["conv"].as_str(), Some("direct"));
    assert!(first.out.contains("mlp on cpu, 1 thread, portable, direct convolution, f32"), "{}", first.out);
    assert_eq!(config["record"]["taper"].as_str(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(config["record"]["dataset"]["origin"].as_str(), Some("embedded"));
    assert_eq!(config["record"]["dataset"]["checksum"].as_str().unwrap().len(), 64);
    assert!(config["record"].get("commit").is_none());

    let again = place.ok("train digits --run-dir b --config a/config.toml");
    assert_eq!(again.last_line(), first.last_line());
    assert_eq!(place.bytes("a/model.safetensors"), place.bytes("b/model.safetensors"));
    // An older run says nothing of them.
    let written = place.read("a/config.toml");
    let older: Vec<&str> =
        written.lines().filter(|line| !["isa", "conv"].contains(&line.split(' ').next().unwrap())).collect();
    assert_eq!(older.len() + 2, written.lines().count());
    std::fs::write(place.path("a/config.toml"), older.join("\n")).unwrap();
    assert_eq!(place.ok("eval a --isa portable --conv direct").last_line(), first.last_line());
    std::fs::write(place.path("a/config.toml"), written).unwrap();
    let other = place.ok("train digits --run-dir c --config a/config.toml --seed 6");
    assert_ne!(place.bytes("a/model.safetensors"), place.bytes("c/model.safetensors"));
    assert_ne!(other.out, again.out);

    let mut command = place.command("train digits --run-dir d --max-steps 1");
    assert!(command.env("TAPER_COMMIT", "0123abc").output().unwrap().status.success());
    assert!(place.read("d/config.toml").contains("commit = \"0123abc\""));
}

#[test]
fn without_a_name_every_run_has_a_new_folder() {
    let place = Place::new();
    place.ok("train digits --epochs 1 --quiet");
    place.ok("train digits --epochs 1 --quiet");
    let names: Vec<_> =
        std::fs::read_dir(place.path("runs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.to_str().unwrap().starts_with("digits-20")), "{names:?}");
}

#[test]
fn quiet_prints_the_last_line_alone() {
    let place = Place::new();
    let ran = place.ok("train digits --run-dir run --epochs 1 --quiet");
    assert_eq!(ran.out.lines().count(), 1);
    assert!(ran.out.starts_with("Test Accuracy = "), "{}", ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn a_run_that_is_cut_ends_with_an_epochs_line() {
    let place = Place::new();
    place.ok("train digits --run-dir run --max-steps 30");
    let all = lines(&place.read("run/metrics.jsonl"));
    let kinds: Vec<_> = all.iter().map(|line| (line["step"].as_u64(), line["epoch"].as_u64())).collect();
    let step = |n| (Some(n), None);
    // The last line is the test's.
    assert_eq!(kinds, [step(10), step(20), (None, Some(1)), step(30), (None, Some(2)), (None, None)]);
    assert!(all[5]["test_accuracy"].as_f64().unwrap() > 0.1);
}

/// Without a validation split everything is learned from, and an epoch's line tells what was learned.
#[test]
fn nothing_is_held_out_unless_asked() {
    let place = Place::new();
    let ran = place.ok("train digits --run-dir run --epochs 1 --set data.validation=0");
    assert!(ran.out.contains("1437 samples to learn from, 360 to test on"), "{}", ran.out);
    assert!(ran.out.contains(", training accuracy ") && !ran.out.contains("validation"), "{}", ran.out);
    let all = lines(&place.read("run/metrics.jsonl"));
    assert!(all.iter().all(|line| line.get("validation_loss").is_none()));
    let quiet = place.ok("train digits --run-dir b --epochs 1 --set log.tensorboard=false --set log.report=false \
                          --set log.gradients=false --set train.log_every=1");
    assert!(quiet.last_line().starts_with("Test Accuracy = "));
    assert!(!place.path("b/events").exists() && !place.path("b/report.html").exists());
    assert!(lines(&place.read("b/metrics.jsonl")).iter().all(|line| line.get("gradient_norms").is_none()));
}

/// A recipe's settings, then the flags'.
#[test]
fn a_recipe_sets_what_flags_change() {
    let place = Place::new();
    let small = "--offline --set data.train_samples=40 --set data.test_samples=10 --max-steps 1 --set train.views=one";
    place.ok(&format!("train cifar --recipe resnet18 --batch-size 20 {small} --run-dir run --lr 0.1 --quiet"));
    let config: toml::Table = place.read("run/config.toml").parse().unwrap();
    assert_eq!(config["model"]["name"].as_str(), Some("resnet18"));
    // Every key is said: one that is missing is of a version that had it not.
    assert_eq!(config["model"]["stem"].as_str(), Some("auto"));
    assert_eq!(config["schedule"]["name"].as_str(), Some("one-cycle"));
    assert_eq!(config["optimizer"]["name"].as_str(), Some("sgd"));
    assert_eq!(config["optimizer"]["lr"].as_float(), Some(0.1));
    assert_eq!(config["train"]["batch_size"].as_integer(), Some(20));
    assert_eq!(config["data"]["augment"].as_array().unwrap().len(), 3);
    assert_eq!(config["groups"].as_array().unwrap().len(), 3);
}

/// The seed CNN on the stand-in: bitwise the same whatever the number of threads.
#[test]
fn threads_do_not_change_a_bit() {
    let place = Place::new();
    let small = "--offline --set data.train_samples=160 --set data.test_samples=30 --set train.log_every=1 --epochs 2";
    for threads in 1..=3 {
        let ran = place.ok(&format!("train cifar {small} --threads {threads} --run-dir t{threads}"));
        assert!(ran.last_line().ends_with("% (generated stand-in, not CIFAR-10)"), "{}", ran.last_line());
    }
    for other in ["t2", "t3"] {
        assert_eq!(losses(&place.read("t1/metrics.jsonl")), losses(&place.read(&format!("{other}/metrics.jsonl"))));
        assert!(place.bytes("t1/model.safetensors") == place.bytes(&format!("{other}/model.safetensors")), "{other}");
    }
    assert_eq!(losses(&place.read("t1/metrics.jsonl")).len(), 6);
}

#[test]
fn the_stand_in_never_passes_for_cifar() {
    let place = Place::new();
    let small = "--offline --set data.train_samples=64 --set data.test_samples=20 --max-steps 1";
    let ran = place.ok(&format!("train cifar {small} --run-dir run"));
    assert!(ran.out.lines().take(2).any(|line| line.contains("NOT CIFAR-10")), "{}", ran.out);
    assert!(ran.last_line().ends_with("% (generated stand-in, not CIFAR-10)"), "{}", ran.out);
    let config: toml::Table = place.read("run/config.toml").parse().unwrap();
    assert_eq!(config["record"]["dataset"]["origin"].as_str(), Some("stand-in"));
    assert_eq!(config["record"]["dataset"]["description"].as_str(), Some("generated stand-in, not CIFAR-10"));
    assert_eq!(place.ok("eval run --offline").last_line(), ran.last_line());
    assert_eq!(place.ok(&format!("train cifar {small} --quiet")).out, format!("{}\n", ran.last_line()));

    // Measured on other pictures than it was trained for, it says so.
    black_cifar(&place.path("data"));
    let other = place.ok("eval run --data-dir data");
    assert!(
        other.out.contains("These are not the data of that run (generated stand-in, not CIFAR-10)"),
        "{}",
        other.out
    );
    assert!(other.last_line().ends_with('%'), "{}", other.out);
}

/// `$TAPER_DATA` is looked at, and is no error when it holds nothing.
#[test]
fn data_are_found_where_the_environment_says() {
    let place = Place::new();
    black_cifar(&place.path("data"));
    let small = "--offline --set data.train_samples=64 --set data.test_samples=20 --max-steps 1";
    let mut command = place.command(&format!("train cifar {small} --run-dir a"));
    assert!(command.env("TAPER_DATA", place.path("data")).output().unwrap().status.success());
    assert!(place.read("a/config.toml").contains("origin = \"env\""));
    let mut command = place.command(&format!("train cifar {small} --run-dir b"));
    command.env("TAPER_DATA", place.path("nothing")).env("TAPER_DOWNLOADS", place.path("data"));
    assert!(command.output().unwrap().status.success());
    assert!(place.read("b/config.toml").contains("origin = \"downloads\""));
}

#[test]
fn weights_and_order_can_be_given() {
    let place = Place::new();
    let train = |run: &str, rest: &str| {
        // Nothing is held out: which samples are depends on the seed.
        let line = "train digits --no-shuffle --set data.validation=0 --set train.log_every=1";
        place.ok(&format!("{line} --run-dir {run} {rest}"));
        losses(&place.read(&format!("{run}/metrics.jsonl")))
    };
    let first = train("a", "--epochs 3");
    let second = train("b", "--epochs 1 --init a/model.safetensors");
    assert!(second[0] < 0.6 * first[0], "{} {}", first[0], second[0]);
    // Another seed changes neither the given weights nor the order.
    assert_eq!(second, train("c", "--epochs 1 --init a/model.safetensors --seed 9"));
    // In f64, from the same weights, the losses agree to what f32 can.
    let double = train("d", "--epochs 1 --init a/model.safetensors --dtype f64");
    assert!(second[..5].iter().zip(&double).all(|(a, b)| (a - b).abs() < 1e-5 * b), "{second:?} {double:?}");
    assert_ne!(second[0], double[0]);
    // Its weights take twice the bytes; the header, in front of them, is about the same.
    let more = place.bytes("d/model.safetensors").len() - place.bytes("c/model.safetensors").len();
    assert!(more.abs_diff(26_122 * 4) < 100, "{more}");
}

/// A slip in the folder's name is seen.
#[test]
fn resuming_where_no_run_is_begins_one_and_says_so() {
    let place = Place::new();
    let line = "train digits --epochs 1 --quiet --resume rnu";
    let ran = place.ok(line);
    assert_eq!(ran.err, "note: no run in rnu yet: starting one\n");
    let again = place.ok(line);
    assert_eq!((again.out, again.err.as_str()), (ran.out, ""));
}

#[test]
fn logs_go_to_standard_error() {
    let place = Place::new();
    let ran = place.ok("-v train digits --run-dir a --max-steps 2");
    for span in ["run{", "epoch{", "step{"] {
        assert!(ran.err.contains(span), "{span}: {}", ran.err);
    }
    let ran = place.ok("train digits --run-dir b --max-steps 2 --log-format json");
    let logs = lines(&ran.err);
    let spans: Vec<&str> = logs.iter().filter_map(|line| line["span"]["name"].as_str()).collect();
    for span in ["run", "epoch", "step"] {
        assert!(spans.contains(&span), "{spans:?}");
    }
}
