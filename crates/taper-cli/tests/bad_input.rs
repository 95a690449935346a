//! Bad input: a clear error on standard error, exit code 2 for usage and 1 for failure, nothing lost.

mod common;

use common::{Place, black_cifar, lines};
use std::io::{Read, Seek, SeekFrom, Write};

#[test]
fn unknown_names_come_with_the_nearest_known() {
    let place = Place::new();
    place.fails("train digits --model mpl", 2, &["unknown model `mpl`; did you mean mlp?", "seed-cnn"]);
    place.fails("train digits --device cup", 2, &["unknown device `cup`; known: cpu", "hint: did you mean cpu?"]);
    place.fails("train digits --set train.epoch=3", 2, &["unknown key `train.epoch`; did you mean train.epochs"]);
    place.fails("train digits --set lr=3", 2, &["unknown key `lr`; did you mean optimizer.lr?", "--help"]);
    place.fails(
        "train digits --set data.name=imagenet",
        2,
        &["unknown dataset `imagenet`; known: cifar10, cifar100, cifar100-coarse, digits, fashion-mnist, mnist"],
    );
    place.fails("gradcheck --op matmull", 2, &["unknown operation `matmull`", "hint: did you mean matmul"]);
    place.fails("gradcheck --device gpu", 2, &["unknown device `gpu`; known: cpu"]);
    place.fails("gradcheck --device cpu,gpu", 2, &["unknown device `gpu`; known: cpu"]);
    place.fails("train digits --device cuda:x", 2, &["`cuda:x`: expected cuda:N with the number of a card"]);
    place.fails("train digits --device cuda --threads 2", 2, &["`cuda` takes no number of threads, found 2"]);
    place.fails(
        "train digits --device cuda --isa avx2",
        2,
        &["`cuda` takes no instruction set, found avx2; give auto"],
    );
    place.fails("train digits --device candle --conv direct", 2, &["`candle` takes no way to compute convolutions"]);
    place.fails("download cifer", 2, &["unknown dataset `cifer`; known: cifar10, ", "hint: did you mean cifar10"]);
    place.fails("download lwf", 2, &["unknown dataset `lwf`; known: cifar10, ", ", lfw, ", "hint: did you mean lfw?"]);
    place.fails("train cifar --recipe fast49", 2, &["unknown recipe `fast49`; did you mean fast94? (known: fast94, "]);
    place.fails("train digits --recipe fast94", 2, &["digits has no recipes"]);
    place.fails(
        "train digits --set schedule.name=cosin",
        2,
        &["unknown schedule `cosin`; did you mean cosine or cosine-restarts?"],
    );
    place.fails("train digits --set optimizer.name=adma", 2, &["unknown optimiser `adma`; did you mean adam"]);
    place.fails("train digits --set log=3", 2, &["unknown key `log`; it is a table, of log.tensorboard, log.report"]);
    place.fails("train cifer", 2, &["'cifer'", "cifar"]);
    place.fails(
        "train resnet18",
        2,
        &["'resnet18'", "tip: `resnet18` is a model: `taper train cifar --recipe resnet18`"],
    );
    place.fails("find-lr cifar10", 2, &["tip: `cifar10` is a data set: `taper train cifar` trains on it"]);
    place.fails("digits", 2, &["'digits'", "tip: `taper train digits` trains this experiment"]);
    place.fails("trian cifar", 2, &["'trian'", "train"]);
    place.fails("train digits --epoch 3", 2, &["'--epoch'", "'--epochs'"]);
    assert!(!place.path("runs").exists(), "a request that cannot be followed makes no run folder");
}

