//! A task that does not classify, on the command line: the digits through a code of a few numbers and back.

mod common;

use common::Place;

fn loss(line: &str) -> f64 {
    line.strip_prefix("Test Loss = ").unwrap_or_else(|| panic!("{line}")).parse().unwrap()
}

#[test]
fn digits_are_reconstructed_and_shown_beside_what_they_were() {
    let place = Place::new();
    let ran = place.ok("train autoencoder --quiet --epochs 12 --run-dir run");
    // The mean of the test digits in place of each of them would give 0.073.
    assert!(loss(ran.last_line()) < 0.04, "{ran:?}");
    let eval = place.ok("eval run");
    assert!(eval.out.contains("360 samples, test loss ") && eval.out.contains(", test psnr "), "{eval:?}");
    assert_eq!(eval.last_line(), ran.last_line());
    let report = place.read("run/report.html");
    let shown = report.split("id=\"reconstructions\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!(shown.matches("\">squared error ").count(), 24, "{shown}");
    assert!(shown.contains("of 360 test samples"), "{shown}");
    // A code of one number holds less.
    let one = place.ok("train autoencoder --quiet --epochs 12 --set model.code=1 --run-dir one");
    assert!(loss(one.last_line()) > 1.5 * loss(ran.last_line()), "{one:?}");
    place.fails("train autoencoder --model mlp", 2, &["unknown model `mlp`; known: autoencoder"]);
    assert!(!place.path("runs").exists());
}
