//! How both sides are to compute, where it is not as fast as each can.

use clap::Args;
use serde_json::{Value, json};
use taper::{Device, DeviceOptions, Result};

/// The peer's libraries are told in its environment: PyTorch's own kernels, oneDNN's, MKL's.
const AVX2: &[(&str, &str)] =
    &[("ATEN_CPU_CAPABILITY", "avx2"), ("ONEDNN_MAX_CPU_ISA", "AVX2"), ("MKL_ENABLE_INSTRUCTIONS", "AVX2")];

/// What `bench` was asked for, and passes on to our worker.
#[derive(Debug, Args)]
pub struct Settings {
    /// `avx2`: both sides and the measured peak with AVX2, whatever more the machine has
    #[arg(long, default_value = "auto", value_name = "auto|avx2", value_parser = ["auto", "avx2"])]
    #[arg(hide_possible_values = true)]
    isa: String,
    /// `direct`: our convolutions as they are defined, without Winograd's algorithm
    #[arg(long, default_value = "auto", value_name = "auto|direct", value_parser = ["auto", "direct"])]
    #[arg(hide_possible_values = true)]
    conv: String,
}

impl Settings {
    /// Our device.
    ///
    /// # Errors
    /// When the machine lacks what was asked for.
    pub fn device(&self, threads: usize) -> Result<Device> {
        taper::device_with("cpu", DeviceOptions { threads, isa: &self.isa, convolution: &self.conv })
    }

    /// The same for our worker's command line.
    pub fn arguments(&self) -> [&str; 4] {
        ["--isa", &self.isa, "--conv", &self.conv]
    }

    /// What the peer's environment says.
    pub fn variables(&self) -> &'static [(&'static str, &'static str)] {
        if self.avx2_only() { AVX2 } else { &[] }
    }

    /// Whether AVX-512 is not to be used.
    pub fn avx2_only(&self) -> bool {
        self.isa == "avx2"
    }

    /// A line that says what differs from each side's fastest, if anything does.
    pub fn line(&self) -> Option<String> {
        let isa = self.avx2_only().then_some("both sides with AVX2");
        let conv = (self.conv != "auto").then_some("our convolutions direct");
        let said: Vec<&str> = isa.into_iter().chain(conv).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    pub fn to_json(&self) -> Value {
        json!({"isa": self.isa, "conv": self.conv})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_said() {
        let line = |isa: &str, conv: &str| Settings { isa: isa.into(), conv: conv.into() }.line();
        assert_eq!(line("auto", "auto"), None);
        assert_eq!(line("avx2", "auto").unwrap(), "both sides with AVX2");
        assert_eq!(line("avx2", "direct").unwrap(), "both sides with AVX2; our convolutions direct");
    }
}
