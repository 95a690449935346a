//! The page and its charts: what is in them, that it is well formed, and that it needs nothing from elsewhere.

use std::collections::HashSet;
use taper_report::html::{Confusion, Filters, Layer, Mistake, Page, Picture};
use taper_report::plot::{Axis, Chart, Mark, Series};

/// Elements that have no end in HTML.
const VOID: [&str; 3] = ["meta", "img", "br"];
const UNKIND: &str = "<script>alert(\"1\")</script> & 'co'";
const KIND: &str = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;co&#39;";

/// Panics unless every element is ended in its order, attributes are quoted, text has no bare `&`, ids are unique, and
/// addresses lead to an id of the page or hold their data. Returns the names of the elements.
fn check(text: &str, void: &[&str]) -> Vec<String> {
    let (mut open, mut names, mut ids, mut links) = (Vec::new(), Vec::new(), HashSet::new(), Vec::new());
    let mut rest = text.strip_prefix("<!DOCTYPE html>\n").unwrap_or(text);
    while let Some(start) = rest.find('<') {
        let style = open.last() == Some(&"style");
        assert!(style || entities(&rest[..start]), "bare &: {}", &rest[..start]);
        let end = start + rest[start..].find('>').unwrap_or_else(|| panic!("no end: {}", &rest[start..]));
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {}", &rest[..rest.len().min(80)]);
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        while !attributes.is_empty() {
            let (attribute, after) = attributes.split_once("=\"").unwrap_or_else(|| panic!("unquoted: {tag}"));
            let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("unquoted: {tag}"));
            assert!(!attribute.contains(' ') && entities(value), "{tag}");
            match attribute {
                "id" => assert!(ids.insert(value), "{value} twice"),
                "href" => links.push(value.strip_prefix('#').unwrap_or_else(|| panic!("{tag}"))),
                "src" => assert!(value.starts_with("data:image/png;base64,"), "{tag}"),
                "xmlns" => assert_eq!(value, "http://www.w3.org/2000/svg"),
                _ => assert!(!attribute.starts_with("on") && !value.contains("//"), "{tag}"),
            }
            attributes = after.strip_prefix(' ').unwrap_or(after);
        }
        names.push(name.to_string());
        if !empty && !void.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty() && entities(rest), "{open:?} not ended");
    assert!(links.iter().all(|link| ids.contains(link)), "{links:?} in {ids:?}");
    assert!(names.iter().all(|name| !["script", "link", "iframe", "object"].contains(&name.as_str())), "{names:?}");
    assert!(!text.contains("url(") && !text.contains("@import"));
    names
}

/// Whether each `&` begins one of the entities that are used here.
fn entities(text: &str) -> bool {
    let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    text.split('&').skip(1).all(|after| known.iter().any(|entity| after.starts_with(entity)))
}

fn count(names: &[String], name: &str) -> usize {
    names.iter().filter(|found| *found == name).count()
}

fn page() -> Page {
    let chart = Chart {
        title: format!("Loss {UNKIND}"),
        x: Axis::linear("epoch"),
        y: Axis::linear("cross entropy"),
        series: vec![
            Series::line("training", vec![(1.0, 2.0), (2.0, 1.0), (3.0, f64::NAN), (4.0, 0.5)]),
            Series::line(UNKIND, vec![(1.0, 2.25), (2.0, 1.25), (4.0, 0.75)]),
        ],
        marks: vec![],
    };
    Page {
        title: format!("run {UNKIND}"),
        facts: vec![("test accuracy".into(), "84.12%".into()), (UNKIND.into(), UNKIND.into())],
        warnings: vec![format!("conv1.bias: vanishing {UNKIND}")],
        curves: vec![chart],
        confusion: Some(Confusion { classes: vec!["cat".into(), UNKIND.into()], counts: vec![30, 10, 5, 55] }),
        mistakes: vec![Mistake {
            picture: Picture { shape: [1, 2, 2], bytes: vec![0, 85, 170, 255] },
            truth: UNKIND.into(),
            predicted: "cat".into(),
            probability: 0.876,
        }],
        filters: Some(Filters { shape: [2, 1, 1, 2], weights: vec![1.0, -2.0, 0.0, f32::NAN] }),
        layers: vec![Layer { name: UNKIND.into(), shape: vec![2, 3], norm: Some(1.5), gradient_norm: None }],
        timing: vec![("steps".into(), 90.0), ("evaluation".into(), 30.0)],
        configuration: format!("model = \"{UNKIND}\"\n"),
    }
}

#[test]
fn the_page_holds_what_it_was_given() {
    let html = page().html();
    let names = check(&html, &VOID);
    for text in ["test accuracy", "84.12%", "conv1.bias: vanishing", "2 × 3", "1 min 30 s", "75.0%", "2 min 00 s"] {
        assert!(html.contains(text), "{text} is missing");
    }
    // Title (twice), facts, warning, chart, classes, truth, layer, configuration.
    assert!(html.matches(KIND).count() > 12 && !html.contains("<script"), "{}", html.matches(KIND).count());
    assert_eq!((count(&names, "svg"), count(&names, "h1"), count(&names, "h2")), (1, 1, 8));
    // Two filters and a mistake, each with an alternative text.
    assert_eq!((count(&names, "img"), html.matches(" alt=\"").count()), (3, 3));
    assert!(html.contains(&format!("alt=\"{KIND} taken for cat\"")) && html.contains("<b>cat</b> 87.6%"));
    assert!(html.contains("prefers-color-scheme:dark") && html.contains("width=device-width"));
}

