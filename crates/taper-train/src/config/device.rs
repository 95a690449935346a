//! `[device]`: where it is computed.

use super::within;
use crate::Result;
use serde::{Deserialize, Serialize};

/// Where it is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceConfig {
    /// The device's name: `cpu`, `candle`, `cuda:0`.
    pub name: String,
    /// Threads of the CPU backend; 0 for one a core. The result does not depend on it.
    pub threads: usize,
    /// Instruction set of the CPU backend: `avx512`, `avx2`, `portable`; `auto` for the best that the machine has.
    pub isa: String,
    /// How the CPU backend computes convolutions: `direct`, as they are defined; `auto`, by Winograd's algorithm where
    /// it pays.
    pub conv: String,
}

impl Default for DeviceConfig {
    /// Every core of the CPU, and whatever is fastest there.
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
