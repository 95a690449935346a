//! The gradients of every layer, loss and mix, first and second, beside central differences; and that none escapes.

mod common;

use common::device;
use std::collections::BTreeSet;
use taper_nn::RandomKey;
use taper_nn::gradcheck::subjects;
use taper_nn::taper_tensor::gradcheck::{Subject, Table};

fn check_all(second: bool) {
    let (all, mut lines) = (subjects(), String::new());
    let table = Table::check(&all, &[device()], second, |line| lines += &format!("{line}\n"));
    assert!(table.passed(), "{lines}");
    assert!(table.reports().all(|(_, report)| report.cases > 0 && report.refusals.is_empty()), "{lines}");
    assert_eq!(table.reports().count(), all.len());
}

#[test]
fn gradients_agree_with_differences() {
    check_all(false);
}

#[test]
fn gradients_of_gradients_agree_with_differences() {
    check_all(true);
}

/// A draw that drops or mixes nothing, or everything, would leave half of a rule unchecked.
#[test]
fn cases_that_draw_change_some_elements() {
    let (all, mut wrong) = (subjects(), Vec::new());
    for (subject, name) in [
        ("layer dropout", "half"),
        ("layer dropout", "a tenth"),
        ("layer stochastic_depth", "half"),
        ("layer stochastic_depth", "a tenth"),
        ("mix cutmix", "pictures"),
        ("mix mixup", "rows"),
        ("mix mixup", "pictures"),
    ] {
        let found = all.iter().find(|found| found.to_string() == subject).unwrap();
        let case = found.cases().iter().find(|case| case.name() == name).unwrap();
        let (inputs, y) = case.evaluate(RandomKey::new(0), &device()).unwrap();
        let [x, y] = [&inputs[0], &y].map(|tensor| tensor.to_vec::<f64>().unwrap());
        let count = |changed: &dyn Fn(f64, f64) -> bool| x.iter().zip(&y).filter(|(x, y)| changed(**x, **y)).count();
        let enough = match subject {
            "mix cutmix" => (1..x.len()).contains(&count(&|x, y| x != y)),
            // Of two examples: near none of the inputs.
            "mix mixup" => count(&|_, y| x.iter().all(|x| (x - y).abs() > 1e-6)) > x.len() / 2,
            _ => (1..x.len()).contains(&count(&|_, y| y == 0.0)),
        };
        if !enough {
            wrong.push((subject, name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_file_is_registered() {
    // What is in a folder without being one of its kind.
    for (kind, folder, others) in
        [("layer", "layers", &["mod", "pair"][..]), ("loss", "losses", &["mod"]), ("mix", "mix", &["mod", "beta"])]
    {
        let path = format!("src/{folder}");
        let files: BTreeSet<String> = std::fs::read_dir(path)
            .unwrap()
            .filter_map(|entry| Some(entry.unwrap().path().file_stem()?.to_str()?.to_owned()))
            .filter(|name| !others.contains(&name.as_str()))
            .collect();
        let all = subjects();
        let names: Vec<&str> = all.iter().filter(|subject| subject.kind() == kind).map(Subject::name).collect();
        assert!(names.is_sorted(), "in alphabetical order: {names:?}");
        let names: BTreeSet<String> = names.into_iter().map(String::from).collect();
        assert_eq!(files, names, "files in src/{folder}, and what its mod.rs lists");
    }
}
