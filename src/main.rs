//! The `fatum` binary: the systems of this crate, and the command line over them.

use fatum::scenario::Registry;
use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    fatum::cli::main(Registry::shipped())
}
