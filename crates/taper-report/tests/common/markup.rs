//! Whether HTML and SVG are well formed.

use std::collections::HashSet;

/// Elements that have no end in HTML.
const VOID: [&str; 3] = ["meta", "img", "br"];

/// Panics unless every element is ended in its order, attributes are quoted, text has no bare `&`, ids are unique, and
/// addresses lead to an id of the page or hold their data. Returns the names of the elements.
pub fn check(text: &str) -> Vec<String> {
    let (mut open, mut names, mut ids, mut links) = (Vec::new(), Vec::new(), HashSet::new(), Vec::new());
    let mut rest = text.strip_prefix("<!DOCTYPE html>\n").unwrap_or(text);
    while let Some(start) = rest.find('<') {
        let style = open.last() == Some(&"style");
        assert!(style || entities(&rest[..start]), "bare &: {}", &rest[..start]);
        let end = start + rest[start..].find('>').unwrap_or_else(|| panic!("no end: {}", &rest[start..]));
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {}", rest.chars().take(80).collect::<String>());
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
        if !empty && !VOID.contains(&name) {
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

/// How many of `names` are `name`.
pub fn count(names: &[String], name: &str) -> usize {
    names.iter().filter(|found| *found == name).count()
}