/// Whatever this build has, a device that it lacks comes with what brings it.
#[test]
#[cfg(not(feature = "cuda"))]
fn a_device_that_this_build_lacks_comes_with_its_feature() {
    let place = Place::new();
    let due = ["this build has no CUDA; build with the feature `cuda`", "-p taper-cli --features cuda; `cargo xtask"];
    for line in ["train digits --device cuda", "train digits --set device.name=cuda:0", "gradcheck --device cpu,cuda"] {
        place.fails(line, 2, &due);
    }
    place.ok("train digits --max-steps 1 --run-dir run --isa portable --conv direct");
    place.fails("eval run --device cuda:1", 2, &due);
    place.fails("eval run --device cuda:1 --conv direct", 2, &["`cuda:1` takes no way to compute convolutions"]);
    place.fails("eval run --isa sse", 2, &["--isa: expected auto, avx512, avx2 or portable, found sse"]);
    assert!(!place.path("runs").exists());
}

#[test]
fn values_out_of_range_come_with_the_range() {
    let place = Place::new();
    for (flag, text) in [
        ("--epochs 0", "--epochs: expected an integer, 1 or more, found 0"),
        ("--epochs -1", "--epochs: expected an integer, 1 or more, found -1"),
        ("--epochs few", "--epochs: expected an integer, 1 or more, found few"),
        ("--batch-size 0", "--batch-size: expected an integer, 1 or more, found 0"),
        ("--lr 0", "--lr: expected a number from 1e-37 to 1e37, found 0"),
        ("--lr nan", "--lr: expected a number from 1e-37 to 1e37, found NaN"),
        ("--lr inf", "--lr: expected a number from 1e-37 to 1e37, found inf"),
        ("--seed -1", "--seed: expected an integer from 0 to 2^63 - 1, found -1"),
        ("--seed 99999999999999999999", "--seed: expected an integer from 0 to 2^63 - 1, found 99999999999999999999"),
        ("--threads 100000", "--threads: expected an integer from 0 to 1024, found 100000"),
        ("--isa sse", "--isa: expected auto, avx512, avx2 or portable, found sse"),
        ("--conv winograd", "--conv: expected auto or direct, found winograd"),
        ("--dtype f16", "--dtype: expected f32 or f64, found f16"),
        ("--max-steps 1.5", "--max-steps: expected an integer, 0 or more, found 1.5"),
        ("--set optimizer.betas=[0.9,1]", "optimizer.betas: expected two numbers, 0 or more and below 1, found 1"),
        ("--set optimizer.betas=[0.9]", "optimizer.betas: expected two numbers, 0 or more and below 1, found [0.9]"),
        ("--set train.epochs", "`train.epochs`: expected key=value"),
        ("--set data.validation=1", "data.validation: expected a number, 0 or more and below 1, found 1"),
        ("--set data.ahead=0", "data.ahead: expected an integer from 1 to 1024, found 0"),
        ("--set train.ema=1", "train.ema: expected a number, 0 or more and below 1, found 1"),
        ("--set train.views=seven", "task.views: expected one, mirror or six, found seven"),
        ("--set train.reduction=max", "task.reduction: expected mean or sum, found max"),
        ("--set train.accumulate=0", "train.accumulate: expected an integer, 1 or more, found 0"),
        ("--set regularization.mixup=-1", "task.mixup: expected 0 or a number from 1e-37 to 1e37, found -1"),
        ("--set regularization.patience=-1", "regularization.patience: expected an integer, 0 or more, found -1"),
        ("--set optimizer.momentum=0.9", "optimizer.momentum: adam has none; it is of sgd, rmsprop, muon"),
        ("--set optimizer.nesterov=3", "optimizer.nesterov: expected true or false, found 3"),
        ("--set schedule.milestones=[3,2]", "schedule.milestones: expected epochs in rising order, found [3.0, 2.0]"),
        ("--set schedule.warm_fraction=1", "schedule.warm_fraction: expected a number between 0 and 1, found 1"),
        ("--set checkpoint.monitor=f1", "checkpoint.monitor: unknown metric `f1`; known: loss, accuracy"),
        (
            "--set checkpoint.every_minutes=nan",
            "checkpoint.every_minutes: expected 0 or a number from 1e-37 to 1e37, found NaN",
        ),
        ("--set log.report=1", "log.report: expected true or false, found 1"),
        (
            "--set data.augment=[{kind=\"flop\"}]",
            "data.augment: unknown kind `flop`; did you mean flip? (known: flip, ",
        ),
        ("--set data.augment=flip", "data.augment: expected a list such as [{kind = \"flip\"}], found flip: "),
        ("--set data.augment=[{kind=\"flip\",alternate=1}]", "unknown key `alternate`; did you mean alternating?"),
        (
            "--set data.augment=[{kind=\"translate\",pixels=0}]",
            "data.augment: translate: pixels: expected at least 1, found 0",
        ),
        ("--set groups=[{patern=\"*\"}]", "groups: unknown key `patern`; did you mean pattern?"),
        (
            "--set groups=[{pattern=\"*\",epochs=-1}]",
            "groups: \"*\": epochs: expected 0 or a number from 1e-37 to 1e37, found -1",
        ),
        (
            "--set groups=[{pattern=\"*\",optimizer={name=\"sdg\"}}]",
            "groups: \"*\": optimizer.name: unknown optimiser `sdg`",
        ),
        (
            "--set groups=[{pattern=\"*\",optimizer={lr=-1}}]",
            "groups: \"*\": optimizer.lr: expected a number from 1e-37 to 1e37, found -1",
        ),
    ] {
        place.fails(&format!("train digits {flag}"), 2, &[text, "hint: "]);
    }
    assert!(!place.path("runs").exists());
}

