//! `train`, `find-lr`, `tune`, `eval`, `runs`, `download`, `gradcheck`, `conformance`, `op-samples`, `bench`: builds the
//! program that has the command, and runs it in place of this process. The program is `taper`; `taper-tests` for
//! `conformance` and `op-samples`, and for `gradcheck` on the reference backend `toy`; or `taper-bench`.

use crate::cargo::{cannot_start, cargo, code, root};
use crate::device::{features, holds_toy, named};
use std::ffi::OsString;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The cargo profile of all programs but the benchmarks: it compiles faster than `release`.
const FIRST: &str = "first";

/// Builds the program with the features that its devices need, and runs it with the arguments `command` and `rest`.
pub fn run(command: &str, rest: &[OsString]) -> Result<u8> {
    let mut devices = named(command, rest);
    if command == "conformance" && devices.is_empty() {
        devices.push("all".into());
    }
    let (package, program) = program(command, &devices);
    let profile = profile(command);
    let root = root()?;
    let mut build = cargo();
    build.args(["build", "--profile", profile, "--package", package, "--bin", program, "--manifest-path"]);
    build.arg(root.join("Cargo.toml"));
    build.arg("--no-default-features");
    let mut features = features(&devices)?;
    if package == "taper-cli" {
        features.extend(needs(command, rest));
    }
    if !features.is_empty() {
        build.args(["--features", &features.join(",")]);
    }
    let status = build.status().map_err(|error| cannot_start(&build, &error))?;
    if !status.success() {
        return Ok(code(status));
    }
    let mut taper = Command::new(program_file(&std::env::current_exe()?, profile, program));
    taper.arg(command).args(rest);
    if std::env::var_os("TAPER_DOWNLOADS").is_none() {
        taper.env("TAPER_DOWNLOADS", root.join("datasets/downloads"));
    }
    if command == "bench" {
        taper.env("TAPER_PEERS", root.join("xtask/peers"));
    }
    if let Some(commit) = commit(&root) {
        taper.env("TAPER_COMMIT", commit);
    }
    become_it(taper)
}

/// The package and the program that have `command` and `devices`.
fn program(command: &str, devices: &[String]) -> (&'static str, &'static str) {
    if command == "bench" {
        return ("taper-bench", "taper-bench");
    }
    let tests = matches!(command, "conformance" | "op-samples") || (command == "gradcheck" && holds_toy(devices));
    if tests { ("taper-tests", "taper-tests") } else { ("taper-cli", "taper") }
}

/// The cargo profile that `command`'s program is built with: `release` for benchmarks, as shipped.
fn profile(command: &str) -> &'static str {
    if command == "bench" { "release" } else { FIRST }
}

/// The path of the built `program`: `here`, this program, is in a profile's folder of the target folder, and `program`
/// is in that of `profile` beside it.
fn program_file(here: &Path, profile: &str, program: &str) -> PathBuf {
    let target = here.parent().and_then(Path::parent).unwrap_or(here);
    target.join(profile).join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

/// The features that the command needs besides those of its devices. Features that it does not need are left out, since
/// each adds much to the time of the first build.
fn needs(command: &str, rest: &[OsString]) -> impl Iterator<Item = &'static str> {
    let network = may_use_network(command, rest).then_some("download");
    network.into_iter().chain((command == "gradcheck").then_some("gradcheck"))
}

/// Whether this command may download data. If not, HTTP and TLS are not compiled.
fn may_use_network(command: &str, rest: &[OsString]) -> bool {
    let is = |arg: &OsString, flags: &[&str]| {
        let arg = arg.to_string_lossy();
        flags.contains(&arg.split('=').next().unwrap_or_default())
    };
    let stays_local = rest.iter().any(|arg| is(arg, &["--offline", "--data-dir", "--help", "-h"]));
    // The digits data are embedded in the program; `--set` or `--config` may name other data.
    let embedded =
        rest.first().is_some_and(|name| name == "digits") && !rest.iter().any(|arg| is(arg, &["--set", "--config"]));
    match command {
        "download" => true,
        "gradcheck" | "runs" => false,
        _ => !(stays_local || embedded),
    }
}

/// The commit of the clone, with a note if tracked files differ from it; `None` without git.
fn commit(root: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{commit} with changes") } else { commit })
}

/// Replaces this process by `command`, so that signals reach the program and its exit code reaches the caller directly.
/// Elsewhere than on Unix it waits for the program.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<u8> {
    use std::os::unix::process::CommandExt;
    let error: Error = command.exec();
    Err(cannot_start(&command, &error))
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<u8> {
    command.status().map(code).map_err(|error: Error| cannot_start(&command, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_its_program() {
        let of = |command, list: &[&str]| program(command, &list.iter().map(ToString::to_string).collect::<Vec<_>>()).1;
        assert_eq!([of("gradcheck", &[]), of("gradcheck", &["cpu", "candle"]), of("train", &["all"])], ["taper"; 3]);
        let tests = [of("gradcheck", &["all"]), of("gradcheck", &["cpu", "toy"]), of("conformance", &["cpu"])];
        assert_eq!(tests, ["taper-tests"; 3]);
        assert_eq!(of("op-samples", &[]), "taper-tests");
        assert_eq!(of("bench", &[]), "taper-bench");
    }

    #[test]
    fn what_is_measured_is_what_is_shipped_and_all_else_is_there_soon() {
        assert_eq!(["bench", "train", "conformance"].map(profile), ["release", "first", "first"]);
        let name = |program: &str| format!("{program}{}", std::env::consts::EXE_SUFFIX);
        let here = Path::new("/t").join("first").join(name("xtask"));
        assert_eq!(program_file(&here, "first", "taper"), Path::new("/t/first").join(name("taper")));
        assert_eq!(program_file(&here, "release", "taper-bench"), Path::new("/t/release").join(name("taper-bench")));
    }

    /// MNIST's files in the downloads' folder are compressed, and are read from there with `--offline` too.
    #[test]
    fn a_build_without_the_network_reads_compressed_files() {
        let mut tree = cargo();
        tree.args(["tree", "--locked", "--offline", "--package", "taper-cli", "--no-default-features"]);
        tree.args(["--edges", "normal", "--prefix", "none", "--format", "{p} {f}"]).current_dir(root().unwrap());
        let output = tree.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let data = text.lines().find(|line| line.starts_with("taper-data ")).unwrap_or_default();
        assert!(data.contains("gzip") && !data.contains("download"), "{text}");
        assert!(!text.contains("ureq") && !text.contains("rustls"), "{text}");
    }

    #[test]
    fn a_command_is_built_with_what_it_needs_and_no_more() {
        let of = |command| needs(command, &[]).collect::<Vec<_>>();
        assert_eq!([of("train"), of("gradcheck")], [["download"], ["gradcheck"]]);
        assert_eq!(of("runs"), [""; 0]);
    }

    #[test]
    fn the_network_is_built_in_unless_it_cannot_be_asked() {
        let may = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            may_use_network(line.split(' ').next().unwrap_or_default(), &words[1..])
        };
        let network = [
            "train cifar",
            "train cifar --run-dir digits",
            "train digits --set data.name=cifar10",
            "eval runs/a",
            "download cifar",
        ];
        assert!(network.into_iter().all(may));
        let local = [
            "train cifar --data-dir x",
            "train cifar --data-dir=x",
            "eval a --offline",
            "runs --compare a b",
            "train digits --epochs 2",
            "gradcheck --op add",
            "train cifar --help",
        ];
        assert!(!local.into_iter().any(may));
    }
}
