//! Devices by name, including the slow reference backend `toy`.

use taper::{Device, DeviceOptions, Result, device_list, device_with};
use taper_conformance::toy::ToyBackend;

/// The devices in `list`, separated by commas: names of [`taper::device`], `toy`, and `all` for all of them that this
/// build and machine have. The CPU device gets `threads` threads, 0 for one per core.
///
/// # Errors
/// A device that this build or machine lacks.
pub fn devices(list: &str, threads: usize) -> Result<Vec<Device>> {
    let with_toy: Vec<&str> = list.split(',').map(|name| if name.trim() == "all" { "all,toy" } else { name }).collect();
    let names = device_list(&with_toy.join(","));
    let device = |name: &String| match name.as_str() {
        "toy" => Ok(ToyBackend::device()),
        name => {
            let threads = if name == "cpu" { threads } else { 0 };
            device_with(name, DeviceOptions { threads, ..DeviceOptions::default() })
        }
    };
    names.iter().map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_holds_the_toy() -> Result<()> {
        let names = |list| Ok::<_, taper::Error>(devices(list, 1)?.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(names("toy,cpu,toy")?, ["toy", "cpu"]);
        let all = names("all")?;
        assert_eq!((all.first().map(String::as_str), all.last().map(String::as_str)), (Some("cpu"), Some("toy")));
        assert_eq!(all.iter().any(|name| name == "candle"), cfg!(feature = "candle"));
        assert!(devices("cpu,tpu", 1).is_err());
        Ok(())
    }
}
