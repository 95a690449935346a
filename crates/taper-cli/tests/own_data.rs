//! One's own pictures and tables, from the files to predictions.

#![cfg(all(feature = "images", feature = "csv"))]

mod common;

use common::{Place, Ran, pictures, png};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

/// A table whose number `y` and class `kind` follow from the other columns, some of whose cells are missing.
fn table(place: &Place, name: &str, rows: usize) {
    let mut text = String::from("size,colour,y,kind\n");
    for i in 0..rows {
        let size = (i * 37 % 100) as f64 / 10.0;
        let colour = ["red", "green", "\"sea, blue\""][i % 3];
        let y = 3.0 * size + [0.0, 10.0, 20.0][i % 3];
        let kind = if y > 25.0 { "large" } else { "small" };
        let size = if i % 11 == 5 { String::new() } else { size.to_string() };
        let colour = if i % 13 == 7 { "" } else { colour };
        writeln!(text, "{size},{colour},{y},{kind}").unwrap();
    }
    fs::write(place.path(name), text).unwrap();
}

/// Runs a line with `input` on standard input.
fn given(place: &Place, line: &str, input: &[u8]) -> Ran {
    let mut command = place.command(line);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

fn json(text: &str) -> Vec<serde_json::Value> {
    serde_json::from_str(text).unwrap()
}

const PICTURES: &str = "--quiet --threads 1 --model mlp --size 8 --epochs 12 --batch-size 8";

#[test]
fn pictures_are_learned_measured_and_predicted() {
    let place = Place::new();
    pictures(&place, "data", 12);
    let ran = place.ok(&format!("train pictures data {PICTURES} --run-dir run"));
    assert_eq!((ran.last_line(), ran.err.as_str()), ("Test Accuracy = 100.00%", ""));
    assert!(place.read("run/report.html").contains("Confusion matrix"));
    let spec: serde_json::Value = serde_json::from_str(&place.read("run/spec.json")).unwrap();
    let shape = serde_json::json!({"kind": "pictures", "shape": [3, 8, 8], "normalize": null});
    assert_eq!(spec, serde_json::json!({"task": "classify", "classes": ["blue", "green", "red"], "inputs": shape}));
    let eval = place.ok("eval run");
    assert!(eval.out.contains("7 samples, test loss ") && eval.last_line() == ran.last_line(), "{eval:?}");

    // A file, a folder, standard input; without the data.
    fs::write(place.path("leaf.png"), png([0, 180, 0], 3)).unwrap();
    let one = place.ok("predict run leaf.png").out;
    let [name, class, percent] = *one.split_whitespace().collect::<Vec<_>>() else { panic!("{one}") };
    assert!((name, class) == ("leaf.png", "green") && percent.ends_with('%'), "{one}");
    fs::rename(place.path("data"), place.path("moved")).unwrap();
    let folder = place.ok("predict run moved/red leaf.png --json --top 3").out;
    let found = json(&folder);
    assert_eq!(found.len(), 13);
    for (i, sample) in found.iter().enumerate() {
        let due = if i == 12 { ("leaf.png".to_string(), "green") } else { (format!("moved/red/{i:02}.png"), "red") };
        assert_eq!((sample["input"].as_str(), sample["classes"][0]["class"].as_str()), (Some(&*due.0), Some(due.1)));
        let classes = sample["classes"].as_array().unwrap();
        let sum: f64 = classes.iter().map(|class| class["probability"].as_f64().unwrap()).sum();
        assert!(classes.len() == 3 && (sum - 1.0).abs() < 1e-5, "{sample}");
    }
    // The same to the last digit from standard input, alone and beside files.
    let leaf = place.bytes("leaf.png");
    let piped = json(&given(&place, "predict run - --json --top 3", &leaf).out);
    assert_eq!((&piped[0]["classes"], piped[0]["input"].as_str()), (&found[12]["classes"], Some("-")));
    let mixed = json(&given(&place, "predict run moved/blue/00.png - moved/red --json", &leaf).out);
    let classes: Vec<_> = mixed.iter().map(|sample| sample["classes"][0]["class"].as_str().unwrap()).collect();
    assert_eq!((classes.len(), &classes[..3]), (14, &["blue", "green", "red"][..]));

    // One that is no picture does not lose the others.
    fs::write(place.path("moved/red/05.png"), "text").unwrap();
    let ran = place.run("predict run moved/red");
    assert_eq!((ran.code, ran.out.lines().count()), (1, 11), "{ran:?}");
    let due = "error: moved/red/05.png: picture: expected PNG, JPEG or WebP, found something else\n\
               error: 1 of 12 files could not be predicted\n";
    assert_eq!(ran.err, due);
    place.fails("predict run moved/red/05.png", 1, &["moved/red/05.png: picture: expected PNG, JPEG or WebP"]);
    let due =
        ["moved: no file in this folder", "hint: folders in it are not looked into: name them, such as moved/blue"];
    place.fails("predict run moved", 1, &due);
    place.fails("predict run none.png", 1, &["cannot read none.png: "]);
}

/// The other commands on experiments; what the search prints at its end can be typed.
#[test]
fn own_data_are_searched_over() {
    let place = Place::new();
    table(&place, "data.csv", 120);
    pictures(&place, "data", 8);
    fs::write(place.path("rates.toml"), "optimizer.lr = { log = [1e-3, 1e-2] }\n").unwrap();
    fs::write(place.path("sizes.toml"), "data.size = { choice = [8, 16] }\n").unwrap();
    assert!(place.ok("find-lr table data.csv --target y --quiet").last_line().starts_with("--lr "));
    for line in [
        "tune table data.csv --target y --drop kind --space rates.toml --dir t",
        "tune pictures data --model mlp --space sizes.toml --dir p",
    ] {
        let ran = place.ok(&format!("{line} --trials 2 --max-epochs 1 --quiet"));
        let again = ran.last_line().strip_prefix("taper ").unwrap_or_else(|| panic!("{ran:?}")).replace('\'', "");
        assert!(place.ok(&format!("{again} --quiet")).last_line().starts_with("Test "), "{again}");
    }
    let due = ["unknown key `data.sise`; did you mean data.size?"];
    place.fails("tune pictures data --space rates.toml --dir q --set data.sise=8", 2, &due);
    assert!(!place.path("q").exists());
}

/// Of pictures in splits of their own, nothing is held out.
#[test]
fn pictures_in_splits_are_taken_as_they_are() {
    let place = Place::new();
    for (split, each) in [("train", 6), ("val", 2), ("test", 3)] {
        pictures(&place, &format!("data/{split}"), each);
    }
    let ran = place.ok("train pictures data --threads 1 --model mlp --size 8 --epochs 1 --run-dir run");
    assert!(ran.out.contains("18 samples to learn from, 6 to validate on, 9 to test on"), "{ran:?}");
    // A class that the training pictures do not have.
    fs::rename(place.path("data/test/red"), place.path("data/test/rose")).unwrap();
    place.fails("train pictures data --run-dir other", 1, &["data/test/rose"]);
    assert!(!place.path("other").exists());
}

/// The folder of the data is found again from another working folder.
#[test]
fn a_run_on_pictures_goes_on_from_another_folder() {
    let place = Place::new();
    pictures(&place, "data", 8);
    place.ok(&format!("train pictures data {PICTURES} --run-dir whole"));
    // Stopped by a budget of steps that a checkpoint outlives.
    place.ok(&format!("train pictures data {PICTURES} --set train.epochs=5 --run-dir run"));
    fs::create_dir(place.path("elsewhere")).unwrap();
    let mut command = place.command("train pictures --quiet --epochs 12 --resume ../run");
    let ran = Ran::from(command.current_dir(place.path("elsewhere")).output().unwrap());
    assert_eq!((ran.code, ran.last_line()), (0, "Test Accuracy = 100.00%"), "{ran:?}");
    assert!(place.bytes("run/model.safetensors") == place.bytes("whole/model.safetensors"));
    // Other data are no resumption.
    fs::remove_file(place.path("data/red/00.png")).unwrap();
    fs::remove_file(place.path("run/result.json")).unwrap();
    place.fails("train pictures --resume run", 1, &["the run began with other data than are found now"]);
}

#[test]
fn classes_of_a_table_are_learned_measured_and_predicted() {
    let place = Place::new();
    table(&place, "data.csv", 240);
    let line = "train table data.csv --target kind --drop y --quiet --threads 1 --epochs 30";
    let ran = place.ok(&format!("{line} --run-dir run"));
    let accuracy: f64 = ran.last_line().trim_start_matches("Test Accuracy = ").trim_end_matches('%').parse().unwrap();
    // 56% are small; a sixth of the rows lack a cell.
    assert!(accuracy > 85.0, "{ran:?}");
    assert_eq!(place.ok("eval run --quiet").last_line(), ran.last_line());
    assert!(place.read("run/report.html").contains("Confusion matrix"));
    let spec: serde_json::Value = serde_json::from_str(&place.read("run/spec.json")).unwrap();
    assert_eq!((&spec["task"], &spec["inputs"]["kind"]), (&"classify".into(), &"table".into()));
    // New rows need no target, columns in any order, and may have a category that training has not seen.
    fs::write(place.path("new.csv"), "colour,size\n\"sea, blue\",9.5\nred,0.5\nviolet,\n").unwrap();
    let text = place.ok("predict run new.csv").out;
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        (words.len(), &words[0][..2], &words[1][..2]),
        (3, &["new.csv:1", "large"][..], &["new.csv:2", "small"][..])
    );
    let piped = given(&place, "predict run - --json", &place.bytes("new.csv"));
    let file = json(&place.ok("predict run new.csv --json").out);
    let classes = |found: &[serde_json::Value]| found.iter().map(|row| row["classes"].clone()).collect::<Vec<_>>();
    assert_eq!((classes(&json(&piped.out)), piped.code), (classes(&file), 0));
}

