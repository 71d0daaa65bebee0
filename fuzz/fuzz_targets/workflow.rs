//! Workflow files from anywhere: reading one is an error with a place or a workflow that can be drawn, never a panic.
#![no_main]

use fatum::systems::plugin::graphviz::dot;
use fatum::systems::plugin::workflow_file::parse;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(Path::new("fuzzed.toml"), text) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(spec) => {
            assert_eq!(spec.validate(), Ok(()));
            assert!(dot(&spec, None).starts_with("digraph"));
        }
    }
});
