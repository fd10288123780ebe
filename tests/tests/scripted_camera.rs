// SPDX-License-Identifier: MPL-2.0
//! Cameras with every fault that was met, combined by chance, are recorded and cut whole.
//!
//! `SEED` and `TRAITS` choose one: see `tests::scenario`.

use tests::scenario::run;

/// Each of other kinds.
const SEEDS: [u64; 12] = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12];

#[test]
fn whatever_a_camera_does_every_frame_is_recorded_once_at_its_time_and_cut_exactly() {
    run::seeds("--test scripted_camera", &SEEDS, 6, 1);
}
