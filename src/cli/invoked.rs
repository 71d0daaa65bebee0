//! How the program was started, for the commands that it prints: through cargo for who works in the package that it
//! was built from, else as it was typed.
//!
//! Separate because it looks at the process; it must not know what the commands do.

use std::path::Path;

/// What to type to start this program again.
pub(super) fn invoked_as() -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    command(Path::new(&program), &here)
}

/// The command for a program that was started in the directory `here`.
fn command(program: &Path, here: &Path) -> String {
    let is_package = here.ancestors().any(|dir| dir.join("Cargo.toml").is_file());
    match by_cargo(program).filter(|_| is_package) {
        Some(command) => command.to_owned(),
        None if program.as_os_str().is_empty() => "fatum".to_owned(),
        None => program.display().to_string(),
    }
}

/// Cargo puts what it builds into a directory of the profile's name.
fn by_cargo(program: &Path) -> Option<&'static str> {
    match program.parent()?.file_name()?.to_str()? {
        "release" => Some("cargo run --release --"),
        "debug" => Some("cargo run --"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_started_by_cargo_where_cargo_can() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (program, here, expected) in [
            ("target/release/fatum", package, "cargo run --release --"),
            ("/work/target-x/release/fatum", &package.join("src"), "cargo run --release --"),
            ("target/debug/fatum", package, "cargo run --"),
            ("/repo/target/release/fatum", Path::new("/"), "/repo/target/release/fatum"),
            ("fatum", package, "fatum"),
            ("bin/fatum", package, "bin/fatum"),
            ("my-systems", Path::new("/"), "my-systems"),
            ("", package, "fatum"),
        ] {
            assert_eq!(command(Path::new(program), here), expected, "{program}");
        }
    }
}
