//! The device that a tensor is stored and computed on.

use crate::Backend;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

/// A shared handle to a backend. Two devices are equal when they are handles to the same backend object. Code that
/// opens devices by name must therefore return the same device for equal names and options.
#[derive(Clone)]
pub struct Device(Arc<dyn Backend>);

impl Device {
    /// Wraps a backend.
    pub fn new(backend: impl Backend) -> Self {
        Self(Arc::new(backend))
    }

    /// A handle that does not keep the backend alive.
    pub fn downgrade(&self) -> WeakDevice {
        WeakDevice(Arc::downgrade(&self.0))
    }

    /// How an error message names this device and `other`, a different one: by their names where these differ, else by
    /// their descriptions.
    pub fn told_apart(&self, other: &Device) -> [String; 2] {
        if self.name() != other.name() {
            return [self.name().to_owned(), other.name().to_owned()];
        }
        let [ours, theirs] = [self.description(), other.description()];
        let theirs = if ours == theirs { format!("another {theirs}, made separately") } else { theirs };
        [ours, theirs]
    }
}

/// A handle to a device that may have been dropped.
#[derive(Debug, Clone)]
pub struct WeakDevice(Weak<dyn Backend>);

impl WeakDevice {
    /// The device, if some [`Device`] still holds it.
    pub fn upgrade(&self) -> Option<Device> {
        self.0.upgrade().map(Device)
    }
}

impl Deref for Device {
    type Target = dyn Backend;
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.0.name())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}
