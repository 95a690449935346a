//! The cargo features that a command's devices need, so that a build has these and no others.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names the CUDA toolkit's folder, in which the build of candle's kernels looks for
/// nvcc.
const TOOLKIT_VARIABLE: &str = if cfg!(windows) { "CUDA_PATH" } else { "CUDA_HOME" };
/// The error if there is no card. It is reported before the build, which takes minutes: without the driver's library
/// the program would not even start.
const NO_CARD: &str = "no NVIDIA card was found: there is no /dev/nvidia0, and `nvidia-smi -L` lists none; choose another \
                       device (to build for a card elsewhere: cargo build --release -p taper-cli --features cuda)";
/// The other folders in which the build of candle's kernels looks for the toolkit.
const TOOLKIT_FOLDERS: [&str; 3] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda"];

/// The devices that `command` with the arguments `rest` names; none if it names none. `train`, `find-lr` and `tune`
/// take the first of: `--set device.name=…`, `--device`, the settings of the run in `--resume RUN`, `--config FILE`.
/// `eval RUN` takes `--device`, else the settings in `RUN/config.toml`. Other commands take `--device`.
///
/// Files are read line by line: `name = "…"` below `[device]`, or `device.name = "…"`. An inline table
/// (`device = { … }`), an escape in the name or an abbreviated flag is not seen; then the build lacks the device, and
/// the program says which feature brings it.
pub fn named(command: &str, rest: &[OsString]) -> Vec<String> {
    let words: Vec<&str> = rest.iter().filter_map(|word| word.to_str()).collect();
    let set =
        || values(&words, "--set").iter().rev().find_map(|value| Some(unquoted(value.strip_prefix("device.name=")?)));
    let flag = || values(&words, "--device").last().map(|value| value.to_string());
    // Only plain files are read: a pipe can be read once, by the program itself.
    let text = |path: &Path| path.is_file().then(|| std::fs::read_to_string(path).ok()).flatten();
    let in_file = |path: &Path| text(path).and_then(|text| in_config(&text));
    let of_run = |run: &str| in_file(&Path::new(run).join("config.toml"));
    let found = match command {
        // `--set` overrides the flags.
        "train" | "find-lr" | "tune" => set()
            .or_else(flag)
            .or_else(|| of_run(values(&words, "--resume").last()?))
            .or_else(|| in_file(Path::new(values(&words, "--config").last()?))),
        "eval" => flag().or_else(|| words.iter().find_map(|run| of_run(run))),
        _ => flag(),
    };
    found.iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_string()).collect()
}

/// Whether `devices` include the slow reference backend `toy`, which only the program `taper-tests` has.
pub fn holds_toy(devices: &[String]) -> bool {
    devices.iter().any(|name| name == "toy" || name == "all")
}

/// The cargo features that `devices` need. `all` stands for every device that can be built here.
///
/// # Errors
/// If CUDA is asked for and there is no card, or its toolkit is not found.
pub fn features(devices: &[String]) -> Result<Vec<&'static str>> {
    let mut features = BTreeSet::new();
    for name in devices {
        match name.split(':').next().unwrap_or_default() {
            "candle" => {
                features.insert("candle");
            }
            "cuda" => {
                if !has_card() {
                    return Err(Error::other(NO_CARD));
                }
                toolkit(|name| std::env::var_os(name), Path::is_file)?;
                features.insert("cuda");
            }
            "all" => {
                features.insert("candle");
                if has_card() && toolkit(|name| std::env::var_os(name), Path::is_file).is_ok() {
                    features.insert("cuda");
                }
            }
            _ => {}
        }
    }
    Ok(features.into_iter().collect())
}

/// The values given for `flag`: `--flag value` or `--flag=value`.
fn values<'a>(words: &[&'a str], flag: &str) -> Vec<&'a str> {
    let value = |(i, word): (usize, &&'a str)| {
        let rest = word.strip_prefix(flag)?;
        if rest.is_empty() { words.get(i + 1).copied() } else { rest.strip_prefix('=') }
    };
    words.iter().enumerate().filter_map(value).collect()
}

/// The value of `device.name` in the text of a TOML file, if it is written as [`named`] expects.
fn in_config(text: &str) -> Option<String> {
    let mut table = "";
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            table = name.split(']').next().unwrap_or_default().trim();
        } else if let Some((key, value)) = line.split_once('=')
            && matches!((table, key.trim()), ("device", "name") | ("", "device.name"))
        {
            found = Some(unquoted(value.split('#').next().unwrap_or_default().trim()));
        }
    }
    found
}

fn unquoted(value: &str) -> String {
    value.trim_matches(['"', '\'']).to_string()
}