/// 2 for what could not be asked so, 1 for what failed, of every command; and how to go on.
#[test]
fn every_command_tells_a_wrong_request_from_a_failure() {
    let place = Place::new();
    for name in ["file", "empty.toml"] {
        std::fs::write(place.path(name), "").unwrap();
    }
    std::fs::create_dir(place.path("folder")).unwrap();
    std::fs::write(place.path("space.toml"), "optimizer.lr = { log = [1e-3, 1e-1] }").unwrap();
    place.ok("train digits --max-steps 1 --run-dir run --quiet");
    let lines = [
        (2, "train digits extra"),
        (2, "train digits --set ="),
        (2, "train digits --device tpu"),
        (2, "train cifar --resume run"),
        (1, "train digits --resume file"),
        (1, "train digits --config folder"),
        (1, "train digits --profile folder"),
        (1, "train cifar --data-dir folder"),
        (2, "find-lr digits --from 1 --to 0.1"),
        (2, "find-lr digits --output curve.png"),
        (1, "find-lr digits --output none/curve.svg"),
        (2, "tune digits --space empty.toml"),
        (2, "tune digits --space space.toml --eta 0"),
        (1, "tune digits --space folder"),
        (1, "tune digits --space space.toml --dir run"),
        (2, "eval run --batch-size 0"),
        (2, "eval run --device tpu"),
        (2, "eval run extra"),
        (1, "eval folder"),
        (2, "predict run"),
        (1, "predict folder file"),
        (2, "detect run"),
        (1, "detect folder file"),
        (2, "forecast run file extra"),
        (1, "forecast folder"),
        (2, "generate run extra"),
        (1, "generate folder"),
        (2, "translate"),
        (1, "translate folder text"),
        (2, "chat run extra"),
        (1, "chat folder"),
        (2, "recommend run extra"),
        (1, "recommend folder --user 1"),
        (2, "segment run"),
        (1, "segment folder file"),
        (2, "verify run file"),
        (1, "verify folder file file"),
        (2, "denoise run file out.mp3"),
        (1, "denoise folder file out.wav"),
        (2, "speak run one out.mp3"),
        (1, "speak folder one out.wav"),
        (2, "transcribe run"),
        (1, "transcribe folder file"),
        (2, "runs --sort accuracy"),
        (2, "runs --compare run nobody"),
        (1, "runs file"),
        (2, "models extra"),
        (2, "summary resnet5"),
        (1, "summary folder"),
        (2, "download imagenet"),
        (1, "download cifar --dir file"),
        (2, "fetch resnet19"),
        (1, "fetch resnet18 --dir file"),
        (2, "gradcheck --op nothing"),
        (2, "gradcheck --device cpu,"),
    ];
    for (code, line) in lines {
        place.fails(line, code, &[]);
        let told = place.run(line).err;
        let helped = ["--help", "hint: ", "did you mean"].iter().any(|text| told.contains(text));
        assert!(code == 1 || helped, "{line}: {told}");
    }
    // gradcheck has nothing that could fail before it is done, and models nothing at all.
    let help = place.ok("--help").out;
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    for name in commands.map(|line| line.split_whitespace().next().unwrap()) {
        let has = |code| lines.iter().any(|line| line.0 == code && line.1.split(' ').next() == Some(name));
        assert!(has(2) && (has(1) || ["gradcheck", "models"].contains(&name)), "{name}");
    }
    place.fails("eval run --batch-size 0", 2, &["error: --batch-size: expected an integer, 1 or more, found 0"]);
    place.fails("eval run --isa sse", 2, &["hint: `taper eval --help` explains arguments"]);
}