#[test]
fn a_number_of_a_table_is_learned_measured_and_predicted() {
    let place = Place::new();
    table(&place, "data.csv", 240);
    let line = "train table data.csv --target y --drop kind --quiet --threads 1 --epochs 60 --lr 0.01";
    let ran = place.ok(&format!("{line} --run-dir run"));
    let eval = place.ok("eval run");
    assert!(eval.out.contains("test rmse") && eval.last_line() == ran.last_line(), "{eval:?}");
    let r2 = eval.out.split("test r2 ").nth(1).and_then(|text| text.split_whitespace().next()).unwrap();
    assert!(r2.parse::<f64>().unwrap() > 0.8, "{eval:?}");
    assert!(place.read("run/report.html").contains("Test r2"));
    // 3 size + 20, in the target's own unit.
    let found = json(&given(&place, "predict run - --json", b"size,colour\n5,\"sea, blue\"\n").out);
    let value = found[0]["value"].as_f64().unwrap();
    assert!((value - 35.0).abs() < 4.0 && found[0]["input"] == "-:1", "{value}");
    let text = given(&place, "predict run -", b"size,colour\n5,\"sea, blue\"\n").out;
    assert_eq!(text, format!("-:1  y {value}\n"));
}

#[test]
fn pictures_that_cannot_be_are_told() {
    let place = Place::new();
    let train = "train pictures data --quiet --threads 1 --model mlp --size 8 --epochs 1";
    place.fails("train pictures", 2, &["data.dir: expected the folder of your pictures, as in `train pictures DIR`"]);
    place.fails(train, 1, &["cannot read the folder ", "data: "]);
    fs::write(place.path("data"), "").unwrap();
    place.fails(train, 1, &["cannot read the folder ", "data: "]);
    fs::remove_file(place.path("data")).unwrap();
    pictures(&place, "data", 6);
    fs::create_dir(place.path("data/violet")).unwrap();
    place.fails(train, 1, &["data/violet: class: expected a picture or more, found none"]);
    fs::remove_dir(place.path("data/violet")).unwrap();
    place.fails(
        &format!("{train} --data-dir x"),
        2,
        &["--data-dir x: ", "your own are read from `train pictures DIR`"],
    );
    place.fails("train pictures data --size 4", 2, &["data.size: expected an integer from 8 to 1024, found 4"]);
    place.fails(&format!("{train} --set checkpoint.monitor=r2"), 2, &["unknown metric `r2`; known: loss, accuracy"]);
    place.fails(&format!("{train} --set data.test=0.01"), 2, &["data.test: 0.01 of 18 pictures leaves 0 held out"]);
    // A file that is no picture is found at once; one that is cut, when it is needed.
    let skip = "hint: --skip-bad leaves out files that do not decode, and lists them";
    fs::write(place.path("data/red/text.png"), "text").unwrap();
    place.fails(train, 1, &["data/red/text.png: picture: expected PNG, JPEG or WebP, found something else", skip]);
    assert!(!place.path("runs").exists());
    let ran = place.ok(&format!("{} --skip-bad --run-dir skipped", train.replace("--quiet ", "")));
    assert!(ran.out.contains("1 file is left out:\n") && ran.out.contains("data/red/text.png: expected"), "{ran:?}");
    let whole = place.bytes("data/red/00.png");
    fs::write(place.path("data/red/text.png"), &whole[..whole.len() / 2]).unwrap();
    place.fails(&format!("{train} --run-dir cut"), 1, &["data/red/text.png: picture: damaged", skip]);
    let ran = place.ok(&format!("{train} --skip-bad --run-dir uncut"));
    assert_eq!(ran.code, 0);
    // One class alone.
    fs::create_dir(place.path("one")).unwrap();
    fs::rename(place.path("data/blue"), place.path("one/blue")).unwrap();
    place.fails("train pictures one", 1, &["one: classes: expected 2 to 65536 folders, one a class, found 1 (`blue`)"]);
    assert!(!place.path("runs").exists());
}

