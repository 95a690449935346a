//! A device that hands everything on to another and counts what crosses between host and device.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use taper_backend::Device;
use taper_backend::observed::{Call, Observed, Observer};

/// How often something was moved.
#[derive(Debug, Default)]
pub struct Transfers {
    uploads: AtomicUsize,
    downloads: AtomicUsize,
}

impl Transfers {
    /// `inner`, counted.
    pub fn of(inner: Device) -> (Device, Arc<Self>) {
        let transfers = Arc::new(Self::default());
        (Observed::device(inner, transfers.clone()), transfers)
    }

    /// Uploads and downloads since the last call.
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
