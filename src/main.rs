//! The `fatum` binary: the systems of this crate, and the command line over them.

use fatum::scenario::{Controller, Graph, Registry};
use fatum::systems::controller::workload::Replicas;
use std::process::ExitCode;

fn main() -> ExitCode {
    fatum::cli::main(Registry::new().with(Graph).with(Controller::<Replicas>::default()))
}
