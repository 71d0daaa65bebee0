//! Failure files from anywhere: reading one never panics, and what is read is printed and read again unchanged.
#![no_main]

use fatum::check::file::FailureFile;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("fuzzed.toml");
    let Ok(file) = FailureFile::parse(text, path) else { return };
    let again = FailureFile::parse(&file.to_toml(), path).expect("a file that was printed can be read");
    assert_eq!(file, again);
    assert_eq!(file.to_toml(), again.to_toml());
});
