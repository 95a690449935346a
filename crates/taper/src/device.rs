//! Devices by name: the only module that knows which backends this build has.

use crate::{Device, Error, Result};
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use taper_backend::WeakDevice;

/// The kinds of devices that a build can have: the name of each, which is that of its feature, and whether this build
/// has it.
const KINDS: [(&str, bool); 3] =
    [("cpu", cfg!(feature = "cpu")), ("candle", cfg!(feature = "candle")), ("cuda", cfg!(feature = "cuda"))];

/// The names of the kinds of devices that this build has: `cpu`, `candle` (candle on the CPU), `cuda` (NVIDIA cards,
/// `cuda:N` for the one with number N).
pub fn device_names() -> Vec<&'static str> {
    KINDS.iter().filter(|(_, built)| *built).map(|(name, _)| *name).collect()
}

/// Splits `list` at its commas into device names, without duplicates. `all` stands for every device of this build, but
/// for `cuda` only if the machine has a card.
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

/// The settings that a device is made with: equal settings give the same device.
#[derive(PartialEq)]
enum DeviceKey {
    #[cfg(feature = "cpu")]
    Cpu(taper_cpu::CpuOptions),
    #[cfg(feature = "candle")]
    Candle,
    #[cfg(feature = "cuda")]
    Cuda(usize),
}

impl DeviceKey {
    /// The device with these settings that is still in use, or else a new one.
    fn device(self) -> Result<Device> {
        static MADE: Mutex<Vec<(DeviceKey, WeakDevice)>> = Mutex::new(Vec::new());
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|(_, device)| device.upgrade().is_some());
        if let Some(device) = made.iter().find(|(of, _)| *of == self).and_then(|(_, device)| device.upgrade()) {
            return Ok(device);
        }
        let device = match self {
            #[cfg(feature = "cpu")]
            Self::Cpu(options) => Device::new(taper_cpu::CpuBackend::with_options(options)?),
            #[cfg(feature = "candle")]
            Self::Candle => Device::new(taper_candle::CandleBackend::cpu()),
            #[cfg(feature = "cuda")]
            Self::Cuda(card) => Device::new(taper_candle::CandleBackend::cuda(card)?),
        };
        made.push((self, device.downgrade()));
        Ok(device)
    }
}

/// The device called `name`: `cpu`, with one thread per core; `candle`; `cuda`, which is `cuda:0`; `cuda:1`, ….
///
/// As long as a device is in use, further calls return the same device, so that tensors made in different places can be
/// combined:
///
/// ```
/// use taper::{DType, Tensor, device};
///
/// let a = Tensor::ones([2], DType::F32, &device("cpu")?)?;
/// let b = Tensor::ones([2], DType::F32, &device("cpu")?)?;
/// assert_eq!(a.add(&b)?.to_vec::<f32>()?, [2.0, 2.0]);
/// # Ok::<(), taper::Error>(())
/// ```
///
/// # Errors
/// When this build has no such device (the error says which feature adds it), or the machine has none.
pub fn device(name: &str) -> Result<Device> {
    device_with(name, DeviceOptions::default())
}

/// The options of the device `cpu`. Any other device takes the defaults only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceOptions<'a> {
    /// The number of threads, 1 to 1024; 0 for one per core. Results do not depend on it.
    pub threads: usize,
    /// The instruction set: `avx512`, `avx2`, `portable`; `auto` for the best that the machine has.
    pub isa: &'a str,
    /// How convolutions are computed: `direct`, as they are defined; `auto`, by Winograd's algorithm where it pays.
    pub convolution: &'a str,
}

impl Default for DeviceOptions<'_> {
    /// One thread per core, and automatic choices for the rest.
    fn default() -> Self {
        Self { threads: 0, isa: "auto", convolution: "auto" }
    }
}

/// The device called `name`, made with `options`. Options that mean the same on this machine give the same device.
///
/// ```
/// use taper::{DeviceOptions, device_with};
///
/// let cpu = device_with("cpu", DeviceOptions { threads: 2, convolution: "direct", ..DeviceOptions::default() })?;
/// assert_eq!(cpu.name(), "cpu");
/// # Ok::<(), taper::Error>(())
/// ```
///
/// # Errors
/// As [`device`]; an option that is out of range, unknown or more than the machine has; or one for a device other than
/// `cpu`.
pub fn device_with(name: &str, options: DeviceOptions<'_>) -> Result<Device> {
    let (kind, card) = name.split_once(':').map_or((name, None), |(kind, card)| (kind, Some(card)));
    if !KINDS.iter().any(|(known, _)| *known == kind) || (kind != "cuda" && card.is_some()) {
        return Err(error(format!("unknown device `{name}`; known: {}", known())));
    }
    if kind != "cpu" {
        none_but_defaults(name, options)?;
    }
    let card = card.unwrap_or("0").parse::<usize>();
    let card = card.map_err(|_| error(format!("`{name}`: expected cuda:N with the number of a card, as in cuda:0")))?;
    match kind {
        #[cfg(feature = "cpu")]
        "cpu" => DeviceKey::Cpu(cpu_options(options)?.resolved()?).device(),
        #[cfg(feature = "candle")]
        "candle" => DeviceKey::Candle.device(),
        #[cfg(feature = "cuda")]
        "cuda" => DeviceKey::Cuda(card).device(),
        _ => {
            let _ = card;
            Err(not_built(kind))
        }
    }
}

