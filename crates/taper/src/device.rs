//! Devices by name: the one place that knows which backends this build has.

use crate::{Device, Error, Result};

/// The kinds of devices that a build can have, each the name of its feature.
const KINDS: [(&str, bool); 3] =
    [("cpu", cfg!(feature = "cpu")), ("candle", cfg!(feature = "candle")), ("cuda", cfg!(feature = "cuda"))];

/// The names of the devices that this build has: `cpu`, `candle` (candle on the CPU), `cuda` (NVIDIA cards, `cuda:N` for the
/// one with number N).
pub fn device_names() -> Vec<&'static str> {
    KINDS.iter().filter(|(_, built)| *built).map(|(name, _)| *name).collect()
}

/// The names in `list`, separated by commas, each once. `all` stands for every device of this build; for `cuda` only
/// where there is a card.
///
/// ```
/// assert_eq!(taper::device_list("cpu, cuda:1,cpu"), ["cpu", "cuda:1"]);
/// ```
pub fn device_list(list: &str) -> Vec<String> {
    let mut names = Vec::<String>::new();
    for name in list.split(',').map(str::trim) {
        let meant = if name == "all" { present() } else { vec![name] };
        for name in meant {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_string());
            }
        }
    }
    names
}

/// The device called `name`: `cpu`, with a thread for every core; `candle`; `cuda`, which is `cuda:0`; `cuda:1`, ….
///
/// # Errors
/// When this build has no such device (the error says which feature brings it), or the machine has none.
pub fn device(name: &str) -> Result<Device> {
    device_with_threads(name, 0)
}

/// The device called `name`, the CPU with `threads` threads (1 to 1024; 0 for one a core). Results do not depend on
/// their number.
///
/// # Errors
/// As [`device`]; a number of threads out of range; or a number for a device other than `cpu`.
pub fn device_with_threads(name: &str, threads: usize) -> Result<Device> {
    let (kind, card) = name.split_once(':').map_or((name, None), |(kind, card)| (kind, Some(card)));
    if !KINDS.iter().any(|(known, _)| *known == kind) || (kind != "cuda" && card.is_some()) {
        return Err(error(format!("unknown device `{name}`; known: {}", known())));
    }
    if kind != "cpu" && threads != 0 {
        return Err(error(format!("`{name}` takes no number of threads, found {threads}; give 0, or choose `cpu`")));
    }
    let card = card.unwrap_or("0").parse::<usize>();
    let card = card.map_err(|_| error(format!("`{name}`: expected cuda:N with the number of a card, as in cuda:0")))?;
    match kind {
        #[cfg(feature = "cpu")]
        "cpu" if threads == 0 => Ok(Device::new(taper_cpu::CpuBackend::new()?)),
        #[cfg(feature = "cpu")]
        "cpu" => Ok(Device::new(taper_cpu::CpuBackend::with_threads(threads)?)),
        #[cfg(feature = "candle")]
        "candle" => Ok(Device::new(taper_candle::CandleBackend::cpu())),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::new(taper_candle::CandleBackend::cuda(card)?)),
        _ => {
            let _ = card;
            Err(not_built(kind))
        }
    }
}

/// The devices of this build that this machine has.
fn present() -> Vec<&'static str> {
    #[cfg(feature = "cuda")]
    let cards = taper_candle::cuda_devices().unwrap_or(0);
    #[cfg(not(feature = "cuda"))]
    let cards = 0;
    device_names().into_iter().filter(|name| *name != "cuda" || cards > 0).collect()
}

/// `kind` is a feature that this build lacks.
fn not_built(kind: &str) -> Error {
    let what = match kind {
        "cuda" => "CUDA".to_string(),
        _ => format!("device `{kind}`"),
    };
    error(format!(
        "this build has no {what}; build with the feature `{kind}`: cargo build --release -p taper-cli --features {kind}; \
         `cargo xtask train … --device {kind}` does so by itself; known: {}",
        known()
    ))
}

fn known() -> String {
    let names = device_names();
    if names.is_empty() { "none; add the feature `cpu`".to_string() } else { names.join(", ") }
}

