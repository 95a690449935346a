//! The examples, run: what they write is what they say.

#[path = "common/events.rs"]
mod events;
#[allow(dead_code)] // its `main`
#[path = "../examples/linear.rs"]
mod linear;
#[path = "common/markup.rs"]
mod markup;
#[allow(dead_code)] // its `main`
#[path = "../examples/page.rs"]
mod page;

use markup::{check, count};
use std::fs;
use taper_report::tensorboard::FILE_NAME;

/// A loop without anything of Taper's writes events, a page and a chart.
#[test]
fn a_loop_that_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let loss = linear::run(folder.path()).unwrap();
    // The noise has the variance 0.04 / 12.
    assert!((0.0025..0.0045).contains(&loss), "{loss}");
    let found = events::tags(&fs::read(folder.path().join("events").join(FILE_NAME)).unwrap());
    let tag = |name: &str, count: usize| [(name.to_string(), count)].into_iter().collect();
    assert_eq!((&found["scalars"], &found["histograms"]), (&tag("loss/train", 30), &tag("errors", 30)));
    assert_eq!(found["images"], tag("signs", 1));

    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    let names = check(&html);
    // Facts and chart agree.
    let text = format!("{loss:.4}");
    assert!(html.contains(&format!("<dt>Mean squared error</dt><dd>{text}</dd>")), "{html}");
    assert!(html.contains(&format!(">training {text}</text>")), "{html}");
    assert_eq!((count(&names, "h2"), count(&names, "svg")), (5, 2));
    assert_eq!(count(&check(&fs::read_to_string(folder.path().join("loss.svg")).unwrap()), "svg"), 1);
}

#[test]
fn a_page_like_that_of_a_run() {
    for classes in [10, 60] {
        let html = page::page(classes).unwrap().html();
        let names = check(&html);
        // Eight sections and the warnings.
        assert_eq!((count(&names, "h2"), count(&names, "svg")), (9, 6));
        assert_eq!(html.matches("class=\"heat\"").count(), usize::from(classes == 10));
    }
    check(&page::finder().file());
}
