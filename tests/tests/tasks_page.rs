//! `docs/tasks.md` quotes files that are compiled, word for word.

use std::fs;
use std::path::{Path, PathBuf};

/// A line that stands for any number of lines of the file.
const LEFT_OUT: &str = "// …";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The addresses of the links in a line of Markdown.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(address, _)| address)
}

/// The lines without the indentation that all have, and without empty ones.
fn dedented<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    let indent = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    lines.into_iter().map(|line| line[indent..].trim_end()).collect()
}

/// What of `quote` is not in `text`, where it should be: after what was quoted before.
fn missing(quote: &[&str], text: &str) -> Option<String> {
    let text = dedented(text.lines());
    let mut from = 0;
    for part in quote.split(|line| line.trim() == LEFT_OUT).filter(|part| !part.is_empty()) {
        let part = dedented(part.iter().copied());
        let here = |window: &[&str]| dedented(window.iter().copied()) == part;
        match text[from..].windows(part.len()).position(here) {
            Some(place) => from += place + part.len(),
            None => return Some(part.join("\n")),
        }
    }
    None
}

#[test]
fn every_quotation_is_in_its_file() {
    let page = fs::read_to_string(docs().join("tasks.md")).unwrap();
    let (mut source, mut quotes, mut quote): (Option<&str>, usize, Option<Vec<&str>>) = (None, 0, None);
    for line in page.lines() {
        match &mut quote {
            None if line == "```rust" => quote = Some(Vec::new()),
            None => source = links(line).filter(|address| address.ends_with(".rs")).last().or(source),
            Some(lines) if line == "```" => {
                let file = source.expect("a link to the file stands before a quotation");
                let text = fs::read_to_string(docs().join(file)).unwrap();
                if let Some(part) = missing(lines, &text) {
                    panic!("docs/tasks.md quotes {file}, which does not hold, or not in this order:\n{part}");
                }
                (quotes, quote) = (quotes + 1, None);
            }
            Some(lines) => lines.push(line),
        }
    }
    assert!(quotes > 5 && quote.is_none(), "{quotes} quotations");
}

#[test]
fn every_link_leads_somewhere() {
    let page = fs::read_to_string(docs().join("tasks.md")).unwrap();
    for address in page.lines().flat_map(links) {
        assert!(docs().join(address).exists(), "{address}");
    }
}

#[test]
fn a_quotation_that_is_not_there_is_found() {
    let text = "fn f() {\n    a();\n\n    b();\n    c();\n}\n";
    assert_eq!(missing(&["a();", "b();"], text), None);
    assert_eq!(missing(&["    a();", "    // …", "    c();", "}"], text), None);
    assert_eq!(missing(&["a();", "c();"], text), Some("a();\nc();".into()));
    assert_eq!(missing(&["c();", "// …", "a();"], text), Some("a();".into()));
}

/// What `table!` writes names `taper_config`, which this crate does not depend on.
#[test]
fn a_table_is_declared_with_the_facade_alone() {
    use taper::config as taper_config;
    taper_config::table! {
        /// `[model]` of something small.
        struct SmallConfig {
            /// Its size.
            size: usize = 3, at_least(1);
        }
    }
    let wrong = taper_config::Named::new("small").with("size", 0).parse::<SmallConfig>("model").unwrap_err();
    assert_eq!(wrong.to_string(), "model.size: expected an integer, 1 or more, found 0");
}
