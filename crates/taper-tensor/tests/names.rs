//! `docs/tensor.md`, PyTorch's names beside ours, and the sources name the same functions.

use std::collections::BTreeSet;
use std::path::Path;

/// The public methods of `Tensor`, and the public functions beside them, that the sources in `folder` declare.
fn declared(folder: &Path, methods: &mut BTreeSet<String>, functions: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            declared(&path, methods, functions);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            let mut of_tensor = false;
            for line in text.lines() {
                match line {
                    "impl Tensor {" => of_tensor = true,
                    "}" => of_tensor = false,
                    _ => {}
                }
                if let (true, Some(rest)) = (of_tensor, line.strip_prefix("    pub fn ")) {
                    methods.insert(name(rest));
                } else if let Some(rest) = line.strip_prefix("pub fn ") {
                    functions.insert(name(rest));
                }
            }
        }
    }
}

/// The identifier that `text` begins with.
fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The names in the second columns of the page's tables.
fn listed(page: &str) -> Vec<String> {
    let mut all = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| PyTorch |")) {
        let columns: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(columns.len(), 3, "a row is PyTorch's names, ours, and what to know: {row}");
        let names: Vec<&str> = columns[1].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty() && names.iter().all(|&text| name(text) == *text), "our names in backticks: {row}");
        all.extend(names.into_iter().map(String::from));
    }
    all
}

#[test]
fn the_page_and_the_sources_name_the_same_functions() {
    let page = std::fs::read_to_string("../../docs/tensor.md").expect("the page");
    let (mut methods, mut functions) = (BTreeSet::new(), BTreeSet::new());
    declared(Path::new("src"), &mut methods, &mut functions);
    let listed = listed(&page);
    let unique: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(unique.len(), listed.len(), "a name is in two rows");
    // A page or a parser that found nothing would agree with anything.
    assert!(methods.len() > 100 && unique.len() > 100, "{} methods, {} names", methods.len(), unique.len());
    let unknown: Vec<_> =
        unique.iter().filter(|name| !methods.contains(**name) && !functions.contains(**name)).collect();
    assert!(unknown.is_empty(), "docs/tensor.md names what is no public function: {unknown:?}");
    let missing: Vec<_> = methods.iter().filter(|name| !unique.contains(name)).collect();
    assert!(missing.is_empty(), "public methods of Tensor without a row in docs/tensor.md: {missing:?}");
}