fn error(detail: String) -> Error {
    Error::argument("device", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> String {
        device(name).unwrap_err().to_string()
    }

    #[test]
    #[cfg(feature = "cpu")]
    fn the_cpu_is_found_by_name() {
        assert_eq!(device("cpu").unwrap().name(), "cpu");
        assert_eq!(device_with_threads("cpu", 2).unwrap().name(), "cpu");
        let text = device_with_threads("cpu", 5000).unwrap_err().to_string();
        assert!(text.contains("from 1 to 1024"), "{text}");
    }

    #[test]
    #[cfg(feature = "candle")]
    fn candle_is_found_by_name() {
        assert_eq!(device("candle").unwrap().name(), "candle");
    }

    /// On a machine without a card the error is candle's or the driver's; on one with cards it says how many.
    #[test]
    #[cfg(feature = "cuda")]
    fn cards_are_found_by_number() {
        match taper_candle::cuda_devices() {
            Ok(cards) if cards > 0 => {
                assert_eq!(device("cuda").unwrap().name(), "cuda:0");
                let last = format!("cuda:{}", cards - 1);
                assert_eq!(device(&last).unwrap().name(), last);
                assert!(device_list("all").contains(&"cuda".to_string()));
                let text = text(&format!("cuda:{cards}"));
                assert!(text.contains(&cards.to_string()) && text.contains("cuda"), "{text}");
            }
            _ => {
                assert!(matches!(device("cuda"), Err(Error::Device(text)) if text.contains("cuda")));
                assert!(!device_list("all").contains(&"cuda".to_string()));
            }
        }
    }

    #[test]
    fn unknown_names_are_told_with_the_known() {
        let known = known();
        for name in ["tpu", "", "cpu:0", "candle:1", "CUDA", "cudagpu"] {
            assert_eq!(text(name), format!("device: unknown device `{name}`; known: {known}"));
        }
        #[cfg(feature = "cpu")]
        assert!(known.starts_with("cpu"), "{known}");
    }

    #[test]
    fn what_is_no_number_of_a_card_is_told() {
        for name in ["cuda:x", "cuda:", "cuda:-1", "cuda:0:1", "cuda:99999999999999999999"] {
            let due = format!("device: `{name}`: expected cuda:N with the number of a card, as in cuda:0");
            assert_eq!(text(name), due);
        }
    }

    #[test]
    fn threads_are_the_cpus_alone() {
        for name in ["candle", "cuda", "cuda:1"] {
            let text = device_with_threads(name, 2).unwrap_err().to_string();
            let due = format!("device: `{name}` takes no number of threads, found 2; give 0, or choose `cpu`");
            assert_eq!(text, due);
        }
    }

    #[test]
    fn what_this_build_lacks_is_told_with_its_feature() {
        let cuda = "device: this build has no CUDA; build with the feature `cuda`: cargo build --release -p taper-cli \
                    --features cuda; `cargo xtask train … --device cuda` does so by itself; known: ";
        let candle = "device: this build has no device `candle`; build with the feature `candle`: cargo build --release \
                      -p taper-cli --features candle; `cargo xtask train … --device candle` does so by itself; known: ";
        assert_eq!(not_built("cuda").to_string(), format!("{cuda}{}", known()));
        assert_eq!(not_built("candle").to_string(), format!("{candle}{}", known()));
        #[cfg(not(feature = "cuda"))]
        assert_eq!([text("cuda"), text("cuda:1")], [not_built("cuda").to_string(), not_built("cuda").to_string()]);
        #[cfg(not(feature = "candle"))]
        assert_eq!(text("candle"), not_built("candle").to_string());
    }

    #[test]
    fn a_list_names_each_device_once() {
        assert_eq!(device_list("cpu,candle , cpu"), ["cpu", "candle"]);
        let all = device_list("all");
        assert_eq!(device_list("cpu,all").len(), all.len() + usize::from(!all.contains(&"cpu".to_string())));
        #[cfg(not(feature = "cuda"))]
        assert_eq!(all, device_names());
    }
}
