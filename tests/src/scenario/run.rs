// SPDX-License-Identifier: MPL-2.0
//! Runs seeds, several at once, and tells of those that fail how to replay them.

use std::any::Any;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::clip::Clip;
use super::judge;
use super::kinds::Scenario;
use super::record;

/// What is asked for in the environment.
pub struct Wanted {
    /// `SEED`: one alone.
    pub seed: Option<u64>,
    /// `TRAITS`: overrides of what seeds choose.
    pub traits: String,
}

impl Wanted {
    /// Reads the environment.
    ///
    /// # Panics
    /// When `SEED` is not a number.
    pub fn from_environment() -> Self {
        let seed = std::env::var("SEED").ok();
        Self {
            seed: seed.map(|seed| seed.parse().expect("SEED is a number")),
            traits: std::env::var("TRAITS").unwrap_or_default(),
        }
    }
}

/// What is wrong with a scenario: a sentence for each fault.
pub fn faults(scenario: &Scenario, cuts: usize) -> Vec<String> {
    let clip = Clip::load(scenario.coding);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let begun = Instant::now();
    let recording = record::record(scenario, &clip, folder.path());
    let recorded = begun.elapsed().as_secs();
    let mut faults = judge::judge(scenario, &clip, &recording, cuts);
    if !faults.is_empty() {
        let judged = begun.elapsed().as_secs() - recorded;
        faults.push(format!("recorded in {recorded} s, judged in {judged} s"));
        faults.push(format!("it is in {}", folder.keep().display()));
    }
    faults
}

/// What a panic says.
fn sentence(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panics").to_owned()
}

/// Runs seeds, so many at once.
///
/// # Panics
/// With what is wrong with which, and the line that replays it.
pub fn seeds(test: &str, seeds: &[u64], at_once: usize, cuts: usize) {
    let wanted = Wanted::from_environment();
    let only = wanted.seed.map(|seed| vec![seed]);
    let seeds = only.as_deref().unwrap_or(seeds);
    let next = AtomicUsize::new(0);
    let failed: Mutex<Vec<String>> = Mutex::default();
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
            let scenario = Scenario::new(*seed, &wanted.traits);
            // What waits for too long panics; the other seeds go on.
            let faults = catch_unwind(|| faults(&scenario, cuts));
            let faults = faults.unwrap_or_else(|panic| vec![sentence(panic.as_ref())]);
            if faults.is_empty() {
                eprintln!("ok     {scenario}");
                continue;
            }
            let traits = match wanted.traits.as_str() {
                "" => String::new(),
                traits => format!("TRAITS='{traits}' "),
            };
            let told = format!(
                "FAILED {scenario}\n    {}\n    replay: SEED={seed} {traits}cargo nextest run \
                 --config-file tests/nextest.toml --package tests {test}",
                faults.join("\n    ")
            );
            eprintln!("{told}");
            failed.lock().expect("no panic").push(told);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once.min(seeds.len()) {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().expect("no panic");
    assert!(
        failed.is_empty(),
        "{} of {} seeds failed:\n{}",
        failed.len(),
        seeds.len(),
        failed.join("\n")
    );
}
