// SPDX-License-Identifier: MPL-2.0
//! Cameras with every fault that was met, combined by chance, are recorded and cut whole.
//!
//! `SEED` and `TRAITS` choose one: see `tests::scenario`.

use tests::scenario::run;

#[test]
fn whatever_a_camera_does_every_frame_is_recorded_once_at_its_time_and_cut_exactly() {
    let seeds: Vec<u64> = (0..12).collect();
    run::seeds("--test scripted_camera", &seeds, 6, 1);
}
