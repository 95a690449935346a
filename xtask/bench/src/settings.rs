//! Settings that restrict how both sides compute; by default each computes as fast as it can.

use clap::Args;
use serde_json::{Value, json};
use taper::{Device, DeviceOptions, Result};

/// Environment variables that restrict PyTorch's own kernels, oneDNN and MKL to AVX2.
const AVX2: &[(&str, &str)] =
    &[("ATEN_CPU_CAPABILITY", "avx2"), ("ONEDNN_MAX_CPU_ISA", "AVX2"), ("MKL_ENABLE_INSTRUCTIONS", "AVX2")];

/// Settings of `bench`, which it passes on to our worker.
#[derive(Debug, Args)]
pub struct Settings {
    /// `avx2`: restrict both sides and the measured peak to AVX2, even if the machine has AVX-512
    #[arg(long, default_value = "auto", value_name = "auto|avx2", value_parser = ["auto", "avx2"])]
    #[arg(hide_possible_values = true)]
    isa: String,
    /// `direct`: compute our convolutions without Winograd's algorithm
    #[arg(long, default_value = "auto", value_name = "auto|direct", value_parser = ["auto", "direct"])]
    #[arg(hide_possible_values = true)]
    conv: String,
}

impl Settings {
    /// Our CPU device with these settings.
    ///
    /// # Errors
    /// If the machine lacks the instruction set.
    pub fn device(&self, threads: usize) -> Result<Device> {
        taper::device_with("cpu", DeviceOptions { threads, isa: &self.isa, convolution: &self.conv })
    }

    /// The settings as arguments of our worker.
    pub fn arguments(&self) -> [&str; 4] {
        ["--isa", &self.isa, "--conv", &self.conv]
    }

    /// The settings as environment variables of the peer.
    pub fn variables(&self) -> &'static [(&'static str, &'static str)] {
        if self.avx2_only() { AVX2 } else { &[] }
    }

    /// Whether AVX-512 must not be used.
    pub fn avx2_only(&self) -> bool {
        self.isa == "avx2"
    }

    /// A line that says which restrictions apply; `None` without any.
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
