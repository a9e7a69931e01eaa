//! How much edges and regions take of the clients that come to them, as workers read it without a lock.

use std::sync::atomic::{AtomicU32, Ordering};

/// A number within 0 and 1; all of something until it is known better.
#[derive(Debug)]
pub(crate) struct Part(AtomicU32);

impl Default for Part {
    fn default() -> Self {
        Self(AtomicU32::new(1f32.to_bits()))
    }
}

impl Part {
    pub(crate) fn value(&self) -> f64 {
        f32::from_bits(self.0.load(Ordering::Relaxed)).into()
    }

    /// Values beyond 0 and 1 become these.
    pub(crate) fn set(&self, value: f64) {
        self.0.store((value.clamp(0.0, 1.0) as f32).to_bits(), Ordering::Relaxed);
    }
}

/// What a region takes, shared by who balances and all workers; it outlives a reload.
#[derive(Debug, Default)]
pub(crate) struct RegionState {
    /// Of the clients that it is the nearest region of.
    pub(crate) own: Part,
    /// Of those of them whose edge is down, by the part of all.
    pub(crate) displaced: Part,
    /// Of those that nearer regions have no room for. Guests have to go before its own clients have.
    pub(crate) guests: Part,
}

/// Whether a region has room for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// For every one that comes.
    ForAll,
    /// For this one; for some there is none.
    ForThis,
    /// Not for this one; for some there is.
    ForOthers,
    /// For nobody.
    None,
}