#[cfg(feature = "cpu")]
fn cpu_options(DeviceOptions { threads, isa, convolution }: DeviceOptions<'_>) -> Result<taper_cpu::CpuOptions> {
    let isa = if isa == "auto" { None } else { Some(isa.parse()?) };
    Ok(taper_cpu::CpuOptions { threads, isa, convolution: convolution.parse()? })
}

/// Returns an error when `options` differ from the defaults, for the device `name`, which is not `cpu`.
fn none_but_defaults(name: &str, options: DeviceOptions<'_>) -> Result<()> {
    let due = DeviceOptions::default();
    let refuse = |what: &str, found: &dyn Display, due: &dyn Display| {
        Err(error(format!("`{name}` takes no {what}, found {found}; give {due}, or choose `cpu`")))
    };
    if options.threads != due.threads {
        return refuse("number of threads", &options.threads, &due.threads);
    }
    if options.isa != due.isa {
        return refuse("instruction set", &options.isa, &due.isa);
    }
    if options.convolution != due.convolution {
        return refuse("way to compute convolutions", &options.convolution, &due.convolution);
    }
    Ok(())
}

/// The devices of this build that this machine has.
fn present() -> Vec<&'static str> {
    #[cfg(feature = "cuda")]
    let cards = taper_candle::cuda_devices().unwrap_or(0);
    #[cfg(not(feature = "cuda"))]
    let cards = 0;
    device_names().into_iter().filter(|name| *name != "cuda" || cards > 0).collect()
}

/// The error for `kind`, a feature that this build lacks.
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
        let options = DeviceOptions { threads: 2, isa: "portable", convolution: "direct" };
        assert_eq!(device_with("cpu", options).unwrap().name(), "cpu");
        use taper_cpu::{Convolution, CpuOptions, Isa};
        let due = CpuOptions { threads: 2, isa: Some(Isa::Portable), convolution: Convolution::Direct };
        assert_eq!(cpu_options(options).unwrap(), due);
        assert_eq!(cpu_options(DeviceOptions::default()).unwrap(), CpuOptions::default());
    }

    #[test]
    #[cfg(feature = "cpu")]
    fn equal_options_are_one_device() {
        let with = |threads, isa, convolution| device_with("cpu", DeviceOptions { threads, isa, convolution }).unwrap();
        let cores = std::thread::available_parallelism().unwrap().get();
        let (best, cpu) = (taper_cpu::Isa::detect().name(), device("cpu").unwrap());
        assert_eq!(cpu, device("cpu").unwrap());
        assert_eq!(cpu, with(cores, best, "auto"));
        let direct = with(1, "portable", "direct");
        assert_eq!(direct, with(1, "portable", "direct"));
        for other in [with(cores + 1, "auto", "auto"), with(0, "auto", "direct"), direct.clone()] {
            assert_ne!(cpu, other);
        }
        // A device is dropped with its last user.
        let weak = direct.downgrade();
        drop(direct);
        assert!(weak.upgrade().is_none());
        // Threads that ask at the same time get the same device.
        let asked: Vec<_> = (0..8).map(|_| std::thread::spawn(|| device("cpu").unwrap())).collect();
        assert!(asked.into_iter().all(|device| device.join().unwrap() == cpu));
    }

    #[test]
    #[cfg(feature = "cpu")]
    fn devices_that_differ_are_told_apart() {
        use crate::{DType, Tensor};
        let one = |device: &Device| Tensor::ones([1], DType::F32, device).unwrap();
        let with = |threads, isa, convolution| device_with("cpu", DeviceOptions { threads, isa, convolution }).unwrap();
        let (a, b) = (with(1, "portable", "auto"), with(2, "portable", "direct"));
        assert_eq!(
            one(&a).add(&one(&b)).unwrap_err().to_string(),
            "add: a is on cpu (1 thread, portable, auto convolution), b on cpu (2 threads, portable, direct convolution): \
             move one of them"
        );
        let separate = Device::new(taper_cpu::CpuBackend::with_isa(1, taper_cpu::Isa::Portable).unwrap());
        assert_eq!(
            one(&a).add(&one(&separate)).unwrap_err().to_string(),
            "add: a is on cpu (1 thread, portable, auto convolution), b on another cpu (1 thread, portable, auto \
             convolution), made separately: move one of them"
        );
    }

    #[test]
    #[cfg(feature = "cpu")]
    fn options_that_the_cpu_cannot_follow_are_told() {
        let none = DeviceOptions::default();
        for (options, due) in [
            (DeviceOptions { threads: 5000, ..none }, "cpu: 5000 threads; give a number from 1 to 1024"),
            (DeviceOptions { isa: "sse", ..none }, "cpu: unknown instruction set `sse`; known: avx512, avx2, portable"),
            (
                DeviceOptions { convolution: "fft", ..none },
                "cpu: unknown way to compute convolutions `fft`; known: auto",
            ),
        ] {
            let text = device_with("cpu", options).unwrap_err().to_string();
            assert!(text.starts_with(due), "{text}");
        }
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
    fn options_are_the_cpus_alone() {
        let none = DeviceOptions::default();
        for (options, due) in [
            (DeviceOptions { threads: 2, ..none }, "number of threads, found 2; give 0"),
            (DeviceOptions { isa: "avx2", ..none }, "instruction set, found avx2; give auto"),
            (DeviceOptions { convolution: "direct", ..none }, "way to compute convolutions, found direct; give auto"),
        ] {
            for name in ["candle", "cuda", "cuda:1"] {
                let text = device_with(name, options).unwrap_err().to_string();
                assert_eq!(text, format!("device: `{name}` takes no {due}, or choose `cpu`"));
            }
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
