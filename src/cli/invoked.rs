//! How the program was started, for the commands that it prints: `fatum`, or through cargo for who has no binary on
//! the path.
//!
//! Separate because it looks at the process; it must not know what the commands do.

use std::ffi::OsString;
use std::path::Path;

/// What to type to start this program again.
pub(super) fn invoked_as() -> String {
    command(std::env::args_os().next())
}

/// Cargo puts what it builds below a directory of the profile's name.
fn command(program: Option<OsString>) -> String {
    let program = program.unwrap_or_default();
    let path = Path::new(&program);
    let profile = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    match (profile, path.file_name()) {
        (Some("release"), _) => "cargo run --release --".to_owned(),
        (Some("debug"), _) => "cargo run --".to_owned(),
        (_, Some(name)) => name.display().to_string(),
        (_, None) => "fatum".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_built_is_started_by_cargo() {
        for (program, expected) in [
            ("target/release/fatum", "cargo run --release --"),
            ("/work/target-x/release/fatum", "cargo run --release --"),
            ("target/debug/fatum", "cargo run --"),
            ("/home/me/.cargo/bin/fatum", "fatum"),
            ("fatum", "fatum"),
            ("my-systems", "my-systems"),
            ("", "fatum"),
        ] {
            assert_eq!(command(Some(program.into())), expected, "{program}");
        }
        assert_eq!(command(None), "fatum");
    }
}