/// The digits are part of the program: own data in a folder would be ignored.
#[test]
fn a_folder_for_data_that_are_read_from_none_is_refused() {
    let place = Place::new();
    std::fs::create_dir(place.path("own")).unwrap();
    std::fs::write(place.path("space.toml"), "optimizer.lr = { log = [1e-3, 1e-1] }").unwrap();
    let due =
        ["own: Optical recognition of handwritten digits", "not read from a folder; leave the folder out", "hint: "];
    for line in ["train digits", "find-lr digits", "train digits --resume run"] {
        place.fails(&format!("{line} --data-dir own"), 2, &due);
    }
    place.fails("tune digits --space space.toml --trials 2 --dir search --data-dir own", 2, &due);
    place.ok("train digits --max-steps 1 --run-dir run");
    place.fails("eval run --data-dir own", 2, &due[..2]);
    assert!(!place.path("runs").exists());
}

/// What only shows beside the model and the data leaves no run either.
#[test]
fn what_fits_neither_model_nor_data_is_told() {
    let place = Place::new();
    for (flags, text) in [
        (
            "--set groups=[{pattern=\"no*\"}]",
            "groups: no parameter is left that matches \"no*\"; the model has fc1.weight",
        ),
        (
            "--set regularization.patience=3 --set data.validation=0",
            "early stopping looks at the validation split, and there is none: set data.validation, to 0.1 for example",
        ),
    ] {
        place.fails(&format!("train digits {flags}"), 2, &[text, "hint: "]);
    }
    assert!(!place.path("runs").exists());
}

#[test]
fn a_settings_file_that_is_wrong_is_told() {
    let place = Place::new();
    place.fails("train digits --config none.toml", 1, &["cannot read none.toml: "]);
    std::fs::write(place.path("a.toml"), "[train]\nepochs = \n").unwrap();
    place.fails("train digits --config a.toml", 2, &["a.toml: ", "line 2"]);
    std::fs::write(place.path("a.toml"), "[train]\nbatchsize = 3\n").unwrap();
    place.fails("train digits --config a.toml", 2, &["unknown key `train.batchsize`; did you mean train.batch_size"]);
}

#[test]
fn data_files_that_are_wrong_are_told_by_name_and_size() {
    let place = Place::new();
    let train = "train cifar --data-dir data --max-steps 1 --run-dir run";
    place.fails(train, 1, &["data: no CIFAR-10 here; expected cifar-10-batches-bin/"]);
    std::fs::create_dir(place.path("data")).unwrap();
    place.fails(train, 1, &["data: no CIFAR-10 here"]);

    let folder = black_cifar(&place.path("data"));
    let file = |name: &str| std::fs::OpenOptions::new().write(true).open(folder.join(name)).unwrap();
    file("data_batch_3.bin").set_len(30_729_999).unwrap();
    place.fails(train, 1, &["data_batch_3.bin: truncated: expected 30730000 bytes, found 30729999"]);
    file("data_batch_3.bin").set_len(30_730_000).unwrap();

    let mut test = file("test_batch.bin");
    test.seek(SeekFrom::Start(3073 * 7)).unwrap();
    test.write_all(&[10]).unwrap();
    place.fails(train, 1, &["test_batch.bin: record 7 has label 10; labels are 0 to 9"]);

    std::fs::remove_file(folder.join("data_batch_5.bin")).unwrap();
    place.fails(train, 1, &["data_batch_5.bin: no such file; expected a file of CIFAR-10 with 30730000 bytes"]);
    assert!(!place.path("run").exists(), "a run that never began leaves no folder");
}

