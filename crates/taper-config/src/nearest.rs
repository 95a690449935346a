//! Suggestions for a misspelt name.

use crate::escape::printable;

/// The names in `known` that are most similar to `name`, best first: at most three, and only those that a typing error
/// explains.
///
/// ```
/// assert_eq!(taper_config::nearest("sed-cnn", ["mlp", "seed-cnn"]), ["seed-cnn"]);
/// assert!(taper_config::nearest("transformer", ["mlp", "seed-cnn"]).is_empty());
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    // `lr` should find `optimizer.lr`. A table's name is shared by all its keys, and does not tell which was meant.
    let last = |name: &'_ str| name.rfind('.').map_or(0, |dot| dot + 1);
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (likeness(&name[last(name)..], &candidate[last(candidate)..]), candidate))
        .filter(|(score, _)| *score > 0.0)
        .collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    // The same name in some table: leave out names that are only similar.
    if scored.first().is_some_and(|(score, _)| *score == 1.0) {
        scored.retain(|(score, _)| *score == 1.0);
    }
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// The similarity of two names, from 0 to 1; 0 if no typing error explains it. The Jaro–Winkler similarity finds shared
/// beginnings; an edit distance of one (swapped neighbours count as one) finds errors in short names.
fn likeness(a: &str, b: &str) -> f64 {
    let similar = strsim::jaro_winkler(a, b);
    if similar > 0.75 || strsim::osa_distance(a, b) <= 1 { similar.max(0.01) } else { 0.0 }
}

/// `unknown KIND NAME`, with the nearest known names, or with all of them if none is near.
pub fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let near = nearest(name, known.iter().copied());
    let name = printable(name);
    if near.is_empty() {
        format!("unknown {kind} `{name}`; known: {}", known.join(", "))
    } else {
        format!("unknown {kind} `{name}`; did you mean {}? (known: {})", near.join(" or "), known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let known = ["train.epochs", "optimizer.lr", "train.batch_size"];
        assert_eq!(nearest("train.epoch", known)[0], "train.epochs");
        assert_eq!(nearest("lr", known), ["optimizer.lr"]);
        assert_eq!(nearest("batchsize", known), ["train.batch_size"]);
        assert!(nearest("xyz", known).is_empty());
    }

    #[test]
    fn an_unknown_name_is_told_with_its_neighbours_or_with_all() {
        assert_eq!(
            unknown("model", "mpl", &["mlp", "vit"]),
            "unknown model `mpl`; did you mean mlp? (known: mlp, vit)"
        );
        assert_eq!(unknown("model", "zzz", &["mlp", "vit"]), "unknown model `zzz`; known: mlp, vit");
    }
}