#[test]
fn tables_that_cannot_be_are_told() {
    let place = Place::new();
    table(&place, "data.csv", 60);
    fs::write(place.path("one.csv"), "a,b\n1,2\n2,2\n3,2\n").unwrap();
    fs::write(place.path("short.csv"), "a,b,c\n1,2,3\n1,2\n").unwrap();
    fs::write(place.path("gap.csv"), "a,b\n1,2\n1,\n").unwrap();
    fs::write(place.path("names.csv"), "a,b\n").unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    for (code, line, texts) in [
        (2, "", &["data.file: expected a CSV or Parquet file, as in `train table FILE.csv --target COLUMN`"][..]),
        (2, "data.csv", &["data.target: expected a column's name, as in `train table FILE.csv --target COLUMN`"]),
        (1, "data.csv --target knd", &["data.csv: columns: expected one column `knd`", "did you mean `kind`?"]),
        (1, "data.csv --target y --drop colours", &["`colours`", "did you mean `colour`?"]),
        (1, "one.csv --target b", &["one.csv: columns: the target `b` has one value in all rows"]),
        (1, "short.csv --target b", &["short.csv: line 3: expected 3 fields as in the first line, found 2"]),
        (1, "gap.csv --target b", &["gap.csv: line 3, column `b`: the target is missing"]),
        (1, "names.csv --target b", &["names.csv: file: expected at least one row, found none"]),
        (1, "none.csv --target b", &["cannot open ", "none.csv: "]),
        (1, "folder --target b", &["cannot open ", "folder: expected a plain file, found a folder"]),
        (2, "data.csv --target y --model resnet18", &["unknown model for tables `resnet18`; known: mlp"]),
        (2, "data.csv --target y --task rank", &["unknown task `rank`", "auto, classify, regress"]),
        (
            2,
            "data.csv --target y --set checkpoint.monitor=accuracy",
            &["unknown metric `accuracy`; known: loss, rmse, mae"],
        ),
        (2, "data.csv --target kind --set checkpoint.monitor=r2", &["unknown metric `r2`; known: loss, accuracy"]),
        (2, "data.csv --target kind --data-dir x", &["--data-dir x: ", "your own are read from `train table FILE`"]),
    ] {
        place.fails(&format!("train table {line}"), code, texts);
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn what_cannot_be_predicted_is_told() {
    let place = Place::new();
    table(&place, "data.csv", 60);
    pictures(&place, "data", 4);
    place.ok(&format!("train pictures data {PICTURES} --epochs 1 --run-dir p").replace("--epochs 12 ", ""));
    place.ok("train table data.csv --target y --quiet --max-steps 1 --run-dir t");
    place.ok("train autoencoder --quiet --max-steps 1 --run-dir a");
    let as_it_was = fs::read(place.path("t/model.safetensors")).unwrap();
    place.fails("predict t data/red/00.png", 1, &["data/red/00.png: this run takes rows of a table, not pictures"]);
    place.fails("predict p data.csv", 1, &["data.csv: picture: expected PNG, JPEG or WebP, found something else"]);
    place.fails(
        "predict a data/red/00.png",
        1,
        &["a: this run's task is autoencode, expected a run of classify or regress"],
    );
    for (rows, text) in [
        ("size,colour\n1,red\n", "new.csv: columns: expected the column `kind`, which the model was trained on"),
        (
            "size,colour,kind\n1,red,small\nbig,red,small\n",
            "new.csv: line 3, column `size`: expected a number, found `big`",
        ),
        ("size,colour,kind\n1,red\n", "new.csv: line 2: expected 3 fields as in the first line, found 2"),
        ("size,colour,kind\n", "new.csv: file: expected at least one row, found none"),
    ] {
        fs::write(place.path("new.csv"), rows).unwrap();
        place.fails("predict t new.csv", 1, &[text]);
    }
    place.fails("predict t data.csv --top 0", 2, &["--top: expected an integer, 1 or more, found 0"]);
    place.fails("eval t --data-dir x", 2, &["--data-dir x: ", "your own are read from ", "data.csv"]);
    // A run of another version, and one that lost a file.
    let spec = place.read("t/spec.json");
    for (text, due) in [
        ("{\"task", "t/spec.json: not a run's spec: "),
        ("{\"task\": \"regress\"}", "t: spec.json is damaged, or of another version: missing field `inputs`"),
        ("{\"task\": \"rank\"}", "t: this run's task is rank, expected a run of classify or regress"),
        ("[]", "t: spec.json is damaged, or of another version: "),
        (&place.read("p/spec.json"), "t/model.safetensors do not fit, nothing was loaded (the file has "),
    ] {
        fs::write(place.path("t/spec.json"), text).unwrap();
        place.fails("predict t data.csv", 1, &[due]);
    }
    fs::remove_file(place.path("t/spec.json")).unwrap();
    place.fails("predict t data.csv", 1, &["t: no spec.json here: the run was begun by a version", "`eval` can still"]);
    fs::write(place.path("t/spec.json"), spec).unwrap();
    fs::write(place.path("t/model.safetensors"), &as_it_was[..as_it_was.len() / 2]).unwrap();
    place.fails("predict t data.csv", 1, &["t/model.safetensors", "is no whole safetensors file"]);
    fs::remove_file(place.path("t/model.safetensors")).unwrap();
    place.fails("predict t data.csv", 1, &["t: no model.safetensors here"]);
    fs::write(place.path("t/model.safetensors"), as_it_was).unwrap();
    place.ok("predict t data.csv");
}

/// Memory does not grow with a file of four times what the process may use; held whole, it would not fit.
#[test]
#[cfg(target_os = "linux")]
fn a_table_larger_than_memory_is_trained_on() {
    const KIB: usize = 16 << 10;
    let place = Place::new();
    let columns = 100;
    let head: String = (0..columns).map(|column| format!("c{column},")).collect();
    let mut file = std::io::BufWriter::new(fs::File::create(place.path("big.csv")).unwrap());
    writeln!(file, "{head}y").unwrap();
    let (mut written, mut row) = (0, String::new());
    for i in 0_u64.. {
        row.clear();
        for column in 0..columns {
            let digits = (i * 977 + column * 7919) % 10_007;
            write!(row, "0.{digits:026},").unwrap();
        }
        writeln!(file, "{row}{}", i % 100).unwrap();
        written += row.len();
        if written > 4 * KIB * 1024 {
            break;
        }
    }
    drop(file);
    // `ulimit -d`: of data, in KiB; not of the program's text, which is larger where it is not optimised.
    let limited = |line: &str, input: Stdio| {
        let program = place.command("").get_program().to_os_string();
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -d {KIB} && exec \"$0\" {line}")).arg(program);
        Ran::from(shell.current_dir(place.path("")).stdin(input).output().unwrap())
    };
    let train = "train table big.csv --target y --task regress --quiet --threads 1 --epochs 1 --run-dir run";
    let ran = limited(train, Stdio::null());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(ran.last_line().starts_with("Test Loss = "), "{ran:?}");
    let whole = limited("predict run -", Stdio::from(fs::File::open(place.path("big.csv")).unwrap()));
    assert_eq!(
        (whole.code, whole.err.as_str()),
        (1, "error: cannot read standard input: out of memory\n"),
        "{whole:?}"
    );
}
