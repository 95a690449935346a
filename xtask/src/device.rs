//! The cargo features that devices need, so that a build has these and no others; and whether CUDA can be built and used
//! here.

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

/// The cargo features that `devices` need. `all` stands for every device that can be built here.
///
/// # Errors
/// If CUDA is asked for and there is no card, or its toolkit is not found.
pub fn features(devices: &[String]) -> Result<BTreeSet<String>> {
    let mut features = BTreeSet::new();
    for name in devices {
        match name.split(':').next().unwrap_or_default() {
            "candle" => drop(features.insert("candle".into())),
            "cuda" => {
                check_cuda()?;
                features.insert("cuda".into());
            }
            "all" => {
                features.insert("candle".into());
                if check_cuda().is_ok() {
                    features.insert("cuda".into());
                }
            }
            _ => {}
        }
    }
    Ok(features)
}

/// Checks that there is a card, and the toolkit that a build for it needs.
///
/// # Errors
/// If either is not found; the text says where it was looked for.
pub fn check_cuda() -> Result<()> {
    if !has_card() {
        return Err(Error::other(NO_CARD));
    }
    toolkit(|name| std::env::var_os(name), Path::is_file).map(drop)
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

    #[test]
    fn features_are_those_that_the_devices_need() {
        let of = |list: &[&str]| -> Vec<String> {
            let devices: Vec<String> = list.iter().map(ToString::to_string).collect();
            features(&devices).unwrap().into_iter().collect()
        };
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
