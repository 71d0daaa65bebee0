//! The `fatum` binary: the systems of this crate, and the command line over them.

use fatum::scenario::Registry;
use std::process::ExitCode;

fn main() -> ExitCode {
    fatum::cli::main(Registry::shipped())
}
