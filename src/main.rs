//! The `fatum` binary: the systems of this crate, and the command line over them.

use std::process::ExitCode;

fn main() -> ExitCode {
    fatum::cli::main(fatum::scenario::Registry::new().with(fatum::scenario::Graph))
}