#[test]
fn scores_are_those_of_the_counts() {
    let html = page().html();
    // cat: 30 of the 40 that are, 30 of the 35 named so; F1 = 60 / 75.
    let cells = ["85.7%", "75.0%", "80.0%", "40"].map(|text| format!("<td class=\"n\">{text}</td>"));
    assert!(html.contains(&format!("<th scope=\"row\">cat</th>{}", cells.join(""))), "{html}");
    assert!(html.contains("<td class=\"h6 right\">30</td><td class=\"h4\">10</td>"), "{html}");
    let never = Page {
        confusion: Some(Confusion { classes: vec!["a".into(), "b".into()], counts: vec![3, 0, 0, 0] }),
        ..Page::default()
    };
    // 0/0 is 0, as in `metrics`.
    let zeros = "<td class=\"n\">0.0%</td>".repeat(3);
    assert!(never.html().contains(&format!("b</th>{zeros}<td class=\"n\">0</td>")));
}

#[test]
fn many_classes_are_a_picture_with_the_pairs_most_confused() {
    let n = 100;
    let classes = (0..n).map(|i| format!("class {i}")).collect();
    let mut counts: Vec<u64> = (0..n * n).map(|k| if k / n == k % n { 90 } else { 0 }).collect();
    counts[35 * n + 98] = 17;
    let html = Page { confusion: Some(Confusion { classes, counts }), ..Page::default() }.html();
    let names = check(&html, &VOID);
    assert!(html.contains("<td>class 35</td><td>class 98</td><td class=\"n\">17</td>"));
    assert_eq!((count(&names, "img"), html.matches("class 99").count()), (1, 1));
    // A pixel each: signature, the header's length and name, 100 × 100.
    assert!(html.contains("base64,iVBORw0KGgoAAAANSUhEUgAAAGQAAABk"));
    let classes = vec!["one of many".to_string(); 500];
    let html = Page { confusion: Some(Confusion { classes, counts: vec![1; 250_000] }), ..Page::default() }.html();
    assert_eq!(count(&check(&html, &VOID), "img"), 0);
}

#[test]
fn what_is_empty_or_does_not_fit_has_no_section() {
    let html = Page { title: "nothing".into(), ..Page::default() }.html();
    assert_eq!(count(&check(&html, &VOID), "section"), 0);
    let odd = Page {
        confusion: Some(Confusion { classes: vec!["a".into()], counts: vec![1, 2] }),
        filters: Some(Filters { shape: [2, 3, 3, 3], weights: vec![0.0; 7] }),
        mistakes: vec![Mistake::default()],
        ..Page::default()
    };
    let html = odd.html();
    assert_eq!(count(&check(&html, &VOID), "section"), 1);
    assert!(html.contains("no picture"));
}

#[test]
fn more_than_can_be_looked_at_is_cut_and_said() {
    let mistake = Mistake { picture: Picture { shape: [3, 1, 1], bytes: vec![1, 2, 3] }, ..Mistake::default() };
    let filters = Filters { shape: [300, 1, 1, 1], weights: vec![0.5; 300] };
    let html = Page { mistakes: vec![mistake; 50], filters: Some(filters), ..Page::default() }.html();
    assert_eq!(count(&check(&html, &VOID), "img"), 48 + 256);
    assert!(html.contains("The first 48 of 50 samples.") && html.contains("The first 256 of 300 filters."));
}

#[test]
fn a_chart_is_a_file_too() {
    let chart = Chart {
        title: "Finder".into(),
        x: Axis::log("learning rate"),
        y: Axis::linear("loss"),
        series: vec![Series::line("loss", vec![(1e-5, 2.5), (1e-3, 1.25), (1e-1, 2.5)])],
        marks: vec![Mark { x: 1e-3, label: "suggested <0.001>".into() }],
    };
    let file = chart.file();
    let names = check(&file, &[]);
    assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 400 "), "{file}");
    assert_eq!((count(&names, "style"), count(&names, "circle")), (1, 3));
    assert!(file.contains("suggested &lt;0.001&gt;</text>") && file.contains("loss: 0.001, 1.25"), "{file}");
    assert!(file.contains("aria-label=\"Finder: loss by learning rate. loss: from 2.5 to 2.5. suggested "), "{file}");
    // The middle of a logarithmic axis, in the middle of the line.
    let line = file.split("class=\"line\" d=\"M").nth(1).unwrap().split('"').next().unwrap();
    let xs: Vec<f64> = line.split('L').map(|point| point.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!((xs[1] - (xs[0] + xs[2]) / 2.0).abs() < 0.1 && xs[2] == 386.0, "{line}");
    let inline = chart.svg();
    assert!(!inline.contains("http") && count(&check(&inline, &[]), "style") == 0);
}

#[test]
fn dots_stand_alone_and_nothing_is_said_to_be_nothing() {
    let trials = vec![(1e-3, 0.8), (1e-2, 0.9), (0.0, 0.5), (1e-1, f64::NAN)];
    let scatter = Chart { x: Axis::log("rate"), series: vec![Series::dots("trial", trials)], ..Chart::default() };
    let names = check(&scatter.svg(), &[]);
    // Two that can be shown, and the legend's.
    assert_eq!(count(&names, "circle"), 3);
    let never = Chart { series: vec![Series::line("loss", vec![(1.0, f64::NAN)])], ..Chart::default() };
    assert!(never.svg().contains("no values"));
    check(&Chart::default().svg(), &[]);
    let control = Chart { title: "a\0b\u{1b}[1m".into(), ..Chart::default() };
    assert!(control.file().contains("a\u{fffd}b\u{fffd}[1m"));
}
