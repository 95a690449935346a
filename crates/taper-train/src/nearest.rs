//! The known names nearest to an unknown one.

/// The names of `known` most like `name`, best first: at most three, and only such as a slip could have made.
///
/// ```
/// assert_eq!(taper_train::nearest("sed-cnn", ["mlp", "seed-cnn"]), ["seed-cnn"]);
/// assert!(taper_train::nearest("transformer", ["mlp", "seed-cnn"]).is_empty());
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| {
            // `lr` should find `optimizer.lr`.
            let last = candidate.rsplit('.').next().unwrap_or(candidate);
            (strsim::jaro_winkler(name, candidate).max(strsim::jaro_winkler(name, last)), candidate)
        })
        .filter(|(score, _)| *score > 0.75)
        .collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// `unknown KIND NAME`, with the nearest known names, or with all of them when none is near.
pub(crate) fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let near = nearest(name, known.iter().copied());
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