/// The path of `nvcc`, looked for where the build of candle's kernels looks: `$NVCC`, `PATH`, `bin` of a toolkit's
/// folder.
///
/// # Errors
/// If there is none; the text says where it was looked for.
fn toolkit(variable: impl Fn(&str) -> Option<OsString>, is_file: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    let nvcc = format!("nvcc{}", std::env::consts::EXE_SUFFIX);
    let named = variable("NVCC").map(PathBuf::from);
    let path = variable("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(&nvcc));
    let folders = variable(TOOLKIT_VARIABLE).map(PathBuf::from).into_iter().chain(TOOLKIT_FOLDERS.map(PathBuf::from));
    let below = folders.map(|folder| folder.join("bin").join(&nvcc));
    named.into_iter().chain(on_path).chain(below).find(|file| is_file(file)).ok_or_else(|| {
        Error::other(format!(
            "a build for CUDA needs NVIDIA's CUDA Toolkit, and no nvcc was found: not $NVCC, not on $PATH, not in bin of \
             ${TOOLKIT_VARIABLE}, {}; install it (https://developer.nvidia.com/cuda-downloads) or set \
             {TOOLKIT_VARIABLE} to its folder, or choose another device",
            TOOLKIT_FOLDERS.join(", ")
        ))
    })
}

/// Whether this machine has an NVIDIA card, by its device file or `nvidia-smi -L`.
fn has_card() -> bool {
    let listed = || Command::new("nvidia-smi").arg("-L").output().is_ok_and(|found| found.stdout.starts_with(b"GPU "));
    Path::new("/dev/nvidia0").exists() || listed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> String {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        named(line.split(' ').next().unwrap_or_default(), &words[1..]).join(",")
    }

    #[test]
    fn devices_are_found_in_the_arguments() {
        for (line, due) in [
            ("train cifar", ""),
            ("train cifar --device candle", "candle"),
            ("train cifar --device=cuda:1 --epochs 2", "cuda:1"),
            ("train cifar --set device.name=cuda", "cuda"),
            ("train cifar --set=device.name=\"cuda\" --device cpu", "cuda"),
            ("train cifar --set device.name=cuda --set device.name=cpu", "cpu"),
            ("train cifar --set device.threads=2 --devices cuda", ""),
            ("train cifar --run-dir cuda", ""),
            ("tune cifar --space s.toml --set device.name=cuda", "cuda"),
            ("eval none --device cuda:0", "cuda:0"),
            ("gradcheck --device cpu,candle,toy", "cpu,candle,toy"),
            ("gradcheck --device", ""),
        ] {
            assert_eq!(found(line), due, "{line}");
        }
    }

    #[test]
    fn devices_are_found_in_files() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-devices-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("config.toml");
        std::fs::write(&file, "model = \"mlp\"\n[device]\nname = \"cuda:0\" # a card\nthreads = 0\n")?;
        let lines = [
            format!("eval {}", folder.display()),
            format!("eval --quiet {} --device cpu", folder.display()),
            format!("train digits --config {}", file.display()),
            format!("train digits --config={} --device candle", file.display()),
            format!("train digits --resume {}", folder.display()),
            format!("train digits --resume={} --quiet --set train.epochs=3", folder.display()),
            format!("train digits --resume {}/none --config {}", folder.display(), file.display()),
        ];
        let devices = lines.map(|line| found(&line));
        std::fs::remove_dir_all(&folder)?;
        assert_eq!(devices, ["cuda:0", "cpu", "cuda:0", "candle", "cuda:0", "cuda:0", "cuda:0"]);
        Ok(())
    }

    #[test]
    fn a_name_in_another_table_is_not_a_devices() {
        assert_eq!(in_config("name = \"cuda\"\n[data]\nname = \"digits\"\n[device]\nthreads = 2\n"), None);
        assert_eq!(in_config("device.name = 'candle'\n[data]\nname = \"cuda\"\n"), Some("candle".into()));
        assert_eq!(
            in_config("[data]\nname = \"a\"\n[device]\nname = \"cpu\"\n[record]\nname = \"b\""),
            Some("cpu".into())
        );
    }

    #[test]
    fn features_are_those_that_the_devices_need() {
        let of = |list: &[&str]| features(&list.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        assert_eq!([of(&[]), of(&["cpu", "toy", "tpu"])], [[""; 0]; 2]);
        assert_eq!([of(&["candle"]), of(&["cpu", "candle", "candle"])], [["candle"]; 2]);
        assert_eq!(of(&["all"])[0], "candle");
    }

    #[test]
    fn the_toolkit_is_found_on_path_in_variables_and_in_its_usual_place() {
        let nvcc = |folder: &str| Path::new(folder).join(format!("nvcc{}", std::env::consts::EXE_SUFFIX));
        let place = |set: &'static str, value: &'static str, file: PathBuf| {
            toolkit(move |name| (name == set).then(|| value.into()), move |path| path == file)
        };
        assert!(place("NVCC", "/a/my-nvcc", "/a/my-nvcc".into()).is_ok());
        assert!(place("PATH", "/a", nvcc("/a")).is_ok());
        assert!(place(TOOLKIT_VARIABLE, "/opt/b", nvcc("/opt/b/bin")).is_ok());
        assert!(place(TOOLKIT_VARIABLE, "/opt/b", nvcc("/opt/b")).is_err());
        assert!(place("HOME", "/", nvcc("/usr/local/cuda/bin")).is_ok());
        let text = place("HOME", "/", nvcc("/nowhere")).unwrap_err().to_string();
        for part in ["no nvcc was found", "not on $PATH", TOOLKIT_VARIABLE, "/usr/local/cuda, ", "install it (https://"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
