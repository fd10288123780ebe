// SPDX-License-Identifier: MPL-2.0
//! What the log says of a pipeline's states.

use std::time::Duration;

use super::machine::State;

/// One line for each change of state.
pub fn log_state(name: &str, state: &State, now: Duration) {
    match state {
        State::Pending { .. } => {}
        State::Starting => tracing::info!("{name}: starting"),
        State::Running => tracing::info!("{name}: running"),
        State::Stalled => tracing::warn!("{name}: stalled, nothing is recorded"),
        State::BackingOff {
            attempt,
            next,
            error,
        } => {
            let wait = next.saturating_sub(now).as_secs_f64();
            if *attempt == 0 {
                tracing::info!("{name}: {error}; starts again in {wait:.1} s");
                return;
            }
            tracing::warn!("{name}: {error}; attempt {attempt} failed, the next in {wait:.1} s");
        }
        State::Draining => tracing::info!("{name}: closing"),
        State::Stopped { clean: true } => tracing::info!("{name}: stopped"),
        State::Stopped { clean: false } => {
            tracing::warn!("{name}: stopped before its files were finished");
        }
        State::Completed => tracing::info!("{name}: completed"),
        State::Failed(failure) => tracing::error!("{name}: failed: {}", failure.message),
    }
}
