//! The `fatum` binary: the systems of this crate, and the command line over them.

use fatum::scenario::{Controller, Graph, Registry};
use fatum::systems::controller::workload::Garbage;
use std::process::ExitCode;

fn main() -> ExitCode {
    let registry = Registry::new().with(Graph).with(Controller::<Garbage>::default());
    fatum::cli::main(registry)
}
