//! Scenario files from anywhere: reading one is an error with a place or a scenario, never a panic.
#![no_main]

use fatum::scenario::{Document, Registry, Scenario};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let registry = Registry::shipped();
    if let Err(error) = Scenario::parse(&Document::new("fuzzed.toml", text), &registry) {
        assert!(!error.to_string().is_empty());
    }
});