#[test]
fn a_run_folder_is_not_overwritten() {
    let place = Place::new();
    std::fs::create_dir(place.path("run")).unwrap();
    std::fs::write(place.path("run/model.safetensors"), "precious").unwrap();
    place.fails("train digits --run-dir run", 1, &["run: the run folder holds files already"]);
    assert_eq!(place.read("run/model.safetensors"), "precious");
    std::fs::write(place.path("file"), "").unwrap();
    place.fails("train digits --run-dir file/run", 1, &["cannot create the folder file/run: "]);
    #[cfg(target_os = "linux")]
    place.fails("train digits --run-dir /proc/run", 1, &["cannot create the folder /proc/run: "]);
}

#[test]
fn weights_that_do_not_fit_are_told_by_name_and_shape() {
    let place = Place::new();
    place.ok("train digits --run-dir a --max-steps 1");
    let weights = "a/model.safetensors";
    let init = format!("train digits --init {weights} --run-dir b --model seed-cnn");
    place.fails(
        &init,
        1,
        &["a/model.safetensors do not fit", "missing: conv1.weight", "unexpected: fc3.", "[128, 64]"],
    );
    place.fails("train digits --init none.safetensors", 1, &["cannot read weights none.safetensors: "]);
    let whole = place.bytes(weights);
    std::fs::write(place.path("cut.safetensors"), &whole[..whole.len() / 2]).unwrap();
    place.fails("train digits --init cut.safetensors", 1, &["cut.safetensors", "no whole safetensors file"]);
    std::fs::write(place.path(weights), &whole[..100]).unwrap();
    place.fails("eval a", 1, &["model.safetensors", "no whole safetensors file"]);
}

#[test]
fn what_is_no_run_cannot_be_measured() {
    let place = Place::new();
    place.fails("eval none", 1, &["none: no config.toml here: expected the folder of a run"]);
    place.ok("train digits --run-dir a --max-steps 1");
    std::fs::write(place.path("a/config.toml"), "model = 7\n").unwrap();
    place.fails("eval a", 1, &["a/config.toml: not the configuration of a run of this version"]);
    place.fails("eval", 2, &["RUN"]);
}

/// A learning rate that is far too large: the loss becomes NaN, and the weights that are left are sound.
#[test]
fn a_loss_that_becomes_nan_stops_the_run_and_keeps_good_weights() {
    let place = Place::new();
    for (lr, folder) in [("1e30", "a"), ("1e37", "b")] {
        let line = format!("train digits --lr {lr} --set train.log_every=1 --run-dir {folder}");
        let saved = format!("{folder}/model.safetensors");
        place.fails(&line, 1, &["became NaN or infinite at step ", "the last good weights, those after ", &saved]);
        place.ok(&format!("eval {folder}"));
        let metrics = place.read(&format!("{folder}/metrics.jsonl"));
        assert!(lines(&metrics).iter().all(|line| line["loss"].as_f64().unwrap().is_finite()), "{metrics}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_standard_output_is_told_and_loses_nothing() {
    let place = Place::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = place.command("train digits --epochs 1 --run-dir run");
    let output = command.stdout(full).stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(err, "error: cannot write to standard output: No space left on device (os error 28)\n");
    place.ok("eval run");
}

#[test]
fn a_reader_that_leaves_does_not_stop_the_run() {
    let place = Place::new();
    let mut command = place.command("train digits --epochs 3 --run-dir run");
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
    place.ok("eval run");
}

#[test]
fn nothing_asked_is_answered_with_the_usage() {
    let place = Place::new();
    for line in ["", "train"] {
        let ran = place.run(line);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("Usage: taper"), "{ran:?}");
    }
}
