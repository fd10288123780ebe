// SPDX-License-Identifier: MPL-2.0
//! The wall clock, behind a function so that tests set it and never wait for it.

use std::sync::Arc;

use crate::utc::UtcNs;

/// Tells the time of day. The default is the system's clock.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> UtcNs + Send + Sync>);

impl WallClock {
    /// A clock that asks `now` each time.
    pub fn new(now: impl Fn() -> UtcNs + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What the clock says.
    pub fn now(&self) -> UtcNs {
        (self.0)()
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new(UtcNs::now)
    }
}

impl std::fmt::Debug for WallClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WallClock")
    }
}
