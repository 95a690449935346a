//! `[device]`: the device that the run computes on.

use taper_config::table;

table! {
    /// `[device]`: the device that the run computes on.
    #[derive(Eq)]
    pub struct DeviceConfig {
        /// Device to compute on: `cpu`, `candle`, `cuda`, `cuda:N`.
        name: String = "cpu".into(), any("the name of a device");
        /// CPU threads; 0 for one a core; results do not depend on it.
        threads: usize = 0, integer(0..=1024);
        /// CPU instruction set; auto for the best of this machine.
        isa: String = "auto".into(), one_of(&["auto", "avx512", "avx2", "portable"]);
        /// CPU convolutions: as defined, or by Winograd's algorithm where it pays.
        conv: String = "auto".into(), one_of(&["auto", "direct"]);
    }
}
