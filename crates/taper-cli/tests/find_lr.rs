//! `taper find-lr` on the digits.

mod common;

use common::{Place, Ran};

/// The rate on the last line: `--lr 2.60e-2`.
fn suggested(ran: &Ran) -> f64 {
    let rate = ran.last_line().strip_prefix("--lr ").unwrap_or_else(|| panic!("{ran:?}"));
    assert_eq!(rate.split_once('e').unwrap().0.len(), 4, "{rate}");
    rate.parse().unwrap()
}

#[test]
fn the_rate_that_is_found_trains_the_digits() {
    let place = Place::new();
    let ran = place.ok("find-lr digits --seed 3");
    let rate = suggested(&ran);
    assert!((1e-3..0.2).contains(&rate), "{rate}");
    assert_eq!(ran.err, "");
    assert!(ran.out.starts_with("Optical recognition of handwritten digits"), "{}", ran.out);
    assert!(
        ran.out.contains("      rate       loss   smoothed\n") && ran.out.contains("  falls fastest\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("The curve is in lr.svg."), "{}", ran.out);
    assert!(!place.path("runs").exists(), "looking for a rate is no run");

    let trained = place.ok(&format!("train digits {} --epochs 10 --seed 3 --quiet", ran.last_line()));
    let percent = trained.last_line().strip_prefix("Test Accuracy = ").and_then(|rest| rest.strip_suffix('%')).unwrap();
    assert!(percent.parse::<f64>().unwrap() > 90.0, "{percent} with {rate}");

    // The same seed, the same rate, whatever the threads; what was drawn before is overwritten.
    let again = place.ok("find-lr digits --seed 3 --threads 1 --set data.workers=0 --quiet");
    assert_eq!(again.out, format!("{}\n", ran.last_line()));
    // The rate that is set already says nothing.
    assert_eq!(suggested(&place.ok("find-lr digits --seed 3 --set optimizer.lr=0.5 --output b.svg --quiet")), rate);
    assert_eq!(place.bytes("lr.svg"), place.bytes("b.svg"));
}

/// Every element that is opened is closed, in order; nothing is read from elsewhere.
#[test]
fn the_curve_is_a_well_formed_picture() {
    let place = Place::new();
    let ran = place.ok("find-lr digits --from 1e-6 --to 1 --steps 60 --output curve.svg");
    let svg = place.read("curve.svg");
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("{tag}"));
        match tag.strip_prefix('/') {
            _ if tag.starts_with(['?', '!']) || tag.ends_with('/') => {}
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
    }
    assert_eq!(open, [] as [&str; 0]);
    for text in ["<svg", "xmlns=\"http://www.w3.org/2000/svg\"", "learning rate", "smoothed", "loss"] {
        assert!(svg.contains(text), "{text}");
    }
    let mark = ran.last_line().strip_prefix("--lr ").unwrap();
    assert!(svg.contains(mark), "{mark} is marked");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn rates_of_groups_keep_their_ratios() {
    let place = Place::new();
    let groups = "--set groups=[{pattern=\"*.bias\",optimizer={lr=0.01}}]";
    let ran = place.ok(&format!("find-lr digits {groups}"));
    assert!(ran.out.contains("Groups with a rate of their own were tried in proportion to it"), "{}", ran.out);
    suggested(&ran);
}

#[test]
fn what_is_wrong_is_told() {
    let place = Place::new();
    let wrong = |flags: &str, texts: &[&str]| place.fails(&format!("find-lr digits {flags}"), 2, texts);
    let hint = "hint: `taper find-lr digits --help` explains flags and keys";
    wrong("--from 0", &["error: --from: expected a number from 1e-37 to 1e37, found 0\n", hint]);
    wrong("--from -0.001", &["error: --from: expected a number from 1e-37 to 1e37, found -0.001\n", hint]);
    wrong("--from nan", &["--from: expected a number from 1e-37 to 1e37, found NaN"]);
    wrong("--from 1 --to 0.1", &["--to: expected a number above the first rate, 1, up to 1e37, found 0.1", hint]);
    wrong("--to inf", &["--to: expected a number above the first rate, 0.0000001, up to 1e37, found inf"]);
    wrong("--steps 3", &["--steps: expected 18 or more, without which no slope can be told, found 3", hint]);
    wrong("--steps -3", &["'-3'", "--steps"]);
    wrong("--from few", &["'few'", "--from"]);
    wrong("--output lr.png", &["--output: expected a name that ends in .svg, found lr.png", hint]);
    wrong("--lr 3", &["'--lr'"]);
    wrong("--recipe fast94", &["digits has no recipes", hint]);
    wrong("--set train.epoch=3", &["unknown key `train.epoch`; did you mean train.epochs", hint]);
    wrong("--device cup", &["unknown device `cup`"]);
    wrong("--model mpl", &["unknown model `mpl`; did you mean mlp?"]);
    place.fails("find-lr digitss", 2, &["'digitss'", "digits"]);
    place.fails(
        "find-lr digits --output none/lr.svg",
        1,
        &["cannot write the curve to none/lr.svg: ", "hint: --output"],
    );
    // Rates at which nothing is learned: the curve is there, and the exit code tells.
    let line = "find-lr digits --from 1e-30 --to 1e-29 --no-shuffle --steps 40 --set data.train_samples=64 \
                --set data.validation=0 --output flat.svg";
    place.fails(line, 1, &["the loss falls at none of these rates: see flat.svg", "hint: try other rates by --from"]);
    assert!(place.path("flat.svg").exists());
}

/// Ctrl-C ends it with the exit code that shells have for it, and leaves nothing behind.
#[test]
#[cfg(unix)]
fn ctrl_c_ends_it() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let place = Place::new();
    let mut command = place.command("find-lr digits --from 1e-9 --to 1.1e-9 --steps 10000000");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first line comes when the data are there, just after which Ctrl-C is listened to; the second after two
    // seconds.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(
        ran.err.starts_with("stopped after ") && ran.err.ends_with(" of 10000000 rates; nothing was written\n"),
        "{ran:?}"
    );
    ran.is_clean();
    assert_eq!(place.path("").read_dir().unwrap().count(), 0);
}
