//! `taper gradcheck`, as printed. What it checks is tested where the operations are.

mod common;

use common::Place;

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
