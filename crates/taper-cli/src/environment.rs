//! What the environment says: how the program was started, from which commit it was built, where data are.

use std::path::PathBuf;
use taper::data::LocateOptions;
use taper::train::shell_quoted;

/// The environment variable that names the downloads' folder.
pub const DOWNLOADS_VARIABLE: &str = "TAPER_DOWNLOADS";

/// The environment variable in which `cargo xtask` passes the commit that the program was built from.
const COMMIT_VARIABLE: &str = "TAPER_COMMIT";

/// The environment variable that `cargo xtask` sets: whoever started the program so has no `taper` to type.
const XTASK_VARIABLE: &str = "TAPER_XTASK";

/// The program as it was started: `cargo xtask` or `taper`.
pub fn program() -> &'static str {
    if set(XTASK_VARIABLE).is_some() { "cargo xtask" } else { "taper" }
}

/// The command `words` as it can be typed, for messages: `cargo xtask train digits` or `taper train digits`.
pub fn command(words: &str) -> String {
    format!("{} {words}", program())
}

/// The command line that this process was started with, as it can be typed again.
pub fn typed() -> String {
    let words = std::env::args_os().skip(1);
    command(&words.map(|word| shell_quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" "))
}

/// The commit that the program was built from, if `cargo xtask` passed it.
pub fn commit() -> Option<String> {
    std::env::var(COMMIT_VARIABLE).ok().filter(|commit| !commit.is_empty())
}

/// The downloads' folder: `$TAPER_DOWNLOADS`, else `taper/datasets` in the user's cache folder.
pub fn downloads() -> PathBuf {
    set(DOWNLOADS_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("taper/datasets")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/taper/datasets")))
        .or_else(|| set("LOCALAPPDATA").map(|local| local.join("taper/datasets")))
        .unwrap_or_else(|| "datasets/downloads".into())
}

/// Where to look for data: in `data_dir` alone if it is given, else as the environment says; without the network if
/// `offline`.
pub fn locate(data_dir: &Option<PathBuf>, offline: bool) -> LocateOptions {
    LocateOptions { data_dir: data_dir.clone(), offline, ..LocateOptions::from_environment(downloads()) }
}

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
