//! Every operation's gradients, first and second, beside central differences; and that no operation escapes.

mod common;

use common::{device, text};
use std::collections::BTreeSet;
use taper_tensor::gradcheck::{Case, Subject, check, check_second, operations, run};
use taper_tensor::{DType, RandomKey};

fn check_all(second: bool) {
    let device = device();
    let mut failures = Vec::new();
    for op in operations() {
        let report = run(&op, &device, second);
        failures.extend(report.failures.iter().map(|failure| format!("{op}: {failure}")));
        failures.extend(report.refusals.iter().map(|refusal| format!("{op} refuses: {refusal}")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn gradients_agree_with_differences() {
    check_all(false);
}

#[test]
fn gradients_of_gradients_agree_with_differences() {
    check_all(true);
}

/// A draw that dropped nothing would leave half of the rule unchecked.
#[test]
fn cases_of_dropout_drop_some_elements_and_keep_others() {
    let all = operations();
    let dropout = all.iter().find(|op| op.name() == "dropout").expect("dropout");
    let drawn = dropout.cases().iter().filter(|case| ["half", "a tenth, odd size"].contains(&case.name()));
    let kept = drawn.map(|case| {
        let (_, y) = case.evaluate(RandomKey::new(0), &device()).expect("dropout");
        let y = y.to_vec::<f64>().expect("f64");
        (y.iter().filter(|y| **y != 0.0).count(), y.len())
    });
    let kept = kept.collect::<Vec<_>>();
    assert!(kept.len() == 2 && kept.iter().all(|(kept, of)| (1..*of).contains(kept)), "{kept:?}");
}

#[test]
fn every_operation_file_is_registered_and_has_a_case() {
    let files: BTreeSet<String> = std::fs::read_dir("src/ops")
        .expect("the folder of operations")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| !["mod", "shorthand"].contains(&name.as_str()))
        .collect();
    let registered: Vec<&str> = operations().iter().map(Subject::name).collect();
    assert!(registered.is_sorted(), "operations are listed in alphabetical order: {registered:?}");
    let registered: BTreeSet<String> = registered.into_iter().map(String::from).collect();
    assert_eq!(files, registered, "files in src/ops, and the operations that ops/mod.rs lists");
    for op in operations() {
        assert!(!op.cases().is_empty(), "{op} has no case");
    }
}

#[test]
fn subjects_are_chosen_by_name() {
    let all = || {
        let conv2d = || Subject::new("layer", "conv2d", Vec::new());
        operations().into_iter().chain([conv2d()]).collect::<Vec<_>>()
    };
    let chosen = |name: &str| {
        let found = Subject::choose(all(), name).expect("a known name");
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(chosen("matmul"), ["matmul"]);
    assert_eq!(chosen("conv2d"), ["conv2d", "layer conv2d"]);
    assert_eq!(chosen("layer conv2d"), ["layer conv2d"]);
    let unknown = Subject::choose(all(), "matmull");
    assert_eq!(text(unknown), "gradcheck: there is no operation called \"matmull\"");
}

// What follows breaks rules on purpose: a check that cannot fail proves nothing.

const KEY: u64 = 1;

#[test]
fn a_missing_term_is_caught() {
    let broken = Case::new("half of x²", |x| x[0].detach().mul(&x[0])).input([3]);
    let error = check(&broken, &device(), RandomKey::new(KEY)).expect("it runs");
    assert!((error - 0.5).abs() < 1e-6, "half of the gradient is missing, the error is {error}");
    let right = Case::new("x²", |x| x[0].mul(&x[0])).input([3]);
    assert!(check(&right, &device(), RandomKey::new(KEY)).expect("it runs") < 1e-9);
}

#[test]
fn an_input_cut_off_is_caught() {
    let broken = Case::new("a·b, cut off from a", |x| x[0].detach().mul(&x[1])).input([3]).input([3]);
    let error = check(&broken, &device(), RandomKey::new(KEY)).expect("it runs");
    assert_eq!(error, 1.0, "input 0 has a gradient by differences, and none by the tape");
}

#[test]
fn nan_fails() {
    let broken = Case::new("ln of negative numbers", |x| x[0].log()).input_in([3], -2.0, -1.0);
    assert!(check(&broken, &device(), RandomKey::new(KEY)).expect("it runs").is_nan());
    // One NaN among good gradients is enough, whichever input it is in.
    let broken = Case::new("one", |x| x[0].log()?.mul(&x[1])).values([2], vec![1.5, -1.0]).input([2]);
    assert!(check(&broken, &device(), RandomKey::new(KEY)).expect("it runs").is_nan());
    assert!(check_second(&broken, &device(), RandomKey::new(KEY)).expect("it runs").is_nan());
    // NaN in the first of two inputs, a good gradient in the second: a maximum would forget it.
    let broken = Case::new("first", |x| x[0].sqrt()?.mul(&x[1])).values([1], vec![-1.0]).input([1]);
    assert!(check_second(&broken, &device(), RandomKey::new(KEY)).expect("it runs").is_nan());
}

#[test]
fn a_zero_gradient_must_be_declared_and_a_declared_one_zero() {
    let silent = Case::new("floor", |x| x[0].floor()).values([2], vec![0.5, 1.5]);
    let found = text(check(&silent, &device(), RandomKey::new(KEY)));
    assert!(found.contains("gradient of input 0 is zero everywhere, which the case does not declare"), "{found}");
    let wrong = Case::new("not zero", |x| x[0].mul_scalar(2.0)).input([2]).zero_gradient(0);
    let found = text(check(&wrong, &device(), RandomKey::new(KEY)));
    assert!(found.contains("gradient of input 0 is declared zero and is not"), "{found}");
    let silent = Case::new("nothing left to differentiate", |x| x[0].floor()).values([2], vec![0.5, 1.5]);
    let found = text(check_second(&silent, &device(), RandomKey::new(KEY)));
    assert!(found.contains("zero with respect to everything"), "{found}");
}

#[test]
fn a_wrong_subgradient_is_caught() {
    let relu =
        |slope| Case::new("relu at 0", |x| x[0].relu()).values([2], vec![0.0, 1.0]).subgradient(0, vec![slope, 1.0]);
    assert_eq!(check(&relu(0.0), &device(), RandomKey::new(KEY)).expect("it runs"), 0.0);
    assert!(check(&relu(0.5), &device(), RandomKey::new(KEY)).expect("it runs") > 0.1);
    let short = Case::new("one slope for two", |x| x[0].relu()).values([2], vec![0.0, 1.0]).subgradient(0, vec![1.0]);
    assert!(text(check(&short, &device(), RandomKey::new(KEY))).contains("no gradient of 1 elements"));
}

#[test]
fn a_cast_through_f32_is_seen_as_rounding() {
    // Differences of a step function are far off: this is why such a case declares its gradient.
    let rounded = Case::new("f32", |x| x[0].cast(DType::F32)?.cast(DType::F64)).input([3]);
    assert!(check(&rounded, &device(), RandomKey::new(KEY)).expect("it runs") > 1e-6);
}
