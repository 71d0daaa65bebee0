//! Operator packages from anywhere: reading one is an error with a place or a package, never a panic. The two files of a
//! package stand in one input, parted by a line of `=====`.
#![no_main]

use fatum::systems::plan::package::Texts;
use fatum::systems::plan::{Kinds, Package};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (operator, params) = match text.split_once("\n=====\n") {
        Some((operator, params)) => (operator, Some(params)),
        None => (text, None),
    };
    let (operator_path, params_path) = (Path::new("operator.yaml"), Path::new("params.yaml"));
    match Package::parse(&Texts { operator_path, operator, params_path, params }, &Kinds::reference()) {
        Ok(package) => assert!(!package.operator_versions().is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
