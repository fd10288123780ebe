// SPDX-License-Identifier: MPL-2.0
//! Three hundred cameras with every fault that was met, combined by chance, and twenty cuts of each
//! type of what was recorded of each.

use tests::scenario::run;

#[test]
fn three_hundred_cameras_are_recorded_whole_and_cut_exactly() {
    let seeds: Vec<u64> = (0..300).collect();
    run::seeds(
        "--profile soak --features soak --test soak_scripted_camera",
        &seeds,
        8,
        20,
    );
}
