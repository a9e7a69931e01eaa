//! Tables of what may be used when stale.
