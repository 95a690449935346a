//! A device that passes every call on to another one and counts the transfers between host and device.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use taper_backend::Device;
use taper_backend::observed::{Call, Observed, Observer};

/// The number of uploads and downloads.
#[derive(Debug, Default)]
pub struct Transfers {
    uploads: AtomicUsize,
    downloads: AtomicUsize,
}

impl Transfers {
    /// A device that counts the transfers of `inner`, and the counts.
    pub fn of(inner: Device) -> (Device, Arc<Self>) {
        let transfers = Arc::new(Self::default());
        (Observed::device(inner, transfers.clone()), transfers)
    }

    /// The numbers of uploads and downloads since the last call.
    pub fn take(&self) -> [usize; 2] {
        [&self.uploads, &self.downloads].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

impl Observer for Transfers {
    fn called(&self, call: &Call) {
        match call.method {
            "upload" => self.uploads.fetch_add(1, Ordering::Relaxed),
            "download" => self.downloads.fetch_add(1, Ordering::Relaxed),
            _ => return,
        };
    }
}
