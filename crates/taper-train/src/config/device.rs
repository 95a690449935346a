//! `[device]`: the device that the run computes on.

use super::within;
use crate::Result;
use serde::{Deserialize, Serialize};

/// `[device]`: the device that the run computes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceConfig {
    /// The device's name: `cpu`, `candle`, `cuda:0`.
    pub name: String,
    /// Threads of the CPU backend; 0 for one per core. The results do not depend on it.
    pub threads: usize,
    /// Instruction set of the CPU backend: `avx512`, `avx2`, `portable`; `auto` for the best that the machine has.
    pub isa: String,
    /// Convolution algorithm of the CPU backend: `direct` by definition; `auto` by Winograd's algorithm where it is
    /// faster.
    pub conv: String,
}

impl Default for DeviceConfig {
    /// Every core of the CPU, with the best instruction set and convolution algorithm for it.
    fn default() -> Self {
        Self { name: "cpu".into(), threads: 0, isa: "auto".into(), conv: "auto".into() }
    }
}

impl DeviceConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("device.threads", self.threads, self.threads <= 1024)?;
        within("device.isa", &self.isa, ["auto", "avx512", "avx2", "portable"].contains(&&*self.isa))?;
        within("device.conv", &self.conv, ["auto", "direct"].contains(&&*self.conv))
    }
}
