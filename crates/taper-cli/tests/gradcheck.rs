//! `taper gradcheck`, as printed. What it checks is tested where the operations are.

mod common;

use common::{Place, Ran};

#[test]
fn a_row_an_operation_and_a_last_line() {
    let place = Place::new();
    let out = place.ok("gradcheck --op matmul").out;
    let rows: Vec<&str> = out.lines().collect();
    assert_eq!(rows.len(), 3, "{out}");
    assert_eq!(rows[0].trim(), "cpu", "{out}");
    let words: Vec<&str> = rows[1].split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("matmul", "cases"), "{out}");
    assert!(words[1].parse::<u32>().unwrap() > 0 && words[3].parse::<f64>().unwrap() < 1e-6, "{out}");
    assert!(rows[1].starts_with("matmul  ") && rows[1].contains(" cases  "), "{out}");
    assert!(rows[2].starts_with("1 operation on cpu, ") && rows[2].ends_with("limit 1e-6, all passed"), "{out}");
}

#[test]
fn second_gradients_are_checked_too() {
    let place = Place::new();
    let out = place.ok("gradcheck --op matmul --second").out;
    assert!(out.lines().last().unwrap().contains("cases of gradients of gradients: worst error "), "{out}");
}

#[test]
fn layers_and_losses_are_chosen_as_operations_are() {
    let place = Place::new();
    let starts = |out: &str| -> Vec<String> {
        let rows = out.lines().skip(1).filter_map(|line| line.split("  ").next());
        rows.map(str::to_owned).collect()
    };
    let both = place.ok("gradcheck --op linear").out;
    assert_eq!(starts(&both)[..2], ["linear", "layer linear"], "{both}");
    assert!(both.contains("1 operation, 1 layer on cpu, "), "{both}");
    // A name with a space in it is one argument.
    let run = |name: &str| Ran::from(place.command("gradcheck --op").arg(name).output().unwrap());
    let loss = run("loss cross_entropy");
    assert!(loss.code == 0 && loss.out.contains("1 loss on cpu, "), "{loss:?}");
    let unknown = run("loss mze");
    assert!(unknown.code == 2 && unknown.err.contains("did you mean loss mse"), "{unknown:?}");
}

/// `all` is what this build and this machine have.
#[test]
fn a_column_a_device() {
    let place = Place::new();
    let out = place.ok("gradcheck --op matmul --device all").out;
    let devices: Vec<&str> = out.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(devices.first(), Some(&"cpu"), "{out}");
    assert!(out.contains(&format!("1 operation on {}, ", devices.join(", "))), "{out}");
    assert_eq!(place.ok("gradcheck --op matmul --device cpu,cpu").out, place.ok("gradcheck --op matmul").out);
}
